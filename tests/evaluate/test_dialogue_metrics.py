"""Faithfulness, agreement and knowledge, on answers whose truth is plain."""

from __future__ import annotations

from typing import Any

import pytest

from fundoscope.evaluate.agreement import conversations, same_label
from fundoscope.evaluate.answer_spaces import FoundTerms, Options, Space, Value, YesNo
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.dialogue_metrics import (
    agreement,
    faithfulness,
    judge_sentences,
    knowledge_scores,
    recalls,
)
from fundoscope.evaluate.estimates import Estimate
from fundoscope.evaluate.items import Item, Prediction, Scored
from fundoscope.knowledge.graph import knowledge
from fundoscope.records import Finding, Grade, Photograph, Record

DR = YesNo("diabetic_retinopathy")
RECORD = Record(
    Photograph("made_up", "test", "1", eye="left"),
    grades=(Grade("icdr", 2, "x"),),
    findings=(Finding("glaucoma", "absent", "x"),),
)


def asked(answer: str | None, space: Space = DR, **changes: Any) -> Scored:
    fields: dict[str, Any] = {
        "asked": "q", "key": "made_up/test/1", "patient": "1", "question": "Is there DR?",
        "language": "en", "wording": 0, "truth": "yes", "before": (), "record": RECORD,
    } | changes  # fmt: skip
    item = Item(
        id=f"{fields['asked']}/{fields['language']}/{fields['wording']}/{len(fields['before'])}",
        photographs=(), space=space, **fields,
    )  # fmt: skip
    if answer is None:
        return Scored(item, None, None)
    return Scored(item, Prediction(item.id, answer), read_answer(answer, space))


def named(found: list[Estimate], of: str = "") -> dict[str, Estimate]:
    return {one.name: one for one in found if one.of == of}


# --- faithfulness


def test_claims_are_held_against_the_record_by_aspect() -> None:
    found = faithfulness(
        [
            asked("This is the left eye. There is glaucoma."),
            asked("This is the right eye. Cataract is present."),
        ]
    )
    assert {name: one.value for name, one in named(found).items()} == {
        "with_claims": 1.0, "supported": 0.25, "contradicted": 0.5, "unsupported": 0.25,
    }  # fmt: skip
    assert named(found, "eye")["supported"].value == 0.5
    assert named(found, "finding")["unsupported"].value == 0.5


def test_a_bare_yes_claims_nothing() -> None:
    found = named(faithfulness([asked("Yes."), asked("No glaucoma is seen.")]))
    assert (found["with_claims"].value, found["supported"].n) == (0.5, 1)


def test_answers_without_a_record_are_counted_and_those_not_given_are_not() -> None:
    found = named(faithfulness([asked("This is the left eye.", record=None), asked(None)]))
    assert found["supported"].value is None
    assert "1 answers without a record left out" in found["supported"].note


# --- agreement


def test_wordings_agree_where_their_labels_do() -> None:
    scored = [
        asked("Yes.", wording=0),
        asked("There is diabetic retinopathy.", wording=1),
        asked("No.", wording=2),
    ]
    of = named(agreement(scored), "wordings")["agreement"]
    assert (of.value, of.n) == (pytest.approx(1 / 3), 3)


def test_languages_are_paired_across_and_wordings_within() -> None:
    chinese = [asked("没有。", language="zh"), asked("有。", language="zh", wording=1)]
    found = agreement([asked("Yes."), *chinese])
    across = named(found, "languages")["agreement"]
    assert (across.value, across.n) == (0.5, 2)
    assert named(found, "wordings")["agreement"].n == 1


def test_a_pair_without_two_labels_is_left_out_and_counted() -> None:
    one = named(agreement([asked("Yes."), asked("Perhaps.", wording=1)]), "wordings")["agreement"]
    assert (one.value, one.n) == (None, 0)
    assert "1 pairs without two labels left out" in one.note


def test_options_agree_by_their_text_not_their_letter() -> None:
    one = Options((("A", "Glaucoma"), ("B", "Cataract")))
    turned = Options((("A", "Cataract"), ("B", "Glaucoma")))
    scored = [asked("A", one), asked("B", turned, wording=1)]
    assert named(agreement(scored), "wordings")["agreement"].value == 1.0


def test_labels_that_say_the_same() -> None:
    assert same_label(Value(100, 100, 100), Value(104, 104, 104))
    assert not same_label(Value(100, 100, 100), Value(110, 110, 110))
    listed = FoundTerms((("drusen", "present"), ("haemorrhage", "absent")))
    assert same_label(listed, FoundTerms((("drusen", "present"),)))
    assert not same_label(listed, FoundTerms((("drusen", "absent"),)))


def turns(*answers: str) -> list[Scored]:
    questions = [f"Question {number}?" for number in range(len(answers))]
    return [
        asked(answer, asked=f"t{at}", question=questions[at], before=tuple(questions[:at]))
        for at, answer in enumerate(answers)
    ]


def test_turns_of_one_conversation_are_found_in_their_order() -> None:
    scored = turns("A.", "B.", "C.")
    assert conversations([scored[2], scored[0], scored[1]]) == [scored]
    assert conversations(scored[:1]) == []


def test_turns_disagree_where_one_takes_back_what_the_other_said() -> None:
    agree = turns("There is diabetic retinopathy.", "The ICDR grade is 2.")
    assert named(agreement(agree), "turns")["agreement"].value == 1.0
    apart = turns("There is no diabetic retinopathy.", "The ICDR grade is 2.")
    assert named(agreement(apart), "turns")["agreement"].value == 0.0
    silent = turns("There is no diabetic retinopathy.", "This is the left eye.")
    assert named(agreement(silent), "turns")["agreement"].value is None


# --- knowledge

FACTS = [fact for fact in knowledge().facts if fact.condition == "glaucoma"]


def test_a_fact_in_its_own_words_is_recalled_and_another_is_not() -> None:
    for language in ("en", "zh"):
        for fact in FACTS[:8]:
            others = [one for one in FACTS[:8] if one.id != fact.id]
            text = fact.text(language)
            assert recalls(text, fact, language)
            wrongly = [one.id for one in others if recalls(text, one, language)]
            assert not wrongly


def test_recall_counts_the_facts_that_were_asked_for() -> None:
    said, missed = FACTS[0], FACTS[1]
    one = asked(said.en, truth=(said.id, missed.id))
    found = named(knowledge_scores([one]))
    assert (found["facts_recalled"].value, found["facts_recalled"].n) == (0.5, 2)


def test_a_sentence_that_no_fact_carries_is_unsupported() -> None:
    invented = "Glaucoma is cured by 40 mg of saffron every morning."
    assert judge_sentences(f"{FACTS[0].en} {invented}", FACTS, "en") == ["supported", "unsupported"]
    found = named(knowledge_scores([asked(invented, truth=(FACTS[0].id,))]), "knowledge")
    assert (found["supported"].value, found["unsupported"].value) == (0.0, 1.0)


def test_no_answer_recalls_nothing_in_silence() -> None:
    found = named(knowledge_scores([asked(None, truth=(FACTS[0].id,))]))
    assert found["facts_recalled"].value is None
