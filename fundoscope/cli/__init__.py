"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import (
    answering,
    batching,
    checking,
    consulting,
    converting,
    delivering,
    knowing,
    making,
    measuring,
    perceiving,
    reviewing,
    serving,
    training,
)
from fundoscope.cli.app import cli, main

__all__ = [
    "answering",
    "batching",
    "checking",
    "cli",
    "consulting",
    "converting",
    "delivering",
    "knowing",
    "main",
    "making",
    "measuring",
    "perceiving",
    "reviewing",
    "serving",
    "training",
]
