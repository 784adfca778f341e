"""Verbs that turn a run, or dialogues from elsewhere, into files for a trainer."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from fundoscope.cli.app import AsJson, cli, counting, out
from fundoscope.errors import ConfigError

RunFolder = Annotated[Path, typer.Argument(help="Folder that `build -o` wrote.")]
DialogueFile = Annotated[
    Path, typer.Argument(help="LLaVA JSON or JSONL, ShareGPT, or messages JSONL.")
]


@cli.command()
def export(
    runs: Annotated[list[Path], typer.Argument(help="Folders that `build -o` wrote.")],
    format: Annotated[
        str,
        typer.Option(
            help="llava, llava-jsonl, sharegpt, history, messages, swift, parquet or webdataset."
        ),
    ] = "llava",
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder; RUN/FORMAT of the first by default."),
    ] = None,
    weight: Annotated[
        list[float] | None,
        typer.Option(
            help="How often a run's dialogues are trained on: 0.25 takes a quarter of them, 2 "
            "takes them twice. One for each run, in order."
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="train/val/test shares, e.g. 0.8/0.1/0.1; by patient and duplicate."),
    ] = None,
    photographs: Annotated[
        str, typer.Option(help="none, link or copy the photographs into the folder.")
    ] = "none",
    track: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    language: Annotated[list[str] | None, typer.Option(help="Only these; may be repeated.")] = None,
    prefix: Annotated[str, typer.Option(help="Put before each photograph's path.")] = "",
    resplit: Annotated[
        bool, typer.Option("--resplit", help="Split anew even where the set has official splits.")
    ] = False,
    reviewed: Annotated[
        bool,
        typer.Option("--reviewed", help="Only what reviewers accepted, in their words."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the kept dialogues for a trainer, split by patient.

    fundoscope export runs/odir --format sharegpt --split 0.8/0.1/0.1 --photographs link

    Several runs are split together: no patient and no near-duplicate is parted across them.
    Weights are applied after that, and not to val and test.

    fundoscope export runs/odir runs/knowledge --weight 1 --weight 0.25 --format history
    """
    from fundoscope.export.runs import export_run

    placement: Any = photographs
    with counting("exporting"):
        report = export_run(
            runs,
            output or runs[0] / format,
            format=format,
            weights=weight,
            fractions=_fractions(split),
            photographs=placement,
            languages=language,
            tracks=track,
            prefix=prefix,
            reviewed=reviewed,
            respect_official=not resplit,
        )
    told = {
        "out": str(report.out),
        "dialogues": report.dialogues,
        "counts": report.counts,
        "runs": [run.told() for run in report.runs],
        **({"reviewed": list(report.reviewed)} if reviewed else {}),
    }
    if as_json:
        out.print_json(json.dumps(told, default=dict))
        return
    told_apart = f", {report.text_only:,} of them about none" if report.text_only else ""
    out.print(
        f"{report.dialogues:,} dialogues about {report.photographs:,} photographs{told_apart}"
    )
    for told_of in report.reviewed:
        out.print(
            f"  {told_of['run']}: {told_of['accepted']:,} accepted ({told_of['edited']:,} edited, "
            f"{len(told_of['overrides']):,} over the verifier's objection), "
            f"{told_of['rejected']:,} rejected, {told_of['disputed']:,} in dispute, "
            f"{told_of['changed_since_review']:,} changed since, "
            f"{told_of['not_reviewed']:,} not reviewed"
        )
    for run in report.runs if len(report.runs) > 1 or weight else ():
        out.print(
            f"  {run.run}: weight {run.weight:g}, {run.written.total():,} written "
            f"of {run.held.total():,}"
        )
    for name, tracks in report.counts.items():
        parts = [f"{t} {lang} {n:,}" for t, langs in tracks.items() for lang, n in langs.items()]
        out.print(f"  {name}: {', '.join(parts)}")
    duplicates, splits = report.duplicates, report.splits
    clusters = sum(duplicates.sizes.values())
    out.print(
        f"  {splits.groups:,} patients or groups, none in two splits; near-duplicates: "
        f"{clusters:,} clusters ({duplicates.across_datasets:,} across sets)"
    )
    for group in splits.spanning:
        out.print(f"  spanned official splits, moved whole: {group}")
    for name in report.files:
        out.print(f"  {report.out / name}")
    out.print(f"  {report.out / 'manifest.json'}")


def _fractions(text: str | None) -> tuple[float, float, float] | None:
    if text is None:
        return None
    try:
        train, val, test = (float(part) for part in text.split("/"))
    except ValueError as problem:
        raise ConfigError(
            f"--split wants three shares, got {text!r}", mend="for example 0.8/0.1/0.1"
        ) from problem
    return train, val, test


@cli.command()
def card(run: RunFolder) -> None:
    """Write the dataset card of a run: card.html to look at, card.md for a hub."""
    from fundoscope.export.card import write_card

    for file in write_card(run):
        out.print(str(file))


@cli.command()
def fix(
    file: DialogueFile,
    output: Annotated[Path, typer.Option("-o", "--output", help="The mended file.")],
    as_json: AsJson = False,
) -> None:
    """Mend what can be mended without inventing; the rest goes to a rejects file with reasons."""
    from fundoscope.export.dialogue_files import fix as mend

    report = mend(file, output)
    if as_json:
        out.print_json(json.dumps(asdict(report), default=str))
        return
    out.print(f"{report.read:,} rows read, {report.written:,} written to {output}")
    _show_counts("mended", report.repairs)
    _show_counts("rejected", report.rejected)
    if report.duplicates:
        out.print(f"  left out as repeated: {report.duplicates:,}")
    for old, new in report.renamed:
        out.print(f"  renamed: {old} -> {new}")
    if report.rejects:
        out.print(f"  {report.rejects}")


def _show_counts(what: str, counts: Any) -> None:
    for reason, count in sorted(counts.items(), key=lambda item: -item[1]):
        out.print(f"  {what}: {count:,} x {reason}")


@cli.command()
def merge(
    files: Annotated[list[Path], typer.Argument(help="Files of dialogues.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The merged file.")],
    as_json: AsJson = False,
) -> None:
    """Merge files of dialogues: repeated rows once, colliding ids apart."""
    from fundoscope.export.dialogue_files import merge as merge_files

    report = merge_files(files, output)
    if as_json:
        out.print_json(json.dumps(asdict(report), default=str))
        return
    out.print(
        f"{sum(report.read.values()):,} rows read, {report.written:,} written to {output}, "
        f"{report.duplicates:,} repeated, {len(report.renamed):,} renamed"
    )
