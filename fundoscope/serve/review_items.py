"""One dialogue laid out for its reviewer: photograph, boxes, statements, facts, sentences, acts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2

from fundoscope.describe.statements import statements
from fundoscope.describe.wording import sentences
from fundoscope.export.photograph_files import existing
from fundoscope.ledger import Ledger
from fundoscope.read.photographs import read_pixels
from fundoscope.records import Conversation, Dialogue, Record, Reject, Statement, Turn
from fundoscope.reviewed import Act, Standing, UnknownDialogue, Which
from fundoscope.serve.review_verdicts import ShownVerdict, plain, shown_verdict
from fundoscope.verify.knowledge import facts_of_turns

SHOWN_PX = 1600
"""Longest side of the photograph as it is shown."""
JPEG_QUALITY = 88


@dataclass(frozen=True, slots=True)
class Item:
    """A dialogue of the run and what was made of it."""

    which: Which
    version: str
    record: Record
    conversation: Conversation | None
    """None where the engine's answer could not be read as one."""
    state: Literal["kept", "rejected"]
    reason: str
    """Why the verifier rejected it; empty where it did not."""
    raw: str
    """The engine's own words, where they could not be read."""


def item_of(run: Path, which: Which) -> Item:
    """Return a dialogue of a run.

    Raises
    ------
    UnknownDialogue
        If the run does not hold it.
    """
    with Ledger(run) as ledger:
        found = ledger.found(*which)
    if found is None:
        raise UnknownDialogue(
            "the run holds no such dialogue", where=which.id, mend="load the queue again"
        )
    thing, version = found
    if isinstance(thing, Dialogue):
        return Item(which, version, thing.record, thing.conversation, "kept", "", "")
    assert isinstance(thing, Reject)
    return Item(
        which, version, thing.record, thing.conversation, "rejected", thing.reason, thing.raw
    )


def edited(conversation: Conversation, turns: Iterable[tuple[int, str, str]]) -> Conversation:
    """Return a conversation in other words.

    Parameters
    ----------
    turns : (index of the turn that it was, question, answer); one that is missing is left out

    Raises
    ------
    UnknownDialogue
        If an index is not that of a turn, or they are out of order.
    """
    said = list(turns)
    indices = [index for index, _, _ in said]
    if indices != sorted(set(indices)) or not all(
        0 <= index < len(conversation.turns) for index in indices
    ):
        raise UnknownDialogue("an edit names turns that there are not", mend="load it again")
    words = (
        replace(conversation.turns[index], question=question.strip(), answer=answer.strip())
        for index, question, answer in said
    )
    return replace(conversation, turns=tuple(words))


def item_json(item: Item) -> dict[str, Any]:
    """Return a dialogue as the page shows it, without anybody's acts."""
    record, photograph = item.record, item.record.photograph
    said = statements(record)
    return {
        "id": item.which.id,
        "version": item.version,
        "key": record.key,
        "dataset": photograph.dataset,
        "track": item.which.track,
        "language": item.which.language,
        "state": item.state,
        "reason": item.reason,
        "raw": item.raw,
        "engine": item.conversation.engine if item.conversation else "",
        "model": item.conversation.model if item.conversation else "",
        "licence": record.licence,
        "photograph": _photograph(record),
        "topic": record.topic,
        "boxes": list(_boxes(record)),
        "statements": [
            _statement(n, one, item.which.language) for n, one in enumerate(said)
        ],
        "turns": turns_json(item.conversation.turns) if item.conversation else [],
        "facts": _facts(item.conversation) if item.conversation else {},
        "verdict": (
            verdict_json(shown_verdict(item.conversation, record)) if item.conversation else None
        ),
    }  # fmt: skip


def _photograph(record: Record) -> dict[str, Any] | None:
    photograph = record.photograph
    if not photograph.modality or not photograph.file:
        return None
    return {
        "width_px": photograph.width_px,
        "height_px": photograph.height_px,
        "eye": photograph.eye,
        "modality": photograph.modality.replace("_", " "),
    }


def _boxes(record: Record) -> Iterator[dict[str, Any]]:
    for lesion in record.lesions:
        yield {
            "kind": lesion.kind,
            "name": lesion.kind.replace("_", " "),
            "box": lesion.box,
            "count": lesion.count,
            "source": lesion.source,
        }
    for structure in record.structures:
        yield {
            "kind": structure.term,
            "name": structure.term.replace("_", " "),
            "box": structure.box,
            "count": 1,
            "source": structure.source,
        }


def _statement(number: int, said: Statement, language: str) -> dict[str, Any]:
    worded = sentences([said], "zh" if language == "zh" else "en")
    return {
        "id": f"s{number}",
        "words": " ".join(worded),
        "plain": plain(said),
        "source": said.source,
        "box": said.value if isinstance(said.value, tuple) else None,
        "kind": said.term,
    }


def _facts(conversation: Conversation) -> dict[str, dict[str, Any]]:
    """Return the facts that the turns of a dialogue may say, by id."""
    known: dict[str, dict[str, Any]] = {}
    if not any(turn.facts for turn in conversation.turns):
        return known
    for facts in facts_of_turns(conversation):
        for fact in facts:
            known[fact.id] = {
                "text": fact.text(conversation.language),
                "source": f"{fact.source.cite} ({fact.source.year})",
                "link": fact.source.link,
            }
    return known


def turns_json(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Return turns as the page shows them."""
    return [{"question": turn.question, "answer": turn.answer} for turn in turns]


def verdict_json(verdict: ShownVerdict) -> dict[str, Any]:
    """Return a verdict as the page shows it."""
    return asdict(verdict)


def act_json(act: Act) -> dict[str, Any]:
    """Return an act as the page shows it, to whoever may see it."""
    return {
        "id": act.id,
        "at": act.at,
        "who": act.who,
        "what": act.what,
        "reason": act.reason,
        "problem": act.problem,
        "turns": [
            {"of": of, "question": turn.question, "answer": turn.answer}
            for of, turn in zip(act.places, act.after, strict=True)
        ],
    }


def own_acts_json(who: str, acts: Sequence[Act], now: Standing) -> dict[str, Any]:
    """Return what a reviewer did with a dialogue, and nothing of what others did."""
    mine = now.reviews.get(who)
    return {
        "head": now.heads.get(("review", who), 0),
        "mine": act_json(mine) if mine else None,
        "history": [act_json(a) for a in acts if a.who == who and a.role == "review"],
    }


def disputed_json(who: str, acts: Sequence[Act], now: Standing) -> dict[str, Any]:
    """Return both sides of a dialogue that two reviewers judged differently."""
    return {
        "head": now.heads.get(("adjudicate", ""), 0),
        "mine": act_json(now.adjudication) if now.adjudication else None,
        "history": [act_json(a) for a in acts if a.role == "adjudicate"],
        "over": list(now.over),
        "reviews": [act_json(act) for _, act in sorted(now.reviews.items())],
    }


def photograph_jpeg(run: Path, record: Record) -> bytes:
    """Return a photograph as a JPEG of at most `SHOWN_PX`, upright, nothing of its header in it.

    Raises
    ------
    PhotographError, ConfigError
        If it is not there or cannot be read.
    """
    with Ledger(run) as ledger:
        folder = (ledger.recall("job") or {}).get("photographs")
    pixels = read_pixels(existing(Path(folder) if folder else None, record.photograph))
    height, width = pixels.shape[:2]
    shrink = SHOWN_PX / max(height, width)
    if shrink < 1:
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return jpeg.tobytes()
