"""All answers of a run read into labels, in processes, each distinct one once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fundoscope.errors import ConfigError
from fundoscope.evaluate.answer_spaces import Reading, Space
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.items import Item, Prediction, Scored
from fundoscope.processes import mapped

TOGETHER = 1000
"""Answers that a process reads at a time."""
WORTH_PROCESSES = 5_000
"""Fewer answers are read before other processes have started."""

_Asked = tuple[str, Space, str]
"""(answer, space, question): what alone decides how an answer is read."""


def read_answers(
    items: Sequence[Item], predictions: Iterable[Prediction], jobs: int = 2
) -> list[Scored]:
    """Return every item with its prediction and what was read from it, in the items' order.

    An item without a prediction has neither; a prediction with an error has no reading.
    Predictions of other items are left aside: an audit leaves items out of the score.

    Raises
    ------
    ConfigError
        If an item has two predictions, or `jobs` is not at least 1.
    """
    wanted = {item.id for item in items}
    by_item: dict[str, Prediction] = {}
    for prediction in predictions:
        if prediction.item in by_item:
            raise ConfigError(
                f"two predictions for the item {prediction.item!r}", mend="keep one of them"
            )
        if prediction.item in wanted:
            by_item[prediction.item] = prediction
    asked: dict[_Asked, Reading | None] = {}
    for item in items:
        prediction_of = by_item.get(item.id)
        if prediction_of is not None and not prediction_of.error:
            asked[prediction_of.answer, item.space, item.question] = None
    if len(asked) < WORTH_PROCESSES and jobs > 1:
        jobs = 1
    keys = list(asked)
    for chunk, readings in zip(_chunks(keys), mapped(_read, _chunks(keys), jobs), strict=True):
        asked.update(zip(chunk, readings, strict=True))
    return [_scored(item, by_item.get(item.id), asked) for item in items]


def _chunks(keys: Sequence[_Asked]) -> Iterator[Sequence[_Asked]]:
    for start in range(0, len(keys), TOGETHER):
        yield keys[start : start + TOGETHER]


def _read(chunk: Sequence[_Asked]) -> list[Reading]:
    return [read_answer(answer, space, question=question) for answer, space, question in chunk]


def _scored(
    item: Item, prediction: Prediction | None, read: dict[_Asked, Reading | None]
) -> Scored:
    if prediction is None or prediction.error:
        return Scored(item, prediction, None)
    return Scored(item, prediction, read[prediction.answer, item.space, item.question])
