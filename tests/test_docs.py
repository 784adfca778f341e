"""The pages keep their word: their commands run, their names exist, their lists are whole.

Each page is run from top to bottom in a folder of its own, where small sets made of phantoms lie
under the names that the pages use: `phantoms`, `clinic`, `ODIR-5K`, `IDRiD`, `automorph`, and the
finished run `runs/odir`. Blocks of `bash` are run; in those of `console` the output must come too
(`...` stands for anything); `python` is run and `pycon` is a doctest. A comment before a block says
more: `<!-- file: NAME -->` writes it, `<!-- exits: 1 -->` is what its last command returns,
`<!-- not run: REASON -->` leaves it alone.
"""

import csv
import doctest
import importlib
import io
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import pytest

import fundoscope
from fundoscope import build, cli, demo, ready_jobs, write_phantoms
from fundoscope.config import Job
from fundoscope.converse.build import engines
from fundoscope.export.formats import formats
from fundoscope.export.run_files import write_run_files
from fundoscope.read.idrid import DISC, LESIONS
from fundoscope.read.sources import sources

REPOSITORY = Path(__file__).parents[1]
DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", *DOCS.rglob("*.md")])
INSTALLERS = ("make", "git", "pip", "python", "python3", "cd")
"""Commands that set things up; of `make`, the target must exist."""

_BLOCK = re.compile(
    r"(?:^<!-- (?P<note>[a-z ]+): (?P<said>[^\n]*) -->\n+)?"
    r"^(?P<fence>```+)(?P<language>\w+)[^\n]*\n(?P<text>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    """A fenced block and the comment before it."""

    language: str
    text: str
    note: str
    said: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("fence")) + 1
        note, said = found["note"] or "", found["said"] or ""
        yield Block(found["language"], found["text"], note, said, line)


# the folder that the pages speak of


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    phantoms = write_phantoms(folder / "phantoms", 4, size_px=192)
    names = sorted(path.stem for path in (phantoms / "photographs").iterdir())
    _clinic(folder / "clinic", phantoms, names)
    _odir(folder / "ODIR-5K", phantoms, names)
    _idrid(folder / "IDRiD", phantoms, names)
    _automorph(folder / "automorph")
    odir = Job(source="odir", root=folder / "ODIR-5K", tracks=("instruction", "alignment"))
    build(odir, folder / "runs" / "odir")
    write_run_files(folder / "runs" / "odir")
    return folder


def _copy(phantoms: Path, name: str, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(phantoms / "photographs" / f"{name}.jpg", to)


def _write_table(file: Path, rows: Sequence[Sequence[object]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows(rows)


def _clinic(folder: Path, phantoms: Path, names: list[str]) -> None:
    files = ["101_left.jpg", "101_right.jpg", "102_left.jpg", "102_right.jpg"]
    for file, name in zip(files, names, strict=True):
        _copy(phantoms, name, folder / "photographs" / file)
    columns = ["image", "patient", "eye", "quality", "disease", "vascular"]
    diseases = ["normal fundus", "mild diabetic retinopathy", "glaucoma", "no glaucoma; drusen"]
    rows = [
        [file, file[:3], file[4:].split(".")[0], "good", disease, "fractal dimension 1.47"]
        for file, disease in zip(files, diseases, strict=True)
    ]
    _write_table(folder / "labels.csv", [columns, *rows])


def _odir(folder: Path, phantoms: Path, names: list[str]) -> None:
    said = ["normal fundus", "mild nonproliferative retinopathy", "suspected glaucoma", "drusen"]
    rows: list[list[object]] = []
    for number, (name, keywords) in enumerate(zip(names, said, strict=True)):
        image = f"{number // 2}_{'left' if number % 2 == 0 else 'right'}.jpg"
        _copy(phantoms, name, folder / "photographs" / image)
        rows.append([number // 2, image, 60 + number, "Female", keywords])
    _write_table(folder / "labels.csv", [["patient", "image", "age", "sex", "keywords"], *rows])


def _idrid(folder: Path, phantoms: Path, names: list[str]) -> None:
    """Lay out two outlined photographs, and IDRiD_001 of both splits, as published."""
    outlined = folder / "A. Segmentation"
    for number, name in enumerate(names[:2], start=1):
        id = f"IDRiD_{number:02d}"
        _copy(phantoms, name, outlined / "1. Original Images" / "a. Training Set" / f"{id}.jpg")
        codes = cv2.imread(str(phantoms / "lesions" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        masks = outlined / "2. All Segmentation Groundtruths" / "a. Training Set"
        masks.mkdir(parents=True, exist_ok=True)
        for kind in (*LESIONS.values(), DISC):
            mask = (codes == kind.code).astype("uint8") * 255
            cv2.imwrite(str(masks / f"{id}_{kind.suffix}.tif"), mask)
    graded = folder / "B. Disease Grading"
    columns = ["Image name", "Retinopathy grade", "Risk of macular edema"]
    for part, word, name, grades in (
        ("a. Training Set", "a. IDRiD_Disease Grading_Training", names[2], (3, 2)),
        ("b. Testing Set", "b. IDRiD_Disease Grading_Testing", names[3], (4, 0)),
    ):
        _copy(phantoms, name, graded / "1. Original Images" / part / "IDRiD_001.jpg")
        labels = graded / "2. Groundtruths" / f"{word} Labels.csv"
        _write_table(labels, [columns, ["IDRiD_001", *grades]])


def _automorph(folder: Path) -> None:
    columns = ["Name", "CDR_vertical", "Fractal_dimension", "Artery_Fractal_dimension"]
    for split, values in (("train", (0.41, 1.47, 1.31)), ("test", (-1, 1.52, 1.36))):
        rows = [columns, ["IDRiD_001.png", *values]]
        _write_table(folder / split / "Macular_Features.csv", rows)


# how a page is run


@pytest.fixture
def workspace(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(demo, "PHANTOMS", 4)  # 24 would take most of this file's time
    owners = [(registry, dict(registry._owners)) for registry in (sources, formats, engines)]
    yield tmp_path
    for registry, before in owners:
        registry._owners.clear()
        registry._owners.update(before)  # type: ignore[arg-type]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPOSITORY).as_posix())
def test_a_pages_blocks_run_from_top_to_bottom(page: Path, workspace: Path) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    for block in blocks(page):
        where = f"{page.name}:{block.line}"
        if block.note == "file":
            Path(block.said).parent.mkdir(parents=True, exist_ok=True)
            Path(block.said).write_text(block.text, encoding="utf-8")
        elif block.note == "not run":
            assert block.said, where
        elif block.language in ("bash", "console"):
            _run_commands(block, where)
        elif block.language == "python":
            exec(compile(block.text, where, "exec"), names)
        elif block.language == "pycon":
            _run_doctest(block, names, where)


def _run_commands(block: Block, where: str) -> None:
    exits = int(block.said) if block.note == "exits" else 0
    commands = list(_commands(block))
    for number, (command, expected) in enumerate(commands, start=1):
        code, printed = _run(command)
        wanted = exits if number == len(commands) else 0
        assert code == wanted, f"{where}: {command}\n{printed}"
        if expected:
            same = doctest.OutputChecker().check_output(expected, printed, doctest.ELLIPSIS)
            assert same, f"{where}: {command}\n{printed}"


def _commands(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command with the output that must follow it, empty where none is given."""
    if block.language == "bash":
        for line in block.text.replace("\\\n", " ").splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                yield line, ""
        return
    for part in re.split(r"^\$ ", block.text.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        yield command, expected


def _run(command: str) -> tuple[int, str]:
    """Run one command; ours in this process, since a start costs half a second."""
    words = shlex.split(command, comments=True)
    if words[0] in INSTALLERS:
        if words[0] == "make" and len(words) > 1:
            makefile = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), f"no target {words[1]}"
        return 0, ""
    if words[0] != "fundoscope":
        done = subprocess.run(["bash", "-ec", command], capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr
    assert not {"|", "&&", ";"} & set(words), f"one command a line: {command}"
    file = words[words.index(">") + 1] if ">" in words else ""
    arguments = words[: words.index(">")] if file else words
    code, printed = _run_ours(arguments)
    if file:
        Path(file).write_text(printed, encoding="utf-8")
    return code, printed


def _run_ours(arguments: list[str]) -> tuple[int, str]:
    raw, before = io.BytesIO(), sys.argv
    printed = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    sys.argv = arguments
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            cli.main()
    except SystemExit as exit:
        return int(exit.code or 0), raw.getvalue().decode()
    finally:
        sys.argv = before
    return 0, raw.getvalue().decode()


def _run_doctest(block: Block, names: dict[str, Any], where: str) -> None:
    test = doctest.DocTestParser().get_doctest(block.text, names, where, where, 0)
    said = io.StringIO()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    failed, _ = doctest.DocTestRunner(optionflags=options).run(
        test, out=said.write, clear_globs=False
    )
    names.update(test.globs)
    assert not failed, said.getvalue()


# what the pages name


def _api() -> str:
    return "".join(page.read_text(encoding="utf-8") for page in (DOCS / "api").glob("*.md"))


def test_every_public_name_stands_on_an_api_page() -> None:
    named = set(re.findall(r"`fundoscope\.(\w+)`", _api()))
    assert set(fundoscope.__all__) - named == set()


def test_no_page_names_what_does_not_exist() -> None:
    lost = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(r"(?:`|^::: )(fundoscope(?:\.\w+)+)", text, re.MULTILINE):
            if not _exists(name):
                lost.append(f"{page.name}: {name}")
    assert lost == []


def _exists(name: str) -> bool:
    module, _, rest = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        return bool(module) and _exists(module) and hasattr(_object(module), rest)
    return True


def _object(name: str) -> object:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        module, _, rest = name.rpartition(".")
        return getattr(_object(module), rest)


def test_every_test_that_a_page_names_is_there() -> None:
    ours = {
        name
        for file in (REPOSITORY / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {
        name
        for page in PAGES
        for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    }
    assert named - ours == set()
    assert named, "docs/from-retinalgpt.md names the tests of each defect"


def test_every_ready_made_job_stands_on_its_page() -> None:
    page = (DOCS / "jobs.md").read_text(encoding="utf-8")
    assert [name for name in ready_jobs() if f"`{name}`" not in page] == []


def test_every_source_and_every_format_stands_on_its_page() -> None:
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    assert [name for name in sources.names() if f"`{name}`" not in page] == []
    page = (DOCS / "export.md").read_text(encoding="utf-8")
    assert [name for name in formats.names() if f"`{name}`" not in page] == []


def test_the_page_of_the_command_line_is_that_of_its_help() -> None:
    made = runpy.run_path(str(DOCS / "make_cli_page.py"))["cli_page"]()
    written = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert written == made, "run: python docs/make_cli_page.py"


def test_pages_link_only_to_pages_that_exist() -> None:
    lost = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[\w-]+)?\)", text):
            if "://" not in target and not (page.parent / target).exists():
                lost.append(f"{page.name}: {target}")
    assert lost == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    assert [page for page in pages if page not in navigation] == []
