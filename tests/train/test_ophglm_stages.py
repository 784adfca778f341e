"""OphGLM's three stages train their part, and hand on a model that answers."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")
pytest.importorskip("accelerate", reason="needs the extra `train`")

from fundoscope.errors import ConfigError, DialogueError  # noqa: E402
from fundoscope.models.ophglm import OphGLM, OphGLMShape  # noqa: E402
from fundoscope.models.ophglm_files import load_ophglm, save_ophglm  # noqa: E402
from fundoscope.models.preparation import Preparation  # noqa: E402
from fundoscope.models.tiny import tiny_text, tiny_tokenizer  # noqa: E402
from fundoscope.records import Finding, Photograph, Record, record_to_json  # noqa: E402
from fundoscope.train.run_log import LOG, rows_of  # noqa: E402
from fundoscope.train.stage_config import StageConfig, make_stage  # noqa: E402
from fundoscope.train.stages import train_stage  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning"
)
DISEASES = ["diabetic_retinopathy", "glaucoma"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny OphGLM, six photographs, their records and a dialogue about each."""
    folder = tmp_path_factory.mktemp("ophglm")
    torch.manual_seed(0)
    vision = transformers.ConvNextModel(
        transformers.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, image_size=64)
    )
    reader = transformers.BertModel(
        transformers.BertConfig(
            vocab_size=400, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16,
        )
    )  # fmt: skip
    language = transformers.LlamaForCausalLM(tiny_text())
    shape = OphGLMShape(2, 1, fused_tokens=3, fusion_width=16, fusion_heads=2, fusion_layers=1)
    model = OphGLM(vision, reader, language, shape)
    ready = Preparation(64, "field")
    save_ophglm(model, tiny_tokenizer(), tiny_tokenizer(), ready, folder / "model", "v0")
    records, rows = [], []
    for n in range(6):
        pixels = np.random.default_rng(n).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        known = [Finding("diabetic_retinopathy", "present" if n % 2 else "absent", "drawn")]
        if n < 2:
            known.append(Finding("glaucoma", "absent", "drawn"))
        photograph = Photograph("drawn", "all", str(n), file=f"{n}.png")
        records.append(Record(photograph, findings=tuple(known)))
        rows.append(dialogue(f"{n}.png", "Yes." if n % 2 else "No."))
    (folder / "records.jsonl").write_bytes(b"\n".join(map(record_to_json, records)))
    (folder / "dialogues.json").write_text(json.dumps(rows))
    return folder


def dialogue(image: str, answer: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": "Is there diabetic retinopathy?\n<image>"},
             {"from": "gpt", "value": answer}]  # fmt: skip
    return {"id": image, "image": image, "conversations": turns}


def stage(bench: Path, out: Path, *learns: str, **more: Any) -> StageConfig:
    source = {"dialogues": bench / "dialogues.json"}
    if "diseases" in more:
        source = {"records": bench / "records.jsonl"}
    fields = {"model": bench / "model", "out": out, "learns": learns, "data": [source], "steps": 3,
              "batch_each": 2, "learning_rate": 1e-2, "precision": "fp32",
              "held_out": [source], "answer_tokens": 4}  # fmt: skip
    return make_stage({**fields, **more})


def changed(before: Path, after: Path) -> set[str]:
    old, new = load_ophglm(before).state_dict(), load_ophglm(after).state_dict()
    return {name.partition(".")[0] for name in old if not torch.equal(old[name], new[name])}


def test_stage_one_learns_labels_with_encoder_gate_and_heads(bench: Path, tmp_path: Path):
    config = stage(bench, tmp_path / "run", "encoder", diseases=DISEASES, findings=["cataract"])
    told = train_stage(config).manifest
    assert changed(bench / "model", tmp_path / "run" / "model") == {"vision", "gate", "heads"}
    asked = {name: one["asked"] for name, one in told["scores"].items()}
    assert asked == {"diabetic_retinopathy": 6, "glaucoma": 2}  # nobody looked for cataract
    assert told["counts"]["learned_tokens"] == sum(
        row["learned_tokens"] for row in rows_of(tmp_path / "run" / LOG) if "loss" in row
    )


def test_stage_two_trains_the_fusion_alone(bench: Path, tmp_path: Path):
    told = train_stage(stage(bench, tmp_path / "run", "fusion")).manifest
    assert changed(bench / "model", tmp_path / "run" / "model") == {"fusion"}
    assert told["scores"]["yes or no"]["asked"] == 6


def test_stage_three_trains_the_language_model_in_full_or_by_low_rank(bench: Path, tmp_path: Path):
    train_stage(stage(bench, tmp_path / "full", "language"))
    assert changed(bench / "model", tmp_path / "full" / "model") == {"language"}
    pytest.importorskip("peft", reason="needs the extra `train`")
    few = train_stage(stage(bench, tmp_path / "low", "language", lora={"rank": 2, "alpha": 4}))
    assert changed(bench / "model", tmp_path / "low" / "model") == {"language"}
    assert few.manifest["learned_parameters"] < few.manifest["parameters"] / 4


def test_what_is_trained_is_what_is_asked(bench: Path, tmp_path: Path):
    # the loss of an answer after training on it alone must fall where the engine writes it
    from fundoscope.models.answering import Answering

    (tmp_path / "one.json").write_text(json.dumps([dialogue("1.png", "Cotton wool.")]))
    source = [{"dialogues": tmp_path / "one.json", "photographs": bench}]
    train_stage(stage(bench, tmp_path / "run", "fusion", "language", data=source, held_out=[],
                      steps=60, batch_each=1, schedule="constant_with_warmup"))  # fmt: skip
    engine = Answering.load(tmp_path / "run" / "model", most_tokens=12)
    assert engine.ask("Is there diabetic retinopathy?", bench / "1.png") == "Cotton wool."


def test_a_dialogue_of_words_is_refused(bench: Path, tmp_path: Path):
    turns = [{"from": "human", "value": "Hello."}, {"from": "gpt", "value": "Hi."}]
    (tmp_path / "d.json").write_text(json.dumps([{"id": "w", "conversations": turns}]))
    source = [{"dialogues": tmp_path / "d.json"}]
    with pytest.raises(DialogueError, match="one photograph"):
        train_stage(stage(bench, tmp_path / "run", "fusion", data=source, refused_most=0))


def test_labels_that_the_heads_do_not_fit_are_refused(bench: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="heads have 2 and 1"):
        train_stage(stage(bench, tmp_path / "run", "encoder", diseases=["glaucoma"]))


def test_parts_of_another_architecture_are_refused(bench: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match="no part 'projector'"):
        train_stage(stage(bench, tmp_path / "run", "projector"))
