"""Calibration and thresholds mean what they say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fundoscope.perceive.conditions import with_findings  # noqa: E402
from fundoscope.train.condition_eyes import CONDITIONS  # noqa: E402
from fundoscope.train.condition_findings import FindingsLine, shown_by_findings  # noqa: E402
from fundoscope.train.conditions import areas, new_classifier  # noqa: E402
from fundoscope.train.conditions_shipping import (  # noqa: E402
    Judged,
    calibration,
    calibration_error,
    lines_at_runtime,
    thresholds,
    weighed,
    write_classifier,
)

RETINOPATHY = list(CONDITIONS).index("diabetic_retinopathy")
LINES = {"diabetic_retinopathy": FindingsLine(np.linspace(-0.5, 1, 14), -0.3)}


def judged_eyes(count: int) -> tuple[Judged, np.ndarray]:
    """Return eyes whose odds are half the network's logit, 0.8 of the findings', less 1."""
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (count, len(CONDITIONS))).astype(np.float32)
    evidence = chance.normal(0, 1, (count, 14)).astype(np.float32)
    shown = shown_by_findings(LINES, evidence)
    odds = 0.5 * logits + 0.8 * shown - 1
    truth = (chance.random(odds.shape) < 1 / (1 + np.exp(-odds))).astype(np.float32)
    return Judged(logits, shown, truth, np.ones_like(truth), np.arange(count)), evidence


def test_the_lines_of_calibration_are_found_again() -> None:
    judged, _ = judged_eyes(20_000)
    for column, line in enumerate(calibration(judged)):
        expected = (0.5, 0.8 if column == RETINOPATHY else 0.0, -1)
        assert line == pytest.approx(expected, abs=0.06)


def test_findings_that_tell_a_condition_make_it_better_told() -> None:
    judged, _ = judged_eyes(4000)
    alone = areas(judged.logits, judged.truth, judged.known)
    both = areas(weighed(judged, calibration(judged)), judged.truth, judged.known)
    assert both["diabetic_retinopathy"] > alone["diabetic_retinopathy"] + 0.05
    assert both["glaucoma"] == pytest.approx(alone["glaucoma"], abs=1e-4)


def test_what_runs_weighs_network_and_findings_as_what_was_fitted() -> None:
    judged, evidence = judged_eyes(500)
    alone = 1 / (1 + np.exp(-weighed(judged.by_network(), calibration(judged.by_network()))))
    fitted = 1 / (1 + np.exp(-weighed(judged, calibration(judged))))
    line = lines_at_runtime(judged, LINES)["diabetic_retinopathy"]
    for eye in range(0, 500, 50):
        said = with_findings(float(alone[eye, RETINOPATHY]), evidence[eye], line)
        assert said == pytest.approx(float(fitted[eye, RETINOPATHY]), abs=2e-3)


def test_the_calibration_error_by_hand() -> None:
    # of 0.25 said, half are true; of 0.75 said, all: 0.5 * 0.25 + 0.5 * 0.25
    said = np.array([0.25, 0.25, 0.75, 0.75], np.float32)
    assert calibration_error(said, np.array([0, 1, 1, 1], np.float32)) == pytest.approx(0.25)


def test_five_percent_of_the_ill_are_denied_and_of_the_others_claimed() -> None:
    said = np.linspace(0, 1, 2001, dtype=np.float32)
    truth = (np.arange(2001) % 2).astype(np.float32)  # the probability says nothing
    bounds = thresholds(said, truth)
    assert bounds["absent"] == pytest.approx(0.05, abs=0.002)
    assert bounds["present"] == pytest.approx(0.95, abs=0.002)


def test_a_picture_and_its_mirror_are_told_the_same(tmp_path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    write_classifier(new_classifier().eval(), np.tile([1.0, 0.0, 0.0], (7, 1)), tmp_path / "c.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).normal(0, 1, (1, 6, 256, 256)).astype(np.float32)
    (one,) = session.run(None, {"picture": picture})
    (other,) = session.run(None, {"picture": np.ascontiguousarray(picture[..., ::-1])})
    assert np.abs(one - other).max() < 1e-5
    assert one.shape == (1, 7)
