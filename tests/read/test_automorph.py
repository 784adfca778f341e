"""AutoMorph's tables: joined to the right photographs, and believed only where they can be true."""

import csv
from pathlib import Path

import pytest

from fundoscope import terms
from fundoscope.errors import LabelError
from fundoscope.read.automorph import FeatureTable, join_features
from fundoscope.read.automorph_trust import DISAGREES, FAILED_PARTS, PIXELS, REPEATED_ZONE, STALE
from fundoscope.records import Grade, LeftOut, Measured, Photograph, Record, Unmeasured

ROW = {
    "Disc_height": "1800", "Disc_width": "1700", "Cup_height": "900", "Cup_width": "800",
    "CDR_vertical": "0.5", "CDR_horizontal": "0.47", "Fractal_dimension": "1.45",
    "Artery_Squared_curvature_tortuosity": "33.5", "Artery_Tortuosity_density": "0.7",
    "Vein_Tortuosity_density": "0.6",
    "CRAE_Knudtson_zone_b": "150", "CRVE_Knudtson_zone_b": "200", "AVR_Knudtson_zone_b": "0.75",
}  # fmt: skip
NO_ROWS = "Name,softmax_good,softmax_usable,softmax_bad,good_sd,usable_sd,bad_sd,Prediction\n"


def record(split: str, file: str) -> Record:
    return Record(Photograph("d", split, Path(file).stem, file))


def table(
    folder: Path, rows: dict[str, dict[str, str]], name: str = "Macular_Features.csv"
) -> Path:
    """Write a table of ROW with changes, one row a name."""
    columns = list(dict.fromkeys([*ROW, *(c for changes in rows.values() for c in changes)]))
    with (folder / name).open("w", newline="") as text:
        writer = csv.DictWriter(text, ["Name", *columns])
        writer.writeheader()
        for photograph, changes in rows.items():
            writer.writerow({"Name": photograph, **ROW, **changes})
    return folder / name


def joined(folder: Path, **changes: str) -> dict[tuple[str, str, str], Measured | Unmeasured]:
    file = table(folder, {"a.png": changes})
    (found,) = join_features([record("train", "a.jpg")], [FeatureTable(file)])
    assert isinstance(found, Record)
    return {(m.name, m.of, m.where): m for m in found.measurements}


def reason(value: Measured | Unmeasured) -> str:
    assert isinstance(value, Unmeasured), value
    return value.reason


def test_columns_are_the_vocabularys_quantities(tmp_path: Path) -> None:
    values = joined(tmp_path)
    assert values["fractal_dimension", "all", "whole"] == Measured(
        "fractal_dimension", 1.45, "1", tool="AutoMorph", of="all", where="whole"
    )
    crae = values["crae_knudtson", "", "zone_b"]
    assert isinstance(crae, Measured)
    assert (crae.value, crae.unit) == (150, "um")


def test_arterial_tortuosity_is_of_arteries(tmp_path: Path) -> None:
    values = joined(tmp_path)
    for name, number in (("squared_curvature_tortuosity", 33.5), ("tortuosity_density", 0.7)):
        value = values[name, "arteries", "whole"]
        assert isinstance(value, Measured)
        assert value.value == number


@pytest.mark.parametrize("text", ["0", "0.0005", "1"])
def test_small_and_round_values_are_kept(tmp_path: Path, text: str) -> None:
    value = joined(tmp_path, Vessel_density=text)["vessel_density", "all", "whole"]
    assert isinstance(value, Measured)
    assert value.value == float(text)


@pytest.mark.parametrize("text", ["", "nan", "-1", "-1.0", "inf"])
def test_a_failed_value_is_unmeasured(tmp_path: Path, text: str) -> None:
    value = joined(tmp_path, Fractal_dimension=text)["fractal_dimension", "all", "whole"]
    assert "AutoMorph" in reason(value)


def test_a_tortuosity_of_zero_is_no_segment(tmp_path: Path) -> None:
    value = joined(tmp_path, Distance_tortuosity="0")["distance_tortuosity", "all", "whole"]
    assert "no vessel segment was long enough" in reason(value)


@pytest.mark.parametrize(
    ("crae", "crve", "avr"), [("", "", "1.0"), ("-1", "200", "-0.005"), ("", "200", "-0.005")]
)
def test_a_ratio_of_failed_parts_is_unmeasured(
    tmp_path: Path, crae: str, crve: str, avr: str
) -> None:
    values = joined(
        tmp_path, CRAE_Knudtson_zone_b=crae, CRVE_Knudtson_zone_b=crve, AVR_Knudtson_zone_b=avr
    )
    assert reason(values["avr_knudtson", "", "zone_b"]) == FAILED_PARTS


def test_a_ratio_that_is_not_its_parts_takes_them_along(tmp_path: Path) -> None:
    values = joined(tmp_path, AVR_Knudtson_zone_b="1.0")
    for name in ("avr_knudtson", "crae_knudtson", "crve_knudtson"):
        assert reason(values[name, "", "zone_b"]) == DISAGREES


def test_an_impossible_width_blames_the_resolution(tmp_path: Path) -> None:
    value = joined(tmp_path, Average_width="11361.9")["average_width", "all", "whole"]
    assert "the resolution given to AutoMorph" in reason(value)


def test_a_disc_of_impossible_size_spoils_all_micrometres_and_no_ratio(tmp_path: Path) -> None:
    values = joined(tmp_path, Disc_height="163", Disc_width="165", Cup_height="109")
    assert "163 by 165 µm" in reason(values["cup_height", "", ""])
    assert isinstance(values["cdr_vertical", "", ""], Measured)
    assert isinstance(values["avr_knudtson", "", "zone_b"], Measured)


def test_a_disc_wrong_one_way_is_an_outline_not_a_scale(tmp_path: Path) -> None:
    values = joined(tmp_path, Disc_height="4162")
    assert isinstance(values["disc_height", "", ""], Unmeasured)
    assert isinstance(values["disc_width", "", ""], Measured)
    assert isinstance(values["crae_knudtson", "", "zone_b"], Measured)


def test_a_zone_c_that_is_zone_b_again_is_unmeasured(tmp_path: Path) -> None:
    values = joined(
        tmp_path,
        CRAE_Knudtson_zone_c="150",
        CRVE_Knudtson_zone_c="200",
        AVR_Knudtson_zone_c="0.75",
    )
    assert reason(values["crae_knudtson", "", "zone_c"]) == REPEATED_ZONE
    assert isinstance(values["crae_knudtson", "", "zone_b"], Measured)


def test_a_zone_c_that_differs_anywhere_is_its_own(tmp_path: Path) -> None:
    values = joined(
        tmp_path, CRAE_Knudtson_zone_c="160", CRVE_Knudtson_zone_c="200", AVR_Knudtson_zone_c="0.8"
    )
    assert isinstance(values["crve_knudtson", "", "zone_c"], Measured)


def test_a_calibre_shared_to_the_last_digit_is_stale(tmp_path: Path) -> None:
    same = {"CRAE_Knudtson_zone_b": "227.64", "CRVE_Knudtson_zone_b": "", "AVR_Knudtson_zone_b": ""}
    file = table(tmp_path, {"a.png": same, "b.png": {**same, "Fractal_dimension": "1.4"}})
    for found in join_features([record("x", "a.png"), record("x", "b.png")], [FeatureTable(file)]):
        values = {(m.name, m.of, m.where): m for m in found.measurements}
        assert reason(values["crae_knudtson", "", "zone_b"]) == STALE
        assert isinstance(values["disc_height", "", ""], Measured)  # whole pixels do repeat


def test_one_photograph_under_two_names_is_not_stale(tmp_path: Path) -> None:
    file = table(tmp_path, {"a.png": {}, "b.png": {}})
    for found in join_features([record("x", "a.png"), record("x", "b.png")], [FeatureTable(file)]):
        assert all(isinstance(m, Measured) for m in found.measurements)


def test_a_name_in_two_splits_needs_to_be_told_which(tmp_path: Path) -> None:
    file = table(tmp_path, {"1.png": {}})
    records = [record("train", "train/1.png"), record("val", "val/1.png")]
    with pytest.raises(LabelError, match=r"split=FILE, such as val=Macular_Features\.csv"):
        list(join_features(records, [FeatureTable(file)]))


def test_features_of_a_split_never_reach_another(tmp_path: Path) -> None:
    file = table(tmp_path, {"1.png": {}})
    records = [record("train", "train/1.png"), record("val", "val/1.png")]
    train, val = join_features(records, [FeatureTable(file, split="val")])
    assert train.measurements == ()
    assert len(val.measurements) == len(ROW)
    assert val.origin == ("Macular_Features.csv:2",)


def test_each_split_may_have_its_own_table(tmp_path: Path) -> None:
    one = table(tmp_path, {"1.png": {"CDR_vertical": "0.3"}}, "train.csv")
    two = table(tmp_path, {"1.png": {"CDR_vertical": "0.6"}}, "val.csv")
    tables = [FeatureTable(one, "train"), FeatureTable(two, "val")]
    found = join_features([record("train", "a/1.png"), record("val", "b/1.png")], tables)
    cdr = [m.value for r in found for m in r.measurements if m.name == "cdr_vertical"]
    assert cdr == [0.3, 0.6]


def test_names_are_cut_at_the_first_dot_as_automorph_does(tmp_path: Path) -> None:
    file = table(tmp_path, {"d.png": {}})
    (found,) = join_features([record("x", "d.e.tif")], [FeatureTable(file)])
    assert len(found.measurements) == len(ROW)


def test_photographs_that_automorph_confuses_are_refused(tmp_path: Path) -> None:
    file = table(tmp_path, {"d.png": {}})
    with pytest.raises(LabelError, match="rename one of the photographs"):
        list(join_features([record("x", "d.e.tif"), record("x", "d.f.tif")], [FeatureTable(file)]))


def test_rows_without_record_and_what_was_left_out_are_passed_on(tmp_path: Path) -> None:
    file = table(tmp_path, {"a.png": {}, "b.png": {}})
    before = LeftOut("duplicate", "c", "seen")
    same, found, row = join_features([before, record("x", "a.png")], [FeatureTable(file)])
    assert same is before
    assert isinstance(found, Record)
    assert (row.what, row.name, row.origin) == (
        "row without record",
        "b",
        "Macular_Features.csv:3",
    )


def test_quality_and_features_are_both_joined(tmp_path: Path) -> None:
    quality = tmp_path / "results_ensemble.csv"
    quality.write_text(NO_ROWS + "../Results/M0/images/a.png,0.3,0.4,0.3,0,0,0,1\n")
    tables = [FeatureTable(table(tmp_path, {"a.png": {}})), FeatureTable(quality)]
    (found,) = join_features([record("x", "a.png")], tables)
    assert found.grades == (Grade("automorph_quality", 1, "AutoMorph M1, Prediction"),)
    assert len(found.measurements) == len(ROW)


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "crop_info.csv").write_text("Name,centre_w,centre_h\n")
    with pytest.raises(LabelError, match=r"pass Macular_Features\.csv"):
        list(join_features([], [FeatureTable(tmp_path / "crop_info.csv")]))


def test_an_unknown_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="unknown column 'Happiness'"):
        joined(tmp_path, Happiness="1")


def test_calibres_without_a_zone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="needs Zone_B or Zone_C"):
        joined(tmp_path, CRAE_Hubbard="150")


def test_tables_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    one = table(tmp_path, {"a.png": {}})
    two = table(tmp_path, {"a.png": {"CDR_vertical": "0.6"}}, "Disc_Features.csv")
    with pytest.raises(LabelError, match="column 'CDR_vertical'"):
        list(join_features([record("x", "a.png")], [FeatureTable(one), FeatureTable(two)]))


def test_a_second_row_of_one_photograph_is_refused(tmp_path: Path) -> None:
    file = table(tmp_path, {"a.png": {}, "a.b.png": {}})
    with pytest.raises(LabelError, match="a second row of 'a'"):
        list(join_features([], [FeatureTable(file)]))


def test_an_older_table_in_pixels_gives_no_width(tmp_path: Path) -> None:
    file = tmp_path / "Artery_Features_Measurement.csv"
    file.write_text(
        "Image_id,FD_boxC_artery,Vessel_Density_artery,Average_width\na.png,1.2,0.03,5\n"
    )
    (found,) = join_features([record("x", "a.png")], [FeatureTable(file)])
    dimension, density, width = found.measurements
    assert (dimension.of, density.value) == ("arteries", 0.03)
    assert reason(width) == PIXELS


def test_runs_of_rbad_are_averaged_and_their_range_kept(tmp_path: Path) -> None:
    file = tmp_path / "rbad.csv"
    file.write_text("file,avg_angle,seed\na.gif,70,0\na.gif,73,1\na.gif,73,2\n")
    (found,) = join_features([record("x", "a.png")], [FeatureTable(file)])
    assert found.measurements == (
        Measured("branching_angle", 72, "deg", "RBAD", of="all", where="whole", repeatability=3),
    )


def of_table(file: Path, column: str = "Name") -> list[Record]:
    with file.open(newline="") as text:
        names = [row[column].split("/")[-1] for row in csv.DictReader(text)]
    return [record("x", name) for name in dict.fromkeys(names)]


def test_the_real_drive_table_has_66_vessel_columns_and_5_photographs_without_disc(
    real_data: Path,
) -> None:
    folder = real_data.parent / "reference" / "automorph_DRIVE"
    file = folder / "Macular_Features.csv"
    zones = [folder / "M3_raw" / f"Macular_Zone_{z}_Measurement.csv" for z in "BC"]
    tables = [
        FeatureTable(f) for f in (file, *zones, folder / "M3_raw" / "Macular_Measurement.csv")
    ]
    found = list(join_features(of_table(file), tables))
    assert [len(r.measurements) for r in found] == [72] * 40
    no_disc = [r for r in found if all(
        isinstance(m, Unmeasured) for m in r.measurements if m.where == "zone_b")]  # fmt: skip
    assert [r.photograph.id for r in no_disc] == [
        "03_test", "22_training", "23_training", "29_training", "34_training",
    ]  # fmt: skip
    unmeasured = [m for r in found for m in r.measurements if isinstance(m, Unmeasured)]
    assert len(unmeasured) == 5 * 54 + 1  # and one disc outlined 4.2 mm high


def test_real_table_of_a_disc_centred_group_without_photographs_is_empty(real_data: Path) -> None:
    file = real_data.parent / "reference" / "automorph_DRIVE" / "Disc_Features.csv"
    assert list(join_features([], [FeatureTable(file)])) == []


def test_the_real_sample_of_50_holds_values_left_over_from_other_photographs(
    real_data: Path,
) -> None:
    file = real_data / "AutoMorph" / "aptos_features_sample50.csv"
    found = {r.photograph.id: r for r in join_features(of_table(file), [FeatureTable(file)])}
    stale = {r.photograph.id for r in found.values() for m in r.measurements
             if (m.name, m.where) == ("crve_knudtson", "zone_b") and isinstance(m, Unmeasured)
             and m.reason == STALE}  # fmt: skip
    assert stale == {"001639a390f0", "002c21358ce6"}
    (avr,) = [m for m in found["01c31b10ab99"].measurements
              if (m.name, m.where) == ("avr_knudtson", "zone_b")]  # fmt: skip
    assert reason(avr) == DISAGREES


def test_the_real_older_release_repeats_zone_b_as_zone_c(real_data: Path) -> None:
    folder = real_data / "AutoMorph" / "Results"
    files = [folder / "M1" / "results_ensemble.csv", *sorted((folder / "M3").rglob("*.csv"))]
    (found,) = join_features([record("x", "1.jpg")], [FeatureTable(f) for f in files])
    zone_c = [m for m in found.measurements if m.where == "zone_c"]
    assert len(zone_c) == 24
    assert {reason(m) for m in zone_c} == {REPEATED_ZONE}
    in_um = [m for m in found.measurements if terms.quantity(m.name).unit == "um"]
    assert all(isinstance(m, Unmeasured) for m in in_um)  # its "resolution" was 1000
    assert found.grades[0].level == 1


def test_the_real_quality_table_is_read(real_data: Path) -> None:
    file = real_data / "AutoMorph" / "M1_results_ensemble.csv"
    found = join_features(of_table(file), [FeatureTable(file)])
    assert [r.grades[0].level for r in found] == [2, 1, 0]


def test_the_real_rbad_runs_differ_little(real_data: Path) -> None:
    file = real_data.parent / "reference" / "rbad_DRIVE_training_3seeds.csv"
    found = list(join_features(of_table(file, "file"), [FeatureTable(file)]))
    angles = [m for r in found for m in r.measurements if isinstance(m, Measured)]
    assert len(angles) == 20
    assert sum(m.value for m in angles) / 20 == pytest.approx(73.4, abs=0.1)
    assert max(m.repeatability or 0 for m in angles) == pytest.approx(1.4, abs=0.05)
