"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import checking, delivering, knowing, making, measuring, perceiving, training
from fundoscope.cli.app import cli, main

__all__ = [
    "checking",
    "cli",
    "delivering",
    "knowing",
    "main",
    "making",
    "measuring",
    "perceiving",
    "training",
]
