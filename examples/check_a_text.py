"""Hold sentences against a record: what is supported, contradicted, or merely not known.

python examples/check_a_text.py
"""

from fundoscope import Finding, Grade, Measured, Photograph, Record, Unmeasured, check_text
from fundoscope.verify.check import Facts

record = Record(
    Photograph("clinic", "all", "101_left", eye="left"),
    grades=(Grade("icdr", 2, "the clinic's reader"),),
    findings=(Finding("glaucoma", "suspected", "the clinic's reader"),),
    measurements=(
        Measured("crae_knudtson", 155.528, "um", "AutoMorph", where="zone_b"),
        Unmeasured("cdr_vertical", "no optic disc was found"),
    ),
)
TEXTS = {
    "en": (
        "This is moderate NPDR, and glaucoma is suspected.",
        "This is severe NPDR.",
        "There is glaucoma.",
        "There is no macular hole.",
        "The CRAE is 155.5 µm.",
        "The CRAE is 165.5 µm.",
        "The vertical cup-to-disc ratio is 0.4.",
        "The vertical cup-to-disc ratio was not measured.",
    ),
    "zh": ("这是左眼。", "这是右眼。", "未见青光眼。", "垂直杯盘比未测量。"),
}

facts = Facts.of(record)
for language, texts in TEXTS.items():
    for text in texts:
        for one in check_text(text, facts, language):
            because = f": {one.reason}" if one.reason else ""
            print(f"{one.judgement:13} {text}  {one.claim.statement.term}{because}")
