"""What a stage needs of a model, whatever its architecture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from fundoscope.models.decoding import Sight
from fundoscope.models.preparation import Preparation
from fundoscope.train.dialogue_tokens import Wording


class StageModel(Protocol):
    """An architecture that can be trained: how it is loaded, frozen, asked and written."""

    wording: Wording
    preparation: Preparation
    one_photograph: bool
    """Whether a dialogue must show one photograph, with its first question."""

    def load(self) -> Any:
        """Return the module that is trained; what does not learn is frozen."""
        ...

    def collate(self) -> Any:
        """Return what puts items into a batch."""
        ...

    def sight(self, model: Any) -> Sight:
        """Return the model as the answering engine takes it."""
        ...

    def caches(self, model: Any) -> Iterable[Any]:
        """Return the configurations whose `use_cache` trainers switch off."""
        ...

    def checkpointed(self, model: Any) -> Any:
        """Return the networks whose activations may be computed twice."""
        ...

    def save(self, model: Any, folder: Path) -> None:
        """Write the trained model."""
        ...
