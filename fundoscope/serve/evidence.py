"""What an answer rests on: statements with value and place, facts with source and year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fundoscope import terms
from fundoscope.describe.wording import sentences
from fundoscope.knowledge.graph import Fact
from fundoscope.records import UNMEASURED, Language, Measured, Statement, measured
from fundoscope.serve.replies import Evidence, Seen
from fundoscope.verify.check import Facts

LAYERS = {
    "arteries": "artery_vein",
    "veins": "artery_vein",
    "all": "vessels",
    "optic_disc": "disc_cup",
    "optic_cup": "disc_cup",
    "fovea": "fovea",
    "macula": "fovea",
}
"""By vessels or structure: the layer of the picture that shows it."""
_BY_START = (("crae", "artery_vein"), ("crve", "artery_vein"), ("avr", "artery_vein"),
             ("disc_", "disc_cup"), ("cup_", "disc_cup"), ("cdr_", "disc_cup"),
             ("rim_", "disc_cup"), ("fovea_", "fovea"))  # fmt: skip
_DOI, _PMID = "https://doi.org/", "https://pubmed.ncbi.nlm.nih.gov/"


def of_statement(
    statement: Statement,
    facts: Facts,
    places: Mapping[Statement, int],
    language: Language,
    photograph: int,
) -> Evidence:
    """Return a statement as evidence; `s7` is the eighth of the record, `s-` one of none."""
    said, number = facts.said, places.get(statement)
    known = _measured(statement, facts)
    value = statement.value
    box = value if isinstance(value, tuple) else None
    return Evidence(
        kind="statement",
        id="s-" if number is None else f"s{number}",
        words=sentences([statement], language)[0],
        photograph=photograph,
        term=statement.term,
        value=float(value) if isinstance(value, int | float) else None,
        unit=statement.unit,
        repeatability=known.repeatability if known else None,
        tool=statement.source if number is None else said[number].source,
        box=box,
        layer=layer_of(statement),
    )


def layer_of(statement: Statement) -> str:
    """Return the layer of the picture that shows a statement; empty where none does."""
    if statement.term in terms.lesions() or statement.term.startswith(tuple(terms.lesions())):
        return "lesions"
    if statement.aspect == "structure":
        return LAYERS.get(statement.term, "")
    if statement.aspect != "measurement" or statement.value == UNMEASURED:
        return ""
    for start, layer in _BY_START:
        if statement.term.startswith(start):
            return layer
    return LAYERS.get(statement.of, "")


def _measured(statement: Statement, facts: Facts) -> Measured | None:
    if statement.aspect != "measurement" or statement.value == UNMEASURED:
        return None
    same = (statement.term, statement.of, statement.where)
    return next((m for m in measured(facts.record) if (m.name, m.of, m.where) == same), None)


def of_fact(fact: Fact, language: Language) -> Evidence:
    """Return a fact as evidence, with source, year and address."""
    return Evidence(
        kind="fact",
        id=fact.id,
        words=fact.text(language),
        term=fact.condition,
        source=fact.source.cite,
        year=fact.year,
        url=address(fact.source.link),
    )


def address(link: str) -> str:
    """Return the address of a source's link, `doi:...` and `pmid:...` included.

    Examples
    --------
    >>> address("pmid:123")
    'https://pubmed.ncbi.nlm.nih.gov/123/'
    """
    if link.startswith("doi:"):
        return _DOI + link.removeprefix("doi:")
    if link.startswith("pmid:"):
        return f"{_PMID}{link.removeprefix('pmid:')}/"
    return link


def cited_as(fact: Evidence) -> str:
    """Return source, year and address of a fact in one line, the year once."""
    year = "" if str(fact.year) in fact.source else f", {fact.year}"
    return f"{fact.source.rstrip('.')}{year}. {fact.url}".rstrip()


def of_photograph(seen: Seen, words: str, photograph: int) -> Evidence:
    """Return what was seen of the whole photograph, such as why it is refused, as evidence."""
    return Evidence(
        kind="photograph",
        id="photograph",
        words=words,
        photograph=photograph,
        tool=seen.record.grades[0].source if seen.record.grades else "",
    )


def without_repeats(evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """Return evidence in order, each once."""
    return tuple({(one.photograph, one.kind, one.id, one.words): one for one in evidence}.values())
