"""What the tests of models share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def genuine() -> Path:
    """A tiny checkpoint written by LLaVA's own class, with what it answers."""
    default = Path(__file__).parents[3] / "shared" / "reference"
    folder = Path(os.environ.get("FUNDOSCOPE_REFERENCE", default)) / "llava_v0_tiny"
    if not folder.is_dir():
        pytest.skip(f"no reference checkpoint at {folder}: set FUNDOSCOPE_REFERENCE")
    return folder
