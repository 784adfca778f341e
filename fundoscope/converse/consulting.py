"""Consultations as a run: dialogues without photographs, in a ledger like all others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path

from fundoscope import __version__
from fundoscope.converse.consultations import (
    Consultation,
    ConsultationConfig,
    RejectedConsultation,
    consultations,
)
from fundoscope.errors import DialogueError
from fundoscope.ledger import Ledger, Tally
from fundoscope.records import Conversation, LeftOut, Photograph, Record, Turn, Verdict

TRACK = "consultation"
VERSION = "consultations-1"
DATASET = "consultation"
LICENCE = "as its corpus states; de-identified"
COMMIT_EVERY = 200


def build_consultations(
    files: Sequence[Path],
    run: Path,
    config: ConsultationConfig | None = None,
    *,
    command: str = "",
) -> Tally:
    """Turn files of doctor-patient dialogues into a run, and return what it holds.

    What is not kept is left out with its reason, which quotes nothing that was said. Killed at any
    moment, the same call gives the same run.

    Raises
    ------
    DialogueError
        If a file is missing or of no known layout, or nothing in them was kept.
    """
    config = config or ConsultationConfig()
    job = {"consultations": [str(file.resolve()) for file in files], "command": command}
    with Ledger(run, write=True) as ledger:
        ledger.begin_pass({**job, "fundoscope": __version__, **config.model_dump(mode="json")})
        for number, one in enumerate(_all(files, config), start=1):
            if isinstance(one, LeftOut):
                ledger.leave_out(one)
            else:
                _keep(ledger, *one)
            if number % COMMIT_EVERY == 0:
                ledger.commit()
        ledger.finish_pass()
        tally = ledger.tally()
    if not tally.kept:
        raise DialogueError(
            f"none of {tally.left_out:,} consultations was kept",
            where=str(run),
            mend="see left_out.jsonl for the reasons, or lower --threshold",
        )
    return tally


def _all(
    files: Sequence[Path], config: ConsultationConfig
) -> Iterator[tuple[Record, Conversation] | LeftOut]:
    for file in files:
        for one in consultations(file, config):
            if isinstance(one, RejectedConsultation):
                yield LeftOut("consultation", one.id, one.reason, one.where)
            else:
                yield _record(file, one), _conversation(file, one)


def _id(file: Path, one: Consultation) -> str:
    return f"{file.stem}-{one.id}".replace("/", "-")


def _record(file: Path, one: Consultation) -> Record:
    photograph = Photograph(DATASET, "all", _id(file, one), modality="")
    return Record(photograph, licence=LICENCE, origin=(file.name,))


def _conversation(file: Path, one: Consultation) -> Conversation:
    said = [turn.text for turn in one.turns]  # patient and doctor by turns
    turns = tuple(Turn(q, a) for q, a in zip(said[::2], said[1::2], strict=True))
    key = f"{DATASET}/all/{_id(file, one)}"
    return Conversation(key, TRACK, one.language, turns, "consultations", VERSION, 0)


def _keep(ledger: Ledger, record: Record, conversation: Conversation) -> None:
    words = "\n".join(part for turn in conversation.turns for part in (turn.question, turn.answer))
    digest = blake2b(f"{VERSION}|{words}".encode(), digest_size=16).digest()
    ledger.judge(ledger.add_record(record), conversation, digest, Verdict(True))
