"""Tasks in the forms of other kits, read as those kits read them, and their answers read back."""

import base64
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from PIL import Image

from fundoscope.errors import ConfigError, DialogueError, PhotographError
from fundoscope.evaluate.answer_spaces import FoundBoxes, FoundTerms, Value, YesNo
from fundoscope.evaluate.ecosystem import export_task
from fundoscope.evaluate.ecosystem_results import LmmsEvalFile, VlmevalkitFile
from fundoscope.evaluate.ecosystem_rows import bare_question, truth_text
from fundoscope.evaluate.item_making import Asked, Choice, items_of
from fundoscope.evaluate.items import Item
from fundoscope.evaluate.tasks import make_task, task

GROUPS = """
name: groups
title: Two groups
kind: labels
source: photographs
your_copy: A folder.
licence: CC0
means: A healthy, B glaucoma.
forms:
  - id: group
    questions:
      en: ["Which group?", "Healthy or glaucoma?"]
      zh: ["哪一组？", "健康还是青光眼？"]
    space:
      en: {kind: options, options: [[A, healthy retina], [B, glaucoma]]}
      zh: {kind: options, options: [[A, 健康眼底], [B, 青光眼]]}
    truth: {rule: name, pattern: "_(h|g)$", labels: {h: A, g: B}}
"""
OPEN = """
  - id: normal
    questions: {en: ["Is this a \\"normal\\" fundus?\\nSay so."], zh: ["正常吗？"]}
    space: {kind: yes_no, term: normal_fundus}
    truth: {rule: name, pattern: "_(h|g)$", labels: {h: "yes", g: "no"}}
"""
BOTH = Choice(languages=("en", "zh"), wordings=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "eyes"
    home.mkdir()
    for number, name in enumerate(("1_h", "2_g")):
        Image.new("RGB", (64, 48), (90, 40 * number, 10)).save(home / f"{name}.png")
    return home


@pytest.fixture
def groups(folder: Path) -> Asked:
    return items_of(make_task(yaml.safe_load(GROUPS), "groups.yaml"), folder, BOTH)


@pytest.fixture
def opened(folder: Path) -> Asked:
    fields = yaml.safe_load(GROUPS) | {"name": "opened", "forms": yaml.safe_load(OPEN)}
    return items_of(make_task(fields, "opened.yaml"), folder, BOTH)


def item(truth: Any) -> Item:
    return Item("i", "a", "k", "p", (), "?", "en", 0, YesNo("glaucoma"), truth)


@pytest.mark.parametrize(
    ("truth", "text"),
    [
        ("yes", "yes"),
        (0, "0"),
        (FoundTerms((("drusen", "absent"),)), '{"drusen": "absent"}'),
        (FoundBoxes((), ""), "[]"),
        (FoundBoxes(((0.1, 0.2, 0.3, 0.4),), "normalised"), "[[0.1, 0.2, 0.3, 0.4]]"),
        (Value(1.25, 1.25, 1.25), "1.25"),
        (("fact.a", "fact.b"), '["fact.a", "fact.b"]'),
    ],
)
def test_a_truth_is_written_as_text(truth: object, text: str) -> None:
    assert truth_text(item(truth)) == text


def test_options_stand_below_the_question_and_can_be_taken_off(groups: Asked) -> None:
    first = groups.items[0]
    assert first.question == "Which group?\nA. healthy retina\nB. glaucoma"
    assert bare_question(first) == "Which group?"


# --- VLMEvalKit: it reads the TSV with pandas


def test_a_tsv_of_choices_has_a_letter_a_column(groups: Asked, tmp_path: Path) -> None:
    file = export_task(groups, "vlmevalkit", tmp_path)
    table = pd.read_csv(file, sep="\t")
    assert file.name == "fundoscope_groups.tsv"
    assert list(table["index"]) == list(range(8)) and list(table["item"]) == [
        item.id for item in groups.items
    ]
    assert table.loc[0, ["question", "A", "B", "answer"]].tolist() == [
        "Which group?", "healthy retina", "glaucoma", "A",
    ]  # fmt: skip
    assert set(table["answer"]) == {"A", "B"}


def test_a_photograph_stands_once_and_later_rows_point_to_it(
    groups: Asked, folder: Path, tmp_path: Path
) -> None:
    table = pd.read_csv(export_task(groups, "vlmevalkit", tmp_path), sep="\t", dtype=str)
    images = dict(zip(table["index"], table["image"], strict=True))
    resolved = [images[i] if len(i) <= 64 else i for i in table["image"]]  # as the kit does
    assert [len(image) > 64 for image in table["image"]] == [True, *[False] * 3] * 2
    for text, one in zip(resolved, groups.items, strict=True):
        assert base64.b64decode(text) == one.photographs[0].read_bytes()


def test_an_open_question_keeps_its_line_breaks_and_quotes(opened: Asked, tmp_path: Path) -> None:
    file = export_task(opened, "vlmevalkit", tmp_path)
    table = pd.read_csv(file, sep="\t")
    assert "openended" in file.name and "A" not in table.columns
    assert table.loc[0, "question"] == 'Is this a "normal" fundus?\nSay so.'
    assert not table.isna().to_numpy().any()


@pytest.mark.parametrize("suffix", ["xlsx", "tsv", "csv", "json"])
def test_vlmevalkits_answers_are_read_back(groups: Asked, tmp_path: Path, suffix: str) -> None:
    table = pd.read_csv(export_task(groups, "vlmevalkit", tmp_path), sep="\t")
    table = table.drop(columns="image")  # as the kit does
    table["prediction"] = [
        "A", "The answer is B.", "中文：\t青光眼", "  ", "Failed to obtain answer via API.",
        "B", "A", "A",
    ]  # fmt: skip
    file = tmp_path / f"model_fundoscope_groups.{suffix}"
    if suffix == "xlsx":
        table.to_excel(file, index=False)
    elif suffix == "json":
        file.write_text(json.dumps(table.to_dict("records")))
    else:
        table.to_csv(file, sep="\t" if suffix == "tsv" else ",", index=False, quoting=1)
    predictor = VlmevalkitFile(file)
    read = {one.item: one for one in predictor.answers(groups.items)}
    assert [read[item.id].answer for item in groups.items][:3] == [
        "A", "The answer is B.", "中文：\t青光眼",
    ]  # fmt: skip
    assert [bool(read[item.id].error) for item in groups.items] == [
        False, False, False, True, True, False, False, False,
    ]  # fmt: skip
    assert predictor.unmatched == ()


def test_without_our_column_the_index_counts_if_the_question_is_the_same(
    groups: Asked, tmp_path: Path
) -> None:
    table = pd.read_csv(export_task(groups, "vlmevalkit", tmp_path), sep="\t")
    table = table[["index", "question"]].assign(prediction="A")
    file = tmp_path / "model.tsv"
    table.to_csv(file, sep="\t", index=False)
    assert len(list(VlmevalkitFile(file).answers(groups.items))) == 8
    with pytest.raises(DialogueError, match="index 0 asks 'Which group"):
        list(VlmevalkitFile(file).answers(groups.items[1:]))


def test_answers_to_items_that_were_left_out_are_named(groups: Asked, tmp_path: Path) -> None:
    file = tmp_path / "model.csv"
    pd.DataFrame({"index": [0], "item": ["gone"], "prediction": ["A"]}).to_csv(file, index=False)
    predictor = VlmevalkitFile(file)
    assert list(predictor.answers(groups.items)) == [] and predictor.unmatched == ("gone",)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "index,answer\n0,A\n", "has index and prediction"),
        ("a.csv", "index,prediction\nfirst,A\n", "no whole number"),
        ("a.json", "{}", "not a list of rows"),
        ("a.pkl", "x", "is not .xlsx"),
    ],
)
def test_another_file_is_refused(
    groups: Asked, tmp_path: Path, name: str, text: str, told: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DialogueError, match=told):
        list(VlmevalkitFile(tmp_path / name).answers(groups.items))


# --- lmms-eval: its loader resolves `!function FILE.NAME` beside the YAML


def loaded(home: Path) -> dict[str, Any]:
    """Load the YAML as the kit does."""
    spec = importlib.util.spec_from_file_location("utils_of_kit", home / "utils.py")
    assert spec and spec.loader
    functions = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(functions)

    class Loader(yaml.SafeLoader):
        pass

    def function(loader: yaml.Loader, node: yaml.ScalarNode) -> Any:
        module, name = loader.construct_scalar(node).split(".")
        assert module == "utils"
        return getattr(functions, name)

    Loader.add_constructor("!function", function)
    return yaml.load((home / f"{home.name}.yaml").read_text(), Loader)


def test_a_task_folder_of_lmms_eval_asks_every_item(groups: Asked, tmp_path: Path) -> None:
    home = export_task(groups, "lmms-eval", tmp_path)
    config = loaded(home)
    assert config["task"] == home.name == "fundoscope_groups"
    items = (home / config["dataset_kwargs"]["data_files"]["test"]).read_text(encoding="utf-8")
    rows = [json.loads(line) for line in items.splitlines()]
    assert [config["doc_to_text"](row) for row in rows] == [one.question for one in groups.items]
    assert [row[config["doc_to_target"]] for row in rows] == [
        truth_text(one) for one in groups.items
    ]
    for row, one in zip(rows, groups.items, strict=True):
        (picture,) = config["doc_to_visual"](row)
        with Image.open(one.photographs[0]) as own:
            assert picture.tobytes() == own.convert("RGB").tobytes()
    assert len(list((home / "photographs").iterdir())) == 2


def test_lmms_evals_answers_are_read_back(groups: Asked, tmp_path: Path) -> None:
    home = export_task(groups, "lmms-eval", tmp_path)
    config = loaded(home)
    answers = ["A", "B", "", "四", "A", "B", "A", "B"]
    file = tmp_path / "20260101_samples_fundoscope_groups.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number, line in enumerate((home / "items.jsonl").read_text("utf-8").splitlines()):
            doc = json.loads(line)
            told = config["process_results"](doc, [answers[number]])
            row = {"doc_id": number, "target": doc["answer"], "filtered_resps": answers[number]}
            out.write(json.dumps(row | told, ensure_ascii=False) + "\n")
    predictor = LmmsEvalFile(file)
    read = list(predictor.answers(groups.items))
    assert [one.answer for one in read] == answers
    assert [bool(one.error) for one in read] == [not answer for answer in answers]
    shared = config["metric_list"][0]["aggregation"](
        [{"item": "x", "answer": "A"}, {"item": "y", "answer": " "}]
    )
    assert shared == 0.5  # answered, right or wrong
    left = LmmsEvalFile(file)
    assert len(list(left.answers(groups.items[2:]))) == 6 and len(left.unmatched) == 2


def test_answers_to_another_task_of_lmms_eval_are_refused(groups: Asked, tmp_path: Path) -> None:
    file = tmp_path / "samples.jsonl"
    file.write_text('{"doc_id": 0, "filtered_resps": "A"}\n')
    with pytest.raises(DialogueError, match="was not written by fundoscope"):
        list(LmmsEvalFile(file).answers(groups.items))


def test_an_export_into_a_folder_with_other_files_is_refused(groups: Asked, tmp_path: Path) -> None:
    (tmp_path / "fundoscope_groups").mkdir()
    (tmp_path / "fundoscope_groups" / "thesis.tex").write_text("")
    with pytest.raises(ConfigError, match="thesis"):
        export_task(groups, "lmms-eval", tmp_path)


# --- Hugging Face


def test_a_hugging_face_data_set_says_which_column_is_a_picture(
    groups: Asked, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    home = export_task(groups, "huggingface", tmp_path / "hf")
    table = pq.read_table(home / "data/test-00000-of-00001.parquet")
    told = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert told["image"] == {"_type": "Image"} and set(told) == set(table.column_names)
    rows = table.to_pylist()
    assert [row["id"] for row in rows] == [one.id for one in groups.items]
    assert rows[0]["options"] == ["A. healthy retina", "B. glaucoma"]
    with Image.open(io.BytesIO(rows[0]["image"]["bytes"])) as picture:
        assert picture.size == (64, 48)


def test_its_card_tells_where_the_rows_are_and_what_the_labels_mean(
    groups: Asked, tmp_path: Path
) -> None:
    text = (export_task(groups, "huggingface", tmp_path) / "README.md").read_text("utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    (files,) = head["configs"][0]["data_files"]
    assert files["split"] == "test" and list(tmp_path.glob(files["path"] + ".parquet"))
    assert "A healthy, B glaucoma." in text and "CC0" in text and "not a medical device" in text


def test_datasets_itself_reads_it(groups: Asked, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    home = export_task(groups, "huggingface", tmp_path / "hf")
    rows = datasets.load_dataset(str(home), split="test", cache_dir=str(tmp_path / "cache"))
    assert rows[0]["image"].size == (64, 48) and len(rows) == 8


def test_a_dialogue_keeps_its_earlier_questions(real_data: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    asked = items_of(
        task("idrid-dialogue"), real_data / "IDRiD", Choice(part="all", most=1), look=False
    )
    home = export_task(asked, "huggingface", tmp_path)
    rows = pq.read_table(home / "data/test-00000-of-00001.parquet").to_pylist()
    assert [len(row["before"]) for row in rows] == list(range(len(rows)))
    for kit in ("vlmevalkit", "lmms-eval"):
        with pytest.raises(ConfigError, match="follows earlier questions"):
            export_task(asked, kit, tmp_path / kit)


def test_knowledge_has_no_picture(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    asked = items_of(task("knowledge"), None, Choice(most=2))
    home = export_task(asked, "huggingface", tmp_path)
    rows = pq.read_table(home / "data/test-00000-of-00001.parquet").to_pylist()
    assert {row["image"] for row in rows} == {None}
    assert json.loads(rows[0]["answer"]) == list(asked.items[0].truth)  # type: ignore[arg-type]


# --- what is common to all


def test_an_unknown_kit_offers_the_nearest(groups: Asked, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no kit 'vlmeval'") as caught:
        export_task(groups, "vlmeval", tmp_path)
    assert "vlmevalkit" in caught.value.mend


@pytest.mark.parametrize("kit", ["vlmevalkit", "lmms-eval", "huggingface"])
def test_dicom_is_not_passed_on(groups: Asked, folder: Path, tmp_path: Path, kit: str) -> None:
    (folder / "2_g.png").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 64)
    with pytest.raises(PhotographError, match="name of the person"):
        export_task(groups, kit, tmp_path / "out")


@pytest.mark.parametrize("kit", ["vlmevalkit", "lmms-eval", "huggingface"])
def test_the_same_items_give_the_same_bytes(groups: Asked, tmp_path: Path, kit: str) -> None:
    written = []
    for name in ("one", "two"):
        home = tmp_path / name
        export_task(groups, kit, home)
        files = sorted(file for file in home.rglob("*") if file.is_file())
        written.append([(file.relative_to(home), file.read_bytes()) for file in files])
    assert written[0] == written[1] and written[0]
