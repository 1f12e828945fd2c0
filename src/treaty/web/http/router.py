"""Routes, and matching requests to them.

A name in a path may contain an encoded slash (`feat%2Flogin`), so the router splits the raw path and decodes each
segment afterwards. A router that matches decoded paths, as Starlette's does, cannot find such a endpoint.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from treaty.errors import TreatyError
from treaty.model.accounts.scopes import Scope
from treaty.model.names import FORBIDDEN_CHARACTERS
from treaty.web.http.media_types import FORM, HAL, JSON, MediaType
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.security.permissions import DEFAULT_SCOPES_OF_READS, SENSITIVE_PERMISSIONS, Permission
from treaty.web.urls import Url

Handler = Callable[..., object]
FindApplications = Callable[[Request, Sequence[str]], Iterable[str]]
"""Finds the applications for which a request writes, given the decoded names in its path."""


class ResponseLink(NamedTuple):
    """An operation that can follow a response, with its parameters as OpenAPI's runtime expressions."""

    operation: str
    parameters: Mapping[str, str]


def link_to(parameters: Mapping[str, str], *operations: str) -> tuple[ResponseLink, ...]:
    return tuple(ResponseLink(operation, parameters) for operation in operations)


MAX_QUICK_ITEMS: Final = 64
"""About half a dozen contracts or selectors, which take a few milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A handler for a method and a URL, with the rules that the server applies before and after it runs."""

    url: Url
    method: str
    handler: Handler
    permission: Permission
    produces: tuple[MediaType, ...]
    """Media types to choose from by the `Accept` header; empty where the header does not matter."""
    consumes: tuple[str, ...] | None
    """Accepted content types of a body; None where the route does not check it. NO_CONTENT_TYPE is one of them if the
    body is optional."""
    is_read_only: bool
    needs_database: bool
    is_slow: bool
    """Whether to run the handler in a thread, because it may block the event loop for too long."""
    is_strict: bool
    """Whether `Accept: application/json` without HAL is refused with 406, as the original does for some endpoints."""
    is_cacheable: bool
    """Whether the response cache may store the response. The handler may then depend on the database, on
    `Request.cache_key` and on settings, and on nothing else: not on the clock, for example, unless it limits the
    validity of the response (`limit_validity`)."""
    is_sensitive: bool = False
    """Whether the user of a session must have entered the password lately: the route shows a form for users,
    credentials or secrets, or changes them."""
    max_quick_items: int | None = None
    """Number of JSON elements up to which a body is processed on the event loop; None where the size in bytes is a good
    enough measure of the work."""
    has_long_query: Callable[["Request"], bool] | None = None
    """Whether a query causes so much work that it must run in a thread; None where no query does."""
    is_original: bool = True
    """Whether the original has this page, too. Other pages are served only to clients that accept HTML."""
    is_for_any_media_type: bool = False
    """Whether the page is served whatever the `Accept` header says, like a static file."""
    database_failure_result: Callable[["Request", Exception], object] | None = None
    """Builds the content of a 500 response when the database fails; None for the general error response."""
    response: type | None = None
    """Type of the JSON that a successful response has; None for other media types. Only the documentation uses it."""
    extended_response: type | None = None
    """The same for the extended media type, where that differs."""
    body: type | None = None
    """Type of the JSON that a request has, for the documentation; None where requests have no body."""
    query: tuple[QueryParameter, ...] = ()
    errors: tuple[str, ...] = ()
    """Error responses beside those that follow from the rest, by their names in the OpenAPI document."""
    links: tuple[ResponseLink, ...] = ()
    scopes: frozenset[Scope] = frozenset()
    """Scopes any of which opens the route to a token that has scopes; empty if only other tokens may use it."""
    application: str | FindApplications | None = None
    """The application that acts in a write: the placeholder of the URL that names it, or a function that finds it."""
    prepare: Callable[["Request"], object] | None = None
    """Work on the body that would block other writers for too long within the transaction. It runs in a thread before
    that; the handler finds its result in `Request.prepared`."""

    may_write: bool = False
    """Whether a route that `is_read_only` writes for some requests: its handler then raises `WriteRequired`."""

    def find_applications(self, request: Request, names: Sequence[str]) -> Iterable[str]:
        """Return the applications for which a request writes."""
        if isinstance(self.application, str):
            return (names[self.url.names.index(self.application)],)
        return self.application(request, names) if self.application else ()

    def has_long_body(self, raw_body: bytes) -> bool:
        """Whether a body causes so much work that the handler must run in a thread."""
        if self.max_quick_items is None:
            return False
        # Elements are separated by commas, and counting commas needs no parsing. Commas in strings only cause a thread.
        return raw_body.count(b",") > self.max_quick_items

    def can_consume(self, content_type: str) -> bool:
        """Whether the route accepts a content type. `*json*` stands for every type whose name contains "json"."""
        if self.consumes is None:
            return True
        kind = content_type.partition(";")[0].strip().lower()
        return kind in self.consumes or ("*json*" in self.consumes and "json" in kind)


@dataclass(slots=True)
class Endpoint:
    """The routes of a URL by method, in the order of the `Allow` header."""

    url: Url
    routes: dict[str, Route]
    options_last: bool = True
    page: Route | None = None
    """The page for browsers. `OPTIONS` and `Allow` do not mention it."""
    form: Route | None = None
    """The handler of a submitted form. Forms have URLs of their own, apart from the API."""

    @property
    def allow(self) -> str:
        methods = list(self.routes)
        methods.insert(len(methods) if self.options_last else 1, "OPTIONS")
        return ", ".join(methods) if self.has_options else ", ".join(self.routes)

    @property
    def has_options(self) -> bool:
        return not self.url.template.startswith("/diagnostic/")


@dataclass(slots=True)
class _UrlNode:
    segments: dict[str, "_UrlNode"] = field(default_factory=dict)
    placeholder: "_UrlNode | None" = None
    template: str | None = None


class Match(NamedTuple):
    """The result of matching a path."""

    template: str | None
    """The template of the URL; None if the path matches none."""
    names: tuple[str, ...]
    """Decoded values of the placeholders in the URL, in order."""
    accept: str | None
    """The media type of the path's extension (`.csv`, `.svg`), which overrides `Accept`."""


MAX_CACHED_PATH_LENGTH: Final = 500
"""Characters of a path."""


class Router:
    """The routes of a module. Declaring a route without a permission raises an error, so it cannot be loaded."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Endpoint] = {}

    def get(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of GET and HEAD."""
        return self.route("GET", url, is_read_only=True, **options)

    def post(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of POST. Its transaction writes unless the route `is_read_only`."""
        return self.route("POST", url, **{"consumes": (JSON,), **options})

    def put(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of PUT."""
        return self.route("PUT", url, **{"consumes": (JSON,), **options})

    def patch(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of PATCH."""
        return self.route("PATCH", url, **{"consumes": (JSON,), **options})

    def delete(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare the handler of DELETE."""
        return self.route("DELETE", url, **options)

    def page(  # noqa: PLR0913 - what a page may declare; all but the first by name
        self,
        url: Url,
        *,
        permission: Permission,
        needs_database: bool = True,
        is_original: bool = True,
        is_for_any_media_type: bool = False,
        is_sensitive: bool = False,
        aliases: Iterable[Url] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare a page for browsers, whose handler returns an HtmlPage. The same URL may also have API routes."""

        def declare(handler: Handler) -> Handler:
            for each_url in (url, *aliases):
                route = Route(
                    url=each_url,
                    method="GET",
                    handler=handler,
                    permission=Permission(permission),
                    produces=(),
                    consumes=None,
                    is_read_only=True,
                    needs_database=needs_database,
                    is_slow=needs_database,
                    is_strict=False,
                    is_cacheable=False,
                    is_original=is_original,
                    is_for_any_media_type=is_for_any_media_type,
                    scopes=DEFAULT_SCOPES_OF_READS.get(permission, frozenset()),
                    is_sensitive=is_sensitive or permission in SENSITIVE_PERMISSIONS,
                )
                self._add_page(route)
            return handler

        return declare

    def form(
        self, url: Url, *, permission: Permission, needs_database: bool = True, is_sensitive: bool = False
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of a submitted form, which returns an HtmlPage or a Redirect."""

        def declare(handler: Handler) -> Handler:
            route = Route(
                url=url,
                method="POST",
                handler=handler,
                permission=Permission(permission),
                produces=(),
                consumes=(FORM,),
                is_read_only=False,
                needs_database=needs_database,
                is_slow=False,
                is_strict=False,
                is_cacheable=False,
                is_original=False,
                is_sensitive=is_sensitive or permission in SENSITIVE_PERMISSIONS,
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
        produces: Sequence[MediaType] = (HAL,),
        consumes: Sequence[str] | None = None,
        is_read_only: bool = False,
        needs_database: bool = True,
        aliases: Iterable[Url] = (),
        options_last: bool = True,
        is_slow: bool = False,
        is_strict: bool = False,
        is_cacheable: bool = False,
        is_sensitive: bool = False,
        max_quick_items: int | None = None,
        has_long_query: Callable[["Request"], bool] | None = None,
        database_failure_result: Callable[["Request", Exception], object] | None = None,
        response: type | None = None,
        extended_response: type | None = None,
        body: type | None = None,
        query: Sequence[QueryParameter] = (),
        errors: Sequence[str] = (),
        links: Sequence[ResponseLink] = (),
        scopes: Collection[Scope] | None = None,
        application: str | FindApplications | None = None,
        prepare: Callable[["Request"], object] | None = None,
        may_write: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare the handler of a method and a URL, and of the aliases of the URL.

        Raises ValueError for a write with scopes that does not name the acting application.
        """
        opening_scopes = frozenset(scopes or ())
        if is_read_only and scopes is None:
            opening_scopes = DEFAULT_SCOPES_OF_READS.get(permission, frozenset())
        if opening_scopes and not is_read_only and (application is None or not needs_database):
            raise ValueError(f"{method} {url.template} writes and has scopes, but names no application")

        def declare(handler: Handler) -> Handler:
            for each_url in (url, *aliases):
                route = Route(
                    url=each_url,
                    method=method,
                    handler=handler,
                    permission=Permission(permission),
                    produces=tuple(produces),
                    consumes=None if consumes is None else tuple(consumes),
                    is_read_only=is_read_only,
                    needs_database=needs_database,
                    is_slow=is_slow,
                    is_strict=is_strict,
                    is_cacheable=is_cacheable,
                    is_sensitive=is_sensitive or (permission in SENSITIVE_PERMISSIONS and not is_read_only),
                    max_quick_items=max_quick_items,
                    has_long_query=has_long_query,
                    database_failure_result=database_failure_result,
                    response=response,
                    extended_response=extended_response,
                    body=body,
                    query=tuple(query),
                    errors=tuple(errors),
                    links=tuple(links),
                    scopes=opening_scopes,
                    application=application,
                    prepare=prepare,
                    may_write=may_write,
                )
                self._add(route, options_last=options_last)
            return handler

        return declare

    def include(self, endpoint: Endpoint) -> None:
        """Add the routes that another router has for a URL."""
        for route in endpoint.routes.values():
            self._add(route, options_last=endpoint.options_last)
        if endpoint.page:
            self._add_page(endpoint.page)
        if endpoint.form:
            self._add_form(endpoint.form)

    def _add(self, route: Route, *, options_last: bool) -> None:
        endpoint = self._at(route.url)
        endpoint.options_last = endpoint.options_last and options_last
        if route.method in endpoint.routes:
            raise ValueError(f"{route.method} {route.url.template} is declared twice")
        endpoint.routes[route.method] = route

    def _add_page(self, route: Route) -> None:
        endpoint = self._at(route.url)
        if endpoint.page:
            raise ValueError(f"The page {route.url.template} is declared twice")
        endpoint.page = route

    def _add_form(self, route: Route) -> None:
        endpoint = self._at(route.url)
        if endpoint.form or endpoint.routes:
            raise ValueError(f"The form {route.url.template} is declared twice, or at a URL of the API")
        endpoint.form = route

    def _at(self, url: Url) -> Endpoint:
        return self.endpoints.setdefault(url.template, Endpoint(url, {}))


class RouteTable:
    """The URLs of a server. Their routes are loaded when a request first matches them."""

    def __init__(self, templates: Iterable[str], load: Callable[[str], Endpoint]) -> None:
        self.templates: Final = tuple(templates)
        self._load_endpoint = load
        self._endpoints: dict[str, Endpoint] = {}
        self._root = _UrlNode()
        for template in self.templates:
            node = self._root
            for segment in _template_segments(template):
                node = _child(node, segment)
            node.template = template
        self._match_cached = lru_cache(maxsize=2048)(self._match)

    def match(self, raw_path: str) -> Match:
        """Match a path, cached if it is short. Fixed segments win over placeholders. Raises InvalidPath."""
        return self._match_cached(raw_path) if len(raw_path) <= MAX_CACHED_PATH_LENGTH else self._match(raw_path)

    def has_route(self, raw_path: str) -> bool:
        """Whether a path matches a URL, with whatever method."""
        try:
            return self.match(raw_path).template is not None
        except InvalidPath:
            return False

    def find_loaded(self, template: str) -> Endpoint | None:
        """Return the routes of a URL if they have been loaded."""
        return self._endpoints.get(template)

    def load(self, template: str) -> Endpoint:
        """Load the routes of a URL, which may take some tenths of a second."""
        endpoint = self._endpoints[template] = self._load_endpoint(template)
        return endpoint

    def _match(self, raw_path: str) -> Match:
        segments, accept = split_path(raw_path)
        template, names = _find(self._root, segments, 0, []) or (None, [])
        return Match(template, tuple(names), accept)


def _template_segments(template: str) -> list[str]:
    """Split a URL template as `split_path` splits paths, which drops the extension."""
    return [segment for segment in template.removesuffix(".json").split("/") if segment]


def _child(node: _UrlNode, segment: str) -> _UrlNode:
    if not segment.startswith("{"):
        return node.segments.setdefault(segment, _UrlNode())
    if node.placeholder is None:
        node.placeholder = _UrlNode()
    return node.placeholder


def _find(node: _UrlNode, segments: Sequence[str], at: int, names: list[str]) -> tuple[str, list[str]] | None:
    if at == len(segments):
        return None if node.template is None else (node.template, names)
    fixed = node.segments.get(segments[at])
    match = _find(fixed, segments, at + 1, names) if fixed else None
    if match is None and node.placeholder is not None:
        match = _find(node.placeholder, segments, at + 1, [*names, segments[at]])
    return match


class InvalidPath(TreatyError):
    """A path that no route could ever match, with the status, title and detail of the error response."""

    def __init__(self, status: int, title: str, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.title, self.kind = status, title, kind


_EXTENSIONS: Final = {
    ".csv": "text/csv",
    ".svg": "image/svg+xml",
    ".json": "application/hal+json",
    ".yaml": "application/yaml",
}


_EMPTY_SEGMENT: Final = re.compile("//+")


def split_path(raw_path: str) -> tuple[list[str], str | None]:
    """Split a raw path into decoded segments, and return the media type of its extension, if it has one.

    Raises InvalidPath for empty segments, invalid UTF-8 and control characters.
    """
    if _EMPTY_SEGMENT.search(raw_path) or "<" in raw_path:
        raise InvalidPath(404, "Not Found", "not-found", "Empty path component found")
    accept = None
    dot = raw_path.rfind(".")
    if dot > 0 and raw_path[dot:] in _EXTENSIONS:
        accept = _EXTENSIONS[raw_path[dot:]]
        raw_path = raw_path[:dot]
    segments = raw_path.strip("/").split("/") if raw_path != "/" else []
    return ([_decode(segment) if "%" in segment else segment for segment in segments], accept)


def replace_segments(raw_path: str, template: str, replacements: Mapping[str, str]) -> str:
    """Replace the values of placeholders in a raw path that matches a template, with values that are encoded."""
    dot = raw_path.rfind(".")
    extension = raw_path[dot:] if dot > 0 and raw_path[dot:] in _EXTENSIONS else ""
    segments = raw_path.removesuffix(extension).strip("/").split("/")
    replaced = (
        replacements.get(placeholder.strip("{}"), segment) if placeholder.startswith("{") else segment
        for placeholder, segment in zip(_template_segments(template), segments, strict=True)
    )
    return f"/{'/'.join(replaced)}{extension}"


def _decode(segment: str) -> str:
    try:
        text = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError as error:
        raise _unprocessable("URL path must be valid UTF-8.") from error
    for character, description in FORBIDDEN_CHARACTERS.items():
        if character in text:
            raise _unprocessable(f"URL path cannot contain {description} character.")
    return text


def _unprocessable(detail: str) -> InvalidPath:
    return InvalidPath(422, "Unprocessable", "invalid-request-parameter-value", detail)
