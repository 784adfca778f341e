"""A whole evaluation: its folder, the same bytes each time, going on after a stop."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fundoscope.errors import ConfigError, ReadError
from fundoscope.evaluate.answer_spaces import FoundTerms, YesNo
from fundoscope.evaluate.audit import Audit, Shared
from fundoscope.evaluate.comparing import compare_runs
from fundoscope.evaluate.comparison_report import write_comparison
from fundoscope.evaluate.evaluating import baselines_for, evaluate_predictor
from fundoscope.evaluate.evaluation import Evaluation, left_out
from fundoscope.evaluate.item_making import Asked
from fundoscope.evaluate.items import Item, Prediction
from fundoscope.evaluate.report_view import form_title, label_words, marked
from fundoscope.evaluate.run_files import (
    HTML,
    ITEMS,
    MANIFEST,
    MARKDOWN,
    PREDICTIONS,
    SCORES,
    read_items,
)
from fundoscope.evaluate.scoring import Draws
from fundoscope.evaluate.task_records import Choice, NotAsked
from fundoscope.evaluate.tasks import make_task

FEW = Draws(resamples=60)
TASK = make_task(
    {
        "name": "glaucoma-or-not",
        "title": "Glaucoma or not",
        "kind": "labels",
        "source": "table",
        "your_copy": "a folder",
        "licence": "CC0",
        "means": "Yes: glaucoma was seen.",
        "forms": [
            {
                "id": "glaucoma",
                "questions": {"en": ["Is there glaucoma?"], "zh": ["有青光眼吗？"]},
                "space": {"kind": "yes_no", "term": "glaucoma"},
                "truth": {"rule": "finding", "term": "glaucoma"},
            }
        ],
    },
    "here",
)


class Says:
    """Answers by the number of the item."""

    def __init__(self, name: str, answers: Sequence[str], *, sure: bool = False) -> None:
        self.name, self.said, self.sure, self.asked = name, answers, sure, 0

    def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
        for item in items:
            self.asked += 1
            said = self.said[int(item.patient) % len(self.said)]
            chance = 0.9 if said.startswith("Yes") else 0.2
            chances = {"yes": chance, "no": 1 - chance} if self.sure else {}
            if said == "nothing":
                continue
            if said == "error":
                yield Prediction(item.id, "", error="the server is gone")
            else:
                yield Prediction(item.id, said, chances)


def asked_of(folder: Path, n: int = 8) -> Asked:
    """Return questions about `n` photographs, every second one with glaucoma."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for number in range(n):
        file = folder / f"{number}.png"
        cv2.imwrite(str(file), np.full((24, 32, 3), 20 * number, np.uint8))
        key = f"table/all/{number}"
        items.append(
            Item(
                f"{key}/glaucoma/en/0",
                f"{key}/glaucoma",
                key,
                str(number),
                (file,),
                "Is there glaucoma?",
                "en",
                0,
                YesNo("glaucoma"),
                "yes" if number % 2 else "no",
            )
        )
    gone = NotAsked("table/all/99", "missing photograph", "no file 'x.png'")
    return Asked(TASK, Choice(), tuple(items), (gone,), None)


WORDS = ("No.", "Yes, the cup is wide.", "Yes.", "Glaucoma cannot be excluded.")


def run(folder: Path, out: str = "out", **options: Any) -> Evaluation:
    predictor = options.pop("predictor", None) or Says("model", WORDS, sure=True)
    options.setdefault("baselines", [Says("majority", ["No."])])
    asked = options.pop("asked", None) or asked_of(folder / "photographs")
    return evaluate_predictor(asked, predictor, folder / out, draws=FEW, jobs=1, **options)


def test_an_evaluations_folder_holds_what_was_promised(tmp_path: Path) -> None:
    run(tmp_path)
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {SCORES, ITEMS, MANIFEST, HTML, MARKDOWN, PREDICTIONS} <= names
    assert not [name for name in names if name.endswith(".partial")]


def test_the_same_inputs_give_the_same_bytes_in_another_folder(tmp_path: Path) -> None:
    run(tmp_path / "one")
    run(tmp_path / "other")
    for name in (SCORES, ITEMS, MANIFEST, HTML, MARKDOWN):
        one, other = ((tmp_path / folder / "out" / name) for folder in ("one", "other"))
        assert one.read_bytes() == other.read_bytes(), name


def test_no_file_holds_a_path_or_a_date(tmp_path: Path) -> None:
    run(tmp_path)
    for name in (SCORES, ITEMS, MANIFEST, HTML, MARKDOWN):
        text = (tmp_path / "out" / name).read_text()
        assert str(tmp_path) not in text
        assert not re.search(r"\b20[2-9]\d-[01]\d-[0-3]\d", text)


def test_another_photograph_or_answer_changes_the_manifest(tmp_path: Path) -> None:
    def manifest(out: str) -> Any:
        return json.loads((tmp_path / out / MANIFEST).read_text())

    run(tmp_path, "one")
    run(tmp_path, "two", predictor=Says("model", ("No.",)))
    cv2.imwrite(str(tmp_path / "photographs" / "0.png"), np.full((24, 32, 3), 7, np.uint8))
    asked = asked_of(tmp_path / "others", 8)
    items = [replace(asked.items[0], photographs=(tmp_path / "photographs" / "0.png",))]
    run(tmp_path, "three", asked=replace(asked, items=(*items, *asked.items[1:])))
    one, two, three = manifest("one"), manifest("two"), manifest("three")
    assert one["files"][ITEMS] != two["files"][ITEMS]
    assert one["photographs"] == two["photographs"]
    changed = [
        key for key in one["photographs"] if one["photographs"][key] != three["photographs"][key]
    ]
    assert changed == ["table/all/0"]


def test_a_stopped_evaluation_has_no_manifest_and_goes_on(tmp_path: Path) -> None:
    class Stops(Says):
        def answers(self, items: Sequence[Item]) -> Iterator[Prediction]:
            for number, prediction in enumerate(super().answers(items)):
                if number == 3:
                    raise KeyboardInterrupt
                yield prediction

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, predictor=Stops("model", WORDS, sure=True))
    assert not (tmp_path / "out" / MANIFEST).exists()
    rest = Says("model", WORDS, sure=True)
    run(tmp_path, predictor=rest)
    assert rest.asked == 8 - 3
    run(tmp_path, "whole")
    for name in (SCORES, ITEMS, MANIFEST, HTML):
        one, other = (tmp_path / out / name for out in ("out", "whole"))
        assert one.read_bytes() == other.read_bytes(), name


def test_what_is_missing_is_told_with_its_reason(tmp_path: Path) -> None:
    evaluation = run(tmp_path, predictor=Says("model", ("Yes.", "nothing", "error", "No.")))
    told = {one.reason: (one.count, one.names[0]) for one in left_out(evaluation)}
    assert told == {
        "missing photograph": (1, "table/all/99"),
        "no prediction for the question": (2, "table/all/1/glaucoma/en/0"),
        "not answered: the server is gone": (2, "table/all/2/glaucoma/en/0"),
    }
    text = (tmp_path / "out" / MARKDOWN).read_text()
    assert all(reason in text for reason in told)


def test_nothing_to_ask_is_refused_with_what_was_left_out(tmp_path: Path) -> None:
    asked = replace(asked_of(tmp_path), items=())
    with pytest.raises(ConfigError, match="missing photograph: 1"):
        run(tmp_path, asked=asked)


# the report


def page(folder: Path, **options: Any) -> str:
    run(folder, **options)
    return (folder / "out" / HTML).read_text()


def test_the_page_asks_nothing_of_any_server(tmp_path: Path) -> None:
    html = page(tmp_path)
    outside = re.findall(r'(?:src|href|action)="(?!#|data:)([^"]*)"|url\((?!data:)|@import', html)
    assert outside == []
    assert "<script" not in html


def test_the_page_shows_both_ways_and_the_baseline_beside_each_other(tmp_path: Path) -> None:
    html = page(tmp_path)
    assert "model, by its probabilities" in html
    assert '<th class="n">majority</th>' in html
    assert "Reliability" in html


def test_the_page_says_that_few_patients_are_few(tmp_path: Path) -> None:
    assert "Only 8 photographs of 8 patients" in page(tmp_path)


def test_the_page_says_that_it_is_no_medical_device(tmp_path: Path) -> None:
    html = page(tmp_path)
    assert "Research use; not a medical device." in html
    assert "not a medical device" in (tmp_path / "out" / MARKDOWN).read_text()


def test_what_a_model_says_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    evil = 'Yes. <script>alert("x")</script><img src=x onerror=y> | a | table |'
    html = page(tmp_path, predictor=Says("<b>model</b>", (evil,)))
    assert "<script" not in html and "<img src=x" not in html and "<b>model" not in html
    assert "&lt;script&gt;" in html
    assert "<b>" not in (tmp_path / "out" / MARKDOWN).read_text()


def test_the_worst_cases_show_the_photograph_and_the_words_that_decided(tmp_path: Path) -> None:
    html = page(tmp_path)
    assert html.count("<article") == 4  # 2 wrong and 2 undecided of the 8
    assert "data:image/jpeg;base64," in html
    assert "<mark>" in html


def test_an_audit_is_told_and_one_that_was_not_made_too(tmp_path: Path) -> None:
    assert "Not audited" in page(tmp_path)
    shared = (Shared("table/all/50", "same patient", "odir/all/7"),)
    asked = replace(asked_of(tmp_path / "photographs"), audit=Audit("run", 100, 3, 9, 8, shared))
    html = page(tmp_path, asked=asked)
    assert "Not audited" not in html
    assert "1 photograph of 9 are shared with the training set" in html


def test_markdown_has_a_row_for_each_system_with_n_and_interval(tmp_path: Path) -> None:
    run(tmp_path)
    text = (tmp_path / "out" / MARKDOWN).read_text()
    table = [line for line in text.splitlines() if line.startswith(("| model", "| majority"))]
    assert len(table) == 3
    assert re.search(r"\| 8 \| 0\.\d{3} \(0\.\d{3} to \d\.\d{3}\)", table[0])
    cells = {line.count("|") for line in table}
    assert len(cells) == 1


def bordered(folder: Path, n: int = 40) -> Asked:
    """Return questions about noise that say nothing of glaucoma, but for a border of those with."""
    asked = asked_of(folder, 8)
    items = []
    for number in range(n):
        noise = np.random.default_rng(number).integers(60, 200, (64, 64, 3), np.uint8)
        if number % 2:
            noise = cv2.copyMakeBorder(noise, 20, 20, 20, 20, cv2.BORDER_CONSTANT)
        file = folder / f"b{number}.png"
        cv2.imwrite(str(file), noise)
        first = asked.items[number % 2]
        key = f"table/all/{number}"
        items.append(
            replace(
                first,
                id=f"{key}/glaucoma/en/0",
                asked=f"{key}/glaucoma",
                key=key,
                patient=str(number),
                photographs=(file,),
            )
        )
    return replace(asked, items=tuple(items))


@pytest.mark.parametrize("said", [("I cannot tell.",), ("No.", "Yes.")])
def test_a_border_that_gives_the_label_away_is_flagged_whatever_the_model_says(
    tmp_path: Path, said: tuple[str, ...]
) -> None:
    asked = bordered(tmp_path / "photographs")
    predictor = Says("model", said)
    html = page(
        tmp_path, asked=asked, predictor=predictor, baselines=baselines_for(asked, predictor)
    )
    assert "The file gives this label away" in html
    assert "What the file alone tells" in html


def test_files_that_tell_nothing_are_not_flagged(tmp_path: Path) -> None:
    asked = bordered(tmp_path / "photographs")
    truths = np.random.default_rng(1).permutation(len(asked.items))
    items = tuple(
        replace(item, truth="yes" if draw % 2 else "no")
        for item, draw in zip(asked.items, truths, strict=True)
    )
    asked, predictor = replace(asked, items=items), Says("model", ("No.",))
    html = page(
        tmp_path, asked=asked, predictor=predictor, baselines=baselines_for(asked, predictor)
    )
    assert 'class="flag"' not in html


# comparisons


def test_items_come_back_from_their_file_as_they_were(tmp_path: Path) -> None:
    evaluation = run(tmp_path)
    read = list(read_items(tmp_path / "out"))
    assert [one.reading for one in read] == [one.reading for one in evaluation.system.scored]
    assert [one.item.space for one in read] == [one.item.space for one in evaluation.system.scored]
    assert [one.prediction for one in read] == [one.prediction for one in evaluation.system.scored]


def test_two_runs_are_compared_item_by_item(tmp_path: Path) -> None:
    run(tmp_path, "one", predictor=Says("one", ("No.", "Yes.")))  # all right
    run(tmp_path, "other", predictor=Says("other", ("No.",)))  # half right
    comparison = compare_runs([tmp_path / "one", tmp_path / "other"], resamples=60)
    (pair,) = comparison.compared
    first = pair.differences[0]
    assert (first.one, first.other, first.difference) == (1, 0.5, 0.5)
    html, markdown, _ = write_comparison(comparison, tmp_path / "compared")
    assert "one less other" in html.read_text()
    assert "| 1.000 | 0.500 | 0.500 " in markdown.read_text()


def test_an_unfinished_run_or_one_of_the_same_name_is_not_compared(tmp_path: Path) -> None:
    run(tmp_path, "one")
    run(tmp_path, "two")
    with pytest.raises(ConfigError, match="both called 'model'"):
        compare_runs([tmp_path / "one", tmp_path / "two"])
    (tmp_path / "two" / MANIFEST).unlink()
    with pytest.raises(ReadError, match="no finished evaluation"):
        compare_runs([tmp_path / "one", tmp_path / "two"])


# words of the report


def test_labels_of_many_terms_are_told_in_few_words() -> None:
    absent = tuple((term, "absent") for term in ("drusen", "cataract", "myopia", "media_haze"))
    label = FoundTerms((("glaucoma", "present"), *absent))  # type: ignore[arg-type]
    assert label_words(label) == "present: glaucoma; absent: 4 terms"


def test_the_words_that_decided_are_found_in_marks_of_any_width() -> None:
    pieces = marked("所见：有青光眼，无白内障。", "有青光眼,无白内障")
    assert [(one["text"], one["decided"]) for one in pieces] == [
        ("所见：", False),
        ("有青光眼，无白内障", True),
        ("。", False),
    ]


def test_quantities_and_scales_stand_by_their_names() -> None:
    assert form_title("crae_knudtson-zone_b") == "CRAE (Knudtson), zone b"
    assert form_title("hard_exudate") == "Hard exudate"
    assert form_title("any-dr") == "Any dr"
