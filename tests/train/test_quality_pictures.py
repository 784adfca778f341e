"""Spoiled frames say truly how bad they are; made-up kinds are what they should be."""

import cv2
import numpy as np
import pytest

from fundoscope.phantoms import draw_phantom
from fundoscope.train.kind_pictures import KINDS, ULTRA_WIDE, no_fundus, widened
from fundoscope.train.quality_pictures import (
    REASONS,
    SPOILINGS,
    Exposure,
    circle_of,
    cut,
    darken,
    defocus,
    dust,
    flash,
    grade_of,
    haze,
    lid,
    overexpose,
    severity,
    shadow,
    shake,
    spoil,
    spoiled_by,
    vignette,
)

SIZE = 192
FRAME = draw_phantom(3, SIZE).photograph
INSIDE = circle_of(SIZE).mask((SIZE, SIZE))
REASON_OF = {
    defocus: "blur",
    shake: "blur",
    haze: "contrast",
    dust: "contrast",
    darken: "illumination",
    shadow: "illumination",
    vignette: "illumination",
    flash: "illumination",
    overexpose: "illumination",
    lid: "field",
    cut: "field",
}


def test_full_visibility_is_no_severity_and_none_is_all() -> None:
    ones = np.ones((SIZE, SIZE), np.float32)
    assert severity(ones, INSIDE) == 0
    assert severity(0 * ones, INSIDE) == 1


def test_two_thirds_of_the_contrast_are_just_good_and_three_tenths_just_usable() -> None:
    # by hand: two thirds lose 0.03 + 0.1 x 0.133 / 0.3 = 0.074, and 0.074 ** 0.6 = 0.21
    even = np.ones((SIZE, SIZE), np.float32)
    assert severity(even * (2 / 3), INSIDE) == pytest.approx(0.21, abs=0.005)
    assert grade_of(severity(even * 0.7, INSIDE)) == "good"
    assert grade_of(severity(even * 0.6, INSIDE)) == "usable"
    assert grade_of(severity(even * 0.33, INSIDE)) == "usable"
    assert grade_of(severity(even * 0.27, INSIDE)) == "reject"


def test_a_lost_half_of_the_field_is_reject_and_a_lost_twentieth_is_good() -> None:
    half = np.ones((SIZE, SIZE), np.float32)
    half[: SIZE // 2] = 0
    edge = np.ones((SIZE, SIZE), np.float32)
    edge[: SIZE // 10] = 0  # a chord of a tenth of the width cuts off 5 % of a disc
    assert severity(half, INSIDE) == pytest.approx(0.5**0.6, abs=0.01)
    assert grade_of(severity(half, INSIDE)) == "reject"
    assert grade_of(severity(edge, INSIDE)) == "good"


def test_the_centre_counts_more_than_the_rim() -> None:
    rows, cols = np.ogrid[:SIZE, :SIZE]
    far = np.hypot(rows - SIZE / 2, cols - SIZE / 2) / (SIZE / 2)
    centre, rim = (np.where(lost, 0, 1).astype(np.float32) for lost in (far < 0.5, far > 0.866))
    assert severity(centre, INSIDE) > 1.3 * severity(rim, INSIDE)  # both lose a quarter


def test_an_unspoiled_frame_keeps_its_pixels() -> None:
    developed = Exposure(FRAME, INSIDE).developed(np.random.default_rng(0))
    assert (developed.picture[INSIDE] == FRAME[INSIDE]).all()
    assert developed.overall == 0
    assert developed.grade == "good"


def test_each_spoiling_has_its_reason_here() -> None:
    assert {spoiling for spoiling, _ in SPOILINGS} == set(REASON_OF)


@pytest.mark.parametrize("spoiling", REASON_OF, ids=lambda s: s.__name__)
def test_a_strong_spoiling_is_worst_for_its_own_reason(spoiling) -> None:
    spoiled = spoiled_by(spoiling, FRAME, INSIDE, np.random.default_rng(1), 0.95)
    assert max(REASONS, key=lambda reason: spoiled.severities[reason]) == REASON_OF[spoiling]


@pytest.mark.parametrize("spoiling", [defocus, shake, haze, darken, cut])
def test_a_stronger_spoiling_is_worse(spoiling) -> None:
    def mean_overall(strength: float) -> float:
        some = (
            spoiled_by(spoiling, FRAME, INSIDE, np.random.default_rng(seed), strength)
            for seed in range(5)  # a defocus may reach one side only
        )
        return float(np.mean([spoiled.overall for spoiled in some]))

    assert mean_overall(0.9) > mean_overall(0.15) + 0.2


def test_darkening_scales_light_and_blur_takes_detail() -> None:
    dark = spoiled_by(darken, FRAME, INSIDE, np.random.default_rng(0), 0.9).picture
    soft = spoiled_by(defocus, FRAME, INSIDE, np.random.default_rng(0), 0.9).picture
    assert dark[INSIDE].mean() < 0.3 * FRAME[INSIDE].mean()
    green = FRAME[..., 1].astype(float), soft[..., 1].astype(float)
    steps = [np.abs(np.diff(part[60:130, 60:130], axis=1)).mean() for part in green]
    assert steps[1] < 0.5 * steps[0]


def test_overall_is_never_better_than_the_worst_reason() -> None:
    chance = np.random.default_rng(5)
    for _ in range(12):
        spoiled = spoil(FRAME, INSIDE, chance)
        assert spoiled.overall >= max(spoiled.severities.values()) - 1e-6


def test_the_same_seed_spoils_alike() -> None:
    once, again = (spoil(FRAME, INSIDE, np.random.default_rng(7)) for _ in range(2))
    assert (once.picture == again.picture).all()
    assert once.severities == again.severities


def test_in_an_ultra_wide_frame_the_old_field_is_smaller_by_what_was_asked() -> None:
    wide = widened(FRAME, INSIDE, np.random.default_rng(0), ULTRA_WIDE[1])
    assert wide.shape == FRAME.shape
    assert (wide[~INSIDE] <= 2).mean() > 0.95

    def likeness(zoom: float) -> float:
        small = cv2.resize(FRAME[..., 1], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_AREA)
        edge = len(small) // 4  # the rim fades
        part = small[edge:-edge, edge:-edge]
        return float(cv2.matchTemplate(wide[..., 1], part, cv2.TM_CCOEFF_NORMED).max())

    assert likeness(ULTRA_WIDE[1]) > max(0.5, likeness(1.0) + 0.1)


def test_what_is_no_fundus_comes_round_and_square() -> None:
    frames = [no_fundus(64, np.random.default_rng(seed)) for seed in range(24)]
    assert {frame.shape for frame in frames} == {(64, 64, 3)}
    assert len({frame.tobytes() for frame in frames}) > 20


def test_kinds_are_those_that_the_gate_tells() -> None:
    assert KINDS == ("retina", "ultra_wide", "not_a_fundus_photograph")
