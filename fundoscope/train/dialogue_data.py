"""Dialogues and photographs as batches: read, prepared, put together, and counted where refused.

A photograph that cannot be read is never replaced by another: its dialogue is left out of its
batch, counted, and too many of them end the run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from fundoscope.errors import DialogueError, PhotographError
from fundoscope.models.preparation import Preparation, Prepared
from fundoscope.models.prompt_templates import IGNORED, MARK
from fundoscope.train.dialogue_files import DialogueFile, Inside, TrainingDialogue, bytes_of
from fundoscope.train.dialogue_tokens import Tokens, Wording
from fundoscope.train.mixing import Mix

Trouble = Literal["bad photograph", "refused"]


@dataclass(frozen=True, eq=False)
class Ready:
    """A dialogue ready for a batch."""

    tokens: Tokens
    values: tuple[npt.NDArray[np.float32], ...]
    """Of each photograph, shape (3, S, S)."""
    px_per_input_px: tuple[float, ...]
    kept: tuple[float, ...]
    """Share of each field of view that is seen."""
    question: str = ""
    """The first one, without `<image>`."""


@dataclass(frozen=True)
class Refused:
    """A dialogue that is left out, and why."""

    id: str
    trouble: Trouble
    reason: str


@dataclass
class Told:
    """What a batch says of itself beside its tensors."""

    dialogues: int = 0
    photographs: int = 0
    tokens: int = 0
    learned_tokens: int = 0
    dropped_exchanges: int = 0
    px_per_input_px: list[float] = field(default_factory=list)
    kept: list[float] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


class DialogueData(torch.utils.data.Dataset):
    """The stream of dialogues, each place ready for a batch.

    Parameters
    ----------
    places : how many places of the stream a run takes
    one_photograph : whether a dialogue must show one, with its first question
    keep : how many photographs stay in memory, made ready, for the next epoch
    """

    def __init__(
        self,
        files: Sequence[DialogueFile],
        mix: Mix,
        wording: Wording,
        preparation: Preparation,
        places: int | None = None,
        one_photograph: bool = False,
        keep: int = 0,
    ) -> None:
        self._one, self._keep = one_photograph, keep
        self._kept: dict[Path | Inside, Prepared] = {}
        self.files, self.mix, self.wording = tuple(files), mix, wording
        self.preparation, self._places = preparation, len(mix) if places is None else places

    def of_places(self, places: int) -> DialogueData:
        """Return the same stream, of another length."""
        return DialogueData(self.files, self.mix, self.wording, self.preparation, places, self._one)

    def __len__(self) -> int:
        return self._places

    def __getitem__(self, k: int) -> Ready | Refused:
        place = self.mix.place(k)
        where = f"file {place.source}, row {place.row}"
        try:
            dialogue = self.files[place.source].dialogue(place.row, place.epoch)
            where = dialogue.id
            self._check(dialogue)
            tokens = self.wording.tokens(dialogue)
            prepared = [self._prepared(p) for p in dialogue.photographs]
        except DialogueError as problem:
            return Refused(where, "refused", problem.what)
        except PhotographError as problem:
            return Refused(where, "bad photograph", problem.what)
        return Ready(
            tokens,
            tuple(one.values for one in prepared),
            tuple(one.px_per_input_px for one in prepared),
            tuple(one.kept for one in prepared),
            dialogue.exchanges[0].question.replace(MARK, "").strip(),
        )

    def _prepared(self, photograph: Path | Inside) -> Prepared:
        if photograph in self._kept:
            return self._kept[photograph]
        made = prepared_photograph(self.preparation, photograph)
        if len(self._kept) < self._keep:
            self._kept[photograph] = made
        return made

    def _check(self, dialogue: TrainingDialogue) -> None:
        one = len(dialogue.photographs) == 1 and MARK in dialogue.exchanges[0].question
        if self._one and not one:
            raise DialogueError(
                "the model takes one photograph, with the first question", where=dialogue.id
            )


def prepared_photograph(preparation: Preparation, photograph: Path | Inside) -> Prepared:
    """Return a photograph from a folder or a tar shard, ready; PhotographError if bad."""
    if isinstance(photograph, Path):
        return preparation.prepared(photograph)
    with tempfile.NamedTemporaryFile(suffix=Path(photograph.name).suffix) as copy:
        copy.write(bytes_of(photograph))
        copy.flush()
        return preparation.prepared(Path(copy.name))


@dataclass(frozen=True)
class Filler:
    """A dark photograph of which nothing is learned, for batches without any.

    So every batch passes through all parts: a batch of words gives a projector a gradient of zero
    instead of none, and processes that train together never wait for each other's encoders.
    """

    patch: int
    """Id of the token that stands for a feature."""
    count: int
    """Features of a photograph."""
    side_px: int

    def ready(self) -> Ready:
        """Return the row."""
        tokens = Tokens((self.patch,) * self.count, (IGNORED,) * self.count, 1)
        dark = np.zeros((3, self.side_px, self.side_px), np.float32)
        return Ready(tokens, (dark,), (), ())


@dataclass(frozen=True)
class Collate:
    """Puts dialogues into a batch, padded on the right; one without photographs gets a filler."""

    padding: int
    filler: Filler

    def rows(self, items: Sequence[Ready | Refused]) -> list[Ready]:
        """Return the rows of the batch."""
        ready = [item for item in items if isinstance(item, Ready)]
        return ready if any(item.values for item in ready) else [*ready, self.filler.ready()]

    def __call__(self, items: Sequence[Ready | Refused]) -> dict[str, Any]:
        """Return input_ids, attention_mask, labels, pixel_values and `told`."""
        rows = self.rows(items)
        longest = max(len(row.tokens.ids) for row in rows)
        ids = torch.full((len(rows), longest), self.padding)
        mask = torch.zeros((len(rows), longest), dtype=torch.long)
        labels = torch.full((len(rows), longest), IGNORED)
        for number, row in enumerate(rows):
            n = len(row.tokens.ids)
            ids[number, :n] = torch.tensor(row.tokens.ids)
            mask[number, :n] = 1
            labels[number, :n] = torch.tensor(row.tokens.labels)
        values = np.stack([value for row in rows for value in row.values])
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "labels": labels,
            "pixel_values": torch.from_numpy(values),  # (photographs, 3, S, S)
            "told": told_of(items),
        }


def told_of(items: Sequence[Ready | Refused]) -> Told:
    """Return what a batch says of itself; a filler is not counted."""
    ready = [item for item in items if isinstance(item, Ready)]
    return Told(
        dialogues=len(ready),
        photographs=sum(len(item.values) for item in ready),
        tokens=sum(len(item.tokens.ids) for item in ready),
        learned_tokens=sum(label != IGNORED for item in ready for label in item.tokens.labels),
        dropped_exchanges=sum(item.tokens.dropped_exchanges for item in ready),
        px_per_input_px=[px for item in ready for px in item.px_per_input_px],
        kept=[share for item in ready for share in item.kept],
        refused=[item for item in items if isinstance(item, Refused)],
    )
