"""A report says what was seen, with units and reasons, and nothing more."""

import json
import re
from html.parser import HTMLParser
from io import BytesIO

import pytest
from PIL import Image

from fundoscope import terms
from fundoscope.errors import ConfigError
from fundoscope.knowledge.graph import facts_of
from fundoscope.records import Measured, Unmeasured
from fundoscope.serve.report import Report, report_json
from fundoscope.serve.report_forms import FORMS, form_of, report_bytes, write_report
from fundoscope.serve.report_html import report_html
from fundoscope.serve.report_making import report_of
from fundoscope.serve.report_tables import tables_of
from fundoscope.serve.report_words import report_entries, report_words
from fundoscope.testing.seen_phantoms import seen_phantom


@pytest.fixture(scope="module")
def seen():
    return seen_phantom(11, mm_per_px=0.014, repeats=2)


@pytest.fixture(scope="module")
def report(seen) -> Report:
    return report_of([seen])


@pytest.fixture(scope="module", params=["en", "zh"])
def page(request, seen) -> str:
    return report_html(report_of([seen], request.param), [seen]).decode()


def test_every_quantity_of_the_record_is_in_the_report_with_unit_or_reason(seen, report):
    shown = {(q.name, q.of, q.where): q for q in report.photographs[0].quantities}
    assert len(shown) == len(seen.record.measurements) > 150
    for one in seen.record.measurements:
        said = shown[one.name, one.of, one.where]
        if isinstance(one, Unmeasured):
            assert said.value is None and said.reason == one.reason
        else:
            assert said.unit == one.unit and said.value == pytest.approx(one.value, rel=0.5)
            assert float(said.text) == pytest.approx(said.value)


def test_a_value_keeps_the_repeatability_that_was_measured(seen, report):
    density = next(
        m for m in seen.record.measurements
        if isinstance(m, Measured) and (m.name, m.of, m.where) == ("vessel_density", "all", "whole")
    )  # fmt: skip
    said = next(
        q for q in report.photographs[0].quantities
        if (q.name, q.of, q.where) == ("vessel_density", "all", "whole")
    )  # fmt: skip
    assert said.repeatability == density.repeatability
    assert said.repeatability is not None and said.repeatability_text


def test_the_cup_disc_ratio_is_that_of_the_drawn_masks(seen, report):
    def height(mask) -> int:
        rows = mask.any(axis=1).nonzero()[0]
        return int(rows[-1] - rows[0] + 1)

    said = next(q for q in report.photographs[0].quantities if q.name == "cdr_vertical")
    assert said.value == pytest.approx(height(seen.masks.cup) / height(seen.masks.disc), abs=0.02)


def test_lesions_are_counted_as_drawn_and_a_kind_not_found_is_said_to_be_looked_for(report):
    counts = {kind.term: kind.count for kind in report.photographs[0].lesions}
    assert counts == {"microaneurysm": 5, "haemorrhage": 3, "hard_exudate": 6, "soft_exudate": 0}


def test_boxes_hold_the_lesions(seen, report):
    for kind in report.photographs[0].lesions:
        mask = seen.masks.lesions[kind.term]
        for boxed in kind.boxes:
            left, top, right, bottom = (round(512 * part) for part in boxed.box)
            assert mask[top:bottom, left:right].any()


def test_a_suspicion_has_its_probability_thresholds_and_score(report):
    first = report.photographs[0].conditions[0]
    assert (first.term, first.answer, first.probability) == (
        "diabetic_retinopathy", "suspected", 0.71,
    )  # fmt: skip
    assert 0 < first.not_suspected_below < first.suspected_from < 1
    assert first.auc is not None and first.auc > 0.5


def test_no_report_calls_an_eye_normal_or_healthy(report, page):
    assert "normal_fundus" not in {c.term for c in report.photographs[0].conditions}
    told = re.sub(r"Nothing said here means that the eye is healthy|都不表示该眼健康", "", page)
    for name in ("healthy", "normal fundus", "健康眼底", "正常眼底"):
        assert name not in told


def test_facts_are_of_what_is_suspected_and_dated(report):
    known = {fact.id: fact for fact in facts_of("diabetic_retinopathy")}
    assert report.facts
    for cited in report.facts:
        fact = known[cited.id]
        assert (cited.words, cited.year, cited.source) == (fact.en, fact.year, fact.source.cite)
    assert report.facts[0].urgent


def test_a_refused_photograph_has_its_reason_and_no_value():
    refused = report_of([seen_phantom(11, refused=True)], "zh").photographs[0]
    assert refused.refused_words == "照片质量过差，无法判读：模糊、对比度不足"
    assert all(q.value is None and q.reason_words for q in refused.quantities)
    assert refused.conditions == () and refused.lesions == ()


def test_what_was_not_looked_for_is_said(report):
    assert "glaucoma" not in report.conditions_not_looked_for
    assert {"retinal_detachment", "drusen", "macular_hole"} <= {*report.conditions_not_looked_for}
    assert "retinal detachment" in " ".join(report.not_looked_for)


def test_a_cup_that_was_not_outlined_is_said_to_be_unknown():
    report = report_of([seen_phantom(11, cup=False)])
    assert any("cup was not outlined in photograph 1" in said for said in report.not_looked_for)


def test_two_eyes_are_set_side_by_side_and_one_photograph_is_not():
    left, right = seen_phantom(11, eye="left"), seen_phantom(12, eye="right")
    report = report_of([left, right])
    assert report_of([left]).comparison == ()
    shown = {(c.name, c.of, c.where): c for c in report.comparison}
    assert ("cdr_vertical", "", "") in shown
    assert not [c for c in report.comparison if "px" in c.unit]
    first, second = (
        next(q.value for q in part.quantities if q.name == "cdr_vertical")
        for part in report.photographs
    )
    assert shown["cdr_vertical", "", ""].difference == pytest.approx(second - first, abs=0.001)


def test_the_same_photographs_give_the_same_bytes_in_every_form():
    for form in FORMS:
        once, twice = (report_bytes([seen_phantom(12)], "zh", form) for _ in range(2))
        assert once == twice, form


def test_json_comes_back_as_the_same_report_and_refuses_unknown_keys(report):
    text = report_json(report)
    assert Report.model_validate_json(text) == report
    with pytest.raises(ValueError, match="Extra inputs"):
        Report.model_validate({**json.loads(text), "healthy": True})


class _Tags(HTMLParser):
    """Collects addresses and scripts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "srcset") or
                       (k == "href" and tag != "a")]  # fmt: skip


def test_the_page_loads_nothing_and_runs_nothing(page):
    tags = _Tags()
    tags.feed(page)
    assert "script" not in tags.tags
    assert all(address.startswith("data:image/") for address in tags.loads)
    assert "url(" not in page and "@import" not in page


def test_a_visit_that_is_mark_up_is_shown_as_text():
    seen = seen_phantom(11, visit="<script>alert(1)</script>")
    page = report_html(report_of([seen]), [seen]).decode()
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_the_photograph_on_the_page_carries_no_word_of_its_file(page):
    import base64

    first = re.search(r'class="under" src="data:image/jpeg;base64,([^"]+)"', page)
    assert first is not None
    photograph = Image.open(BytesIO(base64.b64decode(first[1])))
    assert not photograph.getexif() and set(photograph.info) <= {
        "jfif", "jfif_version", "jfif_unit", "jfif_density",
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_pdf_says_what_the_report_says(seen, language):
    pypdf = pytest.importorskip("pypdf")
    report = report_of([seen], language)
    reader = pypdf.PdfReader(BytesIO(report_bytes([seen], language, "pdf")))
    text = re.sub(r"\s+", "", " ".join(page.extract_text() for page in reader.pages))
    expected = [report.disclaimer, report.photographs[0].conditions[0].words, seen.sha256]
    expected += [kind.words for kind in report.photographs[0].lesions]
    for words in expected:
        assert re.sub(r"\s+", "", words) in text
    assert all(report.disclaimer in re.sub(r"\n", "", p.extract_text()) for p in reader.pages)
    assert len(reader.pages[0].images) == 2


def test_every_word_is_there_in_both_languages():
    entries = report_entries()
    lacking = [
        key for key, entry in entries.items()
        if key not in ("reasons", "reason_words") and set(entry) != {"en", "zh"}
    ]  # fmt: skip
    assert lacking == []


def test_every_reason_of_a_survey_is_put_into_chinese():
    for seen in (seen_phantom(11, cup=False), seen_phantom(12, lesions={}), seen_phantom(16)):
        for one in report_of([seen], "zh").photographs[0].quantities:
            assert not one.reason or re.search(r"[\u4e00-\u9fff]", one.reason_words), one.reason


def test_tables_hold_each_quantity_once(report):
    part = report.photographs[0]
    tables = tables_of(part.quantities, report_words("en"))
    cells = [cell for table in tables for row in table.rows for cell in row.cells if cell]
    assert len(cells) == sum(q.value is not None for q in part.quantities)
    assert {q.name for q in part.quantities} <= {*terms.quantities()}


def test_a_report_on_nothing_is_refused():
    with pytest.raises(ConfigError, match="no photograph"):
        report_of([])


def test_a_name_that_asks_for_no_form_is_refused(tmp_path, seen):
    with pytest.raises(ConfigError, match=r"x\.docx"):
        write_report([seen], "en", tmp_path / "x.docx")
    assert form_of(tmp_path / "x.FHIR.json") == "fhir"
    assert write_report([seen], "en", tmp_path / "a" / "x.json").read_bytes().startswith(b"{")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.json"]
