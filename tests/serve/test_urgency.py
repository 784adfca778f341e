"""What cannot wait comes first, with its source; and only what somebody tells of as their own."""

import pytest

from fundoscope.serve.assistant import Assistant
from fundoscope.serve.replies import Message
from fundoscope.serve.urgency import urgent_symptoms
from fundoscope.testing.made_up_looks import made_up_look


def ask(*texts: str) -> list[Message]:
    talk: list[Message] = []
    for text in texts:
        talk.append(Message("user", text))
        talk.append(Message("assistant", Assistant().reply(talk, []).text))
    return talk


@pytest.mark.parametrize(
    "text",
    [
        "I suddenly lost the sight of my left eye",
        "since this morning he can't see with the right eye, suddenly",
        "my vision went black an hour ago",
        "I keep seeing flashes of light and new floaters",
        "there is a grey shadow coming from the side",
        "severe eye pain, red eye, I feel nauseous",
        "she got bleach in her eye",
        "lines look wavy since yesterday",
        "我突然看不见了",
        "眼前总有闪光，还有好多飞蚊",
        "眼睛又红又疼，还想吐",
        "石灰进了眼睛",
    ],
)
def test_urgent_symptoms_begin_the_answer(text: str) -> None:
    reply = Assistant().reply([Message("user", text)], [])
    assert reply.urgent
    assert reply.text.startswith(("Seek care now", "请立即就医"))


@pytest.mark.parametrize(
    "text",
    [
        "What are the symptoms of a retinal detachment?",
        "Which diseases cause flashes and floaters?",
        "No flashes, no floaters, no pain.",
        "He has no sudden loss of vision",
        "How is glaucoma treated?",
        "视网膜脱离有什么症状？",
        "没有闪光，也没有飞蚊",
        "Is the fovea in the picture?",
        "How many black pixels?",
    ],
)
def test_what_is_asked_in_general_or_denied_is_not_urgent(text: str) -> None:
    assert urgent_symptoms(text) == ()
    assert not Assistant().reply([Message("user", text)], []).urgent


def test_the_advice_stands_on_a_sourced_fact_of_urgency() -> None:
    reply = Assistant().reply([Message("user", "I see flashes and floaters")], [])
    assert [one.id.split(".")[1] for one in reply.evidence] == ["urgency"] * len(reply.evidence)
    assert reply.evidence and all(one.source and one.year for one in reply.evidence)


def test_where_no_fact_speaks_of_it_that_is_said() -> None:
    reply = Assistant().reply([Message("user", "acid splashed into my eye")], [])
    assert reply.urgent and not reply.evidence and "out of caution" in reply.text


def test_the_question_beside_urgent_symptoms_is_answered_too() -> None:
    text = "I suddenly lost vision in one eye. What is glaucoma?"
    reply = Assistant().reply([Message("user", text)], [])
    assert reply.text.startswith("Seek care now") and any(
        e.term == "glaucoma" for e in reply.evidence
    )


def test_what_the_record_suspects_is_urgent_where_a_fact_says_so_and_told_once() -> None:
    from fundoscope.records import Finding, Photograph, Record

    record = Record(
        Photograph("shown", "all", "u1"),
        findings=(Finding("central_retinal_artery_occlusion", "suspected", "made up"),),
    )
    seen = [made_up_look(record, name="c1")]
    first = Assistant().reply([Message("user", "What do you see?")], seen)
    assert first.urgent and first.text.startswith("Seek care now if this is new")
    assert any(e.id.startswith("central_retinal_artery_occlusion.urgency") for e in first.evidence)
    talk = [
        Message("user", "What do you see?"),
        Message("assistant", first.text),
        Message("user", "quality?"),
    ]
    assert not Assistant().reply(talk, seen).urgent


def test_a_suspicion_whose_urgent_facts_are_of_acute_attacks_is_not_urgent() -> None:
    seen = [made_up_look(probabilities={"glaucoma": 0.9}, name="c2")]
    assert not Assistant().reply([Message("user", "What do you see?")], seen).urgent
