"""Environments: create, change, show and delete them."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import options, output
from treaty.cli.program import Command, Flag
from treaty.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from treaty.client import BrokerClient, HalResource, Json

_OLD_BROKER: Final = (
    "This version of the Pact Broker does not support environments. Please upgrade to version 2.80.0 or later."
)
_OLD_PACTFLOW: Final = (
    "This version of PactFlow does not support environments or you do not have the required permission to read them. "
    "Please upgrade to the latest version if using PactFlow On-Premises and ensure the user has the environment read "
    "permission."
)
_KEPT_BY_THE_BROKER: Final = {"uuid", "_links", "_embedded", "createdAt", "updatedAt"}


def _described(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that describe an environment."""
    for option in (
        click.option("--contact-email-address", help="An e-mail address of who looks after it."),
        click.option("--contact-name", help="Who looks after it."),
        click.option("--production/--no-production", cls=Flag, default=None, help="It serves real users."),
        click.option("--display-name", help="A name for people to read."),
    ):
        command = option(command)
    return command


def _uuid_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--uuid", required=True, help="The environment's UUID; see list-environments.")(command)


@click.command("create-environment", cls=Command)
@click.option("--name", required=True, help="The name that commands use, such as `production`.")
@_described
@options.output_option("text", "json", "id", "pretty")
@options.connection_options()
def create_environment(broker: BrokerClient, form: str, **given: Any) -> None:
    """Create an environment in the broker."""
    check_supported(broker)
    answer = broker.post(broker.link("pb:environments"), {"production": False} | _body(given))
    name, uuid = given["name"], answer.body.get("uuid")
    output.show(
        answer, form, output.green(f"Created {name} environment in {output.broker_name(broker.index)} with UUID {uuid}")
    )


@click.command("update-environment", cls=Command)
@_uuid_option
@click.option("--name", help="A new name.")
@_described
@options.output_option("text", "json", "id", "pretty")
@options.connection_options()
def update_environment(broker: BrokerClient, form: str, uuid: str, **given: Any) -> None:
    """Change what is given of an environment, and keep the rest."""
    found = _find(broker, uuid)
    kept = {name: value for name, value in found.body.items() if name not in _KEPT_BY_THE_BROKER}
    answer = broker.put(found.url, kept | _body(given))
    output.show(
        answer,
        form,
        output.green(f"Updated {answer.body.get('name')} environment in {output.broker_name(broker.index)}"),
    )


@click.command("describe-environment", cls=Command)
@_uuid_option
@options.output_option("text", "json", "pretty")
@options.connection_options()
def describe_environment(broker: BrokerClient, form: str, uuid: str) -> None:
    """Show an environment."""
    found = _find(broker, uuid)
    output.show(found, form, output.format_properties(found.body))


@click.command("list-environments", cls=Command)
@options.output_option("text", "json", "pretty")
@options.connection_options()
def list_environments(broker: BrokerClient, form: str) -> None:
    """List the environments."""
    check_supported(broker)
    found = broker.get(broker.link("pb:environments"))
    headings = {"UUID": "uuid", "NAME": "name", "DISPLAY NAME": "displayName", "PRODUCTION": "production"}
    environments = sorted(found.embedded("environments"), key=lambda each: str(each.get("name")).lower())
    rows = [[_cell(each.get(key)) for key in headings.values()] for each in environments]
    output.show(found, form, output.format_table(list(headings), rows, max_widths={"UUID": None}))


@click.command("delete-environment", cls=Command)
@_uuid_option
@options.output_option("text", "json")
@options.connection_options()
def delete_environment(broker: BrokerClient, form: str, uuid: str) -> None:
    """Delete an environment, with what is recorded of its deployments."""
    found = _find(broker, uuid)
    answer = broker.delete(found.url)
    output.show(
        answer,
        form,
        output.green(f"Deleted environment {found.body.get('name')} from {output.broker_name(broker.index)}"),
    )


def check_supported(broker: BrokerClient) -> None:
    if not broker.index.has_link("pb:environments"):
        raise ClientError(_OLD_PACTFLOW if broker.index.is_pactflow else _OLD_BROKER)


def get_environment_url(broker: BrokerClient, name: str) -> str:
    """Find an environment by its name."""
    links = broker.get(broker.link("pb:environments")).links("pb:environments")
    for link in links:
        if link.name == name:
            return link.href
    raise environment_not_found(name, [link.name for link in links])


def environment_not_found(name: str, existing: Iterable[str]) -> ClientError:
    text = f"No environment found with name '{name}'.{describe_available(existing)}"
    return ClientError(text, hint=f"Create it: create-environment --name {shlex.quote(name)}")


def describe_available(names: Iterable[str]) -> str:
    return f" Available options: {', '.join(names) or '<none found>'}"


def _find(broker: BrokerClient, uuid: str) -> HalResource:
    check_supported(broker)
    return broker.get(broker.link("pb:environment", uuid=uuid))


def _cell(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def _body(given: Mapping[str, Any]) -> Json:
    name, address = given["contact_name"], given["contact_email_address"]
    contact = {"name": name or "unknown"} | ({"details": {"emailAddress": address}} if address else {})
    told = {
        "name": given["name"],
        "displayName": given["display_name"],
        "production": given["production"],
        "contacts": [contact] if name or address else None,
    }
    return {key: value for key, value in told.items() if value is not None}
