"""Drafts of a language model: asked for, held against record and facts, mended, or refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

import yaml

from fundoscope.config import Endpoint
from fundoscope.converse.chat_client import ChatClient, Later, Refused, Stop, base_url, limit_field
from fundoscope.errors import EndpointError, FundoscopeError, ModelError
from fundoscope.knowledge.graph import Fact, knowledge
from fundoscope.records import Language
from fundoscope.serve.evidence import of_fact, of_statement, without_repeats
from fundoscope.serve.holding import Held, held
from fundoscope.serve.replies import Evidence, Message, Reply, Seen
from fundoscope.serve.spoken import Look, Spoken, looks_at
from fundoscope.verify.knowledge import without_marks

if TYPE_CHECKING:
    from fundoscope.models.answering import Answering

REPAIRS = 2
"""How often a draft is sent back with what is wrong in it."""
MOST_TURNS = 6
"""Messages of the conversation that a language model is shown."""
MOST_PROBLEMS = 6
Turns = Sequence[Mapping[str, str]]
"""Messages with `role` and `content`."""


class Drafter(Protocol):
    """Whatever words an answer: it may lie, for its words are checked."""

    @property
    def name(self) -> str:
        """What pages and replies call it."""

    def draft(self, turns: Turns, question: str, seen: Sequence[Seen]) -> str:
        """Return a draft; EndpointError or ModelError where there is none.

        Parameters
        ----------
        turns : rules, the talk so far, evidence and question; later, what was wrong.
        question : the user's own words alone.
        """


class EndpointDrafter:
    """A server that speaks OpenAI's chat completions; it is shown the evidence, no photograph."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._url = base_url(endpoint)

    @property
    def name(self) -> str:
        """As the server calls the model."""
        return self._endpoint.model

    def draft(self, turns: Turns, question: str, seen: Sequence[Seen]) -> str:
        """Return the server's words.

        Raises
        ------
        EndpointError
            If it refuses, or gives none in time.
        """
        body: dict[str, Any] = {"model": self._endpoint.model, "messages": list(turns)}
        body |= {limit_field(self._url): self._endpoint.max_tokens, **self._endpoint.body}
        if self._endpoint.temperature is not None:
            body["temperature"] = self._endpoint.temperature
        coded = json.dumps(body, ensure_ascii=False).encode()
        with ThreadPoolExecutor(1) as thread:  # whoever calls may have a loop of its own
            return thread.submit(asyncio.run, self._complete(coded)).result()

    async def _complete(self, body: bytes) -> str:
        try:
            async with ChatClient(self._endpoint) as client:
                return (await client.complete(body, uuid4().hex)).text
        except (Later, Refused, Stop) as problem:
            raise EndpointError(
                str(problem.args[0]), where=self.name, mend="check the server"
            ) from problem


class ModelDrafter:
    """A local checkpoint, which sees the photographs and is asked the question alone."""

    def __init__(self, engine: Answering, name: str) -> None:
        self._engine, self._name = engine, name

    @property
    def name(self) -> str:
        """Of the checkpoint's folder."""
        return self._name

    def draft(self, turns: Turns, question: str, seen: Sequence[Seen]) -> str:
        """Return the model's answer to the question; ModelError where it cannot answer."""
        talk = self._engine.talk(*(one.perceived.view.pixels for one in seen))
        return "".join(talk.ask(question))


@dataclass(frozen=True)
class Given:
    """What a draft may rest on."""

    evidence: tuple[Evidence, ...]
    facts: tuple[Fact, ...]
    """At the place of their mark; others stand where the evidence is no fact."""

    @classmethod
    def of(cls, offline: Spoken) -> Given:
        """Return the offline answer's evidence, facts first, so that marks count them."""
        facts = [one for one in offline.cited if one.kind == "fact"]
        known = _facts_by_id()
        others = [one for one in offline.cited if one.kind != "fact"]
        return cls((*facts, *others), tuple(known[one.id] for one in facts))


@cache
def _facts_by_id() -> dict[str, Fact]:
    return {fact.id: fact for fact in knowledge().facts}


def drafted(
    drafter: Drafter,
    messages: Sequence[Message],
    seen: Sequence[Seen],
    offline: Spoken,
    reply: Reply,
    repairs: int = REPAIRS,
) -> Reply:
    """Return the reply in a language model's words where they pass, else the offline reply.

    Parameters
    ----------
    offline, reply : the offline answer, its parts and as it would be shown. Its urgent beginning
        stays before a draft that passes.
    repairs : how often a draft that does not pass is sent back.
    """
    language, looks, given = reply.language, looks_at(seen), Given.of(offline)
    question = next((m.text for m in reversed(messages) if m.role == "user"), "")
    turns = first_turns(messages, given, language)
    for _ in range(repairs + 1):
        try:
            draft = drafter.draft(turns, question, seen).strip()
        except (EndpointError, ModelError) as problem:
            notice = _say("silent", language, name=drafter.name, why=_shown(problem))
            return replace(reply, notice=notice)
        found = held(draft, looks, given.facts, language)
        if not found.problems:
            return _passed(draft, drafter.name, found, looks, offline, reply)
        told = "\n".join(f"- {problem}" for problem in found.problems[:MOST_PROBLEMS])
        repair = {"role": "user", "content": f"{_say('repair', language)}\n{told}"}
        turns = [*turns, {"role": "assistant", "content": draft}, repair]
    return replace(reply, notice=_say("failed", language, name=drafter.name))


def first_turns(
    messages: Sequence[Message], given: Given, language: Language
) -> list[dict[str, str]]:
    """Return what a language model is asked: rules, the talk so far, evidence and question."""
    users = [m for m in messages if m.role != "system"]
    question = users[-1].text if users else ""
    lines = [f"[{number}] {one.words}" for number, one in enumerate(given.evidence, 1)]
    content = "\n".join(
        [_say("evidence", language), *lines, "", _say("question", language), question]
    )
    before = [{"role": m.role, "content": m.text} for m in users[:-1][-MOST_TURNS:]]
    return [
        {"role": "system", "content": _say("system", language)},
        *before,
        {"role": "user", "content": content},
    ]


def _passed(
    draft: str, name: str, found: Held, looks: Sequence[Look], offline: Spoken, reply: Reply
) -> Reply:
    """Return the reply in the draft's words, with the evidence of what it says."""
    evidence = [
        of_statement(statement, look.facts, look.places, reply.language, look.number)
        for number, statement in found.statements
        for look in looks
        if look.number == number
    ]
    evidence += [of_fact(fact, reply.language) for fact in found.facts]
    text = without_marks(draft)
    if reply.urgent:
        first = offline.urgent_text
        text = f"{first}\n{text}"
        evidence = [*offline.urgent_evidence, *evidence]
    return replace(reply, text=text, evidence=without_repeats(evidence), engine=name, refused="")


def _shown(problem: FundoscopeError) -> str:
    return " ".join(problem.what.split())[:120]


def _say(key: str, language: Language, **names: str) -> str:
    text = _words()[language][key]
    return text.format(**names) if names else text.strip()


@cache
def _words() -> dict[str, dict[str, str]]:
    file = files("fundoscope") / "serve" / "words" / "drafts.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))
