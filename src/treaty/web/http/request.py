"""The request that handlers receive: what the client sent, its authenticated caller, and the transaction."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar, cast

from treaty.errors import Invalid
from treaty.model.accounts.access import ANONYMOUS_CALLER, Caller, CredentialType
from treaty.model.audit import Actor, ActorCredential, redact_query, redact_url, shorten
from treaty.settings import Settings
from treaty.telemetry.metrics import ServerMetrics
from treaty.web.hal.documents import RenderContext
from treaty.web.http import forms, json_bodies, queries
from treaty.web.http.media_types import HAL, MediaType
from treaty.web.http.unknown_members import UnknownMember, find_unknown_members
from treaty.web.security.permissions import HIDDEN_RELATIONS_BY_ROLE, Permission, has_permission

if TYPE_CHECKING:
    from sqlalchemy import Connection

BodyModel = TypeVar("BodyModel")


class WriteRequired(Exception):
    """A handler that mostly only reads has to write for this request. It runs again in a transaction that writes."""


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
    base_path: str = ""
    """The path of a base URL that the request's path began with; "" if there was none."""


@dataclass(kw_only=True)
class Request:
    """A request. The application fills in the later fields while it routes, authenticates and reads the request."""

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
    authenticator: object
    """The server's `Authenticator`. Its module imports this one: `get_authenticator` there returns it with its type."""
    address: str | None
    """The client's address."""
    source: RequestSource
    is_shutting_down: bool = False
    """Whether the server handles its last requests."""
    raw_body: bytes = field(default=b"", init=False)
    caller: Caller = field(default=ANONYMOUS_CALLER, init=False)
    csrf_token: str = field(default="", init=False)
    """The token that forms of this session must send, and that other sites cannot know."""
    route: str = field(default="none", init=False)
    """The template of the matched URL, for logs and metrics."""
    media_type: MediaType = field(default=HAL, init=False)
    is_for_page: bool = field(default=False, init=False)
    """Whether a browser requests a page, so that errors are pages, too."""
    has_queued: bool = field(default=False, init=False)
    """Whether the handler has enqueued deliveries, so that the worker must be woken after the commit."""
    failed_login_user: str | None = field(default=None, init=False)
    """The existing user whose name was sent with a wrong password, for the audit trail."""
    awaits_password: bool = field(default=False, init=False)
    """Whether the page asks the user of a session for the password. Such a response is not recorded as a denial."""
    record_use: "Callable[[Connection], None] | None" = field(default=None, init=False)
    """Records that the credential was used, if that has not been recorded lately."""
    has_ended_open_access: bool = field(default=False, init=False)
    """Whether the request may have added the first user, which ends open access."""
    open_access_obstacle: str | None = field(default=None, init=False)
    """Why a broker without users requires authentication of this request all the same; None if it does not."""
    body_type: type | None = field(default=None, init=False)
    """The type of the body that the route documents."""
    unknown_members: list[UnknownMember] = field(default_factory=list, init=False)
    """Members of the body that were ignored."""
    prepared: object = field(default=None, init=False)
    """The result of the route's `prepare`."""
    warnings: list[str] = field(default_factory=list, init=False)
    """Sentences for the client about parts of the request that were ignored."""
    is_writing: bool = field(default=False, init=False)
    """Whether the transaction of a route that mostly only reads writes, after a `WriteRequired`."""
    has_compared: bool = field(default=False, init=False)
    """Whether the comparisons that the response lacked were made or enqueued, so that the handler runs again."""
    missing_name: str | None = field(default=None, init=False)
    """A name in the path of a page that nothing has, for its 404 response."""
    similar_pages: Sequence[tuple[str, str]] = field(default=(), init=False)
    """The names that resemble the missing one, with the paths of their pages."""
    _db: "Connection | None" = field(default=None, init=False, repr=False)

    @property
    def db(self) -> "Connection":
        """The transaction of this request."""
        assert self._db is not None  # noqa: S101 - only a route with needs_database=False has none
        return self._db

    def set_transaction(self, db: "Connection") -> None:
        """Use another transaction after the request's own has ended (in `AfterCommit` work)."""
        self._db = db

    @property
    def today(self) -> datetime:
        """Midnight of the current day, in UTC."""
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def cache_key(self) -> tuple[Hashable, ...]:
        """Everything in the request that a cacheable response may depend on.

        The date is part of it because pages and notices mention days. Anything else that changes without a write to the
        database, such as the time, must not influence a cacheable response, unless it limits its validity.
        """
        body = (self.content_type, self.raw_body) if self.raw_body else ()
        key = (self.method, self.path, self.query_string, self.media_type, self.base_url, self.hidden_relations)
        return (*key, self.now.date(), *body)

    @property
    def render_context(self) -> RenderContext:
        return RenderContext(self.base_url, self.path, self.query_string, self.hidden_relations)

    def page_url(self, path: str) -> str:
        """Return the URL of a path for a redirect.

        Pages of a server without a configured base URL are redirected to the path alone, which also works behind a
        proxy that does not forward the original host.
        """
        return path if self.is_for_page and not self.settings.base_urls else self.base_url + path

    @property
    def hidden_relations(self) -> frozenset[str]:
        """The link relations that are left out of documents because the caller lacks the permission to follow them."""
        return HIDDEN_RELATIONS_BY_ROLE[self.caller.role]

    def has_permission(self, permission: Permission) -> bool:
        return has_permission(self.caller, permission)

    @property
    def actor(self) -> Actor:
        """The caller and the request, as the audit trail records them."""
        caller = self.caller
        return Actor(
            user=caller.user,
            account=caller.account,
            credential=_AUDITED_CREDENTIALS[caller.kind],
            credential_name=caller.token,
            credential_id=caller.credential,
            address=self.address,
            request_id=self.request_id,
            method=self.method,
            path=shorten(self.path, MAX_AUDITED_PATH_LENGTH),
            query=shorten(redact_query(self.query_string), MAX_AUDITED_TEXT_LENGTH) if self.query_string else None,
            user_agent=_shortened(self.headers.get("user-agent")),
            referer=_shortened(self.headers.get("referer"), redact_url),
        )

    @cached_property
    def query(self) -> queries.Query:
        """The query string, parsed by Rack's rules (nested and repeated parameters), as the original does."""
        return queries.parse(self.query_string)

    def option(self, name: str) -> str | None:
        """A parameter of the query. A blank one counts as absent."""
        value = self.query.get(name)
        return value if isinstance(value, str) and value else None

    def name_parameter(self, name: str) -> str | None:
        """A name in the query; None if absent.

        Raises Invalid for a blank name, and for a list, which must not select everything.
        """
        value = self.query.get(name)
        if queries.is_blank(value):
            raise Invalid.member(name, queries.BLANK)
        if value is not None and not isinstance(value, str):
            raise Invalid.member(name, "must be a string")
        return value

    def flag(self, name: str) -> bool:
        """A flag in the query; false if absent. Raises Invalid for a value that is neither true nor false."""
        value = self.query.get(name, "false")
        if value not in ("true", "false"):  # a tuple, because a parameter may be a list, which has no hash
            raise Invalid.member(name, "must be one of: true, false")
        return bool(value == "true")

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "application/octet-stream")

    @property
    def is_json(self) -> bool:
        return "json" in self.content_type.lower()

    @cached_property
    def form(self) -> forms.Form:
        """The submitted form. Raises Malformed."""
        return forms.read(self.raw_body)

    def body(self, model: type[BodyModel], *, empty: bytes = b"{}") -> BodyModel:
        """Parse and validate the body. An empty body counts as `empty`.

        Members that its type does not have are noted, for the response. Raises Malformed, Invalid, or NotJson for a
        content type other than JSON.
        """
        parsed = json_bodies.read_object(self.raw_body, is_json=self.is_json, empty=empty)
        if model is dict:
            body_type, body = self.body_type, cast("BodyModel", parsed)
        else:
            from treaty.web.http import bodies  # noqa: PLC0415 - loads pydantic, as modules of routes with bodies do

            body_type, body = model, bodies.validate(parsed, model)
        self.unknown_members = find_unknown_members(parsed, body_type) if body_type else []
        return body


_AUDITED_CREDENTIALS: Final = {
    CredentialType.NONE: ActorCredential.ANONYMOUS,
    CredentialType.BASIC: ActorCredential.BASIC,
    CredentialType.TOKEN: ActorCredential.BEARER,
    CredentialType.SESSION: ActorCredential.SESSION,
}


MAX_AUDITED_PATH_LENGTH: Final = 1000


MAX_AUDITED_TEXT_LENGTH: Final = 200
"""Characters of a header or query that the audit trail keeps."""


def _shortened(text: str | None, redact: Callable[[str], str] = str) -> str | None:
    return shorten(redact(text), MAX_AUDITED_TEXT_LENGTH) if text else None
