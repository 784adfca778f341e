"""Files of facts and sources become the graph, or are refused with file, fact and mend."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import yaml

from fundoscope import terms
from fundoscope.errors import KnowledgeError, nearest
from fundoscope.knowledge.graph import (
    LINKS,
    Audience,
    Checked,
    Fact,
    FactStatus,
    Graph,
    Resources,
    Source,
    can_have_facts,
)

_FACT_NEEDS = ("id", "facet", "link", "audience", "en", "zh", "source", "status")
_FACT_MAY = ("object", "guideline", "resources")
_SOURCE_NEEDS = ("cite", "year", "checked")
_SOURCE_MAY = ("link",)
_YEARS = range(1800, 2100)
_LINKS_BEGIN = ("doi:", "pmid:", "https://")


def read_graph(folder: Path) -> Graph:
    """Return the graph of `folder/facts/*.yaml` and `folder/sources/*.yaml`.

    Raises
    ------
    KnowledgeError
        If a fact has no known source, a source no year; if a key, facet, link, audience, status,
        condition or object is not known; if a language is missing; if an id, or the text of a
        fact, stands twice; if a fact is called `seen` whose source was not opened.
    """
    sources: dict[str, Source] = {}
    for file in sorted((folder / "sources").glob("*.yaml")):
        for key, entry in _mapping(file).items():
            _refuse_if(key in sources, file, key, "the source is given twice", "rename one")
            sources[key] = _source(file, key, entry)
    facts: dict[str, Fact] = {}
    told: dict[str, str] = {}
    for file in sorted((folder / "facts").glob("*.yaml")):
        for fact in _facts(file, sources):
            _refuse_if(fact.id in facts, file, fact.id, "the id is used twice", "rename one")
            for text in (fact.en, fact.zh):
                twin = told.setdefault(text, fact.id)
                same = f"the text is that of {twin!r} too"
                _refuse_if(twin != fact.id, file, fact.id, same, "say what is particular here")
            facts[fact.id] = fact
    return Graph(tuple(facts.values()), sources)


def _source(file: Path, key: str, entry: object) -> Source:
    fields = _fields(file, key, entry, _SOURCE_NEEDS, _SOURCE_MAY)
    year = fields["year"]
    # `True` is an int to Python
    is_year = isinstance(year, int) and not isinstance(year, bool) and year in _YEARS
    _refuse_if(not is_year, file, key, f"the year is {year!r}", "give four digits")
    _one_of(file, key, "checked", fields["checked"], get_args(Checked))
    link = fields.get("link", "")
    bad = bool(link) and not str(link).startswith(_LINKS_BEGIN)
    _refuse_if(bad, file, key, f"the link is {link!r}", f"begin with {' or '.join(_LINKS_BEGIN)}")
    return Source(key, _text(file, key, "cite", fields["cite"]), year, link, fields["checked"])


def _facts(file: Path, sources: Mapping[str, Source]) -> Iterator[Fact]:
    top = _fields(file, "", _mapping(file), ("condition", "facts"), ())
    condition = top["condition"]
    _one_of(file, "", "condition", condition, can_have_facts())
    named = file.stem == condition
    _refuse_if(not named, file, "", f"it holds {condition!r}", f"call it {condition}.yaml")
    entries = top["facts"]
    _refuse_if(not isinstance(entries, list), file, "", "`facts` is no list", "begin each with -")
    for number, entry in enumerate(entries, start=1):
        yield _fact(file, f"fact {number}", condition, entry, sources)


def _fact(
    file: Path, place: str, condition: str, entry: object, sources: Mapping[str, Source]
) -> Fact:
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        place = entry["id"]
    fields = _fields(file, place, entry, _FACT_NEEDS, _FACT_MAY)
    own = str(fields["id"]).startswith(f"{condition}.")
    _refuse_if(not own, file, place, "the id names no condition", f"begin it with {condition}.")
    _one_of(file, place, "facet", fields["facet"], LINKS)
    _one_of(file, place, "link", fields["link"], LINKS[fields["facet"]])
    _one_of(file, place, "status", fields["status"], get_args(FactStatus))
    _one_of(file, place, "source", fields["source"], sources)
    source = sources[fields["source"]]
    unread = fields["status"] == "seen" and source.checked == "none"
    mend = "read the source and say where, or call the fact unverified"
    _refuse_if(unread, file, place, f"it is called seen, but {source.key!r} was not", mend)
    if "object" in fields:
        objects = {**can_have_facts(), **terms.anatomy(), **terms.systemic()}
        _one_of(file, place, "object", fields["object"], objects)
    if "resources" in fields:
        _one_of(file, place, "level of resources", fields["resources"], get_args(Resources))
        alone = "guideline" not in fields
        _refuse_if(alone, file, place, "resources without a guideline", "name whose advice it is")
    return Fact(
        id=fields["id"],
        condition=condition,
        facet=fields["facet"],
        link=fields["link"],
        audience=_audience(file, place, fields["audience"]),
        en=_text(file, place, "en", fields["en"]),
        zh=_text(file, place, "zh", fields["zh"]),
        source=source,
        status=fields["status"],
        object=fields.get("object", ""),
        guideline=fields.get("guideline", ""),
        resources=fields.get("resources"),
    )


def _audience(file: Path, place: str, said: object) -> tuple[Audience, ...]:
    empty = not isinstance(said, list) or not said
    _refuse_if(empty, file, place, "the audience is no list", "write [patient, student]")
    assert isinstance(said, list)
    for reader in said:
        _one_of(file, place, "audience", reader, get_args(Audience))
    return tuple(said)


# what every entry goes through


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML of which no key is written twice: the plain loader would drop the first silently."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is written twice", node.start_mark
                )
        return dict(super().construct_mapping(node, deep))


def _mapping(file: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)
    except yaml.YAMLError as problem:
        raise KnowledgeError(
            "it cannot be read as YAML", where=_where(file), mend=str(problem)
        ) from problem
    _refuse_if(not isinstance(loaded, dict), file, "", "it holds no keys", "see the other files")
    return dict(loaded)


def _fields(
    file: Path, place: str, entry: object, needs: Collection[str], may: Collection[str]
) -> dict[str, Any]:
    """Return an entry as a dictionary that has every key it needs and no unknown one."""
    _refuse_if(not isinstance(entry, dict), file, place, "it holds no keys", "see its neighbours")
    assert isinstance(entry, dict)
    for key in entry:
        _one_of(file, place, "key", key, (*needs, *may))
    for key in needs:
        _refuse_if(entry.get(key) in (None, ""), file, place, f"`{key}` is missing", "add it")
    return entry


def _text(file: Path, place: str, key: str, said: object) -> str:
    _refuse_if(not isinstance(said, str), file, place, f"`{key}` is no text", "quote it")
    return str(said).strip()


def _one_of(file: Path, place: str, what: str, said: object, known: Collection[str]) -> None:
    if not isinstance(said, str) or said not in known:
        mend = nearest(str(said), known)  # only now: for every fact it would take minutes
        raise KnowledgeError(f"unknown {what} {said!r}", where=_where(file, place), mend=mend)


def _where(file: Path, place: str = "") -> str:
    return f"{file.parent.name}/{file.name}" + (f", {place}" if place else "")


def _refuse_if(wrong: bool, file: Path, place: str, what: str, mend: str) -> None:
    if wrong:
        raise KnowledgeError(what, where=_where(file, place), mend=mend)
