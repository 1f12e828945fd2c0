"""The classic API: what tutorials for pact-python 1 and 2 teach, over pact-python 4."""

from treaty.pact.broker import Broker
from treaty.pact.consumer import Consumer
from treaty.pact.matchers import EachLike, Format, Like, SomethingLike, Term, get_generated_values
from treaty.pact.message_consumer import MessageConsumer
from treaty.pact.message_pact import MessagePact
from treaty.pact.message_provider import MessageProvider
from treaty.pact.pact import Pact
from treaty.pact.provider import Provider
from treaty.pact.verifier import Verifier

__all__ = [
    "Broker",
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
