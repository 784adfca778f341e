from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from fundoscope.knowledge.graph import Fact, Source, facts_of
from fundoscope.read.knowledge_topics import topic_record
from fundoscope.records import Conversation, Finding, Language, Photograph, Record, Turn, Verdict
from fundoscope.verify.knowledge import How, denied, judge_knowledge, without_marks
from fundoscope.verify.knowledge_lexicon import read_sentence
from fundoscope.verify.knowledge_phrases import sentences_of, without_opening

PARAPHRASES = Path(__file__).parent / "data" / "paraphrases.yaml"
SOURCE = Source("made_up", "made up for a test", 2020, "", "seed")


def fact(en: str, zh: str = "无", **more: object) -> Fact:
    told = {"facet": "visual", "link": "sign", "audience": ("patient",)} | more
    return Fact("glaucoma.x", "glaucoma", en=en, zh=zh, source=SOURCE, status="seen", **told)  # type: ignore[arg-type]


HOLE = fact("In one study glaucoma surgery lowered eye pressure by 30 % within 6 to 12 months.")
CALM = fact("Glaucoma is usually painless and does not redden the eye.")
MAYBE = fact("Glaucoma can damage the optic nerve.")


def verdict(
    answer: str, *given: Fact, how: How = "marked", language: Language = "en", question: str = "?"
) -> Verdict:
    turn = Turn(question, answer, ("visual",), tuple(one.id for one in given))
    record = topic_record("glaucoma", 1)
    said = Conversation(record.key, "knowledge", language, (turn,), "a test", "", 0)
    return judge_knowledge(said, record, [given], how)


# word for word


def test_a_fact_in_its_own_words_is_supported() -> None:
    assert verdict(HOLE.en, HOLE, how="exact").kept
    assert verdict(f"In addition, {HOLE.en[0].lower()}{HOLE.en[1:]}", HOLE, how="exact").kept


def test_a_changed_word_is_no_fact_any_more() -> None:
    told = verdict(HOLE.en.replace("30", "40"), HOLE, how="exact")
    assert not told.kept
    assert "none of the facts given" in told.reason


def test_a_fact_that_was_not_given_for_the_turn_is_refused() -> None:
    assert not verdict(MAYBE.en, HOLE, how="exact").kept


def test_a_pronoun_stands_for_the_condition() -> None:
    assert verdict(f"{MAYBE.en} It is usually painless and does not redden the eye.", MAYBE, CALM,
                   how="exact").kept  # fmt: skip


def test_a_phrase_of_the_closed_list_claims_nothing_and_another_sentence_does() -> None:
    assert verdict(f"{HOLE.en} This does not replace an examination by an eye doctor.", HOLE,
                   how="exact").kept  # fmt: skip
    assert not verdict(f"{HOLE.en} It is nothing to worry about.", HOLE, how="exact").kept


def test_seek_care_at_once_needs_a_fact_that_is_urgent() -> None:
    advice = "Anyone with such symptoms should seek care at once."
    assert not verdict(f"{CALM.en} {advice}", CALM, how="exact").kept
    urgent = fact("Sudden loss of sight in glaucoma is an emergency.", link="urgency")
    assert verdict(f"{urgent.en} {advice}", urgent, how="exact").kept


# statements to be judged


def test_only_a_plain_sentence_is_denied() -> None:
    plain = fact("Glaucoma is a disease of the optic nerve.", "青光眼是视神经疾病。")
    assert denied(plain, "en") == "Glaucoma is not a disease of the optic nerve."
    assert denied(plain, "zh") == "青光眼不是视神经疾病。"
    assert denied(CALM, "en") == ""
    assert denied(MAYBE, "en") == ""


def test_true_and_false_must_fit_the_statement() -> None:
    plain = fact("Glaucoma is a disease of the optic nerve.")
    right = f"True or false: {plain.en}"
    wrong = f"True or false: {denied(plain, 'en')}"
    assert verdict(f"True. {plain.en}", plain, how="exact", question=right).kept
    assert verdict(f"False. {plain.en}", plain, how="exact", question=wrong).kept
    assert not verdict(f"False. {plain.en}", plain, how="exact", question=right).kept
    assert not verdict(f"True. {plain.en}", plain, how="exact", question=wrong).kept


# paraphrases


@pytest.mark.parametrize("language", ["en", "zh"])
def test_faithful_paraphrases_are_let_through(language: Language) -> None:
    kept, entries = 0, yaml.safe_load(PARAPHRASES.read_text(encoding="utf-8"))[language]
    assert len(entries) == 30
    for entry in entries:
        given = [
            replace(fact(one["text"], one["text"]), condition=one["id"].partition(".")[0])
            for one in entry["facts"]
        ]
        record = topic_record(given[0].condition, 1)
        said = Conversation(
            record.key, "knowledge", language, (Turn("?", entry["said"]),), "a test", "", 0
        )
        kept += judge_knowledge(said, record, [given], "marked").kept
    assert kept >= 29


FAITHFUL = (
    "In one study, surgery for glaucoma reduced eye pressure by 30 % within 6 to 12 months [1]."
)
SPOILT = [
    ("a number", "30 %", "40 %"),
    ("a unit", "months", "weeks"),
    ("a number twice", "by 30 %", "by 30 % in 30 people"),
    ("a direction", "reduced", "raised"),
    ("a denial", "reduced", "did not reduce"),
    ("another condition", "glaucoma", "cataract"),
    ("a condition that nobody knows", "glaucoma", "keratoconus"),
    ("a drug", "glaucoma", "glaucoma with bevacizumab"),
    ("a made-up drug", "glaucoma", "glaucoma with fundomab"),
    ("a strong word", "reduced", "always reduced"),
    ("other people", "months", "months in children"),
    ("a fact that is not there", "[1]", "[2]"),
    ("no mark", " [1]", ""),
]


@pytest.mark.parametrize(("what", "old", "new"), SPOILT, ids=[what for what, _, _ in SPOILT])
def test_a_spoilt_paraphrase_is_refused(what: str, old: str, new: str) -> None:
    assert verdict(FAITHFUL, HOLE).kept
    assert not verdict(FAITHFUL.replace(old, new), HOLE).kept


def test_a_reserve_may_not_be_dropped() -> None:
    assert verdict("The optic nerve may be damaged by glaucoma [1].", MAYBE).kept
    told = verdict("Glaucoma damages the optic nerve [1].", MAYBE)
    assert not told.kept
    assert "reserve" in told.reason


def test_a_denial_may_not_be_lost() -> None:
    assert verdict("Glaucoma usually causes no pain, and the eye is not reddened [1].", CALM).kept
    assert not verdict("Glaucoma is usually painless and does redden the eye [1].", CALM).kept


def test_a_sentence_may_cite_two_facts() -> None:
    said = "Glaucoma can damage the optic nerve and usually is painless [1, 2]."
    assert verdict(said, MAYBE, CALM).kept
    assert not verdict(said.replace("1, 2", "1"), MAYBE, CALM).kept


def test_a_sentence_of_another_condition_is_refused_whatever_it_cites() -> None:
    other = next(f for f in facts_of("macular_hole", "visual") if f.link == "definition")
    assert not verdict(f"{other.en[:-1]} [1].", MAYBE).kept


def test_marks_may_stand_before_or_behind_the_full_stop() -> None:
    assert verdict("Glaucoma can damage the optic nerve. [1]", MAYBE).kept
    assert without_marks("Glaucoma can damage the optic nerve. [1]") == MAYBE.en
    assert without_marks("青光眼可损害视神经[1]。") == "青光眼可损害视神经。"


# about a photograph


def test_what_is_said_of_the_photograph_must_be_what_is_recorded() -> None:
    record = Record(
        Photograph("odir", "train", "1"), findings=(Finding("glaucoma", "present", "k"),)
    )

    def kept(first: str, question: str = "What is found here?") -> bool:
        turn = Turn(
            question, f"{first} In general, {MAYBE.en[0].lower()}{MAYBE.en[1:]}", ("photograph",)
        )
        said = Conversation(record.key, "knowledge", "en", (turn,), "a test", "", 0)
        return judge_knowledge(said, record, [[MAYBE]], "exact").kept

    assert kept("The photograph shows glaucoma.")
    assert not kept("The photograph shows cataract.")
    assert not kept("There is no glaucoma.")
    assert not kept("The photograph shows glaucoma.", "What is known of the glaucoma here?")


def test_a_record_about_a_condition_has_no_photograph_to_speak_of() -> None:
    assert not verdict(f"The photograph shows glaucoma. {MAYBE.en}", MAYBE, how="exact").kept


# what is read


def test_numbers_are_read_with_their_units_and_ranges_share_them() -> None:
    read = read_sentence("It takes 6 to 12 months and 30 % of 3,500 people.", "en")
    assert read.numbers == (("6", "month"), ("12", "month"), ("30", "%"), ("3500", ""))
    assert read_sentence("每 12 至 24 个月", "zh").numbers == (("12", "month"), ("24", "month"))


def test_two_denials_assert() -> None:
    assert read_sentence("The fovea is not spared.", "en").clauses[0][1] is False
    assert read_sentence("The fovea is spared.", "en").clauses[0][1] is True


def test_a_text_is_cut_at_sentences_and_not_at_decimals() -> None:
    assert sentences_of("It was 1.5 %. Then it fell.", "en") == ["It was 1.5 %.", "Then it fell."]
    assert sentences_of("- 一。\n- 二。", "zh") == ["一。", "二。"]
    assert without_opening("此外，青光眼常见。", "zh") == "青光眼常见。"
