"""Results of handlers, beside the plain objects that a handler returns for a 200."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treaty.web.http.media_types import MediaType

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Created:
    """Something new, with the path where it is found."""

    content: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """Something that was there already, with the path where it is found when the answer says so."""

    content: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Something that is going to happen."""

    content: object


@dataclass(frozen=True, slots=True)
class Deleted:
    """Something that is gone."""


@dataclass(frozen=True, slots=True)
class WithHeaders:
    """A thing with more headers than usual."""

    content: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Redirect:
    """A place to look instead."""

    location: str
    status: int = 307
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page for people: which template, and what is to be put into it."""

    template: str
    context: Mapping[str, object]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawBody:
    """Bytes that are sent as they are, as what they are."""

    body: bytes
    media_type: MediaType
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AfterCommit:
    """What is still to be done for the result, in a thread, once the transaction has ended: it waits for others."""

    work: Callable[[], object]
    is_heavy: bool = False
    """Whether it takes seconds of processor time, so that only a few run at a time, and others wait or are refused."""


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """Bytes that are sent as they come to be. Each part has a transaction of its own; one without bytes is the end."""

    read_part: Callable[["Connection"], bytes]
    media_type: MediaType
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorResult:
    """What is told of a failure here."""

    content: object
