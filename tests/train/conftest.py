"""Training sets the processor up for itself; the tests after it need it as it was."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _subnormal_numbers_again() -> Iterator[None]:
    yield
    try:
        import torch
    except ImportError:
        return
    torch.set_flush_denormal(False)
