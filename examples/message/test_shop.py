"""The shop's messages are what those who take them from the queue expect."""

from typing import TYPE_CHECKING

import pytest
from shop import order_placed

if TYPE_CHECKING:
    from treaty.pytest_plugin.verification import PactVerifier


@pytest.mark.pact(provider="Shop")
def test_messages(pact_verifier: "PactVerifier") -> None:
    pact_verifier.verify(
        states={"order 7 was placed": lambda: None},
        messages={"an order was placed": lambda: order_placed(7, "ann@example.org")},
    )
