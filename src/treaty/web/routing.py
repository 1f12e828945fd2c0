"""The way of a request: which handler it belongs to, in which transaction it runs, and how its answer is put together.

A request is matched on the raw path, since names hold slashes: a segment is decoded after the path was split. The order
in which a request is refused is the original broker's: method, body and query, `Accept`, existence, conflicts, content
type. Handlers therefore run also for a request whose content type will be refused; what they wrote is rolled back.
"""

import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import unquote_to_bytes

from treaty.errors import (
    Conflict,
    ConflictingContracts,
    Invalid,
    NotFound,
    Problem,
    SimilarNames,
    TreatyError,
)
from treaty.model.access import NOBODY, Caller, Role
from treaty.model.access import Credential as Kind
from treaty.model.audit import Actor, Credential, place, query, shortened
from treaty.settings import Settings
from treaty.store import audit, health
from treaty.web import bodies, forms, queries
from treaty.web.hal import Place
from treaty.web.media import ANY, FORM, HAL, JSON, Media, accepted
from treaty.web.urls import Url

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from treaty.store.database import Database
    from treaty.web.auth import Gate
    from treaty.web.sources import RequestSource
    from treaty.web.telemetry import Telemetry

B = TypeVar("B")
Handler = Callable[..., object]


class Permission(Enum):
    """What a caller must be allowed to do, in words that follow "may"."""

    READ = "read"
    READ_BADGE = "read badges"
    READ_HEARTBEAT = "read the heartbeat"
    MANAGE_PACTICIPANT = "manage pacticipants"
    MANAGE_VERSION = "manage versions, branches and tags"
    MANAGE_ENVIRONMENT = "manage environments"
    RECORD_DEPLOYMENT = "record deployments and releases"
    PUBLISH_PACT = "publish pacts"
    DELETE_PACT = "delete pacts"
    PUBLISH_VERIFICATION = "publish verification results"
    MANAGE_WEBHOOK = "manage webhooks"
    IMPORT = "import from another broker"
    SIGN_IN = "sign in"
    USE_OWN_ACCOUNT = "use an account of their own"
    MANAGE_USER = "manage users"
    READ_AUDIT = "read the audit trail"


_NOBODY: Final = frozenset({Permission.SIGN_IN})
_READER: Final = _NOBODY | {
    Permission.READ,
    Permission.READ_BADGE,
    Permission.READ_HEARTBEAT,
    Permission.USE_OWN_ACCOUNT,
}
_WRITER: Final = _READER | {
    Permission.MANAGE_PACTICIPANT,
    Permission.MANAGE_VERSION,
    Permission.MANAGE_ENVIRONMENT,
    Permission.RECORD_DEPLOYMENT,
    Permission.PUBLISH_PACT,
    Permission.DELETE_PACT,
    Permission.PUBLISH_VERIFICATION,
    Permission.MANAGE_WEBHOOK,
    Permission.IMPORT,
}
GRANTED: Final[Mapping[Role | None, frozenset[Permission]]] = {
    None: _NOBODY,
    Role.READ_ONLY: _READER,
    Role.READ_WRITE: _WRITER,
    Role.ADMINISTRATOR: frozenset(Permission),
}
"""What each role may do; what is not granted here only administrators may."""


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


MAX_QUICK_ITEMS: Final = 64
"""Enough for half a dozen contracts or selectors, which take some milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What answers a method at an URL."""

    url: Url
    method: str
    handler: Handler
    permission: Permission
    produces: tuple[Media, ...]
    """Media types to choose from; none where the `Accept` header does not matter."""
    consumes: tuple[str, ...] | None
    """Content types that a body may have; None when none is asked for."""
    is_reading: bool
    needs_database: bool
    is_slow: bool
    """Whether answering may take so long that others should not wait for it, however short the statements are."""
    is_strict: bool
    """Whether a client that takes `application/json` alone is refused, as it is by the original."""
    is_cached: bool
    """Whether responses are cached. They may then depend on the cache key, on rows that the store's functions return
    and on settings, but on nothing else: neither the time of day nor any state of the process."""
    max_quick_items: int | None = None
    """Elements and members that a JSON body may have to be processed on the event loop; None where its size in bytes
    says how much work it is."""
    has_long_query: Callable[["Call"], bool] | None = None
    """Whether a query asks for so much that others should not wait for it; None where no query does."""
    is_original: bool = True
    """Whether the original has it, too. A page that it has not takes no more than what browsers read."""
    is_for_all: bool = False
    """Whether a page is shown whatever the `Accept` header says, as a file is."""
    without_answer: Callable[["Call", Exception], object] | None = None
    """Makes what is told, as a failure, when the database does not answer; None where the log alone is told."""

    def is_long(self, raw_body: bytes) -> bool:
        """Whether a body asks for so much that others should not wait for it."""
        if self.max_quick_items is None:
            return False
        # There is a comma between each two of them, wherever they are, and counting commas needs no parsing.
        return raw_body.count(b",") > self.max_quick_items

    def takes(self, content_type: str) -> bool:
        """Whether a body of this content type is understood. `*json*` stands for all that name JSON."""
        if self.consumes is None:
            return True
        kind = content_type.partition(";")[0].strip().lower()
        return kind in self.consumes or ("*json*" in self.consumes and "json" in kind)


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
    telemetry: "Telemetry"
    """What the server counts about itself."""
    gate: "Gate"
    """What lets callers in."""
    address: str | None
    """Where the request comes from."""
    source: "RequestSource"
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
    def cache_key(self) -> tuple[Hashable, ...]:
        """Everything in the request that a cached response may depend on, and the day."""
        body = (self.content_type, self.raw_body) if self.raw_body else ()
        request = (self.method, self.path, self.query_string, self.media, self.base_url, self.hidden)
        return (*request, self.now.date(), *body)

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


_NEEDED: Final = {
    "pb:publish-pact": Permission.PUBLISH_PACT,
    "pb:publish-contracts": Permission.PUBLISH_PACT,
    "pb:publish-verification-results": Permission.PUBLISH_VERIFICATION,
    "pb:record-deployment": Permission.RECORD_DEPLOYMENT,
    "pb:record-release": Permission.RECORD_DEPLOYMENT,
    "pb:delete_integration": Permission.MANAGE_PACTICIPANT,
    "pb:create": Permission.MANAGE_WEBHOOK,
    "pb:execute": Permission.MANAGE_WEBHOOK,
    "pb:import": Permission.IMPORT,
}
"""What it takes to use a relation that nobody only reads."""
HIDDEN: Final = {
    role: frozenset(relation for relation, needed in _NEEDED.items() if role and needed not in granted)
    for role, granted in GRANTED.items()
}


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


class Unsupported(TreatyError):
    """A body whose content type the route does not take."""


class Unacceptable(TreatyError):
    """No representation that the client takes."""


@dataclass(slots=True)
class _Node:
    words: dict[str, "_Node"] = field(default_factory=dict)
    any_name: "_Node | None" = None
    resource: "Resource | None" = None


@dataclass(slots=True)
class Resource:
    """What is found at an URL: its routes by method, in the order of its `Allow` header."""

    url: Url
    routes: dict[str, Route]
    options_last: bool = True
    page: Route | None = None
    """What browsers are shown here; clients of the API are not told of it."""
    form: Route | None = None
    """What takes the form that is shown here; it has an URL that the API does not write to."""

    @property
    def allow(self) -> str:
        methods = list(self.routes)
        methods.insert(len(methods) if self.options_last else 1, "OPTIONS")
        return ", ".join(methods) if self.offers_options else ", ".join(self.routes)

    @property
    def offers_options(self) -> bool:
        return not self.url.template.startswith("/diagnostic/")


class Way(NamedTuple):
    """Where a path leads: to something, or nowhere."""

    resource: Resource | None
    names: tuple[str, ...]
    """Those in the path, in their order."""
    accept: str | None
    """The media type that its ending asks for."""


LONGEST_REMEMBERED: Final = 500
"""Characters of a path."""


class Router:
    """The table of routes. A server with a route that declares no permission never starts."""

    def __init__(self) -> None:
        self._root = _Node()
        self.resources: dict[str, Resource] = {}
        self._remembered = lru_cache(maxsize=2048)(self._found)

    def get(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers GET; HEAD comes with it."""
        return self.route("GET", url, is_reading=True, **options)

    def post(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers POST, in a transaction that writes unless it `is_reading`."""
        return self.route("POST", url, **{"consumes": (JSON,), **options})

    def put(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers PUT."""
        return self.route("PUT", url, **{"consumes": (JSON,), **options})

    def patch(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers PATCH."""
        return self.route("PATCH", url, **{"consumes": (JSON,), **options})

    def delete(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers DELETE."""
        return self.route("DELETE", url, **options)

    def page(
        self,
        url: Url,
        *,
        permission: Permission,
        needs_database: bool = True,
        is_original: bool = True,
        is_for_all: bool = False,
        other_urls: Iterable[Url] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare what is shown to browsers that GET; it returns a Page. An URL may have a page and routes."""

        def declare(handler: Handler) -> Handler:
            for one in (url, *other_urls):
                route = Route(
                    url=one,
                    method="GET",
                    handler=handler,
                    permission=Permission(permission),
                    produces=(),
                    consumes=None,
                    is_reading=True,
                    needs_database=needs_database,
                    is_slow=needs_database,
                    is_strict=False,
                    is_cached=False,
                    is_original=is_original,
                    is_for_all=is_for_all,
                )
                self._add_page(route)
            return handler

        return declare

    def form(self, url: Url, *, permission: Permission, needs_database: bool = True) -> Callable[[Handler], Handler]:
        """Declare what takes a form that browsers POST; it returns a Page, or where to look instead."""

        def declare(handler: Handler) -> Handler:
            route = Route(
                url=url,
                method="POST",
                handler=handler,
                permission=Permission(permission),
                produces=(),
                consumes=(FORM,),
                is_reading=False,
                needs_database=needs_database,
                is_slow=False,
                is_strict=False,
                is_cached=False,
                is_original=False,
            )
            self._add_form(route)
            return handler

        return declare

    def route(  # noqa: PLR0913 - what a route may declare; all but the first two by name
        self,
        method: str,
        url: Url,
        *,
        permission: Permission,
        produces: Sequence[Media] = (HAL,),
        consumes: Sequence[str] | None = None,
        is_reading: bool = False,
        needs_database: bool = True,
        other_urls: Iterable[Url] = (),
        options_last: bool = True,
        is_slow: bool = False,
        is_strict: bool = False,
        is_cached: bool = False,
        max_quick_items: int | None = None,
        has_long_query: Callable[["Call"], bool] | None = None,
        without_answer: Callable[["Call", Exception], object] | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare what answers a method at an URL (and at other spellings of it)."""

        def declare(handler: Handler) -> Handler:
            for one in (url, *other_urls):
                route = Route(
                    url=one,
                    method=method,
                    handler=handler,
                    permission=Permission(permission),
                    produces=tuple(produces),
                    consumes=None if consumes is None else tuple(consumes),
                    is_reading=is_reading,
                    needs_database=needs_database,
                    is_slow=is_slow,
                    is_strict=is_strict,
                    is_cached=is_cached,
                    max_quick_items=max_quick_items,
                    has_long_query=has_long_query,
                    without_answer=without_answer,
                )
                self._add(route, options_last=options_last)
            return handler

        return declare

    def include(self, other: "Router") -> None:
        """Take over all routes of another table."""
        for resource in other.resources.values():
            for route in resource.routes.values():
                self._add(route, options_last=resource.options_last)
            if resource.page:
                self._add_page(resource.page)
            if resource.form:
                self._add_form(resource.form)

    def _add(self, route: Route, *, options_last: bool) -> None:
        resource = self._at(route.url)
        resource.options_last = resource.options_last and options_last
        if route.method in resource.routes:
            raise ValueError(f"{route.method} {route.url.template} is declared twice")
        resource.routes[route.method] = route

    def _add_page(self, route: Route) -> None:
        resource = self._at(route.url)
        if resource.page:
            raise ValueError(f"The page {route.url.template} is declared twice")
        resource.page = route

    def _add_form(self, route: Route) -> None:
        resource = self._at(route.url)
        if resource.form or resource.routes:
            raise ValueError(f"The form {route.url.template} is declared twice, or where the API is")
        resource.form = route

    def _at(self, url: Url) -> Resource:
        resource = self.resources.setdefault(url.template, Resource(url, {}))
        node = self._root
        for word in _words(url.template):
            node = _step(node, word)
        node.resource = resource
        return resource

    def find(self, raw_path: str) -> "Way":
        """Find where a path leads; that is remembered of short ones. Fixed words win over names. Raises PathRefused."""
        return self._remembered(raw_path) if len(raw_path) <= LONGEST_REMEMBERED else self._found(raw_path)

    def _found(self, raw_path: str) -> "Way":
        segments, accept = split(raw_path)
        resource, names = _find(self._root, segments, 0, []) or (None, [])
        return Way(resource, tuple(names), accept)


def _words(template: str) -> list[str]:
    """Split a template as paths are split, which lose an ending that names a media type."""
    return [word for word in template.removesuffix(".json").split("/") if word]


def _step(node: _Node, word: str) -> _Node:
    if not word.startswith("{"):
        return node.words.setdefault(word, _Node())
    if node.any_name is None:
        node.any_name = _Node()
    return node.any_name


def _find(node: _Node, segments: Sequence[str], at: int, names: list[str]) -> tuple[Resource, list[str]] | None:
    if at == len(segments):
        return (node.resource, names) if node.resource else None
    word = node.words.get(segments[at])
    found = _find(word, segments, at + 1, names) if word else None
    if found is None and node.any_name is not None:
        found = _find(node.any_name, segments, at + 1, [*names, segments[at]])
    return found


class PathRefused(TreatyError):
    """A path that names nothing whatever the routes are: its status, title and reason."""

    def __init__(self, status: int, title: str, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.kind = status, title, kind


_ENDINGS: Final = {
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".json": "application/hal+json",
    ".yaml": "application/yaml",
}
_EMPTY: Final = re.compile("//+")


def split(raw_path: str) -> tuple[list[str], str | None]:
    """Split a raw path into decoded segments, and say which media type its ending asks for.

    Raises PathRefused for empty segments, for what is no UTF-8 and for control characters.
    """
    if _EMPTY.search(raw_path) or "<" in raw_path:
        raise PathRefused(404, "Not Found", "not-found", "Empty path component found")
    accept = None
    dot = raw_path.rfind(".")
    if dot > 0 and raw_path[dot:] in _ENDINGS:
        accept = _ENDINGS[raw_path[dot:]]
        raw_path = raw_path[:dot]
    segments = raw_path.strip("/").split("/") if raw_path != "/" else []
    return ([_decoded(one) if "%" in one else one for one in segments], accept)


def _decoded(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise _unprocessable("URL path must be valid UTF-8.") from error
    for character, name in (("\n", "a new line"), ("\t", "a tab"), ("\0", "a null")):
        if character in text:
            raise _unprocessable(f"URL path cannot contain {name} character.")
    return text


def _unprocessable(detail: str) -> PathRefused:
    return PathRefused(422, "Unprocessable", "invalid-request-parameter-value", detail)


class Refused(Exception):
    """A request that was fine but for its content type; what it wrote is undone."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


Reading = Callable[[Route, "Call", Sequence[str]], object]


def result_of(
    route: Route,
    call: Call,
    names: Sequence[str],
    *,
    database: "Database",
    read: Reading,
    admit: "Callable[[Connection], None] | None" = None,
) -> object:
    """Run a route's handler in its transaction, and refuse in the right order what cannot be answered.

    What only reads is run by `read`. Whoever is not admitted yet is so in the same transaction, before anything else.
    Raises what `admit` and the handler raise, Unacceptable, and Refused for a wrong content type.
    """
    produces = route.produces or (ANY,)
    media = accepted(call.accept, produces, is_strict=route.is_strict) if route.produces else ANY
    call.media = media or produces[0]
    takes = route.takes(call.content_type) if route.consumes is not None else True

    def work(db: "Connection | None") -> object:
        if admit and db is not None:
            admit(db)
        call._db = db  # noqa: SLF001 - only here is a call given its transaction
        if db is None:
            result = route.handler(call, *names)
        else:
            result = read(route, call, names) if route.is_reading else _written(route, call, names)
        _check_not_blank(route, names)
        if media is None:
            raise Unacceptable
        if not takes:
            raise Refused(result)
        return result

    try:
        if not route.needs_database:
            return work(None)
        return _asked(route, call, work, database)
    except (Conflict, ConflictingContracts, SimilarNames) as error:
        if media is not None and route.method == "POST" and not takes:
            raise Refused(None) from error
        raise _unless_unacceptable(media, error) from error
    except NotFound as error:
        raise _unless_unacceptable(media, error) from error


_SAVING: Final = {"POST", "PUT", "PATCH"}


def _check_not_blank(route: Route, names: Sequence[str]) -> None:
    """Refuse blank names in the path of a write. Raises Invalid.

    It runs after the handler, which may know a better reason; what the handler wrote is rolled back. What already has a
    blank name can still be read and deleted.
    """
    if route.method in _SAVING and not all(map(str.strip, names)):
        keys = [key for key, name in zip(route.url.names, names, strict=True) if not name.strip()]
        raise Invalid(*(Problem((key,), queries.BLANK) for key in keys))


def _written(route: Route, call: Call, names: Sequence[str]) -> object:
    """Run a handler that writes. What it did not note about that is noted here: that it was called, and by whom."""
    with audit.by(call.actor, at=call.now) as scope:
        result = route.handler(call, *names)
        if not scope.noted and not isinstance(result, Afterwards | Page) and call.caller.role is not None:
            audit.note(call.db, route.handler.__name__, params=dict(zip(route.url.names, names, strict=True)))
        return result


def _asked(route: Route, call: Call, work: Callable[["Connection"], object], database: "Database") -> object:
    try:
        return database.read(work) if route.is_reading else database.write(work)
    except health.UNANSWERED as error:
        if route.without_answer is None:
            raise
        return Failed(route.without_answer(call, error))


def _unless_unacceptable(media: Media | None, error: TreatyError) -> TreatyError:
    """Refuse for the `Accept` header before anything that the handler found."""
    return error if media is not None else Unacceptable()
