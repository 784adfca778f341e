"""Write docs/knowledge.md and its drawing from the facts: `python docs/make_knowledge_page.py`.

The drawing is a table of dots, not a net of lines: with seventy conditions lines hide each other,
while in a column of dots one sees which conditions share a sign.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from pathlib import Path

from fundoscope import terms
from fundoscope.knowledge.graph import LINKS, Edge, Graph, Source, can_have_facts, knowledge

PAGE = Path(__file__).with_name("knowledge.md")
DRAWING = Path(__file__).parent / "images" / "knowledge.svg"
COLOURS = dict(zip(LINKS, ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"), strict=True))
"""Okabe and Ito's colours, told apart by the colour-blind too."""
CELL, LEFT, TOP = 17, 300, 215
OPENING = """\
# Facts about conditions

<!-- written by docs/make_knowledge_page.py; change the facts, not this page -->

fundoscope carries {facts:,} facts about {conditions} conditions and lesions, each in English and
Chinese, each with its source and that source's year; {unverified} of them wait for somebody to
compare them with their source, and are given only when asked for. Where guidelines disagree, their
advice stands side by side, under the name of the body that gives it: {guidelines}.

General knowledge, for teaching and for questions that no photograph can answer. It says nothing
about one person's eye, and it is no advice.

```console
$ fundoscope knowledge show diabetic_retinopathy --facet visual --audience patient
visual
  Diabetic retinopathy is damage to the small blood vessels of the retina, ...
      definition; statpearls_dr_2020, 2020; seen
...
```

```pycon
>>> from fundoscope.knowledge.graph import facts_of, knowledge
>>> [
...     fact.guideline
...     for fact in facts_of("diabetic_retinopathy", guideline="ICO")
...     if fact.link == "follow_up"
... ][:2]
['ICO', 'ICO']
>>> [
...     edge.link
...     for edge in knowledge().links("microaneurysm")
...     if edge.condition == "diabetic_retinopathy"
... ]
['sign', 'grade']

```

## What a fact is

One sentence that stands alone, in a file named for its condition
(`fundoscope/knowledge/facts/`). It belongs to a facet, is linked to its condition in one way, and
may point to another term of the vocabulary:

| facet | how a fact may be linked |
|---|---|
{facets}

A file is refused that holds a fact without a known source, without one of the languages, with a
word that the vocabulary or this table does not know, with an id or a text that stands elsewhere
too; or that calls a fact `seen` whose source nobody opened.

## Which conditions share what

Each row is a condition, each column a term that at least two conditions are linked to; the colour
is the facet. Hover over a dot in the [drawing itself](images/knowledge.svg) to read the link.

![Conditions and the terms that they share, by facet](images/knowledge.svg)
"""


def knowledge_page() -> str:
    """Return the page as it must be."""
    graph = knowledge()
    opening = OPENING.format(
        facts=len(graph.facts),
        conditions=len(graph.conditions),
        unverified=sum(fact.status == "unverified" for fact in graph.facts),
        guidelines=", ".join(graph.guidelines),
        facets="\n".join(f"| {facet} | {', '.join(links)} |" for facet, links in LINKS.items()),
    )
    return opening + _counts(graph) + _sources(graph)


def _counts(graph: Graph) -> str:
    lines = ["\n## How many facts\n", "Facts whose source was read; `+ n` are not yet verified.\n"]
    lines += ["| condition | " + " | ".join(LINKS) + " | all |", "|---" * (len(LINKS) + 2) + "|"]
    for condition, facets in graph.counts().items():
        cells = [
            f"{n['seen']}" + (f" + {n['unverified']}" if n["unverified"] else "")
            for n in facets.values()
        ]
        total = sum(sum(n.values()) for n in facets.values())
        lines.append(f"| `{condition}` | " + " | ".join(cells) + f" | {total} |")
    return "\n".join(lines) + "\n"


def _sources(graph: Graph) -> str:
    cited = Counter(fact.source.key for fact in graph.facts)
    lines = ["\n## Sources\n"]
    lines.append(
        "Read: `seed` in a reviewed table, `page` on the page itself, `none` not at all.\n"
    )
    lines += ["| source | year | read | facts |", "|---|---|---|---|"]
    for source in sorted(graph.sources.values(), key=lambda source: source.key):
        told = source.cite.replace("|", "/")
        address = _address(source)
        told = f"[{told}]({address})" if address else told
        lines.append(f"| {told} | {source.year} | {source.checked} | {cited[source.key]} |")
    return "\n".join(lines) + "\n"


def _address(source: Source) -> str:
    kind, _, rest = source.link.partition(":")
    homes = {"doi": "https://doi.org/", "pmid": "https://pubmed.ncbi.nlm.nih.gov/"}
    address = homes[kind] + rest if kind in homes else source.link
    return address.replace("(", "%28").replace(")", "%29").replace("|", "%7C")


# the drawing


def drawing() -> str:
    """Return an SVG of the terms that at least two conditions are linked to."""
    graph = knowledge()
    pairs = {(edge.condition, edge.object) for edge in graph.edges}
    reached = Counter(object for _, object in sorted(pairs))  # a set's order differs by run
    columns = [object for object, n in reached.most_common() if n > 1]
    rows = [c for c in can_have_facts() if any((c, object) in pairs for object in columns)]
    width, height = LEFT + CELL * len(columns) + 120, TOP + CELL * len(rows) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="11">',
        "<title>Conditions and the terms that they share</title>",
        f'<rect width="{width}" height="{height}" rx="6" fill="#fff"/>',
        *_legend(),
        *(_row(number, row, len(columns)) for number, row in enumerate(rows)),
        *(_column(number, column, len(rows)) for number, column in enumerate(columns)),
        *_dots(graph, rows, columns),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    return [
        f'<circle cx="20" cy="{24 + 18 * n}" r="5" fill="{colour}"/>'
        f'<text x="32" y="{28 + 18 * n}" fill="#222">{facet}</text>'
        for n, (facet, colour) in enumerate(COLOURS.items())
    ]


def _row(number: int, condition: str, columns: int) -> str:
    y = TOP + CELL * number
    return (
        f'<path d="M{LEFT - 4} {y}H{LEFT + CELL * columns}" stroke="#e4e4e4"/>'
        f'<text x="{LEFT - 10}" y="{y + 4}" text-anchor="end" fill="#222">{_name(condition)}</text>'
    )


def _column(number: int, object: str, rows: int) -> str:
    x = LEFT + CELL * number + CELL // 2
    return (
        f'<path d="M{x} {TOP - 10}V{TOP + CELL * rows - CELL // 2}" stroke="#e4e4e4"/>'
        f'<text transform="translate({x + 3} {TOP - 14}) rotate(-55)" fill="#222">'
        f"{_name(object)}</text>"
    )


def _dots(graph: Graph, rows: list[str], columns: list[str]) -> list[str]:
    """Return a dot for every linked pair, in as many sectors as facets link it."""
    cells: dict[tuple[str, str], dict[str, list[Edge]]] = {}
    facet_of = {fact.id: fact.facet for fact in graph.facts}
    for edge in graph.edges:
        if edge.object in columns:
            cell = cells.setdefault((edge.condition, edge.object), {})
            cell.setdefault(facet_of[edge.fact], []).append(edge)
    dots = []
    for (condition, object), facets in sorted(cells.items()):
        x = LEFT + CELL * columns.index(object) + CELL // 2
        y = TOP + CELL * rows.index(condition)
        links = sorted({edge.link for edges in facets.values() for edge in edges})
        told = f"{_name(condition)}: {_name(object)} ({', '.join(links)})"
        shown = [facet for facet in COLOURS if facet in facets]
        circles = [
            f'<circle cx="{x + 5 * n - 2.5 * (len(shown) - 1)}" cy="{y}" '
            f'r="{5 if len(shown) == 1 else 3.5}" fill="{COLOURS[facet]}"/>'
            for n, facet in enumerate(shown)
        ]
        dots.append(f"<g><title>{told}</title>{''.join(circles)}</g>")
    return dots


def _name(id: str) -> str:
    known = {**can_have_facts(), **terms.anatomy(), **terms.systemic()}
    return escape(known[id].en[0])


if __name__ == "__main__":
    PAGE.write_text(knowledge_page(), encoding="utf-8")
    DRAWING.write_text(drawing(), encoding="utf-8")
