"""The main job: records in, verified dialogues in the ledger."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from fundoscope import __version__
from fundoscope.config import WITHOUT_ROOT, Job
from fundoscope.converse.composer import compose, prompt_version, tracks
from fundoscope.converse.endpoint import Item, Made, asks_by, converse_by_endpoint
from fundoscope.converse.facet_topics import unlinked_reason
from fundoscope.converse.facets import TRACK as KNOWLEDGE
from fundoscope.errors import ConfigError, PhotographError, nearest
from fundoscope.ledger import Ledger, Settled, Tally
from fundoscope.plugins import Registry
from fundoscope.read.all_sources import sources
from fundoscope.read.automorph import FeatureTable, join_features
from fundoscope.read.measurement_tables import is_measurement_table, join_measurements
from fundoscope.read.photographs import look
from fundoscope.read.sources import SourceRequest
from fundoscope.records import Conversation, Language, LeftOut, Record, record_to_json
from fundoscope.verify.check import Facts
from fundoscope.verify.knowledge import judge_said

Engine = Callable[[Record, str, Language, int, Facts | None], Conversation]
engines: Registry[Engine] = Registry("engines")
"""Engines that answer at once; each returns a conversation about a record."""
engines.register("composer")(compose)

SERVERS = ("endpoint", "batches")
"""Engines that ask a server, which answers when it can; they work from the ledger."""
MOST_PROCESSES = 8
COMMIT_EVERY_S = 1.0
"""What a kill may cost: this much composing, no answer that was paid for."""
LOOK_AT_ONCE = 64
"""Photographs decoded side by side; more only holds memory."""
SPLITS = ("train", "val", "test")

Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did."""

    tally: Tally
    composed: int
    """Dialogues made by this call; the others were already there."""
    seconds: float
    stopped: str = ""
    """Why not all was done, such as a budget; the same call goes on from there."""
    waiting: int = 0
    """Requests packed into batch files and not answered yet."""


def build(
    job: Job,
    run: Path | str,
    *,
    command: str = "",
    progress: Progress | None = None,
    processes: int | None = None,
) -> BuildReport:
    """Turn a source into verified dialogues, kept in the ledger of `run`.

    Killed at any moment, the same call finishes what is missing; done again, it asks for nothing.
    A changed record, seed, wording or engine is asked again, and only that.

    Parameters
    ----------
    processes : beside this one, where a server is asked: for prompts, photographs and verdicts.
        None: as many as there are cores to spare; 0: none.

    Raises
    ------
    EndpointError
        If a server is asked and answers nobody.
    ReadError, ConfigError, LedgerError
        With file, line and column where a label is wrong; what was kept until then stays kept.
    """
    started = time.monotonic()
    _check_tracks(job)
    engine = None if job.engine in SERVERS else engines.get(job.engine)
    with Ledger(Path(run), write=True) as ledger:
        ledger.begin_pass(job.resolved() | {"command": command, "fundoscope": __version__})
        things = _looked_at(records_of(job), ledger, job)
        if engine:
            made = Made(_compose_all(things, ledger, job, engine, progress))
        else:
            _keep_all(things, ledger, progress)
            made = _ask_all(
                ledger, job, progress, _spare_cores() if processes is None else processes
            )
        ledger.finish_pass(complete=not made.stopped and not made.waiting)
        tally = ledger.tally()
    if tally.records == 0:
        raise ConfigError(
            f"{job.source} in {job.root} gave no record; {tally.left_out} things were left out",
            mend="see left_out.jsonl; give --photographs, or --labels-only for labels alone",
        )
    return BuildReport(
        tally, made.dialogues, time.monotonic() - started, made.stopped, made.waiting
    )


def _check_tracks(job: Job) -> None:
    for track in job.tracks:
        known = [*tracks(), KNOWLEDGE]
        if track not in known:
            raise ConfigError(f"no track {track!r}", mend=nearest(track, known))
        if job.source in WITHOUT_ROOT and track != KNOWLEDGE:
            raise ConfigError(
                f"the source {job.source} has no photographs to speak of, track {track!r} does",
                mend=f"give --track {KNOWLEDGE}",
            )


def records_of(job: Job) -> Iterator[Record | LeftOut]:
    """Yield what a job's source holds, its tables joined; photographs are not opened."""
    request = SourceRequest(
        root=job.root,
        labels=job.labels,
        photographs=job.photographs,
        labels_only=job.labels_only,
        max_boxes=job.max_boxes,
        max_per_topic=job.max_per_topic,
        columns=job.columns,
    )
    if job.source not in sources.names():
        from fundoscope.measure import all_sources  # noqa: F401  # heavy, and adds few sources
    records = sources.get(job.source)(request)
    tables = _feature_tables(job)
    ours = [table for table in tables if is_measurement_table(table.file)]
    others = [table for table in tables if table not in ours]
    if ours:
        records = join_measurements(records, ours)
    return join_features(records, others) if others else records


def _feature_tables(job: Job) -> list[FeatureTable]:
    tables = []
    for text in job.features:
        split, mark, file = text.partition("=")
        if mark and split in SPLITS:
            tables.append(FeatureTable(Path(file), split))
        else:
            tables.append(FeatureTable(Path(text)))
    return tables


def _looked_at(
    things: Iterable[Record | LeftOut], ledger: Ledger, job: Job
) -> Iterator[Record | LeftOut]:
    """Add size and hashes to every record with a photograph; leave out what is no image."""
    folder = job.photographs or job.root
    things = iter(things)
    with ThreadPoolExecutor() as pool:
        while chunk := list(islice(things, LOOK_AT_ONCE)):
            files = [_file_of(thing, folder) for thing in chunk]
            known = [ledger.look_of(file) if file else None for file in files]
            seen = pool.map(_seen, files, known)
            for thing, file, old, new in zip(chunk, files, known, seen, strict=True):
                if file is None or not isinstance(thing, Record):
                    yield thing
                    continue
                if old is None:
                    ledger.remember_look(file, new)
                yield _with_look(thing, new)


def _file_of(thing: Record | LeftOut, folder: Path) -> Path | None:
    if isinstance(thing, LeftOut) or not thing.photograph.file:
        return None
    return folder / thing.photograph.file


def _seen(file: Path | None, known: dict[str, object] | None) -> dict[str, object]:
    if file is None or known is not None:
        return known or {}
    try:
        found = asdict(look(file))
    except PhotographError as problem:
        return {"problem": problem.what}
    return found | {"perceptual_hash": f"{found['perceptual_hash']:064x}"}


def _with_look(record: Record, seen: dict[str, object]) -> Record | LeftOut:
    if "problem" in seen:
        return LeftOut(
            "unreadable photograph",
            record.photograph.file,
            str(seen["problem"]),
            "; ".join(record.origin),
        )
    photograph = replace(record.photograph, **seen)  # type: ignore[arg-type]
    return replace(record, photograph=photograph)


def _compose_all(
    things: Iterable[Record | LeftOut],
    ledger: Ledger,
    job: Job,
    engine: Engine,
    progress: Progress | None,
) -> int:
    composed = records = left_out = kept = rejected = 0
    last = time.monotonic()
    for thing in things:
        if isinstance(thing, LeftOut):
            ledger.leave_out(thing)
            left_out += 1
            continue
        row, records = ledger.add_record(thing), records + 1
        line, facts = record_to_json(thing), None
        for track in job.tracks:
            for language in job.languages:
                version = engine_version(engine, language, track)
                asked = request_hash(line, job, track, language, version)
                if ledger.is_done(row, track, language, asked):
                    continue
                facts = facts or Facts.of(thing)
                if track == KNOWLEDGE and (reason := unlinked_reason(facts)):
                    ledger.settle(row, track, language, asked, Settled(False, reason))
                    rejected += 1
                    continue
                conversation = engine(thing, track, language, job.seed, facts)
                verdict = judge_said(conversation, thing, facts)
                ledger.judge(row, conversation, asked, verdict)
                composed += 1
                kept, rejected = kept + verdict.kept, rejected + (not verdict.kept)
        if time.monotonic() - last > COMMIT_EVERY_S:
            ledger.commit()
            last = time.monotonic()
            if progress:
                progress(Tally(records, kept, rejected, left_out))
    return composed


def _keep_all(
    things: Iterable[Record | LeftOut], ledger: Ledger, progress: Progress | None
) -> None:
    """Read the whole source into the ledger: a server is asked from there."""
    last = time.monotonic()
    for thing in things:
        if isinstance(thing, LeftOut):
            ledger.leave_out(thing)
        else:
            ledger.add_record(thing)
        if time.monotonic() - last > COMMIT_EVERY_S:
            ledger.commit()
            last = time.monotonic()
            if progress:
                progress(ledger.tally())
    ledger.commit()


def _spare_cores() -> int:
    return min(MOST_PROCESSES, max(1, (os.cpu_count() or 2) - 1))


def _ask_all(ledger: Ledger, job: Job, progress: Progress | None, processes: int) -> Made:
    if job.engine == "batches":
        from fundoscope.converse.batch_files import pack

        return pack(ledger, job, items_of(ledger, job), max(1, processes))
    return converse_by_endpoint(ledger, job, items_of(ledger, job), progress, processes)


def items_of(ledger: Ledger, job: Job) -> Iterator[Item]:
    """Return the dialogues of a run that are not settled yet, in the source's order."""
    versions = {(t, g): asks_by(job, t, g) for t in job.tracks for g in job.languages}
    return _unsettled(ledger, job, versions)


def _unsettled(
    ledger: Ledger, job: Job, versions: dict[tuple[str, Language], str]
) -> Iterator[Item]:
    for row, line in ledger.items():
        for (track, language), version in versions.items():
            asked = request_hash(line, job, track, language, version)
            if not ledger.is_done(row, track, language, asked):
                yield Item(row, line, track, language, asked)


def engine_version(engine: Engine, language: Language, track: str = "instruction") -> str:
    """Return what, besides its name, decides an engine's words: its attribute `version`."""
    if engine is compose:
        return prompt_version(language, track)
    return str(getattr(engine, "version", ""))


def request_hash(
    record_line: bytes, job: Job, track: str, language: Language, version: str
) -> bytes:
    """Return the hash of all that decides an answer."""
    asked = f"{job.engine}|{version}|{job.seed}|{track}|{language}|".encode()
    return blake2b(asked + record_line, digest_size=16).digest()
