"""Free questions are mapped to what can be answered: written by hand, and by the composer."""

import json
import random
from pathlib import Path

import pytest

from fundoscope.converse.questions import ask
from fundoscope.records import LANGUAGES, Language
from fundoscope.serve.asked_about import Asked, asked, understood
from fundoscope.serve.replies import Message
from fundoscope.serve.urgency import urgent_symptoms

HERE = Path(__file__).parent
COMPOSED: dict[str, tuple[str, ...]] = {
    "lesions": ("lesions",),
    "disc": ("disc", "fovea"),
    "calibre": ("calibre",),
    "quality": ("quality",),
    "eye": ("eye",),
    "boxes": ("where",),
    "refraction": ("refraction",),
    "spread": ("spread",),
    "zones": ("zones",),
}
"""Topics of the composer's grammar, whose questions were not written for the assistant."""


def rows(language: Language, half: str) -> list[dict[str, object]]:
    text = (HERE / f"questions_{language}.jsonl").read_text("utf-8")
    return [row for row in map(json.loads, text.splitlines()) if row["half"] == half]


def right(row: dict[str, object]) -> bool:
    question = str(row["question"])
    if row["asks"] == "urgent":
        return bool(urgent_symptoms(question))
    found: Asked | None = None
    for earlier in row.get("before", []):  # type: ignore[attr-defined]
        found = understood(earlier, found)
    found = understood(question, found)
    wanted, _, side = str(row["asks"]).partition("@")
    topic, _, term = wanted.partition(":")
    if topic == "refuse":
        return found.refusal == term
    named = found.terms + found.quantities
    return found.topics[0] == topic and (not term or term in named) and side in ("", found.side)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("half", ["seen", "held out"])
def test_written_questions_are_understood(language: Language, half: str) -> None:
    known = rows(language, half)
    wrong = [row["question"] for row in known if not right(row)]
    assert len(known) >= 75
    assert len(wrong) <= 0.03 * len(known), wrong


@pytest.mark.parametrize("language", LANGUAGES)
def test_questions_of_the_composer_are_understood(language: Language) -> None:
    random_ = random.Random(7)
    asked_ = [(topic, ask(topic, language, random_)) for topic in COMPOSED for _ in range(30)]
    wrong = [q for topic, q in asked_ if understood(q).topics[0] not in COMPOSED[topic]]
    assert len(wrong) <= 0.1 * len(asked_), wrong


def test_a_follow_up_takes_over_what_was_spoken_of() -> None:
    first = understood("How many haemorrhages are there in the left eye?")
    assert understood("And where?", first).terms == ("haemorrhage",)
    assert understood("另一只眼呢？", understood("左眼的杯盘比是多少？")).side == "right"


def test_a_refusal_is_not_taken_over_by_a_follow_up() -> None:
    messages = [Message("user", "What dose should I give?"), Message("user", "and the left eye?")]
    assert asked(messages).refusal == ""


def test_a_question_without_words_asks_for_nothing() -> None:
    for text in ("", "???", "0x00", "\x00", "🙂"):
        assert understood(text).topics[0] == "unknown"


def test_ten_thousand_characters_are_read_in_a_moment() -> None:
    text = "is there glaucoma and where " * 400
    assert understood(text).topics


@pytest.mark.parametrize("unit", ["a", "not ", "(((", "no no ", "how how ", "，", "有没有"])
def test_no_pattern_runs_away(unit: str) -> None:
    understood(unit * 2000)
    urgent_symptoms(unit * 2000)
