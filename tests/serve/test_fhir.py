"""The FHIR report: valid, preliminary, with units, reasons and nobody's name."""

import json
import re

import pytest

from fundoscope import terms
from fundoscope.serve.report_fhir import UCUM_CODES, fhir_resource, report_fhir
from fundoscope.serve.report_making import report_of
from fundoscope.testing.seen_phantoms import seen_phantom

R4B = pytest.importorskip("fhir.resources.R4B.diagnosticreport")


@pytest.fixture(scope="module")
def report():
    return report_of([seen_phantom(11, mm_per_px=0.014), seen_phantom(12, eye="right")])


@pytest.fixture(scope="module")
def resource(report) -> dict:
    return json.loads(report_fhir(report))


@pytest.fixture(scope="module")
def observations(resource) -> dict[str, dict]:
    return {part["id"]: part for part in resource["contained"]}


def test_a_kept_library_reads_it_as_a_diagnostic_report(report):
    read = R4B.DiagnosticReport.model_validate_json(report_fhir(report))
    assert read.status == "preliminary"
    assert len(read.result) == len(read.contained) > 300


@pytest.mark.parametrize("broken", [
    {"unknown": 1}, {"status": ["preliminary"]}, {"code": {"coding": [{"sytem": "x"}]}},
    {"contained": [{"resourceType": "Observation", "id": "p_1", "status": "preliminary"}]},
])  # fmt: skip
def test_the_library_would_refuse_a_broken_one(report, broken):
    whole = fhir_resource(report) | broken
    with pytest.raises(ValueError):
        R4B.DiagnosticReport.model_validate_json(json.dumps(whole))


def test_what_the_library_does_not_ask_for_is_there_too(resource, observations):
    # R4, value sets diagnostic-report-status and observation-status; both elements are required
    assert resource["status"] == "preliminary" and resource["code"]["coding"][0]["code"]
    for one in observations.values():
        assert one["status"] == "preliminary" and one["code"]["coding"][0]["code"]


def test_every_result_is_inside_and_every_id_is_one_of_fhir(resource, observations):
    assert [ref["reference"] for ref in resource["result"]] == [f"#{id}" for id in observations]
    assert all(re.fullmatch(r"[A-Za-z0-9.-]{1,64}", id) for id in observations)
    assert len(observations) == len(resource["contained"])  # no id twice


def test_a_value_has_its_unit_and_a_missing_one_its_reason_never_both(observations):
    for one in observations.values():
        assert one["status"] == "preliminary"
        has_value = "valueQuantity" in one or "valueCodeableConcept" in one
        assert has_value != ("dataAbsentReason" in one), one["id"]
        if "dataAbsentReason" in one:
            assert one["dataAbsentReason"]["text"]
        if "valueQuantity" in one:
            assert one["valueQuantity"]["system"] == "http://unitsofmeasure.org"
            assert one["valueQuantity"]["code"]


def test_a_width_is_in_micrometres_where_the_scale_is_known(observations):
    width = observations["p1-q-average-width-all-whole"]["valueQuantity"]
    assert (width["code"], width["unit"]) == ("um", "µm")


def test_values_are_those_of_the_report(report, observations):
    for number, part in enumerate(report.photographs, 1):
        for q in part.quantities:
            parts = "-".join(filter(None, (q.name, q.of, q.where))).replace("_", "-")
            said = observations[f"p{number}-q-{parts}"[:64]]
            assert said.get("valueQuantity", {}).get("value") == q.value


def test_every_unit_of_the_vocabulary_has_a_ucum_code():
    assert set(terms.UNIT_WORDS) <= set(UCUM_CODES)
    # UCUM: a unit, a power, an annotation in braces, each after a slash at most
    unit = r"(?:um|mm2?|deg|%|1|\[diop\]|\{[a-z_]+\})"
    assert all(re.fullmatch(f"/?{unit}", code) for code in UCUM_CODES.values())


def test_each_eye_is_coded_where_it_is_known(observations):
    sides = {id[:2]: one["bodySite"]["coding"][0]["code"] for id, one in observations.items()}
    assert sides == {"p1": "8966001", "p2": "18944008"}  # SNOMED CT: left, right eye structure
    nobody_knows = fhir_resource(report_of([seen_phantom(11, eye=None)]))
    assert not [one for one in nobody_knows["contained"] if "bodySite" in one]


def test_a_suspicion_is_no_diagnosis(resource, observations):
    dr = observations["p1-diabetic-retinopathy"]
    assert dr["valueCodeableConcept"]["coding"][0]["code"] == "suspected"
    assert {"system": "http://snomed.info/sct", "code": "4855003"} in dr["code"]["coding"]
    assert "conclusionCode" not in resource
    assert "not a medical device" in resource["conclusion"]


def test_nobody_is_named_and_no_time_is_told(resource):
    names = set(re.findall(r'"(\w+)":', json.dumps(resource)))
    assert not names & {
        "subject",
        "patient",
        "performer",
        "issued",
        "effectiveDateTime",
        "encounter",
    }
