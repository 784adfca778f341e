"""Answers turned into classes by plain rules, and how often they are right, class by class."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

_YES_NO = re.compile(r"^\W*(yes|no)\b", re.IGNORECASE)
_YES_NO_CHINESE = re.compile(r"^\W*(是|有|不是|没有|否|无)")
_GRADE = re.compile(
    r"\b(?:icdr|grade|graded|level)\b[^.\d]{0,24}?(?<![\d.])([0-4])(?![\d.]*\d)"
    r"|(?<![\d.])([0-4]) on the ICDR scale",
    re.IGNORECASE,
)
_QUALITY = re.compile(r"\bquality\b[^.]*?\b(good|usable|reject|rejected)\b", re.IGNORECASE)
UNREAD = "(unread)"
"""What an answer says that no rule reads."""


def class_of(answer: str) -> tuple[str, str] | None:
    """Return (task, class) of an answer, or None where no rule reads it.

    Tasks: `yes or no` (the first word), `quality` (the owner's words), `grade` (0 to 4). The word
    itself is asked for: "abnormal" is no "no".

    Examples
    --------
    >>> class_of("The grade is 2 on the ICDR scale.")
    ('grade', '2')
    >>> class_of("Yes, the photograph is abnormal.")
    ('yes or no', 'yes')
    >>> class_of("Abnormal vessels are not seen.") is None
    True
    """
    found = _YES_NO.match(answer)
    if found:
        return "yes or no", found[1].lower()
    found = _YES_NO_CHINESE.match(answer)
    if found:
        return "yes or no", "yes" if found[1] in "是有" else "no"
    found = _GRADE.search(answer)
    if found:
        return "grade", found[1] or found[2]
    found = _QUALITY.search(answer)
    if found:
        return "quality", found[1].lower().removesuffix("ed")
    return None


def class_for(task: str, answer: str) -> str:
    """Return the class of a task that an answer gives, or `UNREAD`."""
    found = class_of(answer)
    return found[1] if found is not None and found[0] == task else UNREAD


@dataclass(frozen=True)
class ClassScore:
    """How one class of a task was answered."""

    asked: int
    """Questions whose right answer it is."""
    right: int
    answered: int
    """Questions to which it was the answer."""

    @property
    def f1(self) -> float | None:
        """F1 score; None where the class was neither asked for nor answered."""
        both = self.asked + self.answered
        return 2 * self.right / both if both else None


@dataclass(frozen=True)
class TaskScore:
    """How a task was answered, beside the best constant answer."""

    classes: dict[str, ClassScore]
    asked: int
    right: int
    constant_right: int
    """Questions that always giving the most frequent answer gets right."""
    unread: int
    """Answers that no rule reads; they are wrong."""

    @property
    def balanced(self) -> float:
        """Mean over classes of the share that was answered right: a constant gets 1 / classes."""
        shares = [score.right / score.asked for score in self.classes.values() if score.asked]
        return sum(shares) / len(shares)


def score(pairs: Iterable[tuple[str, str]]) -> TaskScore | None:
    """Return the score of (right class, answered class) pairs; None where there is none."""
    table = Counter(pairs)
    asked: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    for (truth, given), n in table.items():
        asked[truth] += n
        answered[given] += n
    if not asked:
        return None
    names = sorted({*asked, *answered} - {UNREAD})
    return TaskScore(
        classes={n: ClassScore(asked[n], table[n, n], answered[n]) for n in names},
        asked=sum(asked.values()),
        right=sum(table[n, n] for n in names),
        constant_right=max(asked.values()),
        unread=answered[UNREAD],
    )


def score_answers(pairs: Iterable[tuple[str, str]]) -> dict[str, TaskScore]:
    """Return scores by task, of (right answer, given answer) pairs; what no rule reads is no task.

    A given answer that the rules cannot read is wrong, not left out.
    """
    classes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for truth, given in pairs:
        read = class_of(truth)
        if read is not None:
            task, name = read
            classes[task].append((name, class_for(task, given)))
    scores = {task: score(found) for task, found in sorted(classes.items())}
    return {task: one for task, one in scores.items() if one is not None}
