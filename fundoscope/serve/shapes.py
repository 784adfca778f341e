"""What the API takes and gives, field by field; its OpenAPI page is drawn from these.

Requests refuse unknown fields. Points are (row, col) in pixels, boxes (x_min, y_min, x_max,
y_max), 0 to 1, of the full photograph.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fundoscope.records import Box, Eye, Language
from fundoscope.serve.replies import DISCLAIMER, Evidence, Reply

MODEL = "fundoscope"
"""The name under which the assistant answers."""
Visit = Annotated[str, Field(max_length=40, pattern=r"^[\w .:/+-]*$")]


class Asked(BaseModel):
    """A part of a request: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Given(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(frozen=True)


# errors


class ErrorDetail(Given):
    """What is wrong, in OpenAI's form."""

    message: str
    type: str
    param: str | None = None
    code: str


class ErrorBody(Given):
    """The body of every answer from 400 on."""

    error: ErrorDetail


# chat


class PhotographAddress(Asked):
    """Where the photograph is: only in the message itself."""

    url: str
    """`data:image/jpeg;base64,...`; no other address is ever fetched."""
    detail: Literal["auto", "low", "high", "original"] | None = None
    """Taken and not heeded: a photograph is always looked at in full."""


class PhotographPart(Asked):
    """A photograph in a message."""

    type: Literal["image_url"]
    image_url: PhotographAddress


class TextPart(Asked):
    """Words in a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Asked):
    """One message; an assistant's may be sent back just as it was received."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Annotated[TextPart | PhotographPart, Field(discriminator="type")]]
    name: str | None = Field(default=None, max_length=64)
    refusal: None = None
    annotations: list[Any] | None = Field(default=None, max_length=0)
    audio: None = None
    function_call: None = None
    tool_calls: list[Any] | None = Field(default=None, max_length=0)
    fundoscope: dict[str, Any] | None = None
    """The evidence of an earlier answer, where a client sends it back; not heeded."""


class StreamOptions(Asked):
    """What a stream ends with."""

    include_usage: bool = False
    include_obfuscation: bool | None = None


class PlainText(Asked):
    """The only form of answer that there is."""

    type: Literal["text"]


class OurOptions(Asked):
    """What OpenAI's fields cannot say; pass it as `extra_body={"fundoscope": {...}}`."""

    language: Language | None = None
    """Language of the answer; that of the question where it is left out."""
    eyes: tuple[Eye | None, ...] = ()
    """Which eye each different photograph shows, in the order in which they come."""
    visits: tuple[Visit, ...] = ()
    """Label of the visit at which each was taken, such as `2024`."""


class ChatRequest(Asked):
    """A question about photographs, in the form of OpenAI's chat completions."""

    model: str = Field(max_length=100)
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    fundoscope: OurOptions = OurOptions()
    # taken and not heeded: nothing is drawn by chance, and an answer is never cut off
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    reasoning_effort: str | None = Field(default=None, max_length=40)
    verbosity: str | None = Field(default=None, max_length=40)
    user: str | None = Field(default=None, max_length=500)
    safety_identifier: str | None = Field(default=None, max_length=500)
    prompt_cache_key: str | None = Field(default=None, max_length=500)
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    service_tier: str | None = Field(default=None, max_length=40)
    parallel_tool_calls: bool | None = None
    # taken only with the value that changes nothing
    n: Literal[1] | None = 1
    logprobs: Literal[False] | None = None
    store: Literal[False] | None = None
    tool_choice: Literal["none", "auto"] | None = None
    modalities: list[Literal["text"]] | None = None
    response_format: PlainText | None = None
    tools: list[Any] | None = Field(default=None, max_length=0)
    functions: list[Any] | None = Field(default=None, max_length=0)
    stop: list[Any] | None = Field(default=None, max_length=0)
    logit_bias: dict[str, Any] | None = Field(default=None, max_length=0)


class EvidenceShape(Given):
    """One thing that an answer rests on."""

    kind: Literal["statement", "fact", "photograph"]
    id: str
    words: str
    photograph: int
    term: str
    value: float | None
    unit: str
    repeatability: float | None
    tool: str
    box: Box | None
    layer: str
    source: str
    year: int | None
    url: str


class OurAnswer(Given):
    """What an answer rests on, beside its text."""

    evidence: tuple[EvidenceShape, ...]
    urgent: bool
    refused: str
    notice: str
    engine: str
    language: Language
    topics: tuple[str, ...]
    photographs: tuple[str, ...]
    """SHA-256 of the photographs that were looked at, in the order of `Evidence.photograph`."""
    disclaimer: str


class AnswerMessage(Given):
    """The answer's text."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(Given):
    """The only choice."""

    index: Literal[0] = 0
    message: AnswerMessage
    finish_reason: Literal["stop"] = "stop"
    logprobs: None = None


class Usage(Given):
    """Size of question and answer; a token is reckoned as four bytes of text."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(Given):
    """An answer, in the form of OpenAI's."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice]
    usage: Usage
    fundoscope: OurAnswer


class ModelShape(Given):
    """The assistant, as OpenAI's list of models has it."""

    id: str = MODEL
    object: Literal["model"] = "model"
    created: int
    owned_by: str = MODEL


class ModelList(Given):
    """All models: one."""

    object: Literal["list"] = "list"
    data: tuple[ModelShape, ...]


def our_answer(reply: Reply, photographs: tuple[str, ...]) -> OurAnswer:
    """Return what stands beside the text of a reply."""
    return OurAnswer(
        evidence=tuple(evidence_shape(each) for each in reply.evidence),
        urgent=reply.urgent,
        refused=reply.refused,
        notice=reply.notice,
        engine=reply.engine,
        language=reply.language,
        topics=reply.topics,
        photographs=photographs,
        disclaimer=DISCLAIMER[reply.language],
    )


def evidence_shape(evidence: Evidence) -> EvidenceShape:
    """Return a piece of evidence as it is sent."""
    return EvidenceShape.model_construct(
        **{name: getattr(evidence, name) for name in EvidenceShape.model_fields}
    )
