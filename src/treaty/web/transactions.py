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
from treaty.web.http.media_types import ANY, Media, accepted
from treaty.web.http.request import Call
from treaty.web.http.results import Afterwards, Failed, Page
from treaty.web.http.router import Route


class Unsupported(TreatyError):
    """A body whose content type the route does not take."""


class Unacceptable(TreatyError):
    """No representation that the client takes."""


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
