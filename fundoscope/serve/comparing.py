"""Two photographs side by side: what differs, and whether by more than measuring again does."""

from __future__ import annotations

from collections.abc import Sequence

from fundoscope import terms
from fundoscope.describe.wording import number_text
from fundoscope.records import Measured, Record, Statement, measured
from fundoscope.serve.about_conditions import say_conditions
from fundoscope.serve.about_photograph import DEFAULTS, say_refused
from fundoscope.serve.asked_about import Asked, family
from fundoscope.serve.labels import label_of
from fundoscope.serve.repeats_known import LIMIT
from fundoscope.serve.replies import Evidence
from fundoscope.serve.spoken import Look, Spoken, listed

COMPARED = (
    "cdr_vertical", "fovea_disc_distance", "avr_knudtson", "fractal_dimension", "vessel_density",
    "distance_tortuosity",
)  # fmt: skip
PIXELS = ("px", "px2", "1/px", "1/px2")
Key = tuple[str, str, str]


def say_compared(said: Spoken, looks: Sequence[Look], asked: Asked) -> None:
    """Say what two photographs have in common and where they differ."""
    if len(looks) < 2:
        said.plain("need_two")
        return
    one, other = looks[0], looks[-1]
    if one.seen.sha256 == other.seen.sha256:
        said.plain("same_photograph")
        return
    for look in (one, other):
        said.label(label_of(look, looks, said.language), look)
        said.say(look, look.of("quality"))
        if look.refused:
            say_refused(said, look)
    if one.refused or other.refused:
        return
    about = set(asked.about) - {"compare"}
    if not asked.quantities and (not about or about & {"condition", "healthy", "summary", "grade"}):
        for look in (one, other):
            said.label(label_of(look, looks, said.language), look)
            say_conditions(said, look, asked)
    if not asked.quantities and (not about or about & {"lesions", "where", "spread", "summary"}):
        _say_counts(said, one, other, looks)
    _say_values(said, one, other, looks, _names(asked, about))


def _names(asked: Asked, about: set[str]) -> list[str]:
    """Return the quantities to compare: those named, those of the topics, else the main ones."""
    if asked.quantities:
        return list(asked.quantities)
    found = [name for topic in about for name in DEFAULTS.get(topic, family(topic))]
    return list(dict.fromkeys(found)) or list(COMPARED)


def _say_counts(said: Spoken, one: Look, other: Look, looks: Sequence[Look]) -> None:
    counts = [look.of("lesion_count") for look in (one, other)]
    if not any(counts):
        return
    for look, found in zip((one, other), counts, strict=True):
        said.label(label_of(look, looks, said.language), look)
        said.say(look, found)
        if not found:
            said.plain("lesions_none", look)
    said.plain("counts_compare")


def _say_values(
    said: Spoken, one: Look, other: Look, looks: Sequence[Look], names: Sequence[str]
) -> None:
    pairs, in_pixels = _pairs(one.facts.record, other.facts.record, names)
    for look in (one, other) if pairs else ():
        said.label(label_of(look, looks, said.language), look)
        said.say(look, [s for key in pairs for s in _statements(look, key)])
    for (name, of, where), (a, b) in pairs.items():
        _say_difference(said, a, b, other.number, _name(name, of, where, said))
    if in_pixels:
        said.plain("not_comparable")
    if not pairs:
        said.plain("nothing_comparable")
    elif any(a.repeatability for a, _ in pairs.values()):
        said.plain("error_rule")
    if pairs and {one.seen.eye, other.seen.eye} == {"left", "right"}:
        said.plain("eyes_differ")


def _pairs(
    one: Record, other: Record, names: Sequence[str]
) -> tuple[dict[Key, tuple[Measured, Measured]], bool]:
    """Return what was measured in both by name, vessels and zone, and whether pixels were left."""
    first, second = _values(one, names), _values(other, names)
    both = {
        key: (first[key], second[key])
        for name in names
        for key in first
        if key[0] == name and key in second and first[key].unit == second[key].unit
    }
    kept = {key: pair for key, pair in both.items() if pair[0].unit not in PIXELS}
    return kept, len(kept) < len(both)


def _values(record: Record, names: Sequence[str]) -> dict[Key, Measured]:
    """Return values of all vessels over the whole photograph; of a zone where that is its place."""
    return {
        (m.name, m.of, m.where): m
        for m in measured(record)
        if m.name in names
        and m.of in ("", "all")
        and m.where == ("zone_b" if m.name.startswith(("crae", "crve", "avr")) else m.where)
        and m.where in ("", "whole", "zone_b")
        and (m.where != "zone_b" or m.name.startswith(("crae", "crve", "avr")))
    }


def _statements(look: Look, key: Key) -> list[Statement]:
    found = look.facts.by_aspect.get("measurement", ())
    return [s for s in found if (s.term, s.of, s.where) == key]


def _name(name: str, of: str, where: str, said: Spoken) -> str:
    return terms.quantity(name).names(said.language)[0]


def _say_difference(said: Spoken, a: Measured, b: Measured, number: int, name: str) -> None:
    apart = abs(b.value - a.value)
    d = _figure(apart, a)
    known = [m.repeatability for m in (a, b) if m.repeatability]
    limit = max(known) * LIMIT if known else None
    key = "unknown_error" if limit is None else "beyond" if apart > limit else "within"
    r = _figure(limit, a) if limit is not None else ""
    evidence = Evidence(
        kind="statement",
        id="s-",
        words=listed([f"{name}: {d}"], said.language),
        photograph=number,
        term=a.name,
        value=b.value - a.value,
        unit=a.unit,
        repeatability=max(known) if known else None,
        tool=a.tool,
    )
    said.figure(key, evidence, (d, r), name=name, d=d, r=r)


def _figure(value: float, like: Measured) -> str:
    """Return a difference with one digit more than the quantity is said with, and its unit."""
    decimals = terms.quantity(like.name).decimals + (1 if value < 10 else 0)
    unit = like.unit
    said = Statement("measurement", like.name, value, unit=unit, decimals=decimals)
    return number_text(said)
