"""Claims held against records written by hand; the near miss, not only the hit."""

import pytest

from fundoscope.records import (
    Conversation,
    Finding,
    Grade,
    Language,
    Lesion,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Turn,
    Unmeasured,
)
from fundoscope.verify.check import Facts, check_text, judge

LEFT_EYE = Photograph("odir", "train", "7_left", eye="left", patient="7")


def judged(record: Record, text: str, language: Language = "en") -> list[str]:
    return [one.judgement for one in check_text(text, Facts.of(record), language)]


MEASURED = Record(
    LEFT_EYE,
    measurements=(
        Measured("crae_knudtson", 155.528, "um", "AutoMorph", where="zone_b"),
        Measured("fractal_dimension", 1.37559, "1", "AutoMorph", of="all", where="whole"),
        Measured("fractal_dimension", 1.09283, "1", "AutoMorph", of="arteries", where="whole"),
        Unmeasured("cdr_vertical", "no optic disc was found"),
    ),
)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("The CRAE is 155.5 µm.", "supported"),
        ("The CRAE is 0.1555 mm.", "supported"),
        ("The CRAE is 156 µm.", "supported"),  # rounded
        ("The CRAE is 155.6 µm.", "contradicted"),
        ("The CRAE is 155.5.", "contradicted"),  # no unit
        ("In zone C the CRAE is 155.5 µm.", "unsupported"),
        ("The CRVE is 155.5 µm.", "unsupported"),
        ("The fractal dimension is 1.376.", "supported"),
        ("The fractal dimension is 1.093.", "contradicted"),  # that of the arteries
        ("The arteriolar fractal dimension is 1.093.", "supported"),
        ("The fractal dimension is 1.", "contradicted"),  # rounded beyond use
        ("The vertical cup-to-disc ratio was not measured.", "supported"),
        ("The CRAE was not measured.", "contradicted"),
        ("The vertical cup-to-disc ratio is 0.4.", "unsupported"),
    ],
)
def test_numbers(text: str, judgement: str) -> None:
    assert judged(MEASURED, text) == [judgement]


NO_RETINOPATHY = Record(LEFT_EYE, grades=(Grade("icdr", 0, "aptos"),))


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("There is no diabetic retinopathy.", "supported"),
        ("No apparent diabetic retinopathy.", "supported"),
        ("The ICDR grade is 0.", "supported"),
        ("Diabetic retinopathy is graded 0 on the Messidor scale.", "unsupported"),
        ("This is a normal fundus.", "unsupported"),  # no DR is not healthy
        ("This is a healthy eye.", "unsupported"),
        ("There is no glaucoma.", "unsupported"),  # nobody looked
        ("Glaucoma was not assessed.", "supported"),
        ("There is mild NPDR.", "contradicted"),
        ("There is diabetic retinopathy.", "contradicted"),
        ("This is the right eye.", "contradicted"),
    ],
)
def test_no_retinopathy_is_not_health(text: str, judgement: str) -> None:
    assert judged(NO_RETINOPATHY, text) == [judgement]


def test_a_messidor_grade_is_never_said_in_icdr_words() -> None:
    messidor = Record(LEFT_EYE, grades=(Grade("messidor_dr", 2, "messidor"),))
    assert judged(messidor, "Diabetic retinopathy is graded 2 on the Messidor scale.") == [
        "supported"
    ]
    assert judged(messidor, "This is moderate NPDR.") == ["unsupported"]
    assert judged(messidor, "The ICDR grade is 2.") == ["unsupported"]


def test_a_dme_risk_of_zero_speaks_of_exudates_not_of_fluid() -> None:
    idrid = Record(LEFT_EYE, grades=(Grade("dme_risk", 0, "idrid"),))
    assert judged(idrid, "There are no hard exudates.") == ["supported"]
    assert judged(idrid, "There is no macular oedema.") == ["unsupported"]


def test_a_narrow_finding_supports_the_broad_one_and_not_the_reverse() -> None:
    branch = Record(LEFT_EYE, findings=(Finding("branch_retinal_vein_occlusion", "present", "x"),))
    assert judged(branch, "There is a retinal vein occlusion.") == ["supported"]
    assert judged(branch, "There is a central retinal vein occlusion.") == ["unsupported"]
    assert judged(branch, "This is a normal fundus.") == ["contradicted"]
    broad = Record(LEFT_EYE, findings=(Finding("retinal_vein_occlusion", "absent", "x"),))
    assert judged(broad, "There is no branch retinal vein occlusion.") == ["supported"]


def test_suspected_is_neither_present_nor_absent() -> None:
    suspect = Record(LEFT_EYE, findings=(Finding("glaucoma", "suspected", "odir"),))
    assert judged(suspect, "Glaucoma is suspected.") == ["supported"]
    assert judged(suspect, "There is glaucoma.") == ["contradicted"]
    assert judged(suspect, "There is no glaucoma.") == ["contradicted"]


EXUDATES = Record(
    LEFT_EYE,
    lesions=(Lesion("hard_exudate", (0.1, 0.2, 0.3, 0.4), 0.011, "mask", count=5),),
    lesion_totals=(
        LesionTotal("hard_exudate", 7, 0.0123456, "mask", unboxed=2),
        LesionTotal("soft_exudate", 0, 0.0, "mask"),
    ),
)


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("7 hard exudates are outlined.", "supported"),
        ("5 hard exudates are outlined.", "contradicted"),
        ("Hard exudates lie at [0.10, 0.20, 0.30, 0.40].", "supported"),
        ("Hard exudates lie at [0.10, 0.20, 0.30, 0.40] (upper left).", "supported"),
        ("Hard exudates lie at [0.10, 0.20, 0.30, 0.40] (lower right).", "contradicted"),
        ("Hard exudates lie at [0.10, 0.20, 0.30, 0.41].", "contradicted"),
        ("Hard exudates lie at [0.1, 0.2, 0.3, 0.4].", "contradicted"),  # too coarse to check
        ("Haemorrhages lie at [0.10, 0.20, 0.30, 0.40].", "unsupported"),
        ("Hard exudates are seen in the upper left.", "supported"),
        ("Hard exudates are seen in the lower right.", "contradicted"),
        ("There are no soft exudates.", "supported"),
        ("There are no microaneurysms.", "unsupported"),
        ("7 hard exudates cover 1.235 % of the photograph.", "supported"),
    ],
)
def test_lesions(text: str, judgement: str) -> None:
    assert judged(EXUDATES, text)[-1] == judgement


def conversation(*turns: tuple[str, str], track: str = "instruction") -> Conversation:
    return Conversation(
        LEFT_EYE.key,
        track,
        "en",
        tuple(Turn(q, a, (str(n),)) for n, (q, a) in enumerate(turns)),
        "test",
        "1",
        0,
    )


FIRST = ("What is this?", "This is a colour fundus photograph of the left eye.")
SECOND = ("Is anything wrong?", "No apparent diabetic retinopathy.")
THIRD = ("How wide are the vessels?", "Not measured: the CRAE.")


def test_a_faithful_conversation_is_kept() -> None:
    verdict = judge(conversation(FIRST, SECOND, THIRD), NO_RETINOPATHY)
    assert verdict.kept, verdict.reason
    assert [one.judgement for one in verdict.judged] == ["supported"] * 4


def test_an_invented_number_is_refused_with_its_words_and_turn() -> None:
    invented = ("How wide are the vessels?", "The CRAE is 160.0 µm.")
    verdict = judge(conversation(FIRST, SECOND, invented), NO_RETINOPATHY)
    assert not verdict.kept
    assert verdict.turn == 2
    assert "crae_knudtson was not measured" in verdict.reason
    assert "160.0" in verdict.reason


@pytest.mark.parametrize(
    ("turns", "why"),
    [
        ([FIRST, SECOND], "2 turns"),
        ([(FIRST[0] + "<image>", FIRST[1]), SECOND, THIRD], "<image>"),
        ([FIRST, (SECOND[0] + "<image>", SECOND[1]), THIRD], "<image>"),
        ([FIRST, SECOND, SECOND], "same question twice"),
        ([FIRST, ("Where are the haemorrhages?", "Not assessed: haemorrhages."), THIRD], "gives"),
        ([FIRST, ("Why is the CRAE 155?", SECOND[1]), THIRD], "gives away a number"),
        ([FIRST, ("Why is it mild NPDR?", SECOND[1]), THIRD], "gives away a grade"),
        ([FIRST, (SECOND[0], "By the provided data, all is recorded."), THIRD], "not seen"),
        ([FIRST, (SECOND[0], " "), THIRD], "empty"),
    ],
)
def test_faults_of_form_are_refused(turns: list[tuple[str, str]], why: str) -> None:
    verdict = judge(conversation(*turns), NO_RETINOPATHY)
    assert not verdict.kept
    assert why in verdict.reason


def test_an_alignment_dialogue_has_one_turn() -> None:
    assert judge(conversation(FIRST, track="alignment"), NO_RETINOPATHY).kept
    assert not judge(conversation(FIRST, SECOND, track="alignment"), NO_RETINOPATHY).kept
