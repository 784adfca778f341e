"""Where a legacy model's tensors come from: one checkpoint, differences, or stage 1 on a base."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from fundoscope.errors import ModelError
from fundoscope.models.legacy_config import has_tokenizer, read_json
from fundoscope.models.weight_files import Entry, Output, Shape, Weights

PROJECTOR_FILE = "mm_projector.bin"
_PROJECTOR = "model.mm_projector."
_BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")
"""Tensors with a row for each token."""


class Source(Protocol):
    """Legacy tensors under their legacy names."""

    config: dict[str, Any]
    folder: Path
    """Of the configuration."""
    tokenizer_folder: Path
    dtype: Any
    """Of the embeddings."""

    def outputs(self) -> Iterator[Output]:
        """Yield every tensor that is kept, file after file."""
        ...


def language_source(checkpoint: Path, base: Path | None) -> Source:
    """Return where the tensors come from.

    Raises
    ------
    ModelError
        If stage 1 comes without a base, or what is said to be differences does not fit its base.
    """
    stage_one = _stage_one_file(checkpoint)
    if stage_one is not None:
        if base is None:
            raise ModelError(
                f"{PROJECTOR_FILE} is only what stage 1 trained",
                where=str(checkpoint),
                mend="give --base FOLDER, the model that it was trained on",
            )
        return _StageOne(stage_one, base)
    if base is None:
        return _Whole(checkpoint)
    return _Differences(checkpoint, base)


def _stage_one_file(checkpoint: Path) -> Path | None:
    if checkpoint.is_file():
        return checkpoint if checkpoint.name == PROJECTOR_FILE else None
    if not checkpoint.is_dir():
        raise ModelError("no such checkpoint", where=str(checkpoint), mend="check the path")
    weights = [*checkpoint.glob("pytorch_model*.bin*"), *checkpoint.glob("*.safetensors*")]
    file = checkpoint / PROJECTOR_FILE
    return file if file.is_file() and not weights else None


def _kept(weights: Weights) -> dict[str, Entry]:
    """Return a checkpoint's tensors; rotary frequencies are computed today."""
    return {n: e for n, e in weights.entries.items() if not n.endswith(".rotary_emb.inv_freq")}


def _output(weights: Weights, name: str) -> Output:
    entry = weights.entries[name]
    return Output(name, entry.shape, entry.dtype, lambda: weights.tensor(name))


def _embeddings_type(entries: dict[str, Entry], where: Path) -> Any:
    if _BY_TOKEN[0] not in entries:
        raise ModelError(
            f"{_BY_TOKEN[0]!r} is missing", where=str(where), mend="is it a LLaMA or a LLaVA v0?"
        )
    return entries[_BY_TOKEN[0]].dtype


def _with_tokenizer(first: Path, second: Path) -> Path:
    return first if has_tokenizer(first) or not has_tokenizer(second) else second


@dataclass
class _Whole:
    """A checkpoint that holds all but the vision tower."""

    folder: Path

    def __post_init__(self) -> None:
        self.config = read_json(self.folder / "config.json")
        self.tokenizer_folder = self.folder
        self._weights = Weights(self.folder)
        self.dtype = _embeddings_type(self._weights.entries, self.folder)

    def outputs(self) -> Iterator[Output]:
        return (_output(self._weights, name) for name in _kept(self._weights))


class _Differences:
    """Differences to a base: added to it, rows of tokens that the base lacks as they are."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        self.config = read_json(folder / "config.json")
        self.tokenizer_folder = _with_tokenizer(folder, base)
        self._weights, self._base = Weights(folder), Weights(base)
        self.dtype = _embeddings_type(self._weights.entries, folder)
        lost = [
            name
            for name in _kept(self._weights)
            if name not in self._base.entries and not name.startswith(_PROJECTOR)
        ]
        if lost:
            raise ModelError(
                f"the base does not hold {lost[0]!r}",
                where=str(base),
                mend="name the LLaMA that the differences were taken from",
            )

    def outputs(self) -> Iterator[Output]:
        return (self._summed(name) for name in _kept(self._weights))

    def _summed(self, name: str) -> Output:
        output = _output(self._weights, name)
        if name.startswith(_PROJECTOR):
            return output
        shape, base = output.shape, self._base.entries[name].shape
        rows = len(shape) == 2 and name in _BY_TOKEN and base[0] <= shape[0]
        if base != shape and not (rows and base[1] == shape[1]):
            raise ModelError(
                f"{name!r} has the shape {shape}, in the base {base}",
                where=str(self._base.place),
                mend="name the LLaMA that the differences were taken from",
            )

        def make() -> Any:
            summed = self._weights.tensor(name).clone()
            summed[: base[0]] += self._base.tensor(name).to(summed.dtype)
            return summed

        return Output(name, shape, output.dtype, make)


class _StageOne:
    """The projector and the embeddings that stage 1 trained, on the model that it left alone."""

    def __init__(self, file: Path, base: Path) -> None:
        self._trained, self._base = Weights(file), Weights(base)
        self.tokenizer_folder = _with_tokenizer(file.parent, base)
        own = (file.parent / "config.json").is_file()
        self.folder = file.parent if own else base
        self.config = read_json(self.folder / "config.json")
        self.dtype = _embeddings_type(self._base.entries, base)
        odd = [n for n in self._trained.entries if not n.startswith((_PROJECTOR, _BY_TOKEN[0]))]
        if odd:
            raise ModelError(f"unknown tensor {odd[0]!r}", where=str(file), mend="is it stage 1's?")
        self._vocabulary, self._added = self._grown()
        self.config |= {"vocab_size": self._vocabulary}
        if "mm_use_im_start_end" not in self.config:  # three are <im_patch>, <im_start>, <im_end>
            self.config["mm_use_im_start_end"] = self._added >= 3

    def _grown(self) -> tuple[int, int]:
        """Return how many tokens there are, and how many of them the base lacks."""
        had = self._base.entries[_BY_TOKEN[0]].shape[0]
        if _BY_TOKEN[0] not in self._trained.entries:
            return had, 0
        rows = self._trained.entries[_BY_TOKEN[0]].shape[0]
        if rows >= had:
            return rows, rows - had
        if rows <= 4:  # only those of the new tokens
            return had + rows, rows
        raise ModelError(
            f"stage 1 knows {rows} tokens, the base {had}",
            where=str(self._base.place),
            mend="name the model that stage 1 was trained on",
        )

    def outputs(self) -> Iterator[Output]:
        for name in _kept(self._base):
            if name.startswith(_PROJECTOR):
                continue
            yield self._by_token(name) if name in _BY_TOKEN else _output(self._base, name)
        for name in self._trained.entries:
            if name.startswith(_PROJECTOR):
                yield _output(self._trained, name)

    def _by_token(self, name: str) -> Output:
        base = self._base.entries[name]
        shape: Shape = (self._vocabulary, *base.shape[1:])

        def make() -> Any:
            old = self._base.tensor(name)
            if name in self._trained.entries:
                new = self._trained.tensor(name).to(old.dtype)
                return new if len(new) == len(old) + self._added else torch.cat([old, new])
            mean = old.float().mean(dim=0, keepdim=True).to(old.dtype)  # as LLaVA adds tokens
            return torch.cat([old, mean.expand(self._added, -1)]) if self._added else old

        return Output(name, shape, base.dtype, make)
