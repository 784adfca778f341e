"""What every run leaves beside its ledger: dialogues, records, rejects, what was left out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fundoscope.describe.description import description
from fundoscope.describe.statements import statements
from fundoscope.export.placed import Placed, facts_said, llava_row
from fundoscope.export.whole_files import whole_file
from fundoscope.ledger import Ledger
from fundoscope.records import Dialogue, Reject, Statement, record_to_json
from fundoscope.verify.claims import claims

DIALOGUES, RECORDS, REJECTS = "dialogues.jsonl", "records.jsonl", "rejects.jsonl"
LEFT_OUT, DESCRIPTIONS = "left_out.jsonl", "descriptions.jsonl"


def write_run_files(run: Path) -> dict[str, int]:
    """Write the plain files of a run from its ledger; return how many lines each has.

    `dialogues.jsonl` holds `id, image, conversations` as LLaVA reads them, and beside them the
    provenance: engine, model, prompt version, seed, and the statements that each answer used.
    """
    with Ledger(run) as ledger:
        job = ledger.recall("job") or {}
        languages = job.get("languages", ["en", "zh"])
        return {
            RECORDS: _write(run / RECORDS, (record_to_json(r) for r in ledger.records())),
            DIALOGUES: _write(run / DIALOGUES, (_line(as_llava(d)) for d in ledger.kept())),
            DESCRIPTIONS: _write(
                run / DESCRIPTIONS,
                (
                    _line({"key": r.key, "language": lang, "text": description(r, lang)})
                    for r in ledger.records()
                    if not r.topic  # there is no photograph to describe
                    for lang in languages
                ),
            ),
            REJECTS: _write(run / REJECTS, (_line(_as_reject(r)) for r in ledger.rejects())),
            LEFT_OUT: _write(run / LEFT_OUT, (_line(asdict(x)) for x in ledger.left_out())),
        }


def as_llava(dialogue: Dialogue) -> dict[str, Any]:
    """Return a dialogue as LLaVA reads it, with its provenance."""
    conversation, photograph = dialogue.conversation, dialogue.record.photograph
    placed = Placed(dialogue, photograph.split, photograph.file)
    known = {s: s for s in statements(dialogue.record)}
    used = [
        [
            _used(known.get(claim.statement, claim.statement))
            for claim in claims(turn.answer, conversation.language)
        ]
        for turn in conversation.turns
    ]
    return {
        **llava_row(placed),
        "provenance": {
            "key": conversation.key,
            "track": conversation.track,
            "language": conversation.language,
            "engine": conversation.engine,
            "model": conversation.model,
            "prompt_version": conversation.prompt_version,
            "seed": conversation.seed,
            "aspects": [list(turn.aspects) for turn in conversation.turns],
            **facts_said(conversation),
            "statements": used,
        },
    }


def _as_reject(reject: Reject) -> dict[str, Any]:
    turns = reject.conversation.turns if reject.conversation else ()
    return {
        "key": reject.record.key,
        "reason": reject.reason,
        "turns": [[turn.question, turn.answer] for turn in turns],
        "raw": reject.raw,
    }


def _used(statement: Statement) -> dict[str, Any]:
    return {name: value for name, value in asdict(statement).items() if value not in ("", None)}


def _line(data: dict[str, Any]) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode()


def _write(file: Path, lines: Iterable[bytes]) -> int:
    """Write lines to a temporary name, then rename; return how many."""
    count = 0
    with whole_file(file) as out:
        for line in lines:
            out.write(line + b"\n")
            count += 1
    return count
