"""Files from elsewhere: what is wrong is named, what can be mended is, the rest is kept apart."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError, DialogueError
from fundoscope.export.dialogue_files import fix, merge, validate

QUESTION, ANSWER = "Which eye is it?\n<image>", "The left eye."


def row(*said: tuple[str, str], **other: Any) -> dict[str, Any]:
    """Return a row of LLaVA; two good turns where none are given."""
    turns = said or (("human", QUESTION), ("gpt", ANSWER))
    conversations = [{"from": who, "value": text} for who, text in turns]
    return {"id": "a", "image": "a.png", "conversations": conversations} | other


def written(file: Path, *rows: Any) -> Path:
    if file.suffix == ".json":
        file.write_text(json.dumps(rows), encoding="utf-8")
    else:
        file.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return file


def read(file: Path) -> list[Any]:
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else [*map(json.loads, text.splitlines())]


def turns(fixed: dict[str, Any]) -> list[tuple[str, str]]:
    return [(turn["from"], turn["value"]) for turn in fixed["conversations"]]


@pytest.mark.parametrize("name", ["good.json", "good.jsonl"])
def test_a_good_file_has_no_problem(tmp_path: Path, name: str) -> None:
    assert validate(written(tmp_path / name, row(), row(id="b"))) == []


@pytest.mark.parametrize(
    ("bad", "what"),
    [
        (row(conversations=-1), "conversations is -1, not a list"),
        (row(conversations=[]), r"conversations is \[\], not a list"),
        (row(id=""), "no id"),
        (row(id=7), "the id is 7"),
        (row(image=""), "no image"),
        (row(image=None), "no image"),
        ({"id": "a", "images": ["1.png", "2.png"], "messages": []}, "2 images"),
        ({"id": "a", "image": "a.png"}, "neither conversations nor messages"),
        (["a"], "not an object"),
        (row(("user", QUESTION), ("gpt", ANSWER)), "turn 1 is said by 'user'"),
        (row(("doctor", QUESTION), ("gpt", ANSWER)), "turn 1 is said by 'doctor'"),
        (row(("human", QUESTION), ("gpt", " ")), "turn 2 is empty"),
        (row(("human", "<image>"), ("gpt", ANSWER)), "turn 1 is empty"),
        (row(("human", "Why?"), ("gpt", ANSWER)), "0 <image> in the first question and 0"),
        (row(("human", QUESTION), ("gpt", "a <image>")), "1 <image> in the first question and 1"),
        (row(("human", "<image>" + QUESTION), ("gpt", ANSWER)), "2 <image>"),
        (row(("gpt", ANSWER), ("human", QUESTION), ("gpt", ANSWER)), "does not begin with a"),
        (row(("human", QUESTION), ("gpt", ANSWER), ("gpt", "And so.")), "two turns of one side"),
        (row(("human", QUESTION), ("gpt", ANSWER), ("human", "Why?")), "has no answer"),
        (row(("human", "User: " + QUESTION), ("gpt", ANSWER)), "turn 1 holds the role name 'User:"),
        (row(("human", QUESTION), ("gpt", "Left.\nUser: why?")), "turn 2 holds the role name"),
        (row(("human", QUESTION), ("gpt", "Left. Assistant: it is.")), "name 'Assistant:'"),
        (row(("human", QUESTION), ("gpt", "左眼。\n助手：是的。")), "name '助手：'"),
        (row(("human", QUESTION), ("gpt", "half \ud800")), "half a character"),
        (row(conversations=[{"from": "human"}]), "turn 1 has no 'from' and 'value'"),
    ],
)
def test_what_is_wrong_is_named_with_place_id_and_cure(tmp_path: Path, bad: Any, what: str) -> None:
    problems = validate(written(tmp_path / "bad.jsonl", row(id="good"), bad))
    problem = next(p for p in problems if re.search(what, p.what))
    assert problem.place == "line 2"
    assert problem.id == (str(bad["id"]) if isinstance(bad, dict) else "")
    assert problem.mend
    assert problem.severity == "error"


def test_an_image_at_the_beginning_is_but_a_warning(tmp_path: Path) -> None:
    first = row(("human", "<image>\nWhich eye is it?"), ("gpt", ANSWER))
    (problem,) = validate(written(tmp_path / "a.json", first))
    assert problem.severity == "warning"


def test_an_id_that_stands_twice_says_where_it_stood(tmp_path: Path) -> None:
    (problem,) = validate(written(tmp_path / "a.json", row(), row(id="b"), row()))
    assert (problem.place, problem.what) == ("item 3", "the id stands at item 1 already")


def test_broken_json_is_a_problem_with_its_position(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([row()])[:-1] + ",\n  {oops}]")
    (problem,) = validate(file)
    assert problem.place == "item 2"
    assert problem.what.startswith("not JSON")
    assert problem.what.endswith("line 2, column 4")


def test_photographs_must_be_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "eyes").mkdir()
    (tmp_path / "eyes" / "a.png").touch()
    (tmp_path / "secret.png").touch()
    rows = row(), row(id="b", image="b.png"), row(id="c", image="../secret.png")
    missing, outside = validate(written(tmp_path / "a.json", *rows), tmp_path / "eyes")
    assert (missing.id, outside.id) == ("b", "c")
    assert "no photograph 'b.png'" in missing.what
    assert "leads out" in outside.what


def test_an_empty_list_is_a_problem(tmp_path: Path) -> None:
    assert [p.what for p in validate(written(tmp_path / "a.json"))] == [
        "the list holds no dialogue"
    ]


@pytest.mark.parametrize(
    ("said", "mended", "repair"),
    [
        (
            [("user", "Which eye is it?<image>"), ("assistant", ANSWER)],
            [("human", QUESTION), ("gpt", ANSWER)],
            "role names",
        ),
        (
            [("human", "Which eye is it?"), ("gpt", "The <image> left eye.")],
            [("human", QUESTION), ("gpt", "The  left eye.")],
            "<image> placed",
        ),
        (
            [("human", QUESTION), ("gpt", " The left eye.\n"), ("human", "Why?")],
            [("human", QUESTION), ("gpt", ANSWER)],
            "unanswered question dropped",
        ),
        (
            [("human", QUESTION), ("human", "And why?"), ("gpt", "Left."), ("gpt", "The disc.")],
            [("human", "Which eye is it?\nAnd why?\n<image>"), ("gpt", "Left.\nThe disc.")],
            "turns of one side merged",
        ),
        (
            [("human", "<image>\nUser: Which eye is it?"), ("gpt", "Assistant: The left eye.")],
            [("human", QUESTION), ("gpt", ANSWER)],
            "role names taken out of texts",
        ),
        (
            [("human", QUESTION), ("gpt", "Left.\nUser: Why?\n**Assistant:** The disc.")],
            [("human", QUESTION), ("gpt", "Left."), ("human", "Why?"), ("gpt", "The disc.")],
            "role names taken out of texts",
        ),
        (
            [("human", QUESTION), ("gpt", ANSWER + " ")],
            [("human", QUESTION), ("gpt", ANSWER)],
            "blanks trimmed",
        ),
    ],
)
def test_what_can_be_mended_is(
    tmp_path: Path, said: list[tuple[str, str]], mended: list[tuple[str, str]], repair: str
) -> None:
    report = fix(written(tmp_path / "a.json", row(*said)), tmp_path / "out.json")
    assert turns(read(tmp_path / "out.json")[0]) == mended
    assert report.repairs[repair] == 1
    assert report.rejects is None
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "out.json"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(conversations=-1), "conversations is -1"),
        (row(image=""), "no image"),
        (row(("human", QUESTION)), "no question has an answer"),
        (row(("gpt", ANSWER), ("human", QUESTION), ("gpt", ANSWER)), "does not begin with a"),
        (row(("human", QUESTION), ("gpt", ""), ("human", "Why?"), ("gpt", "So.")), "an empty turn"),
        (row(("human", "Assistant: hello <image>"), ("gpt", ANSWER)), "begins with the name"),
        (row(("human", QUESTION), ("gpt", "Left. Assistant: yes.")), "a role name inside a text"),
        (row(("human", "<im<image>age>" + QUESTION), ("gpt", ANSWER)), "<image> inside"),
        (row(("human", QUESTION), ("gpt", "half \ud800")), "half a character"),
    ],
)
def test_what_cannot_be_mended_is_kept_apart_with_its_reason(
    tmp_path: Path, bad: dict[str, Any], reason: str
) -> None:
    report = fix(written(tmp_path / "a.jsonl", row(id="good"), bad), tmp_path / "out.jsonl")
    assert [r["id"] for r in read(tmp_path / "out.jsonl")] == ["good"]
    assert report.rejects == tmp_path / "out.rejects.jsonl"
    (reject,) = read(report.rejects)
    assert reject["place"] == "line 2"
    assert reason in reject["reason"]
    assert (reject["row"] if "row" in reject else json.loads(reject["text"])) == bad
    assert list(report.rejected.values()) == [1]


def test_a_list_cut_off_keeps_what_was_whole_and_the_rest_apart(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([row(), row(id="b")])[:-30])
    report = fix(file, tmp_path / "out.json")
    assert (report.read, report.written) == (2, 1)
    (reject,) = read(tmp_path / "out.rejects.jsonl")
    assert reject["text"].startswith('{"id": "b"')


def test_the_same_row_is_dropped_and_a_different_one_is_renamed(tmp_path: Path) -> None:
    other = row(("human", "And why?\n<image>"), ("gpt", "The disc."))
    report = fix(written(tmp_path / "a.json", row(), row(), other), tmp_path / "out.json")
    assert report.duplicates == 1
    assert report.renamed == (("a", "a-2"),)
    assert [r["id"] for r in read(tmp_path / "out.json")] == ["a", "a-2"]


def test_a_row_without_id_is_named_after_its_file_and_place(tmp_path: Path) -> None:
    nameless = row()
    del nameless["id"]
    fix(written(tmp_path / "mine.jsonl", nameless, row(id=7)), tmp_path / "out.jsonl")
    assert [r["id"] for r in read(tmp_path / "out.jsonl")] == ["mine-line-1", "7"]


def test_messages_become_conversations_and_nothing_else_is_lost(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": "Which eye is it?"}],
        },
        {"role": "assistant", "content": ANSWER},
    ]
    source = {"id": "a", "messages": messages, "images": ["a.png"], "licence": "CC BY 4.0"}
    file = written(tmp_path / "a.jsonl", source)
    assert validate(file) == []
    fix(file, tmp_path / "out.json")
    assert read(tmp_path / "out.json") == [row(system="Be brief.", licence="CC BY 4.0")]


texts = st.sampled_from(
    ["Why?", "", " So. ", "User: who?", "a\nAssistant: b", "user: user: c", "x GPT: y", "助手：好",
     "<image>", "z\n<image>", "<image> z", "<im<image>age>", "half \ud800"]
)  # fmt: skip
whos = st.sampled_from(["human", "gpt", "user", "assistant", "Human", "system", "doctor"])
some_rows = st.fixed_dictionaries(
    {"conversations": st.lists(st.builds(lambda w, t: {"from": w, "value": t}, whos, texts))},
    optional={
        "id": st.sampled_from(["a", "b", 7, None, ""]),
        "image": st.sampled_from(["a.png", "", None, ["a.png"], 3]),
        "system": st.just("Be brief."),
    },
)


@settings(deadline=None)
@given(st.lists(some_rows, min_size=1, max_size=6))
def test_a_fixed_file_has_no_problem_and_every_row_is_accounted_for(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("fix")
    report = fix(written(folder / "a.jsonl", *rows), folder / "out.jsonl")
    if report.written:
        assert validate(folder / "out.jsonl") == []
        again = fix(folder / "out.jsonl", folder / "again.jsonl")
        assert (again.repairs, again.rejects) == ({}, None)
        assert read(folder / "again.jsonl") == read(folder / "out.jsonl")
    n_rejected = len(read(report.rejects)) if report.rejects else 0
    assert n_rejected == sum(report.rejected.values())
    assert report.read == len(rows) == report.written + report.duplicates + n_rejected


def test_files_of_both_kinds_are_merged_and_collisions_prefixed(tmp_path: Path) -> None:
    other = row(("human", "And why?\n<image>"), ("gpt", "The disc."))
    one = written(tmp_path / "one.json", row(), row(id="b"))
    two = written(tmp_path / "two.jsonl", other, row(id="b"), row(id="c"))
    three = written(tmp_path / "three.jsonl", other)
    report = merge([one, two, three], tmp_path / "out.json")
    assert [r["id"] for r in read(tmp_path / "out.json")] == ["a", "b", "two/a", "c"]
    assert report.renamed == (("a", "two/a"),)
    assert report.duplicates == 2
    assert report.read == {str(one): 2, str(two): 3, str(three): 1}
    assert validate(tmp_path / "out.json") == []


def test_two_files_of_one_name_still_give_different_ids(tmp_path: Path) -> None:
    files = []
    for n in range(3):
        (tmp_path / str(n)).mkdir()
        answer = ("gpt", f"Answer {n}.")
        files.append(written(tmp_path / str(n) / "x.json", row(("human", QUESTION), answer)))
    merge(files, tmp_path / "out.jsonl")
    assert [r["id"] for r in read(tmp_path / "out.jsonl")] == ["a", "x/a", "x/a-2"]


def test_a_row_that_cannot_be_merged_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    one = written(tmp_path / "one.json", row())
    two = written(tmp_path / "two.jsonl", row(), row(conversations=-1))
    with pytest.raises(DialogueError, match="conversations is -1") as caught:
        merge([one, two], tmp_path / "out.json")
    assert caught.value.where.endswith("two.jsonl, line 2")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.json", "two.jsonl"]


def test_a_file_is_never_written_over_while_it_is_read(tmp_path: Path) -> None:
    file = written(tmp_path / "a.json", row())
    with pytest.raises(ConfigError, match="the file that is read"):
        fix(file, tmp_path / "a.json")
    with pytest.raises(ConfigError, match="the file that is read"):
        merge([file], file)
    with pytest.raises(ConfigError, match="no file"):
        merge([], tmp_path / "out.json")
