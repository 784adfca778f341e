"""Statements worded in English. Every wording is read back by `fundoscope.verify.claims`."""

from __future__ import annotations

from collections.abc import Sequence

from fundoscope import terms
from fundoscope.describe.wording import Pick, box_text, number_text
from fundoscope.records import Statement

PICTURE = (
    "This is {a} {modality}.",
    "It is {a} {modality}.",
    "The picture is {a} {modality}.",
    "You are looking at {a} {modality}.",
    "What you see is {a} {modality}.",
)
PICTURE_OF_EYE = (
    "This is {a} {modality} of the {eye} eye.",
    "It is {a} {modality} of the {eye} eye.",
    "The picture is {a} {modality}; it shows the {eye} eye.",
    "You are looking at {a} {modality} of the {eye} eye.",
    "What you see is the {eye} eye on {a} {modality}.",
)
EYE = ("It is the {eye} eye.", "This is the {eye} eye.", "The photograph shows the {eye} eye.")
QUALITY = (
    "Its quality is graded {words} ({scale}).",
    "The image quality is {words} ({scale}).",
    "As to quality, it was rated {words} ({scale}).",
    "Image quality: {words} ({scale}).",
)
GRADABILITY = ("It was judged {words}.", "The graders called it {words}.")
GRADE = (
    "{term} is graded {level} on the {scale}: {words}.",
    "On the {scale} this is grade {level}: {words}.",
    "The grade is {level} on the {scale}, that is, {words}.",
    "{term}: grade {level} on the {scale} ({words}).",
)
GRADE_WITHOUT_WORDS = (
    "{term} is graded {level} on the {scale}.",
    "On the {scale}, {term} is grade {level}.",
    "{term}: grade {level} on the {scale}.",
)
GRADE_BY_WORDS = (
    "By {scale}, this is {words}.",
    "The {scale} noted is {words}.",
    "In terms of {scale}: {words}.",
)
RISK = (
    "The {scale} is graded {level}: {words}.",
    "{scale}: grade {level}, {words}.",
    "Grade {level} was given for the {scale}: {words}.",
)
PRESENT = (
    "The findings are: {names}.",
    "What was noted: {names}.",
    "The following is present: {names}.",
    "The readers noted {names}.",
    "Recorded in this eye: {names}.",
)
PRESENT_NORMAL = (
    "The readers described a {names}.",
    "It was read as a {names}.",
    "What was noted is a {names}.",
)
PRESENT_ABNORMAL = (
    "An abnormality is present.",
    "The readers noted an abnormality.",
    "An abnormality was found.",
)
SUSPECTED = (
    "Suspected, not certain: {names}.",
    "There is a suspicion of {names}.",
    "The readers suspected {names}.",
)
ABSENT = (
    "There is no sign of {names}.",
    "No evidence of {names}.",
    "The readers noted no {names}.",
)
NOT_ASSESSED = (
    "Not assessed: {names}.",
    "As for {names}: not assessed.",
    "There is no information on {names}.",
)
MEASURED = (
    ("{group}{values}.", "the {name} is {value}"),
    ("{group}{values}.", "{name} {value}"),
    ("{group}the measured values are: {values}.", "{name}: {value}"),
    ("{group}the tool measured {values}.", "{name} {value}"),
)
UNMEASURED = (
    "{group}not measured: {names}.",
    "{group}there is no figure for {names}.",
    "{group}no measurement of {names} was made.",
)
LESIONS = (
    "{count} {name} {are} outlined",
    "The graders outlined {count} {name}",
    "There {are} {count} {name}",
)
AREA = (", covering {area} of the photograph", "; {they} {area} of the photograph")
AREA_ALONE = "The outlined {name} cover {area} of the photograph."
BOXES = (
    "Boxes of {kind}: {boxes}.",
    "{kind} lie at {boxes}.",
    "You find {kind} at {boxes}.",
)
STRUCTURE = (
    "The {term} lies at {box} ({place}).",
    "The {term} is found at {box} ({place}).",
)
QUALITY_UNKNOWN = ("The image quality was not graded.", "Its quality was not assessed.")
EYE_UNKNOWN = (
    "Which eye it is was not recorded: which eye cannot be told.",
    "The laterality was not recorded.",
)


def picture(modality: Statement | None, eye: Statement | None, pick: Pick) -> str:
    """Word the kind of picture and the eye side."""
    if modality is None:
        assert eye is not None
        return pick(EYE_UNKNOWN) if eye.value == "unmeasured" else pick(EYE).format(eye=eye.value)
    name = terms.term(modality.term).en[0]
    article = "an" if name[0] in "aeiou" else "a"
    if eye is None:
        return pick(PICTURE).format(a=article, modality=name)
    return pick(PICTURE_OF_EYE).format(a=article, modality=name, eye=eye.value)


def quality(statement: Statement, pick: Pick) -> str:
    """Word a quality grade."""
    if statement.value == "unmeasured":
        return pick(QUALITY_UNKNOWN)
    scale = terms.scale(statement.scale)
    words = scale.levels[int(str(statement.value))].en[0]
    options = GRADABILITY if scale.id == "gradable" else QUALITY
    return pick(options).format(words=words, scale=scale.en[0])


def grade(statement: Statement, pick: Pick) -> str:
    """Word a grade with its scale."""
    scale = terms.scale(statement.scale)
    level = int(str(statement.value))
    words = scale.levels[level].en[0]
    if scale.id in ("clinical_dr", "messidor2_dme"):
        options: tuple[str, ...] = GRADE_BY_WORDS
    elif scale.id == "dme_risk":
        options = RISK
    elif scale.id == "messidor_dr":
        options = GRADE_WITHOUT_WORDS
    else:
        options = GRADE
    name = terms.term(scale.term).en[0]
    text = pick(options).format(term=name, level=level, scale=scale.en[0], words=words)
    return capitalised(text)


def findings(status: str, statements: Sequence[Statement], pick: Pick) -> str:
    """Word findings that share a status."""
    names = [_countable(s.term) for s in statements]
    if status == "present" and [s.term for s in statements] == ["normal_fundus"]:
        options: tuple[str, ...] = PRESENT_NORMAL
    elif status == "present" and [s.term for s in statements] == ["abnormality"]:
        options = PRESENT_ABNORMAL
    else:
        options = {"present": PRESENT, "suspected": SUSPECTED, "absent": ABSENT}.get(
            status, NOT_ASSESSED
        )
    last = "or" if status == "absent" else "and"
    return capitalised(pick(options).format(names=listed(names, last)))


def measurements(statements: Sequence[Statement], pick: Pick) -> str:
    """Word measured values that share vessels and zone."""
    text, value = pick(MEASURED)
    values = [
        value.format(name=terms.quantity(s.term).en[0], value=number_text(s)) for s in statements
    ]
    return capitalised(text.format(group=_group(statements[0]), values=listed(values, "and")))


def _group(statement: Statement) -> str:
    """Return `For the arteries in zone B, `, or nothing."""
    vessels = {"all": "all vessels", "arteries": "the arteries", "veins": "the veins"}.get(
        statement.of, ""
    )
    zone = {"whole": "over the whole photograph", "zone_b": "in zone B", "zone_c": "in zone C"}.get(
        statement.where, ""
    )
    named = f"for {vessels} {zone}" if vessels else zone
    return f"{named.strip()}, " if named else ""


def unmeasured(statements: Sequence[Statement], pick: Pick) -> str:
    """Word quantities that have no value."""
    names = listed([f"the {terms.quantity(s.term).en[0]}" for s in statements], "and")
    return capitalised(pick(UNMEASURED).format(group=_group(statements[0]), names=names))


def lesions(count: Statement | None, area: Statement | None, pick: Pick) -> str:
    """Word how many lesions of a kind are outlined, and how much they cover."""
    if count is None:
        assert area is not None
        return AREA_ALONE.format(name=terms.term(area.term).plural, area=number_text(area))
    term = terms.term(count.term)
    one = count.value == 1
    text = pick(LESIONS).format(
        count=count.value,
        name=term.en[0] if one else term.plural,
        are="is" if one else "are",
    )
    if area is not None:
        they = "it covers" if one else "together they cover"
        text += pick(AREA).format(area=number_text(area), they=they)
    return f"{text}."


def boxes(statements: Sequence[Statement], pick: Pick) -> str:
    """Word boxes of one kind of lesion with their places."""
    term = terms.term(statements[0].term)
    listed_boxes = [f"{box_text(s)} ({terms.PLACES[s.where]['en'][0]})" for s in statements]
    return capitalised(
        pick(BOXES).format(kind=term.plural or term.en[0], boxes=listed(listed_boxes, "and"))
    )


def structure(statement: Statement, pick: Pick) -> str:
    """Word where a structure lies."""
    return pick(STRUCTURE).format(
        term=terms.term(statement.term).en[0],
        box=box_text(statement),
        place=terms.PLACES[statement.where]["en"][0],
    )


def _countable(id: str) -> str:
    term = terms.term(id)
    return term.plural or term.en[0]


def listed(names: Sequence[str], last: str) -> str:
    """Return `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} {last} {names[-1]}"


def capitalised(text: str) -> str:
    """Return the text with a capital first letter."""
    return text[0].upper() + text[1:]
