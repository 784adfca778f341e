"""The fake endpoint's answers: faithful dialogues made from the facts that a prompt holds."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

ROLES = {"en": ("User: ", "Assistant: "), "zh": ("用户：", "助手：")}
"""How the lines of a dialogue begin."""
_HEADING = re.compile(r"^(FACTS|已知事实)", re.MULTILINE)
_QUESTIONS = {
    "en": (
        "What kind of picture is this?",
        "What else is known of it?",
        "Could you tell me more?",
        "And what was found besides?",
        "Is there anything further to say?",
        "What would you add at the end?",
    ),
    "zh": (
        "这是一张什么样的照片？",
        "关于它还知道些什么？",
        "能再多说一些吗？",
        "此外还看到了什么？",
        "还有什么可以说的吗？",
        "最后还想补充什么？",
    ),
}
NOTHING_MORE = {"en": "Nothing more is known of it.", "zh": "除此之外没有更多内容。"}
_FEWEST_TURNS = 3

Turns = list[tuple[str, str]]
"""Questions and their answers."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a request for a chat completion asks, and what a faithful answer to it says."""

    model: str
    language: str
    turns: Turns
    """The faithful answer."""
    stream: bool
    stream_usage: bool
    photographs: int
    repair: bool
    """Whether the conversation holds an answer already."""
    wants_json: bool
    letters: int
    """Of all messages."""


def read_prompt(body: bytes) -> tuple[Prompt, list[dict[str, Any]]]:
    """Return what the body of a request asks, and its messages.

    Raises
    ------
    ValueError
        If it is not JSON, or not a request for a chat completion.
    """
    said = json.loads(body)
    messages = said.get("messages") if isinstance(said, dict) else None
    if not isinstance(messages, list) or not messages or not isinstance(said.get("model"), str):
        raise ValueError("'messages' and 'model' are required")
    if not all(isinstance(message, dict) and "role" in message for message in messages):
        raise ValueError("every message needs a role")
    texts = [(message["role"], _text(message)) for message in messages]
    language, facts = _facts(texts)
    one_turn = any("ONE_TURN" in text for role, text in texts if role in ("system", "developer"))
    all_text = "\n".join(text for _, text in texts)
    prompt = Prompt(
        model=said["model"],
        language=language,
        turns=_faithful(language, facts, one_turn, all_text),
        stream=bool(said.get("stream")),
        stream_usage=bool((said.get("stream_options") or {}).get("include_usage")),
        photographs=sum(map(_photographs, messages)),
        repair=any(role == "assistant" for role, _ in texts),
        wants_json=(said.get("response_format") or {}).get("type") == "json_schema",
        letters=len(all_text),
    )
    return prompt, messages


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(str(part["text"]) for part in content if part.get("type") == "text")


def _photographs(message: dict[str, Any]) -> int:
    content = message.get("content")
    if not isinstance(content, list):
        return 0
    return sum(part.get("type") == "image_url" for part in content)


def _facts(texts: list[tuple[str, str]]) -> tuple[str, list[str]]:
    """Return the language of a conversation and pieces of it, each ending with a fact.

    They stand in the last message of the user before the first answer, as lines
    `- Sentences. [source: where from]`, behind a line that begins with `FACTS` (`已知事实`).
    """
    prompt = ""
    for role, text in texts:
        if role == "assistant":
            break
        if role == "user":
            prompt = text
    heading = _HEADING.search(prompt)
    prompt = prompt[heading.end() :] if heading else f"\n{prompt}"
    language = "zh" if (heading and heading[1] == "已知事实") or " [来源: " in prompt else "en"
    # split at the sources and looked at when chosen: line by line, or by a regular expression, it
    # took five times as long
    return language, prompt.split(" [来源: " if language == "zh" else " [source: ")[:-1]


def _faithful(language: str, pieces: list[str], one_turn: bool, seed: str) -> Turns:
    """Return a dialogue that says only what the facts say, each the end of a piece.

    Three to six of them, spread over the list, answer as many questions; where there are fewer,
    the last answers say that nothing more is known.
    """
    drawn = blake2b(b"%d" % zlib.crc32(seed.encode()), digest_size=8).digest()
    count = min(_FEWEST_TURNS + drawn[0] % 4, len(pieces))
    chosen = []
    for part in range(count):
        low, high = part * len(pieces) // count, (part + 1) * len(pieces) // count
        fact = pieces[low + drawn[part + 1] * (high - low) // 256].rpartition("\n- ")[2]
        if "\n" not in fact:  # else a source stands behind what is no fact
            chosen.append(fact)
    questions = _QUESTIONS[language]
    if one_turn:
        joint = " " if language == "en" else ""
        return [(questions[0], joint.join(chosen) or NOTHING_MORE[language])]
    chosen += [NOTHING_MORE[language]] * (_FEWEST_TURNS - len(chosen))
    return list(zip(questions, chosen, strict=False))


def written(turns: Turns, language: str, as_json: bool = False) -> str:
    """Return a dialogue as lines, or as JSON: `{"turns": [{"question", "answer"}]}`."""
    if as_json:
        said = [{"question": question, "answer": answer} for question, answer in turns]
        return json.dumps({"turns": said}, ensure_ascii=False)
    user, assistant = ROLES[language]
    return "\n".join(f"{user}{question}\n{assistant}{answer}" for question, answer in turns)
