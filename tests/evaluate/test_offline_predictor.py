"""The offline assistant says what it sees, in words that are read back, and says when it cannot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fundoscope.evaluate import sightings
from fundoscope.evaluate.answer_spaces import (
    Boxes,
    EyeSide,
    Findings,
    FoundBoxes,
    FoundTerms,
    Levels,
    Number,
    Options,
    Quality,
    Space,
    Value,
    YesNo,
)
from fundoscope.evaluate.answers import read_answer
from fundoscope.evaluate.items import Item
from fundoscope.evaluate.offline_answers import WHY, answer_from, cannot
from fundoscope.evaluate.offline_knowledge import condition_in, facet_in, facts_text
from fundoscope.evaluate.offline_predictor import OfflinePredictor
from fundoscope.evaluate.sightings import Sighting, sighting
from fundoscope.knowledge.graph import facts_of
from fundoscope.records import (
    LANGUAGES,
    Grade,
    Language,
    Lesion,
    LesionTotal,
    Measured,
    Photograph,
    Record,
    Structure,
    Unmeasured,
)

BOX = (0.1, 0.2, 0.3, 0.4)
SEEN = Sighting(
    record=Record(
        Photograph("seen", "all", "photograph", eye="left", width_px=2000, height_px=1000),
        grades=(Grade("perceived_quality", 1, "q"),),
        lesions=(Lesion("haemorrhage", BOX, 0.01, "l"),),
        lesion_totals=(
            LesionTotal("haemorrhage", 1, 0.01, "l"),
            LesionTotal("hard_exudate", 0, 0.0, "l"),
        ),
        structures=(Structure("optic_disc", (0.5, 0.4, 0.6, 0.55), "d"),),
        measurements=(
            Measured("fractal_dimension", 1.42, "1", "t", of="veins", where="zone_b"),
            Measured("fractal_dimension", 1.51, "1", "t", of="all", where="whole"),
            Measured("crae_knudtson", 21.0, "px", "t", where="zone_b"),
            Unmeasured("cdr_vertical", "the cup is not told"),
            Measured("hard_exudate_count", 2.0, "1", "t"),
            Measured("hard_exudate_fovea_distance", 0.8, "DD", "t"),
        ),
    ),
    kind="macula_centred",
    conditions={
        "glaucoma": 0.7,
        "cataract": 0.01,
        "diabetic_retinopathy": 0.4,
        "normal_fundus": 0.02,
    },
    judged={
        "glaucoma": "present",
        "cataract": "absent",
        "diabetic_retinopathy": "uncertain",
        "normal_fundus": "absent",
    },
    lesion_certainty={"haemorrhage": 0.9, "hard_exudate": 0.2},
    quality={"good": 0.2, "usable": 0.7, "reject": 0.1},
    eye_by="disc and fovea",
)
SPACES: tuple[Space, ...] = (
    YesNo("glaucoma"),
    Levels("icdr"),
    Levels("dme_risk"),
    Findings(("glaucoma", "cataract")),
    EyeSide(),
    Options((("A", "Glaucoma"), ("B", "Cataract"))),
    Boxes(),
    Number("fractal_dimension", "1"),
)


def read(seen: Sighting, space: Space, language: Language, question: str = "?") -> Any:
    told = answer_from(seen, question, space, language)
    return read_answer(told.text, space).label


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("space", "label"),
    [
        (YesNo("glaucoma"), "yes"),
        (YesNo("cataract"), "no"),
        (YesNo("normal_fundus"), "no"),
        (YesNo("abnormality"), "yes"),
        (YesNo("haemorrhage"), "yes"),
        (YesNo("hard_exudate"), "no"),
        (YesNo("diabetic_retinopathy"), None),
        (YesNo("diabetic_retinopathy", suspected=True), "suspected"),
        (YesNo("macular_hole"), None),
        (YesNo("colour_fundus_photograph"), "yes"),
        (YesNo("ultra_widefield_photograph"), "no"),
        (Levels("icdr"), None),
        (Levels("messidor_dr"), None),
        (Levels("dme_risk"), 2),
        (Quality(), "usable"),
        (Quality(binary=True), "gradable"),
        (EyeSide(), "left"),
        (Options((("A", "Cataract"), ("B", "Glaucoma"))), "B"),
        (Options((("A", "Macular hole"), ("B", "Glaucoma"))), None),
        (Number("fractal_dimension", "1"), Value(1.51, 1.51, 1.51)),
        (Number("fractal_dimension", "1", "veins", "zone_b"), Value(1.42, 1.42, 1.42)),
        (Number("fractal_dimension", "1", "arteries", "zone_b"), None),
        (Number("crae_knudtson", "um", "", "zone_b"), None),
        (Number("crae_knudtson", "px", "", "zone_b"), Value(21.0, 21.0, 21.0)),
        (Number("cdr_vertical", "1"), None),
    ],
)
def test_what_is_seen_is_read_back(space: Space, label: Any, language: Language) -> None:
    assert read(SEEN, space, language) == label


@pytest.mark.parametrize("language", LANGUAGES)
def test_findings_are_present_absent_or_not_assessed(language: Language) -> None:
    space = Findings(("glaucoma", "cataract", "diabetic_retinopathy", "macular_hole"))
    label = read(SEEN, space, language)
    assert isinstance(label, FoundTerms)
    assert label.status_of("glaucoma") == "present" and label.status_of("cataract") == "absent"
    assert label.status_of("diabetic_retinopathy") not in ("present", "absent")
    assert label.status_of("macular_hole") not in ("present", "absent")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("question", "boxes"),
    [
        ({"en": "Where are the haemorrhages?", "zh": "出血在哪里？"}, (BOX,)),
        ({"en": "Box every hard exudate.", "zh": "请标出硬性渗出。"}, ()),
        ({"en": "Where is the optic disc?", "zh": "视盘在哪里？"}, ((0.5, 0.4, 0.6, 0.55),)),
        ({"en": "Box all lesions.", "zh": "请标出所有病灶。"}, (BOX,)),
    ],
)
@pytest.mark.parametrize("convention", [None, "normalised", "pixels", "0-1000"])
def test_boxes_are_of_what_is_asked_for_in_the_notation_asked_for(
    question: dict[Language, str], boxes: Any, language: Language, convention: Any
) -> None:
    found = read(SEEN, Boxes((2000, 1000), convention), language, question[language])
    assert isinstance(found, FoundBoxes) and found.boxes == boxes


def test_a_lesion_that_nobody_looks_for_is_not_denied() -> None:
    assert read(SEEN, Boxes(), "en", "Where is the lacquer crack?") is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("why", WHY)
def test_that_something_cannot_be_told_is_no_answer(why: str, language: Language) -> None:
    text = cannot(why, language).text
    for space in (*SPACES, Quality(), Quality(binary=True)):
        assert read_answer(text, space).outcome == "abstained", space


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refused_photograph_is_judged_by_its_quality_alone(language: Language) -> None:
    grades = (Grade("perceived_quality", 2, "q"),)
    refused = replace(
        SEEN,
        refused="the photograph is too poor to be judged: blur",
        record=replace(SEEN.record, grades=grades),
    )
    assert read(refused, Quality(), language) == "reject"
    assert read(refused, Quality(binary=True), language) == "ungradable"
    for space in SPACES:
        assert read(refused, space, language) is None
    nothing = replace(refused, kind="not_a_fundus_photograph")
    assert read(nothing, YesNo("colour_fundus_photograph"), language) == "no"


def test_what_is_uncertain_is_called_so_and_a_probability_stands_beside_a_verdict() -> None:
    space = Findings(("cataract", "diabetic_retinopathy", "macular_hole"))
    assert answer_from(SEEN, "?", space, "en").text == (
        "There is no sign of cataract. Not assessed: macular hole. Uncertain: diabetic retinopathy."
    )
    told = answer_from(SEEN, "?", YesNo("glaucoma"), "en").text
    assert told.startswith("Yes.") and "probability of 0.70" in told


def test_the_networks_probabilities_are_given_also_where_it_is_uncertain() -> None:
    told = answer_from(SEEN, "?", YesNo("diabetic_retinopathy"), "en")
    assert told.probabilities == {"yes": 0.4, "no": 0.6}
    normal = answer_from(SEEN, "?", YesNo("abnormality"), "en").probabilities
    assert normal["yes"] == pytest.approx(0.98)
    told = answer_from(SEEN, "?", Findings(("glaucoma", "macular_hole")), "en")
    assert told.probabilities == {"glaucoma": 0.7}
    options = Options((("A", "Cataract"), ("B", "Glaucoma")))
    assert answer_from(SEEN, "?", options, "en").probabilities["B"] == pytest.approx(0.7 / 0.71)


def test_exudates_far_from_the_fovea_are_level_1_and_none_is_level_0() -> None:
    """By the scale's own definition: within one disc diameter is 2, farther away 1."""

    def level(count: float, distance: float | None) -> Any:
        measured: list[Measured] = [Measured("hard_exudate_count", count, "1", "t")]
        if distance is not None:
            measured.append(Measured("hard_exudate_fovea_distance", distance, "DD", "t"))
        seen = replace(SEEN, record=replace(SEEN.record, measurements=tuple(measured)))
        return read(seen, Levels("dme_risk"), "en")

    assert [level(0, None), level(3, 1.4), level(3, 1.0), level(3, None)] == [0, 1, 2, None]


# knowledge


def item(question: str, language: Language = "en", **more: Any) -> Item:
    fields: dict[str, Any] = {"photographs": (), "space": Findings(()), "truth": ()} | more
    return Item(
        id=f"1/{language}/0",
        asked="1",
        key="1",
        patient="1",
        question=question,
        language=language,
        wording=0,
        **fields,
    )


@pytest.mark.parametrize(
    ("question", "facet"),
    [
        ("How is glaucoma recognised on the fundus?", "visual"),
        ("Why do people develop glaucoma, and what do they notice?", "causes"),
        ("What should be done to examine someone with glaucoma?", "examination"),
        ("Which treatments exist for glaucoma, and can it be prevented?", "treatment"),
        ("How does glaucoma develop over time, and what can a person do?", "prognosis"),
        ("青光眼有哪些眼底表现？", "visual"),
        ("请说明青光眼的成因以及患者的表现。", "causes"),
        ("怀疑青光眼时应做哪些检查？", "examination"),
        ("青光眼有哪些治疗方法？", "treatment"),
        ("青光眼长期会怎样发展？", "prognosis"),
        ("Hello?", None),
    ],
)
def test_a_question_tells_its_facet(question: str, facet: str | None) -> None:
    assert facet_in(question) == facet


def test_facts_are_said_word_for_word() -> None:
    (made,) = OfflinePredictor().answers([item("How is glaucoma treated?")])
    facts = facts_of("glaucoma", "treatment")
    assert facts and all(fact.en in made.answer for fact in facts)
    (made,) = OfflinePredictor().answers([item("青光眼如何治疗和预防？", "zh")])
    assert all(fact.zh in made.answer for fact in facts)


def test_the_longest_name_is_the_condition() -> None:
    question = "How is dry age-related macular degeneration treated?"
    assert condition_in(question, "en") == "dry_age_related_macular_degeneration"
    assert facts_text("How is it treated?", "en") is None


# a predictor


def test_a_photograph_is_looked_at_once_for_all_its_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []

    def look(photograph: Path) -> Sighting:
        looked.append(photograph)
        return SEEN

    monkeypatch.setattr(sightings, "_seen", look)
    one, other = tmp_path / "one.jpg", tmp_path / "other.jpg"
    one.write_bytes(b"one")
    other.write_bytes(b"other")
    items = [
        replace(item("Is there glaucoma?", photographs=(file,), space=YesNo("glaucoma")), id=id)
        for id, file in (("a", one), ("b", other), ("c", one))
    ]
    cache = tmp_path / "cache"
    first = list(OfflinePredictor(cache).answers(items))
    assert len(looked) == 2 and {made.item for made in first} == {"a", "b", "c"}
    assert list(OfflinePredictor(cache).answers(items)) == first
    assert len(looked) == 2  # a second run reads what was seen
    assert sighting(one, cache) == SEEN  # every field survives the disk
    one.write_bytes(b"another photograph under the old name")
    list(OfflinePredictor(cache).answers(items))
    assert len(looked) == 3


def test_a_photograph_that_is_none_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photograph")
    asked = item("Is there glaucoma?", photographs=(broken,), space=YesNo("glaucoma"))
    missing = replace(asked, id="missing", photographs=(tmp_path / "none.jpg",))
    made = list(OfflinePredictor().answers([asked, missing]))
    assert all(one.error and not one.answer for one in made)


def test_two_photographs_are_not_answered_about(tmp_path: Path) -> None:
    asked = item("Which is worse?", photographs=(tmp_path / "a", tmp_path / "b"), space=EyeSide())
    (made,) = OfflinePredictor().answers([asked])
    assert read_answer(made.answer, EyeSide()).outcome == "abstained"


def test_a_real_photograph_is_seen_and_kept(real_data: Path, tmp_path: Path) -> None:
    """HRF's 02_dr shows a right eye: looked at, its disc lies to the right of its fovea."""
    (file,) = (real_data / "HRF" / "images").glob("02_dr.*")
    seen = sighting(file, tmp_path)
    assert seen.record.photograph.eye == "right" and seen.eye_by == "disc and fovea"
    assert sum(seen.quality.values()) == pytest.approx(1, abs=1e-3)
    assert not seen.refused and seen.conditions
    assert sighting(file, tmp_path) == seen
    assert len(list(tmp_path.iterdir())) == 1
