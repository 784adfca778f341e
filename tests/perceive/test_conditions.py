"""What is drawn in an eye stands in the evidence that conditions are told by."""

import cv2
import numpy as np
import pytest

from fundoscope.perceive.conditions import evidence_in, with_findings
from fundoscope.perceive.disc import DiscCup
from fundoscope.perceive.lesions import LESION_KINDS, Lesions
from fundoscope.perceive.views import View

NOTHING = np.zeros((400, 400), bool)
UNSURE = np.zeros((400, 400), np.float32)


def view() -> View:
    pixels = np.zeros((400, 400, 3), np.uint8)
    cv2.circle(pixels, (200, 200), 180, (180, 90, 50), -1)
    return View(pixels)


def lesions(haemorrhages: int = 0) -> Lesions:
    masks = {kind: NOTHING.copy() for kind in LESION_KINDS}
    for k in range(haemorrhages):
        masks["haemorrhage"][150:160, 100 + 30 * k : 110 + 30 * k] = True
    certainty = {kind: 0.9 * masks[kind].any() for kind in LESION_KINDS}
    return Lesions(masks, dict.fromkeys(LESION_KINDS, UNSURE), certainty)


def disc_cup(cup_rows: int) -> DiscCup:
    disc, cup = NOTHING.copy(), NOTHING.copy()
    disc[100:150, 250:300] = True
    cup[110 : 110 + cup_rows, 260:290] = True
    return DiscCup(disc, cup, UNSURE, UNSURE)


def test_three_drawn_haemorrhages_are_three_pieces_of_three_hundred_pixels() -> None:
    eye = view()
    evidence = dict(zip(range(14), evidence_in(eye, lesions(3), None), strict=True))
    assert evidence.pop(1) == pytest.approx(0.9)
    assert evidence.pop(5) == pytest.approx(np.log1p(1e4 * 300 / eye.inside.sum()), rel=1e-4)
    assert evidence.pop(9) == pytest.approx(np.log(4), rel=1e-4)
    assert set(evidence.values()) == {0}


def test_a_cup_of_forty_rows_in_a_disc_of_fifty_is_four_fifths_high() -> None:
    assert disc_cup(40).vertical_ratio == pytest.approx(0.8)
    assert list(evidence_in(view(), lesions(), disc_cup(40))[12:]) == pytest.approx([1.5, 1.0])


def test_a_cup_that_was_not_told_is_no_cup_of_any_size() -> None:
    assert disc_cup(0).vertical_ratio is None
    assert list(evidence_in(view(), lesions(), disc_cup(0))[12:]) == [0, 0]
    assert list(evidence_in(view(), lesions(), None)[12:]) == [0, 0]


def test_findings_and_the_network_are_weighed_by_hand() -> None:
    # logit(0.8) = ln 4; half of it, plus two times 1.5, less 1
    line = {"network": 0.5, "findings": [0] * 12 + [2, 0], "offset": -1.0}
    evidence = evidence_in(view(), lesions(), disc_cup(40))
    expected = 1 / (1 + np.exp(-(0.5 * np.log(4) + 3 - 1)))
    assert with_findings(0.8, evidence, line) == pytest.approx(expected, rel=1e-4)
    assert 0.999 < with_findings(1.0, evidence, line) < 1
