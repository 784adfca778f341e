"""What every export of items shares: truths as text, bare questions, photographs' bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from fundoscope.errors import ConfigError, PhotographError
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Options, Value
from fundoscope.evaluate.items import Item
from fundoscope.export.photograph_files import check_nameless


def truth_text(item: Item) -> str:
    """Return the truth of an item as text: a label as it is, all else as JSON.

    Examples
    --------
    `yes`, `2`, `left`, `A`; `{"drusen": "present"}`; `[[0.1, 0.2, 0.3, 0.4]]`; `1.43`; a list of
    the ids of facts.
    """
    match item.truth:
        case FoundTerms():
            return json.dumps(dict(item.truth.statuses))
        case FoundBoxes():
            return json.dumps([list(box) for box in item.truth.boxes])
        case Value():
            return repr(item.truth.value)
        case tuple():
            return json.dumps(list(item.truth))
        case label:
            return str(label)


def options_of(item: Item) -> dict[str, str]:
    """Return the options of an item by letter; none where it has no options."""
    return dict(item.space.options) if isinstance(item.space, Options) else {}


def bare_question(item: Item) -> str:
    """Return the question without the lines of its options, for kits that write them anew."""
    lines = [f"{letter}. {text}" for letter, text in options_of(item).items()]
    return item.question.removesuffix("\n" + "\n".join(lines)) if lines else item.question


def photograph_bytes(file: Path) -> bytes:
    """Return the bytes of a photograph that is to leave this machine.

    Raises
    ------
    PhotographError
        If it is not there, or is DICOM, which may hold the name of the person.
    """
    if not file.is_file():
        raise PhotographError("there is no such file", where=str(file), mend="check the path")
    check_nameless(file)
    return file.read_bytes()


def check_single(items: Sequence[Item], kit: str) -> None:
    """Refuse items that a kit of single questions about a photograph would ask otherwise.

    Raises
    ------
    ConfigError
        If an item follows earlier questions, or has no photograph or several.
    """
    for item in items:
        if item.before:
            raise ConfigError(
                f"{item.id} follows earlier questions, and {kit} asks each by itself",
                mend="export the task to huggingface, which keeps them, or another task",
            )
        if len(item.photographs) != 1:
            raise ConfigError(
                f"{item.id} is about {len(item.photographs)} photographs, {kit} wants one",
                mend="export the task to huggingface, or another task",
            )
