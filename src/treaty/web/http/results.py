"""Results of handlers, beside the plain objects that a handler returns for a 200."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treaty.web.http.media_types import Media

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Created:
    """Something new, with the path where it is found."""

    thing: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """Something that was there already, with the path where it is found when the answer says so."""

    thing: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Something that is going to happen."""

    thing: object


@dataclass(frozen=True, slots=True)
class Deleted:
    """Something that is gone."""


@dataclass(frozen=True, slots=True)
class Headed:
    """A thing with more headers than usual."""

    thing: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Redirected:
    """A place to look instead."""

    location: str
    status: int = 307
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Page:
    """A page for people: which template, and what is to be put into it."""

    template: str
    facts: Mapping[str, object]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """Bytes that are sent as they are, as what they are."""

    body: bytes
    media: Media
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What is still to be done for the result, in a thread, once the transaction has ended: it waits for others."""

    work: Callable[[], object]
    is_heavy: bool = False
    """Whether it takes seconds of processor time, so that only a few run at a time, and others wait or are refused."""


@dataclass(frozen=True, slots=True)
class Streamed:
    """Bytes that are sent as they come to be. Each part has a transaction of its own; one without bytes is the end."""

    part: Callable[["Connection"], bytes]
    media: Media
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """What is told of a failure here."""

    thing: object
