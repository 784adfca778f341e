"""What the tests of models share."""

import os
from collections.abc import Iterator
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


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Tiny models are slower on several threads, by far on a busy machine."""
    try:
        import torch
    except ImportError:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
