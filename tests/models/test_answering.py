"""One engine for all asking: what it says in a batch is what a model says alone, from scratch."""

import dataclasses
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra `train`")
transformers = pytest.importorskip("transformers", reason="needs the extra `train`")

from fundoscope.errors import ModelError, PhotographError
from fundoscope.models.answering import Answering, Asked
from fundoscope.models.preparation import Preparation
from fundoscope.models.prompt_templates import Exchange, prompt_template
from fundoscope.models.retinalgpt import retinal_config, retinal_model, save_retinal
from fundoscope.models.tiny import tiny_text, tiny_tokenizer, tiny_vision, write_tiny_llava

TOKENS = 8
PHOTOGRAPHS = [
    np.random.default_rng(seed).integers(0, 255, (70, 90, 3)).astype(np.uint8) for seed in range(4)
]
MIXED = [
    Asked(("Hello?", "Who are you?")),
    Asked(("Is it normal?", "Why?", "Are there hard exudates anywhere?"), (PHOTOGRAPHS[0],)),
    Asked(("What differs?",), (PHOTOGRAPHS[0], PHOTOGRAPHS[1])),
    Asked(("Is it red?",), (PHOTOGRAPHS[1],)),
    Asked(("Where is the optic disc?", "And the fovea?"), (PHOTOGRAPHS[1],)),
    Asked(("Is it normal?",), (PHOTOGRAPHS[2],), (Exchange("Which eye?", "The left."),)),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_llava(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def engine(folder: Path) -> Answering:
    return Answering.load(folder, device="cpu", most_tokens=TOKENS)


def alone(engine: Answering, asked: Asked) -> list[tuple[int, ...]]:
    """Return what the model writes, each token from scratch: no batch, no cache, no padding."""
    model, tokenizer, template = engine.sight.model, engine.tokenizer, engine.template
    pixels = [torch.from_numpy(engine.preparation.prepared(p).values) for p in asked.photographs]
    shown = {"pixel_values": torch.stack(pixels)} if pixels else {}
    opened = tokenizer(engine._opening(asked).replace("<image>", engine._block))["input_ids"]
    each = model.config.image_seq_length
    ids = [i for id in opened for i in ([id] * each if id == model.config.image_token_id else [id])]
    written = []
    for number, question in enumerate(asked.questions):
        if number:
            _, kept, rest = engine._ends.answer(list(written[-1]))
            ids += [*written[-1][:kept], *engine._later_ids(rest, template.question(question))]
        new: list[int] = []
        while len(new) < engine.most_tokens and not (new and engine._ends.reached(new)):
            with torch.inference_mode():
                scores = model(input_ids=torch.tensor([ids + new]), use_cache=False, **shown).logits
            new.append(int(scores[0, -1].argmax()))
        written.append(tuple(new))
    return written


@pytest.mark.parametrize("batch", [1, 4, 16])
@pytest.mark.parametrize("photograph_first", [False, True])
def test_a_batch_says_what_each_says_alone(
    engine: Answering, batch: int, photograph_first: bool
) -> None:
    chosen = Answering(
        engine.sight,
        engine.tokenizer,
        engine.template,
        engine.preparation,
        photograph_first=photograph_first,
        most_tokens=TOKENS,
        batch=batch,
    )
    for asked, answered in zip(MIXED, chosen.answer(MIXED), strict=True):
        assert list(answered.tokens) == alone(chosen, asked)
        assert len(answered.answers) == len(asked.questions) and not answered.error


def test_the_original_greedy_search_of_transformers_says_the_same(engine: Answering) -> None:
    asked = MIXED[3]
    opened = engine.tokenizer(engine._opening(asked).replace("<image>", "<im_patch>" * 16))
    pixels = torch.from_numpy(engine.preparation.prepared(asked.photographs[0]).values)[None]
    ids = torch.tensor([opened["input_ids"]])
    written = engine.sight.model.generate(
        input_ids=ids,
        pixel_values=pixels,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=TOKENS,
        do_sample=False,
    )
    assert engine.answer([asked])[0].tokens[0] == tuple(written[0, ids.shape[1] :].tolist())


def test_answers_differ_from_one_another(engine: Answering) -> None:
    """Else the tests above would prove little."""
    said = [tokens for answered in engine.answer(MIXED) for tokens in answered.tokens]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("talks", ["qwen", "glm"])
def test_other_language_models_are_answered_for_too(talks: str, tmp_path: Path) -> None:
    shape = tiny_text().to_dict() | {"num_key_value_heads": 2, "initializer_range": 0.2}
    wanted = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    wanted += ("num_attention_heads", "num_key_value_heads", "max_position_embeddings")
    wanted += ("bos_token_id", "eos_token_id", "pad_token_id", "initializer_range")
    kept = {name: shape[name] for name in wanted}
    text = {
        "qwen": lambda: transformers.Qwen2Config(**kept),
        "glm": lambda: transformers.GlmConfig(**kept, head_dim=8),
    }[talks]()
    torch.manual_seed(0)
    model = retinal_model(retinal_config(tiny_vision(), text, 4))
    save_retinal(model, tiny_tokenizer(), Preparation(56), tmp_path)
    engine = Answering.load(tmp_path, device="cpu", most_tokens=TOKENS)
    for asked, answered in zip(MIXED, engine.answer(MIXED), strict=True):
        assert list(answered.tokens) == alone(engine, asked)


def test_a_configuration_without_cache_changes_nothing(
    engine: Answering, folder: Path, tmp_path: Path
) -> None:
    """Trainers leave `use_cache` off, and transformers then corrupts what it is handed."""
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config["text_config"]["use_cache"] = config["use_cache"] = False
    (tmp_path / "config.json").write_text(json.dumps(config))
    without = Answering.load(tmp_path, device="cpu", most_tokens=TOKENS)
    assert without.sight.model.config.text_config.use_cache is False
    said = [answered.tokens for answered in without.answer(MIXED)]
    assert said == [answered.tokens for answered in engine.answer(MIXED)]


# stops


def with_stop(engine: Answering, stop: str, **more: int) -> Answering:
    template = dataclasses.replace(engine.template, stops=(stop,), answer_end=stop)
    return Answering(
        engine.sight,
        engine.tokenizer,
        template,
        engine.preparation,
        **({"most_tokens": TOKENS} | more),
    )


def test_an_answer_ends_at_its_stop_not_at_the_limit(engine: Answering) -> None:
    asked = MIXED[1]
    whole = engine.answer([asked])[0].answers[0]
    stop = whole[3:5]
    stopping = with_stop(engine, stop)
    answered = stopping.answer([*MIXED[:1], asked])[1]
    assert answered.answers[0] == whole[: whole.index(stop)].strip()
    assert len(answered.tokens[0]) < TOKENS
    assert list(answered.tokens) == alone(stopping, asked)
    assert list(stopping.answer([asked])[0].tokens) == alone(stopping, asked)
    talk = stopping.talk(*asked.photographs)
    said = ["".join(talk.ask(question)) for question in asked.questions]
    assert tuple(said) == answered.answers


def spanning_stop(engine: Answering, tokens: tuple[int, ...]) -> str:
    """Return a stop that begins in one written token and ends in the next."""
    pieces = [engine.tokenizer.decode([id]) for id in tokens]
    for number in range(1, len(pieces) - 2):
        stop = pieces[number][-1] + pieces[number + 1][0]
        before = "".join(pieces[: number + 1])
        if stop.isascii() and stop.strip() == stop and stop not in before:
            return stop
    raise AssertionError("choose another question")


def test_tokens_of_a_stop_that_were_fed_are_taken_back(engine: Answering) -> None:
    longer = Answering(
        engine.sight, engine.tokenizer, engine.template, engine.preparation, most_tokens=20
    )
    asked = Asked(("Is it red?", "Why?", "And now?"), (PHOTOGRAPHS[1],))
    stop = spanning_stop(engine, longer.answer([asked])[0].tokens[0])
    stopping = with_stop(engine, stop, most_tokens=20)
    answered = stopping.answer([MIXED[0], asked])[1]
    _, kept, _ = stopping._ends.answer(list(answered.tokens[0]))
    assert kept < len(answered.tokens[0]) - 1
    assert list(answered.tokens) == alone(stopping, asked)
    talk = stopping.talk(*asked.photographs)
    said = ["".join(talk.ask(question)) for question in asked.questions]
    assert tuple(said) == answered.answers


def test_what_shares_a_token_with_the_stop_is_kept(engine: Answering) -> None:
    tokenizer = engine.tokenizer
    ids = tokenizer("Is it diabetic retinopathy? Yes.", add_special_tokens=False)["input_ids"]
    pieces = [tokenizer.decode([id]) for id in ids]
    long = next(piece for piece in pieces if len(piece.strip()) > 3)
    stopping = with_stop(engine, long[2:])
    answer, kept, rest = stopping._ends.answer(ids)
    place = pieces.index(long)
    assert kept == place and rest == long[:2]
    assert answer == ("".join(pieces[:place]) + long[:2]).strip()


def test_a_token_that_ends_is_no_part_of_the_answer(engine: Answering) -> None:
    ids = engine.tokenizer("Yes.", add_special_tokens=False)["input_ids"]
    assert engine._ends.reached([*ids, engine.tokenizer.eos_token_id])
    assert engine._ends.answer([*ids, engine.tokenizer.eos_token_id]) == ("Yes.", len(ids), "")


# talking


def test_a_talk_says_what_a_file_of_questions_gets(engine: Answering) -> None:
    asked = MIXED[1]
    talk = engine.talk(*asked.photographs)
    pieces = [list(talk.ask(question)) for question in asked.questions]
    said = ["".join(parts) for parts in pieces]
    assert tuple(said) == engine.answer([asked])[0].answers
    assert talk.exchanges == [Exchange(q, a) for q, a in zip(asked.questions, said, strict=True)]
    assert any(len(parts) > 2 for parts in pieces), "nothing was streamed"


def test_what_was_streamed_is_never_taken_back(engine: Answering) -> None:
    tokenizer = engine.tokenizer
    text = "Assistant: Yes, 出血 is seen.### Human: no"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    shown = [engine._ends.certain(ids[:length]) for length in range(len(ids) + 1)]
    assert all(later.startswith(before) for before, later in pairwise(shown))
    assert shown[-1] == "Yes, 出血 is seen."
    assert len(set(shown)) > 4


def test_a_listener_who_leaves_can_ask_again(engine: Answering) -> None:
    talk = engine.talk(PHOTOGRAPHS[0])
    next(talk.ask("Is it normal?"))
    assert "".join(talk.ask("Why?"))
    assert len(talk.exchanges) == 2


def test_ask_is_one_question(engine: Answering) -> None:
    assert engine.ask("Is it red?", PHOTOGRAPHS[1]) == engine.answer([MIXED[3]])[0].answers[0]


# what the released scripts get wrong


def test_every_photograph_of_a_batch_is_its_own(engine: Answering) -> None:
    """Released: without <im_start> every sample of a batch saw the first photograph."""
    assert engine._block == "<im_patch>"
    asked = [Asked(("Is it normal?",), (photograph,)) for photograph in PHOTOGRAPHS]
    said = [answered.tokens for answered in engine.answer(asked)]
    assert len(set(said)) == 4
    assert said == [tuple(alone(engine, one)) for one in asked]


def test_a_question_without_photograph_takes_none_from_its_neighbour(engine: Answering) -> None:
    """Released: after a text-only sample the next saw a photograph of zeros."""
    both = [Asked(("Hello?",)), Asked(("Is it normal?",), (PHOTOGRAPHS[0],))]
    assert [a.tokens for a in engine.answer(both)] == [tuple(alone(engine, one)) for one in both]


def test_of_two_photographs_both_are_seen(engine: Answering) -> None:
    """Released: of two photographs the first was ignored."""

    def said(*photographs: np.ndarray) -> tuple[tuple[int, ...], ...]:
        return engine.answer([Asked(("What differs?",), photographs)])[0].tokens

    first, second, other = PHOTOGRAPHS[:3]
    assert len({said(first, second), said(other, second), said(first, other)}) == 3


def test_the_eye_is_looked_through_once_for_all_questions(
    engine: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Released: prompt and photograph were computed anew at every turn."""
    seen, fed = [], []
    features, forward = engine.sight.features, engine.sight.language.forward

    def counted(values: "torch.Tensor", questions: list[str]) -> list["torch.Tensor"]:
        seen.append(len(values))
        return features(values, questions)

    def noted(*given: object, **more: "torch.Tensor") -> object:
        fed.append(more["inputs_embeds"].shape[1])
        return forward(*given, **more)

    noted.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(engine.sight, "features", counted)
    monkeypatch.setattr(engine.sight.language, "forward", noted)
    engine.answer([MIXED[1]])
    assert seen == [1]
    prompts = [width for width in fed if width > 1]
    assert len(prompts) == 3 and max(prompts[1:]) < prompts[0] / 3


def test_nothing_is_written_into_the_models_folder(folder: Path) -> None:
    """Released: loading wrote into config.json of the checkpoint."""
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    Answering.load(folder, device="cpu", most_tokens=2).ask("Hello?")
    assert before == {file.name: file.read_bytes() for file in folder.iterdir()}


# what cannot be answered


def test_a_photograph_that_is_none_fails_alone(engine: Answering, tmp_path: Path) -> None:
    """Released: one unreadable photograph ended the run."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"no photograph")
    asked = [MIXED[3], Asked(("Is it red?",), (bad,)), MIXED[0]]
    answered = engine.answer(asked)
    assert "not a whole image" in answered[1].error and answered[1].answers == ()
    assert answered[0].tokens == engine.answer([MIXED[3]])[0].tokens
    assert not answered[2].error
    with pytest.raises(PhotographError):
        engine.ask("Is it red?", bad)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (Asked(()), "there is no question"),
        (Asked(("<image> Red?",)), "1 times <image>, but 0 photographs"),
        (Asked(("<image><image>?",), (PHOTOGRAPHS[0],)), "2 times <image>, but 1"),
        (Asked(("<im_patch>?",), (PHOTOGRAPHS[0],)), "holds '<im_patch>'"),
        (Asked(("Red?</s><s>",)), "holds '</s>'"),
        (Asked(("a###Assistant: b",)), "holds '###'"),
        (Asked(("a?", "b###?")), "holds '###'"),
        (Asked(("<image>a?", "<image>b?"), (PHOTOGRAPHS[0],) * 2), "in a later question"),
    ],
)
def test_what_does_not_fit_is_told(engine: Answering, asked: Asked, says: str) -> None:
    answered = engine.answer([asked, MIXED[0]])
    assert says in answered[0].error
    assert not answered[1].error


def test_a_prompt_that_is_too_long_is_told_not_cut(folder: Path) -> None:
    engine = Answering.load(folder, device="cpu", most_tokens=1000)
    long = Asked(("Is it normal? " * 400,), (PHOTOGRAPHS[0],))
    assert "the model takes 2048" in engine.answer([long])[0].error
    with pytest.raises(ModelError, match="the model takes 2048"):
        engine.ask(long.questions[0], PHOTOGRAPHS[0])


def test_a_later_question_that_no_longer_fits_keeps_the_earlier_answers(folder: Path) -> None:
    engine = Answering.load(folder, device="cpu", most_tokens=TOKENS)
    engine.sight.longest = 220
    asked = Asked(("Is it normal?", "Why?" * 60, "And?"), (PHOTOGRAPHS[0],))
    answered = engine.answer([asked, MIXED[0]])
    assert len(answered[0].answers) == 1 and "the model takes 220" in answered[0].error
    assert len(answered[1].answers) == 2


def test_a_wrong_number_of_features_is_told(folder: Path) -> None:
    engine = Answering.load(folder, device="cpu")
    engine.sight.features_each = 9
    with pytest.raises(ModelError, match="16 features of a photograph, the configuration says 9"):
        engine.ask("Is it red?", PHOTOGRAPHS[0])


def test_what_is_no_model_is_told(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(ModelError, match=r"no config\.json"):
        Answering.load(tmp_path)
    with pytest.raises(ModelError, match="no prompt template 'simpel'"):
        Answering.load(folder, template="simpel")
    with pytest.raises(ModelError, match="no type 'int4'"):
        Answering.load(folder, dtype="int4")


def test_sixteen_bits_are_enough_to_answer(folder: Path) -> None:
    engine = Answering.load(folder, device="cpu", dtype="bfloat16", most_tokens=3)
    assert engine.sight.head.weight.dtype == torch.bfloat16
    assert all(len(tokens) == 3 for a in engine.answer(MIXED) for tokens in a.tokens)


def test_marks_say_where_photographs_stand(engine: Answering) -> None:
    asked = Asked(("First <image> then <image>?",), (PHOTOGRAPHS[0], PHOTOGRAPHS[1]))
    assert engine._opening(asked).endswith("Human: First <image> then <image>?###")
    assert engine._opening(MIXED[2]).endswith("Human: What differs?\n<image>\n<image>###")
    assert prompt_template("simple") is engine.template
