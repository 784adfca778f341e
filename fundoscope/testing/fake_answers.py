"""The fake endpoint's answers: faithful dialogues made from the facts that a prompt holds."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fundoscope.testing.fake_settings import draw

ROLES = {"en": ("User: ", "Assistant: "), "zh": ("用户：", "助手：")}
"""How the lines of a dialogue begin."""
_FACTS = re.compile(r"^(FACTS|已知事实)", re.MULTILINE)
_FACT = re.compile(r"^- (.+) \[(?:source|来源): .*\][ \t\r]*$", re.MULTILINE)
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
_NOTHING_MORE = {"en": "Nothing more is known of it.", "zh": "除此之外没有更多内容。"}
_FEWEST_TURNS = 3

Turns = list[tuple[str, str]]
"""Questions and their answers."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request for a chat completion asks."""

    messages: list[dict[str, Any]]
    model: str
    text: str
    """The words of all messages, photographs left out."""
    stream: bool
    stream_usage: bool
    photographs: int
    repair: bool
    """Whether the conversation holds an answer already."""
    wants_json: bool
    one_turn: bool


def asked_by(body: bytes) -> Asked:
    """Return what the body of a request asks.

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
    system = "\n".join(_text(m) for m in messages if m["role"] in ("system", "developer"))
    return Asked(
        messages=messages,
        model=said["model"],
        text="\n".join(map(_text, messages)),
        stream=bool(said.get("stream")),
        stream_usage=bool((said.get("stream_options") or {}).get("include_usage")),
        photographs=sum(map(_photographs, messages)),
        repair=any(message["role"] == "assistant" for message in messages),
        wants_json=(said.get("response_format") or {}).get("type") == "json_schema",
        one_turn="ONE_TURN" in system,
    )


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


def facts_in(messages: list[dict[str, Any]]) -> tuple[str, list[str]]:
    """Return the language of a prompt and its facts, a line each, their sources left out.

    They stand in the last message of the user before the first answer, as lines
    `- Sentences. [source: where from]`, behind a line that begins with `FACTS` (`已知事实`).
    """
    prompt = ""
    for message in messages:
        if message["role"] == "assistant":
            break
        if message["role"] == "user":
            prompt = _text(message)
    heading = _FACTS.search(prompt)
    start = heading.end() if heading else 0
    language = "zh" if (heading and heading[1] == "已知事实") or "[来源: " in prompt else "en"
    return language, _FACT.findall(prompt, start)


def faithful(asked: Asked) -> tuple[str, Turns]:
    """Return the language of a request and a dialogue that says only what its facts say.

    Three to six lines of them, spread over the list, answer as many questions; where there are
    fewer lines, the last answers say that nothing more is known.
    """
    language, facts = facts_in(asked.messages)
    digest = blake2b(asked.text.encode(), digest_size=8).hexdigest()
    wanted = 3 + int(4 * draw(digest))
    count = min(wanted, len(facts))
    chosen = []
    for part in range(count):
        low, high = part * len(facts) // count, (part + 1) * len(facts) // count
        chosen.append(facts[low + int((high - low) * draw(digest, part))])
    questions = _QUESTIONS[language]
    if asked.one_turn:
        joint = " " if language == "en" else ""
        return language, [(questions[0], joint.join(chosen) or _NOTHING_MORE[language])]
    chosen += [_NOTHING_MORE[language]] * (_FEWEST_TURNS - len(chosen))
    return language, list(zip(questions, chosen, strict=False))


def written(turns: Turns, language: str, as_json: bool = False) -> str:
    """Return a dialogue as lines, or as JSON: `{"turns": [{"question", "answer"}]}`."""
    if as_json:
        said = [{"question": question, "answer": answer} for question, answer in turns]
        return json.dumps({"turns": said}, ensure_ascii=False)
    user, assistant = ROLES[language]
    return "\n".join(f"{user}{question}\n{assistant}{answer}" for question, answer in turns)
