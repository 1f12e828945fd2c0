"""Whether the server is well. These routes are left out when the settings say so."""

from treaty.store.engine import health
from treaty.web import urls
from treaty.web.api.maintenance.diagnostics_representation import Dependencies, Heartbeat, Unanswered
from treaty.web.routing import Call, Permission, Router

router = Router()


@router.get(urls.HEARTBEAT, permission=Permission.READ_HEARTBEAT, needs_database=False)
def show_heartbeat(_call: Call) -> Heartbeat:
    """Say that the server answers, whatever its database does."""
    return Heartbeat()


def _without_database(call: Call, error: Exception) -> Unanswered:
    return Unanswered(health.told(error, database_url=call.settings.database_url))


@router.get(urls.DEPENDENCIES, permission=Permission.READ_HEARTBEAT, without_answer=_without_database)
def show_dependencies(call: Call) -> Dependencies:
    """Say that the server and its database answer."""
    health.ask(call.db)
    return Dependencies()
