"""What the mailer expects of the messages that it takes from the queue."""

from typing import Any

import pytest
from mailer import Mailer
from pact import Pact, match


@pytest.mark.pact(consumer="Mailer", provider="Shop")
def test_an_order_is_confirmed(pact: Pact) -> None:
    (
        pact.upon_receiving("an order was placed", "Async")
        .given("order 7 was placed")
        .with_body(
            {"number": match.int(7), "email": match.regex("ann@example.org", regex=r".+@.+")}, "application/json"
        )
    )
    sent: list[tuple[str, str]] = []
    mailer = Mailer(lambda address, text: sent.append((address, text)))

    def handle(body: str | bytes | None, _metadata: dict[str, Any]) -> None:
        mailer.handle(body or b"")

    pact.verify(handle, "Async")
    assert sent == [("ann@example.org", "Thank you for order 7.")]
