"""Routes, and finding the route of a request.

A request is matched on the raw path, since names contain slashes: a segment is decoded after the path was split.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import unquote_to_bytes

from treaty.errors import TreatyError
from treaty.web.http.media_types import FORM, HAL, JSON, MediaType
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.security.permissions import Permission
from treaty.web.urls import Url

Handler = Callable[..., object]


class ResponseLink(NamedTuple):
    """An operation that can follow a response, with its parameters as OpenAPI's runtime expressions."""

    operation: str
    parameters: Mapping[str, str]


def link_to(parameters: Mapping[str, str], *operations: str) -> tuple[ResponseLink, ...]:
    return tuple(ResponseLink(operation, parameters) for operation in operations)


MAX_QUICK_ITEMS: Final = 64
"""Enough for half a dozen contracts or selectors, which take some milliseconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """What answers a method at an URL."""

    url: Url
    method: str
    handler: Handler
    permission: Permission
    produces: tuple[MediaType, ...]
    """Media types to choose from; none where the `Accept` header does not matter."""
    consumes: tuple[str, ...] | None
    """Content types that a body may have; None when none is asked for."""
    is_read_only: bool
    needs_database: bool
    is_slow: bool
    """Whether answering may take so long that others should not wait for it, however short the statements are."""
    is_strict: bool
    """Whether a client that takes `application/json` alone is refused, as it is by the original."""
    is_cacheable: bool
    """Whether an answer may be kept and given again while the database says the same for it. It may depend on what is
    in the question, on settings and on the day, and on nothing else."""
    max_quick_items: int | None = None
    """Elements and members that a JSON body may have to be processed on the event loop; None where its size in bytes
    says how much work it is."""
    has_long_query: Callable[["Request"], bool] | None = None
    """Whether a query asks for so much that others should not wait for it; None where no query does."""
    is_original: bool = True
    """Whether the original has it, too. A page that it has not takes no more than what browsers read."""
    is_for_any_media_type: bool = False
    """Whether a page is shown whatever the `Accept` header says, as a file is."""
    database_failure_result: Callable[["Request", Exception], object] | None = None
    """Makes what is told, as a failure, when the database does not answer; None where the log alone is told."""
    response: object | None = None
    """Type of the JSON that a successful response has; None for other media types. Only the documentation uses it."""
    extended_response: object | None = None
    """The same for the extended media type, where that differs."""
    body: object | None = None
    """Type of the JSON that a request has, for the documentation; None where requests have no body."""
    query: tuple[QueryParameter, ...] = ()
    errors: tuple[str, ...] = ()
    """Error responses beside those that follow from the rest, by their names in the OpenAPI document."""
    links: tuple[ResponseLink, ...] = ()

    def has_long_body(self, raw_body: bytes) -> bool:
        """Whether a body asks for so much that others should not wait for it."""
        if self.max_quick_items is None:
            return False
        # There is a comma between each two of them, wherever they are, and counting commas needs no parsing.
        return raw_body.count(b",") > self.max_quick_items

    def can_consume(self, content_type: str) -> bool:
        """Whether a body of this content type is understood. `*json*` stands for all that name JSON."""
        if self.consumes is None:
            return True
        kind = content_type.partition(";")[0].strip().lower()
        return kind in self.consumes or ("*json*" in self.consumes and "json" in kind)


@dataclass(slots=True)
class _RouteNode:
    words: dict[str, "_RouteNode"] = field(default_factory=dict)
    any_name: "_RouteNode | None" = None
    endpoint: "Endpoint | None" = None


@dataclass(slots=True)
class Endpoint:
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
        return ", ".join(methods) if self.has_options else ", ".join(self.routes)

    @property
    def has_options(self) -> bool:
        return not self.url.template.startswith("/diagnostic/")


class Match(NamedTuple):
    """Where a path leads: to something, or nowhere."""

    endpoint: Endpoint | None
    names: tuple[str, ...]
    """Those in the path, in their order."""
    accept: str | None
    """The media type that its ending asks for."""


MAX_CACHED_PATH_LENGTH: Final = 500
"""Characters of a path."""


class Router:
    """The table of routes. A server with a route that declares no permission never starts."""

    def __init__(self) -> None:
        self._root = _RouteNode()
        self.endpoints: dict[str, Endpoint] = {}
        self._remembered = lru_cache(maxsize=2048)(self._found)

    def get(self, url: Url, **options: Any) -> Callable[[Handler], Handler]:
        """Declare what answers GET; HEAD comes with it."""
        return self.route("GET", url, is_read_only=True, **options)

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
        is_for_any_media_type: bool = False,
        aliases: Iterable[Url] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare what is shown to browsers that GET; it returns a Page. An URL may have a page and routes."""

        def declare(handler: Handler) -> Handler:
            for one in (url, *aliases):
                route = Route(
                    url=one,
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
                is_read_only=False,
                needs_database=needs_database,
                is_slow=False,
                is_strict=False,
                is_cacheable=False,
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
        produces: Sequence[MediaType] = (HAL,),
        consumes: Sequence[str] | None = None,
        is_read_only: bool = False,
        needs_database: bool = True,
        aliases: Iterable[Url] = (),
        options_last: bool = True,
        is_slow: bool = False,
        is_strict: bool = False,
        is_cacheable: bool = False,
        max_quick_items: int | None = None,
        has_long_query: Callable[["Request"], bool] | None = None,
        database_failure_result: Callable[["Request", Exception], object] | None = None,
        response: object | None = None,
        extended_response: object | None = None,
        body: object | None = None,
        query: Sequence[QueryParameter] = (),
        errors: Sequence[str] = (),
        links: Sequence[ResponseLink] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare what answers a method at an URL (and at other spellings of it)."""

        def declare(handler: Handler) -> Handler:
            for one in (url, *aliases):
                route = Route(
                    url=one,
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
                    max_quick_items=max_quick_items,
                    has_long_query=has_long_query,
                    database_failure_result=database_failure_result,
                    response=response,
                    extended_response=extended_response,
                    body=body,
                    query=tuple(query),
                    errors=tuple(errors),
                    links=tuple(links),
                )
                self._add(route, options_last=options_last)
            return handler

        return declare

    def include(self, other: "Router") -> None:
        """Take over all routes of another table."""
        for resource in other.endpoints.values():
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

    def _at(self, url: Url) -> Endpoint:
        resource = self.endpoints.setdefault(url.template, Endpoint(url, {}))
        node = self._root
        for word in _words(url.template):
            node = _step(node, word)
        node.endpoint = resource
        return resource

    def match(self, raw_path: str) -> "Match":
        """Find where a path leads; that is remembered of short ones. Fixed words win over names. Raises PathRefused."""
        return self._remembered(raw_path) if len(raw_path) <= MAX_CACHED_PATH_LENGTH else self._found(raw_path)

    def _found(self, raw_path: str) -> "Match":
        segments, accept = split_path(raw_path)
        resource, names = _find(self._root, segments, 0, []) or (None, [])
        return Match(resource, tuple(names), accept)


def _words(template: str) -> list[str]:
    """Split a template as paths are split, which lose an ending that names a media type."""
    return [word for word in template.removesuffix(".json").split("/") if word]


def _step(node: _RouteNode, word: str) -> _RouteNode:
    if not word.startswith("{"):
        return node.words.setdefault(word, _RouteNode())
    if node.any_name is None:
        node.any_name = _RouteNode()
    return node.any_name


def _find(node: _RouteNode, segments: Sequence[str], at: int, names: list[str]) -> tuple[Endpoint, list[str]] | None:
    if at == len(segments):
        return (node.endpoint, names) if node.endpoint else None
    word = node.words.get(segments[at])
    found = _find(word, segments, at + 1, names) if word else None
    if found is None and node.any_name is not None:
        found = _find(node.any_name, segments, at + 1, [*names, segments[at]])
    return found


class InvalidPath(TreatyError):
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


def split_path(raw_path: str) -> tuple[list[str], str | None]:
    """Split a raw path into decoded segments, and say which media type its ending asks for.

    Raises PathRefused for empty segments, for what is no UTF-8 and for control characters.
    """
    if _EMPTY.search(raw_path) or "<" in raw_path:
        raise InvalidPath(404, "Not Found", "not-found", "Empty path component found")
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


def _unprocessable(detail: str) -> InvalidPath:
    return InvalidPath(422, "Unprocessable", "invalid-request-parameter-value", detail)
