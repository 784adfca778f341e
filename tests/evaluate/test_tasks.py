"""Tasks as data: each one that ships, and what a wrong one says."""

import re

import pytest

from fundoscope import terms
from fundoscope.errors import ConfigError
from fundoscope.evaluate.answer_spaces import Findings, Levels, Options, YesNo
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.item_making import labels_of
from fundoscope.evaluate.tasks import Task, make_task, task, task_names

EIGHT = ("aptos", "eyepacs", "eyeq", "idrid", "mmac", "messidor", "messidor2", "odir", "rfmid",
         "ukbiobank")  # fmt: skip
NORMAL = """
name: my-normal
title: My own set
kind: labels
source: table
your_copy: A folder with one table.
licence: mine
means: "Yes: no abnormality was found."
forms:
  - id: normal
    questions: {en: ["Is this fundus normal?"]}
    space: {kind: yes_no, term: normal_fundus}
    truth: {rule: normal_or_not}
"""


def fields(**changes: object) -> dict[str, object]:
    import yaml

    return {**yaml.safe_load(NORMAL), **changes}


def all_tasks() -> list[Task]:
    return [task(name) for name in task_names()]


@pytest.mark.parametrize("set_", EIGHT)
def test_each_of_the_eight_sets_has_a_task(set_: str) -> None:
    assert any(name.startswith(f"{set_}-") for name in task_names())


@pytest.mark.parametrize("name", task_names())
def test_a_task_is_called_as_its_file_and_can_be_asked_in_both_languages(name: str) -> None:
    assert task(name).name == name
    assert task(name).languages == ("en", "zh")


@pytest.mark.parametrize("name", task_names())
def test_every_question_has_three_to_five_different_wordings(name: str) -> None:
    for form in task(name).forms:
        for language, wordings in form.questions.items():
            assert 3 <= len(set(wordings)) == len(wordings) <= 5, (form.id, language)


@pytest.mark.parametrize("name", task_names())
def test_no_brace_is_left_unfilled_but_a_conditions_name(name: str) -> None:
    of_knowledge = {"name", "is", "does", "it"}
    for form in task(name).forms:
        for wordings in form.questions.values():
            braces = set(re.findall(r"{(\w+)}", " ".join(wordings)))
            assert braces <= (of_knowledge if task(name).kind == "knowledge" else set())


def test_a_bare_yes_says_that_the_term_of_a_yes_or_no_question_is_there() -> None:
    asked = 0
    for one in all_tasks():
        for form in one.forms:
            for language, wordings in form.questions.items():
                space = form.answer_space(language)
                for question in wordings if isinstance(space, YesNo) else ():
                    yes, no = ("Yes.", "No.") if language == "en" else ("是的。", "没有。")
                    assert read_answer(yes, space, question=question).label == "yes", question
                    assert read_answer(no, space, question=question).label == "no", question
                    asked += 1
    assert asked > 100


def test_a_yes_or_no_question_names_its_term_and_no_question_asks_for_its_absence() -> None:
    for one in all_tasks():
        for form in one.forms:
            space = form.answer_space("en")
            if isinstance(space, YesNo):
                names = terms.term(space.term).en
                plain = [word for name in names for word in name.lower().split()]
                for question in form.questions["en"]:
                    assert any(word in question.lower() for word in plain), question
                    assert not re.search(r"\b(not|no|without|absent)\b", question.lower())


def test_a_question_about_several_terms_names_each_of_them_in_both_languages() -> None:
    found = 0
    for one in all_tasks():
        for form in one.forms:
            for language in ("en", "zh"):
                space = form.answer_space(language)
                for term in space.terms if isinstance(space, Findings) else ():
                    known = terms.term(term)
                    names = [known.plural, *known.names(language)]
                    for question in form.questions[language]:
                        assert any(name and name in question for name in names), (term, question)
                        found += 1
    assert found > 100


def test_no_task_reads_a_grade_of_one_scale_on_another() -> None:
    for one in all_tasks():
        for form in one.forms:
            space = form.answer_space("en")
            if isinstance(space, Levels):
                assert form.truth == {"rule": "level", "scale": space.scale}


def test_the_labels_that_a_rule_gives_are_labels_of_the_space() -> None:
    for one in all_tasks():
        for form in one.forms:
            given = form.truth.get("labels")
            given = given.values() if isinstance(given, dict) else given or ()
            allowed = labels_of(form.answer_space("en"))
            assert {str(label) for label in given} <= {str(label) for label in allowed} or not given


def test_options_have_the_same_letters_in_both_languages() -> None:
    for one in all_tasks():
        for form in one.forms:
            spaces = [form.answer_space(language) for language in ("en", "zh")]
            if isinstance(spaces[0], Options):
                assert labels_of(spaces[0]) == labels_of(spaces[1])


def test_no_dr_is_never_called_normal() -> None:
    for one in all_tasks():
        for form in one.forms:
            if form.space.get("term") == "normal_fundus":
                assert form.truth["rule"] in ("normal_or_not", "name")  # never a grade


@pytest.mark.parametrize("name", task_names())
def test_a_yes_or_no_task_says_what_yes_means(name: str) -> None:
    one = task(name)
    spaces = [form.answer_space("en") for form in one.forms]
    if one.kind == "labels" and any(isinstance(space, YesNo) for space in spaces):
        assert "Yes:" in one.means and "No" in one.means


def test_only_the_tasks_of_the_border_shortcut_are_not_to_be_scored() -> None:
    shown = [one.name for one in all_tasks() if one.shows_shortcut]
    assert shown == ["unam-dme", "unam-dr"]


def test_odir_says_that_the_patients_columns_are_not_used() -> None:
    for name in ("odir-normal", "odir-findings", "odir-dialogue"):
        assert any("patient's, not the eye's" in note for note in task(name).notes)


def test_a_drawn_split_says_so() -> None:
    assert "drawn by patient with seed 0" in task("odir-normal").split.said()
    assert task("rfmid-risk").split.said() == "the official part 'test'"
    assert task("hrf-normal").split.said() == "all photographs"


def test_an_unknown_name_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="no task 'odir-norml'") as caught:
        task("odir-norml")
    assert "odir-normal" in caught.value.mend


def test_a_file_of_ones_own_is_a_task(tmp_path) -> None:
    (tmp_path / "mine.yaml").write_text(NORMAL, encoding="utf-8")
    assert task(tmp_path / "mine.yaml").title == "My own set"


def test_a_missing_file_is_told() -> None:
    with pytest.raises(ConfigError, match="no task file"):
        task("nowhere/mine.yaml")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"sorce": "odir"}, "no field 'sorce'"),
        ({"kind": "grades"}, "field 'kind'"),
        ({"forms": []}, "field 'forms'"),
        ({"forms": ["normal"]}, "a form is a mapping"),
        ({"names": "("}, "no regular expression"),
        ({"split": {"part": "dev"}}, "field 'split.part'"),
    ],
)
def test_a_wrong_field_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make_task(fields(**changes), "mine.yaml")


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"space": {"kind": "yes_no", "term": "glaucomma"}}, "glaucomma"),
        ({"space": {"kind": "yes"}}, "no answer space is called 'yes'"),
        ({"truth": {"rule": "levle", "scale": "icdr"}}, "no 'levle' among truths"),
        ({"truth": {"rule": "level", "scale": "icdrr"}}, "no scale 'icdrr'"),
        ({"truth": {"rule": "level"}}, "missing a required argument: 'scale'"),
        ({"questions": {"en": []}}, "without a wording"),
    ],
)
def test_a_wrong_form_says_what_is_wrong(form: dict[str, object], told: str) -> None:
    whole = {**fields()["forms"][0], **form}  # type: ignore[index]
    with pytest.raises(ConfigError, match=told):
        make_task(fields(forms=[whole]), "mine.yaml")


def test_two_forms_of_one_name_are_refused() -> None:
    form = fields()["forms"][0]  # type: ignore[index]
    with pytest.raises(ConfigError, match="two forms are called 'normal'"):
        make_task(fields(forms=[form, form]), "mine.yaml")


def test_each_makes_one_form_a_term() -> None:
    form = {
        "id": "{each}",
        "each": ["microaneurysm", "hard_exudate"],
        "questions": {"en": ["Are there {plural}?"], "zh": ["有{name}吗？"]},
        "space": {"kind": "yes_no", "term": "{each}"},
        "truth": {"rule": "outlined", "kind": "{each}"},
    }
    one = make_task(fields(forms=[form]), "mine.yaml")
    assert [f.id for f in one.forms] == ["microaneurysm", "hard_exudate"]
    assert one.forms[1].questions == {
        "en": ("Are there hard exudates?",),
        "zh": ("有硬性渗出吗？",),
    }
    assert one.forms[1].answer_space("en") == YesNo("hard_exudate")


def test_a_quantity_is_asked_with_its_vessels_place_and_unit() -> None:
    one = task("automorph-quantities")
    asked = {form.id: form.questions for form in one.forms}
    width = asked["average_width-all-whole"]
    assert width["en"][0].endswith("of the vessels over the whole photograph, in µm?")
    assert "以 µm 为单位" in width["zh"][0]
    assert "without a unit" in asked["cdr_vertical"]["en"][0]


def test_the_page_lists_every_task_and_every_rule() -> None:
    from pathlib import Path

    from fundoscope.evaluate.truths import truths

    page = (Path(__file__).parents[2] / "docs" / "evaluation-tasks.md").read_text(encoding="utf-8")
    assert [name for name in (*task_names(), *truths.names()) if f"`{name}`" not in page] == []
