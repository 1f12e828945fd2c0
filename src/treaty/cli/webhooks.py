"""Webhooks: create, replace, delete and try them."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from treaty.cli import options, output
from treaty.cli.program import Command, Failure, Flag, ListOption
from treaty.errors import Refused
from treaty.model.webhooks.events import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.client import BrokerClient, HalResource, Json

# The order of the original client, in which it also sends the events.
_EVENT_TYPES: Final = sorted(EVENT_TYPES, key=lambda event_type: event_type.option_position)
_NO_EVENT: Final = (
    "You must specify at least one of --contract-content-changed, --contract-published, "
    "--provider-verification-published, --provider-verification-succeeded or --provider-verification-failed"
)
_NEEDS_BOTH: Final = (
    "This version of the Pact Broker requires that both consumer and provider are specified for a webhook. Please "
    "upgrade your broker to >= 2.22.0 to create a webhook with optional consumer and provider."
)
_NO_UUIDS: Final = (
    "This version of the Pact Broker does not support creating webhooks with a specified UUID. Please upgrade your "
    "broker to >= 2.49.0 or use the create-webhook command."
)


def _described(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe a webhook."""
    for option in reversed(_options()):
        command = option(command)
    return command


def _options() -> list[Callable[[Callable[..., None]], Callable[..., None]]]:
    return [
        click.argument("url"),
        click.option("-X", "--request", required=True, metavar="METHOD", help="The method of its request."),
        click.option("-H", "--header", cls=ListOption, metavar="'NAME: VALUE'", help="A header; repeatable."),
        click.option("-d", "--data", help="The body, or @FILE to read it from a file."),
        click.option("-u", "--user", metavar="USER:PASSWORD", help="Who sends the request, by basic authentication."),
        click.option("--consumer", help="Only for pacts of this consumer."),
        click.option("--consumer-label", help="Only for pacts of consumers with this label."),
        click.option("--provider", help="Only for pacts with this provider."),
        click.option("--provider-label", help="Only for pacts with providers with this label."),
        click.option("--description", help="What it is for."),
        *(_event_option(event_type.name, event_type.meaning) for event_type in _EVENT_TYPES),
        click.option("--team-uuid", help="The team that it belongs to (PactFlow)."),
    ]


def _event_option(name: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    words = name.replace("_", "-")
    return click.option(f"--{words}/--no-{words}", name, cls=Flag, help=text)


@click.command("create-webhook", cls=Command)
@_described
@options.output_option("text", "json", "pretty")
@options.connection_options(username_flag=())
def create_webhook(broker: BrokerClient, form: str, **given: Any) -> None:
    """Create a webhook: a request that is sent when something happens to a pact."""
    webhook = _webhook(given)
    if given["consumer"] and given["provider"]:
        url = broker.url_for("webhooks", "provider", given["provider"], "consumer", given["consumer"])
        webhook = {name: value for name, value in webhook.items() if name not in {"consumer", "provider"}}
    else:
        url = broker.link("pb:webhooks")
    _write(broker, "POST", url, webhook, form)


@click.command("create-or-update-webhook", cls=Command)
@click.option("--uuid", required=True, help="The webhook's UUID; see generate-uuid.")
@_described
@options.output_option("text", "json", "pretty")
@options.connection_options(username_flag=())
def create_or_update_webhook(broker: BrokerClient, form: str, uuid: str, **given: Any) -> None:
    """Create a webhook under a UUID, or replace it."""
    webhook = _webhook(given)
    if not broker.index.has_link("pb:webhook"):
        _give_up(_NO_UUIDS)
    _write(broker, "PUT", broker.link("pb:webhook", uuid=uuid), webhook, form)


@click.command("test-webhook", cls=Command)
@click.option("--uuid", required=True, help="The webhook's UUID.")
@options.connection_options()
def test_webhook(broker: BrokerClient, uuid: str) -> None:
    """Send a webhook's request once, and show what came of it."""
    found = broker.get(broker.link("pb:webhook", uuid=uuid))
    with output.show_progress("Sending the webhook's request"):
        answer = broker.post(found.link("pb:execute").href)
    output.print_line(answer.body.get("logs") or output.format_indented(answer.body))


@click.command("delete-webhook", cls=Command)
@click.option("--uuid", required=True, help="The webhook's UUID.")
@options.connection_options()
def delete_webhook(broker: BrokerClient, uuid: str) -> None:
    """Delete a webhook."""
    try:
        broker.delete(broker.get(broker.link("pb:webhook", uuid=uuid)).url)
    except Refused as refused:
        if refused.status != HTTPStatus.NOT_FOUND:
            raise
        output.print_line(f"Webhook with UUID {uuid} was not found")
    else:
        output.print_line(f"Webhook with UUID {uuid} successfully deleted")


def _webhook(given: dict[str, Any]) -> Json:
    events = [event_type.name for event_type in _EVENT_TYPES if given[event_type.name]]
    if not events:
        raise Failure(_NO_EVENT)
    told = {
        "description": given["description"],
        "consumer": _side("Consumer", given["consumer"], given["consumer_label"]),
        "provider": _side("Provider", given["provider"], given["provider_label"]),
        "teamUuid": given["team_uuid"],
    }
    known = {name: value for name, value in told.items() if value}
    return {"events": [{"name": name} for name in events], "request": _request(given)} | known


def _side(role: str, name: str | None, label: str | None) -> Json | None:
    if name and label:
        lower = role.lower()
        text = f"{role} name (--{lower}) and label (--{lower}_label) options are mutually exclusive"
        raise Failure(text)
    return {"name": name} if name else {"label": label} if label else None


def _request(given: dict[str, Any]) -> Json:
    user, _, password = (given["user"] or "").partition(":")
    told = {"body": _body(given["data"]), "username": user, "password": password}
    return {
        "url": given["url"],
        "method": given["request"],
        "headers": _headers(given["header"]),
        **{name: value for name, value in told.items() if value not in (None, "")},
    }


def _headers(given: Sequence[str]) -> dict[str, str]:
    parts = (each.partition(":") for each in given)
    return {name.strip(): value.strip() for name, _, value in parts}


def _body(data: str | None) -> Any:
    return None if data is None else output.parse_if_json(_read(data[1:]) if data.startswith("@") else data)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        text = f'Couldn\'t read data from file "{path}" due to {type(error).__name__} {error}'
        raise Failure(text) from error


def _write(broker: BrokerClient, method: str, url: str, webhook: Json, form: str) -> None:
    try:
        answer = broker.send(method, url, webhook)
    except Refused as refused:
        _give_up(_explained(refused, form))
    done = "created" if answer.status == HTTPStatus.CREATED else "updated"
    output.show(answer, form, f'Webhook "{_title(answer)}" {done}')


def _explained(refused: Refused, form: str) -> str:
    if form != "text":
        return refused.body or "{}"
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        return _NEEDS_BOTH
    return f"Error creating webhook. response status={refused.status} body={refused.body}"


def _give_up(text: str) -> NoReturn:
    output.print_line(text)
    raise SystemExit(1)


def _title(answer: HalResource) -> str:
    description = answer.body.get("description")
    return str(description or next((link.title or link.name for link in answer.links("self")), ""))
