"""What reviewers did with the dialogues of a run: rows in its ledger, added and never changed.

An act names the act that its reviewer saw last, so that two windows cannot undo each other
unseen; and the version of the dialogue, so that it counts for the words that were judged and no
others. Taking an act back is one more act. Once `Acts.add` has returned, a kill or a power cut
loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

from fundoscope.errors import LedgerError
from fundoscope.ledger import FILE_NAME, Ledger, version_of, writers_lock
from fundoscope.records import Turn

What = Literal["accept", "edit", "reject", "undo"]
Role = Literal["review", "adjudicate"]
Outcome = Literal["", "accepted", "rejected", "disputed"]
"""What became of a dialogue; empty where nobody has judged it as it stands."""

LOCK_WAIT_S = 5.0
"""How long an act waits for whoever else is writing the run."""

_TABLE = """
CREATE TABLE IF NOT EXISTS acts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, who TEXT NOT NULL,
    role TEXT NOT NULL CHECK (role IN ('review', 'adjudicate')),
    record TEXT NOT NULL, track TEXT NOT NULL, language TEXT NOT NULL, version TEXT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('accept', 'edit', 'reject', 'undo')),
    saw INTEGER NOT NULL, reason TEXT NOT NULL, problem TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, places TEXT NOT NULL, over TEXT NOT NULL,
    token TEXT NOT NULL UNIQUE);
CREATE INDEX IF NOT EXISTS acts_by_dialogue ON acts (record, track, language, id);
CREATE INDEX IF NOT EXISTS acts_by_reviewer ON acts (who, id);
CREATE TRIGGER IF NOT EXISTS acts_stay BEFORE UPDATE ON acts
    BEGIN SELECT RAISE(ABORT, 'an act is never changed'); END;
CREATE TRIGGER IF NOT EXISTS acts_remain BEFORE DELETE ON acts
    BEGIN SELECT RAISE(ABORT, 'an act is never deleted'); END;
CREATE TRIGGER IF NOT EXISTS acts_are_new BEFORE INSERT ON acts
    WHEN EXISTS (SELECT 1 FROM acts WHERE id = NEW.id OR token = NEW.token)
    BEGIN SELECT RAISE(ABORT, 'an act is never replaced'); END;
"""
_COLUMNS = (
    "id, at, who, role, record, track, language, version, what, saw, reason, problem, before,"
    " after, places, over, token"
)


class StaleAct(LedgerError):
    """An act that was made without having seen the last one, or of words that have changed."""


class RefusedAct(LedgerError):
    """An act that may not be: no reason, nothing to take back, a judge in their own case."""


class UnknownDialogue(LedgerError):
    """A dialogue that the run does not hold."""


class Which(NamedTuple):
    """A dialogue of a run."""

    record: str
    """Key of the record."""
    track: str
    language: str

    @property
    def id(self) -> str:
        """`dataset/split/id/track/language`, as in every export."""
        return "/".join(self)

    @classmethod
    def of(cls, id: str) -> Which:
        """Return what an id names; UnknownDialogue where it names none."""
        parts = id.rsplit("/", 2)
        if len(parts) != 3 or not all(parts):
            raise UnknownDialogue(
                f"{id!r} names no dialogue", mend="dataset/split/id/track/language"
            )
        return cls(*parts)


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that a reviewer did with one dialogue."""

    who: str
    which: Which
    what: What
    """`edit` accepts the dialogue in other words; `undo` takes the last act back."""
    version: str
    """Of the dialogue and its record, as they were seen (`ledger.version_of`)."""
    saw: int
    """Id of the last act of the chain that was seen; 0 where there was none."""
    token: str
    """Chosen by whoever sends the act, so that one sent twice is kept once."""
    role: Role = "review"
    reason: str = ""
    """Why it was rejected; or why it is accepted although the verifier objects."""
    problem: str = ""
    """What the verifier found wrong with the words accepted; empty where nothing."""
    before: tuple[Turn, ...] = ()
    """The dialogue's own words, kept beside those of an edit."""
    after: tuple[Turn, ...] = ()
    """The words of an edit."""
    places: tuple[int, ...] = ()
    """Which turns of the dialogue, from 0, those of the edit were."""
    over: tuple[int, ...] = ()
    """Ids of the acts that an adjudication decided between."""
    id: int = 0
    at: str = ""
    """When it was written, UTC, ISO 8601."""

    @property
    def decision(self) -> tuple[str, tuple[Turn, ...]]:
        """What two reviewers must share to be of one mind: the verb, and the words of an edit."""
        return self.what, self.after


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a dialogue stands by the acts about it that still count."""

    reviews: Mapping[str, Act] = field(default_factory=dict)
    """By reviewer: the last act that was not taken back."""
    adjudication: Act | None = None
    """The last one, if it decided between these very reviews."""
    heads: Mapping[tuple[Role, str], int] = field(default_factory=dict)
    """Id of the last act of each chain: one for each reviewer, and one of adjudications ('')."""
    outdated: bool = False
    """Whether there are acts about words that have changed since."""

    @property
    def outcome(self) -> Outcome:
        """What the dialogue comes to."""
        decision = self.decision
        if decision is None:
            return "disputed" if self.reviews else ""
        return "rejected" if decision.what == "reject" else "accepted"

    @property
    def disagreed(self) -> bool:
        """Whether two reviewers are of two minds, adjudicated or not."""
        return len({act.decision for act in self.reviews.values()}) > 1

    @property
    def decision(self) -> Act | None:
        """Return the act that counts; None where nobody judged, or two disagree."""
        if self.disagreed:
            return self.adjudication
        return next(iter(self.reviews.values()), None)

    @property
    def over(self) -> tuple[int, ...]:
        """Ids of the reviews that an adjudication must have seen."""
        return tuple(sorted(act.id for act in self.reviews.values()))


def standing(acts: Iterable[Act], version: str) -> Standing:
    """Return where a dialogue of this version stands by all acts about it, in their order."""
    chains: dict[tuple[Role, str], list[Act]] = {}
    heads: dict[tuple[Role, str], int] = {}
    outdated = False
    for act in acts:
        chain = _chain(act)
        heads[chain] = act.id
        if act.version != version:
            outdated = True
            continue
        done = chains.setdefault(chain, [])
        if act.what != "undo":
            done.append(act)
        elif done:
            done.pop()
    reviews = {who: done[-1] for (role, who), done in chains.items() if role == "review" and done}
    found = Standing(reviews, None, heads, outdated)
    decided = chains.get(("adjudicate", ""), [])
    if decided and decided[-1].over == found.over:
        return replace(found, adjudication=decided[-1])
    return found


def _chain(act: Act) -> tuple[Role, str]:
    return act.role, "" if act.role == "adjudicate" else act.who


class Acts:
    """The acts about a run's dialogues.

    Parameters
    ----------
    run : Path
        The run's folder. A run without acts, or of an older fundoscope, reads as having none.

    Raises
    ------
    LedgerError
        If the folder holds no ledger, or one of another format.
    """

    def __init__(self, run: Path) -> None:
        with Ledger(run):
            pass  # says so if there is none, or one of another format
        self.run = run
        self._db = sqlite3.connect(run / FILE_NAME, isolation_level=None)
        self._db.execute(
            "PRAGMA synchronous = FULL"
        )  # an act that was answered outlives a power cut

    def __enter__(self) -> Acts:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    # writing

    def add(self, act: Act, wait_s: float = LOCK_WAIT_S) -> Act:
        """Keep an act; return it with its id and time.

        Sent again with the same token, it is kept once.

        Raises
        ------
        StaleAct
            If the chain has an act that `act.saw` does not name, if the dialogue has changed, or
            if an adjudication was not of the reviews as they are.
        RefusedAct
            If it gives no reason where one is needed, or takes back what is not there.
        LedgerError
            If another process writes the run for longer than `wait_s` seconds.
        """
        _refuse_incomplete(act)
        with closing(writers_lock(self.run, wait_s)), self._transaction():
            if known := self._by_token(act.token):
                if replace(act, id=known.id, at=known.at) != known:
                    raise RefusedAct("another act had this token", mend="choose a new one")
                return known
            current = self._version(act.which)
            if act.version != current:
                raise StaleAct(
                    "the dialogue has changed since it was shown",
                    where=act.which.id,
                    mend="load it again and look at the new words",
                )
            _refuse_stale(act, standing(self.about(act.which), current))
            return self._insert(replace(act, at=_now()))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("PRAGMA journal_mode = WAL")
        if not self._is_there():
            self._db.executescript(f"BEGIN IMMEDIATE; {_TABLE} COMMIT;")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _is_there(self) -> bool:
        found = self._db.execute("SELECT 1 FROM sqlite_master WHERE name = 'acts_are_new'")
        return found.fetchone() is not None

    def _insert(self, act: Act) -> Act:
        row = self._db.execute(
            f"INSERT INTO acts ({_COLUMNS})"
            " VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            (
                act.at, act.who, act.role, *act.which, act.version, act.what, act.saw, act.reason,
                act.problem, _turns_to_json(act.before), _turns_to_json(act.after),
                json.dumps(act.places), json.dumps(act.over), act.token,
            ),
        ).fetchone()  # fmt: skip
        return replace(act, id=int(row[0]))

    def _version(self, which: Which) -> str:
        row = self._db.execute(
            "SELECT r.record, d.conversation, d.raw FROM records r JOIN dialogues d"
            " ON d.record = r.id WHERE r.key = ? AND d.track = ? AND d.language = ?",
            which,
        ).fetchone()
        return version_of(*row) if row else ""

    # reading

    def about(self, which: Which) -> list[Act]:
        """Return every act about a dialogue, in order."""
        return self._acts("WHERE record = ? AND track = ? AND language = ? ORDER BY id", which)

    def by(self, who: str, after: int = 0) -> list[Act]:
        """Return the acts of a reviewer, in order; those behind an id alone, where one is given."""
        return self._acts("WHERE who = ? AND id > ? ORDER BY id", (who, after))

    def all(self) -> Iterator[tuple[Which, list[Act]]]:
        """Yield every dialogue that has acts, with them in order."""
        acts = self._streamed("ORDER BY record, track, language, id")
        for which, mine in groupby(acts, key=lambda act: act.which):
            yield which, list(mine)

    def state(self) -> object:
        """Return what changes whenever the run is built further."""
        return self._db.execute(
            "SELECT name, value FROM meta WHERE name IN ('pass', 'finished', 'finished_at')"
            " ORDER BY name"
        ).fetchall()

    def tally(self) -> dict[str, int]:
        """Return how many dialogues each reviewer acted on, taken back or not, by name."""
        if not self._is_there():
            return {}
        rows = self._db.execute(
            "SELECT who, count(*) FROM (SELECT DISTINCT who, record, track, language FROM acts"
            " WHERE role = 'review') GROUP BY who ORDER BY who"
        )
        return dict(rows.fetchall())

    def standing(self, which: Which) -> Standing:
        """Return where a dialogue stands, as it is now."""
        return standing(self.about(which), self._version(which))

    def standings(self) -> Iterator[tuple[Which, Standing]]:
        """Yield every dialogue that has acts, with where it stands."""
        for which, acts in self.all():
            yield which, standing(acts, self._version(which))

    def _by_token(self, token: str) -> Act | None:
        return next(iter(self._acts("WHERE token = ?", (token,))), None)

    def _acts(self, where: str, values: Sequence[object]) -> list[Act]:
        return list(self._streamed(where, values))

    def _streamed(self, where: str, values: Sequence[object] = ()) -> Iterator[Act]:
        if self._is_there():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM acts {where}", values)
            yield from map(_act, rows)


def _refuse_incomplete(act: Act) -> None:
    if not act.who or not act.token:
        raise RefusedAct("an act has a reviewer's name and a token", mend="give both")
    if act.what == "reject" and not act.reason:
        raise RefusedAct("a rejection has a reason", where=act.which.id, mend="say why")
    if act.what == "edit" and (not act.after or act.after == act.before):
        raise RefusedAct(
            "an edit has words of its own", where=act.which.id, mend="accept it as it is"
        )
    if act.what != "edit" and act.after:
        raise RefusedAct("only an edit has words of its own", where=act.which.id, mend="edit it")
    if act.what in ("accept", "edit") and act.problem and not act.reason:
        raise RefusedAct(
            f"the verifier objects: {act.problem}",
            where=act.which.id,
            mend="mend the words, or say why they are right all the same",
        )


def _refuse_stale(act: Act, now: Standing) -> None:
    head = now.heads.get(_chain(act), 0)
    if act.saw != head:
        raise StaleAct(
            "another window or reviewer has acted on this dialogue meanwhile",
            where=act.which.id,
            mend="look at what was done, then decide again",
        )
    if act.role == "adjudicate":
        _refuse_adjudication(act, now)
    if act.what == "undo":
        undone = now.adjudication if act.role == "adjudicate" else now.reviews.get(act.who)
        if undone is None:
            raise RefusedAct("there is nothing to take back", where=act.which.id, mend="go on")


def _refuse_adjudication(act: Act, now: Standing) -> None:
    if act.who in now.reviews:
        raise RefusedAct(
            "whoever reviewed a dialogue does not adjudicate it",
            where=act.which.id,
            mend="let a third person decide",
        )
    if not now.disagreed or act.over != now.over:
        raise StaleAct(
            "the two reviews are no longer those that were shown",
            where=act.which.id,
            mend="look at them again",
        )


def _act(row: tuple[Any, ...]) -> Act:
    id, at, who, role, record, track, language, version, what, saw, reason, problem = row[:12]
    before, after, places, over, token = row[12:]
    return Act(
        who=who,
        which=Which(record, track, language),
        what=what,
        version=version,
        saw=saw,
        token=token,
        role=role,
        reason=reason,
        problem=problem,
        before=_turns_from_json(before),
        after=_turns_from_json(after),
        places=tuple(json.loads(places)),
        over=tuple(json.loads(over)),
        id=id,
        at=at,
    )


def _turns_to_json(turns: Sequence[Turn]) -> str:
    return json.dumps([asdict(turn) for turn in turns], ensure_ascii=False)


def _turns_from_json(text: str) -> tuple[Turn, ...]:
    return tuple(
        Turn(t["question"], t["answer"], tuple(t["aspects"]), tuple(t["facts"]))
        for t in json.loads(text)
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
