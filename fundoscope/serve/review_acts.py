"""From what a reviewer sends to an act in the ledger: the verifier looks at the words first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fundoscope.records import Conversation
from fundoscope.reviewed import Act, Acts, RefusedAct, Role, StaleAct, Standing, Which
from fundoscope.serve.review_items import Item, disputed_json, edited, item_of, own_acts_json
from fundoscope.serve.review_verdicts import ShownVerdict, shown_verdict
from fundoscope.serve.review_words import ActSaid, Draft


def verdict_on(run: Path, draft: Draft) -> ShownVerdict:
    """Return what the verifier says of words that are being typed.

    Raises
    ------
    UnknownDialogue, RefusedAct
        If there is no such dialogue, or its answer could not be read as one.
    """
    item = item_of(run, Which.of(draft.id))
    return shown_verdict(_in_other_words(item, draft), item.record)


def keep_act(run: Path, said: ActSaid) -> Act:
    """Keep what a reviewer did.

    Raises
    ------
    StaleAct, RefusedAct, UnknownDialogue, LedgerError
        See `Acts.add`; words that no export can hold are refused whatever the reason given.
    """
    item = item_of(run, Which.of(said.id))
    if item.version != said.version:
        raise StaleAct(
            "the dialogue has changed since it was shown",
            where=item.which.id,
            mend="load it again and look at the new words",
        )
    taken = _taken(item, said)
    problem = _problem(item, taken) if taken else ""
    is_edit = said.what == "edit"
    act = Act(
        who=said.who,
        which=item.which,
        what=said.what,
        version=said.version,
        saw=said.saw,
        token=said.token,
        role=said.role,
        reason=said.reason if said.what == "reject" or problem else "",
        problem=problem,
        before=item.conversation.turns if is_edit and item.conversation else (),
        after=taken.turns if is_edit and taken else (),
        places=tuple(turn.of for turn in said.turns) if is_edit else (),
        over=tuple(said.over) if said.role == "adjudicate" else (),
    )
    with Acts(run) as acts:
        return acts.add(act)


def _taken(item: Item, said: ActSaid) -> Conversation | None:
    """Return the words that an act accepts; None where it accepts none."""
    if said.what == "edit":
        return _in_other_words(item, said)
    return _readable(item) if said.what == "accept" else None


def _in_other_words(item: Item, said: Draft | ActSaid) -> Conversation:
    turns = ((turn.of, turn.question, turn.answer) for turn in said.turns)
    return edited(_readable(item), turns)


def _readable(item: Item) -> Conversation:
    if item.conversation is None:
        raise RefusedAct(
            "the engine's answer could not be read as a dialogue",
            where=item.which.id,
            mend="reject it",
        )
    return item.conversation


def _problem(item: Item, taken: Conversation) -> str:
    verdict = shown_verdict(taken, item.record)
    if verdict.impossible:
        raise RefusedAct(
            f"these words cannot be exported: {verdict.impossible}",
            where=item.which.id,
            mend="mend the words, or reject the dialogue",
        )
    return verdict.problem


def now_json(run: Path, which: Which, who: str, role: Role) -> dict[str, Any]:
    """Return where a dialogue stands for a reviewer, or for whoever adjudicates it."""
    with Acts(run) as acts:
        about = acts.about(which)
        now: Standing = acts.standing(which)
    if role == "adjudicate":
        refuse_reviewer(who, which, now)
        return disputed_json(who, about, now)
    return own_acts_json(who, about, now)


def refuse_reviewer(who: str, which: Which, now: Standing) -> None:
    """Keep both sides of a disagreement from those who are a side."""
    if who in now.reviews:
        raise RefusedAct(
            "whoever reviewed a dialogue does not adjudicate it",
            where=which.id,
            mend="let a third person decide",
        )
    if not now.disagreed:
        raise RefusedAct(
            "there is no disagreement about this dialogue", where=which.id, mend="go on"
        )
