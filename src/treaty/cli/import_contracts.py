"""Copying the contracts of providers from brokers without an export, such as PactFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from treaty.cli.import_exports import describe_contract
from treaty.cli.import_sources import Request, select_members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treaty.cli.import_sources import ImportSource
    from treaty.cli.import_targets import ImportTarget
    from treaty.cli.progress import Progress
    from treaty.client import HalResource, Json

KIND: Final = "provider-contracts"
_PARTS: Final = ("provider-contract", "provider-contract-verification-results")
_RESULT_MEMBERS: Final = ("content", "contentType", "format", "verifier", "verifierVersion")


def copy_contracts(
    source: ImportSource, target: ImportTarget, progress: Progress, versions: Mapping[str, Mapping[str, str]]
) -> None:
    """Copy the contracts of all versions, which are the times of creation by name and number.

    No list of the source says which versions have a contract. So each version is requested; most have none.
    """
    progress.begin("contracts of providers", sum(map(len, versions.values())))
    jobs = [
        ((name, number), _request(source, name, number, _PARTS[0]))
        for name, numbers in versions.items()
        for number in numbers
    ]
    for (name, number), resource in source.find_optional(KIND, jobs):
        if resource is not None:
            _copy(source, target, (name, number), resource, versions[name][number])
        progress.advance()
    target.flush()


def _request(source: ImportSource, name: str, number: str, part: str) -> Request:
    href = source.broker.url_for("contracts", "bi-directional", "provider", name, "version", number, part)
    return Request(f"the contract of {name} {number}", href)


def _copy(
    source: ImportSource, target: ImportTarget, version: tuple[str, str], resource: HalResource, created_at: str
) -> None:
    contracts = [contract for contract in resource.embedded("contracts") if _is_readable(contract)]
    if not contracts:
        reason = "the source returns it in a form that Treaty does not know: publish it again here"
        target.report.refuse(KIND, f"the contract of {version[0]} {version[1]}", reason)
        return
    results = _find_results(source, version)
    for contract in contracts:
        name = contract.get("name") or ""
        result = next((result for result in results if (result.get("contract") or "") == name), None)
        fact = {
            "kind": "provider-contract",
            "provider": version[0],
            "version": version[1],
            "name": name,
            "createdAt": contract.get("createdAt") or created_at,
            **select_members(contract, "content", "contentType", "specification"),
            "selfVerification": None if result is None else _self_verification(result, created_at),
        }
        target.add(KIND, describe_contract(fact), fact)


def _is_readable(contract: Json) -> bool:
    return all(isinstance(contract.get(member), str) for member in ("content", "contentType", "specification"))


def _find_results(source: ImportSource, version: tuple[str, str]) -> list[Json]:
    """Find the newest self-verification of each contract of a version."""
    jobs: Iterator[tuple[None, Request]] = iter([(None, _request(source, *version, _PARTS[1]))])
    ((_, resource),) = source.find_optional(KIND, jobs)
    return [] if resource is None else [result for result in resource.embedded("results") if "success" in result]


def _self_verification(result: Json, created_at: str) -> dict[str, Any]:
    return {
        "success": result["success"],
        "createdAt": result.get("verificationDate") or created_at,
        **select_members(result, *_RESULT_MEMBERS),
    }
