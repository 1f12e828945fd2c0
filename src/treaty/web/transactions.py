"""Runs the handler of a request in its transaction.

The order in which a request is refused is the original broker's: method, body and query, `Accept`, existence,
conflicts, content type. Handlers therefore run also for a request whose content type will be refused; what they wrote
is rolled back.
"""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection

from treaty.errors import Conflict, ConflictingContracts, Invalid, NotFound, Problem, SimilarNames, TreatyError
from treaty.store import audit
from treaty.store.engine import health
from treaty.store.engine.database import Database
from treaty.web.http import queries
from treaty.web.http.media_types import ANY, MediaType, choose_media_type
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, ErrorResult, HtmlPage
from treaty.web.http.router import Route


class Unsupported(TreatyError):
    """A body whose content type the route does not take."""


class NotAcceptable(TreatyError):
    """No representation that the client takes."""


class UnsupportedMediaType(Exception):
    """A request that was fine but for its content type; what it wrote is undone."""

    def __init__(self, result: object) -> None:
        super().__init__()
        self.result = result


ReadHandler = Callable[[Route, "Request", Sequence[str]], object]


def run_handler(
    route: Route,
    call: Request,
    names: Sequence[str],
    *,
    database: "Database",
    read: ReadHandler,
    authenticate: "Callable[[Connection], None] | None" = None,
) -> object:
    """Run a route's handler in its transaction, and refuse in the right order what cannot be answered.

    What only reads is run by `read`. Whoever is not admitted yet is so in the same transaction, before anything else.
    Raises what `admit` and the handler raise, Unacceptable, and Refused for a wrong content type.
    """
    produces = route.produces or (ANY,)
    media = choose_media_type(call.accept, produces, is_strict=route.is_strict) if route.produces else ANY
    call.media_type = media or produces[0]
    takes = route.can_consume(call.content_type) if route.consumes is not None else True

    def work(db: "Connection | None") -> object:
        if authenticate and db is not None:
            authenticate(db)
        call._db = db  # noqa: SLF001 - only here is a call given its transaction
        if db is None:
            result = route.handler(call, *names)
        else:
            result = read(route, call, names) if route.is_read_only else _written(route, call, names)
        _check_not_blank(route, names)
        if media is None:
            raise NotAcceptable
        if not takes:
            raise UnsupportedMediaType(result)
        return result

    try:
        if not route.needs_database:
            return work(None)
        return _asked(route, call, work, database)
    except (Conflict, ConflictingContracts, SimilarNames) as error:
        if media is not None and route.method == "POST" and not takes:
            raise UnsupportedMediaType(None) from error
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


def _written(route: Route, call: Request, names: Sequence[str]) -> object:
    """Run a handler that writes. What it did not note about that is noted here: that it was called, and by whom."""
    with audit.acting_as(call.actor, at=call.now) as scope:
        result = route.handler(call, *names)
        if not scope.event_count and not isinstance(result, AfterCommit | HtmlPage) and call.caller.role is not None:
            audit.record(call.db, route.handler.__name__, params=dict(zip(route.url.names, names, strict=True)))
        return result


def _asked(route: Route, call: Request, work: Callable[["Connection"], object], database: "Database") -> object:
    try:
        return database.read(work) if route.is_read_only else database.write(work)
    except health.DATABASE_ERRORS as error:
        if route.database_failure_result is None:
            raise
        return ErrorResult(route.database_failure_result(call, error))


def _unless_unacceptable(media_type: MediaType | None, error: TreatyError) -> TreatyError:
    """Refuse for the `Accept` header before anything that the handler found."""
    return error if media_type is not None else NotAcceptable()
