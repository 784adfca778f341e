"""A run's memory: nothing lost, nothing doubled, one writer."""

from pathlib import Path

import pytest

from fundoscope.errors import LedgerError
from fundoscope.ledger import Ledger, Tally
from fundoscope.records import Conversation, LeftOut, Photograph, Record, Turn, Verdict


def record(name: str) -> Record:
    return Record(Photograph("set", "train", name))


def conversation(name: str, answer: str = "An answer.") -> Conversation:
    turns = (Turn("A question?", answer),)
    return Conversation(f"set/train/{name}", "alignment", "en", turns, "test", "1", 0)


def keep(ledger: Ledger, name: str, request: bytes = b"1") -> None:
    row = ledger.add_record(record(name))
    ledger.judge(row, conversation(name), request, Verdict(True))


def test_what_was_kept_is_read_back_in_the_sources_order(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        for name in ("b", "a", "c"):
            keep(ledger, name)
        ledger.finish_pass()
    with Ledger(tmp_path) as ledger:
        assert [d.record.photograph.id for d in ledger.kept()] == ["b", "a", "c"]
        assert [d.conversation for d in ledger.kept()] == [conversation(n) for n in "bac"]


def test_the_same_request_is_known_and_a_changed_one_is_not(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        row = ledger.add_record(record("a"))
        assert not ledger.is_done(row, "alignment", "en", b"1")
        ledger.judge(row, conversation("a"), b"1", Verdict(True))
        assert ledger.is_done(row, "alignment", "en", b"1")
        assert not ledger.is_done(row, "alignment", "en", b"2")
        assert not ledger.is_done(row, "alignment", "zh", b"1")


def test_a_later_pass_forgets_what_the_source_no_longer_holds(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        keep(ledger, "gone")
        keep(ledger, "stays")
        ledger.leave_out(LeftOut("duplicate", "x", "old"))
        ledger.finish_pass()
        ledger.begin_pass({})
        keep(ledger, "stays")
        ledger.finish_pass()
        assert [r.photograph.id for r in ledger.records()] == ["stays"]
        assert ledger.tally() == Tally(records=1, kept=1, rejected=0, left_out=0)


def test_an_unfinished_pass_forgets_nothing(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        keep(ledger, "a")
        ledger.finish_pass()
        ledger.begin_pass({})
    with Ledger(tmp_path) as ledger:
        assert ledger.tally().kept == 1
        assert ledger.recall("finished") is False


def test_two_records_with_one_key_are_an_error_that_names_it(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        ledger.add_record(record("a"))
        with pytest.raises(LedgerError, match="set/train/a"):
            ledger.add_record(record("a"))


def test_a_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.begin_pass({})
        keep(ledger, "a")
        ledger.commit()
        with pytest.raises(LedgerError, match="another process"):
            Ledger(tmp_path, write=True)
        with Ledger(tmp_path) as reader:
            assert reader.tally().kept == 1


def test_a_folder_without_a_ledger_is_told_how_to_mend(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="holds no ledger"):
        Ledger(tmp_path)


def test_a_ledger_of_another_format_is_refused(tmp_path: Path) -> None:
    with Ledger(tmp_path, write=True) as ledger:
        ledger.remember("format", 99)
    with pytest.raises(LedgerError, match="format 99"):
        Ledger(tmp_path)


def test_what_was_seen_of_a_file_is_forgotten_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(b"one")
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.remember_look(file, {"width_px": 3})
        assert ledger.look_of(file) == {"width_px": 3}
        file.write_bytes(b"other")
        assert ledger.look_of(file) is None
