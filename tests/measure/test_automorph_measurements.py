from dataclasses import replace

import numpy as np

from fundoscope.measure.automorph_measurements import automorph_measurements
from fundoscope.measure.mask_folders import Mask, MaskSet
from fundoscope.measure.scale import Scale
from fundoscope.records import Measured, Unmeasured

SIDE = 912


def _photograph() -> MaskSet:
    disc, cup, comb = (np.zeros((SIDE, SIDE), dtype=np.bool_) for _ in range(3))
    disc[400:500, 400:500] = cup[430:470, 430:470] = True
    for left in range(20, SIDE - 20, 40):
        comb[5 : SIDE - 5, left : left + 7] = True
    return MaskSet("a", comb, comb, comb, disc, cup, scale=Scale(0.014, "from the user"))


def _by_name(masks: MaskSet) -> dict[tuple[str, str, str], Measured | Unmeasured]:
    return {(m.name, m.of, m.where): m for m in automorph_measurements(masks)}


def _reason(masks: MaskSet, *key: str) -> str:
    found = _by_name(masks)[key[0], key[1], key[2]]
    assert isinstance(found, Unmeasured)
    return found.reason


def _mask(rows: slice, cols: slice) -> Mask:
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    mask[rows, cols] = True
    return mask


def test_all_72_values_carry_unit_scale_and_version() -> None:
    found = _by_name(_photograph())
    assert len(found) == 72
    width = found["average_width", "arteries", "zone_b"]
    assert isinstance(width, Measured)
    assert (width.unit, width.scale) == ("um", "0.014 mm/px from the user")
    assert "AutoMorph" in width.tool
    assert width.version
    assert all(isinstance(m, Measured) for m in found.values())


def test_what_they_fill_in_is_unmeasured_with_its_reason() -> None:
    whole = _photograph()
    avr = ("avr_hubbard", "", "zone_b")
    empty = _mask(slice(0), slice(0))
    assert "CRAE or CRVE" in _reason(replace(whole, arteries=empty), *avr)  # theirs: negative
    assert "optic disc" in _reason(replace(whole, cup=None), *avr)
    assert "optic disc" in _reason(replace(whole, cup=None), "cdr_vertical", "", "")
    assert "scale" in _reason(replace(whole, scale=None), "vessel_density", "all", "whole")
    assert "no mask of veins" in _reason(
        replace(whole, veins=None), "vessel_density", "veins", "zone_c"
    )
    assert "no mask of veins" in _reason(replace(whole, veins=None), "crve_hubbard", "", "zone_c")
    assert "too little" in _reason(replace(whole, veins=empty), "vessel_density", "veins", "whole")
    short = replace(whole, arteries=_mask(slice(300, 301), slice(330, 340)))
    assert "long enough" in _reason(short, "tortuosity_density", "arteries", "whole")  # theirs: 0
    bare = replace(whole, automorph_skeletons={"arteries": empty})
    assert "none of its skeleton" in _reason(bare, "average_width", "arteries", "whole")
    assert "fewer than six" in _reason(short, "crae_knudtson", "", "zone_c")
