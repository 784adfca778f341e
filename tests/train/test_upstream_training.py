"""What LLaVA's and RetinalGPT's released training gets wrong; ours does not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.errors import DialogueError  # noqa: E402
from fundoscope.models.preparation import Preparation  # noqa: E402
from fundoscope.models.prompt_templates import IGNORED, V0, Exchange, PhotographTokens  # noqa: E402
from fundoscope.models.retinalgpt import load_retinal  # noqa: E402
from fundoscope.models.tiny import tiny_tokenizer, write_tiny_llava  # noqa: E402
from fundoscope.train.dialogue_data import Collate, DialogueData, Filler, Ready, Refused  # noqa: E402
from fundoscope.train.dialogue_files import TrainingDialogue, open_dialogues  # noqa: E402
from fundoscope.train.dialogue_tokens import Wording  # noqa: E402
from fundoscope.train.mixing import Mix  # noqa: E402

PATCH_ID = 4


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upstream")
    write_tiny_llava(folder / "model", spread=0.3)
    for n in range(4):
        pixels = np.random.default_rng(n).integers(0, 255, (56, 56, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
    return folder


def wording(most_tokens: int = 2048, **tokens: str) -> Wording:
    return Wording(tiny_tokenizer(), V0, PhotographTokens(count=16, **tokens), most_tokens)


def row(question: str, answer: str, *images: str) -> dict[str, Any]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": question, "conversations": turns, "image": list(images)}


def data(folder: Path, rows: list[dict[str, Any]], most_tokens: int = 2048) -> DialogueData:
    file = folder / "rows.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    mix = Mix([len(rows)], [len(rows)])
    preparation = Preparation(56, "field")
    return DialogueData([open_dialogues(file)], mix, wording(most_tokens), preparation)


def scores(folder: Path, items: list[Ready | Refused]) -> list[Any]:
    """Scores of each dialogue's own tokens, from one batch."""
    model = load_retinal(folder / "model").eval()
    batch = Collate(3, Filler(PATCH_ID, 16, 56))(items)
    del batch["told"]
    with torch.inference_mode():
        logits = model(**batch).logits
    rows = zip(logits[: len(items)], batch["attention_mask"][: len(items)], strict=True)
    return [own[mask.bool()] for own, mask in rows]


def test_each_dialogue_of_a_batch_sees_its_own_photograph(bench: Path):
    # upstream: without <im_start>, all see the first
    held = data(bench, [row("Good?\n<image>", "No.", f"{n}.png") for n in range(3)])
    items = [held[k] for k in range(3)]
    for alone, together in zip(items, scores(bench, items), strict=True):
        torch.testing.assert_close(together, scores(bench, [alone])[0], atol=1e-4, rtol=1e-4)


def test_a_dialogue_of_words_before_one_with_a_photograph_takes_nothing_from_it(bench: Path):
    # upstream: the photograph becomes zeros
    held = data(bench, [row("Hello.", "Hi."), row("Good?\n<image>", "No.", "1.png")])
    items = sorted((held[k] for k in range(2)), key=lambda item: len(item.values))
    for alone, together in zip(items, scores(bench, items), strict=True):
        torch.testing.assert_close(together, scores(bench, [alone])[0], atol=1e-4, rtol=1e-4)


def test_both_photographs_of_a_dialogue_are_seen(bench: Path):
    # upstream: the first is ignored
    text = "Compare.\n<image>\n<image>"
    held = data(bench, [row(text, "Same.", "0.png", "2.png"), row(text, "Same.", "1.png", "2.png")])
    first, second = scores(bench, [held[0], held[1]])
    assert (first - second).abs().max() > 0.01


def test_an_unreadable_photograph_is_refused_by_name(bench: Path):
    # upstream: silently another dialogue, at random
    (bench / "broken.png").write_bytes(b"no picture")
    item = data(bench, [row("Good?\n<image>", "No.", "broken.png")])[0]
    assert isinstance(item, Refused)
    assert item.trouble == "bad photograph"
    assert "broken.png" in item.reason or item.id == "Good?\n<image>"


def test_a_long_dialogue_loses_whole_exchanges_and_says_so():
    # upstream: cut at any token, silently
    exchanges = tuple(Exchange(f"Question {n}?", f"Answer {n}." * 5) for n in range(4))
    dialogue = TrainingDialogue("d", exchanges)
    whole = wording().tokens(dialogue)
    short = wording(len(whole.ids) - 1).tokens(dialogue)
    assert (whole.dropped_exchanges, short.dropped_exchanges) == (0, 1)
    text = tiny_tokenizer().decode(short.ids, skip_special_tokens=True)
    assert V0.read_back(text) == list(exchanges[:3])


def test_a_photograph_is_never_cut():
    dialogue = TrainingDialogue("d", (Exchange("Good?\n<image>", "No."),), (Path("a.png"),))
    n = len(wording().tokens(dialogue).ids)
    with pytest.raises(DialogueError, match="need more than"):
        wording(n - 1).tokens(dialogue)
    later = (Exchange("Hello.", "Hi."), Exchange("Good?\n<image>", "No."))
    dialogue = TrainingDialogue("d", later, (Path("a.png"),))
    n = len(wording().tokens(dialogue).ids)
    with pytest.raises(DialogueError, match="need more than"):  # not trained on as words alone
        wording(n - 1).tokens(dialogue)


def test_as_many_tokens_stand_for_a_photograph_as_it_has_features():
    dialogue = TrainingDialogue("d", (Exchange("Good?\n<image>", "No."),), (Path("a.png"),))
    told = wording(start="<im_start>", end="<im_end>").tokens(dialogue)
    assert told.ids.count(PATCH_ID) == 16
    at = told.ids.index(PATCH_ID)
    assert (told.ids[at - 1], told.ids[at + 16]) == (5, 6)
    assert all(label == IGNORED for label in told.labels[at - 1 : at + 17])


@pytest.mark.parametrize("text", ["<im_patch>", "<im_start>", "a ### b"])
def test_words_that_stand_for_something_else_are_refused(text: str):
    tokens = wording(start="<im_start>", end="<im_end>")
    with pytest.raises(DialogueError):
        tokens.tokens(TrainingDialogue("d", (Exchange("Good?", text),)))


def test_answers_and_stops_are_learned_and_questions_are_not():
    dialogue = TrainingDialogue("d", (Exchange("Good?", "No."), Exchange("Why?", "Blur.")))
    told = wording().tokens(dialogue)
    learned = [id for id, label in zip(told.ids, told.labels, strict=True) if label != IGNORED]
    text = tiny_tokenizer().decode(learned)
    # the first token of a question's "### Human:" is learned: it is where the model stops
    assert text == "###### Assistant: No.\n###### Assistant: Blur.\n### "


def test_the_whole_field_of_view_is_seen_and_its_loss_is_told(bench: Path):
    # upstream: a square from the middle; of IDRiD's 4288 x 2848 that keeps 66.4 % of the width
    pixels = np.zeros((200, 300, 3), np.uint8)
    rows, cols = np.ogrid[:200, :300]
    pixels[(rows - 100) ** 2 + (cols - 150) ** 2 < 98**2] = (150, 80, 40)
    pixels[:, :, 0][(rows - 100) ** 2 + (cols - 150) ** 2 < 98**2] += (
        np.random.default_rng(0).integers(0, 60, pixels.shape[:2], np.uint8)
    )[(rows - 100) ** 2 + (cols - 150) ** 2 < 98**2]
    Image.fromarray(pixels).save(bench / "round.png")
    held = data(bench, [row("Good?\n<image>", "No.", "round.png")])
    item = held[0]
    assert isinstance(item, Ready)
    assert item.kept == (1.0,)
    assert item.px_per_input_px[0] == pytest.approx(196 / 56, rel=0.05)


def test_a_large_file_is_not_held_in_memory(tmp_path: Path):
    # upstream: json.load of all of it
    import tracemalloc

    text = "x" * 20_000
    with (tmp_path / "large.json").open("w") as stream:
        stream.write("[")
        stream.write(",\n".join(json.dumps(row(f"q{n}", text)) for n in range(1500)))
        stream.write("]")
    size = (tmp_path / "large.json").stat().st_size
    tracemalloc.start()
    held = open_dialogues(tmp_path / "large.json")
    assert held.dialogue(1499).id == "q1499"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 20
