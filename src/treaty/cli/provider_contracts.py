"""Publishing a provider's own contracts, for bi-directional contract testing, to Treaty or to PactFlow."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from treaty.cli import builds, options, output, pacticipants
from treaty.cli.program import Command, Failure
from treaty.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

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
@click.argument("contract_files", metavar="CONTRACT_FILE...", nargs=-1, required=True)
@click.option("--provider", required=True, help="The provider's name.")
@click.option("-a", "--provider-app-version", help="The provider's version number.")
@builds.version_options
@click.option(
    "--specification",
    help="The kind of contract: oas or asyncapi (default: detected from the file, else oas).",
)
@click.option(
    "--content-type", help="The contract's media type (default: application/json for *.json, else application/yaml)."
)
@click.option(
    "--verification-success/--no-verification-success",
    default=None,
    help="Whether the provider was verified against the contract.",
)
@click.option(
    "--verification-exit-code",
    type=int,
    help="The exit code of the tool that verified the provider, instead of --verification-success.",
)
@click.option(
    "--verification-results", metavar="FILE", help="The report of that tool, preferably in JUnit XML or CTRF."
)
@click.option("--verification-results-content-type", help="The media type of the report.")
@click.option("--verification-results-format", help="The format of the report, such as text.")
@click.option("--verifier", help="The tool's name.")
@click.option("--verifier-version", help="The tool's version.")
@options.output_option("text", "json", "pretty")
@options.connection_options()
def publish_provider_contract(broker: BrokerClient, form: str, **values: Any) -> None:
    """Publish the contract of a provider version: an OpenAPI or AsyncAPI document.

    Several files are several contracts of the version, each named after its file.
    """
    build = builds.read_build(values, version_option="provider_app_version")
    contracts = [_contract(file, values) for file in values["contract_files"]]
    if len(contracts) > 1:
        contracts = _name_contracts(values["contract_files"], contracts)
    is_by_path = _uses_old_api(broker) and len(contracts) == 1
    try:
        text, response = publish(broker, values["provider"], build, contracts)
    except Refused as refused:
        if is_by_path:
            raise
        output.print_line(output.format_publication(refused) if form == "text" else refused.body or "{}")
        raise SystemExit(1) from refused
    output.show(response, form, text)


def publish(broker: BrokerClient, provider: str, build: Build, contracts: Sequence[Json]) -> tuple[str, HalResource]:
    """Publish the contracts of a provider version; return a text for people, and the response.

    Several contracts have names. Raises Refused if the broker does not accept them.
    """
    if len(contracts) == 1 and _uses_old_api(broker):
        return _publish_by_path(broker, provider, build, contracts[0])
    response = (
        _publish_several(broker, provider, build, contracts)
        if len(contracts) > 1
        else _post(broker, provider, build, {"contract": contracts[0]}, relation="pf:publish-provider-contract")
    )
    return output.format_publication(response) or _success_message(provider, build), response


def _contract(file: str, values: dict[str, Any]) -> Json:
    source = _read(file)
    results = _verification_results(values)
    content_type = values["content_type"] or f"application/{'json' if file.endswith('.json') else 'yaml'}"
    return to_contract(source, content_type, specification=values["specification"], results=results)


def to_contract(source: bytes, content_type: str, *, specification: str | None = None, results: Json | None) -> Json:
    """Describe a document, and the results of testing the provider against it, as the broker expects them."""
    return {
        "content": base64.b64encode(source).decode(),
        "specification": specification or _detect_specification(source),
        "contentType": content_type,
        **({"selfVerificationResults": results} if results else {}),
    }


_ASYNCAPI: Final = re.compile(rb"""^[^\S\n]*(?:\{[^\S\n]*)?["']?asyncapi["']?\s*:""", re.MULTILINE)


def _detect_specification(source: bytes) -> str:
    """Detect the kind of a document by the member with its version, which is among the first lines by convention."""
    return "asyncapi" if _ASYNCAPI.search(source[:_HEAD_BYTES]) else "oas"


_HEAD_BYTES: Final = 4096


def _name_contracts(files: Sequence[str], contracts: Sequence[Json]) -> list[Json]:
    """Name each contract after its file, without the folder and the extension."""
    names = [Path(file).stem for file in files]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise Failure(
            f"Several files have the name '{repeated}', by which the broker distinguishes their contracts. Rename one"
            " of them."
        )
    return [{"name": name, **contract} for name, contract in zip(names, contracts, strict=True)]


def _verification_results(values: dict[str, Any]) -> Json:
    file = values["verification_results"]
    members = {
        "success": _success(values["verification_success"], values["verification_exit_code"]),
        "content": base64.b64encode(_read(file)).decode() if file else None,
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


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Failure(f"Could not read {path}: {error.strerror}\nGive the path of a file that exists.") from error


def _uses_old_api(broker: BrokerClient) -> bool:
    is_requested = "publish_provider_contracts_using_old_api" in os.environ.get("PACTFLOW_FEATURES", "")
    return is_requested or not broker.index.has_link("pf:publish-provider-contract")


def _publish_several(broker: BrokerClient, provider: str, build: Build, contracts: Sequence[Json]) -> HalResource:
    relation = "pf:publish-provider-contracts"
    if not broker.index.has_link(relation):
        raise Failure(
            "The broker accepts one contract of a provider version only: its index has no link "
            f"'{relation}'. Upgrade it, or publish one file."
        )
    return _post(broker, provider, build, {"contracts": list(contracts)}, relation=relation)


def _post(broker: BrokerClient, provider: str, build: Build, contracts: Json, *, relation: str) -> HalResource:
    optional = {"branch": build.branch, "buildUrl": build.build_url}
    body = {
        "pacticipantVersionNumber": build.version,
        "tags": list(build.tags),
        **{name: value for name, value in optional.items() if value},
        **contracts,
    }
    return broker.post(broker.link(relation, provider=provider), body, accept=_ACCEPT)


def _publish_by_path(broker: BrokerClient, provider: str, build: Build, contract: Json) -> tuple[str, HalResource]:
    """Publish to a broker that has no link for it yet: create the version, then put the contract at its path."""
    if build.branch or build.tags:
        pacticipants.write_version(broker, provider, build.version, branch=build.branch, tags=build.tags)
    names = {"specification": "contractType", "selfVerificationResults": "verificationResults"}
    body = {names.get(name, name): value for name, value in contract.items()}
    response = broker.put(broker.url_for("contracts", "provider", provider, "version", build.version), body)
    return "\n".join([_success_message(provider, build), *_link_lines(response), _NEXT_STEPS]), response


def _success_message(provider: str, build: Build) -> str:
    return output.green(f"Successfully published provider contract for {provider} version {build.version} to PactFlow")


def _link_lines(response: HalResource) -> list[str]:
    return [f"View the uploaded contract at {link.href}" for link in response.links("pf:ui")]
