"""Photographs paired with instructions by their labels, as rows of a stage."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra `train`")
pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.records import Finding, Photograph, Record, record_to_json
from fundoscope.train.paired_dialogues import PairedRows
from fundoscope.train.stage_config import SourceConfig
from fundoscope.train.stage_data import opened


@pytest.fixture
def rows(tmp_path: Path) -> PairedRows:
    """Four eyes with glaucoma, four with cataract; two instructions about each."""
    eyes = [("glaucoma" if n % 2 else "cataract") for n in range(8)]
    records = [
        Record(
            Photograph("drawn", "all", f"{n}_{term}", file=f"{n}.png"),
            findings=(Finding(term, "present", "drawn"),),
        )
        for n, term in enumerate(eyes)
    ]
    (tmp_path / "records.jsonl").write_bytes(b"\n".join(map(record_to_json, records)))
    told = [
        {
            "id": f"{term}{n}",
            "conditions": [term],
            "conversations": [
                {"from": "human", "value": f"What is done about {term}? {n}"},
                {"from": "gpt", "value": f"Of {term}."},
                {"from": "human", "value": "And then?"},
                {"from": "gpt", "value": "It is seen again."},
            ],
        }
        for term in ("glaucoma", "cataract")
        for n in range(2)
    ]
    (tmp_path / "told.jsonl").write_text("\n".join(map(json.dumps, told)))
    source = SourceConfig(dialogues=tmp_path / "told.jsonl", records=tmp_path / "records.jsonl")
    held = opened(source, seed=3)
    assert isinstance(held, PairedRows)
    return held


def test_every_photograph_is_told_only_what_fits_it(rows: PairedRows) -> None:
    for epoch in range(3):
        for row in range(len(rows)):
            dialogue = rows.dialogue(row, epoch)
            (photograph,) = dialogue.photographs
            term = "glaucoma" if int(photograph.stem) % 2 else "cataract"  # by the fixture
            first = dialogue.exchanges[0]
            assert term in f"{first.question} {first.answer}".lower()
            assert first.question.endswith("\n<image>")


def test_epochs_pair_anew_and_a_seed_pairs_the_same(rows: PairedRows) -> None:
    told = [[rows.dialogue(n, epoch).exchanges for n in range(len(rows))] for epoch in (0, 1, 0)]
    assert told[0] == told[2]
    assert told[0] != told[1]
