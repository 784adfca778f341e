"""A rewrite may change words, nothing else. Every person here is invented."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope.converse.consultation_records import Consultation, ConsultationTurn
from fundoscope.converse.consultation_rewrites import added_by
from fundoscope.converse.consultations import (
    ConsultationConfig,
    RejectedConsultation,
    consultations,
)

ASKED = "My OCT shows macular oedema of 412 microns. I have no retinal detachment."
ANSWERED = "Macular oedema is often treated with monthly injections."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    turns = [{"role": "patient", "text": ASKED}, {"role": "doctor", "text": ANSWERED}]
    path = tmp_path / "one.jsonl"
    path.write_text(json.dumps({"id": "1", "turns": turns}) + "\n", "utf-8")
    return path


def answering(text: str) -> Callable[[Consultation], Consultation]:
    """Return a rewrite that puts another answer in place of the doctor's."""

    def rewrite(one: Consultation) -> Consultation:
        return replace(one, turns=(one.turns[0], ConsultationTurn("doctor", text)))

    return rewrite


def outcome(
    file: Path, rewrite: Callable[[Consultation], Consultation], *facts: str
) -> Consultation | RejectedConsultation:
    (one,) = consultations(file, ConsultationConfig(facts=facts), rewrite)
    return one


def test_other_words_for_the_same_are_kept(file: Path) -> None:
    made = outcome(
        file, answering("Doctors often treat macular oedema with injections each month.")
    )
    assert isinstance(made, Consultation)
    assert made.turns[1].text == "Doctors often treat macular oedema with injections each month."


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Macular oedema needs 3 injections.", "the rewrite adds the number 3"),
        ("Macular oedema and glaucoma need injections.", "the rewrite adds glaucoma"),
        ("Macular oedema comes from diabetes.", "the rewrite adds diabetes"),
        ("  ", "the rewrite has an empty turn"),
    ],
)
def test_what_a_rewrite_adds_is_refused_by_name(file: Path, text: str, reason: str) -> None:
    made = outcome(file, answering(text))
    assert isinstance(made, RejectedConsultation)
    assert made.reason.startswith(reason)


def test_a_denial_that_is_turned_round_is_refused(file: Path) -> None:
    made = outcome(file, answering("You have a retinal detachment and macular oedema."))
    assert isinstance(made, RejectedConsultation)
    assert made.reason == "the rewrite adds present retinal_detachment"


def test_given_facts_may_be_drawn_on(file: Path) -> None:
    text = "Macular oedema needs 3 injections."
    made = outcome(file, answering(text), "Treatment often starts with 3 injections.")
    assert isinstance(made, Consultation)


def test_a_name_that_a_rewrite_brings_is_hidden_again(file: Path) -> None:
    made = outcome(file, answering("Dr. Quispe often treats macular oedema with injections."))
    assert isinstance(made, Consultation)
    assert made.turns[1].text.startswith("Dr. [DOCTOR NAME] often")
    assert made.placeholders == {"doctor": 1}


def test_what_a_rewrite_leaves_suspicious_is_refused(file: Path) -> None:
    made = outcome(file, answering("Macular oedema is treated; write to me a b@c ."))
    assert isinstance(made, RejectedConsultation)
    assert made.reason.startswith("may name a person or place")


def test_dangerous_advice_of_a_rewrite_is_refused(file: Path) -> None:
    made = outcome(file, answering("For macular oedema stop your drops on your own."))
    assert isinstance(made, RejectedConsultation)
    assert made.reason == "dangerous advice: stopping_medicine_alone"


def test_a_rewrite_cannot_take_the_advice_away(tmp_path: Path) -> None:
    turns = [
        {"role": "patient", "text": "右眼突然看不见，是视网膜脱离吗？"},
        {"role": "doctor", "text": "视网膜脱离可能，请立即去医院急诊。"},
    ]
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps({"id": "1", "turns": turns}) + "\n", "utf-8")
    made = outcome(file, answering("视网膜脱离可能。"))
    assert isinstance(made, RejectedConsultation)
    assert made.reason.startswith("urgent symptom without the advice")


def test_a_rewrite_keeps_the_order_of_speakers(file: Path) -> None:
    def turned(one: Consultation) -> Consultation:
        return replace(one, turns=one.turns[::-1])

    made = outcome(file, turned)
    assert isinstance(made, RejectedConsultation)
    assert made.reason == "the rewrite does not alternate from the patient to the doctor"


def test_a_rewrite_cannot_change_its_own_record(file: Path) -> None:
    def boasting(one: Consultation) -> Consultation:
        return replace(one, score=999.0, removed=(), placeholders={"person": 9})

    made = outcome(file, boasting)
    assert isinstance(made, Consultation)
    assert made.score < 999
    assert made.placeholders == {}


def test_chinese_numbers_are_numbers_too() -> None:
    def one(answer: str) -> Consultation:
        turns = (ConsultationTurn("patient", "黄斑水肿？"), ConsultationTurn("doctor", answer))
        return Consultation("1", "zh", "", turns, 3.0, {}, ())

    assert added_by(one("打三针。"), one("打针。")) == "the rewrite adds the number 三"
    assert added_by(one("先打三针。"), one("打三针。")) == ""
