"""The command line of the fake endpoint: an option for every setting and every fault."""

from __future__ import annotations

import argparse
import json
from dataclasses import MISSING, Field, fields
from typing import Any

from fundoscope.testing.fake_settings import FakeServerSettings, Faults

_KINDS = {"float": float, "int": int, "int | None": int}


def settings_from(arguments: list[str] | None) -> tuple[FakeServerSettings, bool]:
    """Return the settings that a command line asks for, and whether to end with its input."""
    parser = argparse.ArgumentParser(
        prog="python -m fundoscope.testing.fake_server",
        description="A fake OpenAI-compatible endpoint on loopback, for tests and benchmarks.",
    )
    parser.add_argument("--settings", help=argparse.SUPPRESS)
    own = [f for f in fields(FakeServerSettings) if f.name not in ("faults", "answer")]
    for one in (*own, *fields(Faults)):
        _add(parser, one)
    given = vars(parser.parse_args(arguments))
    if said := given.pop("settings"):
        return FakeServerSettings.from_json(json.loads(said)), True
    names = {f.name for f in own}
    of_own = {name: value for name, value in given.items() if name in names}
    of_faults = {name: value for name, value in given.items() if name not in names}
    return FakeServerSettings(**of_own, faults=Faults(**of_faults)), False


def _add(parser: argparse.ArgumentParser, one: Field[Any]) -> None:
    option = "--latency" if one.name == "latency_s" else "--" + one.name.replace("_", "-")
    kind = str(one.type)
    assert one.default is not MISSING
    if kind == "bool":
        action = argparse.BooleanOptionalAction
        parser.add_argument(option, dest=one.name, action=action, default=one.default)
    elif kind.startswith("tuple"):
        parser.add_argument(option, dest=one.name, nargs="*", default=one.default)
    else:
        parser.add_argument(option, dest=one.name, type=_KINDS.get(kind, str), default=one.default)
