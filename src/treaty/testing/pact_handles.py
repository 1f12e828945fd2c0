"""Pacts of Pact's library, which are released at a defined time.

The library logs through Python while it holds its locks. If the garbage collector runs there and frees one of the
library's handles, the thread waits for itself forever. So a handle must not become part of a reference cycle, such as
an exception and the frames of its traceback: it is owned by one object, which drops it as soon as it is not needed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pact as modern

from treaty.testing import pact_files

if TYPE_CHECKING:
    from treaty.client import Json


@dataclass(frozen=True, kw_only=True, slots=True)
class PactDescription:
    """The names and the specification version (such as `V2`) of a pact, and a function that adds its interactions."""

    consumer: str
    provider: str
    specification: str
    describe: Callable[[modern.Pact], None]


def create(description: PactDescription) -> modern.Pact:
    """Create a pact of the library. After an exception, the traceback refers to no handle."""
    pact = modern.Pact(description.consumer, description.provider)
    try:
        pact.with_specification(description.specification)
        description.describe(pact)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)
        del pact
        raise
    return pact


def render(description: PactDescription) -> Json:
    """Return the content of a pact as the library writes it."""
    content: Json = pact_files.read_content(create(description))
    return content
