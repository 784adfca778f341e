"""Each session keeps its own photographs, and not for ever."""

import pytest

from fundoscope.serve.shown_photographs import ShownPhotographs, labelled
from fundoscope.testing.seen_phantoms import seen_phantom


@pytest.fixture(scope="module")
def seen():
    return seen_phantom(11, size_px=256, lesions={})


def test_a_session_sees_its_own_photographs_only(seen):
    shown = ShownPhotographs()
    shown.keep("one", (seen,))
    assert [s.sha256 for s in shown.of("one")] == [seen.sha256]
    assert shown.of("two") == ()


def test_the_session_used_longest_ago_loses_its_photographs_first(seen):
    shown = ShownPhotographs(most_sessions=2)
    for name in ("first", "second"):
        shown.keep(name, (seen,))
    shown.of("first")  # used again
    shown.keep("third", (seen,))
    assert shown.of("second") == () and shown.of("first") and shown.of("third")
    assert len(shown) == 2


def test_a_session_that_leaves_keeps_nothing_and_no_more_than_two_are_kept(seen):
    shown = ShownPhotographs()
    shown.keep("one", (seen,) * 5)
    assert len(shown.of("one")) == 2
    shown.forget("one")
    assert shown.of("one") == () and len(shown) == 0


def test_another_eye_is_told_to_the_record_too(seen):
    other = labelled(seen, "right", "2026")
    assert (other.eye, other.visit, other.record.photograph.eye) == ("right", "2026", "right")
    assert other.record.measurements == seen.record.measurements
