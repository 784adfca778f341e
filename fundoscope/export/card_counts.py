"""What a run's card counts, in one pass over its records and one over its dialogues."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from fundoscope.export.text_tally import TextTally
from fundoscope.records import Dialogue, LeftOut, Measured, Record, Reject


@dataclass
class LesionCounts:
    """One kind of lesion over all photographs."""

    photographs: int = 0
    """On which at least one was outlined."""
    without: int = 0
    """On which it was looked for and none was found."""
    lesions: int = 0
    boxes: int = 0


def _of_counters() -> defaultdict[str, Counter[str]]:
    return defaultdict(Counter)


def _of_numbers() -> defaultdict[str, Counter[int]]:
    return defaultdict(Counter)


@dataclass
class CardCounts:
    """Everything that a card counts. Its size depends on the vocabulary, not on the run.

    Texts of which there may be any number (questions, reasons, patients) are in `texts`, by the
    families `patient`, `rejected`, `first question/LANGUAGE`, `question/LANGUAGE`,
    `unmeasured/QUANTITY` and `left out/KIND`.
    """

    texts: TextTally
    photographs: int = 0
    photographs_of: Counter[str] = field(default_factory=Counter)
    patient_known: int = 0
    """Photographs of which the patient is known."""
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Photographs by dataset and licence."""
    levels: defaultdict[str, Counter[int]] = field(default_factory=_of_numbers)
    """Photographs by scale and level."""
    graded: Counter[str] = field(default_factory=Counter)
    """Photographs by scale."""
    findings: defaultdict[str, Counter[str]] = field(default_factory=_of_counters)
    """Photographs by term and status."""
    lesions: defaultdict[str, LesionCounts] = field(
        default_factory=lambda: defaultdict(LesionCounts)
    )
    measured: Counter[str] = field(default_factory=Counter)
    """Values by quantity."""
    unmeasured: Counter[str] = field(default_factory=Counter)

    kept: int = 0
    spoken_of: int = 0
    """Photographs with at least one kept dialogue."""
    kept_by: defaultdict[str, Counter[str]] = field(default_factory=_of_counters)
    """Dialogues by `dataset`, `split`, `language` and `track`."""
    turns: defaultdict[str, Counter[int]] = field(default_factory=_of_numbers)
    """Dialogues by language and number of turns."""
    answer_lengths: defaultdict[str, Counter[int]] = field(default_factory=_of_numbers)
    """Answers by language and number of characters."""
    makers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Dialogues by engine, model and version of the prompt."""

    rejected: int = 0
    left_out: int = 0

    def count_records(self, records: Iterable[Record]) -> None:
        """Count what the labels and the tools say of every photograph."""
        for record in records:
            self.photographs += 1
            self._photograph(record)
            self._grades_and_findings(record)
            self._lesions(record)
            self._quantities(record)

    def counting_dialogues(self, kept: Iterable[Dialogue]) -> Iterator[Dialogue]:
        """Yield the dialogues unchanged, in the order of their records, and count them."""
        last = ""
        for dialogue in kept:
            self.spoken_of += dialogue.record.key != last
            last = dialogue.record.key
            self._dialogue(dialogue)
            yield dialogue

    def count_rejects(self, rejects: Iterable[Reject]) -> None:
        """Count why dialogues were not kept."""
        for reject in rejects:
            self.rejected += 1
            self.texts.add("rejected", reject.reason or "no reason given", by_shape=True)

    def count_left_out(self, things: Iterable[LeftOut]) -> None:
        """Count what was read and not used, and why."""
        for thing in things:
            self.left_out += 1
            family = f"left out/{thing.what}"
            self.texts.add(family, thing.reason, name=thing.name, by_shape=True)

    def _photograph(self, record: Record) -> None:
        photograph = record.photograph
        self.photographs_of[photograph.dataset] += 1
        self.licences[photograph.dataset, record.licence] += 1
        if photograph.patient is not None:
            self.patient_known += 1
            self.texts.add("patient", f"{photograph.dataset}/{photograph.patient}")

    def _grades_and_findings(self, record: Record) -> None:
        # as sets: two readers who agree are one photograph, not two
        self.graded.update({grade.scale for grade in record.grades})
        for scale, level in {(grade.scale, grade.level) for grade in record.grades}:
            self.levels[scale][level] += 1
        for term, status in {(finding.term, finding.status) for finding in record.findings}:
            self.findings[term][status] += 1

    def _lesions(self, record: Record) -> None:
        outlined: Counter[str] = Counter()
        for lesion in record.lesions:
            outlined[lesion.kind] += lesion.count
            self.lesions[lesion.kind].boxes += 1
        totals: Counter[str] = Counter()
        for total in record.lesion_totals:
            totals[total.kind] += total.count  # keeps a kind whose count is 0
        for kind in outlined.keys() | totals.keys():
            lesions = totals[kind] if kind in totals else outlined[kind]
            counts = self.lesions[kind]
            counts.lesions += lesions
            counts.photographs += lesions > 0
            counts.without += lesions == 0

    def _quantities(self, record: Record) -> None:
        for quantity in record.measurements:
            if isinstance(quantity, Measured):
                self.measured[quantity.name] += 1
            else:
                self.unmeasured[quantity.name] += 1
                self.texts.add(f"unmeasured/{quantity.name}", quantity.reason, by_shape=True)

    def _dialogue(self, dialogue: Dialogue) -> None:
        photograph, said = dialogue.record.photograph, dialogue.conversation
        self.kept += 1
        self.kept_by["dataset"][photograph.dataset] += 1
        self.kept_by["split"][photograph.split] += 1
        self.kept_by["language"][said.language] += 1
        self.kept_by["track"][said.track] += 1
        self.turns[said.language][len(said.turns)] += 1
        self.makers[said.engine, said.model, said.prompt_version] += 1
        for index, turn in enumerate(said.turns):
            question = turn.question
            self.texts.add(f"question/{said.language}", question)
            if index == 0:
                self.texts.add(f"first question/{said.language}", question)
            self.answer_lengths[said.language][len(turn.answer)] += 1


def quantile(counts: Counter[int], share: float) -> int:
    """Return the smallest number that at least `share` of the counted ones do not exceed.

    Examples
    --------
    >>> quantile(Counter({10: 1, 20: 1, 90: 1}), 0.5)
    20
    """
    wanted = share * counts.total()
    so_far = 0
    for number in sorted(counts):
        so_far += counts[number]
        if so_far >= wanted:
            return number
    raise ValueError("a quantile of nothing")
