"""The graph of facts: what is known of a condition, one sentence a fact, each with its source.

Conditions, the terms that their facts link to, and the sources are its nodes; a fact is an edge.
The facts themselves stand in `facts/*.yaml`, one file a condition, and what they cite in
`sources/*.yaml`; `fact_files.py` reads both and refuses what it cannot trust. Guidelines that
disagree stand side by side, each under its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from typing import Literal, get_args

from fundoscope import terms
from fundoscope.errors import KnowledgeError, TermError, nearest
from fundoscope.records import Language

Facet = Literal["visual", "causes", "examination", "treatment", "prognosis"]
Audience = Literal["patient", "student", "clinician"]
Resources = Literal["high", "low"]
FactStatus = Literal["seen", "unverified"]
Checked = Literal["seed", "page", "none"]

LINKS: Mapping[Facet, tuple[str, ...]] = {
    "visual": ("definition", "sign", "grade", "mimic"),
    "causes": ("cause", "risk_factor", "symptom", "mechanism", "epidemiology"),
    "examination": ("examination", "finding_on_test", "urgency", "follow_up", "referral"),
    "treatment": ("treatment", "prevention", "side_effect"),
    "prognosis": ("prognosis", "complication", "lifestyle"),
}
"""The facets of a condition, and how a fact of each may be linked to it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A paper, guideline or page that facts are taken from."""

    key: str
    cite: str
    year: int
    link: str
    """`doi:...`, `pmid:...` or an https address; empty where none is certain."""
    checked: Checked
    """Where its text was read: a reviewed table (`seed`), the page itself, or not at all."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One assertion about one condition, in both languages."""

    id: str
    condition: str
    facet: Facet
    link: str
    audience: tuple[Audience, ...]
    en: str
    zh: str
    source: Source
    status: FactStatus
    """`seen` where the source's text was read and supports the sentence."""
    object: str = ""
    """Term that the fact links the condition to; empty where there is none."""
    guideline: str = ""
    """Body whose recommendation it is; empty where it is common knowledge."""
    resources: Resources | None = None
    """Level of resources that the recommendation is for, where the body tells them apart."""

    @property
    def year(self) -> int:
        """Year of the source."""
        return self.source.year

    def text(self, language: Language) -> str:
        """Return the sentence in a language."""
        return self.en if language == "en" else self.zh


@dataclass(frozen=True, slots=True)
class Edge:
    """A fact as the graph sees it: a condition, how it is linked, and to which term."""

    condition: str
    link: str
    object: str
    fact: str
    """The fact's id."""


@dataclass(frozen=True)
class Graph:
    """Every fact and source, in the order of the files."""

    facts: tuple[Fact, ...]
    sources: Mapping[str, Source]

    @cached_property
    def conditions(self) -> tuple[str, ...]:
        """Terms that have facts, sorted."""
        return tuple(sorted(self._by_condition))

    @cached_property
    def guidelines(self) -> tuple[str, ...]:
        """Bodies that recommend something, sorted."""
        return tuple(sorted({fact.guideline for fact in self.facts} - {""}))

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Facts that link their condition to another term."""
        return tuple(
            Edge(fact.condition, fact.link, fact.object, fact.id)
            for fact in self.facts
            if fact.object
        )

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Conditions, the terms that they are linked to, and keys of the sources, sorted."""
        objects = {edge.object for edge in self.edges}
        return tuple(sorted({*self.conditions, *objects, *self.sources}))

    @cached_property
    def _by_condition(self) -> Mapping[str, tuple[Fact, ...]]:
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.condition, []).append(fact)
        return {condition: tuple(facts) for condition, facts in found.items()}

    def counts(self) -> dict[str, dict[Facet, dict[FactStatus, int]]]:
        """Return how many facts there are by condition, facet and status, zeros too."""
        found: dict[str, dict[Facet, dict[FactStatus, int]]] = {
            condition: {facet: {"seen": 0, "unverified": 0} for facet in LINKS}
            for condition in self.conditions
        }
        for fact in self.facts:
            found[fact.condition][fact.facet][fact.status] += 1
        return found

    def links(self, term: str) -> tuple[Edge, ...]:
        """Return the edges that leave or reach a term; TermError if the vocabulary lacks it."""
        _known_term(term)
        return tuple(edge for edge in self.edges if term in (edge.condition, edge.object))

    def facts_of(
        self,
        condition: str,
        facet: Facet | None = None,
        audience: Audience | None = None,
        include_unverified: bool = False,
        guideline: str | None = None,
        resources: Resources | None = None,
    ) -> tuple[Fact, ...]:
        """Return what is known of a condition, in the order of its file.

        Parameters
        ----------
        condition : str
            Term of the vocabulary.
        facet, audience : str, optional
            Only facts of this facet; only those worded for these readers.
        include_unverified : bool
            Also facts whose source was not opened. They carry their status.
        guideline : str, optional
            Leave out what other bodies recommend; what belongs to no body stays.
        resources : "high" or "low", optional
            Leave out what is recommended for the other level; what is for both stays.

        Returns
        -------
        tuple of Fact
            Empty where nothing is known: that is no statement about the condition.

        Raises
        ------
        TermError
            If the vocabulary has no such condition; the nearest is offered.
        KnowledgeError
            If there is no such facet, audience, guideline or level of resources.
        """
        _known_term(condition)
        _known("facet", facet, LINKS)
        _known("audience", audience, get_args(Audience))
        _known("guideline", guideline, self.guidelines)
        _known("level of resources", resources, get_args(Resources))
        return tuple(
            fact
            for fact in self._by_condition.get(condition, ())
            if facet in (None, fact.facet)
            and (audience is None or audience in fact.audience)
            and (include_unverified or fact.status == "seen")
            and (guideline is None or fact.guideline in ("", guideline))
            and (resources is None or fact.resources in (None, resources))
        )


def can_have_facts() -> Mapping[str, terms.Term]:
    """Return the terms that a file of facts may be about: conditions and lesions, by id."""
    return {**terms.conditions(), **terms.lesions()}


def _known_term(id: str) -> None:
    known = {**can_have_facts(), **terms.anatomy(), **terms.systemic()}
    if id not in known:
        raise TermError(f"the vocabulary has no condition {id!r}", mend=nearest(id, known))


def _known(what: str, word: str | None, known: Mapping[Facet, object] | tuple[str, ...]) -> None:
    if word is not None and word not in known:
        raise KnowledgeError(f"there is no {what} {word!r}", mend=nearest(word, known))


@cache
def knowledge() -> Graph:
    """Return the graph that fundoscope carries, read once.

    Raises
    ------
    KnowledgeError
        If a file of facts or sources breaks a rule of `fact_files.read_graph`.
    """
    from fundoscope.knowledge.fact_files import read_graph  # it needs the classes above

    with as_file(files("fundoscope") / "knowledge") as folder:
        return read_graph(folder)


def facts_of(
    condition: str,
    facet: Facet | None = None,
    audience: Audience | None = None,
    include_unverified: bool = False,
    guideline: str | None = None,
    resources: Resources | None = None,
) -> tuple[Fact, ...]:
    """Return what fundoscope knows of a condition: `Graph.facts_of` of its own graph.

    Examples
    --------
    >>> facts = facts_of("diabetic_retinopathy", facet="visual", audience="patient")
    >>> {fact.facet for fact in facts}, {fact.status for fact in facts}
    ({'visual'}, {'seen'})
    """
    return knowledge().facts_of(
        condition, facet, audience, include_unverified, guideline, resources
    )
