"""Data flows one way: a stage imports only what lies to its left."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "fundoscope"
FLOW = [
    "knowledge",
    "read",
    "perceive",
    "measure",
    "describe",
    "verify",
    "converse",
    "export",
    "models",
    "train",
    "evaluate",
    "serve",
]


def test_data_flows_one_way() -> None:
    backwards = []
    for file in PACKAGE.rglob("*.py"):
        here = file.relative_to(PACKAGE).parts[0]
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{a.name}" for a in node.names] + [node.module or ""]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            for name in names:
                parts = name.split(".")
                if parts[0] != "fundoscope" or len(parts) < 2:
                    continue
                there = parts[1]
                if here in FLOW and there in FLOW and FLOW.index(there) > FLOW.index(here):
                    backwards.append(f"{file.name}:{node.lineno} imports {there}")
    assert backwards == []


def test_stages_import_each_other_absolutely() -> None:
    relative = [
        f"{file.name}:{node.lineno}"
        for file in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert relative == []
