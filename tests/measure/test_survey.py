"""Everything at once: what is given is measured, what is not has its reason."""

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

import fundoscope
from fundoscope import terms
from fundoscope.describe.statements import measurement_statement
from fundoscope.describe.wording import sentences
from fundoscope.errors import ConfigError
from fundoscope.measure.mask_folders import MaskSet
from fundoscope.measure.scale import scale_from_user
from fundoscope.measure.survey import survey
from fundoscope.phantoms import Phantom, draw_phantom
from fundoscope.records import LANGUAGES, Language, Measured, Unmeasured
from fundoscope.verify.claims import claims

ALL_LESIONS = tuple(terms.lesions())
EMPTY_700 = np.zeros((700, 700), bool)
LESIONS = {"microaneurysm": 6, "haemorrhage": 2, "hard_exudate": 5}
Key = tuple[str, str, str]


def masks_of(phantom: Phantom) -> MaskSet:
    return MaskSet(
        "phantom", phantom.vessels, phantom.arteries, phantom.veins, phantom.disc, phantom.cup,
        phantom.fovea, phantom.lesions, phantom.field_of_view,
    )  # fmt: skip


PHANTOM = draw_phantom(3, 700, LESIONS)
MASKS = masks_of(PHANTOM)
SCALED = replace(MASKS, scale=scale_from_user(0.018))


def values(masks: MaskSet) -> dict[Key, Measured]:
    return {(v.name, v.of, v.where): v for v in survey(masks) if isinstance(v, Measured)}


def reasons(masks: MaskSet) -> dict[Key, str]:
    found = survey(masks)
    return {(v.name, v.of, v.where): v.reason for v in found if isinstance(v, Unmeasured)}


HERE = values(MASKS)


def test_every_value_has_its_tool_version_and_a_unit_that_can_be_said() -> None:
    for value in values(SCALED).values():
        assert (value.tool, value.version) == ("fundoscope", fundoscope.__version__)
        assert value.unit in terms.UNIT_WORDS
        assert math.isfinite(value.value)
        assert value.name in terms.quantities()


def test_each_quantity_is_given_once() -> None:
    found = survey(MASKS)
    keys = [(v.name, v.of, v.where) for v in found]
    assert len(keys) == len(set(keys))
    vessel = [k for k in keys if k[0] == "average_width"]
    assert len(vessel) == 9  # all, arteries, veins in the whole field and both zones


def test_what_a_phantom_is_known_to_have() -> None:
    def value(name: str, of: str = "", where: str = "") -> float:
        return HERE[name, of, where].value

    visible = PHANTOM.field_of_view.sum()
    assert value("vessel_density", "all", "whole") == PHANTOM.vessels.sum() / visible
    assert value("cdr_vertical") == pytest.approx(PHANTOM.cup_disc_ratio_vertical, abs=0.015)
    assert value("fovea_disc_distance") == pytest.approx(2.5, abs=0.2)
    for kind, count in LESIONS.items():
        assert value(f"{kind}_count") == count
    assert value("haemorrhage_area") == 100 * PHANTOM.lesions["haemorrhage"].sum() / visible
    assert value("soft_exudate_count") == value("soft_exudate_area") == 0


def test_without_a_scale_nothing_is_in_micrometres() -> None:
    assert {v.unit for v in HERE.values()} <= {"1", "px", "px2", "DD", "1/DD", "1/DD2", "%", "deg"}
    assert HERE["average_width", "all", "whole"].unit == "px"
    assert "no scale" in HERE["average_width", "all", "whole"].scale
    assert reasons(MASKS)["crae_hubbard", "", "zone_b"].startswith("Hubbard's rule is in micro")


def test_without_scale_and_disc_lengths_are_in_pixels() -> None:
    found = values(replace(MASKS, disc=None, cup=None))
    assert found["vessel_length", "all", "whole"].unit == "px"
    assert found["squared_curvature_tortuosity", "all", "whole"].unit == "1/px2"
    diameter = 2 * math.sqrt(PHANTOM.disc.sum() / math.pi)
    for name, power in (("vessel_length", 1), ("tortuosity_density", -1)):
        in_diameters = HERE[name, "all", "whole"].value
        assert found[name, "all", "whole"].value == pytest.approx(in_diameters * diameter**power)
    assert ("average_width", "all", "zone_b") not in found


def test_a_scale_turns_pixels_into_micrometres_and_millimetres() -> None:
    found = values(SCALED)
    for key, unit, factor in (
        (("average_width", "veins", "zone_b"), "um", 18),
        (("disc_height", "", ""), "um", 18),
        (("disc_area", "", ""), "mm2", 0.018**2),
        (("crae_knudtson", "", "zone_c"), "um", 18),
    ):
        assert found[key].unit == unit
        assert found[key].value == pytest.approx(HERE[key].value * factor)
        assert found[key].scale == "0.018 mm/px from the user"
    length = found["vessel_length", "all", "whole"]
    assert (length.unit, HERE["vessel_length", "all", "whole"].unit) == ("mm", "DD")


def test_a_scale_that_cannot_be_true_is_doubted() -> None:
    found = reasons(replace(MASKS, scale=scale_from_user(1)))
    said = found["average_width", "all", "whole"]
    assert "outside the plausible" in said
    assert "check the scale, 1 mm/px" in said


def test_hubbard_and_knudtson_agree_within_a_fifth() -> None:
    found = values(SCALED)
    for name in ("crae", "crve", "avr"):
        hubbard = found[f"{name}_hubbard", "", "zone_b"].value
        assert hubbard == pytest.approx(found[f"{name}_knudtson", "", "zone_b"].value, rel=0.3)
    ratio = found["avr_knudtson", "", "zone_b"].value
    arteries = found["crae_knudtson", "", "zone_b"].value
    assert ratio == pytest.approx(arteries / found["crve_knudtson", "", "zone_b"].value)


EMPTY, FULL = np.zeros((120, 150), bool), np.ones((120, 150), bool)
ONE = EMPTY.copy()
ONE[60, 70] = True


@pytest.mark.parametrize("repeats", [0, 2])
@pytest.mark.parametrize("mask", [EMPTY, ONE, FULL], ids=["empty", "one pixel", "full"])
def test_masks_of_nothing_are_unmeasured_not_zero(mask: np.ndarray, repeats: int) -> None:
    masks = MaskSet("x", mask, mask, mask, mask, mask, (50.0, 60.0), {}, FULL)
    found = [v for v in survey(masks, repeats) if isinstance(v, Measured)]
    only = {"vessel_density"} if mask is ONE else set()
    assert {v.name for v in found} == only


def test_reasons_help() -> None:
    found = reasons(MaskSet("x", vessels=EMPTY, arteries=FULL))
    assert found["fractal_dimension", "all", "whole"] == "no vessels were found in the photograph"
    assert found["fractal_dimension", "arteries", "whole"] == (
        "the mask of the arteries covers 100 % of the visible field"
    )
    assert found["fractal_dimension", "veins", "whole"] == "no mask of the veins was given"
    assert found["average_width", "arteries", "zone_b"].startswith("the mask of the arteries")
    assert found["cdr_vertical", "", ""] == "no mask of the optic disc was given"
    assert found["avr_knudtson", "", "zone_b"] == "CRAE and CRVE could not be measured"


def test_a_photograph_without_any_mask_has_a_reason_for_everything() -> None:
    found = survey(MaskSet("x"))
    assert len(found) > 100
    assert all(isinstance(v, Unmeasured) for v in found)


def test_a_zone_mostly_outside_the_field_of_view_is_not_measured() -> None:
    rows = np.arange(700)[:, None]
    assert MASKS.field_of_view is not None
    field = MASKS.field_of_view & (rows < PHANTOM.fovea[0] - 150)
    found = reasons(replace(MASKS, field_of_view=field))
    assert "of zone B lies inside the field of view" in found["average_width", "all", "zone_b"]


def test_too_few_vessels_make_no_equivalent() -> None:
    rows, cols = np.mgrid[:700, :700]
    beside_the_disc = cols > np.argwhere(PHANTOM.disc)[:, 1].mean()
    assert MASKS.arteries is not None
    arteries = MASKS.arteries & (rows < PHANTOM.fovea[0] - 20) & beside_the_disc
    found = reasons(replace(MASKS, arteries=arteries))
    assert "arteries cross zone B, 6 are needed" in found["crae_knudtson", "", "zone_b"]
    assert found["avr_knudtson", "", "zone_b"] == "CRAE could not be measured"


def test_nose_and_temple_need_the_eye() -> None:
    found = reasons(replace(MASKS, fovea=None))
    assert "which eye" in found["rim_width_nasal", "", ""]
    assert ("rim_width_superior", "", "") not in found


DIMENSIONLESS = (
    "fractal_dimension", "vessel_density", "distance_tortuosity", "branching_angle",
    "branching_asymmetry", "cdr_area", "avr_knudtson", "fovea_disc_distance",
)  # fmt: skip
"""Ratios and angles. `cdr_vertical` is one too, but what is vertical turns with the photograph."""


def moved(masks: MaskSet, matrix: np.ndarray, size: int) -> MaskSet:
    """The masks after an affine map of (x, y)."""

    def move(mask: np.ndarray) -> np.ndarray:
        return cv2.warpAffine(mask.astype(np.float32), matrix, (size, size)) >= 0.5

    assert masks.fovea is not None
    col, row = matrix @ (masks.fovea[1], masks.fovea[0], 1)
    names = ("vessels", "arteries", "veins", "disc", "cup", "field_of_view")
    lesions = {kind: move(mask) for kind, mask in masks.lesions.items()}
    parts: dict[str, Any] = {name: move(getattr(masks, name)) for name in names}
    return replace(masks, **parts, lesions=lesions, fovea=(row, col))


MIDDLE = (699 / 2, 699 / 2)
MOVES = {
    "mirrored": (np.array([[-1.0, 0, 699], [0, 1, 0]]), 700),
    "turned by 17 degrees": (cv2.getRotationMatrix2D(MIDDLE, 17, 1), 700),
    "turned by 90 degrees": (cv2.getRotationMatrix2D(MIDDLE, 90, 1), 700),
    "doubled": (np.array([[2.0, 0, 0.5], [0, 2, 0.5]]), 1400),
    # at 1.5 a third of all pixels would lie half in, half out
    "half as large again": (np.array([[1.47, 0, 0.31], [0, 1.47, 0.17]]), 1030),
}


@pytest.mark.parametrize("way", MOVES)
@pytest.mark.parametrize("seed", [0, 1, 3])
def test_ratios_and_angles_stay_within_two_per_cent(seed: int, way: str) -> None:
    masks = MASKS if seed == 3 else masks_of(draw_phantom(seed, 700))
    here, there = values(masks), values(moved(masks, *MOVES[way]))
    # arterioles and venules: where the two together cross is no matter of size, but of pixels
    checked = [k for k in here if k[0] in DIMENSIONLESS and (k[1] != "all" or k[2] == "")]
    checked = [k for k in checked if k[2] in ("", "whole") or k[0].startswith("avr")]
    assert {k[0] for k in checked} == set(DIMENSIONLESS)
    off = {k: there[k].value / here[k].value - 1 for k in checked}
    assert {k: change for k, change in off.items() if abs(change) > 0.02} == {}


def test_mirroring_changes_nothing_but_the_eye() -> None:
    found = values(moved(MASKS, *MOVES["mirrored"]))
    for key, value in HERE.items():
        if key[0].startswith(("rim_width", "microaneurysm", "haemorrhage", "cdr")):
            assert found[key].value == pytest.approx(value.value, rel=1e-6), key


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("masks", [MASKS, SCALED, replace(MASKS, disc=None, arteries=None)])
def test_every_value_can_be_said_and_read_back(masks: MaskSet, language: Language) -> None:
    for quantity in survey(masks):
        said = measurement_statement(quantity)
        (sentence,) = sentences([said], language)
        read = {claim.statement for claim in claims(sentence, language)}
        if isinstance(quantity, Unmeasured):
            said = replace(said, where=next(iter(read)).where)  # a gap is said without its zone
        assert read == {said}, sentence


def test_one_repeat_tells_nothing() -> None:
    with pytest.raises(ConfigError, match="at least 2"):
        survey(MASKS, repeats=1)


def test_any_lesion_of_the_vocabulary_has_count_area_and_distance() -> None:
    # two patches of 3 x 4 pixels, the nearer with its edge 30 px from the fovea
    mask = np.zeros((700, 700), bool)
    row, col = round(PHANTOM.fovea[0]), round(PHANTOM.fovea[1])
    mask[row - 1 : row + 2, col + 30 : col + 34] = mask[5:8, 300:304] = True
    masks = replace(MASKS, fovea=(float(row), float(col)), lesions=dict.fromkeys(ALL_LESIONS, mask))
    found = values(masks)
    visible = PHANTOM.field_of_view.sum()
    diameter = 2 * math.sqrt(PHANTOM.disc.sum() / math.pi)
    for kind in ALL_LESIONS:
        assert found[f"{kind}_count", "", ""].value == 2
        assert found[f"{kind}_area", "", ""].value == pytest.approx(100 * 24 / visible)
        assert found[f"{kind}_fovea_distance", "", ""].value == pytest.approx(30 / diameter)


def test_a_lesion_that_no_one_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="'lacquer_crak'") as caught:
        survey(replace(MASKS, lesions={"lacquer_crak": EMPTY_700}))
    assert "lacquer_crack" in str(caught.value)
