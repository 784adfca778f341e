"""Predictions of other systems find their items, and what finds none is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from fundoscope.errors import ConfigError
from fundoscope.evaluate.answer_spaces import Levels, Options, YesNo
from fundoscope.evaluate.items import Item
from fundoscope.evaluate.prediction_files import FilePredictor

DR = "Is there diabetic retinopathy?"
GLAUCOMA = "Is there glaucoma?"


def item(key: str, question: str, photograph: str, *, wording: int = 0, **more: Any) -> Item:
    form = "dr" if question == DR else "other"
    fields: dict[str, Any] = {"space": YesNo("diabetic_retinopathy"), "truth": "yes"} | more
    return Item(
        id=f"{key}/{form}/en/{wording}",
        asked=f"{key}/{form}",
        key=key,
        patient=key,
        photographs=(Path("/data") / photograph,),
        question=question,
        language="en",
        wording=wording,
        **fields,
    )


ITEMS = [
    item("idrid/test/1", DR, "test/IDRiD_01.jpg"),
    item("idrid/test/1", GLAUCOMA, "test/IDRiD_01.jpg", space=YesNo("glaucoma")),
    item("idrid/test/2", DR, "test/IDRiD_02.jpg"),
]


def written(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def answers(predictor: FilePredictor) -> dict[str, str]:
    return {one.item: one.answer for one in predictor.answers(ITEMS)}


def test_retinalgpts_pairs_are_matched_by_photograph_and_question(tmp_path: Path) -> None:
    pairs = [
        {"question": f"{GLAUCOMA}\n<image>", "answer": "No."},
        {"question": DR, "answer": "Yes."},
    ]
    file = written(
        tmp_path / "out.jsonl", [{"id": 7, "image": "photos/IDRiD_01.jpg", "qa_pairs": pairs}]
    )
    predictor = FilePredictor(file, ITEMS)
    assert answers(predictor) == {"idrid/test/1/other/en/0": "No.", "idrid/test/1/dr/en/0": "Yes."}
    assert predictor.unmatched == () and predictor.name == "out"


def test_a_json_list_is_read_as_lines_are(tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    pairs = [{"question": DR, "answer": "Yes."}]
    file.write_text(json.dumps([{"id": "a", "image": "IDRiD_02.jpg", "qa_pairs": pairs}]))
    assert answers(FilePredictor(file, ITEMS)) == {"idrid/test/2/dr/en/0": "Yes."}


def test_llavas_answers_are_matched_by_their_id(tmp_path: Path) -> None:
    row = {
        "question_id": "idrid/test/2/dr/en/0",
        "prompt": f"<image>\n{DR} Answer yes or no.",
        "text": "No",
        "model_id": "llava",
    }
    assert answers(FilePredictor(written(tmp_path / "answers.jsonl", [row]), ITEMS)) == {
        "idrid/test/2/dr/en/0": "No"
    }


def test_an_id_with_another_question_does_not_match(tmp_path: Path) -> None:
    row = {"question_id": "idrid/test/2/dr/en/0", "prompt": GLAUCOMA, "text": "No"}
    predictor = FilePredictor(written(tmp_path / "answers.jsonl", [row]), ITEMS)
    assert answers(predictor) == {}
    assert len(predictor.unmatched) == 1
    assert "answers.jsonl:1" in predictor.unmatched[0]
    assert "something else" in predictor.unmatched[0]


def test_a_table_gives_answers_and_probabilities(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text(
        "item,answer,p_yes,p_no\nidrid/test/1/dr/en/0,Yes,0.8,0.2\nidrid/test/2/dr/en/0,No,,\n",
        encoding="utf-8-sig",
    )
    first, second = FilePredictor(file, ITEMS).answers(ITEMS)
    assert dict(first.probabilities) == {"yes": 0.8, "no": 0.2}
    assert dict(second.probabilities) == {} and second.answer == "No"


@pytest.mark.parametrize("said", ["1.2", "-0.1", "nan", "likely"])
def test_what_is_no_probability_is_refused(tmp_path: Path, said: str) -> None:
    file = tmp_path / "table.csv"
    file.write_text(f"id,answer,p_yes\nidrid/test/1/dr/en/0,Yes,{said}\n")
    with pytest.raises(ConfigError, match=f"probability of 'yes' is '{said}'"):
        FilePredictor(file, ITEMS)


def test_a_probability_of_a_strange_label_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    file.write_text("id,answer,p_maybe\nidrid/test/1/dr/en/0,Yes,0.5\n")
    with pytest.raises(ConfigError, match="no label of"):
        FilePredictor(file, ITEMS)


def test_two_answers_to_one_item_are_refused_with_both_places(tmp_path: Path) -> None:
    rows = [
        {"item": "idrid/test/1/dr/en/0", "answer": "Yes."},
        {"image": "IDRiD_01.jpg", "question": DR, "answer": "Yes."},
    ]
    with pytest.raises(ConfigError) as refused:
        FilePredictor(written(tmp_path / "two.jsonl", rows), ITEMS)
    assert refused.value.where == "two.jsonl:1 and two.jsonl:2"


def test_an_answer_replaces_an_earlier_failure(tmp_path: Path) -> None:
    """As our own memory of answers has it, where what failed is asked again."""
    rows = [
        {"item": "idrid/test/1/dr/en/0", "answer": "", "error": "no photograph"},
        {"item": "idrid/test/1/dr/en/0", "answer": "Yes."},
    ]
    assert answers(FilePredictor(written(tmp_path / "memory.jsonl", rows), ITEMS)) == {
        "idrid/test/1/dr/en/0": "Yes."
    }


def test_a_failure_is_a_prediction_with_its_reason(tmp_path: Path) -> None:
    rows = [
        {"id": "idrid/test/1/dr/en/0", "image": "x.jpg", "qa_pairs": [], "error": "no image"},
        {"id": "idrid/test/2/dr/en/0", "answer": "  "},
    ]
    first, second = FilePredictor(written(tmp_path / "a.jsonl", rows), ITEMS).answers(ITEMS)
    assert (first.answer, first.error) == ("", "no image")
    assert (second.answer, second.error) == ("", "the file has no answer")


def test_one_name_in_two_folders_needs_its_folder(tmp_path: Path) -> None:
    """RFMiD and IDRiD begin their ids anew in each part."""
    items = [
        item("rfmid/train/1", DR, "train/1.png"),
        item("rfmid/test/1", DR, "test/1.png"),
    ]
    rows = [
        {"image": "1.png", "question": DR, "answer": "No"},
        {"image": "RFMiD/test/1.png", "question": DR, "answer": "Yes"},
    ]
    file = written(tmp_path / "a.jsonl", rows)
    predictor = FilePredictor(file, items)
    assert "2 items ask this" in predictor.unmatched[0]
    assert [(one.item, one.answer) for one in predictor.answers(items)] == [
        ("rfmid/test/1/dr/en/0", "Yes")
    ]


def test_a_conversation_needs_the_questions_before_it(tmp_path: Path) -> None:
    asked = item("odir/all/1", DR, "1.jpg", before=("Which eye is it?", "Is it sharp?"))
    turns = ["Which eye is it?", "Is it sharp?", DR]
    pairs = [{"question": turn, "answer": f"To {turn}"} for turn in turns]
    row = {"id": asked.id, "image": "1.jpg", "qa_pairs": pairs}
    predictor = FilePredictor(written(tmp_path / "a.jsonl", [row]), [asked])
    (found,) = predictor.answers([asked])
    assert found.answer == f"To {DR}"
    assert len(predictor.unmatched) == 2  # the turns before it are no items here
    alone = {"id": "", "image": "1.jpg", "qa_pairs": pairs[2:]}
    predictor = FilePredictor(written(tmp_path / "b.jsonl", [alone]), [asked])
    assert list(predictor.answers([asked])) == []


def test_levels_and_options_have_their_labels(tmp_path: Path) -> None:
    graded = item("idrid/test/1", DR, "1.jpg", space=Levels("icdr"), truth=2)
    chosen = item(
        "idrid/test/2",
        DR,
        "2.jpg",
        space=Options((("A", "Glaucoma"), ("B", "Cataract"))),
        truth="B",
    )
    rows = [
        {"id": graded.id, "answer": "2", "probabilities": {"0": 0.1, "2": 0.9}},
        {"id": chosen.id, "answer": "B", "probabilities": {"A": 0.4, "B": 0.6}},
    ]
    file = written(tmp_path / "a.jsonl", rows)
    one, two = FilePredictor(file, [graded, chosen]).answers([graded, chosen])
    assert one.probabilities["2"] == 0.9 and two.probabilities["B"] == 0.6


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{broken\n", "no JSON"),
        ('["text"]', "no JSON object"),
        ('{"id": "1", "qa_pairs": 3}\n', "qa_pairs must be"),
        ('{"id": "1", "note": "x"}\n', "no answer among"),
        ("\n", "no answer in it"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, what: str) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    with pytest.raises(ConfigError, match=what):
        FilePredictor(file, ITEMS)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        FilePredictor(tmp_path / "none.jsonl", ITEMS)
