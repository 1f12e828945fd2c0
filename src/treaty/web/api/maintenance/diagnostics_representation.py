"""How a server says that it is well."""

from dataclasses import dataclass

from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """That the server answers."""


@dataclass(frozen=True, slots=True)
class Dependencies:
    """That what the server needs answers too."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """That the database does not answer, and why."""

    reason: str


@represent.register
def heartbeat(_one: Heartbeat) -> Hal:
    return Hal({"ok": True}, links={"self": Link(urls.HEARTBEAT.fill())})


@represent.register
def dependencies(_one: Dependencies) -> Hal:
    return Hal({"database": {"ok": True}}, links={"self": Link(urls.DEPENDENCIES.fill())})


@represent.register
def unanswered(one: Unanswered) -> Hal:
    state = {"database": {"ok": False, "error": {"message": one.reason}}}
    return Hal(state, links={"self": Link(urls.DEPENDENCIES.fill())})
