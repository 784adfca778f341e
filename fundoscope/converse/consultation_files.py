"""Read doctor-patient dialogues, one at a time, from the text or the JSONL layout.

The text layout is that of public corpora: blocks that begin with `id=123`, then a page's address,
`Doctor faculty` with lines of hospital, department and doctor, `Description`, `Dialogue`, and turns
that begin with a speaker. The other is one JSON object a line, `{"id": ..., "turns": [{"role": ...,
"text": ...}]}` and, optionally, `"description"`.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fundoscope.converse.consultation_records import (
    ConsultationTurn,
    RawConsultation,
    RejectedConsultation,
    Removed,
    Role,
)
from fundoscope.converse.deidentify_words import Kind, words
from fundoscope.errors import DialogueError

_CHUNK = 1 << 20
_ID = re.compile(r"^\ufeff?id\s*[=＝:：]\s*(?P<id>\S+)\s*$", re.IGNORECASE)
_HEADS = {
    "doctor faculty": "faculty",
    "description": "description",
    "dialogue": "dialogue",
    "dialog": "dialogue",
    "diagnosis and suggestions": "diagnosis",
}
_SPEAKER = re.compile(
    r"^(?P<who>医生|病人|患者|大夫|doctor|patient)\s*[:：]\s*(?P<text>.*)$", re.IGNORECASE
)
_ROLES: dict[str, Role] = {
    "医生": "doctor", "大夫": "doctor", "doctor": "doctor",
    "病人": "patient", "患者": "patient", "patient": "patient",
}  # fmt: skip
_LINK = re.compile(r"^\s*https?://\S+\s*$")
_INSTITUTION = re.compile("医院|医学中心|眼科中心|诊所|卫生院")
_ENGLISH_DOCTOR = re.compile(r"\b(?:Dr|Prof|Doctor)\.?[^\S\n]+([A-Z][\w'’. -]*\w)")
_ROOM = re.compile("科|系|部|室|中心|医师|主任|教授|医生|大夫|专家|组")
_MAX_LINE = 1_000_000
"""Characters of one line; a longer one is no line of a dialogue but a file of another kind."""


def read_consultations(file: Path) -> Iterator[RawConsultation | RejectedConsultation]:
    """Yield the consultations of a file as they were written; ragged ones as rejected.

    Raises
    ------
    DialogueError
        If the file is missing, holds neither layout, or is neither UTF-8 nor GB18030.
    """
    encoding = text_encoding(file)
    with file.open(encoding=encoding, newline=None) as lines:
        pieces = iter(lambda: lines.readline(_MAX_LINE), "")
        first = next((piece for piece in pieces if piece.strip("\ufeff \t\r\n")), "")
    if not first:
        raise DialogueError("the file is empty", where=str(file), mend="give a file of dialogues")
    if first.lstrip("\ufeff ").startswith("{"):
        yield from _read_jsonl(file, encoding)
    elif _ID.match(first.strip()):
        yield from _read_blocks(file, encoding)
    else:
        raise DialogueError(
            "the first line is neither 'id=...' nor a JSON object",
            where=f"{file}:1",
            mend="give a file of `id=` blocks, or JSONL with id and turns (docs/consultations.md)",
        )


def text_encoding(file: Path) -> str:
    """Return `utf-8-sig` or `gb18030`, whichever decodes the whole file.

    Raises
    ------
    DialogueError
        If the file is missing or neither decodes it; the line is named.
    """
    if not file.is_file():
        raise DialogueError(f"no file {file}", mend="check the path")
    for encoding in ("utf-8-sig", "gb18030"):
        if _decodes(file, encoding):
            return encoding
    raise DialogueError(
        "the file is neither UTF-8 nor GB18030",
        where=f"{file}:{_undecodable_line(file)}",
        mend="convert it to UTF-8, for example with iconv",
    )


def _decodes(file: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        with file.open("rb") as raw:
            while chunk := raw.read(_CHUNK):
                decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _undecodable_line(file: Path) -> int:
    with file.open("rb") as raw:
        for number, line in enumerate(raw, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 1


# the text layout


def _read_blocks(file: Path, encoding: str) -> Iterator[RawConsultation | RejectedConsultation]:
    block: list[str] = []
    begun = 1
    for number, line in _lines(file, encoding):
        if _ID.match(line.strip()) and block:
            yield _parsed_block(block, f"{file.name}:{begun}")
            block = []
        if not block:
            if not line.strip("\ufeff \t\r\n"):
                continue
            begun = number
        block.append(line.rstrip("\r\n"))
    if block:
        yield _parsed_block(block, f"{file.name}:{begun}")


def _lines(file: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its number, and never hold more than one that is too long."""
    with file.open(encoding=encoding) as lines:
        number = 0
        while line := lines.readline(_MAX_LINE + 1):
            number += 1
            if len(line) > _MAX_LINE:
                raise DialogueError(
                    f"a line of more than {_MAX_LINE} characters",
                    where=f"{file}:{number}",
                    mend="give one dialogue a block, or one a line",
                )
            yield number, line


def _parsed_block(block: list[str], where: str) -> RawConsultation | RejectedConsultation:
    match = _ID.match(block[0].strip())
    id = match["id"] if match else ""
    sections = _sections(block[1:])
    if "dialogue" not in sections:
        return RejectedConsultation(id, "ragged block: no line 'Dialogue'", where)
    turns = _turns(sections["dialogue"])
    if isinstance(turns, str):
        return RejectedConsultation(id, f"ragged block: {turns}", where)
    removed = (
        [Removed("address of a page", None)] if any(map(_LINK.match, sections["head"])) else []
    )
    if sections.get("diagnosis"):
        removed.append(Removed("section 'Diagnosis and suggestions'", None))
    description = "\n".join(line for line in sections.get("description", []) if line.strip())
    known = _known(sections.get("faculty", []))
    return RawConsultation(id, description, turns, where, known, tuple(removed))


def _sections(lines: list[str]) -> dict[str, list[str]]:
    """Return the lines of each section; a heading stands alone on its line, and once."""
    sections: dict[str, list[str]] = {"head": []}
    here = "head"
    for line in lines:
        heading = _HEADS.get(line.strip().rstrip(":：").lower())
        if heading and heading not in sections:
            here = heading
            sections[here] = []
        elif line.strip():
            sections[here].append(line)
    return sections


def _turns(lines: list[str]) -> tuple[ConsultationTurn, ...] | str:
    """Return the turns, or what is wrong with them."""
    turns: list[tuple[Role, list[str]]] = []
    for line in lines:
        match = _SPEAKER.match(line.strip())
        if match:
            turns.append((_ROLES[match["who"].lower()], [match["text"]] if match["text"] else []))
        elif turns:
            turns[-1][1].append(line.strip())
        else:
            return "the dialogue begins with a line that names no speaker"
    if not turns:
        return "no turns"
    return tuple(ConsultationTurn(role, "\n".join(said)) for role, said in turns)


def _known(lines: list[str]) -> dict[str, Kind]:
    """Return the names that the lines below `Doctor faculty` give away."""
    rules, known = words("names_zh"), dict[str, Kind]()
    for word in re.split(r"[\s,，、|/]+", " ".join(lines)):
        surname = word[:1] in rules["surnames"] or word[:2] in rules["compound_surnames"]
        if _INSTITUTION.search(word):
            known[word] = "hospital"
        elif re.fullmatch("[\u4e00-\u9fff]{2,4}", word) and surname and not _ROOM.search(word):
            known[word] = "doctor"
    for match in _ENGLISH_DOCTOR.finditer("\n".join(lines)):
        known[match[1]] = "doctor"
    return known


# the JSONL layout


def _read_jsonl(file: Path, encoding: str) -> Iterator[RawConsultation | RejectedConsultation]:
    for number, line in _lines(file, encoding):
        if line.strip("\ufeff \t\r\n"):
            yield _parsed_line(line, f"{file.name}:{number}")


def _parsed_line(line: str, where: str) -> RawConsultation | RejectedConsultation:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as problem:
        return RejectedConsultation("", f"not JSON: {problem.msg} at column {problem.colno}", where)
    except RecursionError:
        return RejectedConsultation("", "not JSON: nested too deep", where)
    if not isinstance(row, dict):
        return RejectedConsultation("", "the line is no JSON object", where)
    id = str(row.get("id", ""))
    wrong = _wrong_with(row)
    if wrong:
        return RejectedConsultation(id, wrong, where)
    turns = tuple(ConsultationTurn(turn["role"], turn["text"]) for turn in row["turns"])
    return RawConsultation(id, row.get("description", ""), turns, where)


def _wrong_with(row: dict[str, Any]) -> str:
    """Return what is wrong with a line's object, or nothing."""
    if not isinstance(row.get("id"), str | int) or row["id"] == "":
        return "no 'id'"
    unknown = sorted(set(row) - {"id", "turns", "description"})
    if unknown:
        return f"unknown key {unknown[0]!r}: known are id, turns, description"
    if not isinstance(row.get("description", ""), str):
        return "'description' is no text"
    if not isinstance(row.get("turns"), list) or not row["turns"]:
        return "'turns' is no list, or an empty one"
    for number, turn in enumerate(row["turns"]):
        if not isinstance(turn, dict) or not isinstance(turn.get("text"), str):
            return f"turn {number} has no 'text'"
        if turn.get("role") not in ("patient", "doctor"):
            return f"turn {number}: the role must be 'patient' or 'doctor'"
    return ""
