"""The provider: it puts orders into a queue."""

from typing import Any


def order_placed(number: int, email: str) -> dict[str, Any]:
    """Make the message that tells of an order."""
    return {"number": number, "email": email, "currency": "EUR"}
