"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import (
    answering,
    batching,
    chatting,
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
    "chatting",
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
