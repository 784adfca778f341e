"""Where each dialogue of an export goes, how often, and its photograph with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from fundoscope.errors import LedgerError
from fundoscope.export.mixing import RunCount, copies
from fundoscope.export.photograph_files import FOLDER, Placement, existing, file_inside, put_beside
from fundoscope.export.placed import Placed
from fundoscope.export.whole_files import Delivery
from fundoscope.ledger import Ledger
from fundoscope.records import Dialogue

HASHES_OF_COPIES = "photographs.sha256"
"""SHA-256 of every copied photograph; `sha256sum -c` reads it."""


class Placing:
    """Where dialogues and their photographs go."""

    def __init__(
        self,
        delivery: Delivery,
        how: Placement,
        prefix: str,
        split_of: Mapping[str, str],
        by_dataset: bool,
    ) -> None:
        self._folder: Path | None = None
        self._by_dataset = by_dataset
        self._delivery, self._how, self._split_of = delivery, how, split_of
        self._prefix = prefix if not prefix or prefix.endswith("/") else f"{prefix}/"
        self._last_key = ""
        self._hashes: IO[bytes] | None = None

    def take_from(self, ledger: Ledger) -> None:
        """Look for photographs where a run's source has them."""
        folder = (ledger.recall("job") or {}).get("photographs")
        self._folder = Path(folder) if folder else None

    def place_all(self, dialogue: Dialogue, count: RunCount, seed: int) -> Iterator[Placed]:
        """Yield a dialogue as often as its run's weight says, and count it."""
        key = dialogue.record.photograph.key
        if key not in self._split_of:
            raise LedgerError(
                "the run grew while it was exported",
                where=key,
                mend="wait until `fundoscope build` has finished",
            )
        split = self._split_of[key]
        count.held[split] += 1
        for number in range(1, copies(dialogue, split, count.weight, seed) + 1):
            placed = replace(self.place(dialogue), copy=number)
            count.took(placed)
            yield placed

    def place(self, dialogue: Dialogue) -> Placed:
        """Return a dialogue with its place; its photograph is put beside it where that is asked."""
        photograph = dialogue.record.photograph
        if not photograph.modality:  # it is about a condition
            return Placed(dialogue, self._split_of[photograph.key], "")
        inside = file_inside(photograph)
        if self._by_dataset:
            inside = f"{photograph.dataset}/{inside}"
        if self._how != "none" and photograph.key != self._last_key:
            source = existing(self._folder, photograph)
            self._note(put_beside(self._delivery.out, source, inside, self._how), inside)
            self._last_key = photograph.key  # dialogues about one photograph follow each other
        beside = "" if self._how == "none" else f"{FOLDER}/"
        return Placed(
            dialogue,
            self._split_of[photograph.key],
            f"{self._prefix}{beside}{inside}",
            self._folder,
        )

    def _note(self, sha256: str, inside: str) -> None:
        if sha256:
            if self._hashes is None:
                self._hashes = self._delivery.open(HASHES_OF_COPIES)
            self._hashes.write(f"{sha256}  {FOLDER}/{inside}\n".encode())
