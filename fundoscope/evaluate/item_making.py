"""From a task and the user's copy of its set to items: the same ones each time, all accounted for.

Whatever is not asked about is kept with its reason: photographs of another part, labels that do
not tell, files that are missing or cannot be read, what a model was trained on.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from fundoscope import terms
from fundoscope.converse.facet_questions import name_of
from fundoscope.errors import ConfigError, nearest
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Label,
    Levels,
    Options,
    Quality,
    Space,
    YesNo,
)
from fundoscope.evaluate.audit import Audit, Training, audit
from fundoscope.evaluate.items import Item, Truth
from fundoscope.evaluate.task_records import (
    Choice,
    Copy,
    NotAsked,
    drawn_by,
    patient_of,
    photographs_folder,
    readable,
    task_records,
)
from fundoscope.evaluate.tasks import Form, Part, Task
from fundoscope.evaluate.truths import NotTold, TruthOf, truth_rule
from fundoscope.records import Language, Record

__all__ = ["Asked", "Choice", "Copy", "NotAsked", "items_of", "labels_of"]


@dataclass(frozen=True)
class Asked:
    """The items of a task, and all that was left out."""

    task: Task
    choice: Choice
    items: tuple[Item, ...]
    left_out: tuple[NotAsked, ...] = field(repr=False)
    audit: Audit | None
    """What the audit against the training set found; None where none was given."""

    @property
    def photographs(self) -> int:
        """How many photographs (of the task `knowledge`, conditions) are asked about."""
        return len({item.key for item in self.items})

    @property
    def patients(self) -> int:
        """How many persons, as far as the set names them."""
        return len({item.patient for item in self.items})

    def counts_left_out(self) -> dict[str, int]:
        """Return how much was left out, by why, the most frequent first."""
        return dict(Counter(one.why for one in self.left_out).most_common())


def items_of(
    task: Task,
    copy: Copy | Path | None = None,
    choice: Choice | None = None,
    *,
    training: Training | None = None,
    look: bool = True,
    jobs: int = 1,
) -> Asked:
    """Return the items of a task from the user's copy of its set.

    In the order of the source's records; then form, language, wording.

    Parameters
    ----------
    copy : the set's folder, or more about it; not needed where there are no photographs
    choice : by default one wording of each question in English
    training : what the model was trained on; what it shares with the task is left out
    look : whether every photograph is opened, so that broken ones are found; with `training`
        they always are
    jobs : processes that open photographs

    Raises
    ------
    ConfigError
        If the task has no form in a language, or a truth is no label of its question.
    ReadError
        If the set's label files cannot be read.
    """
    choice = choice or Choice()
    copy = copy if isinstance(copy, Copy) else Copy(copy or Path())
    _check(task, choice)
    left: list[NotAsked] = []
    records = task_records(task, copy, choice, left)
    folder = photographs_folder(task, copy)
    if records and not records[0].topic and (look or training is not None):
        records = list(readable(records, folder, left, jobs))
    found = audit([record.photograph for record in records], training) if training else None
    if found:
        left += [NotAsked(one.key, "trained on", one.said(), one.trained) for one in found.shared]
        records = [record for record in records if record.key not in found.keys]
    items = tuple(_items(task, records, folder, copy.root, choice, left))
    return Asked(task, choice, items, tuple(left), found)


def _check(task: Task, choice: Choice) -> None:
    for language in choice.languages:
        if language not in task.languages:
            raise ConfigError(
                f"the task {task.name} cannot be asked in {language!r}",
                mend=f"it has {', '.join(task.languages)}",
            )
    if choice.part and choice.part not in get_args(Part):
        raise ConfigError(f"no part {choice.part!r}", mend=nearest(choice.part, get_args(Part)))


@dataclass(frozen=True)
class _Ready:
    """A form, its truth ready to be told, and its answer spaces by language."""

    form: Form
    rule: TruthOf
    spaces: Mapping[Language, Space]

    def truth(self, record: Record) -> Truth | NotTold:
        truth = self.rule(record)
        allowed = labels_of(next(iter(self.spaces.values())))
        if not isinstance(truth, NotTold) and allowed and truth not in allowed:
            raise ConfigError(
                f"the truth {truth!r} of form {self.form.id!r} is no label of its space",
                where=record.key,
                mend=f"its labels are {', '.join(map(str, allowed))}",
            )
        return truth


def _items(
    task: Task,
    records: list[Record],
    folder: Path,
    root: Path,
    choice: Choice,
    left: list[NotAsked],
) -> Iterator[Item]:
    forms = [
        _Ready(
            form,
            truth_rule(form.truth)(root),
            {language: form.answer_space(language) for language in choice.languages},
        )
        for form in task.forms
    ]
    for record in records:
        for index, ready in enumerate(forms):
            truth = ready.truth(record)
            if isinstance(truth, NotTold):
                key = f"{record.key}/{ready.form.id}"
                left.append(NotAsked(key, "truth not told", truth.reason))
                continue
            earlier = forms[:index] if task.kind == "dialogue" else ()
            yield from _worded(record, ready, earlier, folder, truth, choice)


def labels_of(space: Space) -> tuple[Label, ...]:
    """Return the labels that a space has; empty where they cannot be counted."""
    match space:
        case YesNo():
            return ("yes", "no")
        case Levels():
            return tuple(terms.scale(space.scale).levels)
        case Quality():
            return ("gradable", "ungradable") if space.binary else ("good", "usable", "reject")
        case EyeSide():
            return ("left", "right")
        case Options():
            return tuple(letter for letter, _ in space.options)
        case _:
            return ()


def _worded(
    record: Record,
    ready: _Ready,
    earlier: Sequence[_Ready],
    folder: Path,
    truth: Truth,
    choice: Choice,
) -> Iterator[Item]:
    asked = f"{record.key}/{ready.form.id}"
    photographs = () if record.topic else (folder / record.photograph.file,)
    for language in choice.languages:
        wordings = ready.form.questions[language]
        told = _with_name(record, language)
        for wording in _wordings(record.key, wordings, choice):
            yield Item(
                id=f"{asked}/{language}/{wording}",
                asked=asked,
                key=record.key,
                patient=patient_of(record),
                photographs=photographs,
                question=told(_question(ready, language, wording)),
                language=language,
                wording=wording,
                space=_of_photograph(ready.spaces[language], record),
                truth=truth,
                before=tuple(told(_question(one, language, wording)) for one in earlier),
                record=record,
            )


def _question(ready: _Ready, language: Language, wording: int) -> str:
    """Return a wording, the next ones in turn; options stand below it, a line each."""
    wordings, space = ready.form.questions[language], ready.spaces[language]
    options = space.options if isinstance(space, Options) else ()
    lines = [f"{letter}. {text}" for letter, text in options]
    return "\n".join([wordings[wording % len(wordings)], *lines])


def _of_photograph(space: Space, record: Record) -> Space:
    """Return a space of boxes with the photograph's size; any other as it is."""
    width_px, height_px = record.photograph.width_px, record.photograph.height_px
    if isinstance(space, Boxes) and space.size is None and width_px and height_px:
        return replace(space, size=(width_px, height_px))
    return space


def _wordings(key: str, questions: Sequence[str], choice: Choice) -> Iterator[int]:
    """Yield which wordings are asked: with fewer than all, others for other photographs."""
    n = len(questions)
    if not 0 < choice.wordings < n:
        yield from range(n)
        return
    first = int.from_bytes(drawn_by(choice.seed, key), "big") % n
    yield from sorted((first + step) % n for step in range(choice.wordings))


def _with_name(record: Record, language: Language) -> Callable[[str], str]:
    """Return what puts a condition's name into a question, with verbs that agree."""
    if not record.topic:
        return lambda question: question
    name = name_of(record.topic, language, random.Random(record.topic), "student")
    words = name.words()
    return lambda question: question.format_map(words)
