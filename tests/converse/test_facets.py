from collections import Counter
from pathlib import Path

import pytest

from fundoscope.config import Job, make_job
from fundoscope.converse import facets
from fundoscope.converse.build import build
from fundoscope.converse.composer import compose
from fundoscope.converse.facet_asking import WrongTurns, worded, words_for
from fundoscope.converse.facet_choice import choose, differs_from, is_urgent, orders, readable
from fundoscope.converse.facet_topics import Linked, levels_of, linked, unlinked_reason
from fundoscope.converse.facets import planned
from fundoscope.errors import ConfigError
from fundoscope.knowledge.graph import Fact, Source, facts_of, knowledge
from fundoscope.ledger import Ledger
from fundoscope.read.knowledge_topics import read_topics, topic_record
from fundoscope.read.sources import SourceRequest
from fundoscope.records import (
    LANGUAGES,
    Conversation,
    Finding,
    Grade,
    LesionTotal,
    Photograph,
    Record,
    Turn,
    record_to_json,
)
from fundoscope.testing import synthetic_records
from fundoscope.verify.check import Facts
from fundoscope.verify.knowledge import judge_said

EYE = Photograph("odir", "train", "17_left", eye="left")
GLAUCOMA = Record(EYE, findings=(Finding("glaucoma", "present", "keyword"),))
GRADE_0 = Record(EYE, grades=(Grade("icdr", 0, "label"),))
GRADE_2 = Record(EYE, grades=(Grade("icdr", 2, "label"),))
SOURCE = Source("made_up", "made up for a test", 2020, "", "seed")


def made_up(id: str, text: str = "", **more: object) -> Fact:
    told = {"facet": "examination", "link": "examination", "audience": ("clinician",)} | more
    return Fact(id, "glaucoma", en=text or id, zh=id, source=SOURCE, status="seen", **told)  # type: ignore[arg-type]


def facts_told(conversation: Conversation) -> list[Fact]:
    known = {fact.id: fact for fact in knowledge().facts}
    return [known[id] for turn in conversation.turns for id in turn.facts]


# about a condition


def test_every_dialogue_of_the_source_is_kept_and_says_only_facts_that_were_seen() -> None:
    request = SourceRequest(Path(), max_per_topic=2)
    for record in read_topics(request):
        assert isinstance(record, Record)
        for language in LANGUAGES:
            conversation = compose(record, "knowledge", language)
            verdict = judge_said(conversation, record)
            assert verdict.kept, (conversation.id, verdict.reason)
            assert {fact.status for fact in facts_told(conversation)} == {"seen"}


def test_a_record_about_a_condition_says_nothing_of_a_picture() -> None:
    record = topic_record("cataract", 1)
    assert record.photograph.modality == ""
    assert Facts.of(record).said == ()


def test_the_same_seed_gives_the_same_words_and_another_number_or_seed_others() -> None:
    def said(number: int, seed: int) -> tuple[Turn, ...]:
        return compose(topic_record("glaucoma", number), "knowledge", "en", seed).turns

    assert said(3, 0) == said(3, 0)
    assert len({said(3, seed) for seed in range(10)}) == 10
    assert len({said(number, 0) for number in range(1, 11)}) == 10


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_facet_of_many_facts_is_answered_in_twenty_ways(language: str) -> None:
    answers: dict[str, set[str]] = {}
    for number in range(1, 81):
        record = topic_record("glaucoma", number)
        for turn in compose(record, "knowledge", language).turns:  # type: ignore[arg-type]
            answers.setdefault(turn.aspects[0], set()).add(turn.answer)
    assert len(answers) == 5
    assert min(map(len, answers.values())) >= 20


def test_no_two_conditions_share_an_answer() -> None:
    owner: dict[str, str] = {}
    for condition in knowledge().conditions:
        for number in (1, 2, 3):
            for turn in compose(topic_record(condition, number), "knowledge", "en").turns:
                assert owner.setdefault(turn.answer, condition) == condition


def test_a_patient_is_told_only_what_is_worded_for_patients() -> None:
    seen = 0
    for number in range(1, 60):
        for one in planned(Facts.of(topic_record("cataract", number)), "en", 0):
            if one.audience == "patient":
                seen += 1
                assert all("patient" in fact.audience for fact in one.given)
    assert seen > 10


def test_a_narrow_question_is_answered_by_facts_of_its_kind() -> None:
    for number in range(1, 80):
        for one in planned(Facts.of(topic_record("glaucoma", number)), "en", 0):
            if one.question.endswith("What are the risk factors for glaucoma?"):
                assert {fact.link for fact in one.facts} == {"risk_factor"}
                return
    raise AssertionError("the question was never asked")


def test_no_question_comes_twice_in_a_dialogue_and_no_facet_either() -> None:
    for number in range(1, 40):
        turns = compose(topic_record("retinal_vein_occlusion", number), "knowledge", "zh").turns
        assert max(Counter(turn.question for turn in turns).values()) == 1
        assert max(Counter(turn.aspects for turn in turns).values()) == 1


def test_a_judged_statement_is_right_exactly_where_it_is_a_fact() -> None:
    said = Counter[str]()
    for number in range(1, 81):
        for one in planned(Facts.of(topic_record("glaucoma", number)), "en", 1):
            if not one.before:
                continue
            word_for_word = any(fact.en in one.question for fact in one.given)
            right = one.before in ("True.", "That is right.", "Yes, this is correct.")
            assert right == word_for_word
            said[str(right)] += 1
    assert said["True"]
    assert said["False"]


# facts of an answer


def test_orders_count_what_four_facts_can_give() -> None:
    assert orders(1) == 1
    assert orders(2) == 2
    assert orders(4) == 4 * 3 + 4 * 3 * 2 + 4 * 3 * 2 * 1  # pairs, triples, all


def test_what_is_urgent_comes_first() -> None:
    import random

    calm = [made_up(f"calm {n}", f"Sentence {n} tells of glaucoma number{n}.") for n in range(3)]
    now = made_up("now", "Glaucoma of that kind is an emergency.", link="urgency")
    for seed in range(20):
        told = choose([*calm, now], random.Random(seed))
        assert now not in told or told[0] == now
    assert is_urgent(now)
    assert not is_urgent(calm[0])


def test_advice_of_another_body_on_the_same_point_stands_beside_it() -> None:
    import random

    one = made_up("a", "The first body advises review in May.", guideline="AAO", link="follow_up")
    other = made_up("b", "The second body advises June.", guideline="ICO", link="follow_up")
    assert differs_from(one, other)
    for seed in range(20):
        told = choose([one, other], random.Random(seed), 1, 2)
        assert set(told) == {one, other}


def test_a_student_with_few_facts_reads_a_clinicians_and_a_patient_never_does() -> None:
    clinical = [made_up(str(n)) for n in range(3)]
    assert readable(clinical, "student") == clinical
    assert readable(clinical, "patient") == []


# about a photograph


@pytest.mark.parametrize("language", LANGUAGES)
def test_about_a_photograph_its_record_holds_and_the_rest_is_general(language: str) -> None:
    kept = 0
    for record in synthetic_records(150):
        if unlinked_reason(Facts.of(record)):
            continue
        conversation = compose(record, "knowledge", language)  # type: ignore[arg-type]
        verdict = judge_said(conversation, record)
        assert verdict.kept, (verdict.reason, record)
        kept += 1
    assert kept > 50


def test_the_first_question_does_not_name_what_was_found() -> None:
    for seed in range(40):
        assert "glaucoma" not in compose(GLAUCOMA, "knowledge", "en", seed).turns[0].question


def test_the_first_answer_says_what_is_recorded_before_what_is_known() -> None:
    first = compose(GLAUCOMA, "knowledge", "en", 0).turns[0]
    assert first.aspects == ("photograph",)
    assert first.facts
    told = first.answer.split("general", maxsplit=1)[0]
    assert "laucoma" in told


def test_facts_of_another_grade_are_not_told() -> None:
    mild = next(f for f in facts_of("diabetic_retinopathy") if f.id.endswith("grade.mild"))
    assert levels_of(mild) == {1}
    link = Linked("diabetic_retinopathy", "present", frozenset({2}))
    assert not link.fits(mild)
    for seed in range(60):
        for fact in facts_told(compose(GRADE_2, "knowledge", "en", seed)):
            assert levels_of(fact) in (frozenset(), frozenset({2})) or 2 in levels_of(fact)


def test_grade_zero_gets_prevention_and_checks_and_is_not_called_healthy() -> None:
    for seed in range(40):
        conversation = compose(GRADE_0, "knowledge", "en", seed)
        assert "That says nothing of other conditions of the eye." in conversation.turns[0].answer
        later = [f for f in facts_told(conversation) if f.link != "grade"]
        assert {f.link for f in later} <= {
            "prevention", "risk_factor", "lifestyle", "follow_up", "examination"
        }  # fmt: skip
        assert " healthy" not in conversation.turns[0].answer
        assert " normal" not in conversation.turns[0].answer


def test_of_a_condition_and_a_broader_one_the_nearer_is_spoken_of() -> None:
    import random

    record = Record(EYE, findings=(Finding("branch_retinal_vein_occlusion", "present", "k"),))
    for seed in range(10):
        link = linked(Facts.of(record), random.Random(seed))
        assert link is not None
        assert link.topic == "branch_retinal_vein_occlusion"


def test_a_record_that_links_to_nothing_is_rejected_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").write_bytes(
        record_to_json(GLAUCOMA) + b"\n" + record_to_json(Record(Photograph("a", "all", "1")))
    )
    job = Job(source="records", root=tmp_path, labels_only=True, tracks=("knowledge",))
    build(job, tmp_path / "run")
    with Ledger(tmp_path / "run") as ledger:
        assert len(list(ledger.kept())) == 2
        rejects = list(ledger.rejects())
    assert [one.reason for one in rejects] == [
        "no knowledge dialogue: no condition is recorded"
    ] * 2


def test_lesions_that_were_counted_can_be_spoken_of() -> None:
    record = Record(EYE, lesion_totals=(LesionTotal("microaneurysm", 3, 0.01, "mask"),))
    conversation = compose(record, "knowledge", "en", 0)
    assert "3 microaneurysms" in conversation.turns[0].answer
    assert {fact.condition for fact in facts_told(conversation)} == {"microaneurysm"}


# the source in a job


def test_the_source_needs_no_folder_and_others_do(tmp_path: Path) -> None:
    job = make_job(source="knowledge", tracks=["knowledge"], languages=["zh"], max_per_topic=1)
    assert "root" not in job.resolved()
    report = build(job, tmp_path / "run")
    assert report.tally.kept == report.tally.records == len(knowledge().conditions)
    assert report.tally.rejected == 0
    with pytest.raises(ConfigError, match="'root'"):
        make_job(source="odir")


def test_the_source_has_no_photographs_for_other_tracks(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no photographs"):
        build(make_job(source="knowledge", tracks=["instruction"]), tmp_path / "run")


def test_a_changed_fact_is_said_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = compose(GLAUCOMA, "knowledge", "en").prompt_version
    monkeypatch.setattr(facets, "knowledge_digest", lambda: "another")
    assert compose(GLAUCOMA, "knowledge", "en").prompt_version != before
    assert compose(GLAUCOMA, "instruction", "en").prompt_version.count(".") == 2


# a server words the facts

FRAME = Conversation(GLAUCOMA.key, "knowledge", "en", (), "endpoint", "1", 0)


def marked(record: Record) -> list[Turn]:
    """The answers of a model that says every fact as it stands, with its mark."""
    plan = planned(Facts.of(record), "en", 0)
    return [
        Turn(one.question, " ".join(f"{f.en[:-1]} [{n}]." for n, f in enumerate(one.given, 1)))
        for one in plan
        if one.given
    ]


def test_a_prompt_numbers_the_facts_of_each_question() -> None:
    _, user = words_for(Facts.of(GLAUCOMA), "en", 0, structured=False, photograph=False)
    for one in planned(Facts.of(GLAUCOMA), "en", 0):
        assert one.question in user
        for number, fact in enumerate(one.given, start=1):
            assert f"[{number}] {fact.en}" in user


def test_marked_answers_are_kept_without_their_marks() -> None:
    said, verdict = worded(marked(GLAUCOMA), Facts.of(GLAUCOMA), "en", 0, FRAME)
    assert verdict.kept, verdict.reason
    assert not any("[" in turn.answer for turn in said.turns)
    assert all(turn.facts for turn in said.turns)
    assert judge_said(said, GLAUCOMA, how="traced").kept


def test_an_answer_without_marks_is_refused() -> None:
    answers = [Turn("?", "Glaucoma gets better with carrots.") for _ in marked(GLAUCOMA)]
    _, verdict = worded(answers, Facts.of(GLAUCOMA), "en", 0, FRAME)
    assert not verdict.kept
    assert "no fact is cited" in verdict.reason


def test_a_missing_answer_is_no_dialogue() -> None:
    with pytest.raises(WrongTurns, match="answers to"):
        worded(marked(GLAUCOMA)[:-1], Facts.of(GLAUCOMA), "en", 0, FRAME)
