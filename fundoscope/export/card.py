"""A run's card: one HTML page to look at, and the same in Markdown for a data set's home page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fundoscope import __version__, terms
from fundoscope.export import card_panels as panels
from fundoscope.export.card_counts import CardCounts
from fundoscope.export.card_samples import Drawn, Samples, Swatch, drawn, legend
from fundoscope.export.text_tally import TextTally, text_tally
from fundoscope.ledger import Ledger
from fundoscope.records import LANGUAGES, Dialogue, Record

HTML, MARKDOWN = "card.html", "card.md"
NAMED = 4
"""Most data sets that the title names."""
PRIVATE = ("base_url", "key_env", "key_file")
"""Settings of a server that no card shows."""
FACTS = 8
"""Most labels that stand beside a sample."""
TASKS = ("visual-question-answering", "image-text-to-text")
_SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"),
          (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))  # fmt: skip


def write_card(run: Path | str, out: Path | str | None = None) -> tuple[Path, Path]:
    """Write the HTML and the Markdown card of a run, and return their paths.

    The run is only read, its dialogues once; memory does not grow with their number. The same
    run gives the same bytes.

    Parameters
    ----------
    run : Path
        The folder that holds the run's ledger.
    out : Path or None
        The folder to write into; the run's own unless told.

    Raises
    ------
    LedgerError
        If the folder holds no ledger.
    TermError
        If the ledger uses a word that the vocabulary does not hold.
    """
    run = Path(run)
    folder = Path(out or run)
    with Ledger(run) as ledger, text_tally() as texts:
        view = _view(ledger, texts)
    folder.mkdir(parents=True, exist_ok=True)
    page = _html_pages().get_template(HTML).render(view)
    text = _markdown_pages().get_template(MARKDOWN).render(view)
    return _written(folder / HTML, page), _written(folder / MARKDOWN, text)


def _written(path: Path, text: str) -> Path:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    return partial.replace(path)


def _view(ledger: Ledger, texts: TextTally) -> dict[str, Any]:
    """Everything that a template shows, by name."""
    counts, samples = CardCounts(texts), Samples()
    counts.count_records(ledger.records())
    for dialogue in counts.counting_dialogues(ledger.kept()):
        samples.see(dialogue)
    counts.count_rejects(ledger.rejects())
    counts.count_left_out(ledger.left_out())
    judged = ledger.judged_by_aspect()
    job = ledger.recall("job") or {}
    return {
        "counts": counts,
        "judged": _claims(judged),
        "patients": texts.distinct("patient"),
        **_head(counts),
        **_panels(counts, judged),
        "first_judgements": panels.judgement_stacks(ledger.judged_at_first()),
        "spent": ledger.asked.spent(),
        "samples": [_sample(d, _photographs_of(job)) for d in samples.chosen()],
        "job": _as_yaml(_without_folders(job)),
        "command": job.get("command", ""),
        "finished": bool(ledger.recall("finished")),
        "finished_at": ledger.recall("finished_at") or "",
        "version": __version__,
    }


def _head(counts: CardCounts) -> dict[str, Any]:
    datasets = [bar.label for bar in panels.bars(counts.photographs_of)]
    named = _listed(datasets[:NAMED], len(datasets) - NAMED) or "no data set"
    known = [tongue for tongue in LANGUAGES if counts.kept_by["language"][tongue]]
    spoken = [panels.LANGUAGE_NAMES[tongue] for tongue in known]
    return {
        "datasets": named,
        "title": f"Dialogues about {named}",
        "languages": _listed(spoken) or "no language",
        "front_matter": _front_matter(named, known, counts.kept),
    }


def _panels(counts: CardCounts, judged: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    finding_stacks, more_findings = panels.finding_stacks(counts)
    by, texts = counts.kept_by, counts.texts
    return {
        "by_dataset": panels.bars(by["dataset"]),
        "by_split": panels.bars(by["split"]),
        "by_language": panels.bars(by["language"], panels.LANGUAGE_NAMES),
        "by_track": panels.bars(by["track"]),
        "grade_panels": panels.grade_panels(counts),
        "findings": finding_stacks,
        "more_findings": more_findings,
        "lesions": panels.lesion_rows(counts),
        "quantities": panels.quantity_stacks(counts),
        "turns": [panels.turn_histogram(t, counts.turns[t]) for t in sorted(counts.turns)],
        "lengths": [
            panels.length_histogram(t, n) for t, n in sorted(counts.answer_lengths.items())
        ],
        "varieties": panels.varieties(counts),
        "judgements": panels.judgement_stacks(judged),
        "rejected": texts.commonest("rejected", panels.REJECTED_FOR),
        "more_rejected": max(0, texts.distinct("rejected") - panels.REJECTED_FOR),
        "left_out": panels.left_out_panels(texts),
        "licences": [(*key, n) for key, n in sorted(counts.licences.items())],
        "makers": [(*key, n) for key, n in sorted(counts.makers.items())],
        "language_names": panels.LANGUAGE_NAMES,
    }


def _claims(judged: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    claims: dict[str, int] = dict.fromkeys(panels.JUDGEMENTS, 0)
    for by_judgement in judged.values():
        for judgement in panels.JUDGEMENTS:
            claims[judgement] += by_judgement.get(judgement, 0)
    return {**claims, "all": sum(claims.values())}


def _without_folders(job: Mapping[str, Any]) -> dict[str, Any]:
    """The job with the last part of each path: a card is published, one's folders are not.

    Nor is the address of a server of one's own.
    """

    def last(value: object) -> object:
        if isinstance(value, list):
            return [last(part) for part in value]
        if isinstance(value, dict):
            return {name: last(part) for name, part in value.items() if name not in PRIVATE}
        return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value

    return {name: last(value) for name, value in job.items()}


def _photographs_of(job: Mapping[str, Any]) -> Path | None:
    """The folder that the records' files are relative to, if the job names one."""
    folder = job.get("photographs") or job.get("root")
    return Path(folder) if isinstance(folder, str) else None


def _sample(dialogue: Dialogue, photographs: Path | None) -> dict[str, Any]:
    picture: Drawn = drawn(dialogue.record, photographs)
    swatches: list[Swatch] = legend(dialogue.record.lesions)
    facts = _facts(dialogue.record)
    return {
        "record": dialogue.record,
        "said": dialogue.conversation,
        "turns": [(t.question, t.answer) for t in dialogue.conversation.turns],
        "picture": picture,
        "legend": swatches,
        "facts": facts[:FACTS],
        "more_facts": max(0, len(facts) - FACTS),
    }


def _facts(record: Record) -> list[str]:
    """What the labels of a photograph say, in short."""
    facts = []
    for grade in record.grades:
        scale = terms.scale(grade.scale)
        level = scale.levels.get(grade.level)
        facts.append(f"{scale.en[0]} {grade.level}" + (f": {level.en[0]}" if level else ""))
    for finding in record.findings:
        facts.append(f"{terms.term(finding.term).en[0]}: {finding.status.replace('_', ' ')}")
    for total in record.lesion_totals:
        facts.append(f"{terms.term(total.kind).en[0]}: {total.count} outlined")
    return list(dict.fromkeys(facts))


def _front_matter(name: str, languages: Sequence[str], dialogues: int) -> str:
    """The YAML head that a data set's home page is found by."""
    head: dict[str, Any] = {
        "license": "other",
        "license_name": "terms-of-each-photograph-owner",
        "language": list(languages),
        "task_categories": list(TASKS),
        "tags": ["medical", "ophthalmology", "retina", "fundus", "fundoscope"],
        "size_categories": [next((word for n, word in _SIZES if dialogues < n), "n>100M")],
        "pretty_name": f"Dialogues about {name}",
    }
    return _as_yaml({key: value for key, value in head.items() if value})


def _as_yaml(value: object) -> str:
    return yaml.safe_dump(value, allow_unicode=True, sort_keys=False, width=100)


def _listed(names: Sequence[str], more: int = 0) -> str:
    """`a`, `a and b`, `a, b and c`, `a, b and 3 more`."""
    parts = [*names, f"{more} more"] if more > 0 else list(names)
    return " and ".join(part for part in (", ".join(parts[:-1]), *parts[-1:]) if part)


# how the templates write what they show


def _html_pages() -> Environment:
    return _pages(Environment(loader=_loader(), autoescape=True, undefined=StrictUndefined))


def _markdown_pages() -> Environment:
    pages = Environment(
        loader=_loader(),
        autoescape=False,
        finalize=markdown_text,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    pages.filters |= {"as_code": _as_code, "as_is": Markup}
    return _pages(pages)


def _loader() -> PackageLoader:
    return PackageLoader("fundoscope.export", "templates")


def _pages(pages: Environment) -> Environment:
    pages.trim_blocks = pages.lstrip_blocks = True
    pages.filters |= {"number": number, "brief": brief, "share": share, "listed": _names}
    return pages


def number(value: int) -> str:
    """Return a count with its thousands set apart: `12,345`."""
    return f"{value:,}"


def brief(value: int) -> str:
    """Return a count in little room: `950`, `12k`, `1.2M`; the exact one must stand nearby.

    Examples
    --------
    >>> brief(950), brief(1249), brief(12_600), brief(999_600), brief(1_234_567)
    ('950', '1.2k', '13k', '1.0M', '1.2M')
    """
    if value < 1000:
        return str(value)
    short, letter = (value / 1e3, "k") if value < 999_500 else (value / 1e6, "M")
    return f"{short:.1f}{letter}" if short < 9.95 else f"{short:.0f}{letter}"


def share(part: int, whole: int) -> str:
    """Return a share in per cent; neither all nor nothing is said of what is only nearly so.

    Examples
    --------
    >>> share(1, 3), share(0, 3), share(9999, 10_000), share(0, 0)
    ('33.3 %', '0 %', '>99.9 %', 'of none')
    """
    if whole == 0:
        return "of none"
    if part in (0, whole):
        return "100 %" if part else "0 %"
    percent = 100 * part / whole
    if percent < 0.1:
        return "<0.1 %"
    return ">99.9 %" if percent > 99.9 else f"{percent:.1f} %"


def _names(names: Iterable[str], total: int) -> str:
    names = [name for name in names if name]
    return ", ".join(names) + (", ..." if total > len(names) else "") if names else "no name"


_SPECIAL = re.compile(r"([\\`*_\[\]|]|^[#+=~-])")


def markdown_text(value: object) -> object:
    r"""Return a value as Markdown shows it: no mark-up, no tag, on one line.

    Examples
    --------
    >>> markdown_text("a|b <script>\nc")
    'a\\|b &lt;script&gt; c'
    """
    if isinstance(value, Markup):
        return value
    text = str(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _as_code(text: str) -> Markup:
    """Text as a Markdown code block: indented, so that nothing in it can end the block."""
    return Markup("".join(f"    {line}\n" for line in text.splitlines()))
