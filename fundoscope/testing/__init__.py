"""What tests and benchmarks share: made-up records and a fake endpoint that answers about them.

The names below are imported when first used, so that the fake server's process stays small.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fundoscope.testing.fake_server import FakeServer
    from fundoscope.testing.fake_settings import FakeServerSettings, Faults
    from fundoscope.testing.made_up_records import synthetic_record, synthetic_records

_HOMES = {
    "FakeServer": "fake_server",
    "FakeServerSettings": "fake_settings",
    "Faults": "fake_settings",
    "synthetic_record": "made_up_records",
    "synthetic_records": "made_up_records",
}

__all__ = [
    "FakeServer",
    "FakeServerSettings",
    "Faults",
    "synthetic_record",
    "synthetic_records",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fundoscope.testing' has no attribute {name!r}")
    return getattr(import_module(f"fundoscope.testing.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
