"""Numbers and addresses of machines that tell who or when: phones, ids, dates, e-mails, prices.

Visual acuities, pressures, thicknesses, doses, codes and durations are numbers too, and must stay:
every rule (`rules_numbers.yaml`) asks for a shape or a word that those do not have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from fundoscope.converse.deidentify_words import Hidden, Kind, compiled, words

_NO_ACCOUNT = frozenset(("with", "from", "that", "this", "when", "there", "number", "please"))
_LONG_WORD = 7
"""Letters beyond which a small-letter word behind "WeChat" is rather an account."""


def numbers_that_tell(text: str) -> Iterator[Hidden]:
    """Yield phones, accounts, ids, dates, e-mails, addresses of pages, prices and great ages."""
    for group, kind, pattern in _rules():
        for match in pattern.finditer(text):
            start, end = match.span("hide" if "hide" in pattern.groupindex else 0)
            if group != "introduced" or kind != "account" or _is_account(text[start:end]):
                yield Hidden(kind, start, end)


@cache
def _rules() -> tuple[tuple[str, Kind, re.Pattern[str]], ...]:
    rules = words("rules_numbers")
    return tuple(
        (group, kind, compiled(pattern, rules["parts"]))
        for group in ("shapes", "introduced", "loose")
        for kind, pattern in rules[group]
    )


def _is_account(word: str) -> bool:
    """Whether a word after "WeChat" may be an account: a digit, a mark, or no plain word."""
    plain_word = word.isalpha() and word.islower() and len(word) <= _LONG_WORD
    return word.lower() not in _NO_ACCOUNT and not plain_word
