"""Answers that arrive whole but say, or look, otherwise than asked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from fundoscope.testing.fake_answers import NOTHING_MORE, ROLES, Prompt, Turns, written

_SENTENCE_END = re.compile(r"(?<=[.!?]) +|(?<=[。！？])")
_LAST_NUMBER = re.compile(r"\d(?=\D*$)")
_INVENTED = {"en": "The CRAE (Knudtson) is 187.3 µm.", "zh": "测得CRAE（Knudtson） 187.3 µm。"}
_BEFORE = {
    "en": "Sure! Here is the dialogue you asked for:\n\n",
    "zh": "好的，以下是您需要的对话：\n\n",
}
_BEHIND = {
    "en": "\n\nLet me know if you would like any changes.",
    "zh": "\n\n如果需要修改，请告诉我。",
}
_NO_DIALOGUE = {"en": "I'm sorry, but I can't help with that.", "zh": "抱歉，我无法提供帮助。"}
_LENGTH_LEFT = 0.6
"""Share of the text that is left when it is cut."""


def faulty(kind: str, prompt: Prompt) -> tuple[str, str]:
    """Return the text of an answer with a fault of `CONTENT_FAULTS`, and its `finish_reason`."""
    if kind == "length":
        text = _whole(prompt, prompt.turns)
        return text[: int(len(text) * _LENGTH_LEFT)], "length"
    return _FAULTY[kind](prompt), "stop"


def _whole(prompt: Prompt, turns: Turns) -> str:
    return written(turns, prompt.language, prompt.wants_json)


def _wrong_content(prompt: Prompt) -> str:
    """Alter the last digit of the last answer that has one; else say what nobody measured."""
    turns = list(prompt.turns)
    for index in reversed(range(len(turns))):
        question, answer = turns[index]
        if found := _LAST_NUMBER.search(answer):
            other = str((int(found[0]) + 5) % 10)
            turns[index] = question, answer[: found.start()] + other + answer[found.end() :]
            return _whole(prompt, turns)
    turns[-1] = turns[-1][0], _INVENTED[prompt.language]
    return _whole(prompt, turns)


def _markdown(prompt: Prompt) -> str:
    if prompt.wants_json:
        return f"```json\n{_whole(prompt, prompt.turns)}\n```"
    user, assistant = (role.strip() for role in ROLES[prompt.language])
    lines = ["## Dialogue" if prompt.language == "en" else "## 对话", ""]
    for number, (question, answer) in enumerate(prompt.turns, 1):
        lines += [f"### {number}.", "", f"**{user}** {question}", "", f"**{assistant}** {answer}"]
        lines.append("")
    return "\n".join(lines)


def _many_lines(prompt: Prompt) -> str:
    turns = []
    for question, answer in prompt.turns:
        sentences = [sentence for sentence in _SENTENCE_END.split(answer) if sentence]
        if len(sentences) == 1:
            sentences.append(NOTHING_MORE[prompt.language])
        turns.append((question, "\n".join(sentences)))
    return _whole(prompt, turns)


def _chinese_roles(prompt: Prompt) -> str:
    return written(prompt.turns, "zh", prompt.wants_json)


def _prose(prompt: Prompt) -> str:
    words = _whole(prompt, prompt.turns)
    return _BEFORE[prompt.language] + words + _BEHIND[prompt.language]


def _json_answer(prompt: Prompt) -> str:
    return written(prompt.turns, prompt.language, as_json=True)


def _unreadable(prompt: Prompt) -> str:
    return _NO_DIALOGUE[prompt.language]


def _missing_last_answer(prompt: Prompt) -> str:
    if prompt.wants_json:
        said = json.loads(_whole(prompt, prompt.turns))
        del said["turns"][-1]["answer"]
        return json.dumps(said, ensure_ascii=False)
    return _whole(prompt, prompt.turns).rpartition("\n")[0]


_FAULTY: dict[str, Callable[[Prompt], str]] = {
    "wrong_content": _wrong_content,
    "markdown": _markdown,
    "many_lines": _many_lines,
    "chinese_roles": _chinese_roles,
    "prose": _prose,
    "json_answer": _json_answer,
    "unreadable": _unreadable,
    "missing_last_answer": _missing_last_answer,
}
