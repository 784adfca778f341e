"""Dialogues are read row by row from every format that `fundoscope export` writes."""

import io
import json
import tarfile
from pathlib import Path

import pytest

from fundoscope.errors import DialogueError

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.train.dialogue_files import (
    Inside,
    bytes_of,
    open_dialogues,
)


def row(number: int, text: str = "No.") -> dict[str, object]:
    return {
        "id": f"r{number}",
        "image": f"{number}.png",
        "conversations": [
            {"from": "human", "value": "Is it normal?\n<image>"},
            {"from": "gpt", "value": text},
        ],
    }


AWKWARD = 'a "quoted" ]} brace, a backslash \\ and 眼底 \n[{'
ROWS = [row(1), row(2, AWKWARD), row(3)]


def as_list(folder: Path) -> Path:
    file = folder / "d.json"
    file.write_text(json.dumps(ROWS, indent=1, ensure_ascii=False), encoding="utf-8")
    return file


def as_lines(folder: Path) -> Path:
    file = folder / "d.jsonl"
    file.write_text("\n\n".join(json.dumps(r) for r in ROWS), encoding="utf-8")
    return file


def as_table(folder: Path) -> Path:
    arrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    from pyarrow import parquet

    parquet.write_table(arrow.Table.from_pylist(ROWS), folder / "d.parquet", row_group_size=2)
    return folder / "d.parquet"


def as_messages(folder: Path) -> Path:
    file = folder / "m.jsonl"
    with file.open("w", encoding="utf-8") as stream:
        for r in ROWS:
            told = r["conversations"]
            assert isinstance(told, list)
            messages = [
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Is it normal?"}, {"type": "image"}],
                },
                {"role": "assistant", "content": [{"type": "text", "text": told[1]["value"]}]},
            ]
            stream.write(
                json.dumps({"id": r["id"], "messages": messages, "images": [r["image"]]}) + "\n"
            )
    return file


@pytest.mark.parametrize("write", [as_list, as_lines, as_table, as_messages])
def test_every_format_gives_the_same_dialogues(write, tmp_path: Path) -> None:
    held = open_dialogues(write(tmp_path))
    assert len(held) == 3
    read = [held.dialogue(n) for n in (2, 0, 1)]
    assert [one.id for one in read] == ["r3", "r1", "r2"]
    assert read[2].exchanges == (("Is it normal?\n<image>", AWKWARD),)
    assert read[2].photographs == (tmp_path / "2.png",)
    assert list(held.pictured) == [True] * 3


def test_a_tar_shard_gives_its_photographs_as_bytes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "d-000000.tar", "w") as tar:
        for key, content in (("a.json", json.dumps(ROWS[0]).encode()), ("a.png", b"pixels")):
            member = tarfile.TarInfo(key)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    held = open_dialogues(tmp_path)
    (photograph,) = held.dialogue(0).photographs
    assert isinstance(photograph, Inside)
    assert bytes_of(photograph) == b"pixels"


def test_rows_without_photographs_are_told_apart(tmp_path: Path) -> None:
    bare = {
        "id": "w",
        "conversations": [
            {"from": "human", "value": "Hello"},
            {"from": "gpt", "value": 'the word "image": none'},
        ],
    }
    (tmp_path / "d.json").write_text(json.dumps([ROWS[0], bare]))
    held = open_dialogues(tmp_path / "d.json")
    assert list(held.pictured) == [True, False]
    assert held.dialogue(1).photographs == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"id": 1}, {"id"', "breaks off"),
        ("", "no dialogue"),
        ("[]", "no dialogue"),
        ("id,image\n", "begins with"),
    ],
)
def test_a_broken_file_is_refused_when_it_is_opened(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text(text)
    with pytest.raises(DialogueError, match=words):
        open_dialogues(tmp_path / "d.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "../secret.png"}, "leads out"),
        ({"image": ["1.png", "2.png"]}, "1 times <image>, but 2"),
        ({"image": None}, "1 times <image>, but 0"),
        ({"conversations": [{"from": "gpt", "value": "No."}]}, "alternate"),
        ({"conversations": -1}, "not a list"),
    ],
)
def test_a_row_that_cannot_be_trained_on_says_why(change, words: str, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(json.dumps({**row(1), **change}))
    with pytest.raises(DialogueError, match=words):
        open_dialogues(tmp_path / "d.jsonl").dialogue(0)


def test_two_photographs_of_one_row_are_both_there(tmp_path: Path) -> None:
    both = row(1) | {"image": ["1.png", "2.png"]}
    both["conversations"] = [
        {"from": "human", "value": "<image>\n<image>\nWhat changed?"},
        {"from": "gpt", "value": "Nothing."},
    ]
    (tmp_path / "d.jsonl").write_text(json.dumps(both))
    assert len(open_dialogues(tmp_path / "d.jsonl").dialogue(0).photographs) == 2
