"""What a job would cost, from a sample of its records, before anything is asked."""

from __future__ import annotations

import random
from dataclasses import dataclass

from fundoscope.config import Job
from fundoscope.converse.build import records_of
from fundoscope.converse.composer import compose
from fundoscope.converse.endpoint import endpoint_of
from fundoscope.converse.facet_asking import words_for
from fundoscope.converse.money import about_tokens, picture_tokens, price_of, prices_as_of
from fundoscope.converse.prompts import KNOWLEDGE, facts_text, first_messages
from fundoscope.errors import ConfigError
from fundoscope.records import Language, Record
from fundoscope.verify.check import Facts

SAMPLE = 64
"""Records from which the rest is judged."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """About what a job asks and costs, if no answer has to be sent back."""

    model: str
    records: int
    sampled: int
    requests: int
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    """None where no price is known."""
    price_from: str


def estimate(job: Job) -> Estimate:
    """Return about what a job would ask and cost. The source is read, nothing is sent or written.

    Tokens out are those of the dialogues that the offline composer makes of the same records.

    Raises
    ------
    ConfigError
        If the job names no server, or its source gives no record.
    """
    endpoint = endpoint_of(job)
    count, sample = _sampled(job)
    if not sample:
        raise ConfigError(f"{job.source} in {job.root} gave no record", mend="check --root")
    kinds = [(track, language) for track in job.tracks for language in job.languages]
    per_kind = [
        (_tokens_in(job, record, *kind), _tokens_out(job, record, *kind))
        for record in sample
        for kind in kinds
    ]
    requests = count * len(kinds)
    mean_in = sum(tokens for tokens, _ in per_kind) / len(per_kind)
    mean_out = sum(tokens for _, tokens in per_kind) / len(per_kind)
    if endpoint.photograph:
        mean_in += picture_tokens(endpoint.photograph_px)
    tokens_in, tokens_out = round(requests * mean_in), round(requests * mean_out)
    price = price_of(endpoint.model_copy(update={"budget_usd": None}))
    return Estimate(
        endpoint.model,
        count,
        len(sample),
        requests,
        tokens_in,
        tokens_out,
        price.of(tokens_in, tokens_out) if price else None,
        "your price" if endpoint.price else f"prices of {prices_as_of()}",
    )


def _sampled(job: Job) -> tuple[int, list[Record]]:
    """Return how many records there are, and some drawn from them (reservoir sampling)."""
    rng, count, sample = random.Random(job.seed), 0, list[Record]()
    for thing in records_of(job):
        if not isinstance(thing, Record):
            continue
        count += 1
        if len(sample) < SAMPLE:
            sample.append(thing)
        elif (place := rng.randrange(count)) < SAMPLE:
            sample[place] = thing
    return count, sample


def _tokens_in(job: Job, record: Record, track: str, language: Language) -> int:
    endpoint = endpoint_of(job)
    if track == KNOWLEDGE:
        system, user = words_for(
            Facts.of(record), language, job.seed,
            structured=endpoint.structured, photograph=endpoint.photograph,
        )  # fmt: skip
        return about_tokens(system) + about_tokens(user)
    facts = facts_text(record, language, Facts.of(record))
    system, user = first_messages(
        facts, track, language, job.source,
        structured=endpoint.structured, photograph=endpoint.photograph,
    )  # fmt: skip
    return about_tokens(system) + about_tokens(user)


def _tokens_out(job: Job, record: Record, track: str, language: Language) -> int:
    turns = compose(record, track, language, job.seed).turns
    return sum(about_tokens(turn.question) + about_tokens(turn.answer) + 6 for turn in turns)
