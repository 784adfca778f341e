"""What is installed, what is missing, and the traps that make other things fail.

Nothing heavy is imported here: versions come from the packages' metadata, and a package under
suspicion is imported in another process.
"""

from __future__ import annotations

import locale
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

State = Literal["ok", "missing", "trap"]

LEAST_FREE_BYTES = 1_000_000_000
LEAST_SQLITE = (3, 35, 0)
"""RETURNING, which the ledger's claims of rows rest on, came with it."""
IMPORT_LIMIT_S = 60.0
OPENCV_BUILDS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
"""All of them install the one module cv2."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    state: State
    """`missing`: something needed or optional is not there; `trap`: it breaks other things."""
    detail: str
    mend: str = ""
    """What to do about it; empty where all is well."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of a package's Requires-Dist."""

    name: str
    wanted: str
    """Version specifier, such as `<6,>=5.17`, or empty."""
    extra: str
    """The extra that asks for it; empty for core dependencies."""


def examine(package: str = "fundoscope", folder: Path | None = None) -> list[Check]:
    """Return what was found about this installation, the plain facts first.

    Parameters
    ----------
    package : str
        The distribution to examine.
    folder : Path, optional
        Where outputs would be written; the current folder by default.

    Returns
    -------
    list of Check
        Never raises for what it finds: an installation that is broken is what it is for.
    """
    folder = folder or Path.cwd()
    return [
        *check_package(package),
        check_torchvision(),
        check_opencv_builds(),
        check_opencv_imports(),
        check_sqlite(folder),
        check_writable(folder),
        check_disk(folder),
        check_encoding(sys.stdout.encoding or "", locale.getpreferredencoding(False)),
    ]


# 1) What the package says of itself.


def check_package(package: str) -> list[Check]:
    """Return Python, the package, its core dependencies and each of its extras."""
    try:
        about, lines = metadata(package), requires(package) or []
    except PackageNotFoundError:
        detail = "not installed, so its dependencies are not known"
        return [Check(package, "missing", detail, mend=f"pip install {package}")]
    needed = [parsed(line) for line in lines]
    extras = sorted(about.get_all("Provides-Extra") or [])
    return [
        check_python(about["Requires-Python"] or ""),
        Check(package, "ok", about["Version"]),
        *(check_dependency(one) for one in needed if not one.extra),
        *(check_extra(package, e, [one for one in needed if one.extra == e]) for e in extras),
    ]


def parsed(line: str) -> Requirement:
    """Return the requirement of a line of Requires-Dist.

    Examples
    --------
    >>> parsed("transformers<6,>=5.17; extra == 'train'")
    Requirement(name='transformers', wanted='<6,>=5.17', extra='train')
    """
    asked, _, marker = line.partition(";")
    found = re.match(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?([^)]*)\)?", asked)
    extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
    name, wanted = found.groups() if found else (asked.strip(), "")
    return Requirement(name, wanted.strip(), extra.group(1) if extra else "")


def check_python(wanted: str) -> Check:
    """Return whether this Python is one that the package asks for."""
    here = ".".join(map(str, sys.version_info[:3]))
    if suits(here, wanted):
        return Check("Python", "ok", here)
    return Check("Python", "trap", f"{here}, {wanted} is needed", mend="use a newer Python")


def check_dependency(one: Requirement) -> Check:
    """Return whether a core dependency is there in a version that suits."""
    lacking = _lacking(one)
    if not lacking:
        return Check(one.name, "ok", _installed(one.name))
    return Check(one.name, "missing", lacking, mend=f"pip install '{one.name}{one.wanted}'")


def check_extra(package: str, extra: str, needed: Iterable[Requirement]) -> Check:
    """Return what an extra adds and what of it is missing."""
    needed = list(needed)
    there = [f"{one.name} {_installed(one.name)}" for one in needed if not _lacking(one)]
    lacking = [f"{one.name} ({_lacking(one)})" for one in needed if _lacking(one)]
    name, mend = f"[{extra}]", f"pip install '{package}[{extra}]'"
    if not lacking:
        return Check(name, "ok", "adds " + ", ".join(there))
    detail = "missing: " + ", ".join(lacking)
    return Check(name, "missing", detail + ("; there: " + ", ".join(there) if there else ""), mend)


def suits(found: str, wanted: str) -> bool:
    """Return whether a version satisfies a specifier made of >=, >, <=, <, == and commas.

    Examples
    --------
    >>> suits("5.23.0", "<6,>=5.17"), suits("6.0", "<6,>=5.17"), suits("3.1rc1", "")
    (True, False, True)
    """
    holds: dict[str, Callable[[list[int], list[int]], bool]] = {
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        ">": lambda a, b: a > b,
        "<": lambda a, b: a < b,
    }
    for sign, asked in re.findall(r"(>=|<=|==|>|<)\s*([0-9][0-9.]*)", wanted):
        one, other = _numbers(found), _numbers(asked)
        length = max(len(one), len(other))
        if not holds[sign](one + [0] * (length - len(one)), other + [0] * (length - len(other))):
            return False
    return True


def _numbers(text: str) -> list[int]:
    leading = re.match(r"[0-9]+(\.[0-9]+)*", text)
    return [int(part) for part in leading.group().split(".")] if leading else [0]


def _installed(name: str) -> str:
    """A distribution's version, empty where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _lacking(one: Requirement) -> str:
    """What is wrong with a requirement, empty where nothing is."""
    here = _installed(one.name)
    if not here:
        return "not installed"
    return "" if suits(here, one.wanted) else f"{here} is installed, {one.wanted} is needed"


# 2) Packages that break others.


def check_torchvision() -> Check:
    """Return whether torchvision is absent or whole; a broken one takes transformers with it."""
    if find_spec("torchvision") is None:
        return Check("torchvision", "ok", "not installed, and not needed")
    problem = import_problem("torchvision")
    if not problem:
        return Check("torchvision", "ok", f"{_installed('torchvision')}, and it can be imported")
    return Check(
        "torchvision",
        "trap",
        f"installed, but its import fails ({problem}); transformers will then fail to import "
        "CLIPImageProcessor and LLaVA",
        mend="pip uninstall torchvision",
    )


def check_opencv_builds() -> Check:
    """Return whether one build of OpenCV is installed, and no second that overwrites its files."""
    builds = [name for name in OPENCV_BUILDS if _installed(name)]
    if len(builds) > 1:
        return Check(
            "OpenCV builds",
            "trap",
            f"{' and '.join(builds)} overwrite each other's files",
            mend=f"pip uninstall -y {' '.join(builds)} && pip install opencv-python-headless",
        )
    if not builds:
        mend = "pip install opencv-python-headless"
        return Check("OpenCV builds", "missing", "no OpenCV is installed", mend)
    return Check("OpenCV builds", "ok", f"{builds[0]} alone")


def check_opencv_imports() -> Check:
    """Return whether cv2 fits the installed NumPy and the system's libraries."""
    problem = import_problem("cv2")
    if not problem:
        return Check("cv2 and NumPy", "ok", "they can be imported together")
    return Check(
        "cv2 and NumPy",
        "trap",
        f"the import of cv2 fails ({problem})",
        mend="pip install --force-reinstall numpy opencv-python-headless",
    )


def import_problem(module: str, limit_s: float = IMPORT_LIMIT_S) -> str:
    """Return why a module cannot be imported, empty where it can; it is tried in a new process."""
    paths = os.pathsep.join(path for path in sys.path if path)
    try:
        tried = subprocess.run(
            [sys.executable, "-c", f"import {module}"],
            env={**os.environ, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not done after {limit_s:g} s"
    if tried.returncode == 0:
        return ""
    said = tried.stderr.strip().splitlines()
    return said[-1] if said else f"exit status {tried.returncode}"


# 3) The ground that outputs stand on.


def check_sqlite(folder: Path) -> Check:
    """Return whether SQLite can keep a run's ledger in `folder`: new enough, and with WAL."""
    if sqlite3.sqlite_version_info < LEAST_SQLITE:
        least = ".".join(map(str, LEAST_SQLITE))
        detail = f"{sqlite3.sqlite_version}, {least} or newer is needed"
        return Check("SQLite", "trap", detail, mend="use a Python built with a newer SQLite")
    try:
        mode = _journal_mode(folder)
    except (OSError, sqlite3.Error) as problem:
        mode = str(problem)
    if mode == "wal":
        return Check("SQLite", "ok", f"{sqlite3.sqlite_version}, with WAL")
    detail = f"a write-ahead log is not possible in {folder} ({mode})"
    return Check("SQLite", "trap", detail, mend="work in a folder on a local disk")


def _journal_mode(folder: Path) -> str:
    """The journal that SQLite gives a new file in `folder` when asked for WAL."""
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        closing(sqlite3.connect(Path(scratch, "ledger.sqlite"))) as ledger,
    ):
        return str(ledger.execute("PRAGMA journal_mode=WAL").fetchone()[0])


def check_writable(folder: Path) -> Check:
    """Return whether a file can be made in `folder`."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return Check("writing", "ok", f"{folder} can be written to")
    except OSError as problem:
        detail = f"{folder} cannot be written to ({problem.strerror})"
        return Check("writing", "trap", detail, mend="change to a folder of your own")


def check_disk(folder: Path) -> Check:
    """Return whether the disk under `folder` has room for outputs."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as problem:
        detail = f"the free room under {folder} is not known ({problem.strerror})"
        return Check("disk", "missing", detail, mend="check the folder")
    detail = f"{free / 1e9:.1f} GB free"
    if free < LEAST_FREE_BYTES:
        return Check("disk", "trap", f"only {detail}", mend="free some room, or work elsewhere")
    return Check("disk", "ok", detail)


def check_encoding(of_output: str, of_files: str) -> Check:
    """Return whether Chinese text can be printed, and read from files without asking for UTF-8."""
    other = [name for name in (of_output, of_files) if not _is_utf8(name)]
    if other:
        detail = f"{other[0] or 'no encoding'} instead of UTF-8: Chinese text would be lost"
        return Check("encoding", "trap", detail, mend="set PYTHONUTF8=1")
    return Check("encoding", "ok", "UTF-8")


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf8sig")
