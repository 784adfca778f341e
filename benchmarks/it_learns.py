"""Whether a model learns to answer: from scratch, on dialogues that `build` made.

python benchmarks/it_learns.py phantoms FOLDER
python benchmarks/it_learns.py odir FOLDER [DATA]

A small encoder learns labels, a small language model learns the words of the dialogues without
photographs, then stage 1 joins them by a projector and stage 2 trains projector and language model,
as the recipes do. Then it is asked about photographs that it never saw; nobody of a patient that it
saw. Its answers are read back by `verify.claims` and held against the best constant answer.

FOLDER keeps all steps, so that a run that was cut goes on. Research use; not a medical device.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    ResNetConfig,
    ResNetModel,
)
from transformers.utils import logging

from fundoscope.config import Job
from fundoscope.converse.build import build
from fundoscope.export.run_files import write_run_files
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.preparation import Preparation
from fundoscope.models.prompt_templates import MARK
from fundoscope.models.retinalgpt import assemble, save_retinal
from fundoscope.models.tiny import SPECIAL
from fundoscope.phantoms import LABELS, QUALITY_WORDS, coded_lesions, draw_phantom
from fundoscope.records import Record, record_from_json
from fundoscope.train.answer_scores import UNREAD, TaskScore, score
from fundoscope.train.encoder_stage import EncoderStage, Targets, by_region, train_encoder
from fundoscope.train.run_log import draw_curves, running_mean
from fundoscope.train.stage_config import make_stage
from fundoscope.train.stages import train_stage
from fundoscope.verify.claims import claims

SIDE_PX = 192
VOCABULARY = 1000
WIDE = "ultra-wide-field photograph"
PICTURES = Path(__file__).parents[1] / "docs" / "images"
ASPECTS = ("picture", "quality", "picture_quality", "condition", "lesions", "vessels")
"""What is asked about."""
PICTURE = ("picture", "picture_quality")
READ_FROM = {"modality": PICTURE, "eye": PICTURE, "quality": ("quality", "picture_quality")}
"""Aspects whose answers tell of a task; `lesions` for their kinds, else `condition`."""
COPIES = 2
"""Of each dialogue, its exchanges in another order."""
LESIONS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")


@dataclass(frozen=True)
class Bench:
    """One set to learn from, and how long."""

    name: str
    make: Callable[[Path], Path]
    """Makes the run of dialogues in a folder; returns it."""
    photographs: Callable[[Path], Path]
    tasks: Callable[[Record], dict[str, str]]
    """Right classes of a record by task; a task that its record does not tell is left out."""
    labels: Callable[[Record], dict[str, float]]
    """What the encoder learns."""
    kept_turns: frozenset[str]
    """Aspects that are learned; boxes are left to larger models."""
    questions: tuple[str, ...]
    """Aspects that are asked for."""
    encoder_epochs: float
    word_epochs: float
    stage_one_epochs: float
    stage_two_epochs: float
    numbers: bool = False
    """Whether vessel density is asked for."""
    silence: str = UNREAD
    """Class of a task of which an answer that can be read says nothing."""


# the set of phantoms


def make_phantoms(folder: Path, train: int = 1300, test: int = 300) -> Path:
    """Draw phantoms, a fifth as an ultra-wide camera would frame them; build dialogues."""
    root = folder / "phantoms"
    for name in ("photographs", "lesions"):
        (root / name).mkdir(parents=True, exist_ok=True)
    if not (root / "labels.csv").is_file():
        rows = [_draw(root, number) for number in range(train + test)]
        table = io.StringIO()
        writer = csv.DictWriter(table, LABELS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        (root / "labels.csv").write_text(table.getvalue())
    job = Job(
        source="phantoms",
        root=root,
        photographs=root / "photographs",
        tracks=("instruction", "alignment"),
        languages=("en",),
    )
    return _built(job, folder / "run")


def _built(job: Job, run: Path) -> Path:
    if not (run / "dialogues.jsonl").is_file():
        print(build(job, run).tally, flush=True)
        write_run_files(run)
    return run


def _draw(root: Path, number: int) -> dict[str, object]:
    chance = random.Random(number)
    grade = chance.choices((0, 1, 2), (40, 20, 40))[0]
    quality = chance.choices((0, 1, 2), (60, 25, 15))[0]
    lesions: dict[str, int] = {}
    if grade == 1:
        lesions = {"microaneurysm": chance.randint(10, 24)}
    elif grade == 2:
        lesions = {"microaneurysm": chance.randint(4, 14)}
        for kind, most in (("haemorrhage", 14), ("hard_exudate", 24), ("soft_exudate", 5)):
            if chance.random() < 0.55:
                lesions[kind] = chance.randint(2, most)
    eye = "left" if number % 2 == 0 else "right"
    phantom = draw_phantom(90_000 + number, SIDE_PX, lesions, quality, eye)
    pixels, coded, vessels = phantom.photograph, coded_lesions(phantom), phantom.vessels
    wide = chance.random() < 0.2
    if wide:
        pixels, coded, vessels = _seen_wide(pixels, coded, vessels, phantom.field_of_view)
    name = f"phantom_{number:05d}"
    cv2.imwrite(
        str(root / "photographs" / f"{name}.jpg"), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    cv2.imwrite(str(root / "lesions" / f"{name}.png"), coded)
    return {
        "image": f"{name}.jpg",
        "patient": f"patient_{number // 2:05d}",
        "eye": eye,
        "modality": WIDE if wide else "colour fundus photograph",
        "quality": QUALITY_WORDS[quality],
        "disease": "diabetic retinopathy" if grade else "normal fundus",
        "icdr": grade,
        "vessel_density": f"{vessels.mean():.6f}",
        "cdr_vertical": f"{phantom.cup_disc_ratio_vertical:.6f}",
        "notes": "drawn, nobody's eye",
    }


def _seen_wide(
    pixels: NDArray[np.uint8], coded: NDArray[np.uint8], vessels: NDArray[np.bool_], field: Any
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a phantom as a small part of a wide, greenish field."""
    side, inner = SIDE_PX, round(SIDE_PX * 0.7)
    at = (side - inner) // 2
    rows, cols = np.ogrid[:side, :side]
    inside = ((rows - side / 2) / (0.46 * side)) ** 2 + ((cols - side / 2) / (0.5 * side)) ** 2 <= 1
    seen = cv2.resize(pixels, (inner, inner), interpolation=cv2.INTER_AREA).astype(np.float32)
    field = cv2.resize(field.astype(np.uint8), (inner, inner), interpolation=cv2.INTER_NEAREST) > 0
    frame = np.zeros((side, side, 3), np.float32)
    frame[inside] = seen[field].mean(axis=0)
    frame[at : at + inner, at : at + inner][field] = seen[field]
    frame *= np.array([0.75, 1.0, 0.7], np.float32)
    small = cv2.resize(coded, (inner, inner), interpolation=cv2.INTER_NEAREST)
    thin = cv2.resize(vessels.astype(np.uint8), (inner, inner), interpolation=cv2.INTER_NEAREST)
    whole, lines = np.zeros((side, side), np.uint8), np.zeros((side, side), bool)
    whole[at : at + inner, at : at + inner] = small
    lines[at : at + inner, at : at + inner] = thin > 0
    return frame.clip(0, 255).astype(np.uint8), whole, lines


def phantom_tasks(record: Record) -> dict[str, str]:
    """Return the right classes of a phantom."""
    grades = {grade.scale: grade.level for grade in record.grades}
    drawn = {total.kind for total in record.lesion_totals if total.count}
    return {
        "modality": record.photograph.modality,
        "eye": str(record.photograph.eye),
        "quality": str(grades["stated_quality"]),
        "grade": str(grades["icdr"]),
        **{kind: "present" if kind in drawn else "absent" for kind in LESIONS},
    }


def density_of(record: Record) -> float | None:
    """Return the vessel density of a record, where it has one."""
    for measured in record.measurements:
        if measured.name == "vessel_density":
            return float(measured.value)
    return None


def phantom_labels(record: Record) -> dict[str, float]:
    """Return what the encoder learns of a phantom: classes, and densities as steps."""
    tasks = phantom_tasks(record)
    density = density_of(record) or 0.0
    return {
        "wide": float(tasks["modality"] != "colour_fundus_photograph"),
        "left": float(record.photograph.eye == "left"),
        "not good": float(tasks["quality"] != "0"),
        "reject": float(tasks["quality"] == "2"),
        "mild or more": float(tasks["grade"] != "0"),
        "moderate": float(tasks["grade"] == "2"),
        **{kind: float(tasks[kind] == "present") for kind in LESIONS},
        **{f"density over {at}": float(density > at) for at in DENSITIES},
    }


DENSITIES = (0.018, 0.022, 0.026, 0.03, 0.034, 0.038, 0.042, 0.046, 0.05, 0.054, 0.058)


# real photographs of ODIR


def odir_root() -> Path:
    """Return the folder of ODIR."""
    data = sys.argv[3] if len(sys.argv) > 3 else os.environ.get("FUNDOSCOPE_DATA", DATA)
    return Path(data) / "ODIR5K"


def make_odir(folder: Path) -> Path:
    """Build dialogues from ODIR's photographs and its keywords."""
    job = Job(
        source="odir",
        root=odir_root(),
        tracks=("instruction", "alignment"),
        languages=("en",),
    )
    return _built(job, folder / "run")


DATA = Path(__file__).parents[2] / "shared" / "data"
CONDITIONS = (
    "normal_fundus",
    "diabetic_retinopathy",
    "cataract",
    "pathological_myopia",
    "glaucoma",
    "dry_age_related_macular_degeneration",
    "hypertensive_retinopathy",
)
"""Those of ODIR's keywords that are named often enough to be scored."""


def odir_tasks(record: Record) -> dict[str, str]:
    """Return the right classes of an eye of ODIR; a condition is `named` by its keywords or not."""
    named = odir_labels(record)
    tasks = {name: "present" if named[name] else "not named" for name in CONDITIONS}
    return {"eye": str(record.photograph.eye), **tasks}


def odir_labels(record: Record) -> dict[str, float]:
    """Return what the encoder learns of an eye.

    Its annotators listed all that they saw, so here, and only to teach the encoder, what is not
    listed counts as absent.
    """
    named = {finding.term for finding in record.findings if finding.status == "present"}
    named |= {"diabetic_retinopathy" for grade in record.grades if grade.level > 0}
    return {
        "left": float(record.photograph.eye == "left"),
        **{name: float(name in named) for name in CONDITIONS},
    }


# parts


def train_records(run: Path) -> tuple[list[Record], list[Record]]:
    """Return records to learn from and to ask about, no patient in both."""
    records = [record_from_json(line) for line in (run / "records.jsonl").open("rb")]
    records = [record for record in records if record.photograph.file]
    people = sorted({record.photograph.patient or record.key for record in records})
    random.Random(5).shuffle(people)
    asked = set(people[: len(people) * 3 // 16])
    parts: tuple[list[Record], list[Record]] = ([], [])
    for record in records:
        parts[(record.photograph.patient or record.key) in asked].append(record)
    return parts


def write_dialogues(run: Path, keys: set[str], out: Path, kept_turns: frozenset[str]) -> None:
    """Write LLaVA's rows of some records: alignment, instruction, and words without photograph.

    Exchanges are shuffled: from dialogues that always begin alike a model this small learns the
    order of the questions rather than the questions.
    """
    chance = random.Random(7)
    rows: dict[str, list[dict[str, Any]]] = {"alignment": [], "instruction": [], "words": []}
    for line in (run / "dialogues.jsonl").open(encoding="utf-8"):
        held = json.loads(line)
        told = held["provenance"]
        turns = held["conversations"]
        kept = [
            pair
            for pair, aspects in zip(
                zip(turns[::2], turns[1::2], strict=True), told["aspects"], strict=True
            )
            if set(aspects) <= kept_turns
        ]
        if told["key"] not in keys or not kept:
            continue
        for copy in range(COPIES if told["track"] == "instruction" else 1):
            chance.shuffle(kept)
            turns = []
            for number, (human, gpt) in enumerate(kept):
                asked = human["value"].replace(MARK, "").strip()
                mark = "" if number else f"\n{MARK}"
                turns += [{**human, "value": asked + mark}, gpt]
            row = {"id": f"{held['id']}/{copy}", "image": held["image"], "conversations": turns}
            rows[told["track"]].append(row)
            bare = [{**turn, "value": turn["value"].replace(f"\n{MARK}", "")} for turn in turns]
            rows["words"].append({"id": row["id"], "conversations": bare})
    for name, held_rows in rows.items():
        (out / f"{name}.json").write_text(json.dumps(held_rows), encoding="utf-8")


def new_tokenizer(texts: Iterator[str]) -> PreTrainedTokenizerFast:
    """Return a byte-level tokenizer of these texts, each digit on its own."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="[PAD]",
        unk_token="<unk>",
        additional_special_tokens=list(SPECIAL[4:]),
        clean_up_tokenization_spaces=False,
    )


def new_encoder() -> ResNetModel:
    """Return a ResNet of 0.6 M parameters: 36 features of a photograph of 192 px.

    A ConvNeXt of that size learned no lesion from 1,300 photographs (area 0.5), nor did a head
    that sees the mean of the photograph.
    """
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=16, hidden_sizes=[24, 48, 96, 160], depths=[1] * 4, layer_type="basic"
    )
    config.image_size = SIDE_PX
    return ResNetModel(config)


def new_language() -> LlamaForCausalLM:
    """Return a LLaMA of 0.9 M parameters."""
    torch.manual_seed(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=128,
            intermediate_size=352,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=1024,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=3,
        )
    )


# the loop


def learn(bench: Bench, folder: Path) -> Path:
    """Take a model from nothing through both stages; return its folder."""
    run = bench.make(folder)
    train, _ = train_records(run)
    write_dialogues(run, {record.key for record in train}, folder, bench.kept_turns)
    photographs = bench.photographs(folder)
    preparation = Preparation(SIDE_PX, "field")
    start = folder / "start"
    if not (start / "fundoscope.json").is_file():
        encoder = seeing(bench, train, photographs, preparation, folder)
        rows = json.loads((folder / "words.json").read_text())
        texts = (turn["value"] for row in rows for turn in row["conversations"])
        tokenizer = new_tokenizer(texts)
        model = assemble(encoder, new_language(), tokenizer, "mlp")
        save_retinal(model, tokenizer, preparation, start, "v0")
    common = {"precision": "fp32", "save_every": 100, "checkpoints_kept": 1, "batch_each": 16,
              "photographs_kept": 2000}  # fmt: skip
    words = {"dialogues": folder / "words.json"}
    alignment = {"dialogues": folder / "alignment.json", "photographs": photographs}
    instruction = {"dialogues": folder / "instruction.json", "photographs": photographs}
    stages: list[dict[str, Any]] = [
        {"out": "words", "learns": ["language"], "data": [words], "epochs": bench.word_epochs,
         "learning_rate": 2e-3},
        {"out": "stage1", "learns": ["projector", "new_tokens"], "data": [alignment],
         "epochs": bench.stage_one_epochs, "learning_rate": 2e-3},
        {"out": "stage2", "learns": ["projector", "language"], "data": [instruction],
         "epochs": bench.stage_two_epochs, "learning_rate": 1e-3},
    ]  # fmt: skip
    model_folder = start
    for stage in stages:
        began = time.process_time()
        out = folder / str(stage["out"])
        config = make_stage({**common, **stage, "model": model_folder, "out": out})
        done = train_stage(config)
        told = {k: done.manifest[k] for k in ("learned_parameters", "loss_first", "loss_last")}
        print(out.name, told, f"{time.process_time() - began:.0f} CPU s", flush=True)
        model_folder = out / "model"
    return model_folder


def seeing(
    bench: Bench, train: list[Record], photographs: Path, preparation: Preparation, folder: Path
) -> ResNetModel:
    """Return an encoder that learned the labels of the records."""
    file, log = folder / "encoder.pt", folder / "encoder.json"
    encoder = new_encoder()
    if file.is_file():
        encoder.load_state_dict(torch.load(file, weights_only=True))
        return encoder
    began = time.process_time()
    values = np.stack(
        [preparation.prepared(photographs / r.photograph.file).values for r in train]
    ).astype(np.float16)
    labels = [bench.labels(record) for record in train]
    names = sorted({name for each in labels for name in each})
    targets: Targets = np.array(
        [[each.get(name, np.nan) for name in names] for each in labels], np.float32
    )
    stage = EncoderStage(steps=round(bench.encoder_epochs * len(train) / 16), learning_rate=2e-3)
    head = torch.nn.Linear(9 * encoder.config.hidden_sizes[-1], len(names))

    def progress(step: int, loss: float) -> None:
        if step % 50 == 0:
            print(f"encoder {step}/{stage.steps} {loss:.3f}", flush=True)

    losses = train_encoder(
        encoder,
        head,
        lambda rows: values[rows].astype(np.float32),
        targets,
        stage,
        progress,
        look=by_region,
    )
    torch.save(encoder.state_dict(), file)
    log.write_text(json.dumps(losses))
    print(f"encoder: {len(names)} labels, {time.process_time() - began:.0f} CPU s", flush=True)
    return encoder


# asking


def questions_of(run: Path) -> dict[str, dict[str, str]]:
    """Return what the dialogues about each record ask, by aspect, in their own words."""
    found: dict[str, dict[str, str]] = {}
    for line in (run / "dialogues.jsonl").open(encoding="utf-8"):
        held = json.loads(line)
        told = held["provenance"]
        if told["track"] != "instruction":
            continue
        for turn, aspects in zip(held["conversations"][::2], told["aspects"], strict=True):
            if len(aspects) == 1 and aspects[0] in ASPECTS:
                asked = turn["value"].replace(MARK, "").strip()
                found.setdefault(told["key"], {}).setdefault(aspects[0], asked)
    return found


def ask(
    bench: Bench, model: Path, records: Sequence[Record], folder: Path
) -> list[dict[str, tuple[str, str]]]:
    """Return question and answer by aspect for each record, every question on its own."""
    engine = Answering.load(model, most_tokens=90, batch=20)
    photographs, words = bench.photographs(folder), questions_of(folder / "run")
    places = [
        (record, name, words[record.key][name])
        for record in records
        for name in bench.questions
        if name in words.get(record.key, {})
    ]
    asked = [Asked((q,), (photographs / r.photograph.file,)) for r, _, q in places]
    given: dict[str, dict[str, tuple[str, str]]] = {record.key: {} for record in records}
    for (record, name, question), answer in zip(places, engine.answer(asked), strict=True):
        given[record.key][name] = (question, (answer.answers or ("",))[0])
    return [given[record.key] for record in records]


def said(answers: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return the classes that answers give, by task."""
    found: dict[str, str] = {}
    for name, (_, answer) in answers.items():
        for claim in claims(answer, "en"):
            told = claim.statement
            if name == "condition":
                found["read"] = "yes"
            if told.aspect == "modality" and name in PICTURE:
                found.setdefault("modality", told.term)
            elif told.aspect == "eye" and name in PICTURE:
                found.setdefault("eye", str(told.value))
            elif told.aspect == "quality" and name in READ_FROM["quality"]:
                found.setdefault("quality", str(told.value))
            elif told.aspect == "grade" and name == "condition":
                found.setdefault("grade", str(told.value))
                if told.value:
                    found.setdefault(told.term, "present")
            elif name in ("condition", "lesions") and told.aspect == "finding":
                found.setdefault(told.term, str(told.value))
            elif name == "lesions" and told.aspect == "lesion_count":
                found.setdefault(told.term, "present")
            elif told.term == "vessel_density" and name == "vessels":
                found.setdefault("vessel_density", str(told.value))
    return found


def read_from(task: str) -> tuple[str, ...]:
    """Return the aspects whose answers tell of a task."""
    return ("lesions",) if task in LESIONS else READ_FROM.get(task, ("condition",))


def scores(
    bench: Bench, records: Sequence[Record], given: Sequence[dict[str, tuple[str, str]]]
) -> None:
    """Print each task beside its best constant answer, and the error of vessel density."""
    told = [said(answers) for answers in given]
    truth = [bench.tasks(record) for record in records]
    print("| task | questions | constant | answers | balanced, chance | unread |")
    print("|---|---|---|---|---|---|")
    for task in dict.fromkeys(name for each in truth for name in each):
        pairs = [
            (right[task], one.get(task, bench.silence if "read" in one else UNREAD))
            for right, one, answers in zip(truth, told, given, strict=True)
            if task in right and any(name in answers for name in read_from(task))
        ]
        _print_row(task, score(pairs))
    if bench.numbers:
        _print_density(records, told)


def _print_row(task: str, one: TaskScore | None) -> None:
    if one is None:
        return
    chance = 1 / sum(each.asked > 0 for each in one.classes.values())
    print(
        f"| {task} | {one.asked} | {one.constant_right / one.asked:.3f} | "
        f"{one.right / one.asked:.3f} | {one.balanced:.3f}, {chance:.3f} | {one.unread} |"
    )


def _print_density(records: Sequence[Record], told: Sequence[dict[str, str]]) -> None:
    pairs = [
        (density_of(record), float(one["vessel_density"]))
        for record, one in zip(records, told, strict=True)
        if density_of(record) is not None and "vessel_density" in one
    ]
    true, read = np.array(pairs, float).T
    constant = np.abs(true - np.median(true)).mean()
    print(
        f"vessel density: {len(pairs)} of {len(records)} answered with a number; mean error "
        f"{np.abs(true - read).mean():.4f}, of the median {constant:.4f}, "
        f"correlation {np.corrcoef(true, read)[0, 1]:.2f}"
    )


def draw(bench: Bench, folder: Path) -> None:
    """Draw the losses of all steps, one after the other."""
    lines: dict[str, tuple[list[tuple[float, float]], str]] = {}
    points: list[tuple[float, float]] = []
    begin = 0
    colours = ("#1f5fa8", "#b8470b", "#2b7a3d")
    for name, colour in zip(("words", "stage1", "stage2"), colours, strict=True):
        rows = [json.loads(line) for line in (folder / name / "log.jsonl").open()]
        own = [(begin + row["step"], row["loss"]) for row in rows if "loss" in row]
        points += own
        lines[name] = (running_mean(own), colour)
        begin += len(own)
    PICTURES.mkdir(exist_ok=True)
    draw_curves(PICTURES / f"it-learns-{bench.name}.png", "loss of a token", points, lines)


PHANTOMS = Bench(
    name="phantoms",
    make=make_phantoms,
    photographs=lambda folder: folder / "phantoms" / "photographs",
    tasks=phantom_tasks,
    labels=phantom_labels,
    kept_turns=frozenset((*ASPECTS, "alignment", "probe")),
    questions=ASPECTS,
    encoder_epochs=10,
    word_epochs=1,
    stage_one_epochs=1,
    stage_two_epochs=4,
    numbers=True,
)


ODIR = Bench(
    name="odir",
    make=make_odir,
    photographs=lambda folder: odir_root(),
    tasks=odir_tasks,
    labels=odir_labels,
    kept_turns=frozenset((*PICTURE, "eye", "condition", "alignment")),
    questions=(*PICTURE, "condition"),
    encoder_epochs=12,
    word_epochs=1,
    stage_one_epochs=1,
    stage_two_epochs=4,
    silence="not named",
)


def main() -> None:
    """Learn, ask, score, draw."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    bench = {"phantoms": PHANTOMS, "odir": ODIR}[sys.argv[1]]
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    model = learn(bench, folder)
    draw(bench, folder)
    _, test = train_records(folder / "run")
    began = time.process_time()
    given = ask(bench, model, test, folder)
    print(f"{len(test)} photographs asked about, {time.process_time() - began:.0f} CPU s")
    for question, answer in given[0].values():
        print(f"  {question}\n    {answer}")
    scores(bench, test, given)


if __name__ == "__main__":
    main()
