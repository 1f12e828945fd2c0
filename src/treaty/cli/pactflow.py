"""What only PactFlow knows: contracts that a provider publishes about itself."""

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
_TWICE: Final = "Cannot use both --verification-success|--no-verification-success and --verification-exit-code"
_NEXT_STEPS: Final = """Next steps:
  * Check that your application is safe to deploy before you deploy it: can-i-deploy
  * Record each deployment and release of it: record-deployment, record-release"""


@click.command("publish-provider-contract", cls=Command)
@click.argument("contract_file")
@click.option("--provider", required=True, help="The provider's name.")
@click.option("-a", "--provider-app-version", help="The provider's version number.")
@builds.version_options
@click.option("--specification", default="oas", show_default=True, help="The kind of contract.")
@click.option("--content-type", help="Its media type; application/yaml, or application/json for *.json.")
@click.option(
    "--verification-success/--no-verification-success", default=None, help="Whether the provider does what it says."
)
@click.option("--verification-exit-code", type=int, help="Or the exit code of the program that verified it.")
@click.option("--verification-results", metavar="FILE", help="What that program said.")
@click.option("--verification-results-content-type", help="The media type of what it said.")
@click.option("--verification-results-format", help="The format of what it said.")
@click.option("--verifier", help="The program's name.")
@click.option("--verifier-version", help="The program's version.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def publish_provider_contract(broker: BrokerClient, form: str, **given: Any) -> None:
    """Publish a provider's contract to PactFlow."""
    build = builds.read_build(given, version_option="provider_app_version")
    contract = _contract(given)
    if _is_old(broker):
        _publish_by_path(broker, given["provider"], build, contract, form)
    else:
        _publish(broker, given["provider"], build, contract, form)


def _contract(given: dict[str, Any]) -> Json:
    file = given["contract_file"]
    results = _results(given)
    return {
        "content": _encoded(file),
        "specification": given["specification"],
        "contentType": given["content_type"] or f"application/{'json' if file.endswith('.json') else 'yaml'}",
        **({"selfVerificationResults": results} if results else {}),
    }


def _results(given: dict[str, Any]) -> Json:
    file = given["verification_results"]
    told = {
        "success": _success(given["verification_success"], given["verification_exit_code"]),
        "content": _encoded(file) if file else None,
        "contentType": given["verification_results_content_type"],
        "format": given["verification_results_format"],
        "verifier": given["verifier"],
        "verifierVersion": given["verifier_version"],
    }
    return {name: value for name, value in told.items() if value is not None}


def _success(success: bool | None, exit_code: int | None) -> bool | None:  # noqa: FBT001 - a value, not a switch
    if success is not None and exit_code is not None:
        raise Failure(_TWICE)
    return exit_code == 0 if exit_code is not None else success


def _encoded(path: str) -> str:
    try:
        return base64.b64encode(Path(path).read_bytes()).decode()
    except OSError as error:
        raise Failure(f"Could not read {path}: {error.strerror}\nGive the path of a file that exists.") from error


def _is_old(broker: BrokerClient) -> bool:
    wanted = "publish_provider_contracts_using_old_api" in os.environ.get("PACTFLOW_FEATURES", "")
    return wanted or not broker.index.has_link("pf:publish-provider-contract")


def _publish(broker: BrokerClient, provider: str, build: Build, contract: Json, form: str) -> None:
    known = {"branch": build.branch, "buildUrl": build.build_url}
    body = {
        "pacticipantVersionNumber": build.version,
        "tags": list(build.tags),
        **{name: value for name, value in known.items() if value},
        "contract": contract,
    }
    try:
        url = broker.link("pf:publish-provider-contract", provider=provider)
        answer = broker.post(url, body, accept=_ACCEPT)
    except Refused as refused:
        output.print_line(output.format_publication(refused) if form == "text" else refused.body or "{}")
        raise SystemExit(1) from refused
    output.show(answer, form, output.format_publication(answer) or _published(provider, build))


def _publish_by_path(broker: BrokerClient, provider: str, build: Build, contract: Json, form: str) -> None:
    """Publish as PactFlow wanted it before it had a link for this."""
    if build.branch or build.tags:
        pacticipants.write_version(broker, provider, build.version, branch=build.branch, tags=build.tags)
    names = {"specification": "contractType", "selfVerificationResults": "verificationResults"}
    body = {names.get(name, name): value for name, value in contract.items()}
    answer = broker.put(broker.url_for("contracts", "provider", provider, "version", build.version), body)
    output.show(answer, form, "\n".join([_published(provider, build), *_where(answer), _NEXT_STEPS]))


def _published(provider: str, build: Build) -> str:
    return output.green(f"Successfully published provider contract for {provider} version {build.version} to PactFlow")


def _where(answer: HalResource) -> list[str]:
    return [f"View the uploaded contract at {link.href}" for link in answer.links("pf:ui")]
