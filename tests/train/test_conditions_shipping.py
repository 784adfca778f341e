"""Calibration and thresholds mean what they say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from fundoscope.perceive.conditions import with_findings  # noqa: E402
from fundoscope.train.condition_eyes import CONDITIONS  # noqa: E402
from fundoscope.train.condition_findings import FindingsLine, shown_by_findings  # noqa: E402
from fundoscope.train.conditions import new_classifier  # noqa: E402
from fundoscope.train.conditions_shipping import (  # noqa: E402
    FINDINGS_COUNT,
    calibration,
    calibration_error,
    lines_at_runtime,
    thresholds,
    write_classifier,
)


def test_the_line_of_calibration_is_found_again() -> None:
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (20_000, 1)).astype(np.float32)
    truth = (chance.random((20_000, 1)) < 1 / (1 + np.exp(-(0.5 * logits - 1)))).astype(np.float32)
    ((slope, offset),) = calibration(logits, truth, np.ones_like(truth))
    assert slope == pytest.approx(0.5, abs=0.05)
    assert offset == pytest.approx(-1, abs=0.05)


def test_what_runs_weighs_network_and_findings_as_what_was_fitted() -> None:
    chance = np.random.default_rng(0)
    logits = chance.normal(0, 2, (20, len(CONDITIONS)))
    evidence = chance.normal(0, 1, (20, 14)).astype(np.float32)
    findings = {"glaucoma": FindingsLine(np.linspace(-0.5, 1, 14), -0.3)}
    alone, both = chance.uniform(0.5, 2, (2, len(CONDITIONS), 2))
    column = list(CONDITIONS).index("glaucoma")
    shown = shown_by_findings(findings, evidence)
    assert shown[:, column].any()
    assert not np.delete(shown, column, axis=1).any()
    line = lines_at_runtime(alone, both, findings)["glaucoma"]
    for eye in range(20):
        by_network = 1 / (1 + np.exp(-(alone[column] @ [logits[eye, column], 1])))
        together = logits[eye, column] + FINDINGS_COUNT * shown[eye, column]
        fitted = 1 / (1 + np.exp(-(both[column] @ [together, 1])))
        assert with_findings(by_network, evidence[eye], line) == pytest.approx(fitted, abs=1e-3)


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
    write_classifier(new_classifier().eval(), np.tile([1.0, 0.0], (7, 1)), tmp_path / "c.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "c.onnx", providers=["CPUExecutionProvider"])
    picture = np.random.default_rng(0).normal(0, 1, (1, 6, 256, 256)).astype(np.float32)
    (one,) = session.run(None, {"picture": picture})
    (other,) = session.run(None, {"picture": np.ascontiguousarray(picture[..., ::-1])})
    assert np.abs(one - other).max() < 1e-5
    assert one.shape == (1, 7)
