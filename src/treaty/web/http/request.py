"""A request: its line, headers and body, its caller, and the transaction that its handler runs in."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from treaty.errors import Invalid
from treaty.model.accounts.access import ANONYMOUS_CALLER, Caller, Role
from treaty.model.accounts.access import CredentialType as Kind
from treaty.model.audit import Actor, ActorCredential, redact_query, redact_url, shorten
from treaty.settings import Settings
from treaty.telemetry.metrics import ServerMetrics
from treaty.web.hal.documents import RenderContext
from treaty.web.http import bodies, forms, queries
from treaty.web.http.media_types import HAL, MediaType
from treaty.web.security.permissions import HIDDEN_RELATIONS_BY_ROLE, PERMISSIONS_BY_ROLE, Permission

if TYPE_CHECKING:
    from sqlalchemy import Connection

B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class RequestSource:
    """What the connection, `Host` and the headers of trusted proxies say about a request."""

    address: str | None
    """The client's address."""
    base_url: str
    open_access_obstacle: str | None
    """Why open access does not cover the request, as the rest of a sentence; None if it does."""
    problem: str | None = None
    """Why the request is invalid; it must then be refused."""


@dataclass(kw_only=True)
class Request:
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
    server_metrics: ServerMetrics
    """What the server counts about itself."""
    authenticator: object
    """The server's `Gate`. Its module imports this one; use its `gate_of`, which returns it with its type."""
    address: str | None
    """Where the request comes from."""
    source: RequestSource
    """The same with all that was found out about it."""
    raw_body: bytes = field(default=b"", init=False)
    caller: Caller = field(default=ANONYMOUS_CALLER, init=False)
    """Who it comes from."""
    csrf_token: str = field(default="", init=False)
    """What a form of this session must send along, so that no other site can make it up."""
    route: str = field(default="none", init=False)
    """The template of the URL that was found."""
    media_type: MediaType = field(default=HAL, init=False)
    is_for_page: bool = field(default=False, init=False)
    """Whether a browser asks for what has a page, and is told of errors as a page."""
    has_queued: bool = field(default=False, init=False)
    """Whether webhooks are owed something, so that their worker is told once this is done."""
    failed_login_user: str | None = field(default=None, init=False)
    """Whom somebody said to be whose password was wrong, if there is such a user."""
    record_use: "Callable[[Connection], None] | None" = field(default=None, init=False)
    """Notes that a credential was used, where that is due."""
    has_ended_open_access: bool = field(default=False, init=False)
    """Whether there may be users now where there were none."""
    open_access_obstacle: str | None = field(default=None, init=False)
    """Why a broker that has no users yet requires authentication of this request."""
    _db: "Connection | None" = field(default=None, init=False, repr=False)

    @property
    def db(self) -> "Connection":
        """The transaction of this request."""
        assert self._db is not None  # noqa: S101 - a route without a database that asks for one is a slip of ours
        return self._db

    def set_transaction(self, db: "Connection") -> None:
        """Work in another transaction, once that of the request has ended."""
        self._db = db

    @property
    def today(self) -> datetime:
        """When this day began, in UTC."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Everything in the request that a cached response may depend on, and the day."""
        body = (self.content_type, self.raw_body) if self.raw_body else ()
        about = (self.method, self.path, self.query_string, self.media_type, self.base_url, self.hidden_relations)
        return (*about, self.now.date(), *body)

    @property
    def render_context(self) -> RenderContext:
        return RenderContext(self.base_url, self.path, self.query_string, self.hidden_relations)

    @property
    def hidden_relations(self) -> frozenset[str]:
        """The relations that the caller may not use, which its documents leave out."""
        return HIDDEN_RELATIONS_BY_ROLE[self.caller.role]

    def has_permission(self, permission: Permission) -> bool:
        """Whether the caller's role allows something. Who writes without an account has nobody above who could look."""
        caller = self.caller
        if permission in PERMISSIONS_BY_ROLE[caller.role]:
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
            path=shorten(self.path, MAX_AUDITED_PATH_LENGTH),
            query=shorten(redact_query(self.query_string), MAX_AUDITED_TEXT_LENGTH) if self.query_string else None,
            user_agent=_told(self.headers.get("user-agent")),
            referer=_told(self.headers.get("referer"), redact_url),
        )

    @cached_property
    def query(self) -> queries.Query:
        """The query string, taken apart by Rack's rules."""
        return queries.parse(self.query_string)

    def option(self, name: str) -> str | None:
        """A parameter of the query; a blank one is as if absent."""
        value = self.query.get(name)
        return value if isinstance(value, str) and value else None

    def name_parameter(self, name: str) -> str | None:
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
    Kind.NONE: ActorCredential.ANONYMOUS,
    Kind.BASIC: ActorCredential.BASIC,
    Kind.TOKEN: ActorCredential.BEARER,
    Kind.SESSION: ActorCredential.SESSION,
}


MAX_AUDITED_PATH_LENGTH: Final = 1000


MAX_AUDITED_TEXT_LENGTH: Final = 200
"""Characters that are kept of what a request says about itself."""


def _told(text: str | None, made: Callable[[str], str] = str) -> str | None:
    return shorten(made(text), MAX_AUDITED_TEXT_LENGTH) if text else None
