"""Commands for PactFlow only: publishing a provider's own contract, for bi-directional contract testing."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import builds, options, output, pacticipants
from treaty.cli.program import Command, Failure
from treaty.errors import Refused

if TYPE_CHECKING:
    from treaty.cli.builds import Build
    from treaty.client import BrokerClient, HalResource, Json

_ACCEPT: Final = "application/hal+json,application/problem+json"
_CONTRADICTORY_RESULT: Final = (
    "Cannot use both --verification-success|--no-verification-success and --verification-exit-code"
)
_NEXT_STEPS: Final = """Next steps:
  * Check that your application is safe to deploy before you deploy it: can-i-deploy
  * Record each deployment and release of it: record-deployment, record-release"""


@click.command("publish-provider-contract", cls=Command)
@click.argument("contract_file")
@click.option("--provider", required=True, help="The provider's name.")
@click.option("-a", "--provider-app-version", help="The provider's version number.")
@builds.version_options
@click.option("--specification", default="oas", show_default=True, help="The kind of contract.")
@click.option("--content-type", help="Its media type (default application/yaml; application/json for *.json).")
@click.option(
    "--verification-success/--no-verification-success",
    default=None,
    help="Whether the provider was verified against the contract.",
)
@click.option("--verification-exit-code", type=int, help="Or the exit code of the tool that verified it.")
@click.option("--verification-results", metavar="FILE", help="File with the results of the tool.")
@click.option("--verification-results-content-type", help="The media type of that file.")
@click.option("--verification-results-format", help="The format of that file, such as text.")
@click.option("--verifier", help="The tool's name.")
@click.option("--verifier-version", help="The tool's version.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def publish_provider_contract(broker: BrokerClient, form: str, **values: Any) -> None:
    """Publish a provider's contract to PactFlow."""
    build = builds.read_build(values, version_option="provider_app_version")
    contract = _contract(values)
    if _uses_old_api(broker):
        _publish_by_path(broker, values["provider"], build, contract, form)
    else:
        _publish(broker, values["provider"], build, contract, form)


def _contract(values: dict[str, Any]) -> Json:
    file = values["contract_file"]
    results = _verification_results(values)
    return {
        "content": _read_base64(file),
        "specification": values["specification"],
        "contentType": values["content_type"] or f"application/{'json' if file.endswith('.json') else 'yaml'}",
        **({"selfVerificationResults": results} if results else {}),
    }


def _verification_results(values: dict[str, Any]) -> Json:
    file = values["verification_results"]
    members = {
        "success": _success(values["verification_success"], values["verification_exit_code"]),
        "content": _read_base64(file) if file else None,
        "contentType": values["verification_results_content_type"],
        "format": values["verification_results_format"],
        "verifier": values["verifier"],
        "verifierVersion": values["verifier_version"],
    }
    return {name: value for name, value in members.items() if value is not None}


def _success(success: bool | None, exit_code: int | None) -> bool | None:  # noqa: FBT001 - a value, not a switch
    if success is not None and exit_code is not None:
        raise Failure(_CONTRADICTORY_RESULT)
    return exit_code == 0 if exit_code is not None else success


def _read_base64(path: str) -> str:
    try:
        return base64.b64encode(Path(path).read_bytes()).decode()
    except OSError as error:
        raise Failure(f"Could not read {path}: {error.strerror}\nGive the path of a file that exists.") from error


def _uses_old_api(broker: BrokerClient) -> bool:
    is_requested = "publish_provider_contracts_using_old_api" in os.environ.get("PACTFLOW_FEATURES", "")
    return is_requested or not broker.index.has_link("pf:publish-provider-contract")


def _publish(broker: BrokerClient, provider: str, build: Build, contract: Json, form: str) -> None:
    optional = {"branch": build.branch, "buildUrl": build.build_url}
    body = {
        "pacticipantVersionNumber": build.version,
        "tags": list(build.tags),
        **{name: value for name, value in optional.items() if value},
        "contract": contract,
    }
    try:
        url = broker.link("pf:publish-provider-contract", provider=provider)
        response = broker.post(url, body, accept=_ACCEPT)
    except Refused as refused:
        output.print_line(output.format_publication(refused) if form == "text" else refused.body or "{}")
        raise SystemExit(1) from refused
    output.show(response, form, output.format_publication(response) or _success_message(provider, build))


def _publish_by_path(broker: BrokerClient, provider: str, build: Build, contract: Json, form: str) -> None:
    """Publish to a PactFlow that has no link for it yet: create the version, then put the contract at its path."""
    if build.branch or build.tags:
        pacticipants.write_version(broker, provider, build.version, branch=build.branch, tags=build.tags)
    names = {"specification": "contractType", "selfVerificationResults": "verificationResults"}
    body = {names.get(name, name): value for name, value in contract.items()}
    response = broker.put(broker.url_for("contracts", "provider", provider, "version", build.version), body)
    output.show(response, form, "\n".join([_success_message(provider, build), *_link_lines(response), _NEXT_STEPS]))


def _success_message(provider: str, build: Build) -> str:
    return output.green(f"Successfully published provider contract for {provider} version {build.version} to PactFlow")


def _link_lines(response: HalResource) -> list[str]:
    return [f"View the uploaded contract at {link.href}" for link in response.links("pf:ui")]
