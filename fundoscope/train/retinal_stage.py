"""RetinalGPT as it is trained: projector and new tokens first, then the language model too."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, LlavaConfig

from fundoscope.errors import ConfigError
from fundoscope.models.legacy_config import SIDE_FILE, read_json, write_json
from fundoscope.models.preparation import Preparation
from fundoscope.models.prompt_templates import PhotographTokens, chat_template, prompt_template
from fundoscope.models.retinalgpt import load_retinal, photograph_features, save_retinal
from fundoscope.models.sights import LlavaSight
from fundoscope.train.dialogue_data import Collate, Filler
from fundoscope.train.dialogue_tokens import Wording
from fundoscope.train.freezing import check_parts, freeze, learning, merge_lora
from fundoscope.train.quantising import quantised
from fundoscope.train.stage_config import StageConfig


class RetinalStage:
    """A `LlavaForConditionalGeneration`, from a folder that `convert` or a stage wrote."""

    one_photograph = False

    def __init__(self, config: StageConfig) -> None:
        check_parts(config.learns, ("vision", "projector", "language", "new_tokens"))
        folder = config.model
        side = read_json(folder / SIDE_FILE) if (folder / SIDE_FILE).is_file() else {}
        tokenizer = AutoTokenizer.from_pretrained(folder)
        held = LlavaConfig.from_pretrained(folder)
        tokens = PhotographTokens(**side.get("photograph", {}))
        if tokenizer.convert_tokens_to_ids(tokens.patch) != held.image_token_id:
            raise ConfigError(
                f"{tokens.patch!r} is not the model's token for photographs",
                where=str(folder),
                mend="convert the checkpoint again, with its tokenizer",
            )
        count = int(held.image_seq_length or photograph_features(held.vision_config))
        self._config = config
        self.wording = Wording(
            tokenizer,
            template_of(config, tokenizer),
            replace(tokens, count=count),
            config.most_tokens,
        )
        way = config.preparation or side.get("preparation", "field")
        self.preparation = Preparation.of_folder(folder, way)

    def load(self) -> Any:
        """Return the model, what does not learn frozen."""
        config, block = self._config, self.wording.photograph
        if "new_tokens" in config.learns and os.environ.get("ACCELERATE_USE_FSDP") == "true":
            raise ConfigError(
                "single embedding rows cannot learn where the weights are sharded",
                mend="train this stage without FSDP: little learns in it",
            )
        more: dict[str, Any] = {"dtype": torch.bfloat16 if self._holds_half() else torch.float32}
        if config.lora is not None and config.lora.bits is not None:
            more = quantised(config.lora.bits, ["multi_modal_projector", "vision_tower", "lm_head"])
        model = load_retinal(config.model, **more)
        marks = [token for token in (block.start, block.end) if token]
        ids = self.wording.tokenizer.convert_tokens_to_ids(marks)
        freeze(model, config.learns, ids, config.lora)
        for parameter in learning(model).values():  # small steps are lost in 16 bits
            parameter.data = parameter.data.float()
        return model

    def _holds_half(self) -> bool:
        """Whether frozen weights may stay at bfloat16: they are stored so, and each is whole."""
        stored = LlavaConfig.from_pretrained(self._config.model).dtype
        sharded = any(
            os.environ.get(f"ACCELERATE_USE_{name}") == "true" for name in ("FSDP", "DEEPSPEED")
        )
        return self._config.precision == "bf16" and stored == torch.bfloat16 and not sharded

    def collate(self) -> Collate:
        """Return what puts items into a batch."""
        return collate_of(self.wording, self.preparation)

    def sight(self, model: Any) -> LlavaSight:
        """Return the model as the answering engine takes it."""
        return LlavaSight(model)

    def caches(self, model: Any) -> Iterable[Any]:
        """Return the configurations whose `use_cache` trainers switch off."""
        return model.config, model.config.get_text_config(), model.generation_config

    def checkpointed(self, model: Any) -> Any:
        """Return the networks whose activations may be computed twice."""
        return [model]

    def save(self, model: Any, folder: Path) -> None:
        """Write the trained model, low-rank layers merged into it."""
        lora = self._config.lora
        if lora is not None and lora.bits is not None:
            model = self._unquantised(model)
        if lora is not None:
            merge_lora(model)
        template = self._config.template
        save_retinal(model, self.wording.tokenizer, self.preparation, folder, template)
        tokens = self.wording.photograph
        own = {"patch": tokens.patch, "start": tokens.start, "end": tokens.end}
        write_json({**read_json(folder / SIDE_FILE), "photograph": own}, folder / SIDE_FILE)

    def _unquantised(self, trained: Any) -> Any:
        """Return the model below at 16 bits, with what was learned put into it."""
        model = load_retinal(self._config.model, dtype=torch.bfloat16)
        freeze(model, self._config.learns, (), self._config.lora)
        wanted = learning(model)
        with torch.no_grad():
            for name, parameter in learning(trained).items():
                wanted[name].copy_(parameter.to("cpu"))
        return model


def template_of(config: StageConfig, tokenizer: Any) -> Any:
    """Return a stage's prompt template; `chat` is the tokenizer's own."""
    return (
        chat_template(tokenizer) if config.template == "chat" else prompt_template(config.template)
    )


def collate_of(wording: Wording, preparation: Preparation) -> Collate:
    """Return what puts dialogues into a batch."""
    patch = wording.tokenizer.convert_tokens_to_ids(wording.photograph.patch)
    filler = Filler(patch, wording.photograph.count, preparation.side_px)
    return Collate(padding_of(wording.tokenizer), filler)


def padding_of(tokenizer: Any) -> int:
    """Return the token that fills up a batch; which one does not matter, it is masked."""
    for id in (tokenizer.pad_token_id, tokenizer.eos_token_id, 0):
        if id is not None:
            return int(id)
    return 0
