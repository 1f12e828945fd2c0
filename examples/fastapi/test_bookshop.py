"""A consumer: the bookshop shows the title and the price of a book."""

from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from pact import Pact


def describe_book(catalogue_url: str, number: str) -> str:
    book = httpx.get(f"{catalogue_url}/books/{number}").raise_for_status().json()
    return f"{book['title']}: {book['price'] / 100:.2f} EUR"


@pytest.mark.pact(consumer="Bookshop", provider="Catalogue")
def test_the_bookshop_describes_a_book(pact: "Pact") -> None:
    (
        pact.upon_receiving("a request for a book")
        .given("there is a book with the number 1")
        .with_request("GET", "/books/1")
        .will_respond_with(200)
        .with_body({"title": "Moby-Dick", "price": 1250})
    )
    with pact.serve() as catalogue:
        assert describe_book(str(catalogue.url), "1") == "Moby-Dick: 12.50 EUR"
