"""Tokens, prices and the purse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fundoscope.config import Endpoint
from fundoscope.converse.money import (
    OutOfBudget,
    Price,
    Purse,
    about_tokens,
    picture_tokens,
    price_of,
)
from fundoscope.errors import ConfigError


def test_a_million_tokens_cost_their_price() -> None:
    assert Price(2.5, 10).of(1_000_000, 0) == 2.5
    assert Price(2.5, 10).of(200_000, 50_000) == pytest.approx(1.0)


def test_a_dated_model_has_the_price_of_the_undated_one_and_another_model_has_none() -> None:
    assert price_of(Endpoint(model="gpt-4o-2024-08-06")) == price_of(Endpoint(model="gpt-4o"))
    assert price_of(Endpoint(model="gpt-4o-mini")) != price_of(Endpoint(model="gpt-4o"))
    assert price_of(Endpoint(model="o3-pro")) is None  # ten times the price of o3


def test_the_users_price_wins() -> None:
    assert price_of(Endpoint(model="gpt-4o", price=(1, 2))) == Price(1, 2)


def test_a_budget_without_a_price_is_refused() -> None:
    with pytest.raises(ConfigError, match="no budget can be kept"):
        price_of(Endpoint(model="unheard-of", budget_usd=1))


def test_a_server_on_this_machine_is_free() -> None:
    assert price_of(Endpoint(model="qwen", base_url="http://127.0.0.1:8000/v1")) == Price(0, 0)


def test_a_chinese_character_is_about_a_token_and_four_english_letters_are() -> None:
    assert about_tokens("眼底照片") == 4
    assert about_tokens("retinal photographs!") == 5


def test_a_picture_counts_as_openai_counts_it() -> None:
    assert picture_tokens(512) == 85 + 170
    assert picture_tokens(1024) == 85 + 4 * 170  # its documented example


@given(
    st.lists(st.tuples(st.integers(100, 20_000), st.floats(0, 0.6), st.floats(0, 1)), max_size=60),
    st.floats(0.001, 0.5),
)
def test_a_purse_is_never_overdrawn(
    requests: list[tuple[int, float, float]], budget: float
) -> None:
    """Whatever the tokens of an answer, within what a tokenizer can make of its bytes."""
    purse = Purse(Price(2.5, 10), budget, 0.0)
    for text_bytes, tokens_a_byte, fullness in requests:
        try:
            aside = purse.set_aside(text_bytes, 0, 2000)
        except OutOfBudget:
            break
        purse.settle(aside, int(text_bytes * tokens_a_byte), int(2000 * fullness))
    assert purse.spent_usd <= budget


def test_what_is_in_flight_counts_against_the_budget() -> None:
    purse = Purse(Price(0, 10), 0.05, 0.0)
    purse.set_aside(0, 0, 2000)  # 0.02
    second = purse.set_aside(0, 0, 2000)
    with pytest.raises(OutOfBudget):
        purse.set_aside(0, 0, 2000)
    purse.settle(second, 0, 100)
    purse.set_aside(0, 0, 2000)  # room again
