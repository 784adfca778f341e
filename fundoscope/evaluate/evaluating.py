"""One command's work: ask, read, score, hold the baselines beside it, and write it all down.

An evaluation's folder holds the memory of answers (`predictions.jsonl`), every item with what was
read (`items.jsonl`), the scores (`scores.json`), the report (`report.html`, `report.md`) and, last,
`manifest.json`: it being there means "finished".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fundoscope import __version__
from fundoscope.errors import ConfigError
from fundoscope.evaluate import run_files
from fundoscope.evaluate.answers import VERSION as RULES
from fundoscope.evaluate.asking import Answered, ask, photograph_hashes
from fundoscope.evaluate.baselines import Blind, Chance, Constant, Majority
from fundoscope.evaluate.evaluation import Evaluation, System, scores_json
from fundoscope.evaluate.item_making import Asked
from fundoscope.evaluate.items import Predictor
from fundoscope.evaluate.prediction_files import FilePredictor
from fundoscope.evaluate.reading_answers import read_answers
from fundoscope.evaluate.report import report_html, report_markdown
from fundoscope.evaluate.scoring import Draws, by_form, labels_in, score_dialogues, score_form
from fundoscope.evaluate.shortcut import Shortcut
from fundoscope.evaluate.shortcut_flag import ShortcutFlag, shortcut_flags

AT_ONCE = (FilePredictor, Majority, Constant, Chance, Shortcut)
"""Predictors whose answers are not kept: asking again costs nothing, and what they go by (a file,
the other items) may have changed."""


def evaluate_predictor(
    asked: Asked,
    predictor: Predictor,
    out: Path,
    *,
    baselines: Sequence[Predictor] = (),
    draws: Draws | None = None,
    jobs: int = 2,
    progress: Callable[[int], None] = lambda number: None,
) -> Evaluation:
    """Return a predictor's scores on a task's items, and write its folder.

    Interrupted at any moment, the same call goes on: what was answered is not asked again. The
    same items and answers give the same bytes, but for the memories of answers, which hold them
    in the order in which they came.

    Parameters
    ----------
    asked : what `items_of` returned
    out : the evaluation's folder; made where it is not there
    baselines : whoever else is asked the same; see `baselines_for`
    jobs : processes that read answers
    progress : told how many items more the predictor has answered

    Raises
    ------
    ConfigError
        If nothing is asked, or the folder holds another predictor's answers.
    """
    if not asked.items:
        why = "; ".join(f"{why}: {n:,}" for why, n in asked.counts_left_out().items())
        raise ConfigError(
            f"the task {asked.task.name} asks nothing of this copy of its set"
            + (f" ({why})" if why else ""),
            mend="check the folder, the part and the training set that it is held against",
        )
    draws = draws or Draws()
    hashes = photograph_hashes(asked.items)
    out.mkdir(parents=True, exist_ok=True)
    (out / run_files.MANIFEST).unlink(missing_ok=True)

    def system(one: Predictor, memory: str, told: Callable[[int], None]) -> System:
        kept = None if isinstance(one, AT_ONCE) else out / memory
        answered = ask(one, asked.items, hashes, kept, told)
        return _scored(one.name, asked, answered, draws, jobs)

    main = system(predictor, run_files.PREDICTIONS, progress)
    others = tuple(system(one, f"{one.name}.jsonl", lambda number: None) for one in baselines)
    probes = (one for one in baselines if isinstance(one, Shortcut))
    evaluation = Evaluation(
        asked,
        main,
        others,
        guessable=tuple(told for one in probes for told in one.guessable(draws.resamples)),
        flags=_flags(main, others, draws),
        dialogues=tuple(score_dialogues(main.scored, draws)),
        draws=draws,
        hashes=hashes,
    )
    write_evaluation(evaluation, out)
    return evaluation


def baselines_for(
    asked: Asked,
    predictor: Predictor,
    *,
    blind: bool = False,
    grey: Path | None = None,
    jobs: int = 1,
) -> list[Predictor]:
    """Return who is asked the same without looking at a retina: majority, shortcut, blind.

    Parameters
    ----------
    blind : whether the predictor is asked everything a second time, without the photographs
    grey : where to write a grey picture that it is shown instead, for one that must see something
    jobs : processes that read photographs for the shortcut probe
    """
    found: list[Predictor] = [Majority(asked.items)]
    if any(item.photographs and labels_in(item) for item in asked.items):
        found.append(Shortcut(asked.items, jobs=jobs))
    if blind and any(item.photographs for item in asked.items):
        found.append(Blind(predictor, grey))
    return found


def _flags(main: System, others: Sequence[System], draws: Draws) -> tuple[ShortcutFlag, ...]:
    """Return the flags of every question that the shortcut probe answered."""
    probe = next((by_form(one.scored) for one in others if one.name == Shortcut.name), {})
    model = by_form(main.scored)
    return tuple(
        flag
        for form, answers in model.items()
        if any(one.reading for one in probe.get(form, ()))
        for flag in shortcut_flags(answers, probe[form], **asdict(draws))
    )


def _scored(name: str, asked: Asked, answered: Answered, draws: Draws, jobs: int) -> System:
    scored = tuple(read_answers(asked.items, list(answered.predictions.values()), jobs=jobs))
    forms = {
        form: score_form(answers, asked.task.metrics, draws)
        for form, answers in by_form(scored).items()
    }
    return System(name, scored, forms, answered.unmatched)


def write_evaluation(evaluation: Evaluation, out: Path) -> None:
    """Write an evaluation's items, scores, report and manifest, the manifest last."""
    rows = (run_files.item_row(one) for one in evaluation.system.scored)
    files = [
        run_files.write_rows(out / run_files.ITEMS, rows),
        run_files.written(out / run_files.SCORES, run_files.as_json(scores_json(evaluation))),
        run_files.written(out / run_files.HTML, report_html(evaluation)),
        run_files.written(out / run_files.MARKDOWN, report_markdown(evaluation)),
    ]
    manifest = manifest_json(evaluation, files)
    run_files.written(out / run_files.MANIFEST, run_files.as_json(manifest))


def manifest_json(evaluation: Evaluation, files: Sequence[Path]) -> dict[str, Any]:
    """Return what decided the scores, as hashes; no dates, no paths."""
    asked = evaluation.asked
    photographs = {
        item.key: [evaluation.hashes[file] for file in item.photographs]
        for item in asked.items
        if item.photographs
    }
    return {
        "fundoscope": __version__,
        "answer_rules": RULES,
        "task": asked.task.name,
        "task_sha256": run_files.text_sha256(asked.task.model_dump_json()),
        "predictor": evaluation.system.name,
        "questions_sha256": run_files.questions_sha256(asked.items),
        "truths_sha256": run_files.truths_sha256(asked.items),
        "resamples": evaluation.draws.resamples,
        "seed": evaluation.draws.seed,
        "files": {file.name: run_files.file_sha256(file) for file in files},
        "photographs": photographs,
    }
