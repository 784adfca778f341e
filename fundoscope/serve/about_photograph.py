"""What one photograph gives of each aspect that can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from fundoscope import terms
from fundoscope.perceive.runtime import model
from fundoscope.records import UNMEASURED, Statement, Unmeasured
from fundoscope.serve.about_conditions import say_conditions, say_named
from fundoscope.serve.asked_about import Asked, family
from fundoscope.serve.evidence import of_photograph
from fundoscope.serve.spoken import Look, Spoken, listed, reason_words, word

MOST_BOXES = 4
"""Boxes of one kind of lesion in one answer; the record keeps them all."""
MOST_VALUES = 12
"""Values in one answer; the page has the whole table."""
DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "calibre": ("crae_knudtson", "crve_knudtson", "avr_knudtson", "average_width"),
    "tortuosity": ("distance_tortuosity", "squared_curvature_tortuosity", "tortuosity_density"),
    "fractal": ("fractal_dimension",),
    "branching": ("branching_angle", "junction_count"),
    "disc": ("cdr_vertical", "disc_height", "disc_width"),
    "fovea": ("fovea_disc_distance", "fovea_disc_angle"),
    "vessels": ("vessel_density", "average_width", "fractal_dimension", "distance_tortuosity"),
    "zones": ("crae_knudtson", "crve_knudtson", "avr_knudtson", "vessel_density"),
    "refraction": ("spherical_equivalent",),
    "measurements": ("cdr_vertical", "fovea_disc_distance", "avr_knudtson", "fractal_dimension",
                     "vessel_density", "distance_tortuosity"),
}  # fmt: skip
"""What is told of a topic where the question names no quantity."""
BY_ZONE = ("crae_", "crve_", "avr_")
"""Defined for a zone, and never for the whole photograph."""
QUADRANTS = ("superior", "nasal", "inferior", "temporal")


def say_picture(said: Spoken, look: Look, asked: Asked) -> None:
    """Say what kind of picture it is, and of which eye."""
    said.say(look, look.of("modality", "eye"))
    if not look.of("modality"):
        say_refused(said, look)


def say_eye(said: Spoken, look: Look, asked: Asked) -> None:
    """Say which eye it is, if somebody stated it."""
    known = look.of("eye")
    said.say(look, known or [Statement("eye", "eye", UNMEASURED)])
    if not known:
        said.plain("eye_unstated", look)


def say_quality(said: Spoken, look: Look, asked: Asked) -> None:
    """Say how good the photograph is, and what lowers it."""
    said.say(look, look.of("quality"))
    if look.refused:
        say_refused(said, look)
        return
    reasons = look.seen.perceived.quality.reasons
    if reasons:
        said.plain("quality_because", look, reasons=_reasons(reasons, said))
    else:
        said.plain("quality_good", look)


def _reasons(reasons: Sequence[str], said: Spoken) -> str:
    return listed([word(f"reasons.{reason}", said.language) for reason in reasons], said.language)


def say_refused(said: Spoken, look: Look) -> None:
    """Say why nothing is measured in a photograph, and what would help."""
    found = look.seen.perceived
    first = len(said.parts)
    if found.kind == "not_a_fundus_photograph":
        said.plain("not_fundus", look)
    elif found.quality.grade == "reject":
        said.plain("reject", look, reasons=_reasons(found.quality.reasons, said))
        said.plain("reject_mend", look)
    else:
        said.plain("ultra_wide", look)
        said.plain("ultra_wide_mend", look)
    said.evidence.append(of_photograph(look.seen, said.parts[first].text, look.number))


def say_lesions(said: Spoken, look: Look, asked: Asked) -> None:
    """Say how many lesions are outlined, of the kinds that are named or of all."""
    named = [term for term in asked.terms if term in terms.lesions()]
    counts = [s for s in look.of("lesion_count", "lesion_area") if not named or s.term in named]
    said.say(look, counts)
    counted = {s.term for s in counts}
    findings = [s for s in look.of("finding") if s.term in terms.lesions()]
    told = [s for s in findings if s.term not in counted and (not named or s.term in named)]
    told += [
        Statement("finding", term, status)
        for term in named
        if (status := look.facts.status_of(term)) not in (None, "not_assessed")
        and term not in counted | {s.term for s in told}
    ]
    said.say(look, told)
    outlined = set(model("lesions").manifest["outputs"])
    nothing = [term for term in named if term not in counted | {s.term for s in told}]
    _say_names(said, look, "kinds_none", [term for term in nothing if term in outlined])
    _say_names(said, look, "kinds_unsought", [term for term in nothing if term not in outlined])
    if not named and not counts and not told:
        said.plain("lesions_none", look)


def _say_names(said: Spoken, look: Look, key: str, names: Sequence[str]) -> None:
    if names:
        words = [names_of(term, said) for term in names]
        said.plain(key, look, names=listed(words, said.language))


def names_of(id: str, said: Spoken) -> str:
    """Return the name of a condition or lesion, in the plural where it is counted."""
    term = terms.term(id)
    return (term.plural or term.en[0]) if said.language == "en" else term.zh[0]


def say_places(said: Spoken, look: Look, asked: Asked) -> None:
    """Say where lesions lie, the largest of each kind, and how near to the fovea."""
    named = [term for term in asked.terms if term in terms.lesions()]
    boxes = [s for s in look.of("lesion_box") if not named or s.term in named]
    if not boxes:
        say_lesions(said, look, asked)
        return
    for _, group in groupby(boxes, key=lambda s: s.term):
        said.say(look, list(group)[:MOST_BOXES])
    kinds = list(dict.fromkeys(s.term for s in boxes))
    if len(boxes) > MOST_BOXES * len(kinds):
        said.plain("boxes_by_size", look)
        said.plain("more_boxes", look)
    say_values(said, look, [f"{kind}_fovea_distance" for kind in kinds], ("",), ("",), quiet=True)


def say_spread(said: Spoken, look: Look, asked: Asked) -> None:
    """Say how many lesions lie in each quadrant of the ETDRS grid, and how near to the fovea."""
    named = [term for term in asked.terms if term in terms.lesions()]
    kinds = [s.term for s in look.of("lesion_count") if not named or s.term in named]
    if not kinds:
        say_lesions(said, look, asked)
        return
    for kind in kinds[:2]:
        names = [f"{kind}_count_{side}" for side in QUADRANTS]
        say_values(said, look, [*names, f"{kind}_fovea_distance"], ("",), ("",), quiet=True)


def say_disc(said: Spoken, look: Look, asked: Asked) -> None:
    """Say where the optic disc lies and what was measured of it."""
    said.say(look, [s for s in look.of("structure") if s.term == "optic_disc"])
    say_quantities(said, look, asked, "disc")


def say_fovea(said: Spoken, look: Look, asked: Asked) -> None:
    """Say where the fovea lies, and how it lies to the disc."""
    said.say(look, [s for s in look.of("structure") if s.term == "fovea"])
    say_quantities(said, look, asked, "fovea")


def say_refraction(said: Spoken, look: Look, asked: Asked) -> None:
    """Say that refraction is not measured in a photograph."""
    said.say(look, [Statement("measurement", "spherical_equivalent", UNMEASURED)])
    said.plain("refraction", look)


def say_quantities(said: Spoken, look: Look, asked: Asked, topic: str) -> None:
    """Say the quantities that are named, else those by which a topic is told."""
    named = [q for q in asked.quantities if topic == "quantity" or q in family(topic)]
    names = named or [q for q in asked.quantities if topic in ("vessels", "zones")]
    names = names or list(DEFAULTS.get(topic, ()))
    both = ("arteries", "veins")
    vessels = asked.of or (("all", *both) if topic == "vessels" else both * (topic == "zones"))
    where = asked.where or ("zone_b" if topic == "zones" else "")
    say_values(said, look, names, vessels or ("all",), (where,))
    widths = ("crae", "crve", "average_width", "disc_", "cup_", "rim_")
    if look.seen.masks.scale is None and any(name.startswith(widths) for name in names):
        said.plain("without_scale", look)


def say_values(
    said: Spoken,
    look: Look,
    names: Sequence[str],
    vessels: Sequence[str],
    places: Sequence[str],
    quiet: bool = False,
) -> None:
    """Say quantities of some vessels and zones; what has no value gives its reason.

    Parameters
    ----------
    vessels, places : empty words mean: as the quantity is defined.
    quiet : leave out what has no value.
    """
    chosen = [
        statement
        for of in vessels
        for place in places
        for name in names
        if (statement := _value(look, name, of, place)) is not None
    ]
    chosen = list(dict.fromkeys(chosen))
    known = [s for s in chosen if s.value != UNMEASURED]
    said.say(look, known[:MOST_VALUES])
    if any(s.term.startswith("cdr_") for s in known[:MOST_VALUES]):
        said.plain("cup_reads_high", look)
    if not quiet:
        _say_missing(said, look, [s for s in chosen if s.value == UNMEASURED], names)


def _value(look: Look, name: str, of: str, place: str) -> Statement | None:
    """Return a quantity's statement: in the zone asked for, else where it is defined."""
    quantity = terms.quantity(name)
    by_zone = name.startswith(BY_ZONE)
    places = [place] if place else ["zone_b", "zone_c"] if by_zone else ["whole", ""]
    found = [
        s
        for where in (places if by_zone or quantity.vessels else [""])
        for s in look.facts.by_aspect.get("measurement", ())
        if s.term == name and s.where == where and (s.of == of or not quantity.vessels)
    ]
    if not found:  # another tool measures it elsewhere
        found = [s for s in look.facts.by_aspect.get("measurement", ()) if s.term == name]
    measured = [s for s in found if s.value != UNMEASURED]
    return next(iter(measured or found), None)


def _say_missing(
    said: Spoken, look: Look, missing: Sequence[Statement], names: Sequence[str]
) -> None:
    if not missing and not any(_in_record(look, name) for name in names):
        refused = [Statement("measurement", name, UNMEASURED) for name in names]
        said.say(look, refused[:MOST_VALUES])
        said.plain("nothing_measured", look)
        return
    for reason, group in groupby(missing, key=lambda s: _reason(look, s, said)):
        members = list(group)
        said.say(look, members)
        said.plain("because_many" if len(members) > 1 else "because", look, reason=reason)


def _in_record(look: Look, name: str) -> bool:
    return any(s.term == name for s in look.facts.by_aspect.get("measurement", ()))


def _reason(look: Look, statement: Statement, said: Spoken) -> str:
    same = (statement.term, statement.of, statement.where)
    for one in look.facts.record.measurements:
        if isinstance(one, Unmeasured) and (one.name, one.of, one.where) == same:
            return reason_words(one, said.language)
    return word("nothing_measured", said.language).rstrip(".。")


def say_summary(said: Spoken, look: Look, asked: Asked) -> None:
    """Say what the picture is, how good, what is suspected and outlined, and key values."""
    say_picture(said, look, asked)
    said.say(look, look.of("quality"))
    say_conditions(said, look, asked)
    say_lesions(said, look, asked)
    said.say(look, [s for s in look.of("structure") if s.term == "optic_disc"])
    if not asked.plain:
        say_values(said, look, DEFAULTS["measurements"], ("all",), ("",), quiet=True)


def say_grade(said: Spoken, look: Look, asked: Asked) -> None:
    """Say the grades of the record; that there is none where there is none."""
    named = [t for t in asked.terms if t in terms.conditions()]
    grades = [s for s in look.of("grade") if not named or s.term in named]
    said.say(look, grades)
    if not grades:
        scale = _scale_of(named[0] if named else "diabetic_retinopathy")
        if scale:
            said.plain("not_graded", look, scale=terms.scale(scale).names(said.language)[0])
        else:
            said.plain("no_scale", look)
    say_named(said, look, named[:2]) if named else say_conditions(said, look, asked)
    said.say(look, look.of("lesion_count"))


def _scale_of(term: str) -> str:
    scales = terms.scales().values()
    return next((s.id for s in scales if s.term == term and not s.words_of), "")


def say_healthy(said: Spoken, look: Look, asked: Asked) -> None:
    """Say what is suspected and outlined, and never that an eye is well."""
    say_conditions(said, look, asked)
    said.say(look, look.of("lesion_count"))
    said.plain("not_healthy", look)


def say_condition(said: Spoken, look: Look, asked: Asked) -> None:
    """Say of the conditions that are named, else of all, what the record has."""
    named = [term for term in asked.terms if term in terms.conditions()]
    if not named:
        say_conditions(said, look, asked)
        return
    say_named(said, look, named)
    for term in named:
        kinds = [s for s in look.of("lesion_count") if s.term in SIGNS.get(term, ())]
        said.say(look, kinds)
        say_values(said, look, RELATED.get(term, ()), ("all",), ("",)) if term in RELATED else None


_LESIONS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
SIGNS: Mapping[str, tuple[str, ...]] = {
    "diabetic_retinopathy": _LESIONS,
    "diabetic_macular_oedema": ("hard_exudate",),
    "hypertensive_retinopathy": ("haemorrhage", "soft_exudate"),
    "retinal_vein_occlusion": ("haemorrhage", "soft_exudate"),
}
"""Lesions that are told beside a condition that is asked for."""
RELATED: Mapping[str, tuple[str, ...]] = {
    "glaucoma": ("cdr_vertical",),
    "optic_disc_cupping": ("cdr_vertical",),
    "hypertensive_retinopathy": ("avr_knudtson",),
}
"""Quantities that are told beside a condition that is asked for."""

Teller = Callable[[Spoken, Look, Asked], None]
TELLERS: Mapping[str, Teller] = {
    "summary": say_summary,
    "modality": say_picture,
    "eye": say_eye,
    "quality": say_quality,
    "condition": say_condition,
    "healthy": say_healthy,
    "grade": say_grade,
    "lesions": say_lesions,
    "where": say_places,
    "spread": say_spread,
    "disc": say_disc,
    "fovea": say_fovea,
    "refraction": say_refraction,
}
"""What answers a topic; the others are told by their quantities."""
BY_QUANTITIES = (
    "calibre", "tortuosity", "fractal", "branching", "vessels", "zones", "measurements", "quantity"
)  # fmt: skip
WITHOUT_MEASURING = ("modality", "eye", "quality", "refraction")
"""Topics that a photograph answers in which nothing may be measured."""


def tell(said: Spoken, look: Look, asked: Asked, topics: Iterable[str]) -> None:
    """Add what a photograph gives of some topics."""
    told_why = False
    for topic in topics:
        if look.refused and topic not in WITHOUT_MEASURING:
            if not told_why:
                told_why = True
                if topic == "summary":
                    said.say(look, look.of("modality", "eye"))
                said.say(look, look.of("quality"))
                say_refused(said, look)
            continue
        before = len(said.parts)
        if topic in BY_QUANTITIES:
            say_quantities(said, look, asked, topic)
        elif topic in TELLERS:
            TELLERS[topic](said, look, asked)
        if len(said.parts) == before:
            said.plain("nothing_measured", look)
