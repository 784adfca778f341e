"""OphGLM as it is trained: its encoder on labels, its fusion on questions, its language model."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import AutoTokenizer

from fundoscope.errors import ConfigError
from fundoscope.models.legacy_config import PATCH, SIDE_FILE, read_json
from fundoscope.models.ophglm import STAGES, OphGLM, OphGLMShape
from fundoscope.models.ophglm_files import OphGLMSight, load_ophglm, save_ophglm
from fundoscope.models.preparation import Preparation
from fundoscope.models.prompt_templates import PhotographTokens
from fundoscope.train.dialogue_data import Collate, Ready, Refused
from fundoscope.train.dialogue_tokens import Wording
from fundoscope.train.freezing import add_lora, check_parts, merge_lora
from fundoscope.train.retinal_stage import collate_of, template_of
from fundoscope.train.stage_config import StageConfig

_LONGEST_QUESTION = 512


class FusedDialogues(nn.Module):
    """An OphGLM over dialogues in which fused tokens stand where a photograph's tokens stand."""

    def __init__(self, model: OphGLM, patch: int) -> None:
        super().__init__()
        self.ophglm, self._patch = model, patch

    def forward(
        self,
        input_ids: Any,
        attention_mask: Any,
        labels: Any,
        pixel_values: Any,
        question_ids: Any,
        question_mask: Any,
        **more: Any,
    ) -> Any:
        """Return what the language model gives, its `loss` with it.

        Parameters
        ----------
        input_ids, attention_mask, labels : (B, T)
        pixel_values : (B, 3, S, S), one photograph a dialogue
        question_ids, question_mask : (B, Q)
            The first question, in the text encoder's tokens.
        """
        language = self.ophglm.language
        here = input_ids == self._patch
        words = language.get_input_embeddings()(input_ids.masked_fill(here, 0))
        fused = self.ophglm.fuse(pixel_values, question_ids, question_mask)
        words = words.masked_scatter(here[..., None], fused.to(words.dtype))
        return language(inputs_embeds=words, attention_mask=attention_mask, labels=labels, **more)


@dataclass(frozen=True)
class CollateFused:
    """Puts dialogues into a batch, the first question of each for the text encoder beside it."""

    inner: Collate
    reader: Any

    def __call__(self, items: Sequence[Ready | Refused]) -> dict[str, Any]:
        """Return a batch of `Collate`, with question_ids and question_mask."""
        batch = self.inner(items)
        questions = [row.question or "?" for row in self.inner.rows(items)]
        read = self.reader(
            questions,
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=_LONGEST_QUESTION,
        )
        return {**batch, "question_ids": read["input_ids"], "question_mask": read["attention_mask"]}


class OphglmStage:
    """An OphGLM from a folder that `save_ophglm` or a stage wrote; stages 2 and 3."""

    one_photograph = True

    def __init__(self, config: StageConfig) -> None:
        check_parts(config.learns, STAGES)
        folder = config.model
        side = read_json(folder / SIDE_FILE)
        shape = OphGLMShape(**read_json(folder / "config.json")["shape"])
        tokenizer = AutoTokenizer.from_pretrained(folder)
        self._config = config
        self._reader = AutoTokenizer.from_pretrained(folder / "reader")
        self.wording = Wording(
            tokenizer,
            template_of(config, tokenizer),
            PhotographTokens(PATCH, shape.fused_tokens),
            config.most_tokens,
        )
        way = config.preparation or side["preparation"]
        self.preparation = Preparation.of_folder(folder, way)

    def load(self) -> FusedDialogues:
        """Return the model, what does not learn frozen."""
        lora = self._config.lora
        if lora is not None and lora.bits is not None:
            raise ConfigError("OphGLM takes no `bits`", mend="leave them out")
        model = load_ophglm(self._config.model)
        freeze_ophglm(model, self._config)
        return FusedDialogues(model, self.wording.tokenizer.convert_tokens_to_ids(PATCH))

    def collate(self) -> CollateFused:
        """Return what puts items into a batch."""
        return CollateFused(collate_of(self.wording, self.preparation), self._reader)

    def sight(self, model: Any) -> OphGLMSight:
        """Return the model as the answering engine takes it."""
        return OphGLMSight(model.ophglm, self.wording.tokenizer, self._reader)

    def caches(self, model: Any) -> Iterable[Any]:
        """Return the configurations whose `use_cache` trainers switch off."""
        language = model.ophglm.language
        return language.config, language.generation_config

    def checkpointed(self, model: Any) -> Any:
        """Return the networks whose activations may be computed twice."""
        return [model.ophglm.language]

    def save(self, model: Any, folder: Path) -> None:
        """Write the trained model, low-rank layers merged into it."""
        if self._config.lora is not None:
            merge_lora(model.ophglm.language)
        shutil.rmtree(folder, ignore_errors=True)  # what a run that was cut left
        tokenizer, template = self.wording.tokenizer, self._config.template
        save_ophglm(model.ophglm, tokenizer, self._reader, self.preparation, folder, template)


def freeze_ophglm(model: OphGLM, config: StageConfig) -> None:
    """Let the parts of a stage learn and nothing else."""
    names = {name for part in STAGES if part in config.learns for name in model.train_stage(part)}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    if config.lora is not None:
        if "language" not in config.learns:
            raise ConfigError(
                "lora is given, but `language` does not learn", mend="add it to learns"
            )
        model.language.requires_grad_(False)
        add_lora(model.language, config.lora)
