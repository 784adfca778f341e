"""Registries, jobs and the vocabulary's own rules."""

from pathlib import Path

import pytest

from fundoscope import terms
from fundoscope.config import make_job, read_job
from fundoscope.converse.jobs import ready_jobs
from fundoscope.errors import ConfigError, ReadError, TermError
from fundoscope.measure.all_sources import sources
from fundoscope.plugins import Registry
from fundoscope.records import Photograph, Unmeasured, record_from_json, record_to_json
from fundoscope.testing import synthetic_records


def test_two_owners_of_one_name_are_an_error() -> None:
    registry: Registry = Registry("things")
    registry.register("a")(lambda: 1)
    with pytest.raises(ConfigError, match="two owners of the name 'a'"):
        registry.register("a")(lambda: 2)


def test_every_source_has_its_ready_made_jobs_and_every_job_its_source() -> None:
    assert {job.source for job in ready_jobs().values()} == set(sources.names())
    without_photographs = 1  # `knowledge` has one track, all others two
    assert len(ready_jobs()) == 2 * len(sources.names()) - without_photographs


def test_an_unknown_field_of_a_job_offers_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("source: odir\nroot: .\ntrack: [instruction]\n")
    with pytest.raises(ConfigError, match="did you mean 'tracks'"):
        read_job(tmp_path / "job.yaml")


def test_a_wrong_language_is_refused() -> None:
    with pytest.raises(ConfigError, match="languages"):
        make_job(source="odir", root=".", languages=["fr"])


def test_a_photographs_key_holds_three_parts() -> None:
    assert Photograph("rfmid", "val", "7").key == "rfmid/val/7"
    with pytest.raises(ReadError):
        Photograph("rfmid", "", "7")
    with pytest.raises(ReadError):
        Photograph("rfmid", "val", "a/b")


def test_nothing_is_unmeasured_without_a_reason() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Unmeasured("cdr_vertical", "")


def test_a_record_survives_its_line_of_json() -> None:
    for record in synthetic_records(50):
        assert record_from_json(record_to_json(record)) == record


def test_an_unknown_term_offers_the_nearest() -> None:
    with pytest.raises(TermError, match="did you mean 'glaucoma'"):
        terms.term("glaucom")
    with pytest.raises(TermError, match="did you mean 'icdr'"):
        terms.scale("icdrr")


def test_a_messidor_level_has_no_words_of_another_scale() -> None:
    words = {n for level in terms.scale("messidor_dr").levels.values() for n in level.en}
    assert all("Messidor" in name for name in words)
