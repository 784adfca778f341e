"""The verb that shows a run to its reviewers."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fundoscope.cli.app import AsJson, cli, out


@cli.command()
def review(
    run: Annotated[Path, typer.Argument(help="Folder that `build -o` wrote.")],
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where it is served; 0: any that is free.")
    ] = 8765,
    host: Annotated[
        str, typer.Option(help="Another address than this machine's own needs --token-file.")
    ] = "127.0.0.1",
    token_file: Annotated[
        Path | None, typer.Option(help="File with the secret that visitors must know.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides the order of the random sample.")] = 0,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="Print how far reviewers agree; serve nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open a page on which dialogues are accepted, edited or rejected before their release.

    fundoscope review runs/odir

    Every act is kept in the run's ledger with who and when. Two reviewers, each under their own
    name, do not see each other's; `--agreement` tells Cohen's kappa; whoever is neither decides
    where they differ. `fundoscope export RUN --reviewed` then takes what was accepted.
    """
    if agreement:
        _print_agreement(run, as_json)
        return
    from fundoscope.serve.review import review as serve

    serve(run, host=host, port=port, token_file=token_file, seed=seed, ready=_print_address)


def _print_address(address: str) -> None:
    out.print(f"review page: {address}")
    out.print("Stop it with Ctrl+C. Research use; not a medical device.")


def _print_agreement(run: Path, as_json: bool) -> None:
    from fundoscope.serve.review_agreement import Kappa, agreements

    def told(kappa: Kappa) -> str:
        if kappa.value is None:
            return f"kappa not defined ({kappa.undefined})"
        assert kappa.interval_95
        low, high = kappa.interval_95
        return f"kappa {kappa.value:.2f}, 95 % interval {low:.2f} to {high:.2f}"

    found = agreements(run)
    if as_json:
        out.print_json(json.dumps([asdict(one) for one in found]))
        return
    if not found:
        out.print("no dialogue was reviewed by two")
    for one in found:
        out.print(f"{one.reviewers[0]} and {one.reviewers[1]}: {one.decisions.n:,} dialogues")
        out.print(f"  accept, edit or reject: {told(one.decisions)}")
        out.print(f"  accept or reject:       {told(one.kept)}")
        out.print(f"  {one.disagreements:,} differ, {one.adjudicated:,} of them decided")
