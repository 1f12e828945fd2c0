"""How the audit trail looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from treaty.model.audit import Event
from treaty.web import urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link


@dataclass(frozen=True, slots=True)
class Events:
    """A page of events, and the first one of the next."""

    events: Sequence[Event]
    next: Event | None
    query: Mapping[str, Any]


@represent.register
def events(page: Events) -> Hal:
    return Hal(
        state={"events": [state(one) for one in page.events]},
        links={
            "self": Link(urls.HERE_AND_QUERY, "This part of the audit trail", templated=False),
            "next": Link(_next(page, page.next), "The next part", templated=False) if page.next else None,
            "export": Link(urls.AUDIT_EXPORT.fill(), "All of it as JSON lines", templated=False),
        },
    )


_PLACES = {"from", "page", "pageNumber"}


def _next(page: Events, first: Event) -> str:
    kept = {name: value for name, value in page.query.items() if name not in _PLACES and isinstance(value, str)}
    return f"{urls.AUDIT.fill()}?{urlencode({**kept, 'from': first.uuid})}"


def state(one: Event) -> dict[str, object]:
    """Say all about an event. What begins with `user_` or `db_` has these names with others, too."""
    actor = one.actor
    return {
        "uuid": one.uuid,
        "timestamp": one.at.isoformat(timespec="milliseconds"),
        "type": one.type,
        "user_email": actor.user,
        "db_user_id": actor.account,
        "credential": {
            "type": actor.credential.value,
            "name": actor.credential_name,
            "uuid": actor.credential_id,
        },
        "address": actor.address,
        "requestId": actor.request_id,
        "outcome": "done" if one.status is None else "refused",
        "status": one.status,
        "count": one.count,
        "resource": one.resource,
        "relatedResource": one.other,
        "before": one.details.get("before"),
        "after": one.details.get("after"),
        "payload": {
            "path": actor.path,
            "queryString": actor.query,
            "method": actor.method,
            "userAgent": actor.user_agent,
            "referer": actor.referer,
            "params": one.details.get("params", {}),
        },
    }
