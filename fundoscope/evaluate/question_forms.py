"""Forms of a task's questions that differ in one word: written once, made for each term.

In a form with `each`, `{each}` stands for the term's id and, in questions, `{name}`, `{plural}`,
`{vessels}`, `{place}` and `{in_unit}` for its words. A quantity is `id`, `id/of` or `id/of/where`,
and `{quantity}`, `{of}`, `{where}` and `{unit}` stand for its parts. In the questions of a form
whose space has several terms, `{terms}` lists their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fundoscope import terms
from fundoscope.errors import ConfigError
from fundoscope.records import Language

_IN_UNIT: Mapping[Language, tuple[str, str]] = {
    "en": ("in {unit}", "as a plain number without a unit"),
    "zh": ("以 {unit} 为单位", "无单位的数值"),
}


def expanded(entry: Any) -> Iterator[dict[str, Any]]:
    """Yield the forms that an entry of a task's `forms` stands for; one without `each`.

    Raises
    ------
    ConfigError
        If the entry is no mapping.
    TermError
        If the vocabulary has no such term or quantity.
    """
    if not isinstance(entry, Mapping):
        raise ConfigError(f"a form is a mapping, not {entry!r}", mend="give id, questions, ...")
    form = _with_terms({name: value for name, value in entry.items() if name != "each"})
    if "each" not in entry:
        yield form
        return
    for each in entry["each"]:
        yield {
            name: _questions(value, each) if name == "questions" else _filled(value, _ids(each))
            for name, value in form.items()
        }


def _with_terms(form: dict[str, Any]) -> dict[str, Any]:
    space, questions = form.get("space"), form.get("questions")
    ids = space.get("terms") if isinstance(space, Mapping) else None
    if not ids or not isinstance(questions, Mapping):
        return form
    told = {
        language: _filled(wordings, {"terms": _listed(ids, language)})
        for language, wordings in questions.items()
    }
    return form | {"questions": told}


def _listed(ids: list[str], language: Language) -> str:
    known = [terms.term(id) for id in ids]
    if language == "zh":
        return "、".join(term.zh[0] for term in known)
    return ", ".join(term.plural or term.en[0] for term in known)


def _questions(by_language: Mapping[Language, list[str]], each: str) -> dict[str, Any]:
    return {
        language: _filled(wordings, {**_ids(each), **_words(each, language)})
        for language, wordings in by_language.items()
    }


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """Return a value with the braces filled whose words are known; others stay."""
    if isinstance(value, str):
        for name, word in words.items():
            value = value.replace(f"{{{name}}}", word)
        return value
    if isinstance(value, Mapping):
        return {name: _filled(inner, words) for name, inner in value.items()}
    return [_filled(inner, words) for inner in value] if isinstance(value, list) else value


def _ids(each: str) -> dict[str, str]:
    id, of, where = _parts(each)
    words = {"each": each.replace("/", "-")}
    if id in terms.quantities():
        words |= {"quantity": id, "of": of, "where": where, "unit": terms.quantity(id).unit}
    return words


def _words(each: str, language: Language) -> dict[str, str]:
    id, of, where = _parts(each)
    if id not in terms.quantities():
        term = terms.term(id)
        name = term.names(language)[0]
        return {"name": name, "plural": (term.plural or name) if language == "en" else name}
    quantity = terms.quantity(id)
    unit = terms.UNIT_WORDS[quantity.unit]
    with_unit, bare = _IN_UNIT[language]
    return {
        "name": quantity.names(language)[0],
        "vessels": _vessels(of, language),
        "place": _place(where, language),
        "in_unit": with_unit.replace("{unit}", unit) if unit else bare,
    }


def _parts(each: str) -> tuple[str, str, str]:
    id, _, rest = each.partition("/")
    of, _, where = rest.partition("/")
    return id, of, where


def _vessels(of: str, language: Language) -> str:
    if not of:
        return ""
    words = {"arteries": "arteries", "veins": "veins", "all": "vessels"}
    return f" of the {words[of]}" if language == "en" else terms.VESSELS[of]["zh"][0]


def _place(where: str, language: Language) -> str:
    if not where:
        return ""
    name = terms.ZONES[where][language][0]
    if language == "zh":
        return name
    return " over the whole photograph" if where == "whole" else f" in {name}"
