"""Commands for webhooks: creating, replacing, deleting and testing them."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from treaty.cli import names, options, output
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


def _webhook_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a webhook to a command."""
    event_options = [
        click.option(f"--{name}/--no-{name}", event_type.name, cls=Flag, help=event_type.meaning)
        for event_type in _EVENT_TYPES
        if (name := event_type.name.replace("_", "-"))
    ]
    # Unlike a ListOption, a repeatable option takes one value at a time: the URL may follow it.
    for option in reversed(
        [
            click.argument("url"),
            click.option("-X", "--request", required=True, metavar="METHOD", help="The method of its request."),
            click.option("-H", "--header", cls=ListOption, metavar="'NAME: VALUE'", help="Header; repeatable."),
            click.option("-d", "--data", help="The body, or @FILE to read it from a file."),
            click.option(
                "-u", "--user", metavar="USER:PASSWORD", help="Credentials of its request, for basic authentication."
            ),
            click.option("--consumer", multiple=True, help="Only for pacts of this consumer; repeatable."),
            click.option(
                "--consumer-label", multiple=True, help="Only for pacts of consumers with this label; repeatable."
            ),
            click.option("--provider", multiple=True, help="Only for pacts with this provider; repeatable."),
            click.option(
                "--provider-label", multiple=True, help="Only for pacts with providers with this label; repeatable."
            ),
            click.option(
                "--digest",
                metavar="INTERVAL",
                help="Collect events, and send them together after this time: 1d, 12h or 30m, for example.",
            ),
            click.option("--description", help="Its description."),
            *event_options,
            click.option("--team-uuid", help="The team that it belongs to (PactFlow)."),
        ]
    ):
        command = option(command)
    return command


@click.command("create-webhook", cls=Command)
@_webhook_options
@options.output_option("text", "json", "pretty")
@options.connection_options(username_flag=())
def create_webhook(broker: BrokerClient, form: str, **values: Any) -> None:
    """Create a webhook: a request that the broker sends after an event, such as a changed pact."""
    webhook = _webhook_body(values)
    # As in the original client: the path of a pair works with every broker, and its body must not repeat the names.
    if "consumer" in webhook and "provider" in webhook and values["consumer"] and values["provider"]:
        url = broker.url_for("webhooks", "provider", values["provider"][0], "consumer", values["consumer"][0])
        webhook = {name: value for name, value in webhook.items() if name not in {"consumer", "provider"}}
    else:
        url = broker.link("pb:webhooks")
    _write(broker, "POST", url, webhook, form)


@click.command("create-or-update-webhook", cls=Command)
@click.option("--uuid", required=True, help="The webhook's UUID; see generate-uuid.")
@_webhook_options
@options.output_option("text", "json", "pretty")
@options.connection_options(username_flag=())
def create_or_update_webhook(broker: BrokerClient, form: str, uuid: str, **values: Any) -> None:
    """Create a webhook with a UUID, or replace the existing one."""
    webhook = _webhook_body(values)
    if not broker.has_link("pb:webhook", uuid=uuid):
        _fail(_NO_UUIDS)
    _write(broker, "PUT", broker.link("pb:webhook", uuid=uuid), webhook, form)


@click.command("test-webhook", cls=Command)
@click.option("--uuid", required=True, help="The webhook's UUID.")
@options.connection_options()
def test_webhook(broker: BrokerClient, uuid: str) -> None:
    """Send a webhook's request once, and show the log of the delivery."""
    webhook = broker.get(broker.link("pb:webhook", uuid=uuid))
    with output.show_progress("Sending the webhook's request"):
        response = _execute(broker, webhook, uuid)
    output.print_line(response.body.get("logs") or output.format_indented(response.body))


def _execute(broker: BrokerClient, webhook: HalResource, uuid: str) -> HalResource:
    if webhook.has_link("pb:execute"):
        return broker.post(webhook.link("pb:execute").href)
    url = broker.url_for("webhooks", uuid, "execute")
    return broker.send_unlisted("POST", url, {}, relation="pb:execute", resource=webhook)


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
        names.print_missing_name(broker)
    else:
        output.print_line(f"Webhook with UUID {uuid} successfully deleted")


def _webhook_body(values: dict[str, Any]) -> Json:
    events = [event_type.name for event_type in _EVENT_TYPES if values[event_type.name]]
    if not events:
        raise Failure(_NO_EVENT)
    optional = {
        "description": values["description"],
        **_pacticipant_filter("Consumer", values["consumer"], values["consumer_label"]),
        **_pacticipant_filter("Provider", values["provider"], values["provider_label"]),
        "digest": {"every": values["digest"]} if values["digest"] else None,
        "teamUuid": values["team_uuid"],
    }
    body = {"events": [{"name": name} for name in events], "request": _request_body(values)}
    return body | {name: value for name, value in optional.items() if value}


def _pacticipant_filter(role: str, names_of_role: Sequence[str], labels: Sequence[str]) -> Json:
    """Return the member of the body for a role: of the original broker for a single one, else a list."""
    lower = role.lower()
    if len(names_of_role) == 1 and len(labels) == 1:
        text = f"{role} name (--{lower}) and label (--{lower}_label) options are mutually exclusive"
        raise Failure(text)
    members = [*({"name": name} for name in names_of_role), *({"label": label} for label in labels)]
    if len(members) > 1:
        return {f"{lower}s": members}
    return {lower: members[0]} if members else {}


def _request_body(values: dict[str, Any]) -> Json:
    user, _, password = (values["user"] or "").partition(":")
    headers = (header.partition(":") for header in values["header"])
    optional = {"body": _read_data(values["data"]), "username": user, "password": password}
    return {
        "url": values["url"],
        "method": values["request"],
        "headers": {name.strip(): value.strip() for name, _, value in headers},
        **{name: value for name, value in optional.items() if value not in (None, "")},
    }


def _read_data(data: str | None) -> Any:
    """Return the body of --data, parsed if it is JSON: `@FILE` is the path of a file with it, as for curl."""
    if data is None:
        return None
    return output.parse_if_json(_read_file(data[1:]) if data.startswith("@") else data)


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        text = f'Couldn\'t read data from file "{path}" due to {type(error).__name__} {error}'
        raise Failure(text) from error


def _write(broker: BrokerClient, method: str, url: str, webhook: Json, form: str) -> None:
    try:
        response = broker.send(method, url, webhook)
    except Refused as refused:
        if refused.is_denied:
            raise
        _fail_refused(broker, refused, form)
    change = "created" if response.status == HTTPStatus.CREATED else "updated"
    output.show(response, form, f'Webhook "{_webhook_title(response)}" {change}')


def _fail_refused(broker: BrokerClient, refused: Refused, form: str) -> NoReturn:
    names.explain(broker, refused)
    if form != "text":
        output.print_failure(refused, as_json=True, on_stderr=False)
        raise SystemExit(1)
    # Brokers that know webhooks of pairs only have no POST for the list of webhooks.
    if refused.status == HTTPStatus.METHOD_NOT_ALLOWED:
        _fail(_NEEDS_BOTH)
    response = f"response status={refused.status} from {refused.url}: {refused.reason}"
    output.print_line(f"Error creating webhook. {refused.missing_name or response}")
    output.print_hint(refused)
    raise SystemExit(1)


def _fail(text: str) -> NoReturn:
    output.print_line(text)
    raise SystemExit(1)


def _webhook_title(response: HalResource) -> str:
    description = response.body.get("description")
    return str(description or next((link.title or link.name for link in response.links("self")), ""))
