"""A checkpoint as a predictor: words as the engine says them, labels as likely as it finds them."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.evaluate.answer_spaces import Levels, Number, YesNo
from fundoscope.evaluate.baselines import Blind
from fundoscope.evaluate.checkpoint_predictor import CheckpointPredictor
from fundoscope.evaluate.items import Item
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.prompt_templates import Exchange
from fundoscope.models.tiny import write_tiny_llava


def item(id: str, photographs: tuple[Path, ...], **more: Any) -> Item:
    fields: dict[str, Any] = {"question": "Is it normal?", "space": YesNo("normal_fundus")} | more
    return Item(
        id=id, asked=id, key=id, patient=id, photographs=photographs, language="en", wording=0,
        truth="yes", **fields,
    )  # fmt: skip


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> CheckpointPredictor:
    folder = write_tiny_llava(tmp_path_factory.mktemp("tiny"))
    return CheckpointPredictor.load(folder, name="tiny", device="cpu", most_tokens=6)


@pytest.fixture(scope="module")
def eye(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("eye") / "eye.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90, 3)).astype(np.uint8)).save(
        file
    )
    return file


def test_answers_and_likelihoods_are_the_engines(
    predictor: CheckpointPredictor, eye: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"none")
    before = ("Which eye is it?", "Is it sharp?")
    items = [
        item("a", (eye,)),
        item("b", (broken,)),
        item("c", (eye,), before=before, space=Levels("icdr")),
        item("d", (), space=Number("fractal_dimension", "1")),
    ]
    made = {one.item: one for one in predictor.answers(items)}
    engine: Answering = predictor.engine
    whole = engine.answer([Asked((*before, "Is it normal?"), (eye,))])[0].answers
    assert made["a"].answer == engine.answer([Asked(("Is it normal?",), (eye,))])[0].answers[-1]
    assert made["c"].answer == whole[-1]
    assert made["b"].answer == "" and made["b"].error and not made["b"].probabilities
    assert made["d"].probabilities == {}  # values cannot be counted
    told = Asked(("Is it normal?",), (eye,), tuple(map(Exchange, before, whole)))
    (weighed,) = engine.likelihoods([told], [["0", "1", "2", "3", "4"]])
    shares = np.exp(weighed.log_probabilities) / np.exp(weighed.log_probabilities).sum()
    assert list(made["c"].probabilities.values()) == pytest.approx(shares.tolist(), rel=1e-3)
    assert list(made["c"].probabilities) == ["0", "1", "2", "3", "4"]
    assert math.fsum(made["a"].probabilities.values()) == pytest.approx(1)


def test_the_blind_model_is_asked_without_the_photograph(
    predictor: CheckpointPredictor, eye: Path
) -> None:
    (made,) = Blind(predictor).answers([item("a", (eye,))])
    without = predictor.engine.answer([Asked(("Is it normal?",))])[0].answers[-1]
    assert made.answer == without and made.probabilities
