"""A stage trains exactly what it says, goes on where it was cut, and hands on a model."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")
pytest.importorskip("accelerate", reason="needs the extra `train`")

from fundoscope.errors import ConfigError, DialogueError, PhotographError  # noqa: E402
from fundoscope.models.answering import Answering  # noqa: E402
from fundoscope.models.legacy_config import SIDE_FILE  # noqa: E402
from fundoscope.models.retinalgpt import load_retinal  # noqa: E402
from fundoscope.models.tiny import write_tiny_llava  # noqa: E402
from fundoscope.train.preview import preview  # noqa: E402
from fundoscope.train.run_log import LOG, rows_of  # noqa: E402
from fundoscope.train.stage_config import StageConfig, make_stage, read_stage  # noqa: E402
from fundoscope.train.stages import MANIFEST, stage_model, train_stage  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)
START_ID, END_ID = 5, 6


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model, eight photographs, and a dialogue about each."""
    folder = tmp_path_factory.mktemp("stages")
    write_tiny_llava(folder / "model", spread=0.05)
    side = {
        "prompt_template": "v0",
        "photograph": {"patch": "<im_patch>", "start": "<im_start>", "end": "<im_end>"},
        "preparation": "field",
    }
    (folder / "model" / SIDE_FILE).write_text(json.dumps(side))
    rows = []
    for n in range(8):
        pixels = np.random.default_rng(n).integers(0, 255, (60, 80, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        rows.append(dialogue(n, "Yes, it is good." if n % 2 else "No."))
    (folder / "dialogues.json").write_text(json.dumps(rows))
    return folder


def dialogue(n: int, answer: str, image: str = "") -> dict[str, Any]:
    return {
        "id": f"d{n}",
        "image": image or f"{n}.png",
        "conversations": [
            {"from": "human", "value": "Is it good?\n<image>"},
            {"from": "gpt", "value": answer},
        ],
    }


def stage(bench: Path, out: Path, **more: Any) -> StageConfig:
    fields: dict[str, Any] = {
        "model": bench / "model",
        "out": out,
        "learns": ["projector"],
        "data": [{"dialogues": bench / "dialogues.json"}],
        "steps": 3,
        "batch_each": 2,
        "learning_rate": 1e-2,
        "precision": "fp32",
    }
    return make_stage({**fields, **more})


def changed(before: Path, after: Path) -> set[str]:
    """Names of the tensors that are not bit for bit the same."""
    old, new = load_retinal(before).state_dict(), load_retinal(after).state_dict()
    assert old.keys() == new.keys()
    return {name for name in old if not torch.equal(old[name], new[name])}


def losses(out: Path) -> list[float]:
    return [row["loss"] for row in rows_of(out / LOG) if "loss" in row]


# what learns


def test_stage_one_changes_the_projector_and_two_embedding_rows(bench: Path, tmp_path: Path):
    run = train_stage(stage(bench, tmp_path / "run", learns=["projector", "new_tokens"],
                            weight_decay=0.1))  # fmt: skip
    model = tmp_path / "run" / "model"
    rows = "model.language_model.embed_tokens.weight"
    projector = "model.multi_modal_projector.linear_1"
    assert changed(bench / "model", model) == {rows, f"{projector}.weight", f"{projector}.bias"}
    old = load_retinal(bench / "model").state_dict()[rows]
    new = load_retinal(model).state_dict()[rows]
    moved = (old != new).any(dim=1).nonzero().flatten().tolist()
    assert moved == [START_ID, END_ID]
    assert run.manifest["counts"]["photographs"] == 6
    # the projector's 32 x 32 and 32, and two rows of 32
    assert run.manifest["learned_parameters"] == 32 * 32 + 32 + 2 * 32


def test_stage_two_changes_projector_and_language_but_not_the_encoder(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "run", learns=["projector", "language"]))
    names = changed(bench / "model", tmp_path / "run" / "model")
    assert not any("vision_tower" in name or "linear_2" in name for name in names)
    assert any("layers.0.self_attn.q_proj" in name for name in names)
    assert any("lm_head" in name for name in names)


def test_low_rank_layers_are_merged_into_the_language_model_only(bench: Path, tmp_path: Path):
    pytest.importorskip("peft", reason="needs the extra `train`")
    run = train_stage(
        stage(bench, tmp_path / "run", learns=["projector", "language"],
              lora={"rank": 2, "alpha": 4}, projector_learning_rate=1e-3)
    )  # fmt: skip
    names = changed(bench / "model", tmp_path / "run" / "model")
    language = {name for name in names if "multi_modal_projector" not in name}
    assert language
    assert all("_proj.weight" in name and "language_model" in name for name in language)
    assert any("multi_modal_projector" in name for name in names)
    assert run.manifest["learned_parameters"] < run.manifest["parameters"] / 5
    assert Answering.load(tmp_path / "run" / "model", most_tokens=3).ask("Good?", bench / "1.png")


def test_new_tokens_are_refused_where_the_model_has_none(bench: Path, tmp_path: Path):
    write_tiny_llava(tmp_path / "bare")
    with pytest.raises(ConfigError, match="no tokens before and after"):
        train_stage(stage(bench, tmp_path / "run", model=tmp_path / "bare",
                          learns=["projector", "new_tokens"]))  # fmt: skip


def test_checkpoints_hold_only_what_learns(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "run", save_every=3))
    from safetensors.torch import load_file

    held = load_file(tmp_path / "run" / "checkpoint-3" / "learned.safetensors")
    assert set(held) == {
        "model.multi_modal_projector.linear_1.weight",
        "model.multi_modal_projector.linear_1.bias",
    }


# cut and gone on with

KILLED = """
import os, signal, sys
from pathlib import Path
from fundoscope.train import stage_trainer  # noqa: E402
from fundoscope.train.stage_config import read_stage  # noqa: E402
from fundoscope.train.stages import train_stage  # noqa: E402

taken = stage_trainer.Watching.on_step_end
def step_end(self, args, state, control, **more):
    taken(self, args, state, control, **more)
    if state.global_step == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
stage_trainer.Watching.on_step_end = step_end
train_stage(read_stage(Path(sys.argv[1])))
"""


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums over several threads come in another order: the killed process has one, so have we."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
def test_a_run_killed_at_step_five_goes_on_to_the_very_same_losses(bench: Path, tmp_path: Path):
    pytest.importorskip("peft", reason="needs the extra `train`")
    # dropout draws random numbers, so it also shows that their state is kept
    more = {"steps": 7, "save_every": 2, "learns": ["projector", "language"], "accumulate": 2,
            "lora": {"rank": 2, "dropout": 0.3}}  # fmt: skip
    train_stage(stage(bench, tmp_path / "whole", **more))
    cut = stage(bench, tmp_path / "cut", **more)
    (tmp_path / "stage.yaml").write_text(json.dumps(cut.model_dump(mode="json")))
    code = [sys.executable, "-c", KILLED, str(tmp_path / "stage.yaml"), "5"]
    done = subprocess.run(code, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-800:]
    assert len(losses(tmp_path / "cut")) == 5  # and the last checkpoint is of step 4
    (tmp_path / "cut" / "checkpoint-6").mkdir()  # one that was being written
    train_stage(read_stage(tmp_path / "stage.yaml"))
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert changed(tmp_path / "cut" / "model", tmp_path / "whole" / "model") == set()


def test_a_finished_run_is_not_trained_again(bench: Path, tmp_path: Path):
    config = stage(bench, tmp_path / "run")
    first = train_stage(config)
    stamp = (tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns
    time.sleep(0.01)
    assert train_stage(config).manifest == first.manifest
    assert (tmp_path / "run" / "model" / "model.safetensors").stat().st_mtime_ns == stamp


def test_another_stage_into_the_same_folder_is_refused(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "run"))
    with pytest.raises(ConfigError, match="another stage file"):
        train_stage(stage(bench, tmp_path / "run", learning_rate=1e-3))


# what is refused


def test_an_unreadable_photograph_ends_the_run_and_is_never_replaced(bench: Path, tmp_path: Path):
    (tmp_path / "dialogues.json").write_text(json.dumps([dialogue(1, "No.", "not-there.png")]))
    source = [{"dialogues": tmp_path / "dialogues.json", "photographs": bench}]
    with pytest.raises(PhotographError, match="at most 0 may be"):
        train_stage(stage(bench, tmp_path / "run", data=source))


def test_bad_photographs_up_to_the_limit_are_left_out_and_counted(bench: Path, tmp_path: Path):
    rows = [dialogue(1, "No."), dialogue(2, "Yes.", "not-there.png")]
    (tmp_path / "dialogues.json").write_text(json.dumps(rows))
    source = [{"dialogues": tmp_path / "dialogues.json", "photographs": bench}]
    config = stage(bench, tmp_path / "run", data=source, steps=2, bad_photographs_most=2)
    run = train_stage(config)
    assert run.manifest["counts"]["dialogues"] == 2
    assert run.manifest["counts"]["bad_photographs"] == 2
    refused = list(rows_of(tmp_path / "run" / "refused.jsonl"))
    assert [row["id"] for row in refused] == ["d2", "d2"]


def test_a_step_of_nothing_but_refused_dialogues_changes_nothing(bench: Path, tmp_path: Path):
    (tmp_path / "dialogues.json").write_text(json.dumps([dialogue(1, "a ### b")]))
    source = [{"dialogues": tmp_path / "dialogues.json", "photographs": bench}]
    train_stage(stage(bench, tmp_path / "run", data=source, steps=2))
    assert losses(tmp_path / "run") == [0, 0]
    assert changed(bench / "model", tmp_path / "run" / "model") == set()


def test_too_many_refused_dialogues_end_the_run(bench: Path, tmp_path: Path):
    (tmp_path / "dialogues.json").write_text(json.dumps([dialogue(1, "a ### b")]))
    source = [{"dialogues": tmp_path / "dialogues.json", "photographs": bench}]
    with pytest.raises(DialogueError, match="at most 1 may be"):
        train_stage(stage(bench, tmp_path / "run", data=source, refused_most=1))


def test_an_unknown_field_is_refused_and_the_nearest_offered(bench: Path, tmp_path: Path):
    with pytest.raises(ConfigError) as told:
        stage(bench, tmp_path / "run", learning_rat=1)
    assert "'learning_rate'" in told.value.mend
    with pytest.raises(ConfigError) as told:
        stage(bench, tmp_path / "run", data=[{"dialogues": "d", "photograph": "p"}])
    assert "'photographs'" in told.value.mend


# what a run leaves


def test_a_run_leaves_log_curve_scores_and_a_manifest_of_one_line(bench: Path, tmp_path: Path):
    held_out = [{"dialogues": bench / "dialogues.json"}]
    config = stage(bench, tmp_path / "run", learns=["projector", "language"], held_out=held_out,
                   steps=4, evaluate_every=2, answer_tokens=6)  # fmt: skip
    train_stage(config)
    text = (tmp_path / "run" / MANIFEST).read_text()
    assert text.count("\n") == 1
    told = json.loads(text)
    assert told["scores"]["yes or no"]["asked"] == 8
    assert told["scores"]["yes or no"]["constant_right"] == 4
    # 60 x 80 px, no field of view: the whole frame of 80 px in 56
    assert told["px_per_input_px"] == pytest.approx(80 / 56)
    assert told["kept"] == 1
    scored = [row["step"] for row in rows_of(tmp_path / "run" / LOG) if "held_out_loss" in row]
    assert scored == [2, 4]
    with Image.open(tmp_path / "run" / "loss.png") as picture:
        assert picture.size[0] > 100
    assert read_stage(tmp_path / "run" / "stage.yaml") == config


def test_the_cache_works_again_after_training(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "run", gradient_checkpointing=True))
    model = load_retinal(tmp_path / "run" / "model")
    assert model.config.text_config.use_cache
    assert model.generation_config.use_cache


def test_bf16_trains_and_keeps_its_weights_whole(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "run", precision="bf16"))
    assert load_retinal(tmp_path / "run" / "model").lm_head.weight.dtype == torch.float32
    assert all(np.isfinite(losses(tmp_path / "run")))


def test_a_model_stored_at_16_bits_stays_so_but_for_what_learns(bench: Path, tmp_path: Path):
    half = load_retinal(bench / "model", dtype=torch.bfloat16)
    shutil.copytree(bench / "model", tmp_path / "half")
    half.save_pretrained(tmp_path / "half")
    config = stage(bench, tmp_path / "run", model=tmp_path / "half", precision="bf16",
                   learns=["projector", "new_tokens"])  # fmt: skip
    model = stage_model(config).load()
    kinds = {p.requires_grad: p.dtype for p in model.parameters()}
    assert kinds == {True: torch.float32, False: torch.bfloat16}
    train_stage(config)
    assert all(np.isfinite(losses(tmp_path / "run")))
    names = changed(tmp_path / "half", tmp_path / "run" / "model")
    assert all("linear_1" in name or "embed_tokens" in name for name in names)


def test_photographs_that_are_kept_give_the_same_losses(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "read", steps=6))
    train_stage(stage(bench, tmp_path / "kept", steps=6, photographs_kept=3))
    assert losses(tmp_path / "read") == losses(tmp_path / "kept")


def test_preview_shows_what_is_learned(bench: Path, tmp_path: Path):
    shown = preview(stage(bench, tmp_path / "run"), 2)
    text = "".join(part.text for part in shown.stretches)
    learned = "".join(part.text for part in shown.stretches if part.learned)
    assert "<im_start><im_patch> x 16 <im_end>" in text
    assert "Is it good?" in text
    assert "Is it good?" not in learned
    assert "### Assistant:" in learned
    assert shown.photographs == 1


TWO = """
import sys
from pathlib import Path
from fundoscope.train.stage_config import read_stage
from fundoscope.train.stages import leave_together, train_stage
train_stage(read_stage(Path(sys.argv[1])))
leave_together()
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_does(bench: Path, tmp_path: Path):
    # of words alone in the second half: no process may wait for the other's encoder
    rows = json.loads((bench / "dialogues.json").read_text())
    for n in range(8):
        turns = [{"from": "human", "value": "Hello."}, {"from": "gpt", "value": "Hi. " * n}]
        rows.append({"id": f"w{n}", "conversations": turns})
    (tmp_path / "dialogues.json").write_text(json.dumps(rows))
    source = [{"dialogues": tmp_path / "dialogues.json", "photographs": bench}]
    train_stage(stage(bench, tmp_path / "one", data=source, steps=4, batch_each=4))
    two = stage(bench, tmp_path / "two", data=source, steps=4, batch_each=2)
    (tmp_path / "stage.yaml").write_text(json.dumps(two.model_dump(mode="json")))
    (tmp_path / "two.py").write_text(TWO)
    code = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*code, str(tmp_path / "two.py"), str(tmp_path / "stage.yaml")],
        env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()[-1500:]
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
