"""The composer is faithful, varied, and the same for the same seed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.converse.composer import compose, tracks
from fundoscope.converse.questions import ask, topics, variety
from fundoscope.errors import ConfigError
from fundoscope.records import LANGUAGES, Finding, Grade, Language, Measured, Photograph, Record
from fundoscope.testing import synthetic_record
from fundoscope.verify.check import judge
from fundoscope.verify.claims import claims
from fundoscope.verify.style import question_leak

EYE = Photograph("aptos", "train", "000c1434d8d7")
GRADE_ONLY = Record(EYE, grades=(Grade("icdr", 0, "aptos"),))


@settings(max_examples=400, deadline=None)
@given(
    st.integers(0, 10**7), st.integers(0, 99), st.sampled_from(LANGUAGES), st.sampled_from(tracks())
)
def test_whatever_the_record_the_composer_is_faithful(
    number: int, seed: int, language: Language, track: str
) -> None:
    record = synthetic_record(number)
    conversation = compose(record, track, language, seed)
    verdict = judge(conversation, record)
    assert verdict.kept, (verdict.reason, record)


def test_the_same_seed_gives_the_same_words_and_another_seed_others() -> None:
    assert compose(GRADE_ONLY, "instruction", "en", 1) == compose(
        GRADE_ONLY, "instruction", "en", 1
    )
    texts = {compose(GRADE_ONLY, "instruction", "en", seed).turns for seed in range(20)}
    assert len(texts) > 15


def test_an_instruction_has_three_to_six_turns_and_every_number_occurs() -> None:
    counts = {len(compose(GRADE_ONLY, "instruction", "en", seed).turns) for seed in range(60)}
    assert counts == {3, 4, 5, 6}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_retinopathy_is_never_called_health(language: Language) -> None:
    for seed in range(200):
        for turn in compose(GRADE_ONLY, "instruction", language, seed).turns:
            for claim in claims(turn.answer, language):
                assert claim.statement.term not in ("normal_fundus", "abnormality"), turn


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_vessel_answer_holds_several_values(language: Language) -> None:
    names = ("crae_knudtson", "crve_knudtson", "avr_knudtson")
    values = (155.5, 227.6, 0.683)
    record = Record(
        EYE,
        measurements=tuple(
            Measured(name, value, "1" if name[0] == "a" else "um", "AutoMorph", where="zone_b")
            for name, value in zip(names, values, strict=True)
        ),
    )
    for seed in range(30):
        answers = [t.answer for t in compose(record, "instruction", language, seed).turns]
        numbers = [
            c for a in answers for c in claims(a, language) if isinstance(c.statement.value, float)
        ]
        assert len(numbers) >= 2


def test_asked_for_what_was_not_measured_it_refuses() -> None:
    answers = [
        turn.answer
        for seed in range(60)
        for turn in compose(GRADE_ONLY, "instruction", "en", seed).turns
        if turn.aspects == ("ask_vessels",)
    ]
    assert answers
    for answer in answers:
        assert {c.statement.value for c in claims(answer, "en")} == {"unmeasured"}


def found(name: str) -> Record:
    return Record(EYE, findings=(Finding(name, "present", "odir"),))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            Record(EYE, grades=(Grade("icdr", 0, "x"),)),
            Record(EYE, grades=(Grade("icdr", 4, "x"),)),
        ),
        (found("normal_fundus"), found("glaucoma")),
        (found("drusen"), found("cataract")),
    ],
)
def test_what_is_asked_does_not_depend_on_what_was_found(one: Record, other: Record) -> None:
    """Else a question would give the answer away."""
    for seed in range(60):
        topics_asked = [
            sorted(t.aspects for t in compose(r, "instruction", "en", seed).turns)
            for r in (one, other)
        ]
        assert topics_asked[0] == topics_asked[1]


def test_a_healthy_eye_is_never_concluded_from_a_grade_and_illness_is_said() -> None:
    def answers(record: Record) -> set[str]:
        turns = (t for n in range(80) for t in compose(record, "instruction", "en", n).turns)
        return {turn.answer for turn in turns if turn.aspects == ("scope",)}

    assert all("ICDR scale speaks only of" in answer for answer in answers(GRADE_ONLY))
    assert all("abnormality" in answer for answer in answers(found("glaucoma")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_topic_can_be_asked_in_a_hundred_ways(language: Language) -> None:
    assert {t: variety(t, language) for t in topics(language) if variety(t, language) < 100} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_question_of_the_grammar_knows_too_much(language: Language) -> None:
    import random

    rng = random.Random(0)
    name = "glaucoma" if language == "en" else "青光眼"
    for topic in topics(language):
        for _ in range(300):
            question = ask(topic, language, rng, name=name)
            assert question_leak(question, language) == "", (topic, question)
            assert "[" not in question and "|" not in question and "{" not in question


def test_an_unknown_track_offers_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'instruction'"):
        compose(GRADE_ONLY, "instructions", "en")
