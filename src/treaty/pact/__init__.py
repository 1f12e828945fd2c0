"""The classic API: what tutorials for pact-python 1 and 2 teach, over pact-python 4."""

from treaty.pact.consumer import Consumer, Pact
from treaty.pact.matchers import EachLike, Format, Like, SomethingLike, Term, get_generated_values
from treaty.pact.messages import MessageConsumer, MessagePact, MessageProvider
from treaty.pact.participants import Provider
from treaty.pact.verifier import Verifier

__all__ = [
    "Consumer",
    "EachLike",
    "Format",
    "Like",
    "MessageConsumer",
    "MessagePact",
    "MessageProvider",
    "Pact",
    "Provider",
    "SomethingLike",
    "Term",
    "Verifier",
    "get_generated_values",
]
