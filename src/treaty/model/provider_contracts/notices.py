"""Notices for clients that publish contracts of providers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from treaty.model.pacts.notices import Notice
from treaty.model.provider_contracts.contracts import describe_name


class ContractOutcome(Enum):
    """How a published contract relates to the one that its version had before."""

    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedProviderContract:
    """Result of publishing one contract, from which its notices are built."""

    name: str
    outcome: ContractOutcome
    warnings: tuple[str, ...]
    self_verification: bool | None


def describe_conflict(provider: str, version: str, contract: str) -> str:
    """Explain why a document cannot replace the published one. `contract` are the words for the contract."""
    return (
        f"Cannot change the content of the {contract} of {provider} version {version}, as decisions may already rest on"
        " it. Nothing was published. Each version number must belong to one state of the code: publish the changed"
        " document with a new version number, which should be, or contain, the commit."
    )


def build_contract_notices(
    provider: str, version: str, contracts: Sequence[PublishedProviderContract], *, is_self_verified: bool | None
) -> list[Notice]:
    """Build the notices about the contracts of a provider version."""
    notices = [notice for contract in contracts for notice in _describe(provider, version, contract)]
    match is_self_verified:
        case None:
            notices.append(Notice("prompt", _NEXT_STEP.format(provider=provider)))
        case False:
            notices.append(Notice("warning", _FAILED.format(provider=provider, version=version)))
    return notices


_NEXT_STEP: Final = (
    "  Next steps:\n    * Test {provider} against its own contract, and publish the contract with the result"
    " (--verification-exit-code or --verification-success). Until then can-i-deploy answers 'unknown' for its"
    " consumers."
)
_FAILED: Final = (
    "The self-verification of {provider} version {version} failed, so that can-i-deploy answers no for its consumers."
    " Correct the provider or its contract, and publish the result again."
)


def _describe(provider: str, version: str, contract: PublishedProviderContract) -> Iterable[Notice]:
    label = describe_name(contract.name)
    match contract.outcome:
        case ContractOutcome.NEW:
            yield Notice("success", f"The {label} was published for {provider} version {version}.")
        case ContractOutcome.SAME:
            text = f"The {label} was published again for {provider} version {version}, with the same content."
            yield Notice("success", text)
    for warning in contract.warnings:
        yield Notice("warning", warning)
