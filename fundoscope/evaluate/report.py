"""The report of an evaluation: one page to look at, and tables in Markdown for a paper.

The page asks nothing of any server: styles, plots and small copies of photographs are in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from fundoscope import __version__
from fundoscope.evaluate import metric_words as words
from fundoscope.evaluate import report_view as view
from fundoscope.evaluate.answers import VERSION as RULES
from fundoscope.evaluate.estimates import FEW_PATIENTS, Estimate
from fundoscope.evaluate.evaluation import Evaluation, left_out, split_said
from fundoscope.evaluate.scoring import by_form
from fundoscope.export.card import markdown_text, number, share

GIVEN_AWAY = 0.9
"""AUROC of the shortcut probe from which a label is flagged whatever a model scores."""
_COLUMNS = 6
"""Scores that stand in a paper's table of one question."""


def report_html(evaluation: Evaluation) -> str:
    """Return the report as one HTML page; the same evaluation gives the same bytes."""
    page = html_pages().get_template("report.html")
    parts = [
        view.part_view(evaluation, form, scored)
        for form, scored in by_form(evaluation.system.scored).items()
    ]
    return page.render(
        _common(evaluation)
        | {
            "eyebrow": "Evaluation",
            "figures": _figures(evaluation),
            "parts": parts,
            "overview": _overview(evaluation) if len(parts) > 1 else None,
            "file_alone": view.file_table(evaluation),
            "dialogues": view.dialogue_table(evaluation),
            "cases": view.case_views(evaluation),
        }
    )


def report_markdown(evaluation: Evaluation) -> str:
    """Return the report's tables as Markdown."""
    parts = [
        {
            "title": view.form_title(form),
            "size": view.size_told(scored),
            "table": _paper_table(evaluation, form),
        }
        for form, scored in by_form(evaluation.system.scored).items()
    ]
    page = markdown_pages().get_template("report.md")
    return page.render(_common(evaluation) | {"parts": parts})


def report_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the main score of every question, for a terminal: a line for each system."""
    for form, scores in evaluation.system.forms.items():
        main = words.main_of(scores.family, scores.estimates)
        if main is None:
            yield f"{view.form_title(form)}: nothing to score"
            continue
        yield f"{view.form_title(form)}: {words.named(main)}, n = {main.n:,}"
        for row in view.rows_of(evaluation, form):
            yield f"  {row.name}: {words.in_table(words.same_as(main, row.estimates))}"


def _common(evaluation: Evaluation) -> dict[str, Any]:
    task = evaluation.asked.task
    return {
        "title": task.title,
        "subject": evaluation.system.name,
        "lead": _lead(evaluation),
        "means": task.means,
        "flags": flags(evaluation),
        "warnings": warnings(evaluation),
        "left_out": left_out(evaluation),
        "method": _method(evaluation),
        "version": __version__,
    }


def _lead(evaluation: Evaluation) -> str:
    asked = evaluation.asked
    tongues = " and ".join(view.LANGUAGE_NAMES[one] for one in asked.choice.languages)
    photographs = len({item.key for item in asked.items if item.photographs})
    about = f"{photographs:,} photographs of {asked.patients:,} patients" if photographs else (
        f"{asked.patients:,} conditions"
    )  # fmt: skip
    return (
        f"{evaluation.system.name} was asked {len(asked.items):,} questions in {tongues} about "
        f"{about} ({split_said(evaluation)})."
    )


def flags(evaluation: Evaluation) -> list[dict[str, str]]:
    """Return what makes the scores mean less than they seem, in plain words."""
    found = []
    if evaluation.asked.task.shows_shortcut:
        found.append(
            {
                "head": "This task shows a shortcut; it is no measure of a model.",
                "text": "Its labels can be told without looking at the retina.",
            }
        )
    found += [
        {"head": f"{view.form_title(flag.form)}: shortcut.", "text": flag.words()}
        for flag in evaluation.flags
        if flag.flagged
    ]
    found += [
        {"head": f"{view.form_title(form)}: shortcut.", "text": told}
        for form, told in _given_away(evaluation)
    ]
    return found


def _given_away(evaluation: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield what the file alone tells of all photographs, where the model is not shown to lead.

    The flags of `shortcut_flag` compare what both answered; a model that stays silent on most
    photographs must not escape by that.
    """
    for told in evaluation.guessable:
        held = [
            flag
            for flag in evaluation.flags
            if flag.form == told.form and flag.term in ("", told.label)
        ]
        if told.auroc >= GIVEN_AWAY:
            yield (
                told.form,
                (
                    f"{told.words()} The file gives this label away: no score on it shows that a "
                    "retina was looked at."
                ),
            )
        elif told.low > 0.5 and not any(one.flagged or one.lead[1] > one.near for one in held):
            yield (
                told.form,
                (
                    f"{told.words()} The model is not shown to know more: its score does not show "
                    "that it looks at the retina."
                ),
            )


def warnings(evaluation: Evaluation) -> list[str]:
    """Return what a reader must know before the first number."""
    asked, found = evaluation.asked, []
    patients = asked.patients
    photographs = len({item.key for item in asked.items if item.photographs})
    if photographs and patients < FEW_PATIENTS:
        found.append(
            f"Only {view.counted(photographs, 'photograph')} of "
            f"{view.counted(patients, 'patient')}: too few to tell systems apart, and intervals "
            "drawn from so few patients are too narrow."
        )
    if asked.audit is None:
        if photographs:
            found.append(
                "Not audited: it was not said what the model was trained on, so it may have seen "
                "these photographs or patients (--against)."
            )
    elif asked.audit.shared:
        n = len(asked.audit.shared)
        found.append(
            f"{view.counted(n, 'photograph')} of {asked.audit.photographs:,} are shared with the "
            "training set, or show its patients; they are left out of every score."
        )
    return found


def _figures(evaluation: Evaluation) -> list[dict[str, str]]:
    items = evaluation.asked.items
    outcomes = [one.outcomes for one in evaluation.system.forms.values()]
    decided = sum(one["decided"] for one in outcomes)
    missing = sum(one["no answer"] for one in outcomes)
    photographs = len({item.key for item in items if item.photographs})
    said = len({item.asked for item in items})
    return [
        _figure("photographs", photographs, f"{evaluation.asked.patients:,} patients"),
        _figure("answers asked for", len(items), f"to {said:,} questions"),
        {
            "name": "coverage",
            "value": share(decided, len(items) - missing),
            "sub": f"{decided:,} of {len(items) - missing:,} answers decide",
        },
        _figure("without an answer", missing, "missing or unreadable"),
    ]


def _figure(name: str, value: int, sub: str) -> dict[str, str]:
    return {"name": name, "value": number(value), "sub": sub}


def _overview(evaluation: Evaluation) -> dict[str, Any]:
    """Return the main score of every question, a column for each system."""
    forms = list(evaluation.system.forms)
    columns = list(
        dict.fromkeys(row.name for form in forms for row in view.rows_of(evaluation, form))
    )
    rows = []
    for form in forms:
        there = {row.name: row for row in view.rows_of(evaluation, form)}
        scores = evaluation.system.forms[form]
        main = words.main_of(scores.family, scores.estimates)
        if main is None:
            continue
        cells = [
            view.cell(words.same_as(main, there[name].estimates)) if name in there else None
            for name in columns
        ]
        notes = [f"{words.named(main)}; n = {main.n:,}"]
        rows.append({"name": view.form_title(form), "main": False, "notes": notes, "cells": cells})
    return {"title": "All questions", "corner": "question", "columns": columns, "rows": rows}


def _paper_table(evaluation: Evaluation, form: str) -> dict[str, Any]:
    """Return a table with a row for each system and a column for each of the first scores."""
    rows = view.rows_of(evaluation, form)
    names = _told_first(rows)
    return {
        "columns": [words.named(one) for one in names],
        "rows": [
            {
                "name": row.name,
                "n": max((one.n for one in row.estimates), default=0),
                "cells": [words.in_table(words.same_as(one, row.estimates)) for one in names],
            }
            for row in rows
        ],
    }


def _told_first(rows: Sequence[view.Row]) -> list[Estimate]:
    family = rows[0].scores.family
    wanted = words.PAPER[family]
    known = view.all_names(rows)
    found = [one for name in wanted for one in known if (one.name, one.of) == name]
    return found[:_COLUMNS] or known[:_COLUMNS]


def _method(evaluation: Evaluation) -> list[tuple[str, str]]:
    asked, draws = evaluation.asked, evaluation.draws
    task, choice = asked.task, asked.choice
    told = [
        ("Task", f"{task.name}: {task.means}"),
        ("Photographs", f"{task.source}, {split_said(evaluation)}"),
        ("Licence", task.licence),
        ("Wordings", "all" if not choice.wordings else f"{choice.wordings} of each question"),
        ("From answer to label", f"rules, version {RULES}, in English and Chinese; never guessed"),
        (
            "Intervals",
            f"95 %, percentile, {draws.resamples:,} resamples of patients, seed {draws.seed}; none "
            "where every resample gives the same",
        ),
    ]
    if asked.audit is not None:
        audit = asked.audit
        counts = ", ".join(f"{how}: {n}" for how, n in audit.counts().items()) or "nothing shared"
        without = f"; {audit.untold:,} of them have no hash of their look" if audit.untold else ""
        told.append(
            ("Audit", f"against {audit.trained:,} photographs trained on{without}; {counts}")
        )
    told += [("Note", note) for note in task.notes]
    return told


def html_pages() -> Environment:
    """Return what renders the pages; all words are escaped."""
    return _pages(Environment(loader=_loader(), autoescape=True, undefined=StrictUndefined))


def markdown_pages() -> Environment:
    """Return what renders Markdown; no word of a value becomes mark-up."""
    return _pages(
        Environment(
            loader=_loader(),
            autoescape=False,
            finalize=markdown_text,
            undefined=StrictUndefined,
            keep_trailing_newline=True,
        )
    )


def _loader() -> ChoiceLoader:
    return ChoiceLoader(
        [
            PackageLoader("fundoscope.evaluate", "report_templates"),
            PackageLoader("fundoscope.export", "templates"),  # the card's style is ours too
        ]
    )


def _pages(pages: Environment) -> Environment:
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters |= {"number": number, "share": share, "listed": _listed}
    return pages


def _listed(names: Sequence[str], total: int) -> str:
    return ", ".join(names) + (", ..." if total > len(names) else "")
