"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import (
    answering,
    batching,
    checking,
    consulting,
    converting,
    delivering,
    evaluating,
    knowing,
    making,
    measuring,
    perceiving,
    reporting,
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
    "evaluating",
    "knowing",
    "main",
    "making",
    "measuring",
    "perceiving",
    "reporting",
    "reviewing",
    "serving",
    "training",
]
