"""The offline assistant as a predictor: it looks at a photograph once, and answers from that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from fundoscope.errors import PhotographError
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.offline_answers import Told, answer_from, cannot
from fundoscope.evaluate.offline_knowledge import facts_text
from fundoscope.evaluate.sightings import Sighting, sighting
from fundoscope.processes import mapped


class OfflinePredictor:
    """Answers items without any model of language: networks look, tools measure, rules word it.

    A photograph is looked at once, however many items are about it. Answers are in the item's
    language. What was asked before is not needed: nothing in it changes what is seen.

    Parameters
    ----------
    folder : where sightings are kept, so that a second run need not look again; None keeps none.
    jobs : processes that look.
    """

    def __init__(self, folder: Path | None = None, *, jobs: int = 1, name: str = "offline") -> None:
        self.folder, self.jobs, self.name = folder, jobs, name

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        """Yield a prediction for every item, those about one photograph together."""
        by_photograph: dict[Path, list[Item]] = defaultdict(list)
        for item in items:
            if len(item.photographs) == 1:
                by_photograph[item.photographs[0]].append(item)
            else:
                told = _untold(item)
                yield Prediction(item.id, told.text)
        look = partial(sighting_or_why, folder=self.folder)
        seen = mapped(look, by_photograph, self.jobs)
        for one, asked in zip(seen, by_photograph.values(), strict=True):
            for item in asked:
                yield _prediction(item, one)


def sighting_or_why(photograph: Path, folder: Path | None) -> Sighting | str:
    """Return what is seen in a photograph, or why it cannot be read."""
    try:
        return sighting(photograph, folder)
    except PhotographError as problem:
        return problem.what


def _untold(item: Item) -> Told:
    """Return the answer to an item of no photograph, or of several."""
    if item.photographs:
        return cannot("several", item.language)
    facts = facts_text(item.question, item.language)
    return Told(facts) if facts else cannot("no question", item.language)


def _prediction(item: Item, seen: Sighting | str) -> Prediction:
    if isinstance(seen, str):
        return Prediction(item.id, "", error=seen)
    told = answer_from(seen, item.question, item.space, item.language)
    return Prediction(item.id, told.text, dict(told.probabilities))
