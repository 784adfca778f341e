"""`fundoscope VERB`: parse, call one public function, show."""

from fundoscope.cli import checking, delivering, making, measuring, perceiving, training
from fundoscope.cli.app import cli, main

__all__ = ["checking", "cli", "delivering", "main", "making", "measuring", "perceiving", "training"]
