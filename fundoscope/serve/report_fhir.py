"""The report as a FHIR R4 DiagnosticReport with its Observations inside.

Status `preliminary`, no subject, no date: nobody read it, and nobody is named. Codes of
fundoscope's own stand for every quantity, condition and lesion; SNOMED CT stands beside them where
the vocabulary has a code that fits exactly. Units are UCUM; what UCUM has no unit for (pixels, disc
diameters) is an annotation, as UCUM asks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from fundoscope import terms
from fundoscope.errors import MissingExtra
from fundoscope.serve.report import LesionKind, PhotographPart, Quantity, Report, Suspicion
from fundoscope.serve.report_html import box_text, heading
from fundoscope.serve.report_words import Words, report_words

Json = dict[str, Any]

OWN = "urn:fundoscope"
"""Start of fundoscope's code systems: `urn:fundoscope:quantity` and the like."""
UCUM, SNOMED = "http://unitsofmeasure.org", "http://snomed.info/sct"
HL7 = "http://terminology.hl7.org/CodeSystem"
UCUM_CODES = {
    "um": "um", "mm": "mm", "mm2": "mm2", "1/mm": "/mm", "1/mm2": "/mm2", "deg": "deg", "%": "%",
    "1": "1", "D": "[diop]", "px": "{pixel}", "px2": "{square_pixel}", "1/px": "/{pixel}",
    "1/px2": "/{square_pixel}", "DD": "{disc_diameter}", "DD2": "{square_disc_diameter}",
    "1/DD": "/{disc_diameter}", "1/DD2": "/{square_disc_diameter}",
}  # fmt: skip
EYES = {"right": ("18944008", "Right eye structure"), "left": ("8966001", "Left eye structure")}
"""SNOMED CT, body structures."""


def report_fhir(report: Report) -> bytes:
    """Return the report as a DiagnosticReport in JSON, held against its model.

    The model is R4B's, of `fhir.resources`: for the elements that are used here it is R4's.

    Raises
    ------
    MissingExtra
        If fhir.resources is not installed.
    """
    try:
        from fhir.resources.R4B.diagnosticreport import DiagnosticReport
    except ImportError as problem:
        raise MissingExtra(
            "a report in FHIR is held against fhir.resources",
            mend="pip install 'fundoscope[serve]'",
        ) from problem
    resource = fhir_resource(report)
    text = json.dumps(resource, ensure_ascii=False, indent=1)
    DiagnosticReport.model_validate_json(text)
    return text.encode() + b"\n"


def fhir_resource(report: Report) -> Json:
    """Return the DiagnosticReport as JSON has it, not yet held against a model."""
    words = report_words(report.language)
    inside = [part for photograph in report.photographs for part in _observed(photograph, words)]
    return {
        "resourceType": "DiagnosticReport",
        "language": "zh-CN" if report.language == "zh" else "en",
        "contained": inside,
        "extension": [_extension("disclaimer", report.disclaimer)],
        "status": report.status,
        "category": [{"coding": [{"system": f"{HL7}/v2-0074", "code": "IMG"}]}],
        "code": _concept("report", "retinal-photographs", words("title")),
        "result": [{"reference": f"#{part['id']}"} for part in inside],
        "conclusion": _conclusion(report, words),
    }


def _conclusion(report: Report, words: Words) -> str:
    lines = [report.disclaimer, words("preliminary")]
    for part in report.photographs:
        suspected = [one.words for one in part.conditions if one.answer == "suspected"]
        said = f"{words('suspected')}: {words.listed(suspected)}" if suspected else ""
        if part.refused:
            said = f"{words('refused')}: {part.refused_words}"
        if said:
            lines.append(f"{heading(part, words)}. {said}")
    return "\n".join([*lines, *report.not_looked_for])


def _observed(part: PhotographPart, words: Words) -> Iterator[Json]:
    """Yield the observations of one photograph, first the one about the photograph itself."""
    here = f"p{part.number}"
    yield _photograph(part, here, words)
    for suspicion in part.conditions:
        yield _about(part, f"{here}-{_id(suspicion.term)}", _suspicion(suspicion, words))
    for kind in part.lesions:
        yield _about(part, f"{here}-{_id(kind.term)}", _lesion(kind, words))
    for quantity in part.quantities:
        name = "-".join(filter(None, (quantity.name, quantity.of, quantity.where)))
        yield _about(part, f"{here}-q-{_id(name)}", _quantity(quantity, words))


def _about(part: PhotographPart, id: str, more: Json) -> Json:
    eye = EYES.get(part.eye or "")
    place = {"bodySite": {"coding": [_coding(SNOMED, *eye)]}} if eye else {}
    return {
        "resourceType": "Observation",
        "id": id[:64],
        "status": "preliminary",
        "category": [{"coding": [{"system": f"{HL7}/observation-category", "code": "imaging"}]}],
        **place,
        **more,
    }


def _photograph(part: PhotographPart, id: str, words: Words) -> Json:
    quality = part.quality
    said: Json = {
        "code": _concept("photograph", "quality", words("quality")),
        "valueCodeableConcept": _concept(
            "quality", quality.grade, words(f"quality_{quality.grade}")
        ),
        "method": {"text": quality.source},
        "note": [{"text": heading(part, words)}],
        "component": [
            {
                "code": _concept("photograph", "kind", words("kind")),
                "valueCodeableConcept": _concept("kind", part.kind, words(part.kind)),
            },
            {
                "code": _concept("photograph", "sha256", "SHA-256"),
                "valueString": part.sha256,
            },
        ],
    }
    if part.refused:
        said["note"].append({"text": f"{words('refused')}: {part.refused_words}"})
    return _about(part, id, said)


def _suspicion(one: Suspicion, words: Words) -> Json:
    return {
        "code": _term(one.term, one.words, "condition"),
        "valueCodeableConcept": _concept("answer", one.answer, words(one.answer)),
        "method": {"text": one.source},
        "note": [{"text": words("conditions_note")}],
        "component": [
            {
                "code": _concept("answer", "probability", words("probability")),
                "valueQuantity": _valued(one.probability, "1"),
            }
        ],
    }


def _lesion(kind: LesionKind, words: Words) -> Json:
    boxes = [
        {
            "code": _concept("lesion", "box", words("boxes")),
            "valueString": box_text(one.box) + (f" ×{one.count}" if one.count > 1 else ""),
        }
        for one in kind.boxes
    ]
    area = {
        "code": _concept("lesion", "area", words("area")),
        "valueQuantity": _valued(kind.area_percent, "%"),
    }
    return {
        "code": _term(kind.term, kind.words, "lesion"),
        "valueQuantity": _valued(kind.count, "1"),
        "method": {"text": kind.source},
        "note": [{"text": words("lesions_note")}],
        "component": [area, *boxes],
    }


def _quantity(one: Quantity, words: Words) -> Json:
    code = "-".join(filter(None, (one.name, one.of, one.where)))
    said: Json = {"code": _concept("quantity", code, _named(one, words))}
    if one.value is None:
        reason = {"coding": [{"system": f"{HL7}/data-absent-reason", "code": "not-performed"}]}
        return said | {"dataAbsentReason": reason | {"text": one.reason_words}}
    said |= {"valueQuantity": _valued(one.value, one.unit), "method": {"text": one.tool}}
    if one.scale:
        said["note"] = [{"text": f"{words('scale')}: {one.scale}"}]
    if one.repeatability:
        said["component"] = [
            {
                "code": _concept("quantity", "repeatability", words("repeatability")),
                "valueQuantity": _valued(float(f"{one.repeatability:.2g}"), one.unit),
            }
        ]
    return said


def _named(one: Quantity, words: Words) -> str:
    parts = [one.words]
    if one.of:
        parts.append(words(one.of))
    if one.where:
        parts.append(terms.ZONES[one.where][words.language][0])
    return ("，" if words.language == "zh" else ", ").join(parts)


def _valued(value: float, unit: str) -> Json:
    return {
        "value": value,
        "unit": terms.UNIT_WORDS.get(unit) or unit,
        "system": UCUM,
        "code": UCUM_CODES[unit],
    }


def _concept(system: str, code: str, text: str) -> Json:
    return {"coding": [_coding(f"{OWN}:{system}", code, text)], "text": text}


def _term(term: str, text: str, kind: str) -> Json:
    concept = _concept(kind, term, text)
    snomed = terms.term(term).codes.get("snomed")
    if snomed:
        concept["coding"].append({"system": SNOMED, "code": snomed})
    return concept


def _coding(system: str, code: str, display: str) -> Json:
    return {"system": system, "code": code, "display": display}


def _extension(name: str, text: str) -> Json:
    return {"url": f"{OWN}:{name}", "valueString": text}


def _id(name: str) -> str:
    """Return a name as FHIR allows in an id: letters, digits, hyphens."""
    return name.replace("_", "-")
