"""The extra is an extra: without it fundoscope works, and says what is missing."""

import subprocess
import sys
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

import pytest

from fundoscope.cli import main

HEAVY = ("torch", "transformers", "accelerate", "peft", "safetensors", "tokenizers")


def test_importing_fundoscope_imports_no_model() -> None:
    """Released: a class of its own that clashed with transformers' by its name."""
    program = (
        "import sys, fundoscope, fundoscope.cli, fundoscope.models; "
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_nothing_asks_for_torchvision() -> None:
    """Installed, it cannot be imported beside a CPU's torch, and breaks transformers."""
    wanted = " ".join(requires("fundoscope") or [])
    assert not any(name in wanted for name in ("torchvision", "timm", "open_clip", "open-clip"))
    if find_spec("transformers"):
        assert find_spec("torchvision") is None


@pytest.mark.parametrize(
    "words",
    [
        ("convert", "c", "--vision-tower", "v", "-o", "out"),
        ("ask", "p.jpg", "Q?", "--model", "m"),
        ("answer", "q.jsonl", "--model", "m"),
        ("chat", "--model", "m"),
    ],
)
def test_without_the_extra_it_is_named(
    words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    for name in [n for n in sys.modules if n.startswith("fundoscope.models.")]:
        monkeypatch.delitem(sys.modules, name)
    for name in HEAVY:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["fundoscope", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "pip install 'fundoscope[train]'" in capsys.readouterr().err
