"""Files and folders that are whole or not there."""

import json
from pathlib import Path

import pytest

from fundoscope.errors import ConfigError
from fundoscope.export.whole_files import MANIFEST, Delivery, JsonRows, whole_file

OURS = {"fundoscope": "1"}


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def deliver(out: Path, *names: str) -> None:
    with Delivery(out) as delivery:
        for name in names:
            delivery.open(name).write(name.encode())
        delivery.finish(OURS)


def test_a_file_that_fails_midway_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("old")
    with pytest.raises(ZeroDivisionError), whole_file(file) as stream:
        stream.write(b"half")
        1 / 0  # noqa: B018
    assert file.read_text() == "old"
    assert names_in(tmp_path) == ["a.json"]


@pytest.mark.parametrize("n_rows", [0, 1, 3])
@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_rows_are_valid_json_of_either_kind(tmp_path: Path, name: str, n_rows: int) -> None:
    written = [{"眼": n} for n in range(n_rows)]
    with whole_file(tmp_path / name) as stream:
        rows = JsonRows(stream, name)
        for row in written:
            rows.add(row)
        rows.end()
    text = (tmp_path / name).read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines()] if name.endswith("l") else None
    assert (json.loads(text) if lines is None else lines) == written


def test_no_file_has_its_name_before_the_end(tmp_path: Path) -> None:
    with Delivery(tmp_path) as delivery:
        delivery.open("a").write(b"x")
        assert names_in(tmp_path) == [".a.part"]
    assert names_in(tmp_path) == []


def test_what_a_killed_export_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / ".a.part").write_text("half")
    deliver(tmp_path, "b")
    assert names_in(tmp_path) == ["b", MANIFEST]


def test_a_kill_between_renames_is_mended_by_the_next_export(tmp_path: Path) -> None:
    deliver(tmp_path, "old", "both")
    (tmp_path / MANIFEST).rename(tmp_path / ".manifest.json.replaced")  # as the kill leaves it
    deliver(tmp_path, "both", "new")
    assert names_in(tmp_path) == ["both", MANIFEST, "new"]


def test_a_manifest_cannot_name_files_outside_for_removal(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text(json.dumps({**OURS, "files": {"../mine": {}}}))
    deliver(out, "a")
    assert (tmp_path / "mine").exists()


@pytest.mark.parametrize("text", ["[]", "{}", "3", '{"files": {"a": 1}}', "not json"])
def test_a_manifest_of_another_program_is_not_written_over(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text)
    with pytest.raises(ConfigError, match="no export wrote"):
        deliver(tmp_path, "b")
    assert (tmp_path / MANIFEST).read_text() == text


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(ConfigError, match="is a file"):
        deliver(tmp_path / "out", "a")
