"""Responds to clients that follow the event log, at once or when there is a new event.

A waiting client occupies neither a thread nor a connection to the database. While any client waits, one task looks for
new events, of this process and of others, and wakes the clients whose filters they pass.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

from treaty.actions.webhooks.event_log import assign_positions
from treaty.errors import Overloaded
from treaty.model.webhooks.event_log import (
    LATEST,
    START,
    Cursor,
    EventFilter,
    LoggedEvent,
    LogState,
    check_cursor,
    cursor_at,
    parse_cursor,
)
from treaty.store.engine.health import log_failure
from treaty.store.webhooks import event_log
from treaty.web.http.asgi import ClientDisconnected

T = TypeVar("T")

MAX_WAIT_SECONDS: Final = 60
MAX_PAGE_SIZE: Final = 1000
MAX_WAITING: Final = 1000
"""Clients of a process that wait at the same time. Further ones are asked to come back later."""
POLL_SECONDS: Final = 0.5
"""Time between two looks for events of other processes. This process wakes the task after each write."""
MIN_POLL_SECONDS: Final = 0.05
"""Time between two looks at least, so that many writes in a row do not cause as many looks."""
BATCH_SIZE: Final = 500
"""Events that get their positions in one transaction, and new events that are compared with filters one by one."""

log = structlog.get_logger("treaty.web")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventQuery:
    """A request for events."""

    after: str
    """A cursor, START or LATEST."""
    event_filter: EventFilter
    limit: int
    wait: int
    """Seconds to wait for the first event."""
    parameters: Sequence[tuple[str, str]]
    """The parameters of the request except for `after`, for the link to the next page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventLogPage:
    """Events, and the cursor after them."""

    events: Sequence[LoggedEvent]
    cursor: Cursor
    parameters: Sequence[tuple[str, str]]


class RunInThread(Protocol):
    """Runs a transaction in a thread."""

    def __call__(self, transaction: Callable[[Connection], T], /) -> Awaitable[T]: ...


@dataclass(eq=False, slots=True)
class _WaitingClient:
    event_filter: EventFilter
    position: int
    """Up to here, there is no event for the client."""
    has_event: asyncio.Event = field(default_factory=asyncio.Event)


class EventFeed:
    """Reads the event log for clients. `read` and `write` run a transaction of the database in a thread."""

    def __init__(self, read: RunInThread, write: RunInThread) -> None:
        self._read = read
        self._write = write
        self._waiting: set[_WaitingClient] = set()
        self._wake_up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def waiting_clients(self) -> int:
        """Number of clients that wait for an event."""
        return len(self._waiting)

    async def get_page(self, query: EventQuery, wait_for_disconnect: Callable[[], Awaitable[Any]]) -> EventLogPage:
        """Return the events after a cursor. If there are none, wait for the first one, as long as the query says.

        Raises Invalid for a malformed cursor, CursorExpired if events after it are missing, Overloaded if too many
        clients are waiting, and ClientDisconnected.
        """
        page = await self._read_page(query)
        if page.events or not query.wait or self._is_closed:
            return page
        if len(self._waiting) >= MAX_WAITING:
            raise Overloaded("Too many clients are waiting for events. Send the request again.")
        await self._wait(_WaitingClient(query.event_filter, page.cursor.position), query.wait, wait_for_disconnect)
        return await self._read_page(replace(query, after=page.cursor.encode()))

    async def _read_page(self, query: EventQuery) -> EventLogPage:
        page = await self._read(partial(_find_page, query))
        if page is None:
            await self._assign_positions()
            page = await self._read(partial(_find_page, query, includes_waiting=False))
        assert page is not None  # noqa: S101 - assigning positions has created the log
        return page

    async def _assign_positions(self) -> None:
        while await self._write(partial(assign_positions, limit=BATCH_SIZE)) == BATCH_SIZE:
            pass

    # Waiting

    async def _wait(
        self, client: _WaitingClient, seconds: float, wait_for_disconnect: Callable[[], Awaitable[Any]]
    ) -> None:
        self._waiting.add(client)
        if self._task is None:
            self._task = asyncio.create_task(self._poll())
        woken = asyncio.ensure_future(client.has_event.wait())
        disconnected = asyncio.ensure_future(wait_for_disconnect())
        try:
            await asyncio.wait({woken, disconnected}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if disconnected.done():
                raise ClientDisconnected
        finally:
            self._waiting.discard(client)
            if not self._waiting:
                self._wake_up.set()  # to end the task
            woken.cancel()
            disconnected.cancel()

    def wake(self) -> None:
        """Look for new events now, because this process may have recorded some."""
        if self._waiting:
            self._wake_up.set()

    def close(self) -> None:
        """End all waiting; requests that arrive later get their response at once."""
        self._is_closed = True
        for client in self._waiting:
            client.has_event.set()

    async def _poll(self) -> None:
        try:
            await self._notify_until_done()
        finally:
            self._task = None

    async def _notify_until_done(self) -> None:
        while self._waiting and not self._is_closed:
            self._wake_up.clear()
            try:
                await self._notify_clients()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next attempt may succeed
                # The database may be unavailable for a while. Clients wait on; their cursors remain valid.
                log_failure(log, "events", error)
            await asyncio.sleep(MIN_POLL_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake_up.wait()

    async def _notify_clients(self) -> None:
        state = await self._read(event_log.find_state)
        if state is None or state.has_waiting:
            await self._assign_positions()
        elif all(client.position >= state.position for client in self._waiting):
            return
        clients = list(self._waiting)
        start = min((client.position for client in clients), default=0)
        events = await self._read(lambda db: event_log.list_events(db, EventFilter(), after=start, limit=BATCH_SIZE))
        is_complete = len(events) < BATCH_SIZE
        for client in clients:
            if not is_complete or any(
                event.position > client.position and client.event_filter.matches(event) for event in events
            ):
                client.has_event.set()
            elif events:
                client.position = max(client.position, events[-1].position)


def _find_page(query: EventQuery, db: Connection, *, includes_waiting: bool = True) -> EventLogPage | None:
    """Find the events of a query; None if there are events that need a position first.

    Other processes may record events at any time, so positions are only assigned once for each request.
    """
    state = event_log.find_state(db)
    if state is None or (state.has_waiting and includes_waiting):
        return None
    cursor = _find_start(db, query.after, state)
    events = event_log.list_events(db, query.event_filter, after=cursor.position, limit=query.limit)
    is_full = len(events) == query.limit
    end = cursor_at(state.log, events[-1]) if is_full else state.end
    return EventLogPage(events=events, cursor=end, parameters=query.parameters)


def _find_start(db: Connection, after: str, state: LogState) -> Cursor:
    if after == START:
        return state.start
    if after == LATEST:
        return state.end
    cursor = parse_cursor(after)
    check_cursor(cursor, state, event_log.find_time(db, cursor.position))
    return cursor
