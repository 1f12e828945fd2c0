"""Whether the server is well. These routes are left out when the settings say so."""

from dataclasses import dataclass
from typing import Literal

from typing_extensions import TypedDict

from treaty.store.engine import health
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
    """That the server answers."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """That what the server needs answers too."""


@dataclass(frozen=True, slots=True)
class DatabaseUnavailable:
    """That the database does not answer, and why."""

    reason: str


class HeartbeatDocument(SelfLinked):
    ok: Literal[True]


class DatabaseHealth(TypedDict):
    ok: Literal[True]


class DependenciesDocument(SelfLinked):
    database: DatabaseHealth


@router.get(urls.HEARTBEAT, permission=Permission.READ_HEARTBEAT, needs_database=False, response=HeartbeatDocument)
def show_heartbeat(_call: Request) -> Heartbeat:
    """Say that the server answers, whatever its database does."""
    return Heartbeat()


def _without_database(call: Request, error: Exception) -> DatabaseUnavailable:
    return DatabaseUnavailable(health.describe_error(error, database_url=call.settings.database_url))


@router.get(
    urls.DEPENDENCIES,
    permission=Permission.READ_HEARTBEAT,
    database_failure_result=_without_database,
    response=DependenciesDocument,
)
def show_dependencies(call: Request) -> Dependencies:
    """Say that the server and its database answer."""
    health.check(call.db)
    return Dependencies()


@represent.register
def heartbeat(_one: Heartbeat) -> Hal:
    return Hal({"ok": True}, links={"self": Link(urls.HEARTBEAT.fill())})


@represent.register
def dependencies(_one: Dependencies) -> Hal:
    return Hal({"database": {"ok": True}}, links={"self": Link(urls.DEPENDENCIES.fill())})


@represent.register
def database_unavailable(one: DatabaseUnavailable) -> Hal:
    state = {"database": {"ok": False, "error": {"message": one.reason}}}
    return Hal(state, links={"self": Link(urls.DEPENDENCIES.fill())})
