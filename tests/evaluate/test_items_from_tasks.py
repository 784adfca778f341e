"""Items from a user's copy: made by hand here, and counted on real files."""

import random
from collections import Counter
from pathlib import Path

import pytest
import yaml
from PIL import Image

from fundoscope.errors import ConfigError, LabelError
from fundoscope.evaluate.answer_spaces import Boxes, FoundBoxes, FoundTerms, Value
from fundoscope.evaluate.audit import Training
from fundoscope.evaluate.item_making import Asked, Choice, Copy, items_of
from fundoscope.evaluate.task_counts import counts_of, describe_task, task_table
from fundoscope.evaluate.tasks import Task, make_task, task
from fundoscope.evaluate.truths import NotTold, truth_rule
from fundoscope.records import Finding, Grade, Measured, Photograph, Record, Unmeasured

OWN = """
name: own
title: Our clinic
kind: labels
source: table
your_copy: A folder with one table.
licence: ours
means: "Yes: any diabetic retinopathy."
forms:
  - id: dr
    questions:
      en: ["Is there diabetic retinopathy?", "Do you see diabetic retinopathy?"]
      zh: ["有糖尿病视网膜病变吗？", "能看到糖尿病视网膜病变吗？"]
    space: {kind: yes_no, term: diabetic_retinopathy}
    truth: {rule: from_level, scale: icdr, least: 1}
"""


def own_task(**changes: object) -> Task:
    return make_task({**yaml.safe_load(OWN), **changes}, "own.yaml")


def dotted(file: Path, seed: int) -> None:
    """Save a photograph of random dots: different seeds are no near-duplicates."""
    dots = random.Random(seed).randbytes(64 * 64 * 3)
    Image.frombytes("RGB", (64, 64), dots).resize((256, 256)).save(file)


@pytest.fixture
def clinic(tmp_path: Path) -> Path:
    """Five eyes of three patients: grades 0, 2, none told, 1 (its file is missing), 4 (broken)."""
    rows = ["image,patient,icdr", "a.png,anna,0", "b.png,anna,2", "c.png,ben,", "d.png,ben,1"]
    (tmp_path / "labels.csv").write_text("\n".join([*rows, "e.png,cai,4\n"]))
    for seed, name in enumerate("abc"):
        dotted(tmp_path / f"{name}.png", seed)
    (tmp_path / "e.png").write_bytes((tmp_path / "a.png").read_bytes()[:2000])
    return tmp_path


def record(**known: object) -> Record:
    return Record(Photograph("set", "all", "1"), **known)  # type: ignore[arg-type]


def told(record: Record, rule: str, **parameters: object) -> object:
    return truth_rule({"rule": rule, **parameters})(Path())(record)


# --- items


def test_every_photograph_is_asked_about_or_left_out_with_its_reason(clinic: Path) -> None:
    asked = items_of(own_task(), clinic)
    assert [(item.key, item.truth) for item in asked.items] == [
        ("labels/all/a", "no"),
        ("labels/all/b", "yes"),
    ]
    assert {(one.key.removeprefix("labels/all/"), one.why) for one in asked.left_out} == {
        ("c/dr", "truth not told"),
        ("d.png", "missing photograph"),
        ("e", "unreadable photograph"),
    }


def test_a_grade_that_is_not_told_is_not_taken_for_none(clinic: Path) -> None:
    asked = items_of(own_task(), clinic, look=False)
    assert "labels/all/c" not in {item.key for item in asked.items}
    assert counts_of(asked)["left_out"]["truth not told"] == {"no level of icdr": 1}


def test_both_eyes_of_a_person_are_drawn_together_in_intervals(clinic: Path) -> None:
    patients = {item.key: item.patient for item in items_of(own_task(), clinic).items}
    assert patients["labels/all/a"] == patients["labels/all/b"] == "labels//anna"


def test_where_no_patient_is_known_each_photograph_stands_for_itself(real_data: Path) -> None:
    for item in items_of(task("hrf-normal"), real_data / "HRF", look=False).items:
        assert item.patient == item.key


def test_ids_are_unique_and_tell_question_language_and_wording(clinic: Path) -> None:
    choice = Choice(languages=("en", "zh"), wordings=0)
    items = items_of(own_task(), clinic, choice).items
    assert len({item.id for item in items}) == len(items) == 2 * 2 * 2
    assert items[0].id == "labels/all/a/dr/en/0"
    assert {item.asked for item in items} == {"labels/all/a/dr", "labels/all/b/dr"}


def test_the_same_choice_asks_the_same_in_the_same_order(clinic: Path) -> None:
    choice = Choice(languages=("en", "zh"), seed=3)
    assert items_of(own_task(), clinic, choice).items == items_of(own_task(), clinic, choice).items


def test_one_wording_a_photograph_still_asks_every_wording_of_a_set(real_data: Path) -> None:
    items = items_of(task("odir-eye"), real_data / "ODIR5K", Choice(part="all"), look=False).items
    counts = Counter(item.wording for item in items)
    assert set(counts) == {0, 1, 2, 3}
    assert min(counts.values()) > 0.2 * len(items)  # a quarter each, by chance


def test_a_seed_draws_other_wordings(real_data: Path) -> None:
    def wordings(seed: int) -> list[int]:
        choice = Choice(part="all", seed=seed, most=50)
        asked = items_of(task("hrf-normal"), real_data / "HRF", choice, look=False)
        return [item.wording for item in asked.items]

    assert wordings(0) != wordings(1)


def test_a_larger_number_keeps_the_photographs_of_a_smaller_one(real_data: Path) -> None:
    def keys(most: int) -> set[str]:
        choice = Choice(part="all", most=most)
        asked = items_of(task("odir-eye"), real_data / "ODIR5K", choice, look=False)
        assert asked.counts_left_out()["beyond the limit"] == 1299 - most
        return {item.key for item in asked.items}

    assert keys(20) < keys(100)


def test_a_language_that_a_task_lacks_is_refused(clinic: Path) -> None:
    english = yaml.safe_load(OWN)["forms"][0] | {"questions": {"en": ["Is there DR?"]}}
    with pytest.raises(ConfigError, match="cannot be asked in 'zh'"):
        items_of(own_task(forms=[english]), clinic, Choice(languages=("zh",)))


def test_a_truth_that_is_no_label_of_its_space_is_an_error(clinic: Path) -> None:
    form = yaml.safe_load(OWN)["forms"][0]
    form["truth"] |= {"labels": ["healthy", "ill"]}
    with pytest.raises(ConfigError, match="truth 'healthy' of form 'dr' is no label"):
        items_of(own_task(forms=[form]), clinic)


def test_an_unknown_part_offers_the_nearest(clinic: Path) -> None:
    with pytest.raises(ConfigError, match="no part 'tset'"):
        items_of(own_task(), clinic, Choice(part="tset"))  # type: ignore[arg-type]


def test_a_label_file_that_a_task_names_must_be_there(clinic: Path) -> None:
    with pytest.raises(ConfigError, match=r"no label file grades\*.csv"):
        items_of(own_task(labels=["grades*.csv"]), clinic)


def test_what_a_model_was_trained_on_is_left_out_and_listed(clinic: Path) -> None:
    training = Training("run", patients={("labels", "anna"): "labels/train/x"}, photographs=1)
    asked = items_of(own_task(), clinic, training=training)
    assert asked.items == ()
    assert asked.audit is not None and asked.audit.counts() == {"same patient": 2}
    reasons = [one.reason for one in asked.left_out if one.why == "trained on"]
    assert reasons == ["same patient as labels/train/x"] * 2


def test_a_drawn_part_holds_whole_patients_and_shares_none(real_data: Path) -> None:
    def patients(part: str) -> set[str]:
        asked = items_of(
            task("odir-eye"),
            real_data / "ODIR5K",
            Choice(part=part),
            look=False,  # type: ignore[arg-type]
        )
        return {item.patient for item in asked.items}

    train, test = patients("train"), patients("test")
    assert train and test and not train & test
    assert 0.05 < len(test) / 976 < 0.15  # a tenth was asked for


# --- dialogues


def test_in_a_dialogue_each_question_follows_those_before_it(real_data: Path) -> None:
    copy, choice = real_data / "IDRiD", Choice(part="all", languages=("zh",))
    items = items_of(task("idrid-dialogue"), copy, choice, look=False).items[:6]
    for number, item in enumerate(items):
        assert item.before == tuple(one.question for one in items[:number])


def test_a_question_without_a_truth_is_asked_in_its_place_and_not_scored(real_data: Path) -> None:
    choice = Choice(part="all", wordings=0)
    items = items_of(task("odir-dialogue"), real_data / "ODIR5K", choice, look=False).items
    unsure = next(
        item.key for item in items if item.key + "/normal" not in {i.asked for i in items}
    )
    later = [item for item in items if item.asked == f"{unsure}/diabetic-retinopathy"]
    assert later and all("normal" in item.before[2] for item in later)


# --- rules


def test_no_diabetic_retinopathy_does_not_make_an_eye_normal() -> None:
    graded = record(grades=(Grade("icdr", 0, "by hand"),))
    assert isinstance(told(graded, "normal_or_not"), NotTold)


@pytest.mark.parametrize(
    ("findings", "truth"),
    [
        ({"normal_fundus": "present"}, "yes"),
        ({"normal_fundus": "present", "lens_dust": "present"}, "yes"),
        ({"drusen": "present"}, "no"),
        ({"glaucoma": "suspected"}, None),
        ({"cataract": "present"}, None),
        ({"low_image_quality": "present"}, None),
        ({"normal_fundus": "present", "drusen": "present"}, None),
    ],
)
def test_an_eye_is_normal_by_what_is_said_of_its_fundus(
    findings: dict[str, str], truth: str | None
) -> None:
    said = tuple(Finding(term, status, "by hand") for term, status in findings.items())  # type: ignore[arg-type]
    found = told(record(findings=said), "normal_or_not")
    assert found == truth if truth else isinstance(found, NotTold)


def test_a_narrower_finding_counts_for_the_broader_term() -> None:
    wet = record(findings=(Finding("wet_age_related_macular_degeneration", "present", "x"),))
    assert told(wet, "finding", term="age_related_macular_degeneration") == "yes"
    assert isinstance(told(wet, "finding", term="glaucoma"), NotTold)
    assert told(wet, "finding", term="glaucoma", unlisted="absent") == "no"


def test_a_broader_absence_does_not_follow_from_a_narrower_one() -> None:
    no_wet = record(findings=(Finding("wet_age_related_macular_degeneration", "absent", "x"),))
    assert isinstance(told(no_wet, "finding", term="age_related_macular_degeneration"), NotTold)


def test_a_suspected_finding_is_scored_neither_way() -> None:
    unsure = record(findings=(Finding("glaucoma", "suspected", "x"),))
    both = ["glaucoma", "drusen"]
    assert isinstance(told(unsure, "finding", term="glaucoma", unlisted="absent"), NotTold)
    assert told(unsure, "findings", terms=both, unlisted="absent") == FoundTerms(
        (("drusen", "absent"),)
    )


def test_a_quantity_that_was_not_measured_keeps_its_reason() -> None:
    found = told(
        record(measurements=(Unmeasured("cdr_vertical", "no disc was found"),)),
        "measured",
        quantity="cdr_vertical",
    )
    assert found == NotTold("cdr_vertical was not measured: no disc was found")


def test_two_values_of_a_quantity_tell_none() -> None:
    zones = (
        Measured("crae_knudtson", 150, "um", "x", where="zone_b"),
        Measured("crae_knudtson", 160, "um", "x", where="zone_c"),
    )
    both = record(measurements=zones)
    assert told(both, "measured", quantity="crae_knudtson") == NotTold(
        "several values of crae_knudtson"
    )
    assert told(both, "measured", quantity="crae_knudtson", where="zone_c") == Value(160, 160, 160)


def test_two_levels_on_one_scale_tell_none() -> None:
    both = record(grades=(Grade("clinical_dr", 1, "x"), Grade("clinical_dr", 2, "x")))
    assert told(both, "level", scale="clinical_dr") == NotTold("several levels of clinical_dr")


def test_a_bare_yes_of_yaml_is_the_label_yes() -> None:
    graded = record(grades=(Grade("icdr", 3, "x"),))
    assert told(graded, "from_level", scale="icdr", least=2, labels=[False, True]) == "yes"


def test_a_table_of_labels_that_is_not_there_is_named(clinic: Path) -> None:
    rule = truth_rule(
        {"rule": "column", "file": "no.csv", "id": "Name", "column": "DME", "labels": {"1": "yes"}}
    )
    with pytest.raises(LabelError, match="0 files"):
        rule(clinic)(record())


# --- real files, counted with other tools (`wc`, `cut | sort | uniq -c`)


def on(real_data: Path, name: str, folder: str, **copy: object) -> Asked:
    root = real_data / folder
    choice = Choice(part="all", languages=("en", "zh"))
    return items_of(task(name), Copy(root, **copy), choice, look=False)  # type: ignore[arg-type]


def truths(asked: Asked) -> Counter[object]:
    return Counter(item.truth for item in asked.items if item.language == "en")


def test_hrf_has_ten_photographs_a_group(real_data: Path) -> None:
    assert truths(on(real_data, "hrf-diagnosis", "HRF")) == {"A": 10, "B": 10, "C": 10}
    assert truths(on(real_data, "hrf-normal", "HRF")) == {"yes": 10, "no": 20}


def test_unam_is_read_by_its_table_and_what_it_marks_as_unknown_is_left_out(
    real_data: Path,
) -> None:
    assert truths(on(real_data, "unam-dme", "UNAM_FUNDUS")) == {"yes": 67, "no": 83}
    asked = on(real_data, "unam-dr", "UNAM_FUNDUS")
    assert truths(asked) == {"yes": 37, "no": 56}
    assert asked.counts_left_out() == {"truth not told": 57}


def test_odir_eyes_are_counted_by_their_keywords(real_data: Path) -> None:
    normal = on(real_data, "odir-normal", "ODIR5K")
    rows = (real_data / "ODIR5K/labels.csv").read_text(encoding="utf-8").splitlines()[1:]
    bare = [row for row in rows if row.endswith(",normal fundus")]
    assert truths(normal)["yes"] >= len(bare)  # and those with dust on the lens
    assert normal.photographs + len({k.key for k in normal.left_out}) == len(rows) == 1300


def test_rfmid_says_of_its_six_what_its_columns_say(real_data: Path) -> None:
    labels = (real_data / "labels/rfmid_train.csv",)
    asked = on(real_data, "rfmid-findings", "RFMiD", labels=labels)
    first = next(item for item in asked.items if item.key == "rfmid/train/1")
    assert isinstance(first.truth, FoundTerms)
    assert first.truth.status_of("diabetic_retinopathy") == "present"
    assert first.truth.status_of("drusen") == "absent"
    assert truths(on(real_data, "rfmid-risk", "RFMiD", labels=labels)) == {"yes": 6}


def test_idrid_boxes_lie_round_the_outlines(real_data: Path) -> None:
    import numpy as np

    asked = items_of(
        task("idrid-lesion-boxes"), real_data / "IDRiD", Choice(part="all", most=2), look=True
    )
    item = next(item for item in asked.items if item.asked.endswith("/optic-disc"))
    assert isinstance(item.truth, FoundBoxes) and isinstance(item.space, Boxes)
    assert item.space.size == (2144, 1424)
    name = item.photographs[0].stem
    mask = np.asarray(Image.open(real_data / f"IDRiD/lesions/{name}.png")) == 5
    rows, columns = np.nonzero(mask)
    x_min, y_min, x_max, y_max = item.truth.boxes[0]
    height, width = mask.shape
    expected = (columns.min() / width, rows.min() / height)
    assert (x_min, y_min) == pytest.approx(expected, abs=1e-3)
    expected = ((columns.max() + 1) / width, (rows.max() + 1) / height)
    assert (x_max, y_max) == pytest.approx(expected, abs=1e-3)


def test_automorph_values_are_those_of_its_tables(real_data: Path) -> None:
    import csv

    asked = on(real_data, "automorph-quantities", "AutoMorph")
    values = {item.asked: item.truth for item in asked.items}
    table = real_data / "AutoMorph/Results/M3/Binary_Features_Measurement.csv"
    row = next(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    expected = float(row["FD_boxC"])
    found = values["AutoMorph/all/1/fractal_dimension-all-whole"]
    assert isinstance(found, Value) and found.value == expected
    assert not any("average_width" in name for name in values)  # its table has no scale


def test_knowledge_is_asked_without_a_photograph_and_has_facts(real_data: Path) -> None:
    from fundoscope.knowledge.graph import facts_of

    asked = items_of(task("knowledge"), None, Choice(languages=("en", "zh")))
    item = next(item for item in asked.items if item.asked.endswith("glaucoma-0001/treatment"))
    assert item.photographs == ()
    assert item.truth == tuple(fact.id for fact in facts_of("glaucoma", "treatment"))
    assert "glaucoma" in item.question
    assert not any("{" in item.question for item in asked.items)


# --- counts


def test_counts_are_of_questions_not_of_their_wordings(clinic: Path) -> None:
    counts = counts_of(items_of(own_task(), clinic, Choice(languages=("en", "zh"), wordings=0)))
    assert counts["items"] == 8 and counts["questions"] == 2
    assert counts["labels"] == {"dr": {"no": 1, "yes": 1}}


def test_the_list_of_tasks_counts_the_copies_it_is_given(real_data: Path) -> None:
    copies = {"hrf-normal": real_data / "HRF", "odir": real_data / "nowhere"}
    rows = {row["name"]: row for row in task_table(copies)}
    assert rows["hrf-normal"]["photographs"] == 30
    assert rows["odir-eye"]["problem"] and rows["odir-eye"]["items"] is None
    assert rows["aptos-grade"]["items"] is None and not rows["aptos-grade"]["problem"]
    assert rows["knowledge"]["items"] > 300


def test_a_task_is_described_with_and_without_a_copy(real_data: Path) -> None:
    assert "counts" not in describe_task(task("hrf-normal"))
    told = describe_task(task("hrf-normal"), real_data / "HRF")
    assert told["counts"]["labels"] == {"normal": {"no": 20, "yes": 10}}
    assert told["forms"][0]["truth"]["rule"] == "name"
