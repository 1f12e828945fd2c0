"""Commands for environments: creating, changing, showing and deleting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import options, output
from treaty.cli.program import Command, Flag
from treaty.errors import ClientError, MissingResource
from treaty.exact_json import serialize

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
_READ_ONLY_MEMBERS: Final = {"uuid", "_links", "_embedded", "createdAt", "updatedAt"}


def _environment_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe an environment to a command."""
    for option in (
        options.contact_options,
        click.option(
            "--first-deployments",
            type=click.Choice(["allow", "deny"]),
            help="Whether a consumer may be deployed there before a provider that is deployed nowhere. Treaty only.",
        ),
        click.option("--production/--no-production", cls=Flag, default=None, help="It is a production environment."),
        click.option(
            "--record-decisions/--no-record-decisions",
            cls=Flag,
            default=None,
            help="Record decisions about it, and mark deployments without a recorded yes. Treaty only.",
        ),
        click.option(
            "--position",
            type=click.IntRange(1, 10_000),
            help="Position in the pipeline, by which pages list environments, in ascending order. Treaty only.",
        ),
        click.option("--display-name", help="A name to display."),
    ):
        command = option(command)
    return command


def _uuid_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--uuid", required=True, help="The environment's UUID; see list-environments.")(command)


@click.command("create-environment", cls=Command)
@click.option("--name", required=True, help="A name for commands, such as `production`.")
@_environment_options
@options.output_option("text", "json", "id", "pretty")
@options.connection_options()
def create_environment(broker: BrokerClient, form: str, **values: Any) -> None:
    """Create an environment in the broker."""
    check_supported(broker)
    response = broker.post(broker.link("pb:environments"), {"production": False} | _environment_body(values))
    _check_stored(response, values)
    name, uuid = values["name"], response.body.get("uuid")
    output.show(
        response,
        form,
        output.green(f"Created {name} environment in {output.broker_name(broker.index)} with UUID {uuid}"),
    )


@click.command("update-environment", cls=Command)
@_uuid_option
@click.option("--name", help="A new name.")
@_environment_options
@options.output_option("text", "json", "id", "pretty")
@options.connection_options()
def update_environment(broker: BrokerClient, form: str, uuid: str, **values: Any) -> None:
    """Change the given properties of an environment, and keep the others."""
    environment = _get_environment(broker, uuid)
    # PUT replaces the environment, so properties without an option have to be sent again.
    existing = {name: value for name, value in environment.body.items() if name not in _READ_ONLY_MEMBERS}
    response = broker.put(environment.url, existing | _environment_body(values))
    _check_stored(response, values)
    output.show(
        response,
        form,
        output.green(f"Updated {response.body.get('name')} environment in {output.broker_name(broker.index)}"),
    )


@click.command("describe-environment", cls=Command)
@_uuid_option
@options.output_option("text", "json", "pretty")
@options.connection_options()
def describe_environment(broker: BrokerClient, form: str, uuid: str) -> None:
    """Show an environment."""
    environment = _get_environment(broker, uuid)
    output.show(environment, form, output.format_properties(environment.body))


@click.command("list-environments", cls=Command)
@options.output_option("text", "json", "pretty")
@options.connection_options()
def list_environments(broker: BrokerClient, form: str) -> None:
    """List the environments."""
    check_supported(broker)
    response = broker.get(broker.link("pb:environments"))
    headings = {"UUID": "uuid", "NAME": "name", "DISPLAY NAME": "displayName", "PRODUCTION": "production"}
    environments = sorted(response.embedded("environments"), key=lambda body: str(body.get("name")).lower())
    rows = [[_format_cell(environment.get(member)) for member in headings.values()] for environment in environments]
    output.show(response, form, output.format_table(list(headings), rows, whole={"UUID"}))


@click.command("delete-environment", cls=Command)
@_uuid_option
@options.output_option("text", "json")
@options.connection_options()
def delete_environment(broker: BrokerClient, form: str, uuid: str) -> None:
    """Delete an environment with the records of its deployments and releases."""
    environment = _get_environment(broker, uuid)
    response = broker.delete(environment.url)
    output.show(
        response,
        form,
        output.green(f"Deleted environment {environment.body.get('name')} from {output.broker_name(broker.index)}"),
    )


def check_supported(broker: BrokerClient) -> None:
    if not broker.has_link("pb:environments"):
        raise ClientError(_OLD_PACTFLOW if broker.index.is_pactflow else _OLD_BROKER)


def get_environment_url(broker: BrokerClient, name: str) -> str:
    """Return the URL of an environment. Raises ClientError with the existing names."""
    links = broker.get(broker.link("pb:environments")).links("pb:environments")
    for link in links:
        if link.name == name:
            return link.href
    raise environment_not_found(name, [link.name for link in links], page=broker.url_for("environments"))


def environment_not_found(name: str, existing: Iterable[str], *, page: str) -> MissingResource:
    """Return the error for an unknown environment; `page` is the URL of the list of environments."""
    text = f"No environment found with name '{name}'.{describe_available(existing)}"
    command = output.format_command("create-environment", "--name", name)
    return MissingResource(text, hint=f"Create it: {command}\nSee {page}")


def describe_available(names: Iterable[str]) -> str:
    return f" Available options: {', '.join(names) or '<none found>'}"


def _get_environment(broker: BrokerClient, uuid: str) -> HalResource:
    check_supported(broker)
    return broker.get(broker.link("pb:environment", uuid=uuid))


def _check_stored(response: HalResource, values: Mapping[str, Any]) -> None:
    """Check that the broker has stored Treaty's own properties, which others ignore. Raises ClientError."""
    if values["first_deployments"] == "allow" and response.body.get("firstDeployments") != "allow":
        text = "The environment was saved, but this broker has no policy for first deployments."
        raise ClientError(text, hint="Leave --first-deployments out, or use a Treaty broker.")
    if values["position"] is not None and response.body.get("position") != values["position"]:
        text = "The environment was saved, but this broker has no positions of environments."
        raise ClientError(text, hint="Leave --position out, or use a Treaty broker.")


def _format_cell(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else serialize(value)


def _environment_body(values: Mapping[str, Any]) -> Json:
    properties = {
        "name": values["name"],
        "displayName": values["display_name"],
        "production": values["production"],
        "recordsDecisions": values["record_decisions"],
        "firstDeployments": values["first_deployments"],
        "position": values["position"],
        "contacts": options.read_contacts(values),
    }
    return {member: value for member, value in properties.items() if value is not None}
