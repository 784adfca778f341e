"""The audit: who and what a model was trained on is found, listed, and nothing else."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope.errors import ConfigError, ReadError
from fundoscope.evaluate.audit import Training, audit, nearest_pairs, packed
from fundoscope.evaluate.training_set import read_training
from fundoscope.read.photographs import look
from fundoscope.records import Photograph, Record, record_to_json

RANDOM = random.Random(0)
ONE, OTHER = RANDOM.getrandbits(256), RANDOM.getrandbits(256)


def photograph(id: str, hash_: int | None = None, **known: str) -> Photograph:
    looks = {} if hash_ is None else {"perceptual_hash": f"{hash_:064x}"}
    return Photograph("set", "test", id, **looks, **known)


def changed(hash_: int, bits: int) -> int:
    for bit in RANDOM.sample(range(256), bits):
        hash_ ^= 1 << bit
    return hash_


def trained(*photographs: Photograph) -> Training:
    return Training(
        "run",
        frozenset(p.key for p in photographs),
        {(p.dataset, p.patient): p.key for p in photographs if p.patient},
        {p.sha256: p.key for p in photographs if p.sha256},
        {int(p.perceptual_hash, 16): p.key for p in photographs if p.perceptual_hash},
        len(photographs),
    )


def test_a_photograph_with_the_same_bytes_is_found_under_another_name() -> None:
    found = audit([photograph("a", sha256="f00")], trained(photograph("b", sha256="f00")))
    assert [one.said() for one in found.shared] == ["same bytes as set/test/b"]


def test_a_near_duplicate_is_found_up_to_the_limit_and_not_beyond() -> None:
    training = trained(photograph("t", ONE))
    asked = [photograph(str(bits), changed(ONE, bits)) for bits in (0, 1, 27, 28, 29, 40)]
    found = audit(asked, training)
    assert [(one.key, one.bits) for one in found.shared] == [
        ("set/test/0", 0), ("set/test/1", 1), ("set/test/27", 27), ("set/test/28", 28),
    ]  # fmt: skip
    assert found.shared[2].said() == "near-duplicate of set/test/t: 27 of 256 bits differ"


def test_bits_that_differ_all_in_one_half_are_found_too() -> None:
    low, high = (1 << 28) - 1, ((1 << 28) - 1) << 228
    training = trained(photograph("t", ONE))
    found = audit([photograph("a", ONE ^ low), photograph("b", ONE ^ high)], training)
    assert [one.bits for one in found.shared] == [28, 28]


def test_a_chain_of_likenesses_condemns_none_but_the_near_one() -> None:
    link = changed(ONE, 20)
    far = link
    for bit in [bit for bit in range(256) if (link ^ ONE) >> bit & 1 == 0][:20]:
        far ^= 1 << bit  # 20 from the link, 40 from what was trained on
    found = audit([photograph("near", link), photograph("far", far)], trained(photograph("t", ONE)))
    assert [one.key for one in found.shared] == ["set/test/near"]


def test_the_other_eye_of_a_trained_patient_is_left_out() -> None:
    training = trained(photograph("7_left", OTHER, patient="7"))
    asked = [photograph("7_right", ONE, patient="7"), photograph("8_right", ONE, patient="8")]
    found = audit(asked, training)
    assert [(one.key, one.how) for one in found.shared] == [("set/test/7_right", "same patient")]


def test_a_patients_name_means_nothing_in_another_set() -> None:
    other = Photograph("elsewhere", "train", "x", patient="7")
    assert not audit([photograph("7_right", patient="7")], trained(other)).shared


def test_a_photograph_is_listed_once_by_the_surest_way() -> None:
    same = photograph("a", ONE, sha256="f00", patient="7")
    found = audit([same], trained(same))
    assert found.counts() == {"same key": 1}


def test_what_was_never_hashed_is_counted() -> None:
    told = Training("run", photographs=5, unhashed=2)
    found = audit([photograph("a")], told)
    assert (found.trained, found.untold, found.photographs) == (5, 2, 1)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(1, 3))
def test_the_nearest_pairs_are_those_of_a_plain_loop(seed: int, max_bits: int, jobs: int) -> None:
    draws = random.Random(seed)
    one = [draws.getrandbits(256) for _ in range(23)]
    other = [draws.getrandbits(256) for _ in range(17)]
    other += [one[3] ^ draws.getrandbits(10), one[4] ^ draws.getrandbits(60), one[3]]
    expected = {}
    for row, a in enumerate(one):
        bits, column = min(((a ^ b).bit_count(), column) for column, b in enumerate(other))
        if bits <= max_bits:
            expected[row] = (column, bits)
    assert nearest_pairs(packed(one), packed(other), max_bits, jobs) == expected


def test_nothing_is_missed_where_blocks_meet() -> None:
    draws = np.random.default_rng(0)
    one = draws.integers(0, 256, (1100, 32), dtype=np.uint8)
    other = draws.integers(0, 256, (4200, 32), dtype=np.uint8)
    meets = [(0, 0), (511, 2047), (512, 2048), (1023, 4095), (1024, 4096), (1099, 4199)]
    for row, column in meets:
        other[column] = one[row]
    found = nearest_pairs(one, other, 28, jobs=2)
    assert found == {row: (column, 0) for row, column in meets}


def test_no_photographs_on_either_side_find_nothing() -> None:
    assert nearest_pairs(packed([]), packed([ONE]), 28) == {}
    assert nearest_pairs(packed([ONE]), packed([]), 28) == {}


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(ReadError, match="not of 256 bits"):
        packed([1 << 256])


# --- what a training left behind


def test_a_run_of_build_tells_what_was_trained_on(tmp_path) -> None:
    known = [photograph("a", ONE, sha256="f00", patient="7"), photograph("b")]
    lines = [record_to_json(Record(one)) for one in known]
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(lines))
    told = read_training(tmp_path)
    assert told.patients == {("set", "7"): "set/test/a"}
    assert told.sha256 == {"f00": "set/test/a"} and told.hashes == {ONE: "set/test/a"}
    assert (told.photographs, told.unhashed) == (2, 1)


def test_a_stage_of_training_tells_of_the_runs_it_learned_from(tmp_path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "records.jsonl").write_bytes(record_to_json(Record(photograph("a"))))
    row = {"id": "x", "conversations": [], "provenance": {"key": "set/test/a"}}
    (run / "dialogues.jsonl").write_text(json.dumps(row))
    stage = tmp_path / "stage"
    stage.mkdir()
    (stage / "stage.yaml").write_text(
        f"data: [{{dialogues: {run}/dialogues.jsonl, records: null}}]\n"
    )
    assert read_training(stage).keys == {"set/test/a"}
    (run / "records.jsonl").unlink()
    (run / "dialogues.jsonl").unlink()
    with pytest.raises(ConfigError, match="was trained on, and neither it nor its records"):
        read_training(stage)


def test_only_the_exported_part_of_a_run_was_trained_on(tmp_path) -> None:
    known = [photograph("a", ONE, patient="7"), photograph("b", OTHER, patient="8")]
    lines = [record_to_json(Record(one)) for one in known]
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(lines))
    (tmp_path / "llava").mkdir()
    file = tmp_path / "llava" / "train.instruction.json"
    turns = [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]
    rows = [
        {"id": f"set/test/b/instruction/{language}", "conversations": turns}
        for language in ("en", "zh")
    ]
    file.write_text(json.dumps(rows))
    told = read_training(file)
    assert told.keys == {"set/test/b"} and told.photographs == 1
    assert told.hashes == {OTHER: "set/test/b"} and told.patients == {("set", "8"): "set/test/b"}


def test_a_table_may_tell_only_some_of_it(tmp_path) -> None:
    table = tmp_path / "trained.csv"
    table.write_text("key,patient,site\nodir/train/1_left,1,x\n,2,y\n")
    told = read_training(table)
    assert told.patients == {("odir", "1"): "odir/train/1_left", ("", "2"): "row 2"}
    asked = [Photograph("any", "all", "x", patient="2")]  # no set is named, so it may be any
    assert audit(asked, told).counts() == {"same patient": 1}


def test_lines_of_json_may_tell_it_too(tmp_path) -> None:
    file = tmp_path / "trained.jsonl"
    file.write_text(json.dumps({"sha256": "F00", "perceptual_hash": f"{ONE:064x}"}) + "\n\n")
    told = read_training(file)
    assert told.sha256 == {"f00": "row 1"} and set(told.hashes) == {ONE}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("t.csv", "image,grade\na,1\n", "none of the columns"),
        ("t.csv", "key,patient\n", "tells of no photograph"),
        ("t.jsonl", '{"key": \n', "column"),
        ("t.jsonl", '{"perceptual_hash": "xyz"}', "no perceptual hash"),
        ("t.jsonl", "[1]", "tells none of key"),
        ("t.jsonl", '{"image": "a.png"}', "tells none of key"),
    ],
)
def test_what_tells_nothing_is_refused(tmp_path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises((ConfigError, ReadError), match=told):
        read_training(tmp_path / name)


def test_a_folder_that_is_no_run_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"neither records.jsonl nor stage.yaml"):
        read_training(tmp_path)
    with pytest.raises(ConfigError, match="there is no"):
        read_training(tmp_path / "nowhere")


# --- real photographs


def test_copies_of_real_eyes_are_found_and_no_other_eye(real_data, tmp_path) -> None:
    from PIL import Image

    files = sorted((real_data / "ODIR5K/images").glob("*.jpg"))[:60]
    asked, copies = [], []
    for number, file in enumerate(files):
        asked.append(photograph(file.stem, look(file).perceptual_hash))
        if number < 10:
            copy = tmp_path / f"{number}.jpg"
            with Image.open(file) as image:
                image.resize((360, 360)).save(copy, quality=60)
            copies.append(photograph(f"copy-{number}", look(copy).perceptual_hash))
    found = audit(asked, trained(*copies))
    assert [one.key for one in found.shared] == [p.key for p in asked[:10]]
    assert all(one.how == "near-duplicate" for one in found.shared)


def test_a_dialogue_whose_id_goes_on_is_still_of_its_photograph(tmp_path) -> None:
    file = tmp_path / "shuffled.json"
    turns = [{"from": "human", "value": "Q"}, {"from": "gpt", "value": "A"}]
    rows = [{"id": "odir/all/7_left/instruction/en/1", "conversations": turns}]
    file.write_text(json.dumps(rows))
    assert read_training(file).keys == {"odir/all/7_left"}
    file.write_text(json.dumps([{"id": "0007", "conversations": turns}]))
    with pytest.raises(ReadError, match="tells none of"):  # whose it is cannot be known
        read_training(file)
