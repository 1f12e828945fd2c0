"""A request: its line, headers and body, its caller, and the transaction that its handler runs in."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from treaty.errors import Invalid
from treaty.model.accounts.access import NOBODY, Caller, Role
from treaty.model.accounts.access import Credential as Kind
from treaty.model.audit import Actor, Credential, place, query, shortened
from treaty.settings import Settings
from treaty.telemetry.metrics import Telemetry
from treaty.web.hal.documents import Place
from treaty.web.http import bodies, forms, queries
from treaty.web.http.media_types import HAL, Media
from treaty.web.security.permissions import GRANTED, HIDDEN, Permission

if TYPE_CHECKING:
    from sqlalchemy import Connection

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class RequestSource:
    """What the connection, `Host` and the headers of trusted proxies say about a request."""

    address: str | None
    """The client's address."""
    base_url: str
    obstacle: str | None
    """Why open access does not cover the request, as the rest of a sentence; None if it does."""
    problem: str | None = None
    """Why the request is invalid; it must then be refused."""


@dataclass(kw_only=True)
class Call:
    """A request on its way: what was asked, by which route, when, and the transaction it runs in."""

    method: str
    path: str
    """The raw path, still percent-encoded."""
    query_string: str
    headers: Mapping[str, str]
    accept: str
    base_url: str
    settings: Settings
    now: datetime
    request_id: str
    telemetry: Telemetry
    """What the server counts about itself."""
    gate: object
    """The server's `Gate`. Its module imports this one; use its `gate_of`, which returns it with its type."""
    address: str | None
    """Where the request comes from."""
    source: RequestSource
    """The same with all that was found out about it."""
    raw_body: bytes = field(default=b"", init=False)
    caller: Caller = field(default=NOBODY, init=False)
    """Who it comes from."""
    csrf: str = field(default="", init=False)
    """What a form of this session must send along, so that no other site can make it up."""
    route: str = field(default="none", init=False)
    """The template of the URL that was found."""
    media: Media = field(default=HAL, init=False)
    is_for_page: bool = field(default=False, init=False)
    """Whether a browser asks for what has a page, and is told of errors as a page."""
    owes: bool = field(default=False, init=False)
    """Whether webhooks are owed something, so that their worker is told once this is done."""
    claimed: str | None = field(default=None, init=False)
    """Whom somebody said to be whose password was wrong, if there is such a user."""
    noting: "Callable[[Connection], None] | None" = field(default=None, init=False)
    """Notes that a credential was used, where that is due."""
    changes_access: bool = field(default=False, init=False)
    """Whether there may be users now where there were none."""
    closed_because: str | None = field(default=None, init=False)
    """Why a broker that has no users yet requires authentication of this request."""
    _db: "Connection | None" = field(default=None, init=False, repr=False)

    @property
    def db(self) -> "Connection":
        """The transaction of this request."""
        assert self._db is not None  # noqa: S101 - a route without a database that asks for one is a slip of ours
        return self._db

    def use(self, db: "Connection") -> None:
        """Work in another transaction, once that of the request has ended."""
        self._db = db

    @property
    def today(self) -> datetime:
        """When this day began, in UTC."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def question(self) -> tuple[Hashable, ...]:
        """All that an answer may depend on that is kept."""
        body = (self.content_type, self.raw_body) if self.raw_body else ()
        about = (self.method, self.path, self.query_string, self.media, self.base_url, self.hidden)
        return (*about, self.now.date(), *body)

    @property
    def place(self) -> Place:
        return Place(self.base_url, self.path, self.query_string, self.hidden)

    @property
    def hidden(self) -> frozenset[str]:
        """The relations that the caller may not use, which its documents leave out."""
        return HIDDEN[self.caller.role]

    def may(self, permission: Permission) -> bool:
        """Whether the caller's role allows something. Who writes without an account has nobody above who could look."""
        caller = self.caller
        if permission in GRANTED[caller.role]:
            return True
        return permission is Permission.READ_AUDIT and caller.role is Role.READ_WRITE and caller.account is None

    @property
    def actor(self) -> Actor:
        """Who asks, and with which request, as the audit trail has it."""
        caller = self.caller
        return Actor(
            user=caller.user,
            account=caller.account,
            credential=_CREDENTIALS[caller.kind],
            credential_name=caller.token,
            credential_id=caller.credential,
            address=self.address,
            request_id=self.request_id,
            method=self.method,
            path=shortened(self.path, LONGEST_PATH),
            query=shortened(query(self.query_string), LONGEST_TOLD) if self.query_string else None,
            user_agent=_told(self.headers.get("user-agent")),
            referer=_told(self.headers.get("referer"), place),
        )

    @cached_property
    def query(self) -> queries.Query:
        """The query string, taken apart by Rack's rules."""
        return queries.parsed(self.query_string)

    def option(self, name: str) -> str | None:
        """A parameter of the query; a blank one is as if absent."""
        value = self.query.get(name)
        return value if isinstance(value, str) and value else None

    def name_option(self, name: str) -> str | None:
        """A name in the query, or None if it is absent. Raises Invalid for a blank name, which must not mean any."""
        value = self.option(name)
        if queries.is_blank(self.query.get(name)):
            raise Invalid.member(name, queries.BLANK)
        return value

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "application/octet-stream")

    @property
    def is_json(self) -> bool:
        return "json" in self.content_type.lower()

    @cached_property
    def form(self) -> forms.Form:
        """What a browser sent. Raises Malformed."""
        return forms.read(self.raw_body)

    def body(self, kind: type[B]) -> B:
        """Read and check the body. Raises Malformed or Invalid, or the refusal of a content type that is no JSON."""
        return bodies.read(self.raw_body, kind, is_json=self.is_json)


_CREDENTIALS: Final = {
    Kind.NONE: Credential.ANONYMOUS,
    Kind.BASIC: Credential.BASIC,
    Kind.TOKEN: Credential.BEARER,
    Kind.SESSION: Credential.SESSION,
}


LONGEST_PATH: Final = 1000


LONGEST_TOLD: Final = 200
"""Characters that are kept of what a request says about itself."""


def _told(text: str | None, made: Callable[[str], str] = str) -> str | None:
    return shortened(made(text), LONGEST_TOLD) if text else None
