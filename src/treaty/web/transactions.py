"""Runs the handler of a request in a transaction.

Where a request has several faults, the original broker reports them in this order: method, body and query, `Accept`,
existence, conflicts, content type. Some of these are only known once the handler has run. So the handler also runs for
a request whose `Accept` or content type will be refused; the refusal is raised within the transaction, which rolls back
what the handler wrote. Handlers must therefore have no side effects outside of the database.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from treaty.errors import Conflict, ConflictingContracts, Invalid, NotFound, Problem, SimilarNames, TreatyError
from treaty.store import audit
from treaty.store.engine import health
from treaty.store.engine.database import Database
from treaty.web.http import queries
from treaty.web.http.media_types import ANY, NO_CONTENT_TYPE, MediaType, choose_media_type, prefer_json
from treaty.web.http.request import Request, WriteRequired
from treaty.web.http.results import AfterCommit, ErrorResult, HtmlPage
from treaty.web.http.router import Route
from treaty.web.security.authorization import authorize_applications


class NotAcceptable(TreatyError):
    """The route has no representation that the client accepts (406)."""


class UnsupportedMediaType(Exception):
    """The only fault of the request is its content type (415). Raised within the transaction, to roll it back."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


ReadHandler = Callable[[Route, "Request", Sequence[str]], object]


def run_handler(
    route: Route,
    request: Request,
    names: Sequence[str],
    *,
    database: "Database",
    read: ReadHandler,
    authenticate: "Callable[[Connection], None] | None" = None,
) -> object:
    """Run a route's handler in its transaction, and report faults of the request in the right order.

    Handlers that only read are run by `read`, which may return a cached response. With `authenticate`, the caller is
    authenticated first, in the same transaction, which saves a round trip. Raises what `authenticate` and the handler
    raise, NotAcceptable, and UnsupportedMediaType.
    """
    produces = prefer_json(route.produces or (ANY,), request.accept, request.content_type)
    media_type = choose_media_type(request.accept, produces, is_strict=route.is_strict) if route.produces else ANY
    request.media_type = media_type or produces[0]
    request.body_type = route.body
    can_consume = route.can_consume(request.headers.get("content-type", NO_CONTENT_TYPE))

    def work(db: "Connection | None") -> object:
        if authenticate and db is not None:
            authenticate(db)
        request._db = db  # noqa: SLF001 - the only place that sets it for the request's own transaction
        request.warnings = []  # of an earlier attempt
        result = route.handler(request, *names) if db is None else _run_with_database(route, request, names, read)
        _check_not_blank(route, names)
        if media_type is None:
            raise NotAcceptable
        if not can_consume:
            raise UnsupportedMediaType(result)
        return result

    try:
        if not route.needs_database:
            return work(None)
        return _run_in_transaction(route, request, work, database)
    except (Conflict, ConflictingContracts, SimilarNames) as error:
        if media_type is not None and route.method == "POST" and not can_consume:
            raise UnsupportedMediaType(None) from error
        raise _unless_unacceptable(media_type, error) from error
    except NotFound as error:
        raise _unless_unacceptable(media_type, error) from error


def _run_with_database(route: Route, request: Request, names: Sequence[str], read: ReadHandler) -> object:
    """Run a handler. Where something is missing, names in the path may be aliases or prefixes, or former names."""
    try:
        is_read = route.is_read_only and not request.is_writing
        return read(route, request, names) if is_read else _run_write(route, request, names)
    except NotFound:
        # Takes 1 MiB with the queries, which idle servers do not need.
        from treaty.web import former_names, missing_names, version_aliases, version_prefixes  # noqa: PLC0415

        replaced = version_aliases.replace_aliases(request, route, names) if route.is_read_only else names
        if replaced is not names:
            # Not cached: the queries of the answer do not include the one that found no version of this number.
            return route.handler(request, *replaced)
        if request.is_for_page:
            replaced = version_prefixes.replace_prefixes(request, route, names)
            if replaced is not names:
                return route.handler(request, *replaced)
        redirect = former_names.find_redirect(request, route, names)
        if redirect is None:
            if request.is_for_page:
                missing_names.note_missing_name(request, route, names)
            raise
        return redirect


_SAVING_METHODS: Final = {"POST", "PUT", "PATCH"}


def _check_not_blank(route: Route, names: Sequence[str]) -> None:
    """Raise Invalid for blank names in the path of a write.

    Runs after the handler, which may raise a more specific error first. Reading and deleting existing resources with
    blank names remains possible.
    """
    if route.method in _SAVING_METHODS and not all(map(str.strip, names)):
        keys = [key for key, name in zip(route.url.names, names, strict=True) if not name.strip()]
        raise Invalid(*(Problem((key,), queries.BLANK) for key in keys))


def _run_write(route: Route, request: Request, names: Sequence[str]) -> object:
    """Run a handler that writes. If it records no audit event itself, record one under the handler's name."""
    from treaty.web import version_aliases  # noqa: PLC0415 - see `_run_with_database`

    authorize_applications(request, route, names)
    names = version_aliases.replace_before_write(request, route, names)
    with audit.acting_as(request.actor, at=request.now) as scope:
        result = route.handler(request, *names)
        if not scope.event_count and not isinstance(result, AfterCommit | HtmlPage) and request.caller.role is not None:
            audit.record(request.db, route.handler.__name__, params=dict(zip(route.url.names, names, strict=True)))
        return result


def _run_in_transaction(
    route: Route, request: Request, work: Callable[["Connection"], object], database: "Database"
) -> object:
    try:
        return _run_read(route, request, work, database) if route.is_read_only else database.write(work)
    except health.DATABASE_ERRORS as error:
        if route.database_failure_result is None:
            raise
        return ErrorResult(route.database_failure_result(request, error))


def _run_read(route: Route, request: Request, work: Callable[["Connection"], object], database: "Database") -> object:
    """Run a handler that reads or, if it has to write, again in a transaction that does."""
    if not request.is_writing:
        try:
            return database.read(work)
        except WriteRequired:
            if not route.may_write:
                raise
            request.is_writing = True
    return database.write_in_snapshot(work)


def _unless_unacceptable(media_type: MediaType | None, error: TreatyError) -> TreatyError:
    """Replace an error of the handler with NotAcceptable if the `Accept` header was wrong, which is reported first."""
    return error if media_type is not None else NotAcceptable()
