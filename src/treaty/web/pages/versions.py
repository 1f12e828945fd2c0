"""The page of a version: where it runs, its pacts and results, what it verified, and whether it can be deployed."""

from collections.abc import Mapping, Sequence
from typing import Final

from treaty.model.audit import AuditEvent, AuditFilter
from treaty.model.audit_sentences import describe_event
from treaty.model.deployments import Environment
from treaty.model.versions import EnvironmentPeriod, RecordedVersion
from treaty.store import audit, deployments
from treaty.store.overview import version_history
from treaty.store.pacticipants import pacticipants
from treaty.store.provider_contracts import contracts
from treaty.store.versions import aliases, details
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages import get_display_names
from treaty.web.pages.decisions.answers import build_table
from treaty.web.security.permissions import Permission

router: Final = Router()

MAX_VERIFIED: Final = 100
"""Results of the version as a provider that the page lists, failed ones first."""
MAX_EVENTS: Final = 20
"""Events of the audit trail that the page lists."""


@router.page(urls.VERSION, permission=Permission.READ, is_original=False)
def show_version(request: Request, name: str, number: str) -> HtmlPage:
    """Show a version."""
    db = request.db
    environments = deployments.list_in_pipeline(db)
    recorded = details.get_with_periods(db, name, number)
    verified = version_history.list_verified(db, name, number, limit=MAX_VERIFIED + 1)
    return HtmlPage(
        "version.html",
        {
            "name": name,
            "version": recorded.details,
            "main_branch": pacticipants.get(db, name).main_branch,
            "aliases": aliases.list_of_version(db, name, number),
            "table": build_table(request, name, [(number, None)], environments),
            "pacts": version_history.list_pacts(db, name, number),
            "verified": verified[:MAX_VERIFIED],
            "has_more_verified": len(verified) > MAX_VERIFIED,
            "has_contract": bool(contracts.list_versions_with_contract(db, name, [number])),
            **_order_periods(recorded, environments),
            "changes": _list_events(request, recorded),
            "changes_page": None,
            "describe_event": describe_event,
        },
    )


def _order_periods(recorded: RecordedVersion, environments: Sequence[Environment]) -> Mapping[str, object]:
    """Sort deployments and releases: current ones in the order of the pipeline, then the newest of those that ended."""
    positions = {environment.uuid: position for position, environment in enumerate(environments)}

    def sort(periods: Sequence[EnvironmentPeriod]) -> list[EnvironmentPeriod]:
        current = [period for period in periods if period.ended_at is None]
        ended = [period for period in reversed(periods) if period.ended_at is not None]
        return [*sorted(current, key=lambda period: positions.get(period.environment_uuid, 0)), *ended]

    return {
        "deployments": sort(recorded.deployments),
        "releases": sort(recorded.releases),
        "display_names": get_display_names(environments),
    }


def _list_events(request: Request, recorded: RecordedVersion) -> Sequence[AuditEvent]:
    """List the first events about the version since it was created; none if the user may not read the audit trail."""
    if not request.has_permission(Permission.READ_AUDIT):
        return []
    version = recorded.details
    event_filter = AuditFilter(resource=version.pacticipant, version=version.number, since=version.created_at)
    return audit.list_events(request.db, event_filter, start=None, is_newest_first=False, limit=MAX_EVENTS)
