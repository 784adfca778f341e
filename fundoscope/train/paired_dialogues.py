"""Photographs paired anew with instructions in every epoch, as rows of a source."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fundoscope.errors import ConfigError, DialogueError
from fundoscope.export.dialogue_turns import turns_of
from fundoscope.models.prompt_templates import MARK, Exchange
from fundoscope.records import Record
from fundoscope.train.dialogue_files import TrainingDialogue
from fundoscope.train.label_pairing import LabelPairing, Pair, PairingConfig, question_about
from fundoscope.train.pairing_indexes import InstructionIndex, PhotographIndex


class PairedRows:
    """A photograph and an instruction that fits one of its labels: row n is place n of the epoch.

    Parameters
    ----------
    instructions : JSONL of instructions or dialogues without photographs of their own
    records : a run's `records.jsonl`
    photographs : folder of the photographs; that of `records` by default
    """

    def __init__(
        self, instructions: Path, records: Path, photographs: Path | None = None, seed: int = 0
    ) -> None:
        self._photographs = PhotographIndex.read(records, keep=lambda r: bool(r.photograph.file))
        self._instructions = InstructionIndex.read(instructions)
        self._pairing = LabelPairing(
            self._photographs, self._instructions, PairingConfig(seed=seed)
        )
        self._folder = photographs or records.parent
        n = self._pairing.length(0)
        self.lengths = np.full(n, 1, np.int32)  # all alike: lengths are drawn with the pairs
        self.pictured = np.ones(n, np.bool_)

    def __len__(self) -> int:
        return len(self.lengths)

    def dialogue(self, row: int, epoch: int = 0) -> TrainingDialogue:
        """Return the pair in a place of an epoch; DialogueError where its row cannot be used."""
        place = row % self._pairing.length(epoch)  # epochs differ a little in length
        pair = next(self._pairing.pairs(epoch, start=place))
        record = self._photographs.record(pair.photograph)
        photograph = self._folder / record.photograph.file
        first, *later = self._exchanges(pair, record)
        shown = Exchange(f"{first.question}\n{MARK}", first.answer)
        id = f"{record.key}/{pair.term}/{epoch}-{place}"
        return TrainingDialogue(id, (shown, *later), (photograph,))

    def _exchanges(self, pair: Pair, record: Record) -> list[Exchange]:
        if pair.instruction is None:
            try:
                turn = question_about(record, pair.term, "en", pair.draw)
            except ConfigError as problem:
                raise DialogueError(problem.what, where=record.key, mend=problem.mend) from problem
            return [Exchange(turn.question, turn.answer)]
        turns = [
            t for t in turns_of(self._instructions.row(pair.instruction)) if t.role != "system"
        ]
        if [t.role for t in turns] != ["human", "gpt"] * (len(turns) // 2) or not turns:
            raise DialogueError("turns do not alternate", where=record.key, mend="run `fix`")
        return [
            Exchange(question.text.replace(MARK, "").strip(), answer.text)
            for question, answer in zip(turns[::2], turns[1::2], strict=True)
        ]
