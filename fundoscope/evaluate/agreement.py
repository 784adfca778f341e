"""Whether a system says the same when asked again: in other words, in the other language, later."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from fundoscope import terms
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Label, Options, Value
from fundoscope.evaluate.bootstrap import RESAMPLES, Resamples, ratio
from fundoscope.evaluate.box_metrics import intersections_over_unions, matched
from fundoscope.evaluate.estimates import Estimate, estimate
from fundoscope.evaluate.items import Item, Scored
from fundoscope.records import UNMEASURED, Claim
from fundoscope.verify.check import ROUGHEST
from fundoscope.verify.claims import claims

SAME_BOX_IOU = 0.5


def agreement(
    scored: Sequence[Scored], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Estimate]:
    """Return how often two answers that should agree do, with 95 % intervals by patient.

    Of `wordings`: pairs of wordings of one question in one language; of `languages`: pairs of one
    question in both. A pair agrees when both read as the same label: the same terms present, the
    same option by its text, as many boxes that fit each other at IoU 0.5, numbers within 5 %.
    Pairs in which one gives no label are left out and counted. Of `turns`: what two answers of one
    conversation both speak of, such as a finding, a grade, a count; the grade of a condition
    speaks of its presence too.
    """
    pairs = list(_wordings(scored))
    found = [
        _share(kind, [p for p in pairs if p.kind == kind], resamples, seed)
        for kind in ("wordings", "languages")
    ]
    found.append(_share("turns", list(_turns(scored)), resamples, seed))
    return found


@dataclass(frozen=True, slots=True)
class _Pair:
    kind: str
    patient: str
    agrees: bool | None
    """None where one of the two gives no label."""


def _share(kind: str, pairs: Sequence[_Pair], resamples: int, seed: int) -> Estimate:
    number: dict[str, int] = {}
    patients = [number.setdefault(pair.patient, len(number)) for pair in pairs]
    drawn = Resamples.of(np.asarray(patients, np.int64), resamples, seed)
    both = np.asarray([pair.agrees is not None for pair in pairs], bool)
    agree = np.asarray([pair.agrees is True for pair in pairs], bool)
    totals = drawn.totals(np.stack([agree, both], axis=1)) if pairs else np.zeros((resamples, 2))
    n, open_ = int(both.sum()), int((~both).sum())
    return estimate(
        "agreement", int(agree.sum()) / n if n else None, ratio(totals[:, 0], totals[:, 1]),
        n=n, patients=drawn.patients_of(both) if pairs else 0, of=kind,
        note=f"{open_} pairs without two labels left out" if open_ else "",
        undefined="no pair to compare",
    )  # fmt: skip


def _wordings(scored: Sequence[Scored]) -> Iterator[_Pair]:
    by_question: dict[str, list[Scored]] = defaultdict(list)
    for one in scored:
        if not isinstance(one.item.truth, tuple):  # facts are recalled, not agreed upon
            by_question[one.item.asked].append(one)
    for asked in by_question.values():
        for a, b in combinations(asked, 2):
            kind = "wordings" if a.item.language == b.item.language else "languages"
            yield _Pair(kind, a.item.patient, _same_reading(a, b))


def _same_reading(a: Scored, b: Scored) -> bool | None:
    labels = [_label(one) for one in (a, b)]
    return None if None in labels else same_label(*labels)


def _label(one: Scored) -> Label | None:
    if one.reading is None or one.reading.label is None:
        return None
    if isinstance(one.item.space, Options):
        return dict(one.item.space.options)[str(one.reading.label)]
    return one.reading.label


def same_label(a: Label | None, b: Label | None) -> bool:
    """Return whether two labels of the same space say the same."""
    if isinstance(a, FoundTerms) and isinstance(b, FoundTerms):
        return _present(a) == _present(b)
    if isinstance(a, Value) and isinstance(b, Value):
        return abs(a.value - b.value) <= ROUGHEST * max(abs(a.value), abs(b.value))
    if isinstance(a, FoundBoxes) and isinstance(b, FoundBoxes):
        overlaps = intersections_over_unions(a.boxes, b.boxes)
        return len(a.boxes) == len(b.boxes) == matched(overlaps, SAME_BOX_IOU)
    return a == b


def _present(found: FoundTerms) -> frozenset[str]:
    return frozenset(term for term, status in found.statuses if status == "present")


def conversations(scored: Iterable[Scored]) -> list[list[Scored]]:
    """Return the answers of each conversation of two turns or more, in their order."""
    found: dict[tuple[object, ...], list[Scored]] = defaultdict(list)
    for one in scored:
        found[_conversation(one.item)].append(one)
    dialogues = [sorted(turns, key=lambda one: len(one.item.before)) for turns in found.values()]
    return [turns for turns in dialogues if turns[-1].item.before and len(turns) > 1]


def _conversation(item: Item) -> tuple[object, ...]:
    first = item.before[0] if item.before else item.question
    return item.key, item.language, item.wording, first


def _turns(scored: Sequence[Scored]) -> Iterator[_Pair]:
    for turns in conversations(scored):
        said = [spoken_of(one) for one in turns]
        for a, b in combinations(said, 2):
            for subject in a.keys() & b.keys():
                yield _Pair("turns", turns[0].item.patient, _same_value(a[subject], b[subject]))


_Subject = tuple[str, ...]
_Value = tuple[object, int]
"""What is said, and the digits behind the point with which a number is."""


def spoken_of(one: Scored) -> Mapping[_Subject, _Value]:
    """Return what an answer claims of which subject; the last word on one counts."""
    found: dict[_Subject, _Value] = {}
    if one.prediction is None or one.prediction.error:
        return found
    for claim in claims(one.prediction.answer, one.item.language):
        found.update(_subjects(claim))
    return found


def _subjects(claim: Claim) -> Iterator[tuple[_Subject, _Value]]:
    said = claim.statement
    if said.value in (UNMEASURED, "not_assessed", "not"):
        return
    match said.aspect:
        case "finding":
            yield ("finding", said.term), (said.value, 0)
        case "grade" | "quality" if said.scale:
            yield (said.aspect, said.scale), (said.value, 0)
            present_from = terms.scale(said.scale).present_from
            if present_from is not None and isinstance(said.value, int):
                status = "present" if said.value >= present_from else "absent"
                yield ("finding", terms.scale(said.scale).term), (status, 0)
        case "eye" | "lesion_count":
            yield (said.aspect, said.term), (said.value, 0)
        case "measurement" if said.term in terms.quantities():
            where = (said.of, said.where, said.unit)
            yield ("measurement", said.term, *where), (said.value, claim.decimals)


def _same_value(a: _Value, b: _Value) -> bool:
    (one, digits), (other, other_digits) = a, b
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= 10.0 ** -min(digits, other_digits) / 2 + 1e-9
    return one == other
