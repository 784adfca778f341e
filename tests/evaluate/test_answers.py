"""Answers to labels: one sentence a trap, and the corpus as a floor that may not sink."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.converse.composer import compose
from fundoscope.errors import ConfigError, TermError
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FoundBoxes,
    FoundTerms,
    Levels,
    Number,
    Options,
    Quality,
    Space,
    Value,
    YesNo,
    space_from,
)
from fundoscope.evaluate.answers import read_answer
from fundoscope.records import LANGUAGES, Statement
from fundoscope.testing import synthetic_record
from fundoscope.verify.check import Facts
from fundoscope.verify.claims import claims

DR = YesNo("diabetic_retinopathy")
NORMAL = YesNo("normal_fundus")
ICDR = Levels("icdr")
FOUR = Options(
    (
        ("A", "Glaucoma"),
        ("B", "Diabetic retinopathy"),
        ("C", "Age-related macular degeneration"),
        ("D", "Normal"),
    )
)


def label(answer: str, space: Space, question: str = "") -> Any:
    reading = read_answer(answer, space, question=question)
    return reading.label if reading.outcome == "decided" else reading.outcome


# --- yes and no


@pytest.mark.parametrize(
    ("answer", "space"),
    [
        ("Yes, the image is abnormal.", NORMAL),
        ("是的，没有糖网。", DR),
        ("Yes, there is no DR.", DR),
    ],
)
def test_a_statement_wins_over_a_bare_yes(answer: str, space: Space) -> None:
    assert label(answer, space) == "no"


def test_a_bare_no_before_what_it_affirms_is_contradictory() -> None:
    assert label("No, there are signs of diabetic retinopathy.", DR) == "contradictory"
    assert label("不是，眼底正常。", NORMAL) == "contradictory"


def test_both_at_once_is_contradictory() -> None:
    assert label("There is no DR. The photograph shows moderate NPDR.", DR) == "contradictory"
    assert label("Yes and no.", DR) == "contradictory"
    assert label("Answer: yes\nAnswer: no", DR) == "contradictory"


def test_what_is_left_out_of_a_denial_is_there() -> None:
    answer = "There are no signs of diabetic retinopathy other than a few microaneurysms."
    assert label(answer, YesNo("microaneurysm")) == "yes"
    assert label(answer, DR) == "abstained"  # a few microaneurysms are a sign of it
    assert label("No abnormality other than drusen.", NORMAL) == "no"
    assert label("未见除微动脉瘤以外的病灶。", YesNo("microaneurysm")) == "yes"
    assert label("除玻璃膜疣外，眼底正常。", NORMAL) == "no"


def test_two_denials_cancel() -> None:
    assert label("The retina is not free of diabetic retinopathy.", DR) == "yes"
    assert label("The macula is not without drusen.", YesNo("drusen")) == "yes"
    assert label("该眼并非没有糖网。", DR) == "yes"
    assert label("The fundus is not abnormal.", NORMAL) == "yes"


def test_a_denial_runs_over_a_list_and_ends_with_it() -> None:
    drusen = YesNo("drusen")
    assert label("No haemorrhages, exudates, or drusen are seen.", drusen) == "no"
    assert label("No haemorrhage is seen, and drusen are present.", drusen) == "yes"
    assert label("No haemorrhage, drusen present.", drusen) == "yes"
    assert label("未见出血、渗出及玻璃膜疣。", drusen) == "no"
    assert label("未见出血，可见玻璃膜疣。", drusen) == "yes"
    assert label("Drusen are present, exudates are not.", YesNo("hard_exudate")) == "no"


@pytest.mark.parametrize(
    "answer",
    [
        "Diabetic retinopathy cannot be excluded.",
        "Possible diabetic retinopathy.",
        "Suspicious for diabetic retinopathy.",
        "Yes, there may be mild diabetic retinopathy.",
        "不能排除糖尿病视网膜病变。",
        "可能有糖网。",
    ],
)
def test_a_hedge_abstains_unless_suspected_is_a_label(answer: str) -> None:
    assert label(answer, DR) == "abstained"
    assert label(answer, YesNo("diabetic_retinopathy", suspected=True)) == "suspected"


def test_a_doubtful_denial_is_neither() -> None:
    asked = YesNo("diabetic_retinopathy", suspected=True)
    assert label("Diabetic retinopathy is unlikely.", asked) == "abstained"
    assert label("可能没有糖尿病视网膜病变。", asked) == "abstained"


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "As an AI language model, I cannot determine whether this person has DR.",
        "I'm sorry, but I can't provide a medical diagnosis.",
        "作为人工智能，我不能诊断糖尿病视网膜病变。",
        "Diabetic retinopathy is a complication of diabetes.",
        "If diabetic retinopathy is found, tight control of blood sugar helps.",
        "Screening for diabetic retinopathy is recommended.",
        "The differential diagnosis includes diabetic retinopathy.",
        "The patient was treated for diabetic retinopathy in 2015.",
        "没有症状不代表没有糖尿病视网膜病变。",
        "应由医生检查该眼有无糖尿病视网膜病变。",
    ],
)
def test_what_states_nothing_abstains(answer: str) -> None:
    assert label(answer, DR) == "abstained"


def test_a_disclaimer_does_not_hide_a_statement() -> None:
    answer = (
        "As an AI I cannot replace a specialist, but the photograph shows diabetic retinopathy."
    )
    assert label(answer, DR) == "yes"
    assert label("我不是医生，但照片明确显示有糖尿病视网膜病变。", DR) == "yes"


def test_a_word_that_nobody_knows_makes_a_statement_unknown() -> None:
    assert label("Frobnicated diabetic retinopathy is gramfully present.", DR) == "abstained"


def test_no_retinopathy_is_not_a_normal_fundus_and_the_other_way_it_is() -> None:
    assert label("There is no diabetic retinopathy.", NORMAL) == "abstained"
    assert label("The fundus is normal.", DR) == "no"
    assert label("The optic disc is normal.", NORMAL) == "abstained"


def test_no_npdr_is_not_no_retinopathy() -> None:
    assert label("This is not NPDR.", DR) == "abstained"
    assert label("No NPDR or PDR.", DR) == "no"


def test_thoughts_are_no_answer() -> None:
    assert label("<think>Yes, DR.</think>No.", DR) == "no"
    assert label("<think>Yes, there is DR and", DR) == "abstained"


def test_a_conclusion_wins_over_what_led_to_it() -> None:
    answer = "At first this looks like moderate NPDR. New vessels are visible. Final answer: 4"
    assert label(answer, ICDR) == 4
    assert label("Drusen are seen. Therefore the answer is no.", DR) == "no"


def test_an_echo_of_the_question_is_not_read() -> None:
    assert label("Is there diabetic retinopathy? No.", DR) == "no"
    question = "Tell me whether the eye has glaucoma"
    assert label(f"{question} no", YesNo("glaucoma"), question) == "no"


def test_markdown_and_json_are_read() -> None:
    assert label("### Assessment\n- **Diabetic retinopathy:** None", DR) == "no"
    assert (
        label("| Question | Answer |\n|---|---|\n| Diabetic retinopathy | **Yes** |", DR) == "yes"
    )
    assert label('{"answer": "no", "confidence": 0.9}', DR) == "no"


# --- levels


@pytest.mark.parametrize(
    "answer",
    ["2", "Grade 2", "stage 2", "level two", "2级", "二级", "Ⅱ级", "Moderate NPDR", "中度糖网"],
)
def test_a_level_in_its_many_forms(answer: str) -> None:
    assert label(answer, ICDR) == 2


@pytest.mark.parametrize(
    "answer",
    [
        "Mild to moderate NPDR.", "Grade 1-2", "Grade 2 or 3.", "At least moderate.",
        "轻中度糖网。", "Grade 5", "ETDRS level 53", "Messidor grade 2", "糖网Ⅲ期", "There is DR.",
        "Possibly mild NPDR.", "More severe than grade 1.", "比1级更重。",
    ],
)  # fmt: skip
def test_ranges_bounds_and_other_scales_give_no_level(answer: str) -> None:
    assert label(answer, ICDR) in ("abstained", "contradictory")


def test_words_of_one_scale_are_not_levels_of_another() -> None:
    assert label("Moderate NPDR", Levels("messidor_dr")) == "abstained"
    assert label("ICDR grade 2", Levels("messidor_dr")) == "abstained"
    assert label("Grade 2", Levels("messidor_dr")) == 2


def test_unrelated_numbers_grade_nothing() -> None:
    answer = "The patient is 54 years old. 3 haemorrhages in 4 quadrants. Grade: 2 (confidence 85%)"
    assert label(answer, ICDR) == 2


def test_a_word_and_a_number_that_differ_are_contradictory() -> None:
    assert label("Grade 1 (severe NPDR)", ICDR) == "contradictory"
    assert label("Grade 3 (severe NPDR)", ICDR) == 3


def test_a_severity_of_something_else_is_no_level() -> None:
    assert label("Mild NPDR with severe cataract.", ICDR) == 1


def test_a_denied_level_is_not_given() -> None:
    assert label("Not grade 3: grade 2.", ICDR) == 2
    assert label("This is PDR, not NPDR.", ICDR) == 4


# --- several findings


def test_findings_are_present_absent_or_not_mentioned() -> None:
    asked = Findings(("diabetic_retinopathy", "glaucoma", "cataract"))
    found = label("Diabetic retinopathy is present; glaucoma cannot be excluded.", asked)
    assert isinstance(found, FoundTerms)
    assert found.status_of("diabetic_retinopathy") == "present"
    assert found.status_of("glaucoma") == "abstained"
    assert found.status_of("cataract") == "not_mentioned"


def test_no_lesions_counted_is_absent() -> None:
    asked = Findings(("hard_exudate", "haemorrhage"))
    found = label("3 haemorrhages, 0 hard exudates", asked)
    assert found.status_of("hard_exudate") == "absent"
    assert found.status_of("haemorrhage") == "present"


# --- choices


def test_an_article_is_not_option_a() -> None:
    assert label("An image of the retina.", FOUR) == "abstained"
    assert label("A fundus photograph.", FOUR) == "abstained"
    assert label("A fundus image showing age-related macular degeneration.", FOUR) == "C"


@pytest.mark.parametrize(
    "answer",
    ["B", "b)", "(B)", "B.", "**B**", "答案是B", "选B", "Option 2", "第二项", "\\boxed{B}"],
)
def test_a_letter_in_its_many_forms(answer: str) -> None:
    assert label(answer, FOUR) == "B"


def test_a_letter_and_a_text_that_differ_are_contradictory() -> None:
    assert label("A. Diabetic retinopathy", FOUR) == "contradictory"
    assert label("Both A and B are correct.", FOUR) == "contradictory"
    assert label("A or B", FOUR) == "abstained"
    assert label("E", FOUR) == "abstained"


def test_an_option_that_is_ruled_out_is_not_chosen() -> None:
    assert label("Not A, not B, not D: the answer is C.", FOUR) == "C"
    assert label("It is not diabetic retinopathy; it is glaucoma.", FOUR) == "A"


def test_a_side_of_the_picture_is_no_side_of_the_eye() -> None:
    assert label("The optic disc is on the left side.", EyeSide()) == "abstained"
    assert label(
        "The macula lies on the right side of the disc, hence the left eye.", EyeSide()
    ) == ("left")
    assert label("You are right, it is the left eye.", EyeSide()) == "left"
    assert label("Left eye (OD).", EyeSide()) == "contradictory"


def test_quality_of_a_view_is_not_quality_of_the_photograph() -> None:
    assert label("There is a good view of the macula.", Quality()) == "abstained"
    assert label("Not good, but usable.", Quality()) == "usable"
    assert label("不可用。", Quality()) == "reject"
    assert label("Gradable.", Quality()) == "abstained"  # good or usable: it does not say
    assert label("Gradable.", Quality(binary=True)) == "gradable"


# --- boxes: four corners by hand


def test_boxes_in_the_notations_of_models() -> None:
    tenths = FoundBoxes(((0.1, 0.2, 0.3, 0.4),), "0-1000")
    assert label("<box>(100,200),(300,400)</box>", Boxes()) == tenths
    assert label("<|box_start|>(100,200),(300,400)<|box_end|>", Boxes()) == tenths
    shares = FoundBoxes(((0.1, 0.2, 0.3, 0.4),), "normalised")
    assert label('{"bbox": [0.1, 0.2, 0.3, 0.4]}', Boxes()) == shares
    assert label("x=0.1, y=0.2, width=0.2, height=0.2", Boxes()) == shares
    assert label("[0.1, 0.2, 0.2, 0.2]", Boxes(form="xywh")) == shares


def test_numbers_that_fit_two_conventions_abstain() -> None:
    size = (2048, 1536)
    assert label('{"bbox_2d": [512, 384, 768, 768]}', Boxes(size)) == "abstained"
    halves = FoundBoxes(((0.25, 0.25, 0.375, 0.5),), "pixels")
    assert label('{"bbox_2d": [512, 384, 768, 768]}', Boxes(size, "pixels")) == halves
    assert label("[512, 384, 768, 768] in pixels", Boxes(size)) == halves
    assert label("[1024, 384, 1536, 768]", Boxes(size)) == FoundBoxes(
        ((0.5, 0.25, 0.75, 0.5),), "pixels"
    )
    assert label("[0.5, 0.5, 0.2, 0.2]", Boxes(size)) == "abstained"


def test_nothing_to_box_is_an_answer() -> None:
    assert label("There are no hard exudates.", Boxes()) == FoundBoxes((), "")
    assert label("I cannot provide coordinates.", Boxes()) == "abstained"


@given(
    st.lists(st.integers(0, 999), min_size=2, max_size=2, unique=True),
    st.lists(st.integers(0, 999), min_size=2, max_size=2, unique=True),
)
def test_a_box_of_thousandths_comes_back_as_it_was(xs: list[int], ys: list[int]) -> None:
    (x0, x1), (y0, y1) = sorted(xs), sorted(ys)
    if max(x1, y1) <= 1:
        return  # [0, 0, 1, 1] is the whole photograph
    found = label(f"<box>({x0},{y0}),({x1},{y1})</box>", Boxes())
    assert found.boxes == ((x0 / 1000, y0 / 1000, x1 / 1000, y1 / 1000),)


# --- numbers


def test_values_ranges_and_bounds() -> None:
    cdr = Number("cdr_vertical", "1")
    assert label("The CDR is 0.4 to 0.5.", cdr) == Value(0.45, 0.4, 0.5)
    assert label("0.3:1", cdr) == Value(0.3, 0.3, 0.3)
    assert label("The CDR is below 0.4.", cdr) == "abstained"
    assert label("The cup-to-disc ratio is 0.7 (normal: below 0.5).", cdr).value == 0.7
    assert label("Vertical CDR 0.5, horizontal CDR 0.4", cdr).value == 0.5
    assert label("The CDR is 0.3. The CDR is 0.7.", cdr) == "contradictory"


def test_errors_of_unit_are_told_apart() -> None:
    crae = Number("crae_knudtson", "um")
    assert label("152.3 µm", crae) == Value(152.3, 152.3, 152.3)
    assert label("0.1523 mm", crae) == Value(152.3, 152.3, 152.3)
    assert label("152.3", crae).unit_error == "missing"
    assert label("152.3 mm", crae).unit_error == "implausible"
    assert label("152.3像素", crae).unit_error == "other"


def test_counts_belong_to_the_lesion_that_they_stand_by() -> None:
    count = Number("microaneurysm_count", "1")
    assert label("7 haemorrhages, 3 microaneurysms", count).value == 3
    assert label("七处出血和三处微动脉瘤。", count).value == 3
    assert label("There are no microaneurysms.", count).value == 0
    assert label("Several.", count) == "abstained"


# --- spaces


def test_a_space_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ConfigError, match="no answer space"):
        space_from({"kind": "yesno"})
    with pytest.raises(ConfigError, match="unexpected keyword"):
        space_from({"kind": "eye", "colour": "blue"})
    with pytest.raises(TermError):
        space_from({"kind": "yes_no", "term": "diabetic_retinopaty"})
    with pytest.raises(ConfigError, match="letters"):
        Options((("A", "x"), ("A", "y")))


@given(st.text(max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    for space in (DR, ICDR, FOUR, Quality(), EyeSide(), Boxes(), Number("cdr_vertical", "1")):
        reading = read_answer(text, space)
        assert (reading.label is not None) == (reading.outcome == "decided")


@pytest.mark.parametrize("again", ["no ", "未见", "1 ", "<box>", '{"a":'])
def test_an_answer_that_runs_away_is_read_in_a_moment(again: str) -> None:
    began = time.process_time()
    for space in (DR, ICDR, Boxes(), Number("cdr_vertical", "1")):
        read_answer(again * 20_000, space)
    assert time.process_time() - began < 20  # quadratic rules took minutes


# --- what our own composer says, whose truth is the record


def _asked(said: Statement) -> tuple[Space, Any] | None:
    """Return the space that asks for a statement, and the label that it should give."""
    if said.aspect == "finding" and said.value in ("present", "absent", "suspected"):
        truth = {"present": "yes", "absent": "no", "suspected": "suspected"}[str(said.value)]
        return YesNo(said.term, suspected=True), truth
    if said.aspect == "eye" and said.value in ("left", "right"):
        return EyeSide(), said.value
    if said.aspect == "grade" and said.scale and isinstance(said.value, int):
        return Levels(said.scale), said.value
    if said.aspect == "measurement" and isinstance(said.value, float):
        where = said.where or ("whole" if said.of else "")
        return Number(said.term, said.unit, said.of, where), said.value
    return None


def test_answers_of_the_composer_are_read_as_the_record_says() -> None:
    decided, asked, wrong = 0, 0, []
    for number in range(25):
        record = synthetic_record(number)
        facts = Facts.of(record)
        for language in LANGUAGES:
            for turn in compose(record, "instruction", language, 0, facts).turns:
                for claim in claims(turn.answer, language):
                    if pair := _asked(claim.statement):
                        asked += 1
                        found = label(turn.answer, pair[0], turn.question)
                        found = found.value if isinstance(found, Value) else found
                        if found in ("abstained", "contradictory"):
                            continue
                        decided += 1
                        if found != pair[1]:
                            wrong.append((turn.answer, claim.statement, found))
    assert wrong == []
    assert asked > 300
    assert decided / asked > 0.97


# --- the corpus

CORPUS = Path(__file__).parent


def _rows(language: str) -> list[dict[str, Any]]:
    lines = (CORPUS / f"answers_{language}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_corpus_holds_a_thousand_different_answers_with_half_set_aside(language: str) -> None:
    rows = _rows(language)
    assert len(rows) >= 1000
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({(json.dumps(row["space"]), row["answer"]) for row in rows}) == len(rows)
    halves = [row["split"] for row in rows if row["split"] in ("open", "apart")]
    assert 0.4 < halves.count("apart") / len(halves) < 0.6


@pytest.mark.parametrize("language", ["en", "zh"])
def test_yes_and_no_of_the_corpus_are_read_right_or_not_at_all(language: str) -> None:
    wrong = []
    for row in _rows(language):
        if row["space"]["kind"] in ("yes_no", "levels", "options", "eye", "quality"):
            found = label(row["answer"], space_from(row["space"]), row["question"])
            if found not in ("abstained", "contradictory") and found != row["truth"]:
                wrong.append((row["id"], row["answer"], found))
    assert wrong == []


def test_options_of_a_yaml_file_are_read_like_any_other() -> None:
    space = space_from({"kind": "options", "options": [["A", "Glaucoma"], ["B", "Cataract"]]})
    assert read_answer("B", space).label == "B"
