"""From what was seen in photographs to the report on them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import fundoscope
from fundoscope import terms
from fundoscope.describe.statements import LEAST_DIGITS, measurement_statement, place
from fundoscope.describe.wording import number_text
from fundoscope.errors import ConfigError
from fundoscope.knowledge.graph import Fact, facts_of
from fundoscope.perceive.lesions import LESION_KINDS
from fundoscope.perceive.runtime import model
from fundoscope.records import Language, Measured, Unmeasured
from fundoscope.serve.evidence import address
from fundoscope.serve.repeats_known import LIMIT, with_known
from fundoscope.serve.replies import DISCLAIMER, Seen
from fundoscope.serve.report import (
    Answer,
    Boxed,
    Cited,
    Compared,
    LesionKind,
    Network,
    PhotographPart,
    QualityPart,
    Quantity,
    Report,
    Suspicion,
)
from fundoscope.serve.report_words import reason_in, report_words

ANSWERS: dict[str, Answer] = {
    "present": "suspected", "uncertain": "undecided", "absent": "not_suspected",
}  # fmt: skip
NOT_REPORTED = ("normal_fundus", "abnormality")
"""What the network was taught, and no report says: an eye is not normal for want of a suspicion."""
NETWORKS = ("quality", "vessels", "places", "disc_cup", "lesions", "conditions")
LINKS = ("urgency", "referral", "definition", "sign", "examination", "finding_on_test")
"""Which facts of a condition are shown, the most pressing first. How soon to look again hangs on a
grade, which no network gives."""
MOST_OF_A_LINK = 2
MOST_FACTS = 8
"""Of one condition."""
COMPARED = (
    "crae_knudtson", "crve_knudtson", "avr_knudtson", "cdr_vertical", "fractal_dimension",
    "vessel_density", "average_width", "distance_tortuosity", "disc_height", "fovea_disc_distance",
    *(f"{kind}_count" for kind in LESION_KINDS),
)  # fmt: skip
"""Quantities that are set side by side, in the whole field or zone B."""


def report_of(seen: Sequence[Seen], language: Language = "en") -> Report:
    """Return the report on photographs; the same photographs give the same report.

    Parameters
    ----------
    seen : one photograph or several of one person, in the order in which they are numbered.
    language : `en` or `zh`.

    Raises
    ------
    ConfigError
        If there is no photograph.
    """
    if not seen:
        raise ConfigError(
            "there is no photograph to report on", where="a report", mend="give at least one"
        )
    photographs = tuple(photograph_part(one, n, language) for n, one in enumerate(seen, 1))
    return Report(
        language=language,
        disclaimer=DISCLAIMER[language],
        photographs=photographs,
        comparison=tuple(_comparison(seen, photographs)),
        facts=tuple(_facts(photographs, language)),
        not_looked_for=tuple(_not_looked_for(seen, language)),
        conditions_not_looked_for=_conditions_not_looked_for(),
        networks=tuple(_networks()),
        fundoscope_version=fundoscope.__version__,
    )


def photograph_part(seen: Seen, number: int, language: Language) -> PhotographPart:
    """Return what the report says of one photograph, `number` from 1."""
    found, record = seen.perceived, with_known(seen.record)
    height, width = found.view.shape
    scale = seen.masks.scale
    return PhotographPart(
        number=number,
        sha256=seen.sha256,
        width_px=width,
        height_px=height,
        eye=seen.eye,
        visit=seen.visit,
        kind=found.kind,
        quality=QualityPart(
            grade=found.quality.grade,
            probabilities={k: _rounded(p) for k, p in found.quality.probabilities.items()},
            reasons=found.quality.reasons,
            source=model("quality").version,
        ),
        refused=found.refused,
        refused_words=reason_in(found.refused, language),
        scale=str(scale) if scale else "",
        conditions=tuple(_suspicions(seen, language)),
        lesions=tuple(_lesions(seen, language)),
        quantities=tuple(_quantity(q, language) for q in record.measurements),
    )


def _suspicions(seen: Seen, language: Language) -> Iterator[Suspicion]:
    """Yield conditions, the suspected ones first, then by probability."""
    said = seen.perceived.conditions
    if said is None:
        return
    network = model("conditions")
    order = list(ANSWERS)
    ranked = sorted(
        said.answers, key=lambda t: (order.index(said.answers[t]), -said.probabilities[t])
    )
    for term in ranked:
        if term in NOT_REPORTED:
            continue
        bounds = network.manifest["thresholds"][term]
        score = network.manifest.get("scores", {}).get("auc", {}).get(term, {})
        yield Suspicion(
            term=term,
            words=terms.term(term).names(language)[0],
            answer=ANSWERS[said.answers[term]],
            probability=_rounded(said.probabilities[term]),
            suspected_from=bounds["present"],
            not_suspected_below=bounds["absent"],
            auc=score.get("value"),
            auc_interval_95=tuple(score["interval_95"]) if "interval_95" in score else None,
            source=network.version,
        )


def _rounded(probability: float) -> float:
    return min(1.0, max(0.0, round(float(probability), 3)))


def _lesions(seen: Seen, language: Language) -> Iterator[LesionKind]:
    """Yield every kind that was looked for, with what the record holds of it."""
    totals = {total.kind: total for total in seen.record.lesion_totals}
    for kind in seen.masks.lesions:
        total = totals.get(kind)
        yield LesionKind(
            term=kind,
            words=terms.term(kind).names(language)[0],
            count=total.count if total else 0,
            area_percent=round(100 * total.area_fraction, 3) if total else 0.0,
            boxes=tuple(
                Boxed(
                    box=lesion.box,
                    count=lesion.count,
                    place=terms.PLACES[place(lesion.box)][language][0],
                )
                for lesion in seen.record.lesions
                if lesion.kind == kind
            ),
            unboxed=total.unboxed if total else 0,
            source=total.source if total else model("lesions").version,
        )


def _quantity(measured: Measured | Unmeasured, language: Language) -> Quantity:
    name, of, where = measured.name, measured.of, measured.where
    words = terms.quantity(name).names(language)[0]
    group = _group(name, of, where)
    if isinstance(measured, Unmeasured):
        return Quantity(
            name=name, words=words, group=group, of=of, where=where, tool=measured.tool,
            reason=measured.reason, reason_words=reason_in(measured.reason, language),
        )  # fmt: skip
    statement = measurement_statement(measured)
    assert isinstance(statement.value, int | float)
    text, _, _ = number_text(statement).partition(" ")
    return Quantity(
        name=name, words=words, group=group, of=of, where=where,
        value=statement.value,
        text=text.rstrip("°"),
        unit=measured.unit,
        repeatability=measured.repeatability,
        repeatability_text=_few_digits(measured.repeatability, text),
        scale=measured.scale,
        tool=f"{measured.tool} {measured.version}".strip(),
    )  # fmt: skip


def _few_digits(repeatability: float | None, text: str) -> str:
    """Return a repeatability with at most one digit more than its value; none where it is 0.

    A count that stayed the same whenever the outlines were moved has not been shown to be exact.
    """
    if not repeatability:
        return ""
    shown = len(text.partition(".")[2]) + 1
    meant = LEAST_DIGITS - 1 - math.floor(math.log10(repeatability))
    decimals = max(0, min(meant, shown))
    least = 10.0**-decimals
    if repeatability < least / 2:
        return f"<{least:.{decimals}f}"
    return f"{repeatability:.{decimals}f}"


def _group(name: str, of: str, where: str) -> str:
    if where in ("zone_b", "zone_c"):
        return where if of else f"calibre_{where[-1]}"
    if where == "whole":
        return "whole"
    if name.startswith("vessel_density_"):
        return "grid"
    if name.startswith("fovea_"):
        return "fovea"
    if name.startswith(("disc_", "cup_", "cdr_", "rim_")):
        return "disc"
    return "lesions" if name.startswith(tuple(terms.lesions())) else "other"


def _comparison(seen: Sequence[Seen], parts: Sequence[PhotographPart]) -> Iterator[Compared]:
    """Yield what two photographs have in common, where they show two eyes or two visits."""
    if len(seen) != 2 or (seen[0].eye == seen[1].eye and seen[0].visit == seen[1].visit):
        return
    first, second = ({(q.name, q.of, q.where): q for q in part.quantities} for part in parts)
    for (name, of, where), a in first.items():
        b = second.get((name, of, where))
        if name not in COMPARED or where == "zone_c" or (where == "zone_b" and of) or b is None:
            continue
        if a.value is None or b.value is None or a.unit != b.unit or "px" in a.unit:
            continue  # pixels of two photographs are not of one size
        difference = b.value - a.value
        digits = max(len(text.partition(".")[2]) for text in (a.text, b.text))
        yield Compared(
            name=name, words=a.words, of=of, where=where, texts=(a.text, b.text), unit=a.unit,
            difference=round(difference, digits),
            difference_text=f"{difference:+.{digits}f}",
            beyond_repeatability=_beyond(difference, a.repeatability, b.repeatability),
        )  # fmt: skip


def _beyond(difference: float, one: float | None, other: float | None) -> bool | None:
    if one is None or other is None:
        return None
    return abs(difference) > LIMIT * max(one, other)


def _facts(parts: Sequence[PhotographPart], language: Language) -> Iterator[Cited]:
    suspected = [s for part in parts for s in part.conditions if s.answer == "suspected"]
    for term in dict.fromkeys(s.term for s in suspected):
        shown: list[Fact] = []
        for link in LINKS:
            known = [f for f in facts_of(term) if f.link == link and f.audience != ("patient",)]
            shown += known[:MOST_OF_A_LINK]
        for fact in shown[:MOST_FACTS]:
            yield _cited(fact, language)


def _cited(fact: Fact, language: Language) -> Cited:
    return Cited(
        id=fact.id,
        condition=fact.condition,
        condition_words=terms.term(fact.condition).names(language)[0],
        urgent=fact.link == "urgency",
        words=fact.text(language),
        source=fact.source.cite,
        year=fact.year,
        url=address(fact.source.link),
        guideline=fact.guideline,
    )


def _conditions_not_looked_for() -> tuple[str, ...]:
    looked_for = set(model("conditions").manifest["outputs"]) | {*NOT_REPORTED, *LESION_KINDS}
    every = {**terms.conditions(), **terms.lesions()}
    return tuple(term for term in every if term not in looked_for)


def _not_looked_for(seen: Sequence[Seen], language: Language) -> Iterator[str]:
    words = report_words(language)

    def named(found: Sequence[str]) -> str:
        return words.listed([terms.term(term).names(language)[0] for term in found])

    conditions = [t for t in model("conditions").manifest["outputs"] if t not in NOT_REPORTED]
    yield words("looked_for_only", conditions=named(conditions), lesions=named(LESION_KINDS))
    for number, one in enumerate(seen, 1):
        if one.masks.cup is None and not one.masks.refused:
            yield words("cup_not_told", number=number)
    if any(one.masks.cup is not None for one in seen):
        yield words("cup_reads_high")
    yield words("not_visible")
    yield words("others_not", names=named(_conditions_not_looked_for()))


def _networks() -> Iterator[Network]:
    for name in NETWORKS:
        manifest = model(name).manifest
        yield Network(
            name=name, version=str(manifest["version"]), licence=str(manifest.get("licence", ""))
        )
