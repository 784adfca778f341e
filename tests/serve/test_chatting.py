"""The terminal chat: answers with footnotes, the disclaimer always, JSON for machines."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fundoscope.cli import main
from fundoscope.cli.chatting import footnote, served_drafter
from fundoscope.errors import ConfigError
from fundoscope.serve.assistant import Assistant
from fundoscope.serve.replies import Evidence, Seen
from fundoscope.testing.made_up_looks import made_up_look

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def look(self: Assistant, photograph: Path, eye: object = None, visit: str = "") -> Seen:
        return made_up_look(probabilities={"glaucoma": 0.6}, eye=eye, visit=visit, name="cc")  # type: ignore[arg-type]

    monkeypatch.setattr(Assistant, "look", look)

    def run(*words: str, typed: tuple[str, ...] = ()) -> tuple[int, str, str]:
        lines: Iterator[str] = iter((*typed, ""))
        monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
        monkeypatch.setattr("sys.argv", ["fundoscope", "chat", *words])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        code = end.value.code
        return (code if isinstance(code, int) else 0), said.out, said.err

    return run


def test_it_answers_with_footnotes_and_a_disclaimer(chat: Run) -> None:
    code, said, noted = chat(
        "p.jpg", "--eye", "left", typed=("Is there glaucoma?", "什么是青光眼？")
    )
    assert code == 0
    assert "Suspected, not certain: glaucoma" in said and "[1] " in said
    assert "Research use; not a medical device." in noted and "不是医疗器械" in noted


def test_json_has_a_line_for_each_answer(chat: Run) -> None:
    code, said, _ = chat("p.jpg", "--json", typed=("quality?", "What dose?"))
    first, second = map(json.loads, said.splitlines())
    assert code == 0
    assert first["question"] == "quality?" and first["evidence"][0]["kind"] == "statement"
    assert second["refused"] == "dose" and second["disclaimer"]


def test_the_language_can_be_chosen(chat: Run) -> None:
    assert "图像质量" in chat("p.jpg", "--language", "zh", typed=("quality?",))[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("p.jpg", "--eye", "middle"), "--eye cannot be 'middle'"),
        (("p.jpg", "--eye", "left", "--eye", "right"), "1 photographs, 2 eyes"),
        (("p.jpg", "--language", "fr"), "--language cannot be 'fr'"),
        (("p.jpg", "--unchecked"), "--unchecked needs a model's folder"),
        (("p.jpg", "--endpoint", "http://x/v1"), "--endpoint needs the model's name"),
    ],
)
def test_wrong_options_are_told(chat: Run, words: tuple[str, ...], told: str) -> None:
    code, _, noted = chat(*words)
    assert code == 2 and told in noted


def test_a_missing_photograph_is_told_by_its_path(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fundoscope", "chat", "nowhere/none.jpg"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2 and "nowhere/none.jpg" in capsys.readouterr().err


def test_a_footnote_tells_repeatability_or_source() -> None:
    value = Evidence(
        "statement", "s3", "The ratio is 0.41.", unit="1", repeatability=0.0213, tool="t"
    )
    assert footnote(value) == "The ratio is 0.41. [s3] ± 0.021 (t)"
    fact = Evidence("fact", "f", "Drusen are yellow.", source="A book", year=2020, url="https://x")
    assert footnote(fact) == "Drusen are yellow. A book, 2020. https://x"


def test_a_server_without_its_models_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs the model's name"):
        served_drafter("http://localhost:1/v1", None)
    assert served_drafter(None, None) is None
    named = served_drafter("http://localhost:1/v1", "some-model")
    assert named is not None and "some-model" in named.name
