"""Results of handlers. A handler that responds with 200 may also return a plain object, which is then represented."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from treaty.web.http.media_types import MediaType

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Created:
    """201: a new object, and the path for its `Location` header."""

    content: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Updated:
    """200: an existing object that was changed, with a `Location` header where the original sends one."""

    content: object
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """202: work that has been queued."""

    content: object


@dataclass(frozen=True, slots=True)
class Deleted:
    """204."""


@dataclass(frozen=True, slots=True)
class WithHeaders:
    """200: an object, with additional headers."""

    content: object
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect to a path or URL, with a text for clients that do not follow it."""

    location: str
    status: int = 307
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A page: the name of its template, and the template's variables."""

    template: str
    context: Mapping[str, object]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RawBody:
    """200: a body that is sent as it is, such as a static file or an image."""

    body: bytes
    media_type: MediaType
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AfterCommit:
    """Work that produces the result in a thread after the transaction has ended, because it waits for other systems."""

    work: Callable[[], object]
    is_heavy: bool = False
    """Whether it takes seconds of processor time. The server runs only a few of these at a time and queues or refuses
    more, so that they cannot use up all threads."""


@dataclass(frozen=True, slots=True)
class StreamedBody:
    """200: a body that is sent in parts. Each part is read in its own transaction; an empty part ends the body."""

    read_part: Callable[["Connection"], bytes]
    media_type: MediaType
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ErrorResult:
    """500: an object that describes the failure to the client."""

    content: object
