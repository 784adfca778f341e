"""Claims read from free text, as a language model might write it; truth by reading."""

import pytest

from fundoscope.records import Language, Statement
from fundoscope.verify.claims import UNPLACED_NUMBER, claims


def read(text: str, language: Language = "en") -> list[tuple[str, str, object]]:
    """Aspect, term and value of every claim."""
    return [
        (c.statement.aspect, c.statement.term, c.statement.value) for c in claims(text, language)
    ]


def test_a_denial_reaches_over_a_list_but_not_past_a_contrast() -> None:
    text = "No microaneurysms, haemorrhages or soft exudates are seen, but drusen are present."
    assert read(text) == [
        ("finding", "microaneurysm", "absent"),
        ("finding", "haemorrhage", "absent"),
        ("finding", "soft_exudate", "absent"),
        ("finding", "drusen", "present"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Glaucoma is absent.",
        "There is no glaucoma.",
        "The picture is negative for glaucoma.",
        "Glaucoma was not found.",
        "Glaucoma is not here.",
        "It does not show glaucoma.",
    ],
)
def test_a_denial_may_stand_before_or_behind(text: str) -> None:
    assert read(text) == [("finding", "glaucoma", "absent")]


def test_other_than_turns_a_denial_round() -> None:
    assert ("finding", "drusen", "present") in read("There is no abnormality other than drusen.")


def test_doubt_is_not_certainty() -> None:
    assert read("Glaucoma cannot be excluded.") == [("finding", "glaucoma", "suspected")]
    assert read("可疑青光眼。", "zh") == [("finding", "glaucoma", "suspected")]


def test_what_is_set_aside_is_not_claimed() -> None:
    assert read("The ICDR scale speaks only of diabetic retinopathy.") == []
    assert read("A low grade does not mean that this is a healthy eye.") == []
    assert read("ICDR 分级只针对糖尿病视网膜病变，不等于眼底健康。", "zh") == []


def test_a_question_claims_nothing() -> None:
    assert read("Is there glaucoma? I cannot tell.") == []


def test_american_and_british_spelling_read_alike() -> None:
    assert read("There are retinal hemorrhages.") == read("There are retinal haemorrhages.")


def test_a_number_belongs_to_the_quantity_before_it() -> None:
    (claim,) = claims("In zone B the CRAE is 155.5 µm.", "en")
    assert claim.statement == Statement(
        "measurement", "crae_knudtson", 155.5, unit="um", where="zone_b"
    )
    assert claim.decimals == 1


def test_a_minus_sign_belongs_to_its_number() -> None:
    assert read("The spherical equivalent is -1.250 D.") == [
        ("measurement", "spherical_equivalent", -1.25)
    ]
    assert read("等效球镜度为-1.25 D。", "zh") == [("measurement", "spherical_equivalent", -1.25)]


def test_a_number_that_belongs_to_nothing_is_a_claim_too() -> None:
    assert read("The patient is 67 years old.") == [("measurement", UNPLACED_NUMBER, 67.0)]


def test_the_range_of_a_scale_claims_nothing() -> None:
    assert read("The grade is 2 on the ICDR scale (0 to 4).") == [
        ("grade", "diabetic_retinopathy", 2)
    ]


def test_severity_words_are_a_grade_without_a_named_scale() -> None:
    (claim,) = claims("This is moderate NPDR.", "en")
    assert claim.statement == Statement("grade", "diabetic_retinopathy", 2)


def test_a_condition_that_is_graded_is_not_claimed_once_more() -> None:
    assert len(read("Diabetic retinopathy is graded 3 on the ICDR scale.")) == 1


def test_boxes_carry_their_lesion_and_place() -> None:
    text = "Hard exudates: [0.10, 0.20, 0.30, 0.40] (upper left), [0.45, 0.45, 0.55, 0.55] (centre)"
    first, second = claims(text, "en")
    assert first.statement.value == (0.1, 0.2, 0.3, 0.4)
    assert (first.statement.where, second.statement.where) == ("upper_left", "centre")
    assert {first.statement.term, second.statement.term} == {"hard_exudate"}


def test_counts_are_read_in_both_languages() -> None:
    assert read("12 microaneurysms are outlined.") == [("lesion_count", "microaneurysm", 12)]
    assert read("微动脉瘤 12 处。", "zh") == [("lesion_count", "microaneurysm", 12)]


def test_a_chinese_comma_ends_a_denial() -> None:
    assert read("未见出血，可见硬性渗出。", "zh") == [
        ("finding", "haemorrhage", "absent"),
        ("finding", "hard_exudate", "present"),
    ]


def test_abbreviations_inside_words_are_not_terms() -> None:
    assert read("The address of the clinic is drawn.") == []  # no DR in "address" or "drawn"


def test_the_longest_name_wins() -> None:
    assert read("There is a branch retinal vein occlusion.") == [
        ("finding", "branch_retinal_vein_occlusion", "present")
    ]


def test_markdown_lists_are_read_line_by_line() -> None:
    text = "1. Drusen are present.\n2. No glaucoma.\n- CRVE: 227.6 µm"
    assert read(text) == [
        ("finding", "drusen", "present"),
        ("finding", "glaucoma", "absent"),
        ("measurement", "crve_knudtson", 227.6),
    ]


def test_health_said_in_any_words_is_a_claim() -> None:
    for text in ("The retina looks normal.", "The optic disc appears healthy."):
        assert ("finding", "normal_fundus", "present") in read(text)
    assert read("左眼眼底正常。", "zh")[-1] == ("finding", "normal_fundus", "present")


def test_respectively_pairs_numbers_with_their_quantities() -> None:
    text = "CRAE and CRVE are 155.5 µm and 227.6 µm respectively."
    assert read(text) == [
        ("measurement", "crae_knudtson", 155.5),
        ("measurement", "crve_knudtson", 227.6),
    ]


def test_a_systemic_diagnosis_is_a_claim_that_no_record_supports() -> None:
    assert read("The patient has hypertension.") == [
        ("finding", "systemic_hypertension", "present")
    ]
    assert read("This image has vascular dementia.") == [("finding", "dementia", "present")]


def test_a_grade_without_a_scale_is_read_with_its_condition() -> None:
    assert ("grade", "diabetic_retinopathy", 3) in read("DR grade 3 (severe NPDR).")


def test_a_doctors_title_is_no_diabetic_retinopathy() -> None:
    assert not claims("Please ask Dr. Chen about it.", "en")
    assert not claims("Dr Chen will see you.", "en")
    (claim,) = claims("No DR is seen.", "en")
    assert (claim.statement.term, claim.statement.value) == ("diabetic_retinopathy", "absent")


@pytest.mark.parametrize("mark", ["#", "＃", "﹟"])
def test_a_written_hash_is_no_number(mark: str) -> None:
    text = (
        f"{mark} The graders outlined 3 haemorrhages {mark}\n{mark}{mark} cup-to-disc ratio {mark}"
    )
    (claim,) = claims(text, "en")
    assert (claim.statement.term, claim.statement.value) == ("haemorrhage", 3)
