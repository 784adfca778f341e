"""What a card counted, as the bars, columns and tables that it shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import get_args

from fundoscope import terms
from fundoscope.export.card_counts import CardCounts, LesionCounts, quantile
from fundoscope.export.text_tally import Counted, TextTally
from fundoscope.records import Judgement, Status

FINDINGS = 25
"""Most terms that are shown; how many more there are is said."""
REASONS = 3
"""Most reasons shown why a quantity was not measured."""
REJECTED_FOR = 25
"""Most reasons shown why dialogues were rejected; so for each kind of what was left out."""
COLUMNS = 12
"""Most columns of a histogram."""

LANGUAGE_NAMES: Mapping[str, str] = {"en": "English", "zh": "Chinese"}
STATUSES: tuple[Status, ...] = get_args(Status)
JUDGEMENTS: tuple[Judgement, ...] = get_args(Judgement)


@dataclass(frozen=True, slots=True)
class Bar:
    """One line of a bar plot."""

    label: str
    count: int
    whole: int
    """What `count` is a share of; a full bar."""
    chinese: str = ""

    @property
    def percent(self) -> float:
        """Share of the whole, 0 to 100."""
        return 100 * self.count / self.whole if self.whole else 0.0


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a histogram."""

    label: str
    count: int
    whole: int
    """What `count` is a share of."""
    height_percent: float
    """Of the highest column."""


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a stacked bar."""

    name: str
    count: int
    width_percent: float


@dataclass(frozen=True, slots=True)
class Stack:
    """A bar of several pieces."""

    label: str
    parts: tuple[Part, ...]
    chinese: str = ""
    reasons: tuple[Counted, ...] = ()
    more_reasons: int = 0

    @property
    def total(self) -> int:
        """All pieces together."""
        return sum(part.count for part in self.parts)


@dataclass(frozen=True, slots=True)
class GradePanel:
    """One scale and how often each of its levels was given."""

    scale: terms.Scale
    graded: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class LesionRow:
    """One kind of lesion."""

    term: terms.Term
    counts: LesionCounts


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often numbers fell into steps of equal width."""

    language: str
    columns: tuple[Column, ...]
    total: int
    median: int
    low: int
    """5 % are at most this."""
    high: int
    """95 % are at most this."""


@dataclass(frozen=True, slots=True)
class Variety:
    """How much the questions of a language differ."""

    language: str
    dialogues: int
    first_questions: int
    """Different ones."""
    questions: int
    commonest: Counted


@dataclass(frozen=True, slots=True)
class LeftOutPanel:
    """What of one kind was left out."""

    what: str
    total: int
    reasons: tuple[Counted, ...]
    more: int = field(default=0)


def bars(counts: Mapping[str, int], names: Mapping[str, str] | None = None) -> list[Bar]:
    """Return one bar a key, the longest first, ties by name."""
    names = names or {}
    whole = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Bar(names.get(key, key), n, whole) for key, n in ordered]


def stack(
    label: str, counts: Mapping[str, int], names: Sequence[str], longest: int, chinese: str = ""
) -> Stack:
    """Return a stacked bar whose pieces are as long as their share of `longest`."""
    parts = (Part(name, n := counts.get(name, 0), 100 * n / max(1, longest)) for name in names)
    return Stack(label, tuple(parts), chinese)


def grade_panels(counts: CardCounts) -> list[GradePanel]:
    """Return a panel for each scale that was used; a level nobody gave is a bar of 0."""
    return [_grade_panel(terms.scale(id), counts) for id in terms.scales() if counts.graded[id]]


def _grade_panel(scale: terms.Scale, counts: CardCounts) -> GradePanel:
    graded, levels = counts.graded[scale.id], counts.levels[scale.id]
    found = []
    for n in sorted(scale.levels.keys() | levels.keys()):
        words = scale.levels.get(n)  # a ledger may hold a level that the scale lacks: shown as such
        name, chinese = (words.en[0], words.zh[0]) if words else ("(no level of this scale)", "")
        found.append(Bar(f"{n}: {name}", levels[n], graded, chinese))
    return GradePanel(scale, graded, tuple(found))


def finding_stacks(counts: CardCounts) -> tuple[list[Stack], int]:
    """Return the terms with most present or suspected, and how many terms are not shown."""

    def worth(term: str) -> tuple[int, int, str]:
        by_status = counts.findings[term]
        seen = by_status["present"] + by_status["suspected"]
        return -seen, -by_status.total(), term

    ordered = sorted(counts.findings, key=worth)
    whole = counts.photographs
    shown = [
        stack(terms.term(t).en[0], counts.findings[t], STATUSES, whole, terms.term(t).zh[0])
        for t in ordered[:FINDINGS]
    ]
    return shown, max(0, len(ordered) - FINDINGS)


def lesion_rows(counts: CardCounts) -> list[LesionRow]:
    """Return the kinds of lesions that were looked for, most lesions first."""
    kinds = sorted(counts.lesions.items(), key=lambda item: (-item[1].lesions, item[0]))
    return [LesionRow(terms.term(kind), found) for kind, found in kinds]


def quantity_stacks(counts: CardCounts) -> list[Stack]:
    """Return measured and unmeasured values of each quantity, in the vocabulary's order."""
    used = [id for id in terms.quantities() if counts.measured[id] or counts.unmeasured[id]]
    longest = max((counts.measured[id] + counts.unmeasured[id] for id in used), default=0)
    found = []
    for id in used:
        values = {"measured": counts.measured[id], "unmeasured": counts.unmeasured[id]}
        quantity, family = terms.quantity(id), f"unmeasured/{id}"
        plain = stack(quantity.en[0], values, tuple(values), longest, quantity.zh[0])
        reasons = tuple(counts.texts.commonest(family, REASONS))
        more = counts.texts.distinct(family) - len(reasons)
        found.append(Stack(plain.label, plain.parts, plain.chinese, reasons, more))
    return found


def judgement_stacks(judged: Mapping[str, Mapping[str, int]]) -> list[Stack]:
    """Return the claims of each aspect by judgement, all bars of full length."""
    return [
        stack(aspect.replace("_", " "), by, JUDGEMENTS, sum(by.values()))
        for aspect, by in sorted(judged.items())
    ]


def turn_histogram(language: str, counts: Counter[int]) -> Histogram:
    """Return dialogues by number of turns, one column a number."""
    return _histogram(language, counts, step=1)


def length_histogram(language: str, counts: Counter[int]) -> Histogram:
    """Return answers by number of characters, in at most `COLUMNS` steps; the last is open."""
    high = quantile(counts, 0.99)
    step = next(s for s in _round_steps() if high // s < COLUMNS)
    return _histogram(language, counts, step)


def _round_steps() -> Iterator[int]:
    """1, 2, 5, 10, 20, 50, ..."""
    ten = 1
    while True:
        yield from (ten, 2 * ten, 5 * ten)
        ten *= 10


def _histogram(language: str, counts: Counter[int], step: int) -> Histogram:
    by_step: Counter[int] = Counter()
    first = min(counts) // step
    last = min(max(counts) // step, first + COLUMNS - 1)
    for number, n in counts.items():
        by_step[min(number // step, last)] += n
    is_open = max(counts) // step > last
    highest, total = max(by_step.values()), counts.total()
    columns = tuple(
        Column(
            _step_label(k, step, is_open and k == last),
            by_step[k],
            total,
            100 * by_step[k] / highest,
        )
        for k in range(first, last + 1)
    )
    low, median, high = (quantile(counts, share) for share in (0.05, 0.5, 0.95))
    return Histogram(language, columns, total, median, low, high)


def _step_label(k: int, step: int, is_open: bool) -> str:
    if is_open:
        return f"{k * step}+"
    return str(k) if step == 1 else f"{k * step}–{(k + 1) * step - 1}"


def varieties(counts: CardCounts) -> list[Variety]:
    """Return how much the questions of each language differ."""
    found, texts = [], counts.texts
    for language in sorted(counts.turns):
        questions = texts.total(f"question/{language}")
        if questions:
            found.append(
                Variety(
                    language,
                    counts.kept_by["language"][language],
                    texts.distinct(f"first question/{language}"),
                    questions,
                    texts.commonest(f"question/{language}", 1)[0],
                )
            )
    return found


def left_out_panels(texts: TextTally) -> list[LeftOutPanel]:
    """Return what was left out, by kind, the commonest reasons first."""
    start = "left out/"
    panels = []
    for family in (name for name in texts.families() if name.startswith(start)):
        reasons = tuple(texts.commonest(family, REJECTED_FOR))
        more = texts.distinct(family) - len(reasons)
        panels.append(LeftOutPanel(family[len(start) :], texts.total(family), reasons, more))
    return sorted(panels, key=lambda panel: -panel.total)
