"""Questions about photographs, answered: one engine behind `ask`, `answer` and `chat`.

Answers are greedy, so the same question gets the same answer: alone, in a batch, in a chat.
Research use; not a medical device. A model can be wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from fundoscope.errors import ModelError, PhotographError
from fundoscope.models.decoding import Rows, Segment, Sight, Written, shared_length
from fundoscope.models.ends import AnswerEnds
from fundoscope.models.legacy_config import SIDE_FILE, has_tokenizer, read_json
from fundoscope.models.preparation import Preparation, Prepared, Way
from fundoscope.models.prompt_templates import (
    MARK,
    Exchange,
    PhotographTokens,
    PromptTemplate,
    chat_template,
    prompt_template,
)
from fundoscope.models.sights import chosen_device, chosen_dtype, load_sight
from fundoscope.perceive.field import Pixels


@dataclass(frozen=True, eq=False)
class Asked:
    """A conversation to be answered: each question knows the answers before it."""

    questions: tuple[str, ...]
    """`<image>` says where a photograph stands; where none says it, beside the first question."""
    photographs: tuple[Path | Pixels, ...] = ()
    history: tuple[Exchange, ...] = ()
    """What was said before."""


@dataclass(frozen=True)
class Answered:
    """The answers to the questions, as many as there are; fewer where `error` says why."""

    answers: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...] = ()
    """What the model wrote, stops included."""
    error: str = ""


@dataclass(frozen=True)
class Weighed:
    """How likely a model finds each of several answers; none where `error` says why."""

    log_probabilities: tuple[float, ...]
    error: str = ""


@dataclass
class _Work:
    """One conversation on its way."""

    number: int
    questions: list[str]
    segment: Segment
    answers: list[str] = field(default_factory=list)
    tokens: list[tuple[int, ...]] = field(default_factory=list)
    rest: str = ""
    """End of the last answer that shared a token with the stop, and was taken back with it."""
    error: str = ""

    def done(self) -> Answered:
        return Answered(tuple(self.answers), tuple(self.tokens), self.error)


class Answering:
    """A model, ready to be asked.

    Parameters
    ----------
    sight : Sight
        The model.
    tokenizer : a tokenizer of transformers
    template : PromptTemplate
    preparation : Preparation
    photograph : PhotographTokens
        What stands for a photograph, `count` aside.
    photograph_first : bool
        Whether a photograph stands before the first question. Released scripts put it after;
        before, questions about one photograph share all that is computed for it.
    most_tokens : int
        Longest answer.
    batch : int
        Most conversations side by side.
    """

    def __init__(
        self,
        sight: Sight,
        tokenizer: Any,
        template: PromptTemplate,
        preparation: Preparation,
        photograph: PhotographTokens | None = None,
        *,
        photograph_first: bool = False,
        most_tokens: int = 256,
        batch: int = 16,
    ) -> None:
        if most_tokens < 1 or batch < 1:
            raise ModelError("an answer has at least one token, a batch one conversation")
        self.sight, self.tokenizer, self.template = sight, tokenizer, template
        self.preparation, self.most_tokens, self.batch = preparation, most_tokens, batch
        self.photograph_first = photograph_first
        tokens = photograph or PhotographTokens()
        self._block = tokens.start + tokens.patch + tokens.end
        own = {tokens.patch, tokens.start, tokens.end, *tokenizer.all_special_tokens}
        self._forbidden = sorted(own - {""})
        self._ends = AnswerEnds(tokenizer, template, sight.ends)

    @classmethod
    def load(
        cls,
        folder: Path,
        *,
        device: str = "auto",
        dtype: str | None = None,
        template: str | None = None,
        preparation: Way | None = None,
        photograph_first: bool = False,
        most_tokens: int = 256,
        batch: int = 16,
    ) -> Answering:
        """Return the model of a folder: of `convert_checkpoint`, `save_retinal`, or an OphGLM.

        Parameters
        ----------
        folder : Path
        device : str
            `auto` is CUDA where there is one, else the CPU.
        dtype : {"float32", "float16", "bfloat16"}, optional
            As stored on CUDA, float32 on a CPU.
        template, preparation : str, optional
            Other than the folder says; `chat` is the tokenizer's own chat template.

        Raises
        ------
        ModelError
            If the folder is no such model.
        """
        if not (folder / "config.json").is_file():
            raise ModelError(
                "no model lies there: no config.json",
                where=str(folder),
                mend="name the folder that `fundoscope convert` or training wrote",
            )
        side = read_json(folder / SIDE_FILE) if (folder / SIDE_FILE).is_file() else {}
        chosen = chosen_device(device)
        sight = load_sight(folder, side, chosen, chosen_dtype(dtype, chosen))
        tokenizer = _tokenizer(folder)
        name = template or side.get("prompt_template", "simple")
        way: Way = preparation or side.get("preparation", "centre_crop")
        return cls(
            sight,
            tokenizer,
            chat_template(tokenizer) if name == "chat" else prompt_template(name),
            Preparation.of_folder(folder, way),
            PhotographTokens(**side["photograph"]) if "photograph" in side else None,
            photograph_first=photograph_first,
            most_tokens=most_tokens,
            batch=batch,
        )

    def ask(self, question: str, *photographs: Path | Pixels) -> str:
        """Return the answer to one question about no, one or several photographs.

        Raises
        ------
        ModelError, PhotographError
        """
        return "".join(self.talk(*photographs).ask(question)).strip()

    def answer(self, asked: Sequence[Asked]) -> list[Answered]:
        """Return the answers to conversations, in order.

        What cannot be answered, such as a photograph that is none, has an `error` instead.
        """
        return list(self.answer_each(asked))

    def answer_each(self, asked: Iterable[Asked]) -> Iterator[Answered]:
        """Yield the answers to conversations, in order, a batch after the other."""
        rest = iter(asked)
        while chunk := list(islice(rest, self.batch)):
            yield from self._chunk(chunk)

    def likelihoods(
        self, asked: Sequence[Asked], texts: Sequence[Sequence[str]]
    ) -> Iterator[Weighed]:
        """Yield how likely the model finds given answers, for conversations of one question each.

        The natural logarithm of a text's probability is the sum of its tokens', each after the
        prompt and the tokens before it; tokens that all texts of a question begin with are left
        out, for they tell nothing between them. That the answer ends there is not part of it.

        Parameters
        ----------
        texts : for each conversation at least two answers to compare.
        """
        rest = iter(zip(asked, texts, strict=True))
        most = max((len(said) for said in texts), default=1)
        while chunk := list(islice(rest, max(1, self.batch // max(1, most)))):
            yield from self._weighed(chunk)

    def talk(self, *photographs: Path | Pixels, history: Sequence[Exchange] = ()) -> Talk:
        """Return a conversation that is kept between questions."""
        return Talk(self, photographs, history)

    # a batch

    @torch.inference_mode()
    def _chunk(self, chunk: Sequence[Asked]) -> list[Answered]:
        works, done = self._begun(chunk)
        rows: Rows | None = None
        while works:
            works = self._fitting(works, rows, done)
            if not works:
                break
            if rows is None:
                rows, scores = self._first_fed(works)
            else:
                scores = rows.feed([work.segment for work in works])
            *_, written = rows.write(scores, self._ends, self.most_tokens)
            self._settle(rows, works, written)
            works = self._next(rows, works, done)
        return [done[number] for number in range(len(chunk))]

    def _begun(self, chunk: Sequence[Asked]) -> tuple[list[_Work], dict[int, Answered]]:
        prepared: dict[Any, Prepared] = {}
        texts: list[tuple[int, Asked, str]] = []
        done: dict[int, Answered] = {}
        for number, asked in enumerate(chunk):
            try:
                text = self._opening(asked)
                for photograph in asked.photographs:
                    name = _name(photograph)
                    if name not in prepared:
                        prepared[name] = self.preparation.prepared(photograph)
                texts.append((number, asked, text))
            except (ModelError, PhotographError) as problem:
                done[number] = Answered((), error=problem.what)
        features = self._features([asked for _, asked, _ in texts], prepared)
        works = [
            _Work(number, list(asked.questions), self._segment(text, asked, features))
            for number, asked, text in texts
        ]
        return works, done

    @torch.inference_mode()
    def _weighed(self, chunk: Sequence[tuple[Asked, Sequence[str]]]) -> list[Weighed]:
        works, done = self._begun([asked for asked, _ in chunk])
        weighed = {number: Weighed((), one.error) for number, one in done.items()}
        answers: dict[int, list[Segment]] = {}
        for work in works:
            try:
                answers[work.number] = self._answered(*chunk[work.number], work.segment)
            except ModelError as problem:
                weighed[work.number] = Weighed((), problem.what)
        sums = self._sums(list(answers.values()))
        weighed |= {number: Weighed(one) for number, one in zip(answers, sums, strict=True)}
        return [weighed[number] for number in range(len(chunk))]

    def _answered(self, asked: Asked, texts: Sequence[str], prompt: Segment) -> list[Segment]:
        """Return the tokens of a prompt with each of several answers behind it."""
        if len(asked.questions) != 1 or len(texts) < 2:
            raise ModelError("one question and at least two answers are compared")
        features = {name: values for _, name, values in prompt.features}
        opening = self._opening(asked) + self.template.lead
        for text in texts:
            self._check(text)
        segments = [self._segment(opening + text, asked, features) for text in texts]
        longest = max(len(segment.ids) for segment in segments)
        if longest > self.sight.longest:
            raise ModelError(f"{longest} tokens, the model takes {self.sight.longest}")
        return segments

    def _sums(self, answers: Sequence[Sequence[Segment]]) -> list[tuple[float, ...]]:
        """Return the sum of logarithms of each answer's tokens from where they differ."""
        if not answers:
            return []
        lengths = [shared_length(segments) for segments in answers]
        rows = Rows(self.sight, self._ends.padding)
        shared = [one[0].cut(at)[0] for one, at in zip(answers, lengths, strict=True)]
        scores = rows.feed(shared)
        origin = [number for number, segments in enumerate(answers) for _ in segments]
        rests = [s.ids[at:] for one, at in zip(answers, lengths, strict=True) for s in one]
        rows.select(origin)
        scores, live, sums = scores[origin], list(range(len(rests))), [0.0] * len(rests)
        for step in range(max(map(len, rests))):
            told = scores.float().log_softmax(dim=-1)
            ids = torch.tensor([rests[one][step] for one in live], device=told.device)
            for one, value in zip(live, told.gather(1, ids[:, None])[:, 0].tolist(), strict=True):
                sums[one] += value
            going = [row for row, one in enumerate(live) if len(rests[one]) > step + 1]
            if not going:
                break
            if len(going) < len(live):
                rows.select(going)
            live = [live[row] for row in going]
            scores = rows.feed([Segment([rests[one][step]]) for one in live])
        at = iter(sums)
        return [tuple(next(at) for _ in segments) for segments in answers]

    def _opening(self, asked: Asked) -> str:
        """Return the prompt up to the first answer, `<image>` where photographs stand."""
        if not asked.questions:
            raise ModelError("there is no question", mend="ask one")
        first = [*(exchange.question for exchange in asked.history), *asked.questions]
        for text in [*first, *(exchange.answer for exchange in asked.history)]:
            self._check(text)
        for question in asked.questions:
            self.template.question(question)
        marks = sum(text.count(MARK) for text in first)
        if not marks and asked.photographs:
            first[0] = self._placed(first[0], len(asked.photographs))
        elif marks != len(asked.photographs):
            raise ModelError(
                f"{marks} times {MARK}, but {len(asked.photographs)} photographs",
                mend="give as many photographs as there are marks, or leave the marks out",
            )
        later = sum(text.count(MARK) for text in asked.questions[1:])
        if later:
            raise ModelError(
                f"{MARK} stands in a later question", mend="show photographs with the first"
            )
        history = [
            Exchange(question, exchange.answer)
            for question, exchange in zip(first, asked.history, strict=False)
        ]
        return self.template.prompt(first[len(history)], history)

    def _placed(self, question: str, photographs: int) -> str:
        marks = "\n".join([MARK] * photographs)
        parts = (marks, question) if self.photograph_first else (question.strip(), marks)
        return "\n".join(parts)

    def _check(self, text: str) -> None:
        held = next((token for token in self._forbidden if token in text), None)
        if held is not None:
            raise ModelError(
                f"the text holds {held!r}, which is a token of the model's own", mend="take it out"
            )

    def _features(self, chunk: Sequence[Asked], prepared: dict[Any, Prepared]) -> dict[Any, Any]:
        """Return what the encoder sees, once for each photograph (and question, if that tells)."""
        keys = list(
            dict.fromkeys(
                (_name(photograph), self._question(asked))
                for asked in chunk
                for photograph in asked.photographs
            )
        )
        features: dict[Any, Any] = {}
        for start in range(0, len(keys), self.batch):
            part = keys[start : start + self.batch]
            values = torch.stack([torch.from_numpy(prepared[name].values) for name, _ in part])
            values = values.to(self.sight.head.weight.device, self.sight.head.weight.dtype)
            seen = self.sight.features(values, [question for _, question in part])
            for key, one in zip(part, seen, strict=True):
                if len(one) != self.sight.features_each:
                    raise ModelError(
                        f"{len(one)} features of a photograph, the configuration says "
                        f"{self.sight.features_each}",
                        mend="image size, patch size and image_seq_length must fit each other",
                    )
                features[key] = one
        return features

    def _question(self, asked: Asked) -> str:
        return asked.questions[0].replace(MARK, "").strip() if self.sight.by_question else ""

    def _segment(self, text: str, asked: Asked, features: dict[Any, Any]) -> Segment:
        """Return the tokens of a prompt, each photograph's opened to as many as its features."""
        ids = self.tokenizer(text.replace(MARK, self._block))["input_ids"]
        segment = Segment([])
        shown = iter(asked.photographs)
        for id in ids:
            if id != self.sight.photograph_token:
                segment.ids.append(id)
                continue
            key = (_name(next(shown)), self._question(asked))
            segment.features.append((len(segment.ids), key, features[key]))
            segment.ids += [id] * self.sight.features_each
        return segment

    def _fitting(
        self, works: list[_Work], rows: Rows | None, done: dict[int, Answered]
    ) -> list[_Work]:
        """Return those whose next answer fits; none is silently cut short."""
        counts = rows.counts if rows else [0] * len(works)
        fitting: list[int] = []
        for row, work in enumerate(works):
            needed = counts[row] + len(work.segment.ids) + self.most_tokens
            if needed <= self.sight.longest:
                fitting.append(row)
                continue
            work.error = self._too_long(needed)
            done[work.number] = work.done()
        if rows and 0 < len(fitting) < len(works):
            rows.select(fitting)
        return [works[row] for row in fitting]

    def _fit_or_raise(self, work: _Work, count: int) -> None:
        needed = count + len(work.segment.ids) + self.most_tokens
        if needed > self.sight.longest:
            raise ModelError(self._too_long(needed), mend="begin anew, or ask for fewer tokens")

    def _too_long(self, needed: int) -> str:
        return (
            f"{needed} tokens with an answer of {self.most_tokens}, the model takes "
            f"{self.sight.longest}"
        )

    def _first_fed(self, works: Sequence[_Work]) -> tuple[Rows, Any]:
        """Feed the prompts; what prompts about the same photographs share is fed once."""
        rows = Rows(self.sight, self._ends.padding)
        groups: dict[Any, list[int]] = {}
        for row, work in enumerate(works):
            groups.setdefault(tuple(name for _, name, _ in work.segment.features), []).append(row)
        if len(groups) == len(works):
            return rows, rows.feed([work.segment for work in works])
        prefixes, rests, origin = [], [Segment([])] * len(works), [0] * len(works)
        for number, members in enumerate(groups.values()):
            length = shared_length([works[row].segment for row in members])
            for row in members:
                prefix, rests[row] = works[row].segment.cut(length)
                origin[row] = number
            prefixes.append(prefix)
        if min(len(prefix.ids) for prefix in prefixes) == 0:
            return rows, rows.feed([work.segment for work in works])
        rows.feed(prefixes)
        rows.select(origin)
        return rows, rows.feed(rests)

    @torch.inference_mode()
    def _settle(self, rows: Rows, works: Sequence[_Work], written: Sequence[Written]) -> None:
        kept = []
        for work, one in zip(works, written, strict=True):
            answer, count, work.rest = self._ends.answer(one.ids)
            work.answers.append(answer)
            work.tokens.append(tuple(one.ids))
            kept.append(count)
        rows.settle(written, kept)

    def _next(self, rows: Rows, works: list[_Work], done: dict[int, Answered]) -> list[_Work]:
        """Set up the next questions; return the conversations that have one."""
        going: list[int] = []
        for row, work in enumerate(works):
            if len(work.answers) == len(work.questions):
                done[work.number] = work.done()
                continue
            text = self.template.question(work.questions[len(work.answers)])
            work.segment = Segment(rows.unfed[row] + self._later_ids(work.rest, text))
            going.append(row)
        if 0 < len(going) < len(works):
            rows.select(going)
        return [works[row] for row in going]

    def _later_ids(self, rest: str, question: str) -> list[int]:
        """Return the tokens of a later question, as they are in the middle of a text."""
        text = rest + self.template.answer_end + question
        before = self.tokenizer("\n", add_special_tokens=False)["input_ids"]
        both = self.tokenizer("\n" + text, add_special_tokens=False)["input_ids"]
        if both[: len(before)] == before:  # else a token spans the two
            return list(both[len(before) :])
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])


class Talk:
    """A conversation about photographs; the cache is kept between questions."""

    def __init__(
        self,
        engine: Answering,
        photographs: Sequence[Path | Pixels],
        history: Sequence[Exchange] = (),
    ) -> None:
        self._engine, self._history = engine, tuple(history)
        self._photographs = tuple(photographs)
        self._rows: Rows | None = None
        self._work: _Work | None = None
        self.exchanges: list[Exchange] = list(history)

    def ask(self, question: str) -> Iterator[str]:
        """Yield the answer piece by piece, each when it is certain.

        Raises
        ------
        ModelError, PhotographError
            If it cannot be asked; the conversation is as it was before.
        """
        engine = self._engine
        with torch.inference_mode():
            if self._work is None or self._rows is None:
                work = self._begin(question)
                engine._fit_or_raise(work, 0)
                rows, scores = engine._first_fed([work])
            else:
                work, rows = self._work, self._rows
                engine._check(question)
                if MARK in question:
                    raise ModelError(f"{MARK} stands in a later question", mend="begin anew")
                text = engine.template.question(question)
                ids = rows.unfed[0] + engine._later_ids(work.rest, text)
                work.segment = Segment(ids)
                engine._fit_or_raise(work, rows.counts[0])
                scores = rows.feed([work.segment])
        answer = ""
        shown = 0
        written: list[Written] = []
        writing = rows.write(scores, engine._ends, engine.most_tokens)
        try:
            while step := self._step(writing):
                written = step
                sure = engine._ends.certain(written[0].ids)
                if len(sure) > shown:
                    yield sure[shown:]
                    shown = len(sure)
        finally:  # also where the reader has heard enough
            engine._settle(rows, [work], written)
            self._work, self._rows = work, rows
            answer = work.answers[-1]
            self.exchanges.append(Exchange(question, answer))
        if len(answer) > shown:
            yield answer[shown:]

    @torch.inference_mode()
    def _step(self, writing: Iterator[list[Written]]) -> list[Written]:
        return next(writing, [])

    def _begin(self, question: str) -> _Work:
        engine = self._engine
        asked = Asked((question,), self._photographs, self._history)
        text = engine._opening(asked)
        prepared = {_name(p): engine.preparation.prepared(p) for p in self._photographs}
        features = engine._features([asked], prepared)
        return _Work(0, [question], engine._segment(text, asked, features))


def _name(photograph: Path | Pixels) -> Any:
    """Return what tells a photograph from others: its path, or which array it is."""
    return photograph if isinstance(photograph, Path) else id(photograph)


def _tokenizer(folder: Path) -> Any:
    if not has_tokenizer(folder):
        raise ModelError(
            "no tokenizer lies there", where=str(folder), mend="copy the language model's there"
        )
    return AutoTokenizer.from_pretrained(folder)
