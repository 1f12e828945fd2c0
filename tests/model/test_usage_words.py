"""Texts are found by the beginnings of their words, however these are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model.usage.words import MAX_QUERY_WORDS, list_query_words, list_words, matches


@pytest.mark.parametrize(
    ("query", "text", "is_found"),
    [
        ("customer", "customerId", True),
        ("id", "customerId", True),
        ("customerid", "customer_id", True),
        ("customerId", "customer-id", True),
        ("CUSTOMER-ID", "customerId", True),
        ("http server", "HTTPServer2", True),
        ("orders/7", "/orders/7/items", True),
        ('"it\'s"', "it's here", True),
        ("ord exist", "an order exists", True),
        ("exist ord", "an order exists", True),
        ("tomer", "customerId", False),
        ("order missing", "an order exists", False),
        ("文", "注文済み", True),
        ("注文", "注文済み", True),
        ("文注", "注文済み", False),
        ("배송", "주문 배송완료", True),
        ("straße", "STRASSE", True),
        ("éclair", "Éclairs", True),
        ("\uff4f\uff52\uff44\uff45\uff52", "order", True),  # full width
    ],
)
def test_texts_are_found_by_their_words(query: str, text: str, *, is_found: bool) -> None:
    assert matches(list_query_words(query), text) == is_found


@given(st.text(max_size=60))
def test_a_text_finds_itself_and_words_need_no_escaping(text: str) -> None:
    query_words = list_query_words(text)
    assert len(query_words) <= MAX_QUERY_WORDS
    assert matches(query_words, text)
    characters = "".join([*query_words, *list_words(text)])
    assert all(character.isalnum() or not character.isascii() for character in characters)
