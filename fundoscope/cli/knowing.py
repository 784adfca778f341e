"""Verbs that tell what is known of a condition, and from where."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fundoscope.cli.app import AsJson, cli, out

if TYPE_CHECKING:
    from fundoscope.knowledge.graph import Fact

FacetName = Literal["visual", "causes", "examination", "treatment", "prognosis"]
AudienceName = Literal["patient", "student", "clinician"]

knowledge_cli = typer.Typer(
    help="Facts about conditions, each dated and with its source.", no_args_is_help=True
)
cli.add_typer(knowledge_cli, name="knowledge")


@knowledge_cli.command()
def show(
    condition: Annotated[str, typer.Argument(help="A term's id, as `knowledge list` prints it.")],
    language: Annotated[Literal["en", "zh"], typer.Option(help="English or Chinese.")] = "en",
    facet: Annotated[FacetName | None, typer.Option(help="Only this facet.")] = None,
    audience: Annotated[
        AudienceName | None, typer.Option(help="Only what is worded for these readers.")
    ] = None,
    guideline: Annotated[
        str | None, typer.Option(help="Leave out what other bodies recommend, e.g. all but ICO.")
    ] = None,
    unverified: Annotated[
        bool, typer.Option("--unverified", help="Also facts whose source was not opened.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the facts about a condition, by facet, each with its link, source and year.

    fundoscope knowledge show diabetic_retinopathy --facet examination --audience clinician

    A fact is marked with the body whose recommendation it is, since guidelines disagree, and with
    `unverified` where nobody has compared it with its source. General knowledge, for teaching and
    research: it says nothing about one person's eye, and is no advice.
    """
    from fundoscope.knowledge.graph import LINKS, knowledge

    found = knowledge().facts_of(condition, facet, audience, unverified, guideline)
    if as_json:
        out.print_json(json.dumps([asdict(fact) for fact in found], ensure_ascii=False))
        return
    for name in LINKS:
        facts = [fact for fact in found if fact.facet == name]
        if facts:
            out.print(name, style="bold")
        for fact in facts:
            out.print(f"  {fact.text(language)}")
            out.print(f"      {_marks(fact)}", style="dim")
    if not found:
        out.print(f"no facts about {condition!r} of that kind; see: fundoscope knowledge list")


@knowledge_cli.command("list")
def list_conditions(as_json: AsJson = False) -> None:
    """List the conditions that facts are held of, with their numbers by facet.

    fundoscope knowledge list

    A number is that of facts whose source was read; `+ 2` are those not yet compared with it.
    """
    from fundoscope.knowledge.graph import knowledge

    counts = knowledge().counts()
    if as_json:
        out.print_json(json.dumps(counts))
        return
    for condition, facets in counts.items():
        told = ", ".join(f"{facet} {_number(**n)}" for facet, n in facets.items())
        out.print(f"{condition}: {told}")
    total = sum(n["seen"] + n["unverified"] for row in counts.values() for n in row.values())
    out.print(f"{total:,} facts about {len(counts):,} conditions")


def _marks(fact: Fact) -> str:
    """Return what stands under a fact: link, source, year, whose advice, how certain."""
    marks = [f"{fact.link} -> {fact.object}" if fact.object else fact.link]
    marks.append(f"{fact.source.key}, {fact.year}")
    if fact.guideline:
        level = f", {fact.resources} resources" if fact.resources else ""
        marks.append(f"guideline {fact.guideline}{level}")
    return "; ".join([*marks, fact.status])


def _number(seen: int, unverified: int) -> str:
    return f"{seen} + {unverified}" if unverified else str(seen)
