"""Rows streamed from lists and lines, compared with the standard library."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import DialogueError
from fundoscope.export import dialogue_rows as module
from fundoscope.export.dialogue_rows import FileRow, dialogue_rows

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def rows_in(folder: Path, text: str) -> list[FileRow]:
    file = folder / "rows.json"
    file.write_text(text, encoding="utf-8")
    return list(dialogue_rows(file))


@settings(deadline=None)
@given(st.lists(values), st.sampled_from([None, 2]), st.integers(1, 9), st.booleans())
def test_a_list_is_read_as_by_the_standard_library_whatever_the_chunk(
    tmp_path_factory: pytest.TempPathFactory, rows: list, indent: int | None, chunk: int, raw: bool
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=not raw)
    if raw:  # half characters have no UTF-8
        text = text.encode(errors="replace").decode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHUNK", chunk)
        found = rows_in(tmp_path_factory.mktemp("rows"), f" \n{text}\n")
    assert not any(row.unreadable for row in found)
    assert [row.row for row in found] == json.loads(text)
    assert [row.place for row in found] == [f"item {n + 1}" for n in range(len(rows))]


def test_lines_are_counted_with_the_empty_ones(tmp_path: Path) -> None:
    found = rows_in(tmp_path, '\ufeff{"a": 1}\n\n{"b": "x\u2028y"}\r\n')
    assert [(row.place, row.row) for row in found] == [
        ("line 1", {"a": 1}),
        ("line 3", {"b": "x\u2028y"}),
    ]


def test_a_broken_line_is_named_with_its_column_and_reading_goes_on(tmp_path: Path) -> None:
    _, broken, last = rows_in(tmp_path, '{"a": 1}\n{"a": 1, b}\n{"c": 3}')
    assert broken.place == "line 2"
    assert broken.unreadable.endswith("column 10")
    assert broken.text == '{"a": 1, b}'
    assert last.row == {"c": 3}


@pytest.mark.parametrize(
    ("text", "n_good", "reason"),
    [
        ('[{"a": 1},\n{"b": 2', 1, "line 2, column 8"),
        ('[{"a": 1},\n {"b": 2}', 2, "the list is not closed, line 2, column 10"),
        ('[{"a": 1}\n {"b": 2}]', 1, "a comma is missing, line 2, column 2"),
        ('[{"a": 1},\n]', 1, "Expecting value, line 2, column 1"),
        ('[{"a": 1}] []', 1, "text after the end of the list, line 1, column 12"),
        ('[{"a": "never ends}]', 0, "Unterminated string starting at, line 1, column 8"),
        ('[{"a": NaN}]', 0, "NaN is no JSON"),
    ],
)
@pytest.mark.parametrize("chunk", [1, 5, 1000])
def test_a_list_that_breaks_off_gives_what_came_before_and_says_where(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    n_good: int,
    reason: str,
    chunk: int,
) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    *good, broken = rows_in(tmp_path, text)
    assert len(good) == n_good
    assert not any(row.unreadable for row in good)
    assert reason in broken.unreadable


def test_the_rest_of_a_broken_list_is_kept(tmp_path: Path) -> None:
    *_, broken = rows_in(tmp_path, '[{"a": 1},{"b" 2},{"c": 3}]')
    assert broken.text == '{"b" 2},{"c": 3}]'


def test_endless_brackets_are_no_crash(tmp_path: Path) -> None:
    deep = '{"a":' * 100_000
    assert rows_in(tmp_path, deep)[0].unreadable
    assert rows_in(tmp_path, f"[{deep}")[0].unreadable


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (b'{\n  "a": 1\n}', "begins with '{'"),
        (b"id,image\n", "begins with 'id,image'"),
        (b'[{"a": "\xff"}]', "not UTF-8"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path: Path, raw: bytes, what: str) -> None:
    file = tmp_path / "rows.json"
    file.write_bytes(raw)
    with pytest.raises(DialogueError, match=what):
        list(dialogue_rows(file))


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DialogueError, match="no such file"):
        list(dialogue_rows(tmp_path / "none.json"))
