"""Notices for clients that publish contracts of providers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from treaty.model.pacts.notices import Notice
from treaty.model.provider_contracts.contracts import describe_name
from treaty.model.provider_contracts.coverage import Coverage
from treaty.model.wording import choose_form


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
    provider: str,
    version: str,
    contracts: Sequence[PublishedProviderContract],
    *,
    is_self_verified: bool | None,
    coverage: Coverage | None,
) -> list[Notice]:
    """Build the notices about the contracts of a provider version. `coverage` is None if no report was published."""
    notices = [notice for contract in contracts for notice in _describe(provider, version, contract)]
    notices += _describe_coverage(coverage) if coverage else []
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


_CONTRADICTION: Final = (
    "The self-verification was published as a success, but its report has {count}, of which the first is {first}"
    " Decisions rely on the published outcome. If the provider does not conform to its contract, publish the result"
    " again as a failure (--verification-exit-code 1)."
)
_ANOTHER_API: Final = (
    "The report of the self-verification has no operation of the {label}, but others, such as {operation}. It is"
    " probably the report of another API: publish the result again with the right file (--verification-results)."
)
_UNREADABLE: Final = (
    "  To see which operations were exercised, publish a report that names them, such as JUnit XML or CTRF"
    " (--verification-results)."
)


def _describe_coverage(coverage: Coverage) -> Iterable[Notice]:
    yield Notice("info", coverage.summary)
    reported = [(contract, contract.shown) for contract in coverage.contracts if contract.shown]
    if reported and not coverage.is_known:
        yield Notice("prompt", _UNREADABLE)
    # The command publishes several contracts with the same report.
    yield from dict.fromkeys(
        Notice("warning", _CONTRADICTION.format(count=_count(shown.failures), first=_end(shown.first_failure)))
        for contract, shown in reported
        if contract.success and shown.failures
    )
    if any(shown.operations for _, shown in reported):
        return
    for contract, shown in reported:
        if shown.is_of_another_api:
            yield Notice("warning", _ANOTHER_API.format(label=contract.label, operation=shown.unmatched[0]))


def _count(failures: int) -> str:
    return f"{failures} {choose_form(failures, 'failure', 'failures')}"


def _end(text: str) -> str:
    """End a quoted text as a sentence."""
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."
