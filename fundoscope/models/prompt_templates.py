"""How turns become the text that a model reads: named formats, exact to the character.

What a released model was trained with decides what it understands, so each format is kept as it
is, odd newlines included. RetinalGPT's training (`v0`) and its inference (`simple`) differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fundoscope.errors import ModelError, nearest

MARK = "<image>"
"""Where a photograph stands in the text of a turn."""
IGNORED = -100
"""Label of a token that is not learned."""


class Exchange(NamedTuple):
    """A question and its answer."""

    question: str
    answer: str


class Piece(NamedTuple):
    """A stretch of a training text."""

    text: str
    learned: bool


@dataclass(frozen=True)
class TrainingText:
    """A dialogue as it is trained on, and which of its characters are learned."""

    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def learned(self) -> tuple[tuple[int, int], ...]:
        """Spans of characters (start, end) that are learned, in order."""
        spans, at = [], 0
        for piece in self.pieces:
            if piece.learned and piece.text:
                spans.append((at, at + len(piece.text)))
            at += len(piece.text)
        return tuple(spans)

    def labels(self, ids: Sequence[int], offsets: Sequence[tuple[int, int]]) -> list[int]:
        """Return the label of each token: its id where it is learned, else `IGNORED`.

        Parameters
        ----------
        ids, offsets
            Tokens of `text` and the characters (start, end) of each, as a fast tokenizer gives
            them. A token is learned if its last character is; one without characters, such as
            the token that begins every text, is not.
        """
        learned = [False] * len(self.text)
        for start, end in self.learned:
            learned[start:end] = [True] * (end - start)
        return [
            id if end > start and learned[end - 1] else IGNORED
            for id, (start, end) in zip(ids, offsets, strict=True)
        ]


@dataclass(frozen=True)
class PhotographTokens:
    """The tokens that stand for one photograph in a prompt."""

    patch: str = "<im_patch>"
    count: int = 1
    """Features of one photograph, 256 for CLIP ViT-L/14 at 224 px."""
    start: str = ""
    """`<im_start>` and `<im_end>` where the checkpoint says mm_use_im_start_end."""
    end: str = ""

    def block(self) -> str:
        """Return what takes the place of `MARK`."""
        return self.start + self.patch * self.count + self.end


@dataclass(frozen=True)
class PromptTemplate:
    """One format: what surrounds questions and answers.

    A prompt is `opening`, then `human question human_end cue lead answer answer_end` for each
    earlier exchange, then `human question human_end cue`.
    """

    name: str
    opening: str
    """The system's words, and what a released script says before the first question."""
    human: str
    human_end: str
    cue: str
    """Ends a prompt; the model goes on from here."""
    lead: str
    """What the model writes before its answer."""
    answer_end: str
    closing: str = ""
    """Ends a training text."""
    stops: tuple[str, ...] = ()
    """Texts at which an answer ends."""
    echoes: tuple[str, ...] = ()
    """What models repeat before their answer, which is no part of it."""
    learned_of_human: str = ""
    """Start of `human` that is learned, so that the model learns to stop."""
    learns_cue: bool = False

    def question(self, question: str) -> str:
        """Return what a question adds to a text that ended with an answer."""
        self._check(question, "question")
        return self.human + question.strip() + self.human_end + self.cue

    def prompt(self, question: str, history: Sequence[Exchange] = ()) -> str:
        """Return the text after which the model answers `question`.

        Raises
        ------
        ModelError
            If a question or an answer holds what this format separates turns with.
        """
        return self.opening + self._told(history) + self.question(question)

    def _told(self, history: Sequence[Exchange]) -> str:
        parts = []
        for question, answer in history:
            self._check(answer, "answer")
            parts.append(self.question(question) + self.lead + answer.strip() + self.answer_end)
        return "".join(parts)

    def training_text(self, exchanges: Sequence[Exchange]) -> TrainingText:
        """Return the text of a whole dialogue, with what is learned of it."""
        pieces = [Piece(self.opening, False)]
        for question, answer in exchanges:
            self._check(question, "question")
            self._check(answer, "answer")
            rest_of_human = self.human.removeprefix(self.learned_of_human)
            pieces += [
                Piece(self.learned_of_human, True),
                Piece(rest_of_human + question.strip() + self.human_end, False),
                Piece(self.cue, self.learns_cue),
                Piece(self.lead + answer.strip() + self.answer_end, True),
            ]
        pieces.append(Piece(self.closing, True))
        return TrainingText(tuple(piece for piece in pieces if piece.text))

    def read_back(self, text: str) -> list[Exchange]:
        """Return the exchanges of a training text.

        Raises
        ------
        ModelError
            If the text is not of this format.
        """
        rest, exchanges = self._after(text, self.opening), []
        while rest != self.closing:
            question, rest = self._until(self._after(rest, self.human), self.human_end + self.cue)
            answer, rest = self._until(self._after(rest, self.lead), self.answer_end)
            exchanges.append(Exchange(question, answer))
        return exchanges

    def answer_of(self, written: str) -> str:
        """Return the answer in what a model wrote: without echoes, ended at the first stop."""
        start, end = self.answer_span(written)
        return written[start:end].strip()

    def answer_span(self, written: str) -> tuple[int, int]:
        """Return where the answer lies in what a model wrote, characters (start, end)."""
        start = self._past_echoes(written)
        ends = [at for stop in self.stops if (at := written.find(stop, start)) >= 0]
        return start, min(ends, default=len(written))

    def is_ended(self, written: str) -> bool:
        """Whether what a model wrote holds a stop."""
        start = self._past_echoes(written)
        return any(stop in written[start:] for stop in self.stops)

    def _past_echoes(self, written: str) -> int:
        at = 0
        while True:
            at += len(written[at:]) - len(written[at:].lstrip())
            echo = next((e for e in self.echoes if written.startswith(e, at)), None)
            if echo is None:
                return at
            at += len(echo)

    def _check(self, text: str, what: str) -> None:
        held = next((stop for stop in self.stops if stop in text), None)
        if held is not None:
            raise ModelError(
                f"the {what} holds {held!r}, which ends a turn in the format {self.name!r}",
                where=repr(text[:80]),
                mend="take it out",
            )

    def _after(self, text: str, start: str) -> str:
        if not text.startswith(start):
            raise ModelError(
                f"not a text of the format {self.name!r}: {start[:40]!r} is missing",
                where=repr(text[:80]),
                mend="read it with the template that wrote it",
            )
        return text[len(start) :]

    def _until(self, text: str, end: str) -> tuple[str, str]:
        before, found, after = text.partition(end)
        if not found:
            self._after(text[:0], end)
        return before, after


_SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant "
    "gives helpful, detailed, and polite answers to the human's questions."
)
_EXAMPLE = (
    "###Human: What are the key differences between renewable and non-renewable energy sources?"
    "###Assistant: Renewable energy sources are those that can be replenished naturally in a "
    "relatively short amount of time, such as solar, wind, hydro, geothermal, and biomass. "
    "Non-renewable energy sources, on the other hand, are finite and will eventually be depleted, "
    "such as coal, oil, and natural gas. Here are some key differences between renewable and "
    "non-renewable energy sources:\n"
    "1. Availability: Renewable energy sources are virtually inexhaustible, while non-renewable "
    "energy sources are finite and will eventually run out.\n"
    "2. Environmental impact: Renewable energy sources have a much lower environmental impact than "
    "non-renewable sources, which can lead to air and water pollution, greenhouse gas emissions, "
    "and other negative effects.\n"
    "3. Cost: Renewable energy sources can be more expensive to initially set up, but they "
    "typically have lower operational costs than non-renewable sources.\n"
    "4. Reliability: Renewable energy sources are often more reliable and can be used in more "
    "remote locations than non-renewable sources.\n"
    "5. Flexibility: Renewable energy sources are often more flexible and can be adapted to "
    "different situations and needs, while non-renewable sources are more rigid and inflexible.\n"
    "6. Sustainability: Renewable energy sources are more sustainable over the long term, while "
    "non-renewable sources are not, and their depletion can lead to economic and social "
    "instability.\n###"
)
_ECHOES = ("###", "Assistant:", "Response:")

SIMPLE = PromptTemplate(
    name="simple",
    opening=f"{_SYSTEM}###Human: Hi!###Assistant: Hi there!  How can I help you today?\n###",
    human="Human: ",
    human_end="###",
    cue="",  # the released scripts stop here: the model itself writes "Assistant:"
    lead="Assistant: ",
    answer_end="###",
    stops=("###",),
    echoes=_ECHOES,
)
V1 = PromptTemplate(
    name="v1",
    opening=_SYSTEM + _EXAMPLE,
    human="Human: ",
    human_end="###",
    cue="",
    lead="Assistant: ",
    answer_end="###",
    stops=("###",),
    echoes=_ECHOES,
)
VICUNA_V1_1 = PromptTemplate(
    name="vicuna_v1_1",
    opening=(
        "A chat between a curious user and an artificial intelligence assistant. The assistant "
        "gives helpful, detailed, and polite answers to the user's questions. "
    ),
    human="USER: ",
    human_end=" ",
    cue="ASSISTANT:",
    lead=" ",
    answer_end="</s>",
    stops=("</s>", "USER:", "ASSISTANT:"),
)
V0 = PromptTemplate(
    name="v0",
    opening=f"{_SYSTEM}\n\n",
    human="### Human: ",
    human_end="\n",
    cue="### Assistant:",
    lead=" ",
    answer_end="\n",
    closing="### ",
    stops=("###",),
    echoes=_ECHOES,
    learned_of_human="###",
    learns_cue=True,
)
_NAMED = {
    "default": V1,
    "simple": SIMPLE,
    "v0": V0,
    "v1": V1,
    "vicuna_v1_1": VICUNA_V1_1,
}


def template_names() -> tuple[str, ...]:
    """Return the names of the formats, sorted."""
    return tuple(sorted(_NAMED))


def prompt_template(name: str) -> PromptTemplate:
    """Return the format of this name.

    Raises
    ------
    ModelError
        If there is none; the nearest is offered.
    """
    if name not in _NAMED:
        raise ModelError(f"no prompt template {name!r}", mend=nearest(name, _NAMED))
    return _NAMED[name]


def chat_template(tokenizer: Any, name: str = "chat") -> PromptTemplate:
    """Return the format that a tokenizer's own chat template writes.

    The pieces are found by rendering turns made of unlikely words, and checked: what they put
    together must be what the tokenizer writes.

    Parameters
    ----------
    tokenizer : a tokenizer of transformers
        With a `chat_template` in which a turn depends on nothing but its role and its text.

    Raises
    ------
    ModelError
        If it has no chat template, or one that pieces cannot tell.
    """
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            "the tokenizer has no chat template",
            mend=f"name a format: {', '.join(template_names())}",
        )

    def rendered(*texts: str, ask: bool) -> str:
        roles = ("user", "assistant") * 2
        turns = [{"role": r, "content": t} for r, t in zip(roles, texts, strict=False)]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=ask))

    one, two, three = "qzxq", "wjvw", "kfhk"
    head, _, tail = rendered(one, ask=True).partition(one)
    _, _, between = rendered(one, two, three, ask=True).partition(two)
    between, _, _ = between.partition(three)
    _, _, answer_end = rendered(one, two, ask=False).partition(two)
    human = between.removeprefix(answer_end)
    made = PromptTemplate(
        name=name,
        opening=head.removesuffix(human),
        human=human,
        human_end="",
        cue=tail,
        lead="",
        answer_end=answer_end,
        stops=(answer_end.strip(),) if answer_end.strip() else (),
    )
    history = [Exchange(one, two)]
    same = (
        head.endswith(human)
        and made.prompt(three, history) == rendered(one, two, three, ask=True)
        and made.training_text(history).text == rendered(one, two, ask=False)
    )
    if not same:
        raise ModelError(
            "the tokenizer's chat template changes a turn by what comes after it",
            mend=f"name a format: {', '.join(template_names())}",
        )
    return made
