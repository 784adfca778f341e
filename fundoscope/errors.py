"""What can go wrong, said so that a person can mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FundoscopeError(Exception):
    """Base of every error that fundoscope raises on purpose.

    An error says *what* is wrong, *where*, and how to *mend* it. The command line prints it bare;
    any other exception is a bug and keeps its traceback.

        FundoscopeError
        ├── TermError          a word that the vocabulary does not hold
        ├── ReadError          something outside could not be read
        │   ├── LabelError     a label file: file, line, column, found, expected
        │   └── PhotographError
        ├── ScaleError         a size of a pixel that cannot be
        ├── ConfigError        a job or an option
        ├── KnowledgeError     a fact or its source, or a question about facts
        ├── LedgerError        a run's memory
        ├── EndpointError      a server that answers no question, or not within the budget
        ├── DialogueError      a file of dialogues from elsewhere
        ├── ModelError         a checkpoint, a model's parts, or what it is asked
        └── MissingExtra       an optional part is not installed
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.mend:
            lines.append(f"  mend:  {self.mend}")
        return "\n".join(lines)


class TermError(FundoscopeError):
    """A word that the controlled vocabulary does not hold."""


class ReadError(FundoscopeError):
    """Something outside could not be read."""


class LabelError(ReadError):
    """A label file says something that its format does not allow."""

    def __init__(
        self,
        file: object,
        *,
        found: str,
        expected: str,
        line: int | None = None,
        column: str = "",
        mend: str = "correct the file, or leave the row out",
    ) -> None:
        self.file, self.line, self.column = str(file), line, column
        self.found, self.expected = found, expected
        place = str(file)
        if line is not None:
            place += f", line {line}"
        if column:
            place += f", column {column!r}"
        super().__init__(f"found {found}, expected {expected}", where=place, mend=mend)


class PhotographError(ReadError):
    """A photograph is missing, is not an image, or is too large to be safe."""


class ScaleError(FundoscopeError):
    """Millimetres per pixel, or what they are computed from, that cannot be."""


class ConfigError(FundoscopeError):
    """A job or an option that makes no sense."""


class KnowledgeError(FundoscopeError):
    """A fact or a source that cannot be trusted, or a facet or guideline that there is not."""


class LedgerError(FundoscopeError):
    """A run's memory is missing, of another version, or in use."""


class EndpointError(FundoscopeError):
    """A server answers no question of ours: wrong key, spent quota, unknown model, gone."""


class DialogueError(FundoscopeError):
    """A file of dialogues does not keep its format."""


class ModelError(FundoscopeError):
    """A checkpoint, a model's parts or what a model is asked that does not fit."""


class MissingExtra(FundoscopeError):
    """An optional part of fundoscope is not installed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word nearest to `word`, or the first few known ones."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not close and word:
        close = [name for name in known if name.startswith(word)][:4]
    if close:
        return f"did you mean {' or '.join(map(repr, close))}?"
    shown = ", ".join(known[:12]) + (", ..." if len(known) > 12 else "")
    return f"known: {shown}"
