"""Health checks for load balancers and monitoring. A setting removes these routes."""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

from treaty.errors import NotReady
from treaty.store.engine import health
from treaty.store.migrations import check_is_current
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import SelfLinked
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The server responds."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The server and its database respond."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """The server can handle requests."""


@dataclass(frozen=True, slots=True)
class DatabaseUnavailable:
    """The database does not respond, with the reason."""

    reason: str


class HeartbeatDocument(SelfLinked):
    ok: Literal[True]


class DatabaseHealth(TypedDict):
    ok: Literal[True]


class DependenciesDocument(SelfLinked):
    database: DatabaseHealth


class ReadinessDocument(DependenciesDocument):
    ok: Literal[True]


@router.get(urls.HEARTBEAT, permission=Permission.READ_HEARTBEAT, needs_database=False, response=HeartbeatDocument)
def show_heartbeat(_request: Request) -> Heartbeat:
    """Report that the server responds, without using the database."""
    return Heartbeat()


# The body has the reason, so that a failing health check can be understood from the monitoring alone.
def _database_unavailable(request: Request, error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(health.describe_error(error, database_url=request.settings.database_url))


@router.get(
    urls.DEPENDENCIES,
    permission=Permission.READ_HEARTBEAT,
    database_failure_result=_database_unavailable,
    response=DependenciesDocument,
)
def show_dependencies(request: Request) -> Dependencies:
    """Report that the server and its database respond."""
    health.check(request.db)
    return Dependencies()


@router.get(urls.READINESS, permission=Permission.READ_HEARTBEAT, response=ReadinessDocument)
def show_readiness(request: Request) -> Readiness:
    """Report that the server should get requests: its database responds and has the right tables. Otherwise 503.

    Servers that are about to shut down are not ready, so that load balancers send requests to others.
    """
    if request.is_shutting_down:
        raise NotReady("This server is shutting down. Send requests to another one.")
    check_is_current(request.db)
    return Readiness()


@represent.register
def heartbeat(_heartbeat: Heartbeat) -> Hal:
    return Hal({"ok": True}, links={"self": Link(urls.HEARTBEAT.fill())})


@represent.register
def dependencies(_dependencies: Dependencies) -> Hal:
    return Hal({"database": {"ok": True}}, links={"self": Link(urls.DEPENDENCIES.fill())})


@represent.register
def readiness(_readiness: Readiness) -> Hal:
    return Hal({"ok": True, "database": {"ok": True}}, links={"self": Link(urls.READINESS.fill())})


@represent.register
def database_unavailable(failure: DatabaseUnavailable) -> Hal:
    state = {"database": {"ok": False, "error": {"message": failure.reason}}}
    return Hal(state, links={"self": Link(urls.DEPENDENCIES.fill())})
