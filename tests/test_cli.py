"""The command line as a person meets it: errors bare, exit codes, JSON for machines."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def fundoscope(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from fundoscope.cli import main; main()", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def own_table(folder: Path, text: str) -> Path:
    from PIL import Image

    folder.mkdir(exist_ok=True)
    for number in (1, 2):
        Image.new("RGB", (60, 60), (90 * number, 40, 20)).save(folder / f"sample_00{number}.png")
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return folder


SAMPLE = (
    "image,modality,quality,disease,vascular,notes\n"
    "sample_001.png,Color fundus photograph,Good,Mild diabetic retinopathy,"
    '"fractal dimension 1.47; vessel density 0.32; tortuosity 0.18",Few scattered microaneurysms\n'
    "sample_002.png,Color fundus photograph,Adequate,No obvious retinal abnormality,"
    '"fractal dimension 1.53; vessel density 0.35; tortuosity 0.15",Macula and disc visible\n'
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run built from the sample table."""
    folder = tmp_path_factory.mktemp("cli")
    own_table(folder / "set", SAMPLE)
    made = fundoscope(
        *("build", "--source", "table", "--root", "set", "--labels", "set/labels.csv"),
        *("--track", "instruction", "--track", "alignment", "-o", "run", "--json"),
        cwd=folder,
    )
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["kept"] == 2 * 2 * 2
    return folder / "run"


def test_the_sample_table_gives_dialogues_a_card_and_provenance(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "dialogues.jsonl").read_text().splitlines()]
    assert {row["image"] for row in rows} == {"sample_001.png", "sample_002.png"}
    first = rows[0]
    assert first["conversations"][0]["value"].endswith("<image>")
    used = [s for turn in first["provenance"]["statements"] for s in turn]
    assert all(statement["source"] for statement in used if statement["value"] != "unmeasured")
    assert (run / "card.html").is_file()


def test_what_was_built_verifies(run: Path) -> None:
    checked = fundoscope(
        "verify", run / "dialogues.jsonl", "--against", run / "records.jsonl", cwd=run
    )
    assert checked.returncode == 0, checked.stdout
    assert "8 dialogues: 8 faithful" in checked.stdout


def test_one_changed_digit_is_found(run: Path, tmp_path: Path) -> None:
    text = (run / "dialogues.jsonl").read_text(encoding="utf-8")
    assert "1.470" in text
    (tmp_path / "changed.jsonl").write_text(text.replace("1.470", "1.480"), encoding="utf-8")
    checked = fundoscope("verify", "changed.jsonl", "--against", run, "--json", cwd=tmp_path)
    assert checked.returncode == 1
    faults = json.loads(checked.stdout)["faults"]
    assert faults and all("fractal_dimension is 1.47" in fault["what"] for fault in faults)


def test_export_splits_and_says_where(run: Path) -> None:
    made = fundoscope("export", run, "--format", "sharegpt", "--split", "0.5/0/0.5", cwd=run)
    assert made.returncode == 0, made.stderr
    assert (run / "sharegpt" / "dataset_info.json").is_file()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["build", "odri-instruction", "--root", "."], "did you mean 'odir-instruction'"),
        (["build", "odir-instruction"], "give --root FOLDER"),
        (["build"], "what to build is not said"),
        (["build", "missing.yaml"], "no job file missing.yaml"),
        (["build", "--source", "aptos", "--root", "."], "expected train.csv"),
        (["export", "nowhere"], "holds no ledger"),
        (["verify", "nothing.jsonl", "--against", "."], "no records at ."),
        (["jobs", "show", "odir"], "did you mean 'odir-alignment' or 'odir-instruction'"),
    ],
)
def test_mistakes_are_told_bare_with_how_to_mend(
    words: list[str], says: str, tmp_path: Path
) -> None:
    failed = fundoscope(*words, cwd=tmp_path)
    assert failed.returncode == 2
    assert says in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_wrong_cell_is_named_by_file_line_and_column(tmp_path: Path) -> None:
    own_table(tmp_path, "image,icdr\nsample_001.png,1\nsample_002.png,7\n")
    failed = fundoscope("build", "--source", "table", "--root", ".", "-o", "run", cwd=tmp_path)
    failed = fundoscope(
        *("build", "--source", "table", "--root", ".", "--labels", "labels.csv", "-o", "run"),
        cwd=tmp_path,
    )
    assert failed.returncode == 2
    for part in ("labels.csv", "line 3", "'icdr'", "'7'", "[0, 1, 2, 3, 4]"):
        assert part in failed.stderr


def test_a_shown_job_can_be_built(tmp_path: Path) -> None:
    own_table(tmp_path / "set", SAMPLE)
    shown = fundoscope("jobs", "show", "table-instruction", cwd=tmp_path)
    text = shown.stdout.replace("PATH/TO/THE/SET", "set") + "labels: [set/labels.csv]\n"
    (tmp_path / "my.yaml").write_text(text)
    made = fundoscope("build", "my.yaml", "-o", "run", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    assert "4 dialogues kept" in made.stdout


def test_own_photographs_are_recognised_by_the_demo(tmp_path: Path) -> None:
    own_table(tmp_path / "set", SAMPLE)
    made = fundoscope(
        "demo", "-o", "out", "--photographs", "set", "--labels", "set/labels.csv", cwd=tmp_path
    )
    assert made.returncode == 0, made.stderr
    assert (tmp_path / "out" / "picture.png").is_file()
    assert "2 photographs, 8 dialogues kept" in made.stdout


def test_every_verb_teaches(tmp_path: Path) -> None:
    verbs = "demo build jobs verify validate fix merge export card doctor".split()  # noqa: SIM905
    for verb in verbs:
        shown = fundoscope(verb, "--help", cwd=tmp_path)
        assert shown.returncode == 0
        assert len(shown.stdout) > 300
