"""Word a statement, read it back, get the same statement: in every wording and both languages."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fundoscope import terms
from fundoscope.describe.statements import place
from fundoscope.describe.wording import sentences
from fundoscope.records import LANGUAGES, UNMEASURED, Language, Statement
from fundoscope.verify.claims import claims

GRADED_ONLY = ("dme_risk", "referable_dme")  # a scale speaks of them, a finding never does
FINDINGS = [id for id in terms.conditions() if id not in GRADED_ONLY]


def every_constant_statement() -> list[Statement]:
    """Every statement of the vocabulary that holds no number of a photograph."""
    found = [Statement("modality", id, "present") for id in terms.modalities()]
    found += [Statement("eye", "eye", eye) for eye in ("left", "right", UNMEASURED)]
    found.append(Statement("quality", "quality", UNMEASURED))
    for scale in terms.scales().values():
        aspect = "quality" if scale.term in ("quality", "gradability") else "grade"
        found += [Statement(aspect, scale.term, n, scale=scale.id) for n in scale.levels]
    for id in (*FINDINGS, *terms.lesions()):
        for status in ("present", "suspected", "absent", "not_assessed"):
            found.append(Statement("finding", id, status))
    for id in terms.quantities():
        found += [Statement("measurement", id, UNMEASURED, of=of) for of in _vessels(id)]
    return found


def _vessels(quantity: str) -> tuple[str, ...]:
    return tuple(terms.VESSELS) if terms.quantity(quantity).vessels else ("",)


def wordings(said: Sequence[Statement], language: Language) -> list[str]:
    """Every wording: the nth choice of each place, until all were taken."""
    texts = []
    for n in range(8):
        texts.append(
            " ".join(sentences(said, language, lambda options, n=n: options[n % len(options)]))
        )
    return sorted(set(texts))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_constant_statement_survives_every_wording(language: Language) -> None:
    lost = []
    for statement in every_constant_statement():
        for text in wordings([statement], language):
            read = {claim.statement for claim in claims(text, language)}
            if read != {statement}:
                lost.append((text, statement, read))
    assert lost == []


units = st.sampled_from(sorted(terms.quantities()))
unit_numbers = st.integers(0, 9999).map(lambda n: n / 10000)


@st.composite
def numbered_statements(draw: st.DrawFn) -> list[Statement]:
    """Measurements of one group, or lesions of one kind with boxes."""
    if draw(st.booleans()):
        where = draw(st.sampled_from(["", *terms.ZONES]))
        of = draw(st.sampled_from(["", *terms.VESSELS]))
        pool = [q for q in terms.quantities().values() if q.vessels == bool(of)]
        chosen = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique_by=id))
        return [
            Statement(
                "measurement",
                q.id,
                round(draw(st.floats(q.plausible[0], min(q.plausible[1], 900))), q.decimals),
                unit=q.unit,
                of=of,
                where=where,
            )
            for q in chosen
        ]
    kind = draw(st.sampled_from(sorted(terms.lesions())))
    said = [
        Statement("lesion_count", kind, draw(st.integers(1, 400))),
        Statement("lesion_area", kind, draw(st.integers(1, 99_000)) / 1000, unit="%"),
    ]
    for _ in range(draw(st.integers(0, 3))):
        box = tuple(draw(unit_numbers) for _ in range(4))
        said.append(Statement("lesion_box", kind, box, where=place(box)))  # type: ignore[arg-type]
    return said


@settings(max_examples=300, deadline=None)
@given(numbered_statements(), st.sampled_from(LANGUAGES))
def test_every_number_survives_every_wording(said: list[Statement], language: Language) -> None:
    for text in wordings(said, language):
        assert {claim.statement for claim in claims(text, language)} == set(said), text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["present", "suspected", "absent", "not_assessed"])
def test_findings_said_together_are_read_apart(language: Language, status: str) -> None:
    ids = [id for id in FINDINGS if id not in ("normal_fundus", "abnormality")]
    for group in zip(*[iter(ids)] * 4, strict=False):
        said = [Statement("finding", id, status) for id in group]
        for text in wordings(said, language):
            assert {claim.statement for claim in claims(text, language)} == set(said), text
