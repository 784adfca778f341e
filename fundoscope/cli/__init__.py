"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import (
    checking,
    converting,
    delivering,
    knowing,
    making,
    measuring,
    perceiving,
    training,
)
from fundoscope.cli.app import cli, main

__all__ = [
    "checking",
    "cli",
    "converting",
    "delivering",
    "knowing",
    "main",
    "making",
    "measuring",
    "perceiving",
    "training",
]
