"""The examples run as they are, offline, and print what is worth reading."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
TOLD = {
    "main_job": ["16 dialogues kept, 0 rejected", "card.html"],
    "check_a_text": [
        "contradicted  This is severe NPDR.",
        "unsupported   There is no macular hole.",
    ],
    "own_table": ["It is the right eye.", "['the table says -1, outside the plausible 50 to 400']"],
    "describe_a_record": ["3 hard exudates", "3 处硬性渗出"],
    "join_automorph": [
        "cdr_vertical : 0.41 1",
        "vessel_density arteries: 0.0009 1",
        "cdr_vertical : unmeasured: AutoMorph gave -1",
        "left out: row without record: 103_left",
    ],
}
"""What each must say; an example without an entry fails."""


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_runs_and_says_what_it_found(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(file)])
    runpy.run_path(str(file), run_name="__main__")
    printed = capsys.readouterr().out
    assert [told for told in TOLD[file.stem] if told not in printed] == []


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.stem)
def test_an_example_fits_on_a_page(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 50


def test_every_expected_example_is_there() -> None:
    assert set(TOLD) == {file.stem for file in EXAMPLES.glob("*.py")}
