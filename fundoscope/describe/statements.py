"""A record as statements: one truth in no language."""

from __future__ import annotations

import math
from collections.abc import Iterator

from fundoscope import terms
from fundoscope.records import (
    UNMEASURED,
    Box,
    Measured,
    Record,
    Statement,
    Unmeasured,
)

LEAST_DIGITS = 2
"""Significant digits of a value too small for its usual decimals; 0.00 would say none."""
AREA_DECIMALS = 3
"""Digits of a lesion area in per cent of the photograph."""


def statements(record: Record) -> tuple[Statement, ...]:
    """Return every statement that a record supports, in a fixed order.

    Numbers are rounded to the digits that are said: those of `fundoscope.terms.Quantity`, and no
    more than the repeatability of the value supports.
    """
    return tuple(
        statement
        for part in (_picture, _grades, _findings, _lesions, _structures, _measurements)
        for statement in part(record)
    )


def place(box: Box) -> str:
    """Return the place (`fundoscope.terms.PLACES`) of a box's centre in the photograph."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    if 1 / 3 <= x <= 2 / 3 and 1 / 3 <= y <= 2 / 3:
        return "centre"
    return f"{'upper' if y < 0.5 else 'lower'}_{'left' if x < 0.5 else 'right'}"


def _picture(record: Record) -> Iterator[Statement]:
    photograph = record.photograph
    if not photograph.modality:
        return  # a record about a condition: there is no picture to speak of
    yield Statement("modality", photograph.modality, "present", source=photograph.dataset)
    if photograph.eye:
        yield Statement("eye", "eye", photograph.eye, source=photograph.dataset)


def _grades(record: Record) -> Iterator[Statement]:
    for grade in record.grades:
        term = terms.scale(grade.scale).term
        aspect = "quality" if term in ("quality", "gradability") else "grade"
        yield Statement(aspect, term, grade.level, scale=grade.scale, source=grade.source)  # type: ignore[arg-type]


def _findings(record: Record) -> Iterator[Statement]:
    graded = {terms.scale(grade.scale).term for grade in record.grades}
    for finding in record.findings:
        if finding.term not in graded:  # its grade says more
            yield Statement("finding", finding.term, finding.status, source=finding.source)


def _lesions(record: Record) -> Iterator[Statement]:
    for total in record.lesion_totals:
        if total.count == 0:
            yield Statement("finding", total.kind, "absent", source=total.source)
            continue
        yield Statement("lesion_count", total.kind, total.count, source=total.source)
        area_percent = round(100 * total.area_fraction, AREA_DECIMALS)
        if area_percent > 0:
            yield Statement("lesion_area", total.kind, area_percent, unit="%", source=total.source)
    for lesion in record.lesions:
        yield Statement(
            "lesion_box", lesion.kind, lesion.box, where=place(lesion.box), source=lesion.source
        )


def _structures(record: Record) -> Iterator[Statement]:
    for structure in record.structures:
        yield Statement(
            "structure",
            structure.term,
            structure.box,
            where=place(structure.box),
            source=structure.source,
        )


def _measurements(record: Record) -> Iterator[Statement]:
    for quantity in record.measurements:
        yield measurement_statement(quantity)


def measurement_statement(quantity: Measured | Unmeasured) -> Statement:
    """Return the statement of one quantity, measured or not."""
    if isinstance(quantity, Unmeasured):
        return Statement(
            "measurement",
            quantity.name,
            UNMEASURED,
            of=quantity.of,
            where=quantity.where,
            source=quantity.tool,
        )
    decimals = _decimals(quantity)
    return Statement(
        "measurement",
        quantity.name,
        round(quantity.value, decimals),
        unit=quantity.unit,
        of=quantity.of,
        where=quantity.where,
        source=quantity.tool,
        decimals=max(decimals, 0),
    )


def _decimals(quantity: Measured) -> int:
    """Return the digits after the point that mean something; negative for tens and hundreds.

    The last digit said is the first one that a second measurement of the same eye may change.
    """
    decimals = terms.quantity(quantity.name).decimals
    if quantity.value and abs(quantity.value) < 10.0**-decimals:
        decimals = LEAST_DIGITS - 1 - math.floor(math.log10(abs(quantity.value)))
    if not quantity.repeatability:
        return decimals
    return min(decimals, -math.floor(math.log10(quantity.repeatability)))
