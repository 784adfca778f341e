"""How much less it costs to answer many questions at once than one by one, same answers.

python benchmarks/answering.py                # 8 photographs, 5 questions, 48 tokens; one thread
python benchmarks/answering.py --photographs 4 --questions 3 --tokens 24

A random LLaVA of about 90 million parameters, 256 features a photograph. The released way: batch
1, every turn from scratch. Dialogues: each question knows the answers before it; by itself: each
question alone, the photograph first.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fundoscope.models.answering import Answering, Asked
from fundoscope.models.tiny import tiny_text, tiny_vision, write_tiny_llava

QUESTIONS = (
    "What kind of photograph is it, and is it good enough to be judged?",
    "Are there signs of diabetic retinopathy?",
    "How do the arterioles and venules look?",
    "Where are the hard exudates, if there are any?",
    "Is the optic disc normal?",
)


def from_scratch(engine: Answering, asked: Asked) -> list[tuple[int, ...]]:
    """Return what is written with batch 1, prompt and photograph computed anew at every turn."""
    model, written = engine.sight.model, []
    pixels = torch.stack(
        [torch.from_numpy(engine.preparation.prepared(p).values) for p in asked.photographs]
    )
    ids = engine._segment(
        engine._opening(asked), asked, {(id(p), ""): [0] * 256 for p in asked.photographs}
    ).ids
    for number, question in enumerate(asked.questions):
        if number:
            _, kept, rest = engine._ends.answer(list(written[-1]))
            ids += [
                *written[-1][:kept],
                *engine._later_ids(rest, engine.template.question(question)),
            ]
        given = torch.tensor([ids])
        made = model.generate(
            input_ids=given,
            pixel_values=pixels,
            attention_mask=torch.ones_like(given),
            max_new_tokens=engine.most_tokens,
            do_sample=False,
            eos_token_id=sorted(engine._ends.tokens),
        )
        written.append(tuple(made[0, len(ids) :].tolist()))
    return written


def timed(work: Any) -> tuple[float, Any]:
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photographs", type=int, default=8)
    parser.add_argument("--questions", type=int, default=5)
    parser.add_argument("--tokens", type=int, default=48)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = write_tiny_llava(
            Path(place),
            vision=tiny_vision_large(),
            text=tiny_text(
                640,
                400,
                intermediate_size=1760,
                num_hidden_layers=14,
                num_attention_heads=10,
                num_key_value_heads=10,
            ),
            spread=0.03,
        )
        engine = Answering.load(folder, device="cpu", most_tokens=chosen.tokens, batch=64)
    with torch.no_grad():  # transformers' class stops if a photograph's token is among its answers
        engine.sight.head.weight[:7] = 0
    million = sum(p.numel() for p in engine.sight.model.parameters()) / 1e6
    rng = np.random.default_rng(0)
    photographs = [
        rng.integers(0, 255, (300, 300, 3)).astype(np.uint8) for _ in range(chosen.photographs)
    ]
    questions = QUESTIONS[: chosen.questions]
    print(
        f"{million:.0f} M parameters; {len(photographs)} photographs x {len(questions)} questions"
    )
    dialogues = [Asked(questions, (photograph,)) for photograph in photographs]
    compare("dialogues", engine, dialogues, chosen.tokens)
    engine.photograph_first = True
    alone = [Asked((question,), (p,)) for p in photographs for question in questions]
    compare("each question by itself", engine, alone, chosen.tokens)


def tiny_vision_large() -> Any:
    vision = tiny_vision(384, 224)
    vision.num_hidden_layers, vision.num_attention_heads, vision.intermediate_size = 11, 6, 1536
    return vision


def compare(name: str, engine: Answering, asked: list[Asked], tokens: int) -> None:
    one_s, one = timed(lambda: [from_scratch(engine, a) for a in asked])
    ours_s, ours = timed(lambda: [list(answered.tokens) for answered in engine.answer(asked)])
    same = sum(
        a == b for xs, ys in zip(one, ours, strict=True) for a, b in zip(xs, ys, strict=True)
    )
    answers = sum(len(xs) for xs in one)
    written = sum(len(x) for xs in one for x in xs)
    print(
        f"{name}: released way {one_s:.1f} CPU s ({written / one_s:.1f} tokens/s), ours "
        f"{ours_s:.1f} CPU s ({written / ours_s:.1f} tokens/s): {one_s / ours_s:.2f} times; "
        f"{same} of {answers} answers the same"
    )


if __name__ == "__main__":
    main()
