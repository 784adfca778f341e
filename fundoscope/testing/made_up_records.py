"""Made-up records for tests and benchmarks: plausible, deterministic, as many as you like."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from fundoscope import terms
from fundoscope.records import (
    Eye,
    Finding,
    Grade,
    Lesion,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Status,
    Structure,
    Unmeasured,
)

_LESIONS = ("microaneurysm", "haemorrhage", "hard_exudate", "soft_exudate")
_DRAWN = ("crae", "crve", "avr", "disc", "cup", "cdr", "spherical")
"""With those of vessels, about what AutoMorph gives for a photograph."""
_NOT_DRAWN = ("normal_fundus", "abnormality", "diabetic_retinopathy")


def synthetic_record(number: int, seed: int = 0) -> Record:
    """Return a made-up record; its number and the seed decide everything in it."""
    rng = random.Random(f"{seed}/{number}")
    sides: tuple[Eye | None, ...] = ("left", "right", None)
    photograph = Photograph(
        "synthetic", "all", f"{number:07d}", eye=rng.choice(sides), patient=str(number // 2)
    )
    kinds = rng.sample(_KINDS, rng.randint(1, 4))
    parts: dict[str, Any] = {}
    for kind in kinds:
        parts |= kind(rng)
    if len(kinds) > 1:
        parts = _consistent(parts)
    return Record(photograph, **parts)


def synthetic_records(count: int, seed: int = 0) -> Iterator[Record]:
    """Yield `count` made-up records, in order."""
    return (synthetic_record(number, seed) for number in range(count))


def _consistent(parts: dict[str, Any]) -> dict[str, Any]:
    """Drop what contradicts the rest, such as a normal fundus with lesions."""
    totals, grades = parts.get("lesion_totals", ()), parts.get("grades", ())
    if totals:
        grades = tuple(grade for grade in grades if grade.scale != "dme_risk")
    findings = parts.get("findings", ())
    if totals or grades:
        findings = tuple(finding for finding in findings if finding.term != "normal_fundus")
    return parts | {"grades": grades, "findings": findings}


def _grades(rng: random.Random) -> dict[str, object]:
    chosen = rng.sample(["icdr", "dme_risk", "eyeq"], rng.randint(1, 3))
    if rng.random() < 0.3:
        chosen = [rng.choice(["messidor_dr", "meta_pm", "clinical_dr", "stated_quality"])]
    return {
        "grades": tuple(
            Grade(id, rng.choice(sorted(terms.scale(id).levels)), "synthetic") for id in chosen
        )
    }


def _findings(rng: random.Random) -> dict[str, object]:
    if rng.random() < 0.3:
        return {"findings": (Finding("normal_fundus", "present", "synthetic"),)}
    ids = [id for id in terms.conditions() if id not in _NOT_DRAWN]
    graded = {scale.term for scale in terms.scales().values()}
    statuses: tuple[Status, ...] = ("present", "present", "suspected", "absent", "not_assessed")
    chosen = [id for id in rng.sample(ids, rng.randint(1, 5)) if id not in graded]
    said: list[Finding] = []
    for id in chosen:  # one of a family, so that none contradicts its broader term
        if not any(terms.broader(id) & terms.broader(f.term) - {"abnormality"} for f in said):
            said.append(Finding(id, rng.choice(statuses), "synthetic"))
    return {"findings": tuple(said)}


def _lesions(rng: random.Random) -> dict[str, object]:
    lesions: list[Lesion] = []
    totals: list[LesionTotal] = []
    for kind in rng.sample(_LESIONS, rng.randint(1, 4)):
        boxes = [_box(rng) for _ in range(rng.randint(0, 6))]
        lesions += [Lesion(kind, box, 0.0004, "synthetic", rng.randint(1, 3)) for box in boxes]
        count = sum(lesion.count for lesion in lesions if lesion.kind == kind)
        totals.append(LesionTotal(kind, count, 0.0004 * len(boxes), "synthetic"))
    return {
        "lesions": tuple(lesions),
        "lesion_totals": tuple(totals),
        "structures": (Structure("optic_disc", _box(rng), "synthetic"),),
    }


def _box(rng: random.Random) -> tuple[float, float, float, float]:
    x, y = rng.uniform(0, 0.9), rng.uniform(0, 0.9)
    width, height = rng.uniform(0.005, 0.1), rng.uniform(0.005, 0.1)
    return round(x, 4), round(y, 4), round(x + width, 4), round(y + height, 4)


def _measurements(rng: random.Random) -> dict[str, object]:
    found: list[Measured | Unmeasured] = []
    for quantity in terms.quantities().values():
        if not (quantity.vessels or quantity.id.startswith(_DRAWN)):
            continue
        for of in ("all", "arteries", "veins") if quantity.vessels else ("",):
            for where in ("whole", "zone_b") if quantity.vessels else ("",):
                if rng.random() < 0.1:
                    found.append(Unmeasured(quantity.id, "synthetic gap", of=of, where=where))
                elif rng.random() < 0.6:
                    low, high = quantity.plausible
                    value = rng.uniform(low, min(high, 900))
                    found.append(
                        Measured(quantity.id, value, quantity.unit, "synthetic", of=of, where=where)
                    )
    return {"measurements": tuple(found)}


_KINDS = (_grades, _findings, _lesions, _measurements)
