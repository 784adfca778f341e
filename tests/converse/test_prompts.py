import json
import time
from importlib.resources import files

import pytest
import yaml
from jinja2 import UndefinedError

from fundoscope.converse import prompts
from fundoscope.converse.jobs import ready_jobs
from fundoscope.converse.prompts import (
    SCHEMA,
    facts_text,
    first_messages,
    label_space,
    prompt_version,
    repair_message,
    reread_message,
)
from fundoscope.converse.transcript import read_transcript
from fundoscope.describe.description import description
from fundoscope.errors import ConfigError
from fundoscope.measure.all_sources import sources
from fundoscope.records import LANGUAGES, Grade, Measured, Photograph, Record, Unmeasured
from fundoscope.testing import synthetic_record, synthetic_records
from fundoscope.verify.check import Facts, check_text

FOLDER = files("fundoscope") / "converse" / "prompts"
OCCASIONS = ("instruction", "alignment", "repair", "reread")
TEMPLATES = [f"{name}.{lang}.j2" for name in OCCASIONS for lang in LANGUAGES]


def messages(track="instruction", language="en", source="aptos", **options):
    options = {"structured": False, "photograph": False} | options
    return first_messages("FACTS\n- a fact", track, language, source, **options)


# facts


@pytest.mark.parametrize("language", LANGUAGES)
def test_facts_hold_every_line_of_the_description(language):
    for record in synthetic_records(20):
        lines = facts_text(record, language).splitlines()
        assert lines[0] == {"en": "FACTS", "zh": "已知事实"}[language]
        described = description(record, language).splitlines()
        hidden = {"en": "the set", "zh": "该数据集"}[language]
        assert lines[1:] == [line.replace(": synthetic]", f": {hidden}]") for line in described[1:]]


def test_facts_end_with_what_is_not_known():
    assert facts_text(synthetic_record(1), "en").endswith("\nAnything not listed is not known.")
    assert facts_text(synthetic_record(1), "zh").endswith("\n未列出的内容均为未知。")


def test_facts_name_source_and_reason():
    record = Record(
        Photograph("aptos", "train", "000c1434d8d7"),
        grades=(Grade("icdr", 2, "aptos label"),),
        measurements=(
            Measured("crae_knudtson", 155.52, "um", "AutoMorph"),
            Unmeasured("cdr_vertical", "no optic disc was found"),
        ),
    )
    assert facts_text(record, "en").splitlines() == [
        "FACTS",
        "- This is a colour fundus photograph. [source: the set]",
        "- Diabetic retinopathy is graded 2 on the ICDR scale: moderate non-proliferative "
        "diabetic retinopathy. [source: aptos label]",
        "- The CRAE (Knudtson) is 155.5 µm. [source: AutoMorph]",
        "- Not measured: the vertical cup-to-disc ratio. [reason: no optic disc was found]",
        "Anything not listed is not known.",
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_of_photograph_patient_or_folder_is_among_the_facts(language):
    photograph = Photograph(
        "Ward 7 Mueller", "all", "IM_0012", "x/IM_0012.jpg", eye="left", patient="P-4711"
    )
    reason = "IM_0012 of P-4711 in\nWard 7 Mueller/all/IM_0012 has no disc"
    record = Record(
        photograph,
        measurements=(Unmeasured("cdr_vertical", reason),),
        notes=("seen by Dr Mueller",),
        age_years=61.0,
        sex="female",
        origin=("table.csv:7",),
    )
    text = facts_text(record, language)
    for name in ("IM_0012", "P-4711", "Mueller", "Ward", "table.csv", "61", "female"):
        assert name not in text
    assert len(text.splitlines()) == 5


def test_a_number_that_is_also_a_patient_stays_a_number():
    record = Record(
        Photograph("a", "all", "155.5", patient="155.5"),
        measurements=(
            Measured("crae_knudtson", 155.52, "um", "AutoMorph"),
            Unmeasured("cdr_vertical", "no disc in 155.5"),
        ),
    )
    text = facts_text(record, "en")
    assert "The CRAE (Knudtson) is 155.5 µm." in text and "no disc in ...]\n" in text


def test_quantities_of_the_same_vessels_and_zone_are_told_together():
    names = ("fractal_dimension", "vessel_density")
    record = Record(
        Photograph("a", "all", "1"),
        measurements=tuple(
            Measured(name, 0.5, "1", "T", of=of, where="zone_b")
            for name in names
            for of in ("arteries", "veins")
        ),
    )
    told = [line for line in facts_text(record, "en").splitlines() if "zone B" in line]
    assert len(told) == 2
    assert all("fractal dimension" in line and "vessel density" in line for line in told)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_copies_the_facts_is_supported_word_for_word(language):
    for record in synthetic_records(40, seed=3):
        facts = Facts.of(record)
        for line in facts_text(record, language, facts).splitlines()[1:-1]:
            said = line.removeprefix("- ").rpartition(" [")[0]
            judged = check_text(said, facts, language)
            assert judged and all(one.judgement == "supported" for one in judged), (said, judged)


@pytest.mark.parametrize(
    ("language", "said"),
    [("en", "Glaucoma was not assessed. The AVR (Knudtson) was not measured."),
     ("zh", "青光眼未评估。未测量AVR（Knudtson）。")],
)  # fmt: skip
def test_what_the_rules_say_for_the_unknown_is_what_the_check_accepts(language, said):
    record = Record(Photograph("a", "all", "1"), grades=(Grade("icdr", 0, "s"),))
    judged = check_text(said, Facts.of(record), language)
    assert len(judged) == 2
    assert {one.judgement for one in judged} == {"supported"}


# label spaces


def test_every_source_says_what_its_labels_speak_of():
    spaces = yaml.safe_load((FOLDER / "label_spaces.yaml").read_text(encoding="utf-8"))
    named = {*sources.names(), *(job.source for job in ready_jobs().values())}
    assert named <= set(spaces)
    assert all(set(space) == set(LANGUAGES) for space in spaces.values())
    assert all(len(label_space(name, lang)) > 40 for name in spaces for lang in LANGUAGES)


def test_a_source_from_elsewhere_gets_the_careful_statement():
    assert label_space("clinic-of-a-plugin", "en") == label_space("other", "en")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("aptos", "does not say that the eye is healthy"),
        ("idrid", "nothing of fluid"),
        ("messidor", "not the ICDR scale"),
        ("odir", "not for the patient"),
        ("ukbiobank", "No diagnosis at all"),
        ("rfmid", "not glaucoma"),
        ("mmac1", "not pathological myopia"),
        ("mmac2", "must not be called absent"),
        ("perceived", "not the same as absent"),
    ],
)
def test_what_a_label_does_not_say_is_told(source, words):
    assert words in messages(source=source)[0]


# rules


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("track", prompts.TRACKS)
def test_the_system_message_is_the_same_for_every_record(track, language):
    ask = {"structured": False, "photograph": False}
    one = first_messages("FACTS\n- one", track, language, "idrid", **ask)
    two = first_messages("FACTS\n- two", track, language, "idrid", **ask)
    assert one[0] == two[0]
    assert one[1].startswith("FACTS\n- one\n") and "two" in two[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_the_alignment_prompt_asks_for_one_turn(language):
    assert "ONE_TURN" in messages("alignment", language)[0]
    assert "ONE_TURN" not in messages("instruction", language)[0]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("track", prompts.TRACKS)
def test_the_form_is_lines_or_json(track, language):
    lines, structured = messages(track, language)[0], messages(track, language, structured=True)[0]
    assert "User:" in lines and '"turns"' not in lines
    assert '"turns"' in structured and "User:" not in structured


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("track", prompts.TRACKS)
def test_the_photograph_is_spoken_of_as_attached_only_where_it_is(track, language):
    word = {"en": "attached", "zh": "附上"}[language]
    assert word in messages(track, language, photograph=True)[0]
    assert word not in messages(track, language)[0]


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_template_holds_a_number_to_copy_or_a_mark_for_the_photograph(name):
    text = (FOLDER / name).read_text(encoding="utf-8")
    assert not any(character.isdigit() for character in text)
    assert "<image>" not in text  # some servers put a picture there


@pytest.mark.parametrize("track", prompts.TRACKS)
def test_the_rules_stand_in_the_prompt(track):
    system = messages(track)[0]
    for words in (
        "exactly as it stands",
        "beside",
        "the name of its quantity",
        "the zone",
        "systemic disease",
        "does not make an eye healthy",
        "No advice, no treatment, no dose",
        "Never speak of facts, data",
        "What is not listed is not known",
        "No diagnosis beyond",
    ):
        assert words in system, words


def test_a_value_that_a_template_lacks_is_an_error():
    template = prompts._template("instruction.en.j2")
    with pytest.raises(UndefinedError):
        prompts._block(template, "user")
    with pytest.raises(UndefinedError):
        prompts._template("reread.zh.j2").render()


def test_an_unknown_track_offers_the_nearest():
    with pytest.raises(ConfigError) as caught:
        messages("instruct")
    assert "instruction" in str(caught.value)


# asking again


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_repair_names_every_fault_and_a_reread_its_reason(language):
    text = repair_message(["contradicted: crae is 150 um", "the same question twice"], language)
    assert "\n- contradicted: crae is 150 um\n- the same question twice\n" in text
    assert "question 2 has no answer" in reread_message("question 2 has no answer", language)


def test_the_schema_is_what_the_reader_reads():
    turns = SCHEMA["properties"]["turns"]["items"]
    said = {"turns": [dict.fromkeys(turns["required"], "Yes.")]}
    assert turns["required"] == list(turns["properties"])
    assert [turn.answer for turn in read_transcript(json.dumps(said), "en")] == ["Yes."]
    json.dumps(SCHEMA)  # what is sent must be plain


# versions

PLACES = [(t, lang, s) for t in prompts.TRACKS for lang in LANGUAGES for s in ("aptos", "odir")]


@pytest.fixture
def changed(monkeypatch):
    read = prompts._data
    caches = (prompts.prompt_version, prompts.label_space, prompts._template, prompts._system)

    def change(name, old, new):
        def data(asked):
            return read(asked).replace(old, new, 1) if asked == name else read(asked)

        monkeypatch.setattr(prompts, "_data", data)
        for cache in caches:
            cache.cache_clear()

    yield change
    monkeypatch.undo()
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("name", TEMPLATES)
def test_one_other_byte_in_a_template_is_another_version_of_what_uses_it(changed, name):
    before = {place: prompt_version(*place) for place in PLACES}
    text = (FOLDER / name).read_text(encoding="utf-8")
    changed(name, text[-3], text[-3] + " ")
    moved = {place for place in PLACES if prompt_version(*place) != before[place]}
    kind, language, _ = name.split(".")
    assert moved == {
        place for place in PLACES if place[1] == language and kind in (place[0], "repair", "reread")
    }


def test_another_label_space_is_another_version_of_that_source_alone(changed):
    before = {place: prompt_version(*place) for place in PLACES}
    changed("label_spaces.yaml", "One grade of diabetic", "A grade of diabetic")
    moved = {place for place in PLACES if prompt_version(*place) != before[place]}
    assert moved == {place for place in PLACES if place[1:] == ("en", "aptos")}


def test_a_version_is_short_and_says_ours():
    assert prompt_version("instruction", "en", "aptos").startswith(f"prompt-{prompts.VERSION}.")
    assert len(prompt_version("instruction", "en", "aptos")) < 30


# speed


def test_a_prompt_takes_milliseconds():
    records = [(record, Facts.of(record)) for record in synthetic_records(20)]
    best = 1.0
    for _ in range(5):
        started = time.perf_counter()
        for record, facts in records:
            first_messages(
                facts_text(record, "en", facts), "instruction", "en", "odir",
                structured=False, photograph=True,
            )  # fmt: skip
        best = min(best, (time.perf_counter() - started) / len(records))
    assert best < 0.02
