"""Every offline answer is held: by the record, by facts word for word, or by claiming nothing."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from fundoscope import terms
from fundoscope.records import LANGUAGES, Eye, Language, Measured, Photograph, Record, Structure
from fundoscope.serve.answering_offline import spoken
from fundoscope.serve.assistant import Assistant, language_of, pieces
from fundoscope.serve.holding import part_problems
from fundoscope.serve.replies import Message, Reply, Seen
from fundoscope.serve.spoken import looks_at
from fundoscope.testing.made_up_looks import made_up_look
from fundoscope.testing.made_up_records import synthetic_records

HERE = Path(__file__).parent
QUESTIONS: dict[Language, list[str]] = {
    language: [
        json.loads(line)["question"]
        for line in (HERE / f"questions_{language}.jsonl").read_text("utf-8").splitlines()
    ]
    for language in LANGUAGES
}
DISC = Structure("optic_disc", (0.6, 0.4, 0.7, 0.55), "made up")


SIDES: tuple[tuple[float, Eye], ...] = ((0.41, "left"), (0.72, "right"))


def measured(cdr: float, eye: str = "", repeatability: float | None = 0.02) -> Record:
    value = Measured("cdr_vertical", cdr, "1", "fundoscope", "1", repeatability=repeatability)
    return Record(
        Photograph("shown", "all", eye or "one"), structures=(DISC,), measurements=(value,)
    )


def ask(question: str, *seen: Seen, language: Language | None = None) -> Reply:
    return Assistant().reply([Message("user", question)], seen, language)


def looks_of_all_kinds() -> list[tuple[Seen, ...]]:
    shown: list[tuple[Seen, ...]] = [
        (made_up_look(record, name=f"{n:x}"),) for n, record in enumerate(synthetic_records(12))
    ]
    suspects = {
        "diabetic_retinopathy": 0.9,
        "glaucoma": 0.1,
        "age_related_macular_degeneration": 0.5,
    }
    two = [
        made_up_look(measured(cdr), name=f"e{cdr}", eye=eye, probabilities=suspects)
        for cdr, eye in SIDES
    ]
    return [
        *shown,
        (),
        (made_up_look(probabilities=suspects, name="aa"),),
        (made_up_look(quality="reject", name="ab"),),
        (made_up_look(kind="ultra_wide", name="ac"),),
        (made_up_look(kind="not_a_fundus_photograph", name="ad"),),
        tuple(two),
        tuple(replace(one, visit=visit) for one, visit in zip(two, ("2022", "2024"), strict=True)),
    ]


SHOWN = looks_of_all_kinds()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("number", range(len(SHOWN)))
def test_every_part_of_every_offline_answer_is_held(number: int, language: Language) -> None:
    seen = SHOWN[number]
    random_ = random.Random(number)
    messages: list[Message] = []
    for question in random_.sample(QUESTIONS[language], 60):
        messages = [*messages[-4:], Message("user", question)]
        said, _ = spoken(messages, seen, language)
        looks = looks_at(seen)
        problems = [
            problem
            for part in said.parts
            for problem in part_problems(
                part, looks[part.photograph] if part.photograph < len(looks) else None, language
            )
        ]
        assert problems == [], question
        assert said.text, question
        messages.append(Message("assistant", said.text))


def test_a_number_that_no_statement_says_is_not_held() -> None:
    seen = made_up_look(measured(0.41), name="f1")
    said, _ = spoken([Message("user", "cup to disc ratio?")], [seen], "en")
    part = next(part for part in said.parts if "0.41" in part.text)
    lie = replace(part, text=part.text.replace("0.41", "0.47"))
    assert list(part_problems(part, looks_at([seen])[0], "en")) == []
    assert list(part_problems(lie, looks_at([seen])[0], "en")) != []


def test_a_fact_with_a_word_turned_is_not_held() -> None:
    said, _ = spoken([Message("user", "What is glaucoma?")], [], "en")
    part = next(part for part in said.parts if part.kind == "fact")
    assert list(part_problems(part, None, "en")) == []
    assert list(
        part_problems(replace(part, text=part.text.replace(" is ", " is not ", 1)), None, "en")
    )


def test_a_value_is_cited_with_statement_unit_and_repeatability() -> None:
    reply = ask("What is the cup-to-disc ratio?", made_up_look(measured(0.41), name="f2"))
    value = next(one for one in reply.evidence if one.term == "cdr_vertical")
    assert (value.kind, value.id, value.value, value.unit) == ("statement", "s2", 0.41, "1")
    assert (value.repeatability, value.layer, value.tool) == (0.02, "disc_cup", "fundoscope")
    place = next(one for one in reply.evidence if one.term == "optic_disc")
    assert place.box == DISC.box and place.layer == "disc_cup"


def test_a_medical_sentence_is_cited_with_source_and_year() -> None:
    reply = ask("How is glaucoma treated?")
    assert reply.evidence
    for one in reply.evidence:
        assert one.kind == "fact" and one.id.startswith("glaucoma.") and one.source
        assert one.year and 1950 < one.year < 2027
        assert one.words[1:] in reply.text or one.words.split(" ", 3)[-1] in reply.text


def test_nothing_suspected_is_never_worded_as_healthy() -> None:
    reply = ask("Is this eye healthy?", made_up_look(name="f3"))
    assert "Nothing is suspected by the network" in reply.text
    assert not {"healthy", "normal"} & set(reply.text.lower().replace(".", " ").split())


def test_a_suspicion_is_told_with_its_probability_and_as_no_diagnosis() -> None:
    seen = made_up_look(probabilities={"glaucoma": 0.62}, name="f4")
    reply = ask("Is there glaucoma?", seen)
    assert "Suspected, not certain: glaucoma" in reply.text and "0.62" in reply.text
    assert any(e.kind == "photograph" and e.value == 0.62 for e in reply.evidence)


def test_a_condition_that_no_network_looks_for_is_not_assessed() -> None:
    reply = ask("Is there an epiretinal membrane?", made_up_look(name="f5"))
    assert "not assessed" in reply.text and "no network here looks for it" in reply.text


def test_each_eye_is_told_by_its_name() -> None:
    left = made_up_look(measured(0.41), name="f6", eye="left")
    right = made_up_look(measured(0.72), name="f7", eye="right")
    messages = [Message("user", "cup to disc ratio in the right eye?")]
    first = Assistant().reply(messages, [left, right])
    assert "0.72" in first.text and "0.41" not in first.text
    messages += [Message("assistant", first.text), Message("user", "and the other eye?")]
    second = Assistant().reply(messages, [left, right])
    assert second.text.startswith("Left eye:") and "0.41" in second.text
    assert {one.photograph for one in second.evidence} == {0}


def test_an_eye_that_was_not_shown_is_not_answered_from_the_other() -> None:
    right = made_up_look(measured(0.72), name="f8", eye="right")
    reply = ask("What is the cup-to-disc ratio of the left eye?", right)
    assert "No photograph of that eye was shown" in reply.text and "0.72" not in reply.text


@pytest.mark.parametrize(
    ("later", "words"),
    [(0.44, "within measurement error"), (0.60, "beyond measurement error")],
)
def test_a_change_is_called_so_only_beyond_repeatability(later: float, words: str) -> None:
    # a repeatability of 0.02 is a limit of 1.96 sqrt(pi / 2) 0.02 = 0.049: 0.03 lies within
    before = made_up_look(measured(0.41), name="f9", eye="left", visit="2022")
    after = made_up_look(measured(later), name="fa", eye="left", visit="2024")
    reply = ask("Has the cup-to-disc ratio changed?", before, after)
    assert words in reply.text
    assert reply.text.count("2022:") and reply.text.count("2024:")


def test_without_a_known_repeatability_no_change_is_claimed() -> None:
    looks = [
        made_up_look(measured(cdr, repeatability=None), name=f"fb{cdr}", visit=visit)
        for cdr, visit in ((0.2, "2022"), (0.8, "2024"))
    ]
    assert "no change can be claimed" in ask("Compare the CDR of both visits", *looks).text


def test_one_photograph_cannot_be_compared() -> None:
    assert "nothing to compare it with" in ask("Compare both eyes", made_up_look(name="fc")).text


def test_an_answer_comes_in_the_language_of_the_question() -> None:
    seen = made_up_look(name="fd")
    assert ask("照片质量怎么样？", seen).language == "zh"
    assert ask("How good is it?", seen).language == "en"
    assert ask("照片质量怎么样？", seen, language="en").text.isascii()
    assert language_of([Message("user", "你好"), Message("user", "??")]) == "zh"


def test_what_is_streamed_is_the_reply() -> None:
    messages = [Message("user", "照片质量怎么样？")]
    *words, reply = Assistant().stream(messages, [made_up_look(name="fe")])
    assert isinstance(reply, Reply) and "".join(map(str, words)) == reply.text and len(words) > 3
    assert "".join(pieces("a  b\nc ")) == "a  b\nc "


def test_how_sure_tells_repeatability_and_what_is_not_in_it() -> None:
    messages = [
        Message("user", "What is the CDR?"),
        Message("assistant", "-"),
        Message("user", "How sure are you?"),
    ]
    reply = Assistant().reply(messages, [made_up_look(measured(0.41), name="ff")])
    assert "0.0200" in reply.text and "Camera, focus and outlining" in reply.text


def test_sources_of_the_last_answer_are_listed() -> None:
    messages = [Message("user", "What is glaucoma?"), Message("assistant", "-")]
    first = Assistant().reply(messages[:1], [])
    reply = Assistant().reply([*messages, Message("user", "What are your sources?")], [])
    for one in first.evidence:
        assert one.source in reply.text and str(one.year) in reply.text


def test_a_patient_is_told_in_the_words_of_facts_for_patients() -> None:
    messages = [Message("user", "How is glaucoma treated?"), Message("assistant", "-")]
    reply = Assistant().reply([*messages, Message("user", "Explain that for a patient")], [])
    ids = {one.id for one in reply.evidence}
    from fundoscope.knowledge.graph import facts_of

    assert ids and ids <= {f.id for f in facts_of("glaucoma", "treatment", "patient")}


def test_next_cites_no_fact_about_eyes_without_the_suspected_condition() -> None:
    seen = made_up_look(probabilities={"diabetic_retinopathy": 0.9}, name="b1")
    reply = ask("What should happen next?", seen)
    facts = [one.words for one in reply.evidence if one.kind == "fact"]
    assert facts and not [words for words in facts if " no " in words or "without" in words]


def test_a_question_that_cannot_be_mapped_gets_what_can_be_asked() -> None:
    reply = ask("blorp?", made_up_look(name="b2"))
    assert reply.refused == "not understood" and "You can ask" in reply.text


def test_labels_of_visits_bring_no_markup() -> None:
    looks = [
        made_up_look(measured(0.4), name=f"b{n}", visit=visit)
        for n, visit in ((3, "<img src=x onerror=alert(1)>"), (4, "2024"))
    ]
    assert "<" not in ask("cup to disc ratio?", *looks).text


def test_all_conditions_can_be_asked_about_in_both_languages() -> None:
    for term in terms.conditions().values():
        for question, language in (
            (f"What is {term.en[0]}?", "en"),
            (f"什么是{term.zh[0]}？", "zh"),
        ):
            assert Assistant().reply([Message("user", question)], [], language).text  # type: ignore[arg-type]
