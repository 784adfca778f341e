"""What tests share: the folder of real data, when it is there."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real photographs and label files; the test skips where it is absent."""
    default = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FUNDOSCOPE_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set FUNDOSCOPE_DATA")
    return folder
