"""The drawing shows what was measured, where it was measured."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fundoscope.errors import PhotographError
from fundoscope.measure.centreline import centreline
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.overlay import VESSEL_COLOURS, draw_overlay, overlay, width_bars
from fundoscope.phantoms import draw_phantom, draw_straight_vessel


def test_bars_run_from_wall_to_wall() -> None:
    bars = width_bars(centreline(draw_straight_vessel(9, 31)))
    assert len(bars) > 5
    lengths = [np.hypot(*(bar[1] - bar[0])) for bar in bars]
    assert np.mean(lengths) == pytest.approx(9, abs=0.3)
    along = np.array([-np.sin(np.radians(31)), np.cos(np.radians(31))])
    assert np.abs([(bar[1] - bar[0]) @ along for bar in bars]).max() < 1


def test_arteries_are_red_and_veins_are_blue() -> None:
    artery, vein = draw_straight_vessel(7, 30), draw_straight_vessel(7, 120, (0, 40), 60)
    drawn = overlay(MaskSet("x", arteries=artery, veins=vein))
    assert drawn.shape == (320, 320, 3)  # small: at twice its size
    shown = {
        name: (np.abs(drawn.astype(int) - colour).max(axis=2) < 30).sum()
        for name, colour in VESSEL_COLOURS.items()
    }
    assert shown["arteries"] > 50
    assert shown["veins"] > 25
    assert shown["vessels"] == 0


def test_a_phantom_is_drawn_on_its_photograph_and_written(tmp_path: Path) -> None:
    phantom = draw_phantom(3, 400, {"haemorrhage": 2})
    masks = MaskSet(
        "x", phantom.vessels, phantom.arteries, phantom.veins, phantom.disc, phantom.cup,
        phantom.fovea, phantom.lesions, phantom.field_of_view,
    )  # fmt: skip
    out = draw_overlay(masks, phantom.photograph, tmp_path / "new" / "x.png")
    written = cv2.imread(str(out))[..., ::-1]
    plain = phantom.photograph.repeat(2, axis=0).repeat(2, axis=1)
    assert written.shape == plain.shape
    changed = (written != plain).any(axis=2)
    assert 0.02 < changed.mean() < 0.5
    assert [file.name for file in out.parent.iterdir()] == ["x.png"]


@pytest.mark.parametrize("mask", [np.zeros((50, 50), bool), np.ones((50, 50), bool)])
def test_masks_of_nothing_are_drawn_too(mask: np.ndarray, tmp_path: Path) -> None:
    masks = MaskSet("x", mask, mask, mask, mask, mask, (20.0, 20.0), {"haemorrhage": mask}, mask)
    assert draw_overlay(masks, None, tmp_path / "x.png").is_file()


def test_a_photograph_of_another_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PhotographError, match="40 x 30"):
        draw_overlay(
            MaskSet("x", np.zeros((50, 50), bool)), np.zeros((30, 40, 3), np.uint8), tmp_path / "x"
        )
    with pytest.raises(PhotographError, match="no mask"):
        draw_overlay(MaskSet("x"), None, tmp_path / "x.png")
