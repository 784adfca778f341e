"""Runs mixed by weight, dialogues about no photograph, and one row a turn with its history."""

import json
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from fundoscope.cli.app import cli
from fundoscope.errors import ConfigError, DialogueError, PhotographError
from fundoscope.export.dialogue_files import fix, merge, validate
from fundoscope.export.mixing import copies
from fundoscope.export.runs import export_run
from fundoscope.ledger import Ledger
from fundoscope.read.knowledge_topics import topic_record
from fundoscope.records import Conversation, Dialogue, Photograph, Record, Turn, Verdict

HELD = [Turn("What is it?", "A photograph."), Turn("Any drusen?", "None."), Turn("Why?", "Looked.")]


def write_run(run: Path, records: Sequence[Record], track: str, turns: int = 2) -> Path:
    """Write a finished run by hand: one kept dialogue for each record."""
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({"source": run.name, "photographs": str(run / "photographs")})
        for record in records:
            said = Conversation(record.key, track, "en", tuple(HELD[:turns]), "composer", "1", 0)
            file = run / "photographs" / record.photograph.file
            if record.photograph.file:
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(b"picture")
            ledger.judge(ledger.add_record(record), said, b"", Verdict(kept=True))
        ledger.finish_pass()
    return run


def about_photographs(n: int, dataset: str = "odir", split: str = "all") -> list[Record]:
    """Return records of which two share each patient."""
    return [
        Record(Photograph(dataset, split, str(i), file=f"{i}.jpg", patient=str(i // 2)))
        for i in range(n)
    ]


def about_none(n: int) -> list[Record]:
    """Return records as they come of knowledge, and of consultations."""
    spoken = Photograph("consultations", "all", "c1", modality="")
    return [*(topic_record("glaucoma", i + 1) for i in range(n - 1)), Record(spoken)]


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else [*map(json.loads, text.splitlines())]


def as_llama_factory_reads(row: dict[str, Any], entry: dict[str, Any]) -> tuple[list[str], list]:
    """Return the texts in turn and the pictures, as that trainer's alpaca reader joins them."""
    columns = entry["columns"]
    texts = [text for pair in row[columns["history"]] for text in pair]
    asked = [row[columns[name]] for name in ("prompt", "query") if row[columns[name]]]
    pictures = row.get(columns["images"]) if "images" in columns else None
    return [*texts, "\n".join(asked), row[columns["response"]]], pictures or []


# one row a turn


def test_history_grows_by_a_turn_a_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", about_photographs(1), "instruction", turns=3)
    export_run(run, tmp_path / "out", format="history")
    first, second, third = rows_of(tmp_path / "out" / "all.instruction.json")
    assert first == {
        "id": "odir/all/0/instruction/en/1",
        "instruction": "What is it?\n<image>",
        "input": "",
        "output": "A photograph.",
        "history": [],
        "images": ["0.jpg"],
    }
    assert (second["instruction"], second["output"]) == ("Any drusen?", "None.")
    assert second["history"] == [["What is it?\n<image>", "A photograph."]]
    assert third["history"] == [["What is it?\n<image>", "A photograph."], ["Any drusen?", "None."]]


def test_llama_factory_reads_every_row_of_history_with_its_one_image(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "odir", about_photographs(3), "instruction", turns=3),
        write_run(tmp_path / "knowledge", about_none(3), "knowledge", turns=3),
        write_run(tmp_path / "mixed", [*about_none(1), *about_photographs(1, "x")], "mixed", 3),
    ]
    export_run(runs, tmp_path / "out", format="history")
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert sorted(info) == ["all_instruction", "all_knowledge", "all_mixed"]
    n_pictures = {}
    for name, entry in info.items():
        assert entry["formatting"] == "alpaca"
        for row in rows_of(tmp_path / "out" / entry["file_name"]):
            texts, pictures = as_llama_factory_reads(row, entry)
            assert "".join(texts).count("<image>") == len(pictures)
            assert (
                texts
                == [
                    text + ("\n<image>" if pictures and not n else "")
                    for n, text in enumerate(
                        t for turn in HELD for t in (turn.question, turn.answer)
                    )
                ][: len(texts)]
            )
            n_pictures.setdefault(name, []).append(len(pictures))
    assert n_pictures == {
        "all_instruction": [1] * 9,
        "all_knowledge": [0] * 9,
        "all_mixed": [0] * 3 + [1] * 3,
    }
    assert "images" not in info["all_knowledge"]["columns"]


# dialogues about no photograph


@pytest.mark.parametrize("format", ["llava", "llava-jsonl", "sharegpt", "messages", "swift"])
def test_a_dialogue_about_no_photograph_has_no_image_anywhere(tmp_path: Path, format: str) -> None:
    run = write_run(tmp_path / "run", about_none(3), "knowledge")
    report = export_run(run, tmp_path / "out", format=format, photographs="link")
    assert (report.dialogues, report.photographs, report.text_only) == (3, 0, 3)
    (file,) = (tmp_path / "out" / name for name in report.files if name != "dataset_info.json")
    rows = rows_of(file)
    assert len(rows) == 3
    assert not any("<image>" in json.dumps(row) or '{"type": "image"}' in json.dumps(row)
                   or row.get("image") or row.get("images") for row in rows)  # fmt: skip
    assert validate(file, tmp_path) == []
    fix(file, tmp_path / "fixed.json")
    merge([file], tmp_path / "merged.json")
    for again in ("fixed.json", "merged.json"):
        assert validate(tmp_path / again) == []
        assert "image" not in (tmp_path / again).read_text()


def test_a_table_has_no_place_for_a_photograph_that_is_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", about_none(2), "knowledge")
    export_run(run, tmp_path / "out", format="parquet")
    table = pq.read_table(tmp_path / "out" / "all.knowledge.parquet")
    assert table["image"].to_pylist() == [None, None]


def test_shards_of_texts_alone_hold_no_photograph_and_others_nothing_else(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [*about_none(2), *about_photographs(2)], "knowledge")
    report = export_run(run, tmp_path / "out", format="webdataset")
    held = {}
    for name in report.files:
        with tarfile.open(tmp_path / "out" / name) as tar:
            held[name] = Counter(member.rpartition(".")[2] for member in tar.getnames())
    assert held == {
        "all.knowledge-000000.tar": {"jpg": 2, "json": 2},
        "all.knowledge.text-000000.tar": {"json": 2},
    }


@pytest.mark.parametrize("format", ["llava", "history", "messages", "webdataset"])
def test_an_alignment_dialogue_needs_a_photograph(tmp_path: Path, format: str) -> None:
    run = write_run(tmp_path / "run", about_none(1), "alignment", turns=1)
    with pytest.raises(DialogueError, match="without a photograph"):
        export_run(run, tmp_path / "out", format=format)


def test_labels_whose_photograph_is_missing_do_not_pass_for_knowledge(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [Record(Photograph("aptos", "train", "7"))], "instruction")
    with pytest.raises(PhotographError, match="built from labels only"):
        export_run(run, tmp_path / "out", format="history")


def test_a_row_that_lost_its_image_or_its_place_is_still_wrong(tmp_path: Path) -> None:
    said = [{"from": "human", "value": "What?\n<image>"}, {"from": "gpt", "value": "An eye."}]
    bare = [{**said[0], "value": "What?"}, said[1]]
    (tmp_path / "a.jsonl").write_text(
        json.dumps({"id": "no image", "conversations": said})
        + "\n"
        + json.dumps({"id": "no place", "image": "a.jpg", "conversations": bare})
    )
    problems = {problem.id: problem.what for problem in validate(tmp_path / "a.jsonl")}
    assert problems["no image"] == "no image"
    assert problems["no place"].startswith("0 <image> in the first question")


# weights


def dialogue(key: str) -> Dialogue:
    dataset, split, id = key.split("/")
    said = Conversation(key, "instruction", "en", tuple(HELD), "composer", "1", 0)
    return Dialogue(Record(Photograph(dataset, split, id)), said)


def test_a_weight_is_met_in_the_mean() -> None:
    """Of 4,000 a quarter is 1,000; the binomial's deviation is 27. Two and a half: 10,000."""
    drawn = [
        [copies(dialogue(f"a/all/{n}"), "all", w, 0) for n in range(4000)] for w in (0.25, 2.5)
    ]
    assert sum(drawn[0]) == pytest.approx(1000, abs=4 * 27)
    assert {*drawn[0]} == {0, 1}
    assert sum(drawn[1]) == pytest.approx(10_000, abs=4 * 32)
    assert {*drawn[1]} == {2, 3}


@given(st.integers(0, 9999), st.floats(0.01, 4), st.floats(0.01, 4), st.integers(0, 5))
def test_a_higher_weight_never_takes_a_dialogue_less_often(
    n: int, one: float, other: float, seed: int
) -> None:
    low, high = sorted((one, other))
    spoken = dialogue(f"a/all/{n}")
    assert copies(spoken, "train", low, seed) <= copies(spoken, "train", high, seed)
    assert copies(spoken, "test", low, seed) == copies(spoken, "val", high, seed) == 1


def mixed(tmp_path: Path) -> list[Path]:
    return [
        write_run(tmp_path / "odir", about_photographs(60), "instruction"),
        write_run(tmp_path / "knowledge", about_none(200), "knowledge"),
    ]


def test_weights_mix_what_is_trained_on_and_leave_the_rest_whole(tmp_path: Path) -> None:
    runs = mixed(tmp_path)
    fractions = (0.5, 0.25, 0.25)
    plain = export_run(runs, tmp_path / "plain", format="llava-jsonl", fractions=fractions)
    report = export_run(
        runs, tmp_path / "out", format="llava-jsonl", fractions=fractions, weights=(2, 0.25)
    )
    assert report.splits.split_of == plain.splits.split_of
    before, after = plain.runs, report.runs
    assert after[0].written["train"] == 2 * before[0].written["train"]
    quarter = before[1].written["train"] / 4
    assert after[1].written["train"] == pytest.approx(quarter, abs=4 * (0.75 * quarter) ** 0.5)
    for run in (0, 1):
        assert after[run].held == before[run].held == before[run].written
        assert [after[run].written[s] for s in ("val", "test")] == [
            before[run].written[s] for s in ("val", "test")
        ]
    assert after[1].text_only == after[1].written.total()
    patients = {}
    for name in report.files:
        for row in rows_of(tmp_path / "out" / name) if name.endswith("l") else []:
            n = row["id"].split("/")[2]
            who = str(int(n) // 2) if row["id"].startswith("odir") else row["id"].split("#")[0]
            patients.setdefault(who, set()).add(name.split(".")[0])
    assert all(len(splits) == 1 for splits in patients.values())


def test_what_stands_twice_has_an_id_of_its_own(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", about_photographs(2), "instruction")
    export_run(run, tmp_path / "out", format="llava", weights=[2])
    ids = [row["id"] for row in rows_of(tmp_path / "out" / "all.instruction.json")]
    assert ids == [f"odir/all/{n}/instruction/en{end}" for n in (0, 1) for end in ("", "#2")]
    assert validate(tmp_path / "out" / "all.instruction.json") == []
    report = export_run(run, tmp_path / "tars", format="webdataset", weights=[2])
    with tarfile.open(tmp_path / "tars" / next(iter(report.files))) as tar:
        assert len({*tar.getnames()}) == 8


def test_the_manifest_and_the_page_beside_it_tell_what_was_taken(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = export_run(mixed(tmp_path), out, format="history", weights=(1, 0.25))
    manifest = json.loads((out / "manifest.json").read_text())
    n_text = report.counts["all"]["knowledge"]["en"]
    assert manifest["options"]["weights"] == [1, 0.25]
    assert manifest["text_only"] == n_text
    assert manifest["runs"] == [
        {"run": "odir", "weight": 1, "held": {"all": 60}, "written": {"all": 60}, "text_only": 0},
        {"run": "knowledge", "weight": 0.25, "held": {"all": 200}, "written": {"all": n_text},
         "text_only": n_text},
    ]  # fmt: skip
    assert "README.md" in manifest["files"]
    page = (out / "README.md").read_text()
    assert f"# {60 + n_text} dialogues of 2 runs" in page
    assert f"| knowledge | 0.25 | 200 | {n_text} |" in page
    assert "| odir | not stated | 60 |" in page
    assert "| knowledge | Apache-2.0 |" in page
    assert "not a medical device" in page
    assert str(tmp_path) not in page


def test_the_same_weights_give_the_same_bytes(tmp_path: Path) -> None:
    runs = mixed(tmp_path)
    first, again, other = (
        export_run(runs, tmp_path / name, format="llava", weights=(1, 0.5), seed=seed).files
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert first == again
    assert first["all.knowledge.json"] != other["all.knowledge.json"]


@pytest.mark.parametrize(
    ("weights", "what"),
    [
        ((1,), "2 runs and 1 weights"),
        ((1, 0), "positive number, got 0"),
        ((1, -2), "positive number"),
        ((1, float("nan")), "positive number, got nan"),
        ((1, float("inf")), "positive number, got inf"),
    ],
)
def test_a_weight_that_is_none_is_refused(
    tmp_path: Path, weights: tuple[float, ...], what: str
) -> None:
    with pytest.raises(ConfigError, match=what):
        export_run(mixed(tmp_path), tmp_path / "out", format="llava", weights=weights)


def test_the_command_line_takes_a_weight_for_each_run(tmp_path: Path) -> None:
    words = ["export", *map(str, mixed(tmp_path)), "--weight", "1", "--weight", "0.25"]
    done = CliRunner().invoke(cli, [*words, "--format", "history", "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "odir: weight 1, 60 written of 60" in done.output
    assert "knowledge: weight 0.25" in done.output
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert [run["weight"] for run in manifest["runs"]] == [1, 0.25]
