"""The options that commands share, above all how a broker is reached."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from treaty.cli import output, telemetry
from treaty.cli.program import Failure, Flag

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treaty.cli.telemetry import CommandTelemetry
    from treaty.client import BrokerClient, BrokerConnection, Tls

    OptionDecorator = Callable[[Callable[..., None]], Callable[..., None]]

_OF_A_CONNECTION: Final = {
    "broker_base_url",
    "broker_username",
    "broker_password",
    "broker_token",
    "custom_header",
    "retries",
    "ssl_certificate",
    "skip_ssl_verification",
    "ssl_trust_store",
    "verbose",
    "log_level",
    *telemetry.OPTION_NAMES,
}
_REFUSE_TWO_IDENTITIES: Final = {
    "publish",
    "can-i-deploy",
    "can-i-merge",
    "describe-version",
    "create-version-tag",
    "delete-branch",
    "create-webhook",
    "create-or-update-webhook",
}
_TWO_IDENTITIES: Final = (
    "You cannot provide both a username/password and a bearer token. If your Pact Broker uses a bearer token, please "
    "remove the username and password configuration."
)
_UNVERIFIED: Final = (
    "WARN: The broker's certificate is not verified, so anybody between could read and change what is sent. "
    "Prefer --ssl-certificate."
)


def connection_options(*, username_flag: tuple[str, ...] = ("-u",)) -> OptionDecorator:
    """Give a command the options of a connection, and call it with the `broker` that they lead to."""

    def with_broker(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**given: Any) -> None:
            theirs = {name: value for name, value in given.items() if name not in _OF_A_CONNECTION}
            given = _with_those_before(given)
            name = click.get_current_context().command_path
            with telemetry.record_if_enabled(name, given) as told, create_client(given, told) as broker:
                command(broker=broker, **theirs)

        return _with(_connection_options(username_flag), run)

    return with_broker


def _connection_options(username_flag: tuple[str, ...]) -> list[OptionDecorator]:
    return [
        click.option(
            "-b", "--broker-base-url", required=True, envvar="PACT_BROKER_BASE_URL", help="The broker's address."
        ),
        click.option(*username_flag, "--broker-username", envvar="PACT_BROKER_USERNAME", help="Its user, if it asks."),
        click.option("-p", "--broker-password", envvar="PACT_BROKER_PASSWORD", help="The user's password."),
        click.option("-k", "--broker-token", envvar="PACT_BROKER_TOKEN", help="A bearer token, instead of a user."),
        click.option("--custom-header", multiple=True, metavar="'NAME: VALUE'", help="One more header; repeatable."),
        click.option(
            "--retries",
            type=int,
            default=8,
            show_default=True,
            envvar="PACT_BROKER_HTTP_RETRIES",
            help="How often to try a request in all.",
        ),
        click.option("-c", "--ssl-certificate", envvar="SSL_CERT_FILE", help="A file of authorities to trust."),
        click.option(
            "--skip-ssl-verification",
            is_flag=True,
            envvar=[
                "SSL_SKIP_VERIFICATION",
                "PACT_DISABLE_SSL_VERIFICATION",
                "PACT_BROKER_DISABLE_SSL_VERIFICATION",
            ],
            help="Trust any certificate (unsafe).",
        ),
        click.option(
            "--ssl-trust-store",
            type=bool,
            default=True,
            show_default=True,
            envvar="SSL_TRUST_STORE",
            help="Trust the system's authorities too.",
        ),
        click.option("-v", "--verbose/--no-verbose", cls=Flag, help="Show the requests, on stderr."),
        click.option("--log-level", hidden=True, help="`info`, `debug` and `trace` mean --verbose."),
        *telemetry.telemetry_options(),
    ]


def _with(options: Sequence[OptionDecorator], command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(options):
        command = option(command)
    return command


def _with_those_before(given: dict[str, Any]) -> dict[str, Any]:
    """Add the options that stood before the command's name, where the newer client takes some too."""
    before = click.get_current_context().find_root().params
    return given | {name: given[name] or value for name, value in before.items() if name in given}


def create_client(given: dict[str, Any], told: CommandTelemetry = telemetry.NO_TELEMETRY) -> BrokerClient:
    from treaty.client import BrokerClient  # noqa: PLC0415 - httpx takes long to load, and some commands need no broker

    _refuse_two_identities(click.get_current_context())
    asked = given["verbose"] or os.environ.get("VERBOSE") == "true"
    verbose = asked or given["log_level"] in {"info", "debug", "trace"}
    return BrokerClient(
        _connection(given),
        report_retry=_both(output.print_error, told.log),
        trace=_both(output.print_error if verbose else _nothing, told.log),
        wrap_send=told.wrap_send,
    )


def create_other_client(url: str, username: str | None, password: str | None, token: str | None) -> BrokerClient:
    """Reach another broker than the command's own, with the same patience and trust."""
    identity = {"broker_base_url": url, "broker_username": username, "broker_password": password, "broker_token": token}
    return create_client(click.get_current_context().params | identity | {"custom_header": ()})


def _both(first: Callable[[str], None], second: Callable[[str], None]) -> Callable[[str], None]:
    def tell(text: str) -> None:
        first(text)
        second(text)

    return tell


def _nothing(_: str) -> None:
    """Say nothing."""


def _connection(given: dict[str, Any]) -> BrokerConnection:
    from treaty.client import BrokerConnection, RetryPolicy  # noqa: PLC0415 - as above

    return BrokerConnection(
        base_url=given["broker_base_url"],
        username=given["broker_username"],
        password=given["broker_password"],
        token=given["broker_token"],
        headers=dict(_header(each) for each in given["custom_header"] if _is_header(each)),
        tls=_tls(given),
        retry_policy=RetryPolicy(attempts=given["retries"]),
    )


def _tls(given: dict[str, Any]) -> Tls:
    from treaty.client import Tls  # noqa: PLC0415 - as above

    if given["skip_ssl_verification"]:
        output.print_error(_UNVERIFIED)
    certificate, key = os.environ.get("X509_CLIENT_CERT_FILE"), os.environ.get("X509_CLIENT_KEY_FILE")
    return Tls(
        verify=not given["skip_ssl_verification"],
        certificate=given["ssl_certificate"],
        trusts_system_store=given["ssl_trust_store"],
        client_certificate=(certificate, key) if certificate and key else None,
    )


def _header(text: str) -> tuple[str, str]:
    name, _, value = text.partition(":")
    return name.strip(), value.strip()


def _is_header(text: str) -> bool:
    return all(_header(text))


def _refuse_two_identities(ctx: click.Context) -> None:
    """Only what was typed counts: a token in the environment and a user beside it are common."""
    typed = ("broker_username", "broker_token")
    if ctx.command.name in _REFUSE_TWO_IDENTITIES and all(_is_typed(ctx, name) for name in typed):
        raise Failure(_TWO_IDENTITIES)


def _is_typed(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def output_option(*kinds: str) -> OptionDecorator:
    """Offer forms of output; the first is the default."""

    def check(_: click.Context, __: click.Parameter, kind: str) -> str:
        if kind not in kinds:
            choices = " or ".join(f"'{each}'" for each in kinds)
            raise Failure(f"Invalid output option '{kind}'. Must be one of {choices}.")
        return kind

    return click.option(
        "-o",
        "--output",
        "form",
        metavar="|".join(kinds),
        default=kinds[0],
        show_default=True,
        callback=check,
        help="The form.",
    )


def pacticipant_option() -> OptionDecorator:
    return click.option("-a", "--pacticipant", required=True, help="The pacticipant's name.")


def version_option(*, required: bool = True) -> OptionDecorator:
    return click.option("-e", "--version", required=required, help="The version's number.")


def environment_option() -> OptionDecorator:
    return click.option("--environment", required=True, help="The environment's name.")
