"""Versions of a consumer, one of which does not work with a deployed provider."""

from tests.api.history import History


def add_incompatible_versions(history: History) -> None:
    """Version 2 of a shop needs version 2 of the prices, which broke another consumer's version 1."""
    history.publish("shop", "1", "prices", "shop 1")
    history.publish("shop", "2", "prices", "shop 2")
    history.publish("till", "1", "prices", "till 1")
    for consumer, version, by, success in (
        ("shop", "1", "1", True),
        ("shop", "1", "2", True),
        ("shop", "2", "1", False),
        ("shop", "2", "2", True),
        ("till", "1", "1", True),
        ("till", "1", "2", False),
    ):
        history.verify(consumer, version, "prices", by, success=success)
    history.deploy("shop", "1", "prod")
    history.deploy("prices", "1", "prod")
    history.deploy("till", "1", "prod")


FAILED = (
    "The verification for the pact between the version of till currently in prod (1) and version 2 of prices failed"
)
