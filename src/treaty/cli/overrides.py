"""`override`: creates, lists and revokes overrides of decisions."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import names, options, output
from treaty.cli.program import Command, Failure
from treaty.errors import ClientError, MissingRelation, MissingResource, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treaty.client import BrokerClient, HalResource, Json

_PAGE_SIZE: Final = "100"
_HEADINGS: Final = {
    "UUID": "uuid",
    "PACTICIPANT": "pacticipantName",
    "VERSION": "pacticipantVersionNumber",
    "ENVIRONMENT": "environmentName",
    "WITH": "counterpart",
    "STATE": "state",
    "UNTIL": "expiresAt",
    "BY": "createdBy",
    "REASON": "reason",
}


@click.command("create", cls=Command)
@options.pacticipant_option()
@options.version_option()
@options.environment_option()
@click.option("--reason", required=True, help="Why the risk is acceptable. Every answer repeats it.")
@click.option("--counterpart", metavar="NAME", help="Override only results with this consumer or provider.")
@click.option("--hours", type=click.IntRange(1, 100_000), help="Hours until it ends. By default, the broker decides.")
@click.option("--until", metavar="TIME", help="When it ends, such as 2030-01-31T18:00:00Z, instead of --hours.")
@options.output_option("text", "json", "id", "pretty")
@options.connection_options()
def create(broker: BrokerClient, form: str, **values: Any) -> None:
    """Make can-i-deploy answer yes for a version and an environment, although results are missing or failed.

    The override ends by itself. Until then, the answer has its reason, the user who created it, and all that it
    overrides. Other versions and environments are not affected. It needs the permission to override decisions:
    administrators have it, and their tokens with the scope override-decisions.
    """
    if values["hours"] and values["until"]:
        raise Failure("Give either --hours or --until.")
    body = {
        "pacticipantName": values["pacticipant"],
        "pacticipantVersionNumber": values["version"],
        "environmentName": values["environment"],
        "counterpart": values["counterpart"],
        "reason": values["reason"],
        "expiresAt": _read_end(values),
    }
    with _explained():
        response = broker.follow("POST", "pb:overrides", {}, {name: value for name, value in body.items() if value})
    output.show(response, form, _describe(response.body))


def _read_end(values: dict[str, Any]) -> str | None:
    if values["hours"]:
        return (datetime.now(UTC) + timedelta(hours=values["hours"])).isoformat(timespec="seconds")
    until: str | None = values["until"]
    return until


def _describe(override: Json) -> str:
    version = f"{override['pacticipantName']} ({override['pacticipantVersionNumber']})"
    pair = f" with {override['counterpart']}" if override.get("counterpart") else ""
    until = _format_time(str(override["expiresAt"]))
    return "\n".join(
        (
            output.green(f"{version}{pair} is overridden for {override['environmentName']} until {until}."),
            f"End it earlier: {output.format_command('override', 'revoke', '--uuid', str(override['uuid']))}",
        )
    )


def _format_time(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


@contextmanager
def _explained() -> Iterator[None]:
    """Explain that a broker has no overrides. Raises ClientError."""
    try:
        yield
    except MissingRelation as error:
        text = "This broker has no overrides. Only Treaty brokers have them."
        raise ClientError(text, hint="Use a Treaty broker, or upgrade it.") from error


@click.command("list", cls=Command)
@options.pacticipant_option(required=False)
@click.option("--environment", help="Only those for this environment.")
@click.option("--all", "shows_all", is_flag=True, help="Also those that have expired or been revoked.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def list_overrides(
    broker: BrokerClient, form: str, *, pacticipant: str | None, environment: str | None, shows_all: bool
) -> None:
    """List the overrides that apply now, the latest first."""
    overrides = list(_fetch_all(broker, pacticipant=pacticipant, environment=environment, shows_all=shows_all))
    if form != "text":
        output.show_value(overrides, form)
        return
    rows = [[_format_cell(name, override.get(name)) for name in _HEADINGS.values()] for override in overrides]
    output.print_line(output.format_table(list(_HEADINGS), rows, whole={"UUID", "STATE"}) or "There are no overrides.")
    if not rows:
        names.print_missing_name(broker)


def _fetch_all(
    broker: BrokerClient, *, pacticipant: str | None, environment: str | None, shows_all: bool
) -> Iterator[Json]:
    filters = {"pacticipant": pacticipant, "environment": environment, "active": None if shows_all else "true"}
    parameters = [(name, value) for name, value in filters.items() if value]
    number = 1
    while True:
        page = _fetch_page(broker, [*parameters, ("size", _PAGE_SIZE), ("page", str(number))])
        yield from page.embedded("overrides")
        if not page.links("next"):
            return
        number += 1


def _fetch_page(broker: BrokerClient, query: list[tuple[str, str]]) -> HalResource:
    with _explained():
        return broker.follow("GET", "pb:overrides", {}, query=query)


def _format_cell(name: str, value: object) -> str:
    if value is None:
        return ""
    return _format_time(str(value)) if name == "expiresAt" else str(value)


@click.command("revoke", cls=Command)
@click.option("--uuid", required=True, help="The override's UUID; see `override list`.")
@options.output_option("text", "json")
@options.connection_options()
def revoke(broker: BrokerClient, form: str, uuid: str) -> None:
    """End an override at once. It can still be listed with --all."""
    try:
        response = broker.delete(broker.url_for("overrides", uuid))
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        text = f"There is no override with UUID {uuid}."
        raise MissingResource(text, hint=f"List them: {output.format_command('override', 'list', '--all')}") from error
    output.show(response, form, output.green(f"Revoked the override {uuid}."))
