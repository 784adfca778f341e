"""What a record says, and what it never says."""

import pytest

from fundoscope.describe.description import description
from fundoscope.describe.statements import place, statements
from fundoscope.describe.wording import sentences
from fundoscope.records import (
    Finding,
    Grade,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Statement,
    Unmeasured,
)
from fundoscope.verify.check import Facts, check_text

EYE = Photograph("set", "train", "1", eye="right")


def test_a_small_value_is_said_like_any_other() -> None:
    """RetinalGPT's pipeline drops values below 0.001 and those that are 0 or 1."""
    for value in (0.0009, 0.0, 1.0):
        record = Record(
            EYE,
            measurements=(Measured("vessel_density", value, "1", "x", of="all", where="zone_b"),),
        )
        assert statements(record)[-1].value == value


def test_a_value_too_small_for_its_decimals_keeps_two_digits() -> None:
    curved = Measured("squared_curvature_tortuosity", 0.00022192, "1/px2", "x", of="all")
    record = Record(EYE, measurements=(curved,))
    (sentence,) = sentences(statements(record)[-1:], "en")
    assert "0.00022 px⁻²" in sentence
    assert [one.judgement for one in check_text(sentence, Facts.of(record), "en")] == ["supported"]


def test_what_was_not_measured_is_said_to_be_so() -> None:
    record = Record(EYE, measurements=(Unmeasured("cdr_vertical", "no optic disc was found"),))
    assert statements(record)[-1] == Statement("measurement", "cdr_vertical", "unmeasured")


def test_no_lesion_of_a_kind_that_was_outlined_is_an_absence() -> None:
    record = Record(EYE, lesion_totals=(LesionTotal("soft_exudate", 0, 0.0, "mask"),))
    assert statements(record)[-1] == Statement("finding", "soft_exudate", "absent")


def test_notes_age_and_sex_are_kept_and_never_said() -> None:
    record = Record(EYE, notes=("cohort: dementia",), age_years=61, sex="female")
    assert {s.aspect for s in statements(record)} == {"modality", "eye"}
    assert "dementia" not in description(record, "en")


def test_a_grade_says_more_than_its_finding() -> None:
    record = Record(
        EYE,
        grades=(Grade("clinical_dr", 2, "odir"),),
        findings=(Finding("diabetic_retinopathy", "present", "odir"),),
    )
    assert [s.aspect for s in statements(record)] == ["modality", "eye", "grade"]


def test_places_are_of_the_picture() -> None:
    assert place((0.0, 0.0, 0.2, 0.2)) == "upper_left"
    assert place((0.8, 0.8, 1.0, 1.0)) == "lower_right"
    assert place((0.4, 0.4, 0.6, 0.6)) == "centre"


def test_a_zero_dme_risk_speaks_of_exudates_only() -> None:
    """RetinalGPT words it as "no fluid accumulation or thickening", which nobody looked for."""
    record = Record(EYE, grades=(Grade("dme_risk", 0, "idrid"),))
    text = description(record, "en").lower()
    assert "no hard exudates apparent" in text
    for word in ("fluid", "thickening", "no macular oedema"):
        assert word not in text


def test_values_carry_their_unit_and_their_source() -> None:
    record = Record(
        EYE, measurements=(Measured("crae_knudtson", 155.528, "um", "AutoMorph", where="zone_b"),)
    )
    assert "155.5 µm" in description(record, "en")
    assert "[source: AutoMorph]" in description(record, "en")
    assert "来源: AutoMorph" in description(record, "zh")


def test_a_reason_stands_in_the_description() -> None:
    record = Record(EYE, measurements=(Unmeasured("cdr_vertical", "no optic disc was found"),))
    assert "no optic disc was found" in description(record, "en")


def test_four_values_at_most_stand_in_one_sentence() -> None:
    said = [Statement("measurement", "crae_knudtson", float(n), "um") for n in range(6)]
    assert len(sentences(said, "en")) == 2


@pytest.mark.parametrize(
    ("repeatability", "said"),
    [(None, "155.5 µm"), (0.02, "155.5 µm"), (3.2, "156 µm"), (12.0, "160 µm")],
)
def test_no_more_digits_are_said_than_repeat(repeatability: float | None, said: str) -> None:
    """By hand: a figure that changes by 3 has no tenths, one that changes by 12 no units."""
    calibre = Measured("crae_knudtson", 155.528, "um", "x", repeatability=repeatability)
    record = Record(EYE, measurements=(calibre,))
    text = sentences(statements(record)[-1:], "en")[0]
    assert text == f"The CRAE (Knudtson) is {said}."
    assert [one.judgement for one in check_text(text, Facts.of(record), "en")] == ["supported"]
