"""The shipped networks: small, whole, and each with a manifest that says what it is."""

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from fundoscope.errors import ConfigError
from fundoscope.perceive.runtime import (
    OWN_WEIGHTS,
    SHIPPED,
    Model,
    model,
    model_names,
    standardised,
)
from fundoscope.terms import conditions

ALL = ("conditions", "disc_cup", "lesions", "places", "quality", "vessels")
TOLD = {
    *("task", "version", "architecture", "parameters", "input", "outputs", "trained_on"),
    *("licence", "augmentation", "seed", "steps", "command"),
}


def test_every_network_is_there() -> None:
    assert model_names() == ALL


def test_all_of_them_are_at_most_30_megabytes() -> None:
    folder = Path(str(resources.files(SHIPPED)))
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 30e6


@pytest.mark.parametrize("name", ALL)
def test_a_manifest_says_what_the_network_is(name: str) -> None:
    manifest = model(name).manifest
    assert set(manifest) >= TOLD
    assert manifest["task"] == name
    assert 1e4 < manifest["parameters"] < 5e6
    assert manifest["licence"]
    assert all(part["set"] and part["photographs"] > 0 for part in manifest["trained_on"])
    assert "scores" in manifest or "held_out" in manifest


@pytest.mark.parametrize("name", ALL)
def test_a_set_without_an_open_licence_makes_a_network_research_only(name: str) -> None:
    manifest = model(name).manifest
    closed = {"DRIONS", "DrishtiGS", "DrishtiGS_crops", "ODIR5K", "EyePACS", "HRF"}
    if {part["set"] for part in manifest["trained_on"]} & closed:
        assert "research-only" in manifest["licence"]


def test_the_conditions_are_words_of_the_vocabulary_with_two_thresholds() -> None:
    manifest = model("conditions").manifest
    assert set(manifest["outputs"]) <= set(conditions())
    for bounds in manifest["thresholds"].values():
        assert 0 <= bounds["absent"] <= bounds["present"] <= 1


@pytest.mark.parametrize(("name", "channels", "parts"), [("vessels", 3, 3), ("lesions", 6, 4)])
def test_an_outliner_answers_for_every_pixel(name: str, channels: int, parts: int) -> None:
    (said,) = model(name).run(np.zeros((1, channels, 128, 192), np.float32))
    assert said.shape == (1, parts, 128, 192)
    assert ((said >= 0) & (said <= 1)).all()


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError) as refused:
        model("vesels")
    assert "vessels" in str(refused.value)


def test_networks_of_ones_own_are_taken_first(tmp_path: Path, monkeypatch) -> None:
    for file in Path(str(resources.files(SHIPPED))).glob("quality.*"):
        text = file.read_bytes().replace(b'"version": "', b'"version": "own ')
        (tmp_path / file.name).write_bytes(text)
    monkeypatch.setenv(OWN_WEIGHTS, str(tmp_path))
    assert Model("quality").version.startswith("fundoscope quality own")
    assert not Model("places").version.startswith("fundoscope places own")


def test_loading_a_network_leaves_no_file_and_asks_no_server(tmp_path: Path) -> None:
    """ONNX Runtime's own counting of users leaves a file where it is on."""
    code = "from fundoscope.perceive.runtime import model; model('quality')"
    told = {**os.environ, "TMPDIR": str(tmp_path)}
    told.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", code], env=told, check=True)
    assert list(tmp_path.iterdir()) == []


def test_rows_in_which_nothing_is_seen_are_not_looked_at() -> None:
    """A frame cut above and below gives what the whole frame gives, away from the cut."""
    inside = np.zeros((256, 256), bool)
    inside[64:192] = True
    picture = np.random.default_rng(0).integers(0, 255, (256, 256, 3)).astype(np.uint8)
    picture[~inside] = 128
    found = model("vessels").outlines(picture, inside)
    (whole,) = model("vessels").run(standardised(picture))
    assert found.shape == (3, 256, 256)
    assert not found[:, ~inside].any()
    assert np.abs(found - whole[0])[:, 112:144].mean() < 0.02


def test_a_frame_without_an_eye_has_no_outlines() -> None:
    nothing = np.zeros((256, 256), bool)
    assert not model("vessels").outlines(np.zeros((256, 256, 3), np.uint8), nothing).any()
