"""Exactly what learns in a stage, and that all else stays as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from types import MethodType
from typing import Any

import torch

from fundoscope.errors import ConfigError
from fundoscope.train.stage_config import LoraConfig, Part

_LORA_TARGETS = r"(?!.*vision).*layers\.\d+\.(self_attn|mlp)\.\w+_proj"
"""Every projection of the language model's layers, none of the vision encoder's."""


def freeze(
    model: Any, learns: Collection[Part], new_tokens: Sequence[int] = (), lora: Any = None
) -> list[Any]:
    """Let the parts learn and nothing else; return hooks that hold embedding rows still.

    Parameters
    ----------
    model : a `LlavaForConditionalGeneration`
    learns : `vision`, `projector`, `language`, `new_tokens`
    new_tokens : ids whose embedding rows learn, for `new_tokens`
    lora : LoraConfig, optional
        Then `language` learns low-rank additions only.

    Raises
    ------
    ConfigError
        If `new_tokens` is asked of a model that has none, or makes no sense beside `language`.
    """
    if lora is not None and "language" not in learns:
        raise ConfigError("lora is given, but `language` does not learn", mend="add it to learns")
    _check_new_tokens(learns, new_tokens, lora)
    model.requires_grad_(False)
    if lora is not None:
        add_lora(model, lora)
    parts = _parts(model)
    for name in learns:
        if name == "language" and lora is not None:
            continue
        for part in parts.get(name, ()):
            part.requires_grad_(True)
    projector = model.model.multi_modal_projector
    if model.config.projector_hidden_act == "linear":
        projector.linear_2.requires_grad_(False)  # the identity: a single layer learns as one
    hold_statistics(model)
    return [_only_rows(model, new_tokens)] if "new_tokens" in learns else []


def hold_statistics(model: Any) -> None:
    """Keep the running means of layers that do not learn, as batch normalisation has them.

    They are no parameters: without this they would follow the batches of every stage.
    """
    for part in model.modules():
        counts = getattr(part, "running_mean", None) is not None
        if counts and not any(p.requires_grad for p in part.parameters()):
            part.eval()
            part.train = MethodType(_stays, part)


def _stays(part: Any, mode: bool = True) -> Any:
    return part


def check_parts(learns: Collection[str], known: Sequence[str]) -> None:
    """Refuse parts that an architecture does not have, or none at all."""
    odd = [part for part in learns if part not in known]
    if odd or not learns:
        raise ConfigError(
            f"the model has no part {odd[0]!r}" if odd else "nothing learns",
            mend=f"`learns` may hold: {', '.join(known)}",
        )


def _check_new_tokens(learns: Collection[Part], new_tokens: Sequence[int], lora: Any) -> None:
    if "new_tokens" not in learns:
        return
    if not new_tokens:
        raise ConfigError(
            "the model has no tokens before and after a photograph",
            mend="take new_tokens out of learns",
        )
    if "language" in learns and lora is None:
        raise ConfigError(
            "`language` learns all embeddings, `new_tokens` only some",
            mend="take new_tokens out of learns",
        )


def _parts(model: Any) -> dict[str, list[Any]]:
    return {
        "vision": [model.model.vision_tower],
        "projector": [model.model.multi_modal_projector],
        "language": [model.model.language_model, model.lm_head],
    }


def _only_rows(model: Any, rows: Sequence[int]) -> Any:
    """Let some rows of the embeddings learn: the others' gradients are set to zero."""
    weight = model.get_input_embeddings().weight
    weight.requires_grad_(True)
    mask = torch.zeros(weight.shape[0], 1, dtype=weight.dtype, device=weight.device)
    mask[list(rows)] = 1
    weight.learned_rows = len(rows)
    return weight.register_hook(lambda gradient: gradient * mask.to(gradient))


def add_lora(model: Any, lora: LoraConfig) -> None:
    """Add low-rank layers, which start as nothing, to the language model."""
    from peft import LoraConfig as PeftLoraConfig
    from peft import inject_adapter_in_model

    layers = PeftLoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=_LORA_TARGETS,
    )
    inject_adapter_in_model(layers, model)
    # so that the Trainer lets a quantised model learn; checkpoints are our own
    model._hf_peft_config_loaded = True


def merge_lora(model: Any) -> None:
    """Put what low-rank layers learned into the weights below, and take the layers out."""
    from peft.tuners.lora import LoraLayer

    for name, layer in list(model.named_modules()):
        if isinstance(layer, LoraLayer):
            layer.merge()
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, layer.get_base_layer())
    model._hf_peft_config_loaded = False
    if hasattr(model, "peft_config"):
        del model.peft_config


def learning(model: Any) -> dict[str, Any]:
    """Return the parameters that learn, by name."""
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def learned_count(model: Any) -> int:
    """Return how many numbers learn; of an embedding of which only rows do, only those."""
    count = 0
    for parameter in learning(model).values():
        rows = getattr(parameter, "learned_rows", None)
        count += parameter.numel() if rows is None else rows * parameter.shape[1]
    return count


def group_parameters(
    model: Any, learning_rate: float, projector_rate: float | None, weight_decay: float
) -> list[dict[str, Any]]:
    """Return the optimizer's groups: by rate, and by whether weights decay.

    Biases, norms and embeddings do not decay: of an embedding of which only some rows learn, the
    others must stay.
    """
    groups: dict[tuple[float, float], list[Any]] = {}
    for name, parameter in learning(model).items():
        own = "multi_modal_projector" in name and projector_rate is not None
        rate = projector_rate if own and projector_rate is not None else learning_rate
        still = parameter.ndim < 2 or "embed" in name
        groups.setdefault((rate, 0.0 if still else weight_decay), []).append(parameter)
    return [
        {"params": members, "lr": rate, "weight_decay": decay}
        for (rate, decay), members in sorted(groups.items(), key=lambda item: item[0])
    ]
