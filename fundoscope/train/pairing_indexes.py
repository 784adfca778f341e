"""What label pairing needs of photographs and of instructions: whose labels, whose conditions.

An index holds two numbers a row: where the row stands in its file, and which set of labels it
has. Sets of labels are few, however many rows there are; the rows themselves stay on the disk.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fundoscope import terms
from fundoscope.errors import ConfigError, ReadError
from fundoscope.records import Record, record_from_json
from fundoscope.verify.check import Facts

TOO_BROAD = ("abnormality", "normal_fundus")
"""Labels that say nothing of one condition; neither paired nor asked about."""
SUSPECTED = 0.5
"""How much a suspected label weighs beside one that is present."""

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """What the record of a photograph says of conditions; what is in neither was not looked for."""

    present: tuple[tuple[str, float], ...]
    """(term, weight): 1 where all who looked say present, less where one suspects or denies it."""
    absent: tuple[str, ...]
    """Terms that everybody who looked says are absent, what that implies included."""


@dataclass(frozen=True, slots=True)
class About:
    """What an instruction is about."""

    conditions: tuple[str, ...]
    """Term ids, sorted; it fits a photograph that shows them all."""
    when_absent: bool = False
    """Whether its answer is for photographs that do not show them."""


def labels_of(record: Record, suspected: float = SUSPECTED) -> Labels:
    """Return the labels of a record.

    Findings, grades (from `present_from` of their scale on) and lesion totals each have a say.
    The weight of a term is the mean of what was said of it: present is 1, suspected `suspected`,
    absent 0. A term of which anybody says more than absent is never taken as absent.

    Raises
    ------
    TermError
        If the record uses a word that the vocabulary does not hold.
    """
    bare = Record(
        record.photograph,
        grades=record.grades,
        findings=record.findings,
        lesion_totals=record.lesion_totals,
    )
    facts = Facts.of(bare)
    said = _said(record, suspected)
    present = {}
    for term, status in facts.status.items():
        if status in ("present", "suspected") and term not in TOO_BROAD:
            opinions = said.get(term) or [1.0 if status == "present" else suspected]
            present[term] = sum(opinions) / len(opinions)
    absent = [t for t in _candidates(facts) if facts.status_of(t) == "absent"]
    return Labels(tuple(sorted(present.items())), tuple(absent))


def _said(record: Record, suspected: float) -> dict[str, list[float]]:
    """Return every opinion on each term; a narrower term's is one opinion on the broader."""
    weight = {"present": 1.0, "suspected": suspected, "absent": 0.0}
    opinions = [(f.term, weight[f.status]) for f in record.findings if f.status in weight]
    for grade in record.grades:
        scale = terms.scale(grade.scale)
        if scale.present_from is not None:
            opinions.append((scale.term, float(grade.level >= scale.present_from)))
    opinions += [(total.kind, float(total.count > 0)) for total in record.lesion_totals]
    said: dict[str, list[float]] = {}
    implied: dict[str, float] = {}
    for term, opinion in opinions:
        said.setdefault(term, []).append(opinion)
        for broader in terms.broader(term) - {term} if opinion else ():
            implied[broader] = max(opinion, implied.get(broader, 0.0))
    for term, opinion in implied.items():
        said.setdefault(term, []).append(opinion)
    return said


def _candidates(facts: Facts) -> Iterable[str]:
    """Return what may be absent, sorted: what is said to be, narrower terms, or all of a normal."""
    if facts.status.get("normal_fundus") == "present":
        return _narrower_or_same()
    denied = [term for term, status in facts.status.items() if status == "absent"]
    return sorted({n for term in denied for n in _narrower_or_same().get(term, ())})


@cache
def _narrower_or_same() -> dict[str, tuple[str, ...]]:
    """Return, for each condition and lesion that can be asked about, those that imply it."""
    askable = sorted({*terms.conditions(), *terms.lesions()} - {*TOO_BROAD})
    return {t: tuple(n for n in askable if t in terms.broader(n)) for t in askable}


@dataclass(frozen=True)
class PhotographIndex:
    """Photographs by row, with the labels of each."""

    set_of: NDArray[np.int32]
    """Place in `sets`, for each photograph."""
    sets: tuple[Labels, ...]
    offsets: Rows = field(repr=False)
    """Where each row begins in `file`, in bytes; empty where there is no file."""
    file: Path | None = None

    @classmethod
    def read(
        cls,
        file: Path,
        keep: Callable[[Record], bool] | None = None,
        suspected: float = SUSPECTED,
    ) -> PhotographIndex:
        """Index a run's `records.jsonl`, read once.

        Parameters
        ----------
        keep : which records take part, such as those of the training split; all by default
        suspected : weight of a suspected label, 0 to 1

        Raises
        ------
        ReadError
            If the file is missing or a line is not a record.
        """

        def kept() -> Iterator[tuple[int, Record]]:
            for offset, line in _lines(file):
                record = record_from_json(line)
                if keep is None or keep(record):
                    yield offset, record

        return cls._of(kept(), suspected, file)

    @classmethod
    def of(cls, records: Iterable[Record], suspected: float = SUSPECTED) -> PhotographIndex:
        """Index records that come from anywhere, taken one at a time and not kept."""
        return cls._of(((-1, record) for record in records), suspected, None)

    @classmethod
    def _of(
        cls, records: Iterable[tuple[int, Record]], suspected: float, file: Path | None
    ) -> PhotographIndex:
        offsets, set_of = array("q"), array("i")
        number_of: dict[Labels, int] = {}
        seen: dict[object, int] = {}
        for offset, record in records:
            signature = (
                tuple((f.term, f.status) for f in record.findings),
                tuple((g.scale, g.level) for g in record.grades),
                tuple((t.kind, t.count > 0) for t in record.lesion_totals),
            )
            if signature not in seen:
                labels = labels_of(record, suspected)
                seen[signature] = number_of.setdefault(labels, len(number_of))
            offsets.append(offset)
            set_of.append(seen[signature])
        return cls(np.array(set_of, np.int32), tuple(number_of), _as_rows(offsets), file)

    def __len__(self) -> int:
        return len(self.set_of)

    def record(self, row: int) -> Record:
        """Return the record of a row, read from the file; ConfigError where there is none."""
        return record_from_json(_line_at(self.file, int(self.offsets[row])))


@dataclass(frozen=True)
class InstructionIndex:
    """Instructions and dialogues by row, with what each is about."""

    set_of: NDArray[np.int32]
    """Place in `sets`, for each row."""
    sets: tuple[About, ...]
    offsets: Rows = field(repr=False)
    file: Path | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Rows of the file that cannot be paired, by reason."""

    @classmethod
    def read(
        cls, file: Path, about: Callable[[Mapping[str, Any]], About | str] | None = None
    ) -> InstructionIndex:
        """Index a JSONL file of instructions or dialogues, read once.

        Parameters
        ----------
        about : what a row is about, or the reason why it is left out; `about_row` by default

        Raises
        ------
        ReadError
            If the file is missing or a line is not a JSON object.
        TermError
            If a condition is not in the vocabulary.
        """
        tell = about or about_row

        def told() -> Iterator[tuple[int, About | str]]:
            for offset, line in _lines(file):
                yield offset, tell(_object(line, file))

        return cls._of(told(), file)

    @classmethod
    def of(cls, things: Iterable[About]) -> InstructionIndex:
        """Index instructions of which only the conditions are known."""
        return cls._of(((-1, thing) for thing in things), None)

    @classmethod
    def _of(cls, things: Iterable[tuple[int, About | str]], file: Path | None) -> InstructionIndex:
        offsets, set_of = array("q"), array("i")
        number_of: dict[About, int] = {}
        left_out: Counter[str] = Counter()
        for offset, thing in things:
            if isinstance(thing, str):
                left_out[thing] += 1
                continue
            if thing not in number_of:
                for condition in thing.conditions:
                    terms.term(condition)
                number_of[thing] = len(number_of)
            offsets.append(offset)
            set_of.append(number_of[thing])
        return cls(
            np.array(set_of, np.int32), tuple(number_of), _as_rows(offsets), file, dict(left_out)
        )

    def __len__(self) -> int:
        return len(self.set_of)

    def row(self, row: int) -> dict[str, Any]:
        """Return a row of the file; ConfigError where there is none."""
        return _object(_line_at(self.file, int(self.offsets[row])), self.file)


def about_row(row: Mapping[str, Any]) -> About | str:
    """Return what a row of a knowledge run, or of any dialogues, is about.

    `conditions` (term ids) tells it, in the row or in its `provenance`; else the ids of the facts
    that were used (`facts`, each `CONDITION.LINK.WORD`) do. `"when": "absent"` marks an
    instruction whose answer is for photographs that do not show the conditions. A row about a
    photograph of its own, or that tells no condition, is left out, and the reason is returned.
    """
    if row.get("image") or row.get("images"):
        return "it is about a photograph of its own"
    told = {**row.get("provenance", {}), **row}
    conditions = told.get("conditions") or [id.partition(".")[0] for id in _flat(told.get("facts"))]
    if not conditions:
        return "it tells no condition"
    return About(tuple(sorted({*conditions})), told.get("when") == "absent")


def _flat(facts: object) -> Iterator[str]:
    """Yield fact ids from a list of them, or from a list of lists, one a turn."""
    if isinstance(facts, str):
        yield facts
    elif isinstance(facts, list):
        for part in facts:
            yield from _flat(part)


def _as_rows(numbers: array[int]) -> Rows:
    return np.array(numbers, np.int64)


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not empty, with the byte at which it begins."""
    if not file.is_file():
        raise ReadError(f"{file} is not there", mend="give a JSONL file of a finished run")
    offset = 0
    with file.open("rb") as stream:
        for line in stream:
            if line.strip():
                yield offset, line
            offset += len(line)


def _line_at(file: Path | None, offset: int) -> bytes:
    if file is None:
        raise ConfigError(
            "the rows of this index lie in no file", mend="index a file to read rows again"
        )
    with file.open("rb") as stream:  # opened anew each time: workers may not share a place in it
        stream.seek(offset)
        return stream.readline()


def _object(line: bytes, file: Path | None) -> dict[str, Any]:
    try:
        loaded = json.loads(line)
    except ValueError:
        loaded = None
    if not isinstance(loaded, dict):
        raise ReadError("a line is not a JSON object", where=str(file), mend="give a JSONL file")
    return loaded
