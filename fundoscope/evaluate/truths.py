"""What is right, by name: rules from a record to the truth of one question about it.

A rule gives a truth of the question's answer space, or says why the record does not tell. What
does not tell is left out and counted, never taken for "no".
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fundoscope import terms
from fundoscope.errors import ConfigError, LabelError
from fundoscope.evaluate.answer_spaces import FindingStatus, FoundBoxes, FoundTerms, Label, Value
from fundoscope.evaluate.items import Truth
from fundoscope.knowledge.graph import Facet, facts_of
from fundoscope.plugins import Registry
from fundoscope.read.label_files import read_rows
from fundoscope.records import Measured, Record, Status, Unmeasured


@dataclass(frozen=True, slots=True)
class NotTold:
    """The record does not say what is right."""

    reason: str


TruthOf = Callable[[Record], Truth | NotTold]
Rule = Callable[..., TruthOf]
truths: Registry[Rule] = Registry("truths")
"""Every rule by name: a function of the set's folder and the rule's parameters that returns one
from a record to its truth."""

QUALITY_LABELS = ("good", "usable", "reject")


def truth_rule(entry: Mapping[str, Any]) -> Callable[[Path], TruthOf]:
    """Return what makes the rule that an entry names, once the set's folder is known.

    Raises
    ------
    ConfigError
        If no rule has the name, or its parameters do not fit.
    TermError
        If a parameter is a word that the vocabulary does not hold.
    """
    given = {name: value for name, value in entry.items() if name != "rule"}
    rule = truths.get(str(entry.get("rule", "")))
    try:
        inspect.signature(rule).bind(Path(), **given)
    except TypeError as problem:
        raise ConfigError(
            f"truth {entry['rule']!r}: {problem}", mend=f"it takes {inspect.signature(rule)}"
        ) from problem
    rule(Path(), **given)  # words of the vocabulary are checked here, files when first asked
    return lambda root: rule(root, **given)


@truths.register("level")
def level(root: Path, *, scale: str) -> TruthOf:
    """The level of a grading scale."""
    terms.scale(scale)

    def of(record: Record) -> Truth | NotTold:
        levels = {grade.level for grade in record.grades if grade.scale == scale}
        if len(levels) == 1:
            return levels.pop()
        return NotTold(f"several levels of {scale}" if levels else f"no level of {scale}")

    return of


@truths.register("from_level")
def from_level(
    root: Path, *, scale: str, least: int, labels: Sequence[Any] = ("no", "yes")
) -> TruthOf:
    """The second of two labels from a level of a scale on, the first below it."""
    of_scale = level(root, scale=scale)
    below, above = (_label(one) for one in labels)

    def of(record: Record) -> Truth | NotTold:
        found = of_scale(record)
        if isinstance(found, NotTold):
            return found
        assert isinstance(found, int)
        return above if found >= least else below

    return of


@truths.register("levels_named")
def levels_named(root: Path, *, scale: str, labels: Mapping[Any, Any]) -> TruthOf:
    """The label that is given to a level of a scale."""
    of_scale = level(root, scale=scale)
    named = {int(number): _label(one) for number, one in labels.items()}

    def of(record: Record) -> Truth | NotTold:
        found = of_scale(record)
        if isinstance(found, NotTold):
            return found
        assert isinstance(found, int)
        return named.get(found, NotTold(f"level {found} of {scale} has no label in this task"))

    return of


@truths.register("finding")
def finding(root: Path, *, term: str, unlisted: str = "untold") -> TruthOf:
    """Whether a term, or a narrower one, is present.

    `unlisted: absent` is for sets whose annotators listed all that they saw; else a term that
    nobody looked for tells nothing. A suspicion is neither.
    """
    status_of = _status_rule(term, unlisted)

    def of(record: Record) -> Truth | NotTold:
        status = status_of(record)
        if status in ("present", "absent"):
            return "yes" if status == "present" else "no"
        return NotTold(f"{term} is {(status or 'not looked for').replace('_', ' ')}")

    return of


@truths.register("findings")
def findings(root: Path, *, terms: Sequence[str], unlisted: str = "untold") -> TruthOf:
    """Which of several terms are present and which absent; a suspected one is not scored."""
    rules = {term: _status_rule(term, unlisted) for term in terms}

    def of(record: Record) -> Truth | NotTold:
        found: list[tuple[str, FindingStatus]] = []
        for term, status_of in rules.items():
            status = status_of(record)
            if status == "present" or status == "absent":
                found.append((term, status))
        return FoundTerms(tuple(found)) if found else NotTold("none of the terms is told")

    return of


@truths.register("normal_or_not")
def normal_or_not(root: Path) -> TruthOf:
    """Yes where the eye was called a normal fundus, no where an abnormality was found in it.

    What is only of the photograph (dust on the lens, low quality) makes neither.
    """

    def of(record: Record) -> Truth | NotTold:
        present = [f.term for f in record.findings if f.status == "present"]
        ill = any("abnormality" in terms.broader(term) for term in present)
        normal = "normal_fundus" in present
        if ill and normal:
            return NotTold("called normal and abnormal at once")
        if ill or normal:
            return "yes" if normal else "no"
        suspected = any(f.status == "suspected" for f in record.findings)
        return NotTold("only suspicions" if suspected else "neither normal nor an abnormality")

    return of


@truths.register("outlined")
def outlined(root: Path, *, kind: str) -> TruthOf:
    """Whether a kind of lesion was outlined; a kind that nobody outlined tells nothing."""
    terms.term(kind)

    def of(record: Record) -> Truth | NotTold:
        totals = [total for total in record.lesion_totals if total.kind == kind]
        if not totals:
            return NotTold(f"{kind} was not outlined by anyone")
        return "yes" if totals[0].count else "no"

    return of


@truths.register("outlined_kinds")
def outlined_kinds(root: Path, *, kinds: Sequence[str]) -> TruthOf:
    """Which kinds of lesions were outlined, and which were looked for and not found."""

    def of(record: Record) -> Truth | NotTold:
        counts = {total.kind: total.count for total in record.lesion_totals}
        found: tuple[tuple[str, FindingStatus], ...] = tuple(
            (kind, "present" if counts[kind] else "absent") for kind in kinds if kind in counts
        )
        return FoundTerms(found) if found else NotTold("no lesion was outlined by anyone")

    return of


@truths.register("boxes")
def boxes(root: Path, *, kind: str) -> TruthOf:
    """Boxes round the outlined lesions of a kind; none where it was looked for and not found."""
    terms.term(kind)

    def of(record: Record) -> Truth | NotTold:
        if not any(total.kind == kind for total in record.lesion_totals):
            return NotTold(f"{kind} was not outlined by anyone")
        found = tuple(lesion.box for lesion in record.lesions if lesion.kind == kind)
        return FoundBoxes(found, "normalised" if found else "")

    return of


@truths.register("structure_box")
def structure_box(root: Path, *, term: str) -> TruthOf:
    """The box of a part of the anatomy."""
    terms.term(term)

    def of(record: Record) -> Truth | NotTold:
        found = tuple(part.box for part in record.structures if part.term == term)
        return FoundBoxes(found, "normalised") if found else NotTold(f"no {term} was outlined")

    return of


@truths.register("quality")
def quality(root: Path, *, scale: str) -> TruthOf:
    """Quality of the photograph: good, usable or reject."""
    of_scale = level(root, scale=scale)

    def of(record: Record) -> Truth | NotTold:
        found = of_scale(record)
        if isinstance(found, NotTold):
            return found
        assert isinstance(found, int)
        return QUALITY_LABELS[found]

    return of


@truths.register("eye")
def eye(root: Path) -> TruthOf:
    """Side of the eye."""
    return lambda record: record.photograph.eye or NotTold("the set does not say which eye it is")


@truths.register("measured")
def measured(root: Path, *, quantity: str, of: str = "", where: str = "") -> TruthOf:
    """The value of a quantity; one that the tool could not measure is left out with its reason.

    Without `of` or `where` any will do, if there is only one.
    """
    unit = terms.quantity(quantity).unit

    def truth(record: Record) -> Truth | NotTold:
        values = [
            one
            for one in record.measurements
            if one.name == quantity and of in ("", one.of) and where in ("", one.where)
        ]
        known = [one for one in values if isinstance(one, Measured) and one.unit == unit]
        if len(known) == 1:
            return Value(known[0].value, known[0].value, known[0].value)
        if known:
            return NotTold(f"several values of {quantity}")
        why = [one.reason for one in values if isinstance(one, Unmeasured)]
        return NotTold(f"{quantity} was not measured: {why[0]}" if why else f"no {quantity}")

    return truth


@truths.register("same")
def same(root: Path, *, label: Any) -> TruthOf:
    """One label for every photograph: for a first question of a dialogue, not for a score."""
    fixed = _label(label)
    return lambda record: fixed


@truths.register("name")
def name(root: Path, *, pattern: str, labels: Mapping[str, Any]) -> TruthOf:
    """The label of what the first group of a pattern finds in the photograph's id."""
    find = re.compile(pattern)
    known = {str(word): _label(one) for word, one in labels.items()}

    def of(record: Record) -> Truth | NotTold:
        found = find.search(record.photograph.id)
        word = found[1] if found else ""
        return known.get(word, NotTold("its name does not tell"))

    return of


@truths.register("column")
def column(root: Path, *, file: str, id: str, column: str, labels: Mapping[Any, Any]) -> TruthOf:
    """The label of a cell of a table in the set's folder, found by the photograph's id."""
    known = {str(cell): _label(one) for cell, one in labels.items()}
    read = cache(lambda: dict(_cells(root, file, id, column)))  # when first asked

    def of(record: Record) -> Truth | NotTold:
        cell = read().get(record.photograph.id)
        if cell is None:
            return NotTold(f"not in {file}")
        return known.get(cell, NotTold(f"{column} is {cell!r}, which has no label in this task"))

    return of


@truths.register("facts")
def facts(root: Path, *, facet: Facet, without: Sequence[str] = ()) -> TruthOf:
    """Ids of the facts that are known of a condition in a facet, those compared with a source."""

    def of(record: Record) -> Truth | NotTold:
        if record.topic in without:
            return NotTold(f"{record.topic} is no condition that one has")
        ids = tuple(fact.id for fact in facts_of(record.topic, facet))
        return ids or NotTold(f"nothing is known of {record.topic} in the facet {facet}")

    return of


def _status_rule(term: str, unlisted: str) -> Callable[[Record], Status | None]:
    """Return what tells the status of a term; None where nobody looked."""
    terms.term(term)
    if unlisted not in ("untold", "absent"):
        raise ConfigError(f"unlisted is {unlisted!r}", mend="it is untold or absent")

    def of(record: Record) -> Status | None:
        said = {f.status for f in record.findings if term in terms.broader(f.term)}
        if "present" in said or "suspected" in said:
            return "present" if "present" in said else "suspected"
        of_term = {f.status for f in record.findings if f.term == term}
        if "absent" in of_term:
            return "absent"
        return "absent" if unlisted == "absent" and record.findings and not of_term else None

    return of


def _cells(root: Path, file: str, id: str, column: str) -> Iterator[tuple[str, str]]:
    found = sorted(root.glob(file))
    if len(found) != 1:
        raise LabelError(
            root,
            found=f"{len(found)} files",
            expected=f"one that fits {file!r}",
            mend="give the folder of the set, as the task's `your_copy` says",
        )
    for row in read_rows(found[0], (id, column)):
        yield Path(row.text(id)).stem, row.cells[column]


def _label(word: Any) -> Label:
    """Return a label as a space has it: YAML reads a bare yes as a truth value."""
    if isinstance(word, bool):
        return "yes" if word else "no"
    if isinstance(word, str | int):
        return word
    raise ConfigError(f"{word!r} is no label", mend="a word or a whole number")
