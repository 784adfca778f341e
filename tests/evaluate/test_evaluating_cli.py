"""`fundoscope evaluate` as a person meets it: words, exit codes, JSON for machines."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

from fundoscope.cli import cli
from fundoscope.errors import ConfigError, FundoscopeError
from fundoscope.testing import FakeServer, FakeServerSettings

OWN = {
    "name": "own",
    "title": "Our clinic: any diabetic retinopathy",
    "kind": "labels",
    "source": "table",
    "your_copy": "A folder with one table.",
    "licence": "ours",
    "means": "Yes: any diabetic retinopathy.",
    "forms": [
        {
            "id": "dr",
            "questions": {
                "en": ["Is there diabetic retinopathy?"],
                "zh": ["有糖尿病视网膜病变吗？"],
            },
            "space": {"kind": "yes_no", "term": "diabetic_retinopathy"},
            "truth": {"rule": "from_level", "scale": "icdr", "least": 1},
        }
    ],
}
PATIENTS = 8


@pytest.fixture
def clinic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eight photographs of eight patients, every second one of grade 2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(OWN, allow_unicode=True), encoding="utf-8")
    folder = tmp_path / "clinic"
    folder.mkdir()
    rows = ["image,patient,icdr"]
    for number in range(PATIENTS):
        dots = np.random.default_rng(number).integers(0, 255, (64, 64, 3), np.uint8)
        Image.fromarray(dots).resize((192, 192)).save(folder / f"{number}.png")
        rows.append(f"{number}.png,p{number},{2 * (number % 2)}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


def answers(folder: Path, name: str, said: list[str]) -> Path:
    file = folder / f"{name}.csv"
    rows = ["image,question,answer"]
    rows += [
        f"{number}.png,Is there diabetic retinopathy?,{said[number % len(said)]}"
        for number in range(PATIENTS)
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return file


def fundoscope(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, words)])


def evaluated(folder: Path, name: str, said: list[str], *more: str) -> Result:
    return fundoscope(
        *("run", "own.yaml", "--root", "clinic", "--predictions", answers(folder, name, said)),
        *("-o", folder / name, "--resamples", "60", "--no-baselines", *more),
    )


def test_every_task_is_listed_and_counted_where_a_copy_is_named(real_data: Path) -> None:
    copy = f"hrf-normal={real_data / 'HRF'}"
    told = fundoscope("list", "--copy", copy, "--json")
    rows = {row["name"]: row for row in json.loads(told.stdout)}
    assert rows["hrf-normal"]["items"] == 30  # as its folder holds
    assert rows["idrid-grade"]["items"] is None
    assert "HRF: healthy or not (30 questions, 30 photographs)" in fundoscope(
        "list", "--copy", copy
    ).stdout  # fmt: skip


def test_show_tells_what_yes_means_and_what_the_copy_holds(clinic: Path) -> None:
    told = fundoscope("show", "own.yaml", "--root", "clinic").stdout
    assert "means: Yes: any diabetic retinopathy." in told
    assert "8 questions about 8 photographs of 8 patients" in told
    assert "dr: no 4, yes 4" in told


def test_a_file_of_answers_is_scored(clinic: Path) -> None:
    made = evaluated(clinic, "right", ["No.", "Yes."])
    assert made.exit_code == 0, made.output
    assert "right: 1.000" in made.stdout
    assert "report: " in made.stdout
    assert (clinic / "right" / "manifest.json").is_file()


def test_json_is_for_machines(clinic: Path) -> None:
    scores = json.loads(evaluated(clinic, "half", ["No."], "--json").stdout)
    (form,) = scores["forms"]
    found = {(one["name"], one["of"]): one["value"] for one in form["systems"][0]["estimates"]}
    assert found["accuracy", ""] == 0.5
    assert found["sensitivity", "yes"] == 0


def test_a_question_without_an_answer_makes_the_exit_code_1(clinic: Path) -> None:
    file = answers(clinic, "some", ["No."])
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:-1], "x.png,Is there glaucoma?,No."]) + "\n")
    made = fundoscope(
        *("run", "own.yaml", "--root", "clinic", "--predictions", file, "-o", "out"),
        *("--resamples", "60", "--no-baselines"),
    )
    assert made.exit_code == 1
    assert "1 questions have no answer" in made.stdout
    assert "1 predictions belong to no question" in made.stdout


def test_another_file_of_answers_is_read_anew_into_the_same_folder(clinic: Path) -> None:
    evaluated(clinic, "mine", ["No.", "Yes."])
    assert "mine: 0.000" in evaluated(clinic, "mine", ["Yes.", "No."]).stdout


def test_two_runs_are_compared(clinic: Path) -> None:
    evaluated(clinic, "right", ["No.", "Yes."])
    evaluated(clinic, "half", ["No."])
    told = fundoscope("compare", "right", "half", "-o", "compared", "--resamples", "60")
    assert told.exit_code == 0, told.output
    assert "right less half" in told.stdout
    assert (clinic / "compared" / "comparison.html").is_file()
    beside = evaluated(clinic, "half", ["No."], "--compare", "right")
    assert "half less right" in beside.stdout


def test_patients_that_were_trained_on_are_left_out(clinic: Path) -> None:
    (clinic / "trained.csv").write_text("dataset,patient\nlabels,p0\nlabels,p3\n")
    scores = json.loads(
        evaluated(clinic, "right", ["No.", "Yes."], "--against", "trained.csv", "--json").stdout
    )
    assert scores["asked"]["patients"] == 6
    assert scores["audit"]["left_out"] == {"same patient": 2}


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ((), "one of --predictions FILE, --model FOLDER, --endpoint URL, --assistant"),
        (("--assistant", "--predictions", "x.csv"), "--predictions and --assistant were given"),
        (("--endpoint", "http://127.0.0.1:9"), "--model NAME"),
        (("--predictions", "gone.csv"), "no such file of predictions"),
    ],
)
def test_what_is_wrong_is_said_with_how_to_mend_it(
    clinic: Path, words: tuple[str, ...], mend: str
) -> None:
    made = fundoscope("run", "own.yaml", "--root", "clinic", *words)
    assert isinstance(made.exception, FundoscopeError)  # `main` prints it bare, exit code 2
    assert mend in str(made.exception)


def test_a_set_whose_folder_is_not_said_tells_what_to_give() -> None:
    made = fundoscope("run", "odir-normal", "--assistant")
    assert isinstance(made.exception, ConfigError)
    assert "--root FOLDER: The folder with the workbook" in str(made.exception)


def test_a_task_is_written_for_another_kit(clinic: Path) -> None:
    made = fundoscope(
        *("export", "own.yaml", "--root", "clinic", "--to", "vlmevalkit", "-o", "kit"),
    )
    assert made.exit_code == 0, made.output
    assert "8 questions: " in made.stdout
    assert list((clinic / "kit").rglob("*.tsv"))


def test_a_server_is_asked_once_and_scored(clinic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "test")
    settings = FakeServerSettings(latency_s=0.0, answer=lambda messages: "Yes.")
    words = ("run", "own.yaml", "--root", "clinic", "-o", "served", "--no-baselines")
    with FakeServer(settings, in_thread=True) as server:
        asking = ("--endpoint", server.url, "--model", "m", "--price", "1,1", "--resamples", "60")
        first = fundoscope(*words, *asking)
        again = fundoscope(*words, *asking)
        assert server.counts()["answered"] == PATIENTS
    assert first.exit_code == again.exit_code == 0, first.output
    assert "m: 0.500" in first.stdout  # all yes: one of two classes right


def test_a_checkpoint_is_asked_and_scored_by_words_and_by_likelihood(clinic: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra `train`")
    from fundoscope.models.tiny import write_tiny_llava

    write_tiny_llava(clinic / "tiny")
    made = fundoscope(
        *("run", "own.yaml", "--root", "clinic", "--model", "tiny", "--device", "cpu"),
        *("--tokens", "4", "-o", "asked", "--resamples", "60", "--no-baselines", "--json"),
    )
    assert made.exit_code == 0, made.output
    (form,) = json.loads(made.stdout)["forms"]
    assert [system["by"] for system in form["systems"]] == ["words", "probabilities"]
