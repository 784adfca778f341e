"""How likely a model finds given answers: in a batch as from scratch, token by token."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.models.answering import Answering, Asked
from fundoscope.models.prompt_templates import Exchange
from fundoscope.models.tiny import write_tiny_llava

PHOTOGRAPH = np.random.default_rng(0).integers(0, 255, (70, 90, 3)).astype(np.uint8)
OTHER = np.random.default_rng(1).integers(0, 255, (90, 70, 3)).astype(np.uint8)
ASKED = [
    Asked(("Is it normal?",), (PHOTOGRAPH,)),
    Asked(("Which eye is it?",), (OTHER,), (Exchange("Is it sharp?", "It is."),)),
    Asked(("Hello?",)),
    Asked(("What differs between them?",), (PHOTOGRAPH, OTHER)),
    Asked(("Is it red?",), (OTHER,)),
]
TEXTS = [["Yes", "No"], ["left", "right"], ["A", "B", "C"], ["good", "usable", "reject"],
         ["是", "否"]]  # fmt: skip


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Answering:
    return Answering.load(write_tiny_llava(tmp_path_factory.mktemp("tiny")), device="cpu")


def from_scratch(engine: Answering, asked: Asked, texts: list[str]) -> list[float]:
    """Return log-probabilities by transformers' own forward pass: no cache, each text alone.

    A tokenizer may join a prompt's last character to the answer's first: counted is from the first
    token that is not the prompt's in any of the texts.
    """
    model = engine.sight.model

    def ids(words: str) -> list[int]:
        opened = engine.tokenizer(words.replace("<image>", engine._block))["input_ids"]
        token, each = model.config.image_token_id, model.config.image_seq_length
        return [i for id in opened for i in ([id] * each if id == token else [id])]

    prompt = engine._opening(asked) + engine.template.lead
    alone, wholes = ids(prompt), [ids(prompt + text) for text in texts]
    start = min(
        next((at for at, id in enumerate(alone) if whole[at] != id), len(alone)) for whole in wholes
    )
    pixels = [torch.from_numpy(engine.preparation.prepared(p).values) for p in asked.photographs]
    shown = {"pixel_values": torch.stack(pixels)} if pixels else {}
    sums = []
    for whole in wholes:
        with torch.inference_mode():
            scores = model(input_ids=torch.tensor([whole]), use_cache=False, **shown).logits[0]
        told = scores.float().log_softmax(dim=-1)
        sums.append(sum(float(told[at - 1, whole[at]]) for at in range(start, len(whole))))
    return sums


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_answers_are_as_likely_in_a_batch_as_from_scratch(engine: Answering, batch: int) -> None:
    chosen = Answering(
        engine.sight, engine.tokenizer, engine.template, engine.preparation, batch=batch
    )
    for asked, texts, weighed in zip(ASKED, TEXTS, chosen.likelihoods(ASKED, TEXTS), strict=True):
        alone = from_scratch(engine, asked, texts)
        # what all texts begin with is left out, so their differences are what is told
        for (a, b), (x, y) in zip(
            pairwise(weighed.log_probabilities), pairwise(alone), strict=True
        ):
            assert a - b == pytest.approx(x - y, abs=1e-4)


def test_two_different_texts_are_not_equally_likely(engine: Answering) -> None:
    """Else the test above would prove little."""
    for weighed in engine.likelihoods(ASKED, TEXTS):
        assert len(set(weighed.log_probabilities)) == len(weighed.log_probabilities)


def test_what_cannot_be_weighed_says_why_and_the_others_are(engine: Answering) -> None:
    asked = [ASKED[0], Asked(("Is it?",), (Path("none.png"),)), Asked(("One?", "Two?")), ASKED[4]]
    weighed = list(engine.likelihoods(asked, [["Yes", "No"]] * 4))
    assert [bool(one.error) for one in weighed] == [False, True, True, False]
    assert [len(one.log_probabilities) for one in weighed] == [2, 0, 0, 2]
    alone = list(engine.likelihoods([ASKED[4]], [["Yes", "No"]]))
    assert weighed[3].log_probabilities == pytest.approx(alone[0].log_probabilities, abs=1e-4)
