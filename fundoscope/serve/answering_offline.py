"""Offline answers: what is asked for, said from statements and facts alone, urgent things first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from fundoscope.records import Language
from fundoscope.serve.about_answers import say_next, say_sure, say_tools, say_why
from fundoscope.serve.about_conditions import suspected
from fundoscope.serve.about_knowledge import say_facet
from fundoscope.serve.about_photograph import tell
from fundoscope.serve.asked_about import ACTS, FACETS, UNKNOWN, Asked, asked, understood
from fundoscope.serve.comparing import say_compared
from fundoscope.serve.evidence import cited_as
from fundoscope.serve.labels import chosen, label_of
from fundoscope.serve.replies import Message, Reply, Seen
from fundoscope.serve.spoken import Look, Spoken, looks_at
from fundoscope.serve.urgency import say_urgent, urgent_symptoms

NOT_UNDERSTOOD = "not understood"
TALK = ("help", "hello", "thanks", "privacy")
GIVES_FINDINGS = ("injection", "diagnosis", "systemic")
"""Refusals that are followed by what the photograph gives."""


def reply_of(said: Spoken, question: Asked) -> Reply:
    """Return an offline answer as it is shown."""
    return Reply(
        said.text,
        said.language,
        said.cited,
        urgent=said.urgent,
        refused=said.refused,
        topics=(*question.topics, *question.terms),
    )


def spoken(
    messages: Sequence[Message], seen: Sequence[Seen], language: Language
) -> tuple[Spoken, Asked]:
    """Return the answer in its parts, and what was asked for."""
    question, looks, text = asked(messages), looks_at(seen), _last(messages)
    said = Spoken(language)
    say_urgent(said, messages, looks, question.plain)
    if said.urgent and urgent_symptoms(text) and understood(text).topics[0] in (UNKNOWN, *TALK):
        return said, replace(question, topics=("urgent",))
    if question.refusal:
        _refuse(said, looks, question)
    elif question.topics[0] == UNKNOWN:
        said.refused = NOT_UNDERSTOOD
        said.plain("unknown")
        said.plain("help")
    else:
        _answer(said, messages, looks, question, text)
    return said, question


def summary(seen: Sequence[Seen], language: Language) -> Spoken:
    """Return what the photographs give in brief, as evidence for a question of any kind."""
    said, looks = Spoken(language), looks_at(seen)
    _of_each(said, looks, looks, Asked(("summary",)), ("summary",))
    return said


def _last(messages: Sequence[Message]) -> str:
    return next((m.text for m in reversed(messages) if m.role == "user"), "")


def _refuse(said: Spoken, looks: Sequence[Look], question: Asked) -> None:
    """Say plainly why not, and what can be said."""
    said.refused = question.refusal
    said.plain(f"refuse.{question.refusal}")
    if question.refusal == "offtopic":
        said.plain("help")
    if question.refusal in GIVES_FINDINGS and not looks:
        said.plain("no_photograph")
    if question.refusal in GIVES_FINDINGS:
        _of_each(said, looks, looks, question, ("condition", "lesions"))


def _answer(
    said: Spoken, messages: Sequence[Message], looks: Sequence[Look], question: Asked, text: str
) -> None:
    topic = question.topics[0]
    if topic in TALK:
        said.plain(topic)
        if topic == "hello":
            said.plain("help")
        return
    if topic in FACETS:
        say_facet(said, looks, question, topic, text)
        return
    if topic == "tool":
        say_tools(said, looks, question)
        return
    if topic == "sources":
        _say_sources(said, messages, looks)
        return
    if not looks and not (topic in ("patient", "next", "sure", "why") and question.terms):
        said.plain("no_photograph")
        return
    wanted = chosen(looks, question, text)
    if looks and not wanted:
        said.plain("no_such_eye")
        for look in looks:
            said.label(label_of(look, looks, said.language), look)
            said.say(look, look.of("modality"))
        return
    if topic in ACTS:
        _act(said, looks, wanted, question, text)
    else:
        _of_each(said, looks, wanted, question, question.topics)


def _act(
    said: Spoken, looks: Sequence[Look], wanted: Sequence[Look], question: Asked, text: str
) -> None:
    topic = question.topics[0]
    if topic == "compare":
        say_compared(said, looks, question)
    elif topic == "next":
        say_next(said, wanted, question)
    elif topic in ("sure", "why") and not set(question.about) & set(FACETS):
        for look in wanted:
            if len(looks) > 1:
                said.label(label_of(look, looks, said.language), look)
            (say_sure if topic == "sure" else say_why)(said, look, question)
    elif topic in ("sure", "why"):
        said.plain("sure_facts" if topic == "sure" else "why_facts")
    else:
        _say_plainly(said, looks, wanted, question, text)


def _say_plainly(
    said: Spoken, looks: Sequence[Look], wanted: Sequence[Look], question: Asked, text: str
) -> None:
    """Say the last answer again as to a patient: facts in lay words, the photograph briefly."""
    question = replace(question, plain=True)
    facets = [topic for topic in question.about if topic in FACETS]
    if facets:
        say_facet(said, looks, question, facets[0], text)
        return
    about = tuple(t for t in question.about if t not in ACTS) or ("summary",)
    _of_each(said, looks, wanted, question, about)
    named = question.terms or tuple(t for look in wanted for t in suspected(look))
    if named:
        say_facet(said, looks, replace(question, terms=named, links=()), "visual", text)


def _of_each(
    said: Spoken,
    looks: Sequence[Look],
    wanted: Sequence[Look],
    question: Asked,
    topics: Sequence[str],
) -> None:
    """Say some topics of each photograph, by its name where there are several."""
    for look in wanted:
        if len(looks) > 1:
            said.label(label_of(look, looks, said.language), look)
        tell(said, look, question, topics)


def _say_sources(said: Spoken, messages: Sequence[Message], looks: Sequence[Look]) -> None:
    """Cite what the answer before rested on, as it would be answered again."""
    users = [m for m in messages if m.role == "user"]
    if len(users) < 2:
        said.plain("no_sources")
        return
    before, _ = spoken(users[:-1], [look.seen for look in looks], said.language)
    cited = [one for one in before.cited if one.kind == "fact"]
    if not cited:
        said.plain("no_sources")
        return
    said.plain("sources")
    lines = dict.fromkeys(f"- {cited_as(one)}" for one in cited)
    for line in lines:
        said.source(line)
    said.evidence += cited
