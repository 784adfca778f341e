"""Runs exported and read back, with the checks that trainers make."""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fundoscope.errors import ConfigError, DialogueError, LedgerError, PhotographError
from fundoscope.export import shards, tables
from fundoscope.export.dialogue_files import validate
from fundoscope.export.formats import formats
from fundoscope.export.runs import export_run
from fundoscope.export.shards import webdataset_key
from fundoscope.export.whole_files import sha256_of
from fundoscope.ledger import Ledger
from fundoscope.records import Conversation, Language, Photograph, Record, Turn, Verdict

BuildRun = Callable[..., Path]
ASKED = ("Which eye is it?", "Is there diabetic retinopathy?", "Is there a drusen?")


def conversation(key: str, track: str, language: Language = "en", n_turns: int = 2) -> Conversation:
    turns = tuple(Turn(ASKED[n], f"Answer {n} for {key}.") for n in range(n_turns))
    return Conversation(key, track, language, turns, "composer", "1", seed=5)


def dialogues_about(key: str) -> list[Conversation]:
    return [
        conversation(key, "instruction"),
        conversation(key, "instruction", "zh", n_turns=3),
        conversation(key, "alignment", n_turns=1),
    ]


@pytest.fixture
def build_run(tmp_path: Path) -> BuildRun:
    """Write a run of two photographs for training and one for testing, by hand."""

    def build(
        keys: tuple[str, ...] = ("idrid/train/1.a", "idrid/train/2", "idrid/test/1"),
        finished: bool = True,
        said: Callable[[str], list[Conversation]] = dialogues_about,
        file: str = "{split}/{id}.png",
    ) -> Path:
        folder = tmp_path / "photographs"
        with Ledger(tmp_path / "run", write=True) as ledger:
            ledger.begin_pass({"source": "idrid", "photographs": str(folder)})
            for n, key in enumerate(keys):
                dataset, split, id = key.split("/")
                inside = file.format(split=split, id=id)
                _draw_photograph(folder / inside, shade=n)
                photograph = Photograph(dataset, split, id, file=inside, eye="left", patient=id)
                row = ledger.add_record(Record(photograph))
                for spoken in said(key):
                    ledger.judge(row, spoken, b"hash", Verdict(kept=True))
            if finished:
                ledger.finish_pass()
        return tmp_path / "run"

    return build


def _draw_photograph(file: Path, shade: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4, 3), shade, np.uint8)).save(file)


def rows_of(file: Path) -> list[dict[str, Any]]:
    text = file.read_text(encoding="utf-8")
    return json.loads(text) if file.suffix == ".json" else [*map(json.loads, text.splitlines())]


def assert_llava_takes(rows: list[dict[str, Any]], alignment: bool) -> None:
    """Make the checks that LLaVA's training makes of its data."""
    for row in rows:
        turns = row["conversations"]
        assert [turn["from"] for turn in turns] == ["human", "gpt"] * (len(turns) // 2)
        assert turns[0]["value"].endswith("\n<image>")
        assert sum(turn["value"].count("<image>") for turn in turns) == 1
        assert not alignment or len(turns) == 2


@pytest.mark.parametrize(("format", "suffix"), [("llava", "json"), ("llava-jsonl", "jsonl")])
def test_llava_is_written_a_file_for_each_split_and_track(
    build_run: BuildRun, tmp_path: Path, format: str, suffix: str
) -> None:
    report = export_run(build_run(), tmp_path / "out", format=format)
    names = [f"{s}.{t}.{suffix}" for s in ("test", "train") for t in ("alignment", "instruction")]
    assert sorted(report.files) == names
    rows = {name: rows_of(tmp_path / "out" / name) for name in names}
    assert [len(rows[name]) for name in names] == [1, 2, 2, 4]
    for name in names:
        assert_llava_takes(rows[name], alignment="alignment" in name)
    assert rows[f"train.instruction.{suffix}"][0] == {
        "id": "idrid/train/1.a/instruction/en",
        "image": "train/1.a.png",
        "conversations": [
            {"from": "human", "value": "Which eye is it?\n<image>"},
            {"from": "gpt", "value": "Answer 0 for idrid/train/1.a."},
            {"from": "human", "value": "Is there diabetic retinopathy?"},
            {"from": "gpt", "value": "Answer 1 for idrid/train/1.a."},
        ],
    }


def test_llama_factory_finds_every_file_and_as_many_images_as_tokens(
    build_run: BuildRun, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_run(build_run(), out, format="sharegpt")
    info = json.loads((out / "dataset_info.json").read_text())
    assert sorted(info) == [
        f"{s}_{t}" for s in ("test", "train") for t in ("alignment", "instruction")
    ]
    for entry in info.values():
        assert entry["formatting"] == "sharegpt"
        columns, tags = entry["columns"], entry["tags"]
        for row in rows_of(out / entry["file_name"]):
            turns = row[columns["messages"]]
            texts = [turn[tags["content_tag"]] for turn in turns]
            assert "".join(texts).count("<image>") == len(row[columns["images"]]) == 1
            assert turns[0][tags["role_tag"]] == tags["user_tag"]
            assert turns[1][tags["role_tag"]] == tags["assistant_tag"]


def test_messages_have_an_image_part_and_no_literal_image(
    build_run: BuildRun, tmp_path: Path
) -> None:
    export_run(build_run(), tmp_path / "out", format="messages")
    for row in rows_of(tmp_path / "out" / "train.instruction.jsonl"):
        parts = [part for message in row["messages"] for part in message["content"]]
        assert [part["type"] for part in parts].count("image") == len(row["images"]) == 1
        assert row["messages"][0]["content"][0] == {"type": "image"}
        assert "<image>" not in json.dumps(row)
        roles = [message["role"] for message in row["messages"]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_swift_has_texts_with_image_and_a_list_of_images(
    build_run: BuildRun, tmp_path: Path
) -> None:
    export_run(build_run(), tmp_path / "out", format="swift")
    (row,) = rows_of(tmp_path / "out" / "test.alignment.jsonl")
    assert row == {
        "id": "idrid/test/1/alignment/en",
        "messages": [
            {"role": "user", "content": "Which eye is it?\n<image>"},
            {"role": "assistant", "content": "Answer 0 for idrid/test/1."},
        ],
        "images": ["test/1.png"],
    }


@pytest.mark.parametrize("format", ["llava", "llava-jsonl", "sharegpt", "messages", "swift"])
def test_our_own_files_have_no_problem(build_run: BuildRun, tmp_path: Path, format: str) -> None:
    report = export_run(build_run(), tmp_path / "out", format=format)
    for name in report.files.keys() - {"dataset_info.json"}:
        assert validate(tmp_path / "out" / name, tmp_path / "photographs") == []


def test_parquet_reads_back_with_its_provenance(
    build_run: BuildRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP_ROWS", 3)
    export_run(build_run(), tmp_path / "out", format="parquet", prefix="/data")
    file = pq.ParquetFile(tmp_path / "out" / "train.instruction.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [3, 1]
    row = file.read().to_pylist()[1]
    assert row.pop("conversations")[1] == {"from": "gpt", "value": "Answer 0 for idrid/train/1.a."}
    assert row == {
        "id": "idrid/train/1.a/instruction/zh",
        "image": "/data/train/1.a.png",
        "dataset": "idrid",
        "split": "train",
        "key": "idrid/train/1.a",
        "patient": "1.a",
        "eye": "left",
        "track": "instruction",
        "language": "zh",
        "engine": "composer",
        "model": "",
        "prompt_version": "1",
        "seed": 5,
    }
    file.close()


def test_shards_pair_each_dialogue_with_its_photograph(
    build_run: BuildRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_DIALOGUES", 3)
    report = export_run(build_run(), tmp_path / "out", format="webdataset", tracks=["instruction"])
    names = [f"train.instruction-00000{n}.tar" for n in (0, 1)]
    assert sorted(report.files) == ["test.instruction-000000.tar", *names]
    sizes = []
    for name in names:
        with tarfile.open(tmp_path / "out" / name) as tar:
            members = tar.getmembers()
            sizes.append(len(members) // 2)
            assert {(m.mtime, m.uid, m.uname) for m in members} == {(0, 0, "")}
            for picture, text in zip(members[::2], members[1::2], strict=True):
                key, _, suffix = picture.name.partition(".")  # WebDataset's rule: the first dot
                assert (suffix, text.name) == ("png", f"{key}.json")
                row = json.load(tar.extractfile(text) or io.BytesIO())
                assert (row["image"], webdataset_key(row["id"])) == (picture.name, key)
                official = tmp_path / "photographs" / row["key"].split("/", 1)[1]
                stored = (tar.extractfile(picture) or io.BytesIO()).read()
                assert stored == official.with_name(official.name + ".png").read_bytes()
    assert sizes == [3, 1]


def test_a_shard_ends_before_it_passes_its_bytes(
    build_run: BuildRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "SHARD_BYTES", 1)  # below any photograph: one dialogue a shard
    report = export_run(build_run(), tmp_path / "out", format="webdataset", languages=["zh"])
    assert [name for name in report.files if "train" in name] == [
        "train.instruction-000000.tar",
        "train.instruction-000001.tar",
    ]


def test_different_ids_have_different_keys_without_dots() -> None:
    ids = ["a/b.c", "a/b_c", "a/b-c", "a/b=2E=c", "a/b+c", "a.b/c", "a/b/c", "a/眼.c"]
    keys = [webdataset_key(id) for id in ids]
    assert len(set(keys)) == len(ids)
    assert not any(set("./\\") & set(key) for key in keys)


@pytest.mark.parametrize("format", formats.names())
def test_the_same_run_gives_the_same_bytes(
    build_run: BuildRun, tmp_path: Path, format: str
) -> None:
    run = build_run()
    for out in ("one", "two"):
        export_run(run, tmp_path / out, format=format, fractions=(0.5, 0.25, 0.25))
    files = {file.name: file.read_bytes() for file in (tmp_path / "one").iterdir()}
    assert files == {file.name: file.read_bytes() for file in (tmp_path / "two").iterdir()}
    assert "manifest.json" in files


def test_the_manifest_counts_hashes_and_remembers_the_job(
    build_run: BuildRun, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    report = export_run(build_run(), out, format="llava")
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["dialogues"] == report.dialogues == 9
    assert manifest["photographs"] == report.photographs == 3
    assert manifest["counts"] == report.counts
    assert report.counts["train"] == {"alignment": {"en": 2}, "instruction": {"en": 2, "zh": 2}}
    assert manifest["job"]["source"] == "idrid"
    assert manifest["splits"]["photographs"] == {"train": 2, "test": 1}
    for name, entry in manifest["files"].items():
        assert entry["sha256"] == report.files[name] == sha256_of(out / name)
    assert {file.name for file in out.iterdir()} == {*manifest["files"], "manifest.json"}


def test_a_source_without_splits_is_one_file_or_is_split(
    build_run: BuildRun, tmp_path: Path
) -> None:
    run = build_run(keys=tuple(f"odir/all/{n}" for n in range(30)))
    whole = export_run(run, tmp_path / "whole", format="llava", tracks=["alignment"])
    assert list(whole.files) == ["all.alignment.json"]
    parted = export_run(
        run, tmp_path / "parted", format="llava", tracks=["alignment"], fractions=(0.5, 0.3, 0.2)
    )
    assert sorted(parted.files) == [f"{s}.alignment.json" for s in ("test", "train", "val")]


def test_a_second_export_leaves_nothing_of_the_first(build_run: BuildRun, tmp_path: Path) -> None:
    run, out = build_run(), tmp_path / "out"
    export_run(run, out, format="llava")
    (out / "mine.txt").write_text("not ours")
    export_run(run, out, format="messages", tracks=["alignment"])
    assert {file.name for file in out.iterdir()} == {
        "mine.txt",
        "manifest.json",
        "train.alignment.jsonl",
        "test.alignment.jsonl",
    }


def test_an_export_that_fails_leaves_the_one_before_whole(
    build_run: BuildRun, tmp_path: Path
) -> None:
    run, out = build_run(), tmp_path / "out"
    export_run(run, out, format="llava")
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    (tmp_path / "photographs" / "test" / "1.png").unlink()
    with pytest.raises(PhotographError, match=r"test/1\.png"):
        export_run(run, out, format="webdataset")
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


@pytest.mark.parametrize("how", ["link", "copy"])
def test_photographs_stand_beside_the_dialogues(
    build_run: BuildRun, tmp_path: Path, how: str
) -> None:
    run, out = build_run(), tmp_path / "out"
    for _ in range(2):  # a second export over the first is no trouble
        report = export_run(run, out, format="llava", photographs=how)  # type: ignore[arg-type]
    for row in rows_of(out / "train.instruction.json"):
        assert row["image"].startswith("photographs/train/")
        original = tmp_path / row["image"]
        assert (out / row["image"]).read_bytes() == original.read_bytes()
        assert (out / row["image"]).is_symlink() == (how == "link")
    assert ("photographs.sha256" in report.files) == (how == "copy")
    if how == "copy":
        lines = (out / "photographs.sha256").read_text().splitlines()
        assert len(lines) == 3
        for line in lines:
            sha256, name = line.split("  ")
            assert sha256_of(out / name) == sha256


def test_photographs_are_not_copied_onto_themselves(build_run: BuildRun, tmp_path: Path) -> None:
    run = build_run()
    with pytest.raises(ConfigError, match="photograph itself"):
        export_run(run, tmp_path, format="llava", photographs="copy")


@pytest.mark.parametrize("file", ["../{id}.png", "a/../../{id}.png"])
def test_a_path_out_of_the_folder_is_refused(
    build_run: BuildRun, tmp_path: Path, file: str
) -> None:
    with pytest.raises(PhotographError, match="leads out"):
        export_run(build_run(file=file), tmp_path / "out", format="llava")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize("file", ["/etc/passwd", "C:\\eye.png", "\\\\host\\eye.png", "a\\..\\b"])
def test_absolute_paths_of_any_system_lead_out(file: str) -> None:
    from fundoscope.export.photograph_files import leads_out

    assert leads_out(file)
    assert not leads_out("train/1..png")


def test_a_labels_only_record_is_refused_by_name(tmp_path: Path) -> None:
    with Ledger(tmp_path / "run", write=True) as ledger:
        ledger.begin_pass({})
        row = ledger.add_record(Record(Photograph("aptos", "train", "7")))
        ledger.judge(row, conversation("aptos/train/7", "instruction"), b"", Verdict(kept=True))
        ledger.finish_pass()
    with pytest.raises(PhotographError, match="no file") as caught:
        export_run(tmp_path / "run", tmp_path / "out", format="llava")
    assert caught.value.where == "aptos/train/7"


def test_an_unfinished_run_is_refused_unless_allowed(build_run: BuildRun, tmp_path: Path) -> None:
    run = build_run(finished=False)
    with pytest.raises(LedgerError, match="not finished"):
        export_run(run, tmp_path / "out", format="llava")
    assert export_run(run, tmp_path / "out", format="llava", allow_unfinished=True).dialogues == 9


def test_nothing_to_export_is_an_error_that_names_the_filter(
    build_run: BuildRun, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"tracks \['knowledge'\]"):
        export_run(build_run(), tmp_path / "out", format="llava", tracks=["knowledge"])
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_format_offers_the_nearest(build_run: BuildRun, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        export_run(build_run(), tmp_path / "out", format="lava")
    assert "'llava'" in caught.value.mend


@pytest.mark.parametrize(
    ("turns", "what"),
    [
        ((Turn("See <image>?", "Yes."),), "<image>"),
        ((Turn("What?", " "),), "empty text"),
        ((), "without turns"),
        ((Turn("A?", "a"), Turn("B?", "b")), "2 turns"),
    ],
)
@pytest.mark.parametrize("format", ["llava", "messages", "parquet", "webdataset"])
def test_what_would_break_a_trainer_is_refused(
    build_run: BuildRun, tmp_path: Path, format: str, turns: tuple[Turn, ...], what: str
) -> None:
    def said(key: str) -> list[Conversation]:
        return [Conversation(key, "alignment", "en", turns, "endpoint", "1", 0)]

    with pytest.raises(DialogueError, match=what):
        export_run(build_run(said=said), tmp_path / "out", format=format)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_photograph_that_two_sets_share_is_never_parted(tmp_path: Path) -> None:
    """The same bytes, or nearly the same picture, under two names in two sets."""
    runs = []
    for dataset in ("one", "two"):
        folder = tmp_path / dataset
        with Ledger(folder, write=True) as ledger:
            ledger.begin_pass({"source": dataset, "photographs": str(folder)})
            for n in range(20):
                name = f"{n}.png"
                own = 120 if dataset == "one" else 60
                shared = f"{(n + 1) << (200 if n < 10 else own):064x}"
                photograph = Photograph(dataset, "all", str(n), file=name, perceptual_hash=shared)
                row = ledger.add_record(Record(photograph))
                spoken = conversation(f"{dataset}/all/{n}", "instruction")
                ledger.judge(row, spoken, b"hash", Verdict(kept=True))
            ledger.finish_pass()
        runs.append(folder)
    report = export_run(
        runs, tmp_path / "out", format="llava", fractions=(0.5, 0.0, 0.5), near_duplicate_bits=0
    )
    assert report.duplicates.across_datasets == 10
    assert all(
        report.splits.split_of[f"one/all/{n}"] == report.splits.split_of[f"two/all/{n}"]
        for n in range(10)
    )
    images = {
        row["image"] for f in (tmp_path / "out").glob("*.instruction.json") for row in rows_of(f)
    }
    assert {"one/0.png", "two/0.png"} <= images


@pytest.mark.parametrize("options", [{"format": "webdataset"}, {"photographs": "copy"}])
def test_a_file_that_may_name_the_person_is_not_passed_on(
    build_run: BuildRun, tmp_path: Path, options: dict[str, Any]
) -> None:
    run = build_run()
    photograph = tmp_path / "photographs" / "train" / "2.png"
    photograph.write_bytes(bytes(128) + b"DICM")  # known by its content
    with pytest.raises(PhotographError, match="may hold the name") as error:
        export_run(run, tmp_path / "out", **{"format": "llava", **options})
    assert str(photograph) in str(error.value)
    export_run(run, tmp_path / "linked", format="llava", photographs="link")
