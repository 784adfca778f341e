"""A language model's words are shown only where record and facts hold each of them."""

from collections.abc import Sequence
from typing import Any

import pytest

from fundoscope.config import Endpoint
from fundoscope.errors import EndpointError
from fundoscope.knowledge.graph import facts_of
from fundoscope.records import Measured, Photograph, Record
from fundoscope.serve.assistant import Assistant
from fundoscope.serve.drafts import EndpointDrafter, Turns
from fundoscope.serve.holding import held
from fundoscope.serve.replies import Message, Reply, Seen
from fundoscope.serve.spoken import looks_at
from fundoscope.testing import FakeServer, FakeServerSettings
from fundoscope.testing.fake_settings import Faults
from fundoscope.testing.made_up_looks import made_up_look

RATIO = Measured("cdr_vertical", 0.41, "1", "fundoscope", "1", repeatability=0.02)


def look(cdr: float = 0.41, eye: Any = None, name: str = "d0") -> Seen:
    value = Measured("cdr_vertical", cdr, "1", "fundoscope", "1", repeatability=0.02)
    record = Record(Photograph("shown", "all", name), measurements=(value,))
    return made_up_look(record, probabilities={"glaucoma": 0.6}, eye=eye, name=name)


class Says:
    """A drafter that says what it is given, one draft after the other."""

    name = "says"

    def __init__(self, *drafts: str) -> None:
        self.drafts, self.asked = list(drafts), list[Turns]()

    def draft(self, turns: Turns, question: str, seen: Sequence[Seen]) -> str:
        self.asked.append(turns)
        return self.drafts.pop(0) if len(self.drafts) > 1 else self.drafts[0]


def reply(drafter: Says, question: str, *seen: Seen) -> Reply:
    return Assistant(drafter=drafter).reply([Message("user", question)], seen)


def test_a_draft_that_the_record_holds_is_shown_with_its_evidence() -> None:
    said = reply(Says("The vertical cup-to-disc ratio is 0.41."), "What is the CDR?", look())
    assert said.text == "The vertical cup-to-disc ratio is 0.41."
    assert (said.engine, said.notice) == ("says", "")
    assert [(one.term, one.value) for one in said.evidence] == [("cdr_vertical", 0.41)]


LIES = [
    "The vertical cup-to-disc ratio is 0.47.",
    "The eye is healthy.",
    "This is a normal fundus.",
    "There is no glaucoma.",
    "Glaucoma is present.",
    "There is diabetic retinopathy.",
    "You have diabetes.",
    "The vertical cup-to-disc ratio is 0.41, and you should take aspirin daily.",
    "The vertical cup-to-disc ratio is 0.41. Take 250 mg of acetazolamide.",
    "The vertical cup-to-disc ratio is 0.41. Please start latanoprost tonight.",
    "The vertical cup-to-disc ratio is 0.41. Surgery is urgently needed.",
    "The vertical cup-to-disc ratio is 0.41. <img src=x onerror=alert(1)>",
    "The vertical cup-to-disc ratio is 0.41. See [this](https://example.org).",
    "The vertical cup-to-disc ratio is 0.41. The patient is a woman of about sixty.",
    "The vertical cup-to-disc ratio is 0.41, a sign of certain blindness.",
    "Everything looks fine to me.",
    "Is the eye healthy?",
    "",
    "Glaucoma always leads to blindness [1].",
    "word " * 2000,
]


@pytest.mark.parametrize("lie", LIES)
def test_a_draft_that_nothing_holds_is_never_shown(lie: str) -> None:
    drafter = Says(lie)
    said = reply(drafter, "What is the CDR?", look())
    assert said.engine == "offline" and "did not pass" in said.notice
    assert said.text == Assistant().reply([Message("user", "What is the CDR?")], [look()]).text
    assert len(drafter.asked) == 3  # the draft, and two repairs


def test_a_draft_is_mended_by_what_was_wrong_in_it() -> None:
    drafter = Says(
        "The vertical cup-to-disc ratio is 0.47.", "The vertical cup-to-disc ratio is 0.41."
    )
    said = reply(drafter, "What is the CDR?", look())
    assert said.engine == "says"
    assert "0.41" in drafter.asked[1][-1]["content"]  # it is told the true value
    assert drafter.asked[1][-2]["content"].endswith("0.47.")


def test_a_marked_paraphrase_of_a_fact_passes_and_loses_its_mark() -> None:
    facts = [f for f in facts_of("glaucoma", "visual") if f.link == "definition"]
    text = f"{facts[0].en.rstrip('.')} [1]."
    found = held(text, looks_at([look()]), facts, "en")
    assert found.problems == [] and found.facts == facts[:1]


def test_a_fact_that_was_not_given_does_not_pass() -> None:
    fact = facts_of("cataract", "treatment")[0]
    assert held(fact.en, looks_at([look()]), (), "en").problems


def test_the_value_of_one_eye_is_not_said_of_the_other() -> None:
    two = (look(0.41, "left", "d1"), look(0.72, "right", "d2"))
    looks = looks_at(two)
    assert (
        held("In the left eye the vertical cup-to-disc ratio is 0.41.", looks, (), "en").problems
        == []
    )
    assert held("In the left eye the vertical cup-to-disc ratio is 0.72.", looks, (), "en").problems
    assert held("The vertical cup-to-disc ratio is 0.72.", looks, (), "en").problems


def test_a_chinese_draft_is_held_likewise() -> None:
    looks = looks_at([look()])
    assert held("垂直杯盘比为 0.41。", looks, (), "zh").problems == []
    for lie in (
        "垂直杯盘比为 0.47。",
        "眼底正常。",
        "这只眼睛很健康。",
        "建议立即服用乙酰唑胺治疗。",
        "没有青光眼。",
    ):
        assert held(lie, looks, (), "zh").problems, lie


def test_refusals_and_urgent_advice_stay_offline() -> None:
    drafter = Says("Take 5 mg.")
    assert reply(drafter, "Which dose of aspirin should I take?", look()).refused == "dose"
    assert reply(drafter, "I suddenly lost vision", look()).urgent
    assert drafter.asked == []


def test_a_draft_that_passes_stands_behind_urgent_advice() -> None:
    drafter = Says("The vertical cup-to-disc ratio is 0.41.")
    said = reply(drafter, "I see flashes and floaters. What is the CDR?", look())
    assert said.urgent and said.text.startswith("Seek care now") and said.text.endswith("0.41.")


def test_the_model_is_shown_evidence_and_no_name_of_the_photograph() -> None:
    drafter = Says("The vertical cup-to-disc ratio is 0.41.")
    reply(drafter, "What is the CDR?", look(name="abc123def456"))
    assert "0.41" in drafter.asked[0][-1]["content"] and "abc123" not in str(drafter.asked)


def served(answer: Any, **faults: Any) -> tuple[Reply, int]:
    settings = FakeServerSettings(answer=answer, latency_s=0, faults=Faults(**faults))
    with FakeServer(settings, in_thread=True) as server:
        endpoint = Endpoint(model="fake", base_url=server.url, timeout_s=2)
        assistant = Assistant(drafter=EndpointDrafter(endpoint))
        return assistant.reply([Message("user", "What is the CDR?")], [look()]), 0


def test_a_server_words_the_answer() -> None:
    said, _ = served(lambda messages: "The vertical cup-to-disc ratio is 0.41.")
    assert (said.engine, said.text) == ("fake", "The vertical cup-to-disc ratio is 0.41.")


@pytest.mark.parametrize("lie", ["The eye is healthy.", "<img onerror=x> 0.41", "CDR 0.9"])
def test_a_server_that_lies_is_not_shown(lie: str) -> None:
    said, _ = served(lambda messages: lie)
    assert said.engine == "offline" and "fake" in said.notice and lie not in said.text


@pytest.mark.parametrize(
    "fault", ["server_error", "hang", "dropped", "malformed_json", "null_content", "cut_body"]
)
def test_a_server_that_fails_leaves_the_offline_answer(fault: str) -> None:
    said, _ = served(None, **{fault: 1.0})
    assert said.engine == "offline" and "gave no draft" in said.notice and "0.41" in said.text


def test_a_server_that_is_not_there_is_an_error_of_ours() -> None:
    endpoint = Endpoint(model="none", base_url="http://127.0.0.1:9/v1", timeout_s=2)
    with pytest.raises(EndpointError):
        EndpointDrafter(endpoint).draft([{"role": "user", "content": "?"}], "?", [])
