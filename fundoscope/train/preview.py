"""What a model will read of one dialogue, token by token, and what it will learn of it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from fundoscope.errors import ConfigError
from fundoscope.models.prompt_templates import IGNORED
from fundoscope.train.dialogue_data import Ready
from fundoscope.train.stage_config import StageConfig
from fundoscope.train.stage_data import dialogue_data
from fundoscope.train.stages import stage_model


@dataclass(frozen=True)
class Stretch:
    """Neighbouring tokens of one kind, as text."""

    text: str
    learned: bool


@dataclass(frozen=True)
class Preview:
    """A place of the stream."""

    stretches: tuple[Stretch, ...]
    tokens: int
    learned_tokens: int
    photographs: int
    dropped_exchanges: int
    px_per_input_px: tuple[float, ...]
    """Of each photograph: its pixels in one that the encoder sees."""


def preview(config: StageConfig, place: int = 0) -> Preview:
    """Return what stands at a place of a stage's stream; no weights are loaded.

    Raises
    ------
    ConfigError
        If there is no such place, or what stands there is refused.
    """
    model = stage_model(config)
    wording = model.wording
    data = dialogue_data(config, config.data, model)
    if place < 0:
        raise ConfigError(f"there is no place {place}", mend="count from 0")
    item = data[place]
    if not isinstance(item, Ready):
        raise ConfigError(
            f"{item.trouble}: {item.reason}",
            where=item.id,
            mend="mend the data; in training it would be left out and counted",
        )
    tokenizer, patch = wording.tokenizer, wording.photograph.patch
    patch_id = tokenizer.convert_tokens_to_ids(patch)
    kinds = [
        (id == patch_id, label != IGNORED)
        for id, label in zip(item.tokens.ids, item.tokens.labels, strict=True)
    ]
    stretches = []
    at = 0
    for (is_patch, learned), run in groupby(kinds):
        n = len(list(run))
        ids = list(item.tokens.ids[at : at + n])
        at += n
        text = f"{patch} x {n} " if is_patch else tokenizer.decode(ids, skip_special_tokens=False)
        stretches.append(Stretch(text, learned))
    return Preview(
        tuple(stretches),
        len(item.tokens.ids),
        sum(learned for _, learned in kinds),
        item.tokens.photographs,
        item.tokens.dropped_exchanges,
        item.px_per_input_px,
    )
