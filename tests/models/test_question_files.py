"""Files of questions: nothing lost, nothing twice, nothing swapped, whatever happens."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from PIL import Image

from fundoscope.cli import main
from fundoscope.errors import ConfigError
from fundoscope.models.answering import Answered, Asked
from fundoscope.models.prompt_templates import Exchange
from fundoscope.models.question_files import FileAnswered, answer_questions


class Echo:
    """Answers with the question and its photographs' names; can be killed after some batches."""

    def __init__(self, batch: int = 3, killed_after: int | None = None) -> None:
        self.batch, self.killed_after = batch, killed_after
        self.asked: list[Asked] = []

    def answer(self, asked: list[Asked]) -> list[Answered]:
        if self.killed_after is not None:
            self.killed_after -= 1
            if self.killed_after < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        self.asked += asked
        return [
            Answered(tuple(f"{q} {[p.name for p in one.photographs]}" for q in one.questions))
            for one in asked
        ]


def write_rows(file: Path, rows: list[Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


ROWS = [{"id": f"00{n}", "image": f"{n}.png", "question": f"Q{n}?"} for n in range(10)]


def test_every_row_has_a_line_in_order(tmp_path: Path) -> None:
    made = answer_questions(
        write_rows(tmp_path / "q.jsonl", ROWS), tmp_path / "out" / "a.jsonl", Echo()
    )
    assert made == FileAnswered(rows=10, failed=0, found=0)
    assert lines(tmp_path / "out" / "a.jsonl") == [
        {
            "id": f"00{n}",
            "image": f"{n}.png",
            "qa_pairs": [{"question": f"Q{n}?", "answer": f"Q{n}? ['{n}.png']"}],
        }
        for n in range(10)
    ]


def test_a_json_list_is_read_like_its_lines(tmp_path: Path) -> None:
    (tmp_path / "q.json").write_text("\n " + json.dumps(ROWS))
    answer_questions(tmp_path / "q.json", tmp_path / "a.jsonl", Echo())
    answer_questions(write_rows(tmp_path / "q.jsonl", ROWS), tmp_path / "b.jsonl", Echo())
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_questions_and_messages_are_understood(tmp_path: Path) -> None:
    engine = Echo()
    user = {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]}
    rows = [
        {"id": 1, "images": ["a.png", "b.png"], "questions": ["One?", "Two?"]},
        {"id": 2, "image": "a.png", "messages": [{"from": "human", "value": "One?\n<image>"}]},
        {
            "id": 3,
            "messages": [
                {"from": "human", "value": "One?"},
                {"from": "gpt", "value": "Said."},
                {"from": "human", "value": "Two?"},
            ],
        },
        {"id": 4, "image": "a.png", "messages": [user, {"role": "assistant", "content": "Said."}]},
    ]
    made = answer_questions(write_rows(tmp_path / "q.jsonl", rows), tmp_path / "a.jsonl", engine)
    assert made.failed == 0
    folder = tmp_path.resolve()
    assert [(one.questions, one.photographs, one.history) for one in engine.asked] == [
        (("One?", "Two?"), (folder / "a.png", folder / "b.png"), ()),
        (("One?\n<image>",), (folder / "a.png",), ()),
        (("Two?",), (), (Exchange("One?", "Said."),)),
        (("<image>\nWhat?",), (folder / "a.png",), ()),
    ]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("not a row", "the line is no JSON object"),
        ({"id": 1}, "one of question, questions and messages is needed, found none"),
        ({"id": 1, "question": "a", "questions": ["b"]}, "one of question"),
        ({"id": 1, "question": ["a"]}, "question must be text"),
        ({"id": 1, "questions": "a"}, "questions must be text"),
        ({"id": 1, "question": "a", "image": 3}, "image must be the name of a file"),
        ({"id": 1, "question": "a", "image": "a", "images": ["b"]}, "both given"),
        ({"id": 1, "messages": [{"from": "system", "value": "a"}]}, "take turns"),
        ({"id": 1, "messages": [{"from": "human"}]}, "a message has no text"),
        ({"id": 1, "question": "a", "image": "../secret.png"}, "leads out of the folder"),
        ({"id": 1, "question": "a", "image": "/etc/passwd"}, "leads out of the folder"),
        ({"id": 1, "question": "a", "image": "link/x.png"}, "leads out of the folder"),
        ({"id": 1, "question": "a", "image": "a\0.png"}, "no name of a file"),
    ],
)
def test_a_row_that_is_wrong_has_an_error_and_the_others_go_on(
    tmp_path: Path, row: Any, says: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    file = write_rows(folder / "q.jsonl", [ROWS[0], row, ROWS[1]])
    made = answer_questions(file, tmp_path / "a.jsonl", Echo())
    first, wrong, last = lines(tmp_path / "a.jsonl")
    assert made == FileAnswered(rows=3, failed=1, found=0)
    assert says in wrong["error"] and wrong["qa_pairs"] == []
    assert "error" not in first and last["qa_pairs"][0]["answer"] == "Q1? ['1.png']"


def test_a_broken_line_is_told_by_its_number(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", ROWS[:1])
    file.write_text(file.read_text() + '{"id": 2, "question": "cut')
    answer_questions(file, tmp_path / "a.jsonl", Echo())
    assert lines(tmp_path / "a.jsonl")[1]["id"] == "line 2"


@pytest.mark.parametrize("batches", [0, 1, 2, 3])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, batches: int) -> None:
    file, output = write_rows(tmp_path / "q.jsonl", ROWS), tmp_path / "a.jsonl"
    child = os.fork()
    if child == 0:
        answer_questions(file, output, Echo(killed_after=batches))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    with output.open("ab") as stream:
        stream.write(b'{"id": "00')  # as a crash in the middle of a line leaves it
    again = Echo()
    made = answer_questions(file, output, again)
    assert made == FileAnswered(rows=10, failed=0, found=3 * batches)
    assert len(again.asked) == 10 - 3 * batches
    answer_questions(file, tmp_path / "whole.jsonl", Echo())
    assert output.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "q.jsonl", ROWS)
    answer_questions(file, tmp_path / "a.jsonl", Echo())
    before = (tmp_path / "a.jsonl").read_bytes()
    again = Echo()
    assert answer_questions(file, tmp_path / "a.jsonl", again).found == 10
    assert again.asked == [] and (tmp_path / "a.jsonl").read_bytes() == before


def test_answers_to_other_questions_are_left_alone(tmp_path: Path) -> None:
    answer_questions(write_rows(tmp_path / "q.jsonl", ROWS), tmp_path / "a.jsonl", Echo())
    before = (tmp_path / "a.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="answers to other questions: line 1 has the id '000'"):
        answer_questions(write_rows(tmp_path / "r.jsonl", ROWS[::-1]), tmp_path / "a.jsonl", Echo())
    assert (tmp_path / "a.jsonl").read_bytes() == before


def test_missing_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file of questions"):
        answer_questions(tmp_path / "q.jsonl", tmp_path / "a.jsonl", Echo())
    with pytest.raises(ConfigError, match="no such folder of photographs"):
        answer_questions(tmp_path / "q.jsonl", tmp_path / "a.jsonl", Echo(), tmp_path / "none")


def test_the_command_line_asks_answers_and_chats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from fundoscope.models.tiny import write_tiny_llava

    def fundoscope(*words: str | Path, exits: int = 0) -> str:
        monkeypatch.setattr("sys.argv", ["fundoscope", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main()
        assert (end.value.code or 0) == exits
        return capsys.readouterr().out

    model = write_tiny_llava(tmp_path / "model")
    Image.new("RGB", (80, 60), (150, 60, 20)).save(tmp_path / "0.png")
    (tmp_path / "1.png").write_bytes(b"no photograph")
    more = ("--model", model, "--tokens", "5", "--device", "cpu")
    said = fundoscope("ask", tmp_path / "0.png", "Q0?", *more, "--json")
    answer = json.loads(said)["answer"]
    assert fundoscope("ask", tmp_path / "0.png", "Q0?", *more).strip() == answer
    file = write_rows(tmp_path / "q.jsonl", ROWS[:2])
    output = tmp_path / "a.jsonl"
    said = fundoscope("answer", file, "-o", output, *more, exits=1)
    assert "2 rows, 1 failed" in said
    first, second = lines(output)
    assert first["qa_pairs"][0]["answer"] == answer and "not a whole image" in second["error"]
    typed = iter(["Q0?", "<im_patch>", "And?", ""])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    said = fundoscope("chat", tmp_path / "0.png", *more, "--unchecked")
    assert said.startswith(answer)
