"""Weights on disk, tensor by tensor: no more than one file is mapped at a time.

Read: `pytorch_model.bin` and `model.safetensors`, whole or sharded with an index. Written:
safetensors shards with an index, each tensor straight from where it lies into the file, so that
memory does not depend on the size of the shards written.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open

from fundoscope.errors import ModelError

Shape = tuple[int, ...]
SHARD_BYTES = 5_000_000_000
_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_NO_WEIGHTS = ("mm_projector.bin", "optimizer.bin", "scheduler.bin", "training_args.bin")
_CODES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
_TYPES = {code: dtype for dtype, code in _CODES.items()}


@dataclass(frozen=True)
class Entry:
    """What is known of a tensor before its values are read."""

    shape: Shape
    dtype: Any
    file: Path

    @property
    def bytes(self) -> int:
        """Size of its values."""
        return int(torch.Size(self.shape).numel() * self.dtype.itemsize)


class _Opened(Protocol):
    def names(self) -> list[str]: ...
    def entry(self, name: str) -> tuple[Shape, Any]: ...
    def tensor(self, name: str) -> Any: ...


class Weights:
    """The tensors of a checkpoint: a folder, or one file of weights.

    Raises
    ------
    ModelError
        If there are none, if a file is missing, cut short or no file of weights, if the index and
        the files disagree, or if two files hold a tensor of the same name.
    """

    def __init__(self, place: Path) -> None:
        self.place = place
        files, promised = weight_files(place)
        self.entries: dict[str, Entry] = {}
        self._file: Path | None = None
        self._opened: _Opened | None = None
        for file in files:
            opened = self._open(file)
            for name in opened.names():
                if name in self.entries:
                    raise ModelError(
                        f"two files hold {name!r}",
                        where=f"{self.entries[name].file}, {file}",
                        mend="remove the one that is left over",
                    )
                self.entries[name] = Entry(*opened.entry(name), file)
        lost = [name for name, file in promised.items() if self._lies_elsewhere(name, file)]
        if lost:
            raise ModelError(
                f"the index names {lost[0]!r} in {promised[lost[0]]}, which does not hold it",
                where=str(place),
                mend="fetch the checkpoint again",
            )

    def tensor(self, name: str) -> Any:
        """Return a tensor's values; the file that it lies in stays mapped until another is read."""
        return self._open(self.entries[name].file).tensor(name)

    def _lies_elsewhere(self, name: str, file: str) -> bool:
        return name not in self.entries or self.entries[name].file.name != file

    def _open(self, file: Path) -> _Opened:
        if self._file != file or self._opened is None:
            self._opened = None  # unmapped before the next is mapped
            self._opened, self._file = _open(file), file
        return self._opened


def weight_files(place: Path) -> tuple[list[Path], dict[str, str]]:
    """Return the files of weights of a checkpoint, and which tensor its index promises where."""
    if place.is_file():
        return [place], {}
    for name in _INDEXES:
        if (place / name).is_file():
            promised = _index(place / name)
            return [place / file for file in sorted(set(promised.values()))], promised
    for name in _WHOLE:
        if (place / name).is_file():
            return [place / name], {}
    others = sorted([*place.glob("*.safetensors"), *place.glob("*.bin")])
    others = [file for file in others if file.name not in _NO_WEIGHTS]
    if len(others) == 1:
        return others, {}
    raise ModelError(
        f"{len(others)} files of weights and no index" if others else "no file of weights",
        where=str(place),
        mend=f"expected one of {', '.join((*_INDEXES, *_WHOLE))}",
    )


def _index(file: Path) -> dict[str, str]:
    try:
        promised = json.loads(file.read_text(encoding="utf-8"))["weight_map"]
        names = {str(name): str(value) for name, value in promised.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ModelError(
            f"not an index of weights: {problem!r}", where=str(file), mend="fetch it again"
        ) from problem
    odd = [value for value in names.values() if Path(value).name != value]
    if odd:
        raise ModelError(
            f"the index names a file outside its folder: {odd[0]!r}",
            where=str(file),
            mend="do not use this checkpoint",
        )
    return names


def _open(file: Path) -> _Opened:
    if not file.is_file():
        raise ModelError("a file of weights is missing", where=str(file), mend="fetch it")
    kind = _Safetensors if file.suffix == ".safetensors" else _Pickled
    try:
        return kind(file)
    except _BROKEN as problem:
        raise _broken(file, problem) from problem


_BROKEN = (
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    pickle.UnpicklingError,
    SafetensorError,
)


def _broken(file: Path, problem: Exception) -> ModelError:
    return ModelError(
        f"not a whole file of weights: {(str(problem).splitlines() or [repr(problem)])[0]}",
        where=str(file),
        mend="fetch it again; a file that runs code when opened is refused on purpose",
    )


class _Pickled:
    """A `.bin` file; nothing but tensors is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            held = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
        except RuntimeError:  # of before torch 1.6, which cannot be mapped; or broken
            held = torch.load(file, map_location="cpu", weights_only=True)
        if not isinstance(held, dict) or not all(torch.is_tensor(t) for t in held.values()):
            raise ValueError("it holds more than named tensors")
        self.held: dict[str, Any] = held

    def names(self) -> list[str]:
        return list(self.held)

    def entry(self, name: str) -> tuple[Shape, Any]:
        return tuple(self.held[name].shape), self.held[name].dtype

    def tensor(self, name: str) -> Any:
        return self.held[name]


class _Safetensors:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.held = safe_open(file, framework="pt").__enter__()

    def names(self) -> list[str]:
        return list(self.held.keys())

    def entry(self, name: str) -> tuple[Shape, Any]:
        piece = self.held.get_slice(name)
        return tuple(piece.get_shape()), _TYPES[piece.get_dtype()]

    def tensor(self, name: str) -> Any:
        return self.held.get_tensor(name)


@dataclass(frozen=True)
class Output:
    """A tensor to write: its shape and type, and how to make it when its turn comes."""

    name: str
    shape: Shape
    dtype: Any
    make: Callable[[], Any]

    @property
    def bytes(self) -> int:
        """Size of its values."""
        return int(torch.Size(self.shape).numel() * self.dtype.itemsize)


def write_safetensors(
    outputs: Iterable[Output],
    folder: Path,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int], None] = lambda bytes: None,
) -> int:
    """Write tensors to `folder` as safetensors shards with an index; return bytes written."""
    shards = list(_shards(outputs, shard_bytes))
    placed: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        name = "model.safetensors" if len(shards) == 1 else name
        _write_shard(shard, folder / name, progress)
        placed.update({output.name: name for output in shard})
    total = sum(output.bytes for shard in shards for output in shard)
    if len(shards) > 1:
        write_index(placed, total, folder / _INDEXES[0])
    return total


def write_index(placed: Mapping[str, str], total_bytes: int, file: Path) -> None:
    """Write which file holds which tensor."""
    index = {"metadata": {"total_size": total_bytes}, "weight_map": dict(sorted(placed.items()))}
    file.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def write_pickled(outputs: Iterable[Output], folder: Path, shard_bytes: int = SHARD_BYTES) -> int:
    """Write tensors as `pytorch_model-*.bin` with an index; one shard is held in memory."""
    shards = list(_shards(outputs, shard_bytes))
    placed: dict[str, str] = {}
    for number, shard in enumerate(shards, start=1):
        name = f"pytorch_model-{number:05d}-of-{len(shards):05d}.bin"
        torch.save({output.name: _made(output).clone() for output in shard}, folder / name)
        placed.update({output.name: name for output in shard})
    total = sum(output.bytes for shard in shards for output in shard)
    write_index(placed, total, folder / _INDEXES[1])
    return total


def _shards(outputs: Iterable[Output], shard_bytes: int) -> Iterator[list[Output]]:
    shard: list[Output] = []
    held = 0
    for output in outputs:
        if shard and held + output.bytes > shard_bytes:
            yield shard
            shard, held = [], 0
        shard.append(output)
        held += output.bytes
    yield shard


def _write_shard(shard: list[Output], file: Path, progress: Callable[[int], None]) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for output in shard:
        span = [at, at + output.bytes]
        header[output.name] = {
            "dtype": _CODES[output.dtype],
            "shape": list(output.shape),
            "data_offsets": span,
        }
        at = span[1]
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % 8)  # values begin at a multiple of 8 bytes
    with file.open("wb") as stream:
        stream.write(len(told).to_bytes(8, "little") + told)
        for output in shard:
            values = _made(output).contiguous()
            if values.numel():
                stream.write(values.reshape(-1).view(torch.uint8).numpy().data)
            progress(output.bytes)


def _made(output: Output) -> Any:
    values = output.make()
    if tuple(values.shape) != output.shape or values.dtype != output.dtype:
        raise AssertionError(f"{output.name} was promised otherwise than made")
    return values
