"""Its own tables from its own masks; then what it does where something is missing."""

import csv
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage.morphology import skeletonize

from fundoscope.measure.automorph_definitions import automorph_columns, automorph_features
from fundoscope.measure.automorph_disc import automorph_group
from fundoscope.measure.mask_folders import Mask, MaskSet, read_mask_folder
from fundoscope.measure.scale import Scale

SIDE = 912


@pytest.fixture(scope="session")
def automorph_drive(real_data: Path) -> Path:
    """Folder of AutoMorph's masks and tables of DRIVE."""
    folder = real_data.parent / "reference" / "automorph_DRIVE"
    if not folder.is_dir():
        pytest.skip(f"no tables of AutoMorph at {folder}")
    return folder


def _disagreements(masks: MaskSet, theirs: dict[str, str]) -> Iterator[str]:
    for column, value in automorph_features(masks).items():
        cell = theirs[column]
        same = cell == "" if value is None else cell != "" and math.isclose(
            value, float(cell), rel_tol=1e-12
        )  # fmt: skip
        if not same:
            yield f"{masks.name} {column}: {value!r}, theirs {cell!r}"


def test_every_value_of_automorphs_tables_comes_back(automorph_drive: Path) -> None:
    with (automorph_drive / "Macular_Features.csv").open(encoding="utf-8") as table:
        theirs = {row["Name"]: row for row in csv.DictReader(table)}
    wrong, seen = [], 0
    for index, masks in enumerate(read_mask_folder(automorph_drive / "masks")):
        if index % 2:  # with its skeletons, and with ours
            masks = replace(masks, automorph_skeletons={})
        wrong += _disagreements(masks, theirs[f"{masks.name}.png"])
        wrong += [masks.name] if automorph_group(masks) != "macular" else []
        seen += 1
    assert wrong == []
    assert seen == len(theirs) == 40


def test_our_skeletons_are_automorphs(automorph_drive: Path) -> None:
    masks = next(read_mask_folder(automorph_drive / "masks"))
    for of, mask in {
        "all": masks.vessels,
        "arteries": masks.arteries,
        "veins": masks.veins,
    }.items():
        assert (skeletonize(mask) == masks.automorph_skeletons[of]).all()


def test_its_public_sample_comes_back_zone_by_zone(real_data: Path) -> None:
    folder = real_data / "AutoMorph" / "Results"
    masks = next(read_mask_folder(folder))
    ours = automorph_features(masks)
    assert automorph_group(masks) == "disc"
    table = folder / "M3" / "Disc_centred" / "Disc_Zone_B_Measurement.csv"
    with table.open(encoding="utf-8") as lines:
        (theirs,) = csv.DictReader(lines)
    compared = 0
    for column, cell in theirs.items():
        value = ours.get(f"{column}_zone_b")  # this older release gives disc sizes in pixels
        if value is not None:
            assert value == pytest.approx(float(cell), rel=1e-12)
            compared += 1
    assert compared == 24


def test_its_columns_are_those_of_its_table(automorph_drive: Path) -> None:
    for name in ("Macular_Features.csv", "Disc_Features.csv"):
        with (automorph_drive / name).open(encoding="utf-8") as table:
            assert next(csv.reader(table)) == ["Name", *automorph_columns()]


def _comb(tooth: int) -> Mask:
    """Vertical vessels of one width all over the photograph."""
    mask = np.zeros((SIDE, SIDE), dtype=np.bool_)
    for left in range(20, SIDE - 20, 40):
        mask[5 : SIDE - 5, left : left + tooth] = True
    return mask


def _photograph() -> MaskSet:
    disc, cup = (np.zeros((SIDE, SIDE), dtype=np.bool_) for _ in range(2))
    disc[400:500, 400:500] = cup[430:470, 430:470] = True
    return MaskSet(
        "a",
        vessels=_comb(9),
        arteries=_comb(5),
        veins=np.roll(_comb(7), 20, axis=1),
        disc=disc,
        cup=cup,
        scale=Scale(0.014, "from the user"),
    )


def test_whole_masks_give_every_value() -> None:
    assert None not in automorph_features(_photograph()).values()


def test_without_an_artery_its_ratio_is_of_minus_one() -> None:
    empty = np.zeros((SIDE, SIDE), dtype=np.bool_)
    values = automorph_features(replace(_photograph(), arteries=empty))
    blank = {name for name, value in values.items() if value is None}
    assert blank == {name for name in automorph_columns() if name.startswith(("Artery_", "CRAE_"))}
    crve = values["CRVE_Hubbard_zone_b"]
    assert crve is not None
    assert values["AVR_Hubbard_zone_b"] == -1 / crve


def test_without_any_vessel_every_ratio_is_one() -> None:
    empty = np.zeros((SIDE, SIDE), dtype=np.bool_)
    values = automorph_features(replace(_photograph(), vessels=empty, arteries=empty, veins=empty))
    said = {name: value for name, value in values.items() if value is not None}
    assert {name for name in said if not name.startswith(("Disc", "Cup", "CDR"))} == {
        f"AVR_{formula}_zone_{zone}" for formula in ("Hubbard", "Knudtson") for zone in "bc"
    }
    assert said["AVR_Hubbard_zone_b"] == said["AVR_Knudtson_zone_c"] == 1


def test_a_missing_mask_is_as_an_empty_one() -> None:
    empty = np.zeros((SIDE, SIDE), dtype=np.bool_)
    photograph = _photograph()
    missing = automorph_features(replace(photograph, veins=None))
    assert missing == automorph_features(replace(photograph, veins=empty))


def test_a_full_mask_fails_as_an_empty_one() -> None:
    full = np.ones((SIDE, SIDE), dtype=np.bool_)
    values = automorph_features(replace(_photograph(), vessels=full))
    assert values["Fractal_dimension"] is None
    assert values["Vessel_density"] is None
    assert values["Vessel_density_zone_b"] is not None  # a ring is not full


def test_few_arteries_leave_calibres_blank_and_the_rest_measured() -> None:
    few = np.zeros((SIDE, SIDE), dtype=np.bool_)
    few[300:600, 330:335] = True
    values = automorph_features(replace(_photograph(), arteries=few))
    assert values["CRAE_Knudtson_zone_c"] is None
    assert values["Artery_Vessel_density_zone_c"] is not None


@pytest.mark.parametrize("lost", ["disc", "cup"])
def test_without_a_disc_or_cup_disc_and_zones_are_blank(lost: str) -> None:
    values = automorph_features(replace(_photograph(), **{lost: None}))
    blank = [name for name, value in values.items() if value is None]
    assert len(blank) == 54
    assert all(name.startswith(("Disc", "Cup", "CDR")) or "_zone_" in name for name in blank)


def test_without_a_scale_nothing_is_measured() -> None:
    values = automorph_features(replace(_photograph(), scale=None))
    assert set(values.values()) == {None}


def test_a_zone_is_divided_by_its_skeleton_without_junctions() -> None:
    cross = np.zeros((SIDE, SIDE), dtype=np.bool_)
    cross[449, 549:590] = cross[430:469, 569] = True  # 41 + 39 - 1 pixels, all in zone B
    values = automorph_features(
        replace(_photograph(), arteries=cross, automorph_skeletons={"arteries": cross})
    )
    assert values["Artery_Vessel_density_zone_b"] == 79 / SIDE**2
    assert values["Artery_Average_width"] == pytest.approx(14)
    assert values["Artery_Average_width_zone_b"] == pytest.approx(79 / 70 * 14)  # 9 are cut


def test_one_pixel_of_artery_is_measured_where_it_can_be() -> None:
    pixel = np.zeros((SIDE, SIDE), dtype=np.bool_)
    pixel[100, 100] = True
    values = automorph_features(replace(_photograph(), arteries=pixel))
    assert values["Artery_Fractal_dimension"] == 0
    assert values["Artery_Vessel_density"] == 1 / SIDE**2
    assert values["Artery_Average_width"] == pytest.approx(14)
    assert values["Artery_Distance_tortuosity"] == 0  # no segment: 0, not blank
    assert values["Artery_Fractal_dimension_zone_c"] is None
