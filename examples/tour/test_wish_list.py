"""What the Wish List asks of the Reviews service, and what it expects back."""

import pytest
from pact import Pact, match
from wish_list import fetch_rating


@pytest.mark.pact(consumer="Wish List", provider="Reviews")
def test_a_product_has_a_rating(pact: Pact) -> None:
    (
        pact.upon_receiving("a request for the rating of a product")
        .with_request("GET", "/products/7/rating")
        .will_respond_with(200)
        .with_body({"stars": match.decimal(4.5)})
    )
    with pact.serve() as mock:
        assert fetch_rating(mock.url, 7) == 4.5
