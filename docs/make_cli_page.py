"""Write docs/cli.md from the command line itself: `python docs/make_cli_page.py`.

The words and defaults are those that `--help` prints; its boxes are left out, since they follow
the width of the terminal and the version of rich.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command

from fundoscope.cli import cli

PAGE = Path(__file__).with_name("cli.md")
OPENING = """\
# Command line

<!-- written by docs/make_cli_page.py; change the command line, not this page -->

Every verb parses, calls one public function and shows what came back. `fundoscope VERB --help`
prints what stands here. [Exit codes](errors.md#exit-codes) are 0, 1 and 2.
"""


def cli_page() -> str:
    """Return the page as it must be."""
    root = get_command(cli)
    lines = [OPENING, "| verb | what it does |", "|---|---|"]
    verbs = list(_verbs(root, "fundoscope"))
    for name, command in verbs:
        first, _, _ = inspect.cleandoc(command.help or "").partition("\n")
        lines.append(f"| [`{name}`](#{name.replace(' ', '-')}) | {first} |")
    return "\n".join([*lines, ""]) + "".join(_section(name, verb) for name, verb in verbs)


def _verbs(group: Any, path: str) -> Iterator[tuple[str, Any]]:
    for name in sorted(group.commands):
        command = group.commands[name]
        yield f"{path} {name}", command
        if hasattr(command, "commands"):
            yield from _verbs(command, f"{path} {name}")


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    usage = " ".join([name, *map(_argument_name, arguments), *(["[OPTIONS]"] if options else [])])
    rows = [f"| `{_argument_name(p)}` | {_told(p)} |" for p in arguments]
    rows += [f"| `{_option_name(p)}` | {_told(p)} |" for p in options]
    table = "\n| argument | meaning |\n|---|---|\n" + "\n".join(rows) + "\n" if rows else ""
    return f"\n## {name}\n\n```text\n{usage}\n```\n\n{_help(command)}\n{table}"


def _help(command: Any) -> str:
    """Return the help text, its example commands as blocks."""
    parts = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```text\n{part}\n```" if part.startswith("fundoscope ") else part for part in parts
    )


def _argument_name(parameter: Any) -> str:
    name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
    return name if parameter.required else f"[{name}]"


def _option_name(parameter: Any) -> str:
    value = "" if parameter.is_flag else f" {parameter.opts[-1].lstrip('-').upper()}"
    return ", ".join(sorted(parameter.opts, key=len)) + value


def _told(parameter: Any) -> str:
    """Return an option's help, and its default where it has one."""
    default = parameter.default
    if parameter.required and parameter.param_type_name == "option":
        return f"{parameter.help} Required."
    if default in (None, "", False):
        return parameter.help or ""
    return f"{parameter.help} Default: `{default}`."


if __name__ == "__main__":
    PAGE.write_text(cli_page(), encoding="utf-8")
