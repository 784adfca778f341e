"""How fast a checkpoint is carried over, and in how much memory, beside a plain copy.

python benchmarks/convert.py                    # 1 layer in 8 of a 7B model's, 4 shards
python benchmarks/convert.py --layers 32 --dir /large/disk
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import CLIPVisionConfig, CLIPVisionModel

from fundoscope.models.legacy_checkpoint import convert_checkpoint

HIDDEN, INNER, HEADS, VOCABULARY = 4096, 11008, 32, 32004


def write_checkpoint(folder: Path, layers: int, shard_layers: int) -> None:
    """Write a random LLaVA-v0 checkpoint of 7B's widths, half precision, shard by shard."""
    folder.mkdir(parents=True)
    placed: dict[str, str] = {}
    groups: list[dict[str, tuple[int, ...]]] = []
    for first in range(0, layers, shard_layers):
        group: dict[str, tuple[int, ...]] = {}
        for layer in range(first, min(layers, first + shard_layers)):
            group |= layer_shapes(f"model.layers.{layer}.")
        groups.append(group)
    groups[0]["model.embed_tokens.weight"] = (VOCABULARY, HIDDEN)
    groups[-1] |= {
        "model.norm.weight": (HIDDEN,),
        "lm_head.weight": (VOCABULARY, HIDDEN),
        "model.mm_projector.weight": (HIDDEN, 1024),
        "model.mm_projector.bias": (HIDDEN,),
    }
    for number, group in enumerate(groups, start=1):
        name = f"pytorch_model-{number:05d}-of-{len(groups):05d}.bin"
        tensors = {key: filled(shape) for key, shape in group.items()}
        torch.save(tensors, folder / name)
        placed.update(dict.fromkeys(group, name))
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": placed}))
    config = {
        "model_type": "llava",
        "hidden_size": HIDDEN,
        "intermediate_size": INNER,
        "num_attention_heads": HEADS,
        "num_hidden_layers": layers,
        "vocab_size": VOCABULARY,
        "mm_use_im_start_end": True,
        "mm_vision_select_layer": -2,
        "pad_token_id": 32000,
    }
    (folder / "config.json").write_text(json.dumps(config))


def layer_shapes(start: str) -> dict[str, tuple[int, ...]]:
    return {
        **{f"{start}self_attn.{part}_proj.weight": (HIDDEN, HIDDEN) for part in "qkvo"},
        f"{start}mlp.gate_proj.weight": (INNER, HIDDEN),
        f"{start}mlp.up_proj.weight": (INNER, HIDDEN),
        f"{start}mlp.down_proj.weight": (HIDDEN, INNER),
        f"{start}input_layernorm.weight": (HIDDEN,),
        f"{start}post_attention_layernorm.weight": (HIDDEN,),
    }


def filled(shape: tuple[int, ...]) -> torch.Tensor:
    """Return values that no disk can make smaller, but quick to make."""
    values = torch.empty(shape, dtype=torch.float16)
    row = torch.randint(-(2**15), 2**15, shape[-1:], dtype=torch.int16).view(torch.float16)
    return values.copy_(row.nan_to_num(0.0).expand(shape))


def apart(work: Callable[[], None]) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and peak memory in GB of work in a process of its own."""
    started = time.perf_counter()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"failed with status {status}")
    wall_s = time.perf_counter() - started
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e9


def copy(folder: Path) -> None:
    shutil.copytree(folder / "checkpoint", folder / "copy")
    shutil.copytree(folder / "tower", folder / "copy" / "tower")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--shard-layers", type=int, default=2)
    parser.add_argument("--dir", type=Path, default=None, help="a disk with room for three copies")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="fundoscope-", dir=chosen.dir))
    try:
        tower, checkpoint = folder / "tower", folder / "checkpoint"
        shape = CLIPVisionConfig(
            hidden_size=1024,
            intermediate_size=4096,
            num_hidden_layers=24,
            num_attention_heads=16,
            patch_size=14,
        )
        apart(lambda: CLIPVisionModel(shape).half().save_pretrained(tower))
        apart(lambda: write_checkpoint(checkpoint, chosen.layers, chosen.shard_layers))
        files = [*checkpoint.glob("*.bin"), *tower.glob("*.safetensors")]
        total, largest = (f(file.stat().st_size for file in files) / 1e9 for f in (sum, max))
        print(f"{total:.2f} GB in {len(files)} files, the largest {largest:.2f} GB")
        idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        for name, work in (
            ("plain copy", lambda: copy(folder)),
            ("convert", lambda: convert(checkpoint, tower, folder / "out")),
        ):
            wall_s, cpu_s, peak_gb = apart(work)
            print(
                f"{name}: {wall_s:.1f} s ({total / wall_s:.2f} GB/s), {cpu_s:.1f} CPU s, peak "
                f"{peak_gb:.2f} GB, of which {idle:.2f} GB were there before it began"
            )
        print(f"twice the largest file: {2 * largest:.2f} GB")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def convert(checkpoint: Path, tower: Path, output: Path) -> None:
    convert_checkpoint(checkpoint, tower, output, VOCABULARY - 3)


if __name__ == "__main__":
    sys.exit(main())
