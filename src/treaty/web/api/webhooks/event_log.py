"""The event log: the handler and its representation. Waiting for events is in `web.event_feed`."""

from collections.abc import Iterator
from typing import Annotated, Final
from urllib.parse import urlencode

from pydantic import Field
from typing_extensions import TypedDict

from treaty.errors import Invalid
from treaty.model.decisions import metadata
from treaty.model.decisions.metadata import Metadata
from treaty.model.webhooks.event_log import LATEST, START, EventFilter, LoggedEvent, cursor_at, parse_cursor
from treaty.model.webhooks.events import EVENT_NAMES
from treaty.spelling import suggest, suggest_names
from treaty.store.pacticipants import former_names, pacticipants
from treaty.web import urls
from treaty.web.event_feed import MAX_PAGE_SIZE, MAX_WAIT_SECONDS, EventLogPage, EventQuery
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import JsonObject, Omittable, TimeText
from treaty.web.http.queries import QueryParameter
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.http.strict_queries import parse_number
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_PAGE_SIZE: Final = 100
_START_NAMES: Final = {"start": START, "latest": LATEST, "now": LATEST}


class EventLinks(TypedDict):
    next: Link
    pact: Omittable[Link]
    consumerVersion: Omittable[Link]
    providerVersion: Omittable[Link]
    verificationResult: Omittable[Link]


class LoggedEventDocument(TypedDict):
    name: str
    createdAt: TimeText
    cursor: str
    consumer: Omittable[str]
    consumerVersion: Omittable[str]
    provider: Omittable[str]
    providerVersion: Omittable[str]
    verificationNumber: Omittable[int]
    details: JsonObject
    _links: EventLinks


class ListedEvents(TypedDict):
    events: list[LoggedEventDocument]


class EventLogLinks(TypedDict):
    self: Link
    next: Link


class EventLogDocument(TypedDict):
    cursor: str
    warnings: Omittable[list[str]]
    _embedded: ListedEvents
    _links: EventLogLinks


_PARAMETERS: Final = (
    QueryParameter(
        "after",
        "The cursor of the last event that the client has; `start` for the oldest event that is retained, which is the "
        "default, or `latest` for the end of the log.",
        Annotated[str, Field(examples=[LATEST])],
    ),
    QueryParameter(
        "wait",
        "Seconds to wait for the first event if there is none. The response may come earlier without an event.",
        Annotated[int, Field(ge=0, le=MAX_WAIT_SECONDS)],
    ),
    QueryParameter(
        "name",
        "The name of an event. For several, repeat it as `name[]`.",
        Annotated[str, Field(examples=[EVENT_NAMES[-1]])],
    ),
    QueryParameter("consumer", "The consumer of the events."),
    QueryParameter("provider", "The provider of the events."),
    QueryParameter(
        "limit",
        f"Maximum number of events; {DEFAULT_PAGE_SIZE} by default.",
        Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)],
    ),
)


@router.get(
    urls.EVENTS, permission=Permission.READ, query=_PARAMETERS, response=EventLogDocument, errors=("410", "503")
)
def list_events(request: Request) -> EventQuery:
    """List the events after a cursor, the oldest first, or wait for the next one.

    Each event is returned once to a client that continues with the cursor of each response (`_links.next`), also if the
    server or the client is killed in between. A cursor after which events have been removed is answered with 410.
    """
    after = request.name_parameter("after") or START
    if after not in _START_NAMES:
        parse_cursor(after)
    names = _read_names(request)
    consumer, provider = (_read_pacticipant(request, role) for role in ("consumer", "provider"))
    limit = parse_number(request, "limit", default=DEFAULT_PAGE_SIZE, minimum=1, maximum=MAX_PAGE_SIZE)
    wait = parse_number(request, "wait", default=0, minimum=0, maximum=MAX_WAIT_SECONDS)
    return EventQuery(
        after=_START_NAMES.get(after, after),
        event_filter=EventFilter(names=names, consumer=consumer, provider=provider),
        limit=limit,
        wait=0 if request.method == "HEAD" else wait,
        parameters=tuple(_list_parameters(request)),
    )


def _read_names(request: Request) -> tuple[str, ...]:
    value = request.query.get("name", [])
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Invalid.member("name", "must be the name of an event, or a list of names: name[]=…&name[]=…")
    for name in names:
        if name not in EVENT_NAMES:
            hint = suggest(name, EVENT_NAMES) or f"Known are: {', '.join(EVENT_NAMES)}."
            raise Invalid.member("name", f"'{name}' is not the name of an event. {hint}")
    return tuple(dict.fromkeys(names))


def _read_pacticipant(request: Request, role: str) -> str | None:
    """Read the name of a pacticipant, which may be a former one. A name that nothing has yet causes a warning only."""
    name = request.name_parameter(role)
    if name is None or pacticipants.find(request.db, name) is not None:
        return name
    current_name = former_names.find_current_names(request.db, [name]).get(name)
    if current_name is not None:
        request.warnings.append(f"The application '{name}' has been renamed to '{current_name}'. Use the new name.")
        return current_name
    suggestion = suggest_names(name, pacticipants.list_names(request.db))
    request.warnings.append(
        f"There is no application '{name}' yet, so there are no events of it. {suggestion}".rstrip()
    )
    return name


def _list_parameters(request: Request) -> Iterator[tuple[str, str]]:
    for name in ("name", "consumer", "provider", "limit", "wait"):
        value = request.query.get(name)
        if isinstance(value, str):
            yield name, value
        elif value:
            yield from ((f"{name}[]", item) for item in value)


@represent.register
def event_log_page(page: EventLogPage) -> Hal:
    cursor = page.cursor.encode()
    next_url = f"{urls.EVENTS.fill()}?{urlencode([*page.parameters, ('after', cursor)])}"
    return Hal(
        {"cursor": cursor},
        embedded={"events": [event_state(event, page.cursor.log) for event in page.events]},
        links={
            "self": Link(urls.URL_WITH_QUERY_PLACEHOLDER, "Events", templated=False),
            "next": Link(next_url, "The events that follow", templated=False),
        },
    )


def event_state(event: LoggedEvent, log: str) -> Hal:
    """Represent an event. `log` is the UUID of the log, which is part of cursors."""
    cursor = cursor_at(log, event).encode()
    return Hal(
        {
            "name": event.name,
            "createdAt": event.created_at.isoformat(timespec="milliseconds"),
            "cursor": cursor,
            "consumer": event.consumer,
            "consumerVersion": event.consumer_version,
            "provider": event.provider,
            "providerVersion": event.provider_version,
            "verificationNumber": event.verification,
            "details": dict(event.details),
        },
        links={
            "next": Link(f"{urls.EVENTS.fill()}?{urlencode({'after': cursor})}", "Later events", templated=False),
            "pact": _pact_link(event),
            "consumerVersion": _version_link(event.consumer, event.consumer_version),
            "providerVersion": _version_link(event.provider, event.provider_version),
            "verificationResult": _result_link(event),
        },
    )


def _pact_link(event: LoggedEvent) -> Link | None:
    """Link the pact as webhooks do, so that a result that is published there belongs to this consumer version."""
    if event.consumer is None or event.provider is None or event.sha is None:
        return None
    tags = tuple(event.details.get("consumerVersionTags", ()))
    segment = metadata.encode(Metadata(version_number=event.consumer_version, tags=tags, is_wip=True))
    path = urls.PACT_VERSION_WITH_METADATA.fill(
        provider=event.provider, consumer=event.consumer, sha=event.sha, metadata=segment
    )
    return Link(path, "Pact", templated=False)


def _version_link(pacticipant: str | None, version: str | None) -> Link | None:
    if pacticipant is None or version is None:
        return None
    return Link(urls.VERSION.fill(pacticipant=pacticipant, version=version), "Version", name=version, templated=False)


def _result_link(event: LoggedEvent) -> Link | None:
    if event.consumer is None or event.provider is None or event.sha is None or event.verification is None:
        return None
    path = urls.VERIFICATION.fill(
        provider=event.provider, consumer=event.consumer, sha=event.sha, number=str(event.verification)
    )
    return Link(path, "Verification result", templated=False)
