"""`wait`: wait for events of the broker, for builds that its webhooks cannot reach.

The position is stored after an event was handed over: printed, or processed by a command. So an event is never lost,
and a command that is killed before the position is stored gets the event again.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
from functools import partial
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from treaty.cli import options, output
from treaty.cli.cursor_files import CursorFile
from treaty.cli.program import Check, Failure
from treaty.client.hal import HalResource
from treaty.errors import ClientError, MissingRelation, Refused, Unreachable
from treaty.exact_json import serialize

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from treaty.client import BrokerClient

T = TypeVar("T")

POLL_SECONDS: Final = 25
"""Seconds for which the broker may hold a request. Many proxies end those that take 30 seconds or longer."""
MIN_POLL_SECONDS: Final = 1.0
"""Pause after a response that came at once and has no event."""
INITIAL_DELAY_SECONDS: Final = 0.5
MAX_DELAY_SECONDS: Final = 10.0
"""Pauses between attempts while the broker is unavailable; they double up to the second."""
MAX_REQUESTED_DELAY: Final = 120.0
TIMED_OUT: Final = 1
COMMAND_FAILED: Final = 3
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600}
_VARIABLES: Final = {
    "PACT_EVENT_NAME": "name",
    "PACT_EVENT_ID": "cursor",
    "PACT_CONSUMER": "consumer",
    "PACT_CONSUMER_VERSION": "consumerVersion",
    "PACT_PROVIDER": "provider",
    "PACT_PROVIDER_VERSION": "providerVersion",
}
"""Variables of the command, by the members of an event."""
_LINK_VARIABLES: Final = {"PACT_URL": "pact", "PACT_RESULT_URL": "verificationResult"}
_TOO_OLD: Final = "This broker has no event log. Only Treaty brokers do."
_BEGIN_AGAIN: Final = (
    "Delete the --cursor file to begin at the end of the log; with --from start, at the oldest event that is retained."
)
_RETRIED_STATUSES: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_INSTEAD: Final = "Use a Treaty broker, or upgrade it. With other brokers, use a webhook (create-webhook)."


class _Command(Check):
    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, "[OPTIONS] [-- COMMAND [ARGUMENTS]...]")


def _parse_duration(_: click.Context, __: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smh]?)", text.strip())
    if not match:
        raise Failure(f"'{text}' is not a duration. Give seconds, or a number with a unit: 90, 90s, 10m, 2h.")
    return float(match[1]) * _UNITS[match[2]]


@click.command("wait", cls=_Command)
@click.option(
    "--for",
    "names",
    multiple=True,
    required=True,
    metavar="EVENT",
    help="The event to wait for, such as contract_requiring_verification_published; repeatable.",
)
@click.option("--consumer", help="Only events of this consumer.")
@click.option("--provider", help="Only events of this provider.")
@click.option(
    "--timeout",
    metavar="DURATION",
    callback=_parse_duration,
    help="Time to wait for an event, such as 90s, 10m or 2h; 0 does not wait. Without it, there is no limit.",
)
@click.option(
    "--cursor",
    "cursor_path",
    metavar="FILE",
    help="File with the position in the log: the next call continues after the event, however this one ends.",
)
@click.option(
    "--from",
    "start",
    type=click.Choice(["now", "start"]),
    default="now",
    show_default=True,
    help="Where to begin without a position: at the end of the log, or at the oldest event that is retained.",
)
@click.option("--follow", is_flag=True, help="Continue with the next event, until none comes within --timeout.")
@options.output_option("text", "json")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@options.connection_options()
def wait(broker: BrokerClient, command: tuple[str, ...], **values: Any) -> None:
    """Wait for an event of the broker, and print the URL of its pact.

    This replaces a webhook where the broker cannot reach the CI system. With a COMMAND, run it with the event in
    variables such as PACT_URL instead. The position in the --cursor file is stored once the URL is printed, or the
    command has succeeded.

    The exit code is 0 after an event, 1 if none came within --timeout, 2 if something prevents an answer, and 3 if the
    command failed: the next call then returns the same event again.
    """
    file = CursorFile(values["cursor_path"])
    follower = _Follower(
        broker, list(_list_filters(values)), file, start="start" if values["start"] == "start" else "latest"
    )
    expected = " or ".join(values["names"])
    is_done = False
    while event := _wait_for_event(follower, values["timeout"], expected):
        if command:
            _run(command, event)
        else:
            output.print_line(_format(event, values["form"]))
        file.store(str(event.body["cursor"]))
        is_done = True
        if not values["follow"]:
            return
    if not is_done:
        output.print_error(f"There was no event {expected} within the time.")
        raise SystemExit(TIMED_OUT)


def _list_filters(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from (("name[]", name) for name in values["names"])
    yield from ((role, values[role]) for role in ("consumer", "provider") if values[role])


def _wait_for_event(follower: _Follower, timeout: float | None, expected: str) -> HalResource | None:
    with output.show_progress(f"Waiting for {expected}"):
        return follower.wait_for_event(None if timeout is None else time.monotonic() + timeout)


class _Follower:
    """Follows the event log from the position in a file; without one, from its end or start."""

    def __init__(self, broker: BrokerClient, filters: list[tuple[str, str]], file: CursorFile, *, start: str) -> None:
        self._broker = broker.without_retries()
        self._filters = filters
        self._file = file
        # The first request has the usual retries, and reports a wrong address at once. Later outages are waited out.
        page = _fetch_page(broker, filters, file.cursor or start, seconds=0)
        if not page.embedded("events"):
            file.store(_read_cursor(page))
        self._start = start

    def wait_for_event(self, deadline: float | None) -> HalResource | None:
        """Return the next event; None if there is none until a time of the monotonic clock."""
        while True:
            asked_at = time.monotonic()
            seconds = POLL_SECONDS if deadline is None else max(0, min(POLL_SECONDS, ceil(deadline - asked_at)))
            page = self._persist(partial(self._fetch, seconds), deadline)
            for body in page.embedded("events"):
                event = HalResource(page.url, page.status, page.headers, "", body)
                if self._has_pact(event, deadline):
                    return event
                self._file.store(str(body["cursor"]))
            if not page.embedded("events"):
                self._file.store(_read_cursor(page))
                if deadline is not None and time.monotonic() >= deadline:
                    return None
                # A server that shuts down responds at once.
                time.sleep(max(0, min(MIN_POLL_SECONDS, seconds) - (time.monotonic() - asked_at)))

    def _fetch(self, seconds: int) -> HalResource:
        return _fetch_page(self._broker, self._filters, self._file.cursor or self._start, seconds=seconds)

    def _has_pact(self, event: HalResource, deadline: float | None) -> bool:
        """Whether an event's pact still exists. A command would fail for a deleted one each time."""
        if not event.has_link("pact"):
            return True
        url = event.link("pact").href
        if self._persist(partial(_exists, self._broker, url), deadline):
            return True
        output.print_error(f"Skipped the event {event.body.get('name')}, since its pact has been deleted: {url}")
        return False

    def _persist(self, request: Callable[[], T], deadline: float | None) -> T:
        """Send a request again until the broker is available. Raises its error if the time is over before."""
        delay = INITIAL_DELAY_SECONDS
        while True:
            try:
                return request()
            except (Unreachable, Refused) as error:
                requested_delay = error.retry_after if isinstance(error, Refused) else 0
                pause = max(delay, min(requested_delay, MAX_REQUESTED_DELAY))
                is_late = deadline is not None and time.monotonic() + pause > deadline
                if is_late or (isinstance(error, Refused) and not _is_temporary(error)):
                    raise
                if delay == INITIAL_DELAY_SECONDS:
                    output.print_error(f"{error} Waiting until the broker is available again.")
                time.sleep(pause)
                delay = min(2 * delay, MAX_DELAY_SECONDS)


def _fetch_page(broker: BrokerClient, filters: Sequence[tuple[str, str]], after: str, *, seconds: int) -> HalResource:
    query = [*filters, ("limit", "1"), ("wait", str(seconds)), ("after", after)]
    try:
        return broker.follow("GET", "pb:events", {}, query=query)
    except MissingRelation as error:
        raise ClientError(_TOO_OLD, hint=_INSTEAD) from error
    except Refused as error:
        if error.status == HTTPStatus.GONE:
            error.hint = _BEGIN_AGAIN
        raise


def _read_cursor(page: HalResource) -> str:
    cursor = page.body.get("cursor")
    if not isinstance(cursor, str):
        raise ClientError("The broker's response has no cursor.", hint=_INSTEAD)
    return cursor


def _exists(broker: BrokerClient, url: str) -> bool:
    try:
        broker.get(url)
    except Refused as error:
        if _is_temporary(error):
            raise
        return error.status != HTTPStatus.NOT_FOUND
    return True


def _is_temporary(error: Refused) -> bool:
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status in _RETRIED_STATUSES


# Handing over


def _format(event: HalResource, form: str) -> str:
    """Format an event: as JSON, or as the URL of its pact, else of its result, else as its name."""
    if form == "json":
        return serialize(event.body)
    urls = [event.link(relation).href for relation in ("pact", "verificationResult") if event.has_link(relation)]
    return urls[0] if urls else str(event.body.get("name"))


def _run(command: Sequence[str], event: HalResource) -> None:
    """Run a command for an event. Exits with COMMAND_FAILED if it fails."""
    status = subprocess.run(command, env=os.environ | dict(_list_variables(event)), check=False).returncode  # noqa: S603 - the user's own command
    if status:
        output.print_error(
            f"{command[0]} failed with the status {status}, so the position stays before the event "
            f"{event.body.get('name')}: the next call hands it over again."
        )
        raise SystemExit(COMMAND_FAILED)


def _list_variables(event: HalResource) -> Iterator[tuple[str, str]]:
    """Yield all variables; those without a value are empty, so that none of an earlier event is left."""
    yield from ((variable, str(event.body.get(member, ""))) for variable, member in _VARIABLES.items())
    for variable, relation in _LINK_VARIABLES.items():
        yield variable, event.link(relation).href if event.has_link(relation) else ""
    yield "PACT_EVENT", serialize(event.body)
