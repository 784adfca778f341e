"""Checkpoints carried over: against LLaVA's own class, and against sums done by hand."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

import numpy as np

from fundoscope.cli import main
from fundoscope.errors import ModelError
from fundoscope.models.legacy_checkpoint import convert_back, convert_checkpoint, on_disk
from fundoscope.models.tiny import tiny_tokenizer
from fundoscope.models.weight_files import Weights

HIDDEN, VOCABULARY, INNER = 8, 12, 16
CONFIG = {
    "model_type": "llava",
    "hidden_size": HIDDEN,
    "intermediate_size": INNER,
    "num_attention_heads": 2,
    "num_hidden_layers": 1,
    "vocab_size": VOCABULARY,
    "mm_hidden_size": HIDDEN,
    "mm_use_im_start_end": True,
    "mm_vision_select_layer": -2,
    "pad_token_id": -1,
}


def language_shapes(vocabulary: int = VOCABULARY) -> dict[str, tuple[int, ...]]:
    layer = "model.layers.0."
    square = dict.fromkeys((f"{layer}self_attn.{p}_proj.weight" for p in "qkvo"), (HIDDEN, HIDDEN))
    return {
        "model.embed_tokens.weight": (vocabulary, HIDDEN),
        **square,
        f"{layer}mlp.gate_proj.weight": (INNER, HIDDEN),
        f"{layer}mlp.up_proj.weight": (INNER, HIDDEN),
        f"{layer}mlp.down_proj.weight": (HIDDEN, INNER),
        f"{layer}input_layernorm.weight": (HIDDEN,),
        f"{layer}post_attention_layernorm.weight": (HIDDEN,),
        "model.norm.weight": (HIDDEN,),
        "lm_head.weight": (vocabulary, HIDDEN),
    }


PROJECTOR = {"model.mm_projector.weight": (HIDDEN, HIDDEN), "model.mm_projector.bias": (HIDDEN,)}


def whole_numbers(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, "torch.Tensor"]:
    """Values whose sums are exact."""
    chance = torch.Generator().manual_seed(seed)
    return {
        name: torch.randint(-8, 9, shape, generator=chance).float()
        for name, shape in shapes.items()
    }


def write_checkpoint(folder: Path, tensors: dict[str, "torch.Tensor"], shards: int = 1) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    names = list(tensors)
    if shards == 1:
        torch.save(tensors, folder / "pytorch_model.bin")
        return folder
    placed = {}
    for number in range(shards):
        file = f"pytorch_model-{number + 1:05d}-of-{shards:05d}.bin"
        part = {name: tensors[name] for name in names[number::shards]}
        torch.save(part, folder / file)
        placed.update(dict.fromkeys(part, file))
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": placed}))
    return folder


@pytest.fixture(scope="module")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tower")
    shape = transformers.CLIPVisionConfig(
        hidden_size=HIDDEN,
        intermediate_size=INNER,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
    )
    transformers.CLIPVisionModel(shape).save_pretrained(folder)
    return folder


@pytest.fixture
def whole() -> dict[str, "torch.Tensor"]:
    return whole_numbers(language_shapes() | PROJECTOR, seed=1)


def same_tensors(one: Path, other: Path) -> bool:
    first, second = Weights(one), Weights(other)
    assert first.entries.keys() == second.entries.keys()
    return all(torch.equal(first.tensor(name), second.tensor(name)) for name in first.entries)


# against the class that RetinalGPT's released code uses


@pytest.fixture(scope="module")
def converted(genuine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("genuine") / "converted"
    made = convert_checkpoint(genuine / "checkpoint", genuine / "vision_tower", folder, 101)
    assert made.image_token_id == 101
    return folder


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("start_end", [True, False])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_it_answers_as_the_original_does(
    genuine: Path, converted: Path, attention: str, start_end: bool, number: int
) -> None:
    expected = np.load(genuine / "expected.npz")
    model, told = transformers.LlavaForConditionalGeneration.from_pretrained(
        converted, dtype=torch.float32, attn_implementation=attention, output_loading_info=True
    )
    assert not told["missing_keys"] and not told["unexpected_keys"]
    ids = torch.tensor(expected[f"ids_{start_end}_{number}"])
    pixels = torch.tensor(expected["pix"][number : number + 1])
    with torch.inference_mode():
        logits = model(input_ids=ids, pixel_values=pixels).logits.numpy()
        written = model.generate(
            input_ids=ids,
            pixel_values=pixels,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=12,
            do_sample=False,
        )
    assert np.abs(logits - expected[f"logits_{start_end}_{number}"]).max() < 2e-5
    assert (written.numpy() == expected[f"gen_{start_end}_{number}"]).all()


def test_its_photographs_become_the_same_pixels(genuine: Path, converted: Path) -> None:
    from PIL import Image

    constants = transformers.CLIPImageProcessorPil.from_pretrained(converted)
    for number, pixels in enumerate(np.load(genuine / "expected.npz")["pix"]):
        with Image.open(genuine / f"img{number}.png") as photograph:
            made = constants(photograph.convert("RGB"), return_tensors="np")["pixel_values"][0]
        assert np.abs(made - pixels).max() < 1e-6


def test_there_and_back_is_the_original_bit_for_bit(
    genuine: Path, converted: Path, tmp_path: Path
) -> None:
    convert_back(converted, tmp_path / "back")
    assert same_tensors(genuine / "checkpoint", tmp_path / "back")
    before, after = (
        json.loads((folder / "config.json").read_text())
        for folder in (genuine / "checkpoint", tmp_path / "back")
    )
    assert before == after


def test_nothing_is_written_into_the_checkpoint(genuine: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(genuine / "checkpoint", tmp_path / "copy"))
    before = {file.name: file.read_bytes() for file in copied.iterdir()}
    convert_checkpoint(copied, genuine / "vision_tower", tmp_path / "out", 101)
    assert before == {file.name: file.read_bytes() for file in copied.iterdir()}


# by hand


def test_the_projector_is_used_and_its_second_layer_changes_nothing(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", whole)
    convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    seen = torch.arange(HIDDEN).float()
    by_hand = whole["model.mm_projector.weight"] @ seen + whole["model.mm_projector.bias"]
    assert torch.equal(model.model.multi_modal_projector(seen), by_hand)
    assert torch.equal(model.lm_head.weight, whole["lm_head.weight"])


@pytest.mark.parametrize("shards", [1, 3])
def test_bin_and_safetensors_whole_and_sharded_are_one(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"], shards: int
) -> None:
    from safetensors.torch import save_file

    other = write_checkpoint(tmp_path / "other", whole)
    (other / "pytorch_model.bin").unlink()
    save_file(whole, other / "model.safetensors", metadata={"format": "pt"})
    convert_checkpoint(
        write_checkpoint(tmp_path / "c", whole, shards), tower, tmp_path / "1", 11, shard_bytes=900
    )
    convert_checkpoint(other, tower, tmp_path / "2", 11)
    assert len(list((tmp_path / "1").glob("model-*.safetensors"))) > 3
    assert same_tensors(tmp_path / "1", tmp_path / "2")
    transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "1")


def test_half_precision_stays(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    halves = {name: values.half() for name, values in whole.items()}
    convert_checkpoint(write_checkpoint(tmp_path / "c", halves), tower, tmp_path / "out", 11)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    assert model.lm_head.weight.dtype == torch.float16


def test_differences_are_added_to_their_base(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    base = whole_numbers(language_shapes(VOCABULARY - 3), seed=2)
    differences = {name: values.clone() for name, values in whole.items()}
    for name, values in base.items():
        differences[name][: len(values)] -= values
    convert_checkpoint(
        write_checkpoint(tmp_path / "d", differences),
        tower,
        tmp_path / "1",
        11,
        base=write_checkpoint(tmp_path / "b", base),
    )
    convert_checkpoint(write_checkpoint(tmp_path / "c", whole), tower, tmp_path / "2", 11)
    assert same_tensors(tmp_path / "1", tmp_path / "2")


def test_another_base_than_that_of_the_differences_is_refused(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    base = whole_numbers(language_shapes(VOCABULARY + 3), seed=2)
    with pytest.raises(ModelError, match=r"'model.embed_tokens.weight' has the shape \(12, 8\)"):
        convert_checkpoint(
            write_checkpoint(tmp_path / "d", whole),
            tower,
            tmp_path / "1",
            11,
            base=write_checkpoint(tmp_path / "b", base),
        )


@pytest.mark.parametrize("only_new_rows", [False, True])
def test_stage_ones_projector_reaches_the_model(
    tower: Path, tmp_path: Path, only_new_rows: bool
) -> None:
    base = whole_numbers(language_shapes(VOCABULARY - 3), seed=2)
    trained = whole_numbers(PROJECTOR | {"model.embed_tokens.weight": (VOCABULARY, HIDDEN)}, seed=3)
    trained["model.embed_tokens.weight"][:-3] = base["model.embed_tokens.weight"]
    kept = dict(trained)
    if only_new_rows:
        kept["model.embed_tokens.weight"] = trained["model.embed_tokens.weight"][-3:].clone()
    file = tmp_path / "mm_projector.bin"
    torch.save(kept, file)
    convert_checkpoint(
        file, tower, tmp_path / "out", 9, base=write_checkpoint(tmp_path / "b", base)
    )
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    projector = model.model.multi_modal_projector.linear_1
    assert torch.equal(projector.weight, trained["model.mm_projector.weight"])
    embeddings = model.get_input_embeddings().weight
    assert torch.equal(embeddings, trained["model.embed_tokens.weight"])
    mean = base["lm_head.weight"].mean(dim=0)
    assert torch.allclose(model.lm_head.weight[-3:], mean.expand(3, -1), atol=1e-6)


def test_stage_one_alone_asks_for_its_base(tower: Path, tmp_path: Path) -> None:
    torch.save(whole_numbers(PROJECTOR, 1), tmp_path / "mm_projector.bin")
    with pytest.raises(ModelError, match="only what stage 1 trained"):
        convert_checkpoint(tmp_path, tower, tmp_path / "out", 9)


def test_a_projector_trained_in_two_layers_goes_back_as_one(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    convert_checkpoint(write_checkpoint(tmp_path / "c", whole), tower, tmp_path / "out", 11)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    second = model.model.multi_modal_projector.linear_2
    with torch.no_grad():
        second.weight.add_(0.25 * torch.randn_like(second.weight))
        second.bias.add_(1.0)
    model.save_pretrained(tmp_path / "trained")
    convert_back(tmp_path / "trained", tmp_path / "back")
    back = Weights(tmp_path / "back")
    seen = torch.randn(5, HIDDEN)
    one = seen @ back.tensor("model.mm_projector.weight").T + back.tensor("model.mm_projector.bias")
    assert torch.allclose(one, model.model.multi_modal_projector(seen), atol=1e-4)


def test_the_tokenizer_says_which_token_a_photograph_is(tower: Path, tmp_path: Path) -> None:
    tokenizer = tiny_tokenizer()
    tensors = whole_numbers(language_shapes(len(tokenizer)) | PROJECTOR, seed=1)
    checkpoint = write_checkpoint(tmp_path / "c", tensors)
    (checkpoint / "config.json").write_text(json.dumps(CONFIG | {"vocab_size": len(tokenizer)}))
    tokenizer.save_pretrained(checkpoint)
    made = convert_checkpoint(checkpoint, tower, tmp_path / "out")
    assert made.image_token_id == tokenizer.convert_tokens_to_ids("<im_patch>")
    processor = transformers.LlavaProcessor.from_pretrained(tmp_path / "out")
    assert processor.image_token == "<im_patch>" and processor.num_additional_image_tokens == 1
    with pytest.raises(ModelError, match="is token 4, not 7"):
        convert_checkpoint(checkpoint, tower, tmp_path / "again", 7)


# what is broken is told


def spoilt(change: str, tensors: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    changed = dict(tensors)
    if change == "unknown":
        changed["model.surprise.weight"] = torch.zeros(2)
    elif change == "missing":
        del changed["model.norm.weight"]
    else:
        changed["lm_head.weight"] = torch.zeros(VOCABULARY, HIDDEN + 1)
    return changed


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("unknown", "1 unknown tensors, such as 'language_model.model.surprise.weight'"),
        ("missing", "1 tensors are missing, such as 'language_model.model.norm.weight'"),
        ("shape", r"'language_model.lm_head.weight' has the shape \(12, 9\), .* \(12, 8\)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"], change: str, says: str
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", spoilt(change, whole))
    with pytest.raises(ModelError, match=says):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)
    assert not (tmp_path / "out").exists()


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (cut, "not a whole file of weights"),
        (lambda file: file.write_bytes(b""), "not a whole file of weights"),
        (lambda file: file.unlink(), "a file of weights is missing"),
        (lambda file: torch.save({}, file), "which does not hold it"),
        (lambda file: torch.save({"a": [1]}, file), "more than named tensors"),
    ],
)
def test_a_harmed_shard_is_named(
    tower: Path,
    tmp_path: Path,
    whole: dict[str, "torch.Tensor"],
    harm: Callable[[Path], object],
    says: str,
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", whole, shards=3)
    harm(checkpoint / "pytorch_model-00002-of-00003.bin")
    with pytest.raises(ModelError, match=says) as told:
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)
    assert "c" in told.value.where
    assert not (tmp_path / "out").exists()


def test_a_cut_safetensors_file_is_named(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    from safetensors.torch import save_file

    checkpoint = write_checkpoint(tmp_path / "c", whole)
    (checkpoint / "pytorch_model.bin").unlink()
    save_file(whole, checkpoint / "model.safetensors")
    cut(checkpoint / "model.safetensors")
    with pytest.raises(ModelError, match="not a whole file of weights"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('code of the file was run')",))


def test_a_file_that_would_run_code_is_refused(tower: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", {})
    torch.save({"a": Harmful()}, checkpoint / "pytorch_model.bin")
    with pytest.raises(ModelError, match="not a whole file of weights"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)


def test_an_index_cannot_lead_out_of_its_folder(tower: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", {})
    (checkpoint / "pytorch_model.bin.index.json").write_text(
        json.dumps({"weight_map": {"a": "../elsewhere.bin"}})
    )
    with pytest.raises(ModelError, match="outside its folder"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)


def test_without_a_tokenizer_the_token_must_be_told(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    checkpoint = write_checkpoint(tmp_path / "c", whole)
    with pytest.raises(ModelError, match="which token <im_patch> is"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out")
    with pytest.raises(ModelError, match="outside the vocabulary of 12"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 12)


# stopped, and begun again


def test_a_run_that_stops_leaves_nothing_and_can_be_repeated(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    def stop(bytes: int) -> None:
        raise KeyboardInterrupt

    checkpoint = write_checkpoint(tmp_path / "c", whole)
    with pytest.raises(KeyboardInterrupt):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11, progress=stop)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c"]
    left = tmp_path / ".out.part"  # as kill -9 leaves it
    left.mkdir()
    (left / "model-00009-of-00009.safetensors").write_bytes(b"left over")
    convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c", "out"]
    assert not (tmp_path / "out" / "model-00009-of-00009.safetensors").exists()
    with pytest.raises(ModelError, match="it is there already"):
        convert_checkpoint(checkpoint, tower, tmp_path / "out", 11)


def test_names_are_those_that_transformers_writes(
    tower: Path, tmp_path: Path, whole: dict[str, "torch.Tensor"]
) -> None:
    convert_checkpoint(write_checkpoint(tmp_path / "c", whole), tower, tmp_path / "out", 11)
    model = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "out")
    model.save_pretrained(tmp_path / "saved")
    assert Weights(tmp_path / "saved").entries.keys() == Weights(tmp_path / "out").entries.keys()
    assert {on_disk(name) for name in model.state_dict()} == set(Weights(tmp_path / "out").entries)


def test_the_command_line_converts_there_and_back(
    tower: Path,
    tmp_path: Path,
    whole: dict[str, "torch.Tensor"],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def convert(*words: str | Path) -> None:
        monkeypatch.setattr("sys.argv", ["fundoscope", "convert", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code in (0, None)

    checkpoint = write_checkpoint(tmp_path / "c", whole)
    convert(checkpoint, "--vision-tower", tower, "-o", tmp_path / "out", "--image-token-id", "11")
    assert "out: " in capsys.readouterr().out
    convert(tmp_path / "out", "--back", "-o", tmp_path / "back", "--json")
    assert json.loads(capsys.readouterr().out)["tensors"] == len(whole) + 1
    assert (tmp_path / "back" / "pytorch_model.bin.index.json").is_file()
