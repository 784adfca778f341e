"""Label pairing: small sets whose answer is known by hand, and rules that hold for any set."""

import json
import tracemalloc
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError, ReadError, TermError
from fundoscope.records import (
    Finding,
    Grade,
    Language,
    LesionTotal,
    Photograph,
    Record,
    Status,
    record_to_json,
)
from fundoscope.testing.made_up_records import synthetic_record
from fundoscope.train.label_pairing import (
    LabelPairing,
    Pair,
    PairingConfig,
    Shard,
    question_about,
)
from fundoscope.train.pairing_indexes import (
    About,
    InstructionIndex,
    Labels,
    PhotographIndex,
    labels_of,
)
from fundoscope.verify.check import Facts, check_text
from fundoscope.verify.style import question_leak

ONLY_FITTING = PairingConfig(negatives=0, rare_below=0)


def record(number: int = 0, /, **said: Status) -> Record:
    """Return a record by what one annotator says of each term."""
    findings = tuple(Finding(term, status, "reader") for term, status in said.items())
    return Record(Photograph("odir", "train", str(number)), findings=findings)


def pairing(
    records: list[Record], abouts: list[About], config: PairingConfig = ONLY_FITTING
) -> LabelPairing:
    return LabelPairing(PhotographIndex.of(records), InstructionIndex.of(abouts), config)


def what(pairs: list[Pair]) -> list[tuple[int, int | None, str, bool]]:
    return [(pair.photograph, pair.instruction, pair.term, pair.fits) for pair in pairs]


# labels


def test_a_label_weighs_what_its_annotators_agree_on() -> None:
    """Two say present and one absent: two thirds. One suspects: a half."""
    said = [("glaucoma", "present"), ("glaucoma", "absent"), ("glaucoma", "present")]
    findings = tuple(Finding(term, status, "reader") for term, status in said)  # type: ignore[arg-type]
    labels = labels_of(
        Record(
            Photograph("a", "all", "1"), findings=(*findings, Finding("drusen", "suspected", "x"))
        )
    )
    assert dict(labels.present) == pytest.approx({"glaucoma": 2 / 3, "drusen": 0.5})
    assert labels.absent == ()


def test_a_grade_is_present_from_the_level_that_its_scale_names() -> None:
    """ICDR 0 is no retinopathy, 2 is; EyeQ speaks of the picture, not of a condition."""
    graded = [Record(Photograph("a", "all", "1"), grades=(Grade("icdr", n, "x"),)) for n in (0, 2)]
    assert labels_of(graded[0]) == Labels((), ("diabetic_retinopathy",))
    assert labels_of(graded[1]) == Labels((("diabetic_retinopathy", 1.0),), ())
    quality = Record(Photograph("a", "all", "1"), grades=(Grade("eyeq", 0, "x"),))
    assert labels_of(quality) == Labels((), ())


def test_no_lesion_of_a_kind_is_a_real_zero() -> None:
    totals = (LesionTotal("haemorrhage", 0, 0.0, "x"), LesionTotal("hard_exudate", 3, 0.01, "x"))
    labels = labels_of(Record(Photograph("a", "all", "1"), lesion_totals=totals))
    assert dict(labels.present) == {"hard_exudate": 1, "retinal_exudation": 1}  # which it implies
    assert labels.absent == ("haemorrhage",)


def test_what_nobody_looked_for_is_neither_present_nor_absent() -> None:
    labels = labels_of(record(glaucoma="absent", drusen="not_assessed"))
    assert labels == Labels((), ("glaucoma",))


def test_no_vein_occlusion_means_no_branch_vein_occlusion_but_not_the_other_way() -> None:
    assert (
        "branch_retinal_vein_occlusion" in labels_of(record(retinal_vein_occlusion="absent")).absent
    )
    assert labels_of(record(branch_retinal_vein_occlusion="absent")).absent == (
        "branch_retinal_vein_occlusion",
        "old_branch_retinal_vein_occlusion",
    )
    shown = dict(labels_of(record(branch_retinal_vein_occlusion="present")).present)
    assert shown == {"branch_retinal_vein_occlusion": 1, "retinal_vein_occlusion": 1}


def test_a_normal_fundus_shows_no_disease_and_is_no_condition_itself() -> None:
    labels = labels_of(record(normal_fundus="present"))
    assert labels.present == ()
    assert {"glaucoma", "diabetic_retinopathy", "macular_hole"} <= {*labels.absent}
    assert not {"normal_fundus", "abnormality", "tessellated_fundus"} & {*labels.absent}


# what is paired


def test_each_photograph_gets_an_instruction_that_fits_and_no_other() -> None:
    records = [record(0, glaucoma="present"), record(1, drusen="present")]
    abouts = [About(("drusen",)), About(("glaucoma",)), About(("cataract",))]
    for epoch in range(20):
        found = what(list(pairing(records, abouts).pairs(epoch)))
        assert sorted(found) == [(0, 1, "glaucoma", True), (1, 0, "drusen", True)]


def test_an_instruction_about_two_conditions_fits_only_who_shows_both() -> None:
    records = [record(0, glaucoma="present", drusen="present"), record(1, glaucoma="present")]
    both = [About(("drusen", "glaucoma"))]
    assert {pair.photograph for pair in pairing(records, both).pairs(0)} == {0}


def test_no_pair_is_fixed_over_the_epochs() -> None:
    """One photograph and three instructions: within forty epochs it has met all of them."""
    paired = pairing([record(glaucoma="present")], [About(("glaucoma",))] * 3)
    met = Counter(pair.instruction for epoch in range(40) for pair in paired.pairs(epoch))
    assert {*met} == {0, 1, 2}
    assert met.total() == 40


def test_a_suspected_label_makes_a_pair_that_weighs_less() -> None:
    records = [record(0, glaucoma="present"), record(1, glaucoma="suspected")]
    pairs = pairing(records, [About(("glaucoma",))]).pairs(0)
    assert {pair.photograph: pair.weight for pair in pairs} == {0: 1.0, 1: 0.5}


def test_a_question_about_a_suspected_label_weighs_less_and_a_denial_does_not() -> None:
    records = [record(0, glaucoma="suspected"), record(1, glaucoma="absent")]
    paired = pairing(records, [About(("glaucoma",))], PairingConfig(negatives=0.5))
    pairs = [pair for epoch in range(20) for pair in paired.pairs(epoch)]
    assert {(p.fits, p.weight) for p in pairs if p.instruction is None} == {(True, 0.5), (False, 1)}


def test_a_photograph_that_nothing_fits_is_left_out_and_counted() -> None:
    paired = pairing([record(0, glaucoma="present"), record(1)], [About(("glaucoma",))])
    assert paired.unpaired == 1
    assert [pair.photograph for pair in paired.pairs(0)] == [0]


def test_sets_without_a_common_condition_are_refused() -> None:
    with pytest.raises(ConfigError, match="none of 1 photographs fits any of 1 instructions"):
        pairing([record(glaucoma="present")], [About(("drusen",))])


# what is absent


DENIED = [record(0, glaucoma="present"), record(1, glaucoma="absent", drusen="not_assessed")]


def test_a_negative_is_about_what_the_record_says_is_absent() -> None:
    paired = pairing(DENIED, [About(("glaucoma",))] * 2, PairingConfig(negatives=0.3))
    pairs = [pair for epoch in range(200) for pair in paired.pairs(epoch)]
    denied = {(p.photograph, p.instruction, p.term) for p in pairs if not p.fits}
    assert denied == {(1, None, "glaucoma")}
    asked = sum(p.fits and p.instruction is None for p in pairs)
    negatives = sum(not p.fits for p in pairs)
    assert asked == pytest.approx(negatives, abs=40)  # 60 of each expected, 10 a deviation of both


def test_nothing_is_asked_that_would_always_be_denied() -> None:
    """No photograph shows drusen, so a question about them would give its answer away."""
    records = [record(0, glaucoma="present"), record(1, glaucoma="present", drusen="absent")]
    paired = pairing(records, [About(("glaucoma",))], PairingConfig(negatives=0.5))
    assert all(pair.fits for epoch in range(50) for pair in paired.pairs(epoch))


def test_nothing_is_asked_that_would_always_be_affirmed() -> None:
    """Nobody looked for glaucoma and found none, so all pairs are instructions about it."""
    records = [record(0, glaucoma="present"), record(1, drusen="absent")]
    paired = pairing(records, [About(("glaucoma",))], PairingConfig(negatives=0.5))
    assert {p.instruction for epoch in range(50) for p in paired.pairs(epoch)} == {0}


def test_a_condition_that_few_deny_is_asked_about_as_rarely_as_they_do() -> None:
    """Ninety show glaucoma and ten do not: ten of each answer, and eighty more instructions."""
    records = [record(n, glaucoma="present" if n < 90 else "absent") for n in range(100)]
    config = PairingConfig(negatives=0.5, rare_below=0)
    paired = pairing(records, [About(("glaucoma",))], config)
    pairs = [pair for epoch in range(100) for pair in paired.pairs(epoch)]
    asked = Counter(pair.fits for pair in pairs if pair.instruction is None)
    assert asked[False] == pytest.approx(500, abs=80)  # ten, half of the time, a hundred epochs
    assert asked[True] == pytest.approx(500, abs=90)
    assert sum(pair.instruction == 0 for pair in pairs) == 9000 - asked[True]


def test_a_condition_is_denied_about_as_often_as_it_is_shown() -> None:
    """Ten show glaucoma, forty show drusen; fifty show neither: denials come as one to four."""
    records = [record(n, glaucoma="present") for n in range(10)]
    records += [record(n, drusen="present") for n in range(40)]
    records += [record(n, glaucoma="absent", drusen="absent") for n in range(50)]
    config = PairingConfig(negatives=0.5, rare_below=0)
    paired = pairing(records, [About(("glaucoma",)), About(("drusen",))], config)
    denied = Counter(p.term for epoch in range(100) for p in paired.pairs(epoch) if not p.fits)
    assert denied["drusen"] / denied["glaucoma"] == pytest.approx(4, rel=0.15)


def test_an_instruction_written_for_absence_is_used_for_it_and_for_nothing_else() -> None:
    abouts = [About(("glaucoma",)), About(("glaucoma",), when_absent=True)]
    paired = pairing(DENIED, abouts, PairingConfig(negatives=0.5))
    pairs = [pair for epoch in range(50) for pair in paired.pairs(epoch)]
    assert {(p.instruction, p.fits) for p in pairs if not p.fits} == {(1, False)}
    assert 1 not in {p.instruction for p in pairs if p.fits}


# rarity


def test_a_rare_label_is_repeated_by_the_root_of_its_rarity() -> None:
    """1 % of 400 photographs, rare below 16 %: the root of 16 is four times; 99 % once."""
    records = [record(n, glaucoma="present") for n in range(4)]
    records += [record(n, drusen="present") for n in range(396)]
    abouts = [About(("glaucoma",)), About(("drusen",))]
    config = PairingConfig(negatives=0, rare_below=0.16)
    paired = pairing(records, abouts, config)
    assert paired.rarity == pytest.approx({"glaucoma": 4, "drusen": 1})
    times = Counter(pair.photograph for pair in paired.pairs(0))
    assert [times[n] for n in range(400)] == [4] * 4 + [1] * 396
    capped = pairing(records, abouts, PairingConfig(negatives=0, rare_below=0.16, most_repeats=2))
    assert [Counter(p.photograph for p in capped.pairs(0))[n] for n in range(4)] == [2] * 4


def test_of_several_labels_the_rarer_is_drawn_more_often() -> None:
    """Rarity 4 and 1 as above: glaucoma in four of five pairs of a photograph that shows both."""
    records = [record(n, glaucoma="present", drusen="present") for n in range(4)]
    records += [record(n, drusen="present") for n in range(396)]
    config = PairingConfig(negatives=0, rare_below=0.16)
    paired = pairing(records, [About(("glaucoma",)), About(("drusen",))], config)
    drawn = [p.term for epoch in range(60) for p in paired.pairs(epoch) if p.photograph < 4]
    assert len(drawn) == 60 * 16
    assert drawn.count("glaucoma") / len(drawn) == pytest.approx(0.8, abs=0.05)


# order, shards, resuming


MANY = [record(n, glaucoma="present" if n % 3 else "absent", drusen="suspected") for n in range(97)]
MIXED = pairing(MANY, [About(("glaucoma",))] * 5 + [About(("drusen",))] * 7, PairingConfig(seed=3))


def test_seed_and_epoch_decide_every_pair() -> None:
    again = pairing(MANY, [About(("glaucoma",))] * 5 + [About(("drusen",))] * 7, PairingConfig(3))
    assert list(MIXED.pairs(4)) == list(again.pairs(4))
    assert list(MIXED.pairs(4)) != list(MIXED.pairs(5))
    other = pairing(MANY, [About(("glaucoma",))] * 5 + [About(("drusen",))] * 7, PairingConfig(4))
    assert list(MIXED.pairs(4)) != list(other.pairs(4))


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_shards_share_no_pair_and_miss_less_than_one_a_rank(
    world: int, workers: int, epoch: int
) -> None:
    shards = [Shard(r, world, w, workers) for r in range(world) for w in range(workers)]
    parts = [list(MIXED.pairs(epoch, shard)) for shard in shards]
    assert [len(part) for part in parts] == [MIXED.length(epoch, shard) for shard in shards]
    of_rank = [sum(map(len, parts[r * workers : (r + 1) * workers])) for r in range(world)]
    assert len(set(of_rank)) == 1
    whole = list(MIXED.pairs(epoch))
    together = Counter(pair for part in parts for pair in part)
    assert together == Counter(whole[: sum(of_rank)])
    assert len(whole) - sum(of_rank) < world


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 120), st.integers(1, 3), st.integers(1, 2))
def test_resumed_at_any_step_the_rest_is_the_same(start: int, world: int, workers: int) -> None:
    shard = Shard(world - 1, world, workers - 1, workers)
    assert list(MIXED.pairs(2, shard, start)) == list(MIXED.pairs(2, shard))[start:]


def test_an_epoch_longer_than_a_block_has_no_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(MIXED.pairs(1, Shard(1, 2)))
    monkeypatch.setattr("fundoscope.train.label_pairing._SPAN", 16)
    assert list(MIXED.pairs(1, Shard(1, 2))) == whole


@pytest.mark.parametrize("shard", [(1, 1), (-1, 2), (0, 1, 2, 2)])
def test_a_rank_that_is_not_there_is_refused(shard: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="there is no Shard"):
        Shard(*shard)


@pytest.mark.parametrize(
    "wrong", [{"negatives": 0.6}, {"rare_below": -1}, {"most_repeats": 0.5}, {"seed": -1}]
)
def test_a_config_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="no pairing"):
        PairingConfig(**wrong)  # type: ignore[arg-type]


def test_there_is_no_epoch_before_the_first() -> None:
    with pytest.raises(ConfigError, match="epoch -1"):
        next(MIXED.pairs(-1))


# against the verifier, which knows nothing of pairing


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 5000), min_size=3, max_size=12, unique=True), st.integers(0, 99))
def test_every_pair_says_what_the_verifier_finds_in_the_record(
    numbers: list[int], seed: int
) -> None:
    records = [synthetic_record(number) for number in numbers]
    shown = sorted({term for r in records for term, _ in labels_of(r).present})
    if not shown:
        return
    abouts = [About((term,)) for term in shown]
    for pair in pairing(records, abouts, PairingConfig(seed, 0.4)).pairs(seed):
        status = Facts.of(records[pair.photograph]).status_of(pair.term)
        assert status in (("present", "suspected") if pair.fits else ("absent",))
        if pair.instruction is not None:
            assert abouts[pair.instruction].conditions == (pair.term,)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.sampled_from(["en", "zh"]), st.integers(0, 2**64 - 1))
def test_a_composed_question_has_the_answer_that_its_record_supports(
    number: int, language: Language, seed: int
) -> None:
    made_up = synthetic_record(number)
    facts, labels = Facts.of(made_up), labels_of(made_up)
    for term in [t for t, _ in labels.present][:3] + list(labels.absent[:3]):
        turn = question_about(made_up, term, language, seed)
        judged = check_text(turn.answer, facts, language)
        assert {one.judgement for one in judged} == {"supported"}
        assert not question_leak(turn.question, language)
        assert question_about(made_up, term, language, seed) == turn


@pytest.mark.parametrize("term", ["drusen", "cataract"])
def test_a_question_about_what_nobody_looked_for_is_refused(term: str) -> None:
    with pytest.raises(ConfigError, match=f"nobody looked for {term}"):
        question_about(record(glaucoma="absent", drusen="not_assessed"), term, "en")


# files


def test_rows_are_found_again_in_their_files(tmp_path: Path) -> None:
    records = [record(n, glaucoma="present") for n in range(3)]
    photographs = tmp_path / "records.jsonl"
    photographs.write_bytes(b"\n".join(map(record_to_json, records)) + b"\n\n")
    rows = [
        {"id": "a", "conditions": ["glaucoma"], "q": "眼？"},
        {"id": "b", "provenance": {"facts": [["glaucoma.sign.cup"], ["drusen.cause.age"]]}},
        {"id": "c", "provenance": {"conditions": ["drusen"]}, "when": "absent"},
        {"id": "d", "image": "1.jpg", "conditions": ["drusen"]},
        {"id": "e"},
    ]
    file = tmp_path / "knowledge.jsonl"
    file.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows), "utf-8")
    found = PhotographIndex.read(photographs, keep=lambda r: r.photograph.id != "1")
    assert [found.record(n) for n in range(len(found))] == [records[0], records[2]]
    instructions = InstructionIndex.read(file)
    assert [instructions.row(n) for n in range(len(instructions))] == rows[:3]
    assert [instructions.sets[n] for n in instructions.set_of] == [
        About(("glaucoma",)),
        About(("drusen", "glaucoma")),
        About(("drusen",), when_absent=True),
    ]
    assert instructions.left_out == {
        "it is about a photograph of its own": 1,
        "it tells no condition": 1,
    }


def test_a_condition_that_the_vocabulary_lacks_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "knowledge.jsonl"
    file.write_text('{"conditions": ["glaukoma"]}\n')
    with pytest.raises(TermError, match="glaukoma"):
        InstructionIndex.read(file)


@pytest.mark.parametrize("line", ["[1]", "not json"])
def test_a_line_that_is_no_object_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "k.jsonl").write_text(line)
    with pytest.raises(ReadError, match="not a JSON object"):
        InstructionIndex.read(tmp_path / "k.jsonl")
    with pytest.raises(ReadError, match="is not there"):
        PhotographIndex.read(tmp_path / "none.jsonl")


def test_an_index_without_a_file_has_no_rows_to_read() -> None:
    with pytest.raises(ConfigError, match="in no file"):
        PhotographIndex.of([record()]).record(0)


def test_memory_grows_with_the_rows_and_not_with_their_product() -> None:
    """10,000 x 10,000 pairs of one byte would be 100 MB."""
    records = (record(n, glaucoma="present" if n % 9 else "absent") for n in range(10_000))
    tracemalloc.start()
    paired = LabelPairing(
        PhotographIndex.of(records),
        InstructionIndex.of(About(("glaucoma",)) for _ in range(10_000)),
    )
    n_pairs = sum(1 for _ in paired.pairs(0))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_pairs > 8889  # those that show it, and some of the others
    assert peak_bytes < 10_000_000
