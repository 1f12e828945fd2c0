"""Options that commands share, above all the address and credentials of the broker."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from treaty.cli import names, output, telemetry
from treaty.cli.command_telemetry import NO_TELEMETRY, CommandTelemetry
from treaty.cli.program import SHARED_PARAMETERS, Failure, Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from treaty.client import BrokerClient, BrokerConnection, Json

    OptionDecorator = Callable[[Callable[..., None]], Callable[..., None]]

_COMMANDS_WITH_ONE_CREDENTIAL: Final = {
    "publish",
    "can-i-deploy",
    "can-i-merge",
    "describe-version",
    "create-version-tag",
    "delete-branch",
    "create-webhook",
    "create-or-update-webhook",
}
"""Commands that refuse a username beside a token, as in the original client; the others use the token."""
_TWO_CREDENTIALS: Final = (
    "You cannot provide both a username/password and a bearer token. If your Pact Broker uses a bearer token, please "
    "remove the username and password configuration."
)
_VERBOSE_LOG_LEVELS: Final = {"info", "debug", "trace"}
_NOT_VERIFIED: Final = (
    "WARN: The broker's certificate is not verified, so someone on the network could read and change the requests. "
    "Prefer --ssl-certificate."
)


def contact_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that describe a contact to a command; `read_contacts` reads their values."""
    for option in (
        click.option("--contact-url", help="The URL of its contact, such as a page of the team."),
        click.option("--contact-chat", help="The chat channel of its contact."),
        click.option(
            "--contact-email-address", "--contact-email", "contact_email", help="The e-mail address of its contact."
        ),
        click.option("--contact-name", help="The name of its contact."),
    ):
        command = option(command)
    return command


def read_contacts(values: Mapping[str, Any]) -> list[Json] | None:
    """Return the contacts that the options describe, as the broker expects them; None without these options."""
    members = {"contact_email": "emailAddress", "contact_chat": "chat", "contact_url": "url"}
    details = {member: values[option] for option, member in members.items() if values[option]}
    name = values["contact_name"]
    if not name and not details:
        return None
    # The original client writes a contact without a name as `unknown`, because the broker requires one.
    return [{"name": name or "unknown"} | ({"details": details} if details else {})]


def connection_options(*, username_flag: tuple[str, ...] = ("-u",), is_required: bool = True) -> OptionDecorator:
    """Add the options of a connection to a command, and call it with a client as `broker`.

    `username_flag` is empty for commands in which `-u` has another meaning. If the connection is not required, `broker`
    is None without an address.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            command_values = {name: value for name, value in values.items() if name not in SHARED_PARAMETERS}
            values = _add_program_options(values)
            if not values["broker_base_url"]:
                command(broker=None, **command_values)
                return
            command_path = click.get_current_context().command_path
            with (
                telemetry.record_if_enabled(command_path, values) as command_telemetry,
                create_client(values, command_telemetry) as broker,
                names.explained(broker),
            ):
                command(broker=broker, **command_values)

        decorated: Callable[..., None] = run
        for option in reversed(_connection_options(username_flag, is_required=is_required)):
            decorated = option(decorated)
        return decorated

    return decorate


def _connection_options(username_flag: tuple[str, ...], *, is_required: bool) -> list[OptionDecorator]:
    return [
        click.option(
            "-b",
            "--broker-base-url",
            required=is_required,
            envvar="PACT_BROKER_BASE_URL",
            show_envvar=True,
            help="The broker's address.",
        ),
        click.option(
            *username_flag,
            "--broker-username",
            envvar="PACT_BROKER_USERNAME",
            show_envvar=True,
            help="Username for the broker.",
        ),
        click.option(
            "-p",
            "--broker-password",
            envvar="PACT_BROKER_PASSWORD",
            show_envvar=True,
            help="Password for the broker.",
        ),
        click.option(
            "-k",
            "--broker-token",
            envvar="PACT_BROKER_TOKEN",
            show_envvar=True,
            help="Bearer token, instead of a username.",
        ),
        click.option(
            "--custom-header", multiple=True, metavar="'NAME: VALUE'", help="Additional request header; repeatable."
        ),
        click.option(
            "--retries",
            type=int,
            default=8,
            show_default=True,
            envvar="PACT_BROKER_HTTP_RETRIES",
            help="Number of attempts for each request, including the first.",
        ),
        click.option(
            "-c", "--ssl-certificate", envvar="SSL_CERT_FILE", help="PEM file of certificate authorities to trust."
        ),
        click.option(
            "--skip-ssl-verification",
            is_flag=True,
            envvar=[
                "SSL_SKIP_VERIFICATION",
                "PACT_DISABLE_SSL_VERIFICATION",
                "PACT_BROKER_DISABLE_SSL_VERIFICATION",
            ],
            help="Accept any certificate (insecure).",
        ),
        click.option(
            "--ssl-trust-store",
            type=bool,
            default=True,
            show_default=True,
            envvar="SSL_TRUST_STORE",
            help="Also trust the system's certificate authorities.",
        ),
        click.option("-v", "--verbose/--no-verbose", cls=Flag, help="Print requests and responses to stderr."),
        click.option("--log-level", hidden=True, help="Same as --verbose for `info`, `debug` and `trace`."),
        *telemetry.telemetry_options(),
    ]


def _add_program_options(values: dict[str, Any]) -> dict[str, Any]:
    """Add the options before the command's name, where the Rust client accepts those of telemetry too."""
    program_values = click.get_current_context().find_root().params
    return values | {name: values[name] or value for name, value in program_values.items() if name in values}


def create_client(values: dict[str, Any], command_telemetry: CommandTelemetry = NO_TELEMETRY) -> BrokerClient:
    """Create the client that the connection options describe. Raises Failure if their credentials are contradictory."""
    from treaty.client import BrokerClient  # noqa: PLC0415 - httpx takes long to load, and some commands need no broker

    _check_credentials(click.get_current_context())
    is_verbose = values["verbose"] or os.environ.get("VERBOSE") == "true" or values["log_level"] in _VERBOSE_LOG_LEVELS

    def report_retry(text: str) -> None:
        output.print_error(text)
        command_telemetry.log(text)

    def print_trace(text: str) -> None:
        if is_verbose:
            output.print_error(text)
        command_telemetry.log(text)

    def report_warning(text: str) -> None:
        output.print_warning(f"Warning: {text}")
        command_telemetry.log(text)

    return BrokerClient(
        _create_connection(values),
        report_retry=report_retry,
        report_warning=report_warning,
        trace=print_trace if is_verbose or command_telemetry is not NO_TELEMETRY else None,
        wrap_send=command_telemetry.wrap_send,
    )


def create_other_client(
    url: str, username: str | None, password: str | None, token: str | None, *, address_option: str
) -> BrokerClient:
    """Create a client for another broker, with the retries and certificates of the command's own.

    `address_option` is the option with its address.
    """
    other = {"broker_base_url": url, "broker_username": username, "broker_password": password, "broker_token": token}
    # Custom headers often hold credentials, which the other broker must not receive.
    return create_client(
        click.get_current_context().params | other | {"custom_header": (), "address_option": address_option}
    )


def create_service_connection(
    url: str, token: str, headers: Mapping[str, str], *, proxy: str | None = None
) -> BrokerConnection:
    """Create a connection to another service, with the retries and certificates of the command's own broker.

    The credentials of the broker are left out, among them its client certificate.
    """
    connection = _create_connection(
        click.get_current_context().params
        | {"broker_base_url": url, "broker_username": None, "broker_password": None, "broker_token": token or None}
        | {"custom_header": (), "address_option": "--api-url"}
    )
    tls = replace(connection.tls, client_certificate=None)
    return replace(connection, headers=dict(headers), tls=tls, proxy=proxy)


def _create_connection(values: dict[str, Any]) -> BrokerConnection:
    from treaty.client import BrokerConnection, RetryPolicy, Tls  # noqa: PLC0415 - as above

    if values["skip_ssl_verification"]:
        output.print_error(_NOT_VERIFIED)
    certificate, key = os.environ.get("X509_CLIENT_CERT_FILE"), os.environ.get("X509_CLIENT_KEY_FILE")
    return BrokerConnection(
        base_url=values["broker_base_url"],
        address_option=values.get("address_option", "--broker-base-url"),
        username=values["broker_username"],
        password=values["broker_password"],
        token=values["broker_token"],
        headers=_parse_headers(values["custom_header"]),
        tls=Tls(
            verify=not values["skip_ssl_verification"],
            certificate=values["ssl_certificate"],
            trusts_system_store=values["ssl_trust_store"],
            client_certificate=(certificate, key) if certificate and key else None,
        ),
        retry_policy=RetryPolicy(attempts=values["retries"]),
    )


def _parse_headers(texts: Iterable[str]) -> dict[str, str]:
    """Parse headers. Those without a name or a value are ignored, as in the Rust client; the last of a name is used."""
    parts = (text.partition(":") for text in texts)
    headers = ((name.strip(), value.strip()) for name, _, value in parts)
    return {name: value for name, value in headers if name and value}


def _check_credentials(ctx: click.Context) -> None:
    """Raise Failure for a username and a token on the command line.

    Variables do not count: a token in a CI system's environment and a username for one command are common.
    """
    sources = [ctx.get_parameter_source(name) for name in ("broker_username", "broker_token")]
    is_contradictory = all(source is ParameterSource.COMMANDLINE for source in sources)
    if ctx.command.name in _COMMANDS_WITH_ONE_CREDENTIAL and is_contradictory:
        raise Failure(_TWO_CREDENTIALS)


def output_option(*forms: str) -> OptionDecorator:
    """Return the option for the form of the output; the first form is the default."""

    def check(_: click.Context, __: click.Parameter, form: str) -> str:
        if form not in forms:
            choices = " or ".join(f"'{name}'" for name in forms)
            raise Failure(f"Invalid output option '{form}'. Must be one of {choices}.")
        return form

    return click.option(
        "-o",
        "--output",
        "form",
        metavar="|".join(forms),
        default=forms[0],
        show_default=True,
        callback=check,
        help="The output format.",
    )


def pacticipant_option(*, required: bool = True) -> OptionDecorator:
    return click.option("-a", "--pacticipant", required=required, help="The pacticipant's name.")


def version_option(*, required: bool = True) -> OptionDecorator:
    return click.option("-e", "--version", required=required, help="The version number.")


def environment_option() -> OptionDecorator:
    return click.option("--environment", required=True, help="The environment's name.")
