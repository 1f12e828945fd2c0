"""The program `pact-verifier` of pact-python 1 and 2, on top of the verifier of the classic API."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, Final

import click

from treaty.distribution import install_hint
from treaty.errors import TreatyError

_DEFAULT_TIMEOUT: Final = 30


@click.command(
    epilog="Example: pact-verifier --provider-base-url=http://localhost:8080 ./pacts",
    context_settings={"show_default": True, "help_option_names": ["-h", "--help"]},
)
@click.argument("pacts", nargs=-1)
@click.option("--provider-base-url", required=True, help="URL of the provider.")
@click.option(
    "--pact-url", multiple=True, help="Deprecated: pass pacts as arguments. A file, folder or URL; repeatable."
)
@click.option(
    "--pact-urls", multiple=True, help="Deprecated: pass pacts as arguments. Files or URLs, separated by commas."
)
@click.option("--provider-states-url", help="Deprecated, and has no effect.")
@click.option("--provider-states-setup-url", help="URL that sets up a provider state, in a POST request.")
@click.option("--pact-broker-url", envvar="PACT_BROKER_BASE_URL", show_envvar=True, help="URL of the broker.")
@click.option(
    "--pact-broker-username", envvar="PACT_BROKER_USERNAME", show_envvar=True, help="User name for the broker."
)
@click.option(
    "--pact-broker-password", envvar="PACT_BROKER_PASSWORD", show_envvar=True, help="Password for the broker."
)
@click.option(
    "--pact-broker-token", envvar="PACT_BROKER_TOKEN", show_envvar=True, help="Bearer token, instead of a user name."
)
@click.option("--provider", help="Name of the provider, whose pacts the broker selects.")
@click.option(
    "--consumer-version-tag", multiple=True, help="Verify the latest pacts of consumers with this tag; repeatable."
)
@click.option(
    "--consumer-version-selector",
    multiple=True,
    help="Verify the pacts of this selector, such as '{\"mainBranch\": true}'; repeatable.",
)
@click.option("--provider-version-tag", multiple=True, help="Tag for the provider's version; repeatable.")
@click.option("--provider-version-branch", help="Branch of the provider's version.")
@click.option(
    "--custom-provider-header",
    multiple=True,
    envvar="CUSTOM_PROVIDER_HEADER",
    show_envvar=True,
    metavar="'NAME: VALUE'",
    help="Header of the requests to the provider and to the URL of its states; repeatable.",
)
@click.option("-t", "--timeout", type=int, default=_DEFAULT_TIMEOUT, help="Seconds to wait for a response.")
@click.option("-a", "--provider-app-version", help="Version of the provider, to publish the results for.")
@click.option("-r", "--publish-verification-results", is_flag=True, help="Publish the results to the broker.")
@click.option("--verbose/--no-verbose", default=False, help="Log the verification to stderr.")
@click.option("--log-dir", help="Folder for the file pact.log.")
@click.option("--log-level", help="Level of the log: DEBUG, INFO, WARN, ERROR or NONE.")
@click.option("--enable-pending/--no-enable-pending", default=False, help="Do not fail because of pending pacts.")
@click.option("--include-wip-pacts-since", metavar="DATE", help="Also verify work in progress since this date.")
@click.pass_context
def main(context: click.Context, /, pacts: tuple[str, ...], **options: Any) -> None:
    """Verify a provider against pacts: files, folders and URLs, or those that a broker selects.

    Exits with 1 if the provider does not honour a pact, or if there is none.
    """
    sources = [*pacts, *options["pact_url"], *_split(options["pact_urls"])]
    _check(sources, options)
    try:
        context.exit(_verify(sources, options))
    except (TreatyError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


def _split(values: tuple[str, ...]) -> list[str]:
    return [url for value in values for url in value.split(",") if url]


def _check(sources: list[str], options: dict[str, Any]) -> None:
    if options["provider_states_url"]:
        click.echo("Warning: --provider-states-url has no effect.", err=True)
    if not sources and not (options["pact_broker_url"] and options["provider"]):
        raise click.UsageError("Pass pact files, folders or URLs, or else --pact-broker-url and --provider.")
    if options["publish_verification_results"] and not options["provider_app_version"]:
        raise click.UsageError("To publish results, pass the provider's version as --provider-app-version.")
    if missing := [source for source in sources if "://" not in source and not Path(source).exists()]:
        raise click.UsageError(f"These pact files could not be found: {', '.join(missing)}")


def _verify(sources: list[str], options: dict[str, Any]) -> int:
    """Return the exit code."""
    try:
        from treaty.pact import Verifier  # noqa: PLC0415 - pact-python is an extra
    except ModuleNotFoundError as error:
        if error.name not in {"pact", "pact_ffi"}:
            raise
        raise click.ClickException(f"pact-verifier needs pact-python 4: {install_hint('pytest')}.") from error
    verifier = Verifier(options["provider"] or "", options["provider_base_url"])
    values = _to_verifier_options(options)
    with warnings.catch_warnings(record=True) as recorded:
        warnings.simplefilter("always")
        result = verifier.verify_pacts(*sources, **values) if sources else verifier.verify_with_broker(**values)
    for warning in recorded:
        click.echo(f"Warning: {warning.message}", err=True)
    if not result and not options["verbose"]:
        click.echo(result.logs)
    return int(result)


def _to_verifier_options(options: dict[str, Any]) -> dict[str, Any]:
    return {
        "broker_url": options["pact_broker_url"],
        "broker_username": options["pact_broker_username"],
        "broker_password": options["pact_broker_password"],
        "broker_token": options["pact_broker_token"],
        "consumer_tags": options["consumer_version_tag"],
        "consumer_version_selectors": options["consumer_version_selector"],
        "enable_pending": options["enable_pending"],
        "headers": options["custom_provider_header"],
        "include_wip_pacts_since": options["include_wip_pacts_since"],
        "log_dir": options["log_dir"],
        "log_level": options["log_level"],
        "provider_branch": options["provider_version_branch"],
        "provider_states_setup_url": options["provider_states_setup_url"],
        "provider_tags": options["provider_version_tag"],
        "publish_verification_results": options["publish_verification_results"],
        "publish_version": options["provider_app_version"],
        "request_timeout": options["timeout"],
        "verbose": options["verbose"],
    }
