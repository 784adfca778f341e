"""What requests cost: tokens, prices, and a purse that is never overdrawn."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from fundoscope.config import Endpoint
from fundoscope.converse.chat_client import base_url, is_local
from fundoscope.errors import ConfigError

_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese characters and punctuation."""
_CHARACTERS_A_TOKEN = 4.0
"""Of English text; numbers and boxes are shorter, so that this is about right, not a bound."""
_TOKENS_MOST_A_BYTE = 0.6
"""More tokens for a byte of our prompts than any tokenizer in use takes."""
_TILE_PX, _TILE_TOKENS, _PICTURE_TOKENS = 512, 170, 85
"""How OpenAI counts a picture in detail."""


def about_tokens(text: str) -> int:
    """Return about how many tokens a text is, to plan with; the server counts what is paid."""
    wide = len(_WIDE.findall(text))
    return round(wide + (len(text) - wide) / _CHARACTERS_A_TOKEN)


def picture_tokens(side_px: int) -> int:
    """Return about how many tokens a square picture is."""
    tiles = -(-side_px // _TILE_PX)
    return _PICTURE_TOKENS + _TILE_TOKENS * tiles * tiles


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens."""

    tokens_in: float
    tokens_out: float

    def of(self, tokens_in: float, tokens_out: float) -> float:
        """Return what so many tokens cost, US dollars."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@cache
def _table() -> dict[str, Any]:
    file = files("fundoscope") / "converse" / "prices.yaml"
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def prices_as_of() -> str:
    """Return the month in which the table was written."""
    return str(_table()["as_of"])


def price_of(endpoint: Endpoint) -> Price | None:
    """Return the price of a model: the job's, the table's, nothing for a server of one's own.

    Raises
    ------
    ConfigError
        If there is a budget and no price, so that it could not be kept.
    """
    if endpoint.price:
        return Price(*endpoint.price)
    known = [
        n for n in _table()["models"] if re.fullmatch(rf"{re.escape(n)}(-\d.*)?", endpoint.model)
    ]
    if known:
        return Price(*_table()["models"][max(known, key=len)])
    if endpoint.budget_usd is not None:
        raise ConfigError(
            f"no price is known for the model {endpoint.model!r}, so no budget can be kept",
            mend="give --price IN,OUT, US dollars for a million tokens",
        )
    return Price(0.0, 0.0) if is_local(base_url(endpoint)) else None


class OutOfBudget(Exception):
    """The next request might pass the budget."""


class Purse:
    """Money for a run. Each request sets aside the most it can cost before it goes out.

    Parameters
    ----------
    budget_usd : float or None
        What the run may cost in all.
    spent_usd : float
        What it has cost already.
    """

    def __init__(self, price: Price | None, budget_usd: float | None, spent_usd: float) -> None:
        self._price = price or Price(0.0, 0.0)
        self._budget_usd = budget_usd
        self.spent_usd = spent_usd
        self.aside_usd = 0.0
        """For requests in flight."""
        self._in_flight = 0

    def cost_of(self, tokens_in: int, tokens_out: int) -> float:
        """Return what so many tokens cost, US dollars."""
        return self._price.of(tokens_in, tokens_out)

    def set_aside(self, text_bytes: int, pictures: int, max_tokens: int) -> float:
        """Set aside what a request costs at most, and return it.

        Raises
        ------
        OutOfBudget
            If the budget could be passed.
        """
        most = self._price.of(text_bytes * _TOKENS_MOST_A_BYTE + 2 * pictures, max_tokens)
        planned = self.spent_usd + self.aside_usd + most
        if self._budget_usd is not None and planned > self._budget_usd:
            raise OutOfBudget
        self.aside_usd += most
        self._in_flight += 1
        return most

    def settle(self, aside_usd: float, tokens_in: int, tokens_out: int) -> float:
        """Pay what a request cost in truth, and return it; nothing where it was not answered."""
        cost = self._price.of(tokens_in, tokens_out)
        self._in_flight -= 1
        self.aside_usd = self.aside_usd - aside_usd if self._in_flight else 0.0
        self.spent_usd += cost
        return cost
