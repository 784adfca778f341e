"""`fundoscope report`: what it is given, what it writes, what it refuses before it looks."""

import json

import pytest
from typer.testing import CliRunner

from fundoscope.cli import cli
from fundoscope.errors import ConfigError
from fundoscope.serve import looking
from fundoscope.testing.seen_phantoms import seen_phantom


@pytest.fixture
def asked(monkeypatch) -> list[tuple]:
    """Looks that were asked for; each gives a drawn photograph at once."""
    calls: list[tuple] = []

    def look(self, photograph, eye=None, visit=""):
        calls.append((photograph.name, eye, visit))
        return seen_phantom(11 + len(calls), size_px=320, lesions={}, eye=eye, visit=visit)

    monkeypatch.setattr(looking.Looker, "look", look)
    return calls


def test_both_eyes_are_written_into_one_report_in_chinese(asked, tmp_path):
    out = tmp_path / "report.json"
    words = ["report", "a.jpg", "b.jpg", "--eye", "left", "--eye", "right", "--language", "zh"]
    ran = CliRunner().invoke(cli, [*words, "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    assert asked == [("a.jpg", "left", ""), ("b.jpg", "right", "")]
    written = json.loads(out.read_bytes())
    assert [part["eye"] for part in written["photographs"]] == ["left", "right"]
    assert written["disclaimer"] == "仅供研究使用，不是医疗器械。"
    assert "a.jpg" not in out.read_text(encoding="utf-8")


@pytest.mark.parametrize(("words", "said"), [
    (["a.jpg", "-o", "x.docx"], "x.docx"),
    (["a.jpg", "--eye", "middle"], "middle"),
    (["a.jpg", "b.jpg", "--eye", "left"], "1 times for 2"),
])  # fmt: skip
def test_a_mistake_is_refused_before_anything_is_looked_at(asked, tmp_path, words, said):
    ran = CliRunner().invoke(cli, ["report", *words])
    assert isinstance(ran.exception, ConfigError) and said in ran.exception.what
    assert asked == []
