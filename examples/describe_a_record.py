"""Word one record in both languages, read the words back, and get the same statements.

python examples/describe_a_record.py
"""

from random import Random

from fundoscope import Grade, Lesion, Photograph, Record, claims, compose, sentences, statements
from fundoscope.records import LANGUAGES, LesionTotal

READER = "outlines of this photograph"
record = Record(
    Photograph("clinic", "all", "101_left", eye="left"),
    grades=(Grade("icdr", 2, "the clinic's reader"), Grade("dme_risk", 1, "the clinic's reader")),
    lesions=(Lesion("hard_exudate", (0.1, 0.2, 0.15, 0.24), 0.001, READER, count=3),),
    lesion_totals=(
        LesionTotal("hard_exudate", 3, 0.001, READER),
        LesionTotal("soft_exudate", 0, 0.0, READER),
    ),
)

said = statements(record)
for language in LANGUAGES:
    for seed in (1, 2):
        text = "\n".join(sentences(said, language, Random(seed).choice))
        assert {claim.statement for claim in claims(text, language)} == set(said)
        print(text, end="\n\n")
    for turn in compose(record, "instruction", language).turns:
        print(f"Q {turn.question}\nA {turn.answer}")
    print()
