"""Collects the results of provider tests for each pact, and publishes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treaty import distribution
from treaty.cli import build_detection
from treaty.pytest_plugin import options
from treaty.testing import publishing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from treaty.client import BrokerClient, Json
    from treaty.testing.verifying import InteractionToVerify, VerificationOutcome


@dataclass(slots=True)
class PactResults:
    """A pact, and the results of its interactions so far."""

    about: Mapping[str, Any]
    """Description of the pact, from `to_report_data`."""
    by_interaction: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    """Results by the interaction's index. A test that is run again replaces its result."""

    @property
    def passed(self) -> int:
        return sum(result["success"] for result in self.by_interaction.values())

    @property
    def total(self) -> int:
        return int(self.about["total"])

    @property
    def is_complete(self) -> bool:
        return len(self.by_interaction) == self.total

    @property
    def is_success(self) -> bool:
        return self.is_complete and self.passed == self.total


_results: dict[str, PactResults] = {}
"""The results of this run, by the pact's file or URL."""


_other_providers: set[str] = set()
"""The provider of the pact of --pact-url for each test of another provider; blank for a test of its provider."""


def reset() -> None:
    """Forget the results of an earlier run in the same process."""
    _results.clear()
    _other_providers.clear()


def list_results() -> list[PactResults]:
    return list(_results.values())


def to_report_data(interaction: InteractionToVerify, outcome: VerificationOutcome) -> dict[str, Any]:
    """Convert a test's outcome to plain data, since reports are sent from worker processes to the main process."""
    pact = interaction.pact
    about = {
        "consumer": pact.consumer,
        "provider": pact.provider,
        "version": pact.version,
        "source": pact.source,
        "pending": pact.is_pending,
        "results_url": pact.results_url,
        "notices": [dict(notice) for notice in pact.notices],
        "total": len(pact.interactions),
    }
    return {"about": about, "number": interaction.number, "result": _to_test_result(interaction, outcome)}


def _to_test_result(interaction: InteractionToVerify, outcome: VerificationOutcome) -> Json:
    """Convert an outcome to an element of `testResults`, as brokers accept them."""
    interaction_id = interaction.content.get("_id") or interaction.content.get("interactionId")
    identification = (
        {"interactionId": interaction_id} if interaction_id else {"interactionDescription": interaction.sentence}
    )
    mismatches = [dict(mismatch) for mismatch in outcome.mismatches]
    return identification | {"success": outcome.is_success, "mismatches": mismatches}


def collect(report_data: Mapping[str, Any]) -> None:
    """Add a test's outcome, from `to_report_data`, to the results of its pact."""
    about = report_data["about"]
    pact_results = _results.setdefault(about["source"], PactResults(about))
    pact_results.by_interaction[report_data["number"]] = report_data["result"]


def collect_other_provider(name: str) -> None:
    """Note the provider of the pact of --pact-url if a test is of another provider, or a blank name if it is not."""
    _other_providers.add(name)


def find_untested_provider() -> str:
    """Return the provider of the pact of --pact-url if all tests are of other providers; else a blank name."""
    return "" if "" in _other_providers else next(iter(_other_providers), "")


def find_branch(config: pytest.Config) -> str | None:
    return options.get_text(config, "provider-branch") or publishing.detect_or_none(build_detection.branch)


def find_provider_version(config: pytest.Config) -> str | None:
    """Return the provider's version; `auto` is the commit. Raises ClientError if that cannot be detected."""
    version = options.get_text(config, "provider-version")
    return build_detection.commit() if version == "auto" else version


def record_version(broker: BrokerClient, provider: str, number: str, config: pytest.Config) -> None:
    """Add the provider's version to its branch, and tag it.

    This is done before its results are published, so that the broker knows the branch when they arrive.
    """
    if branch := find_branch(config):
        names = {"pacticipant": provider, "branch": branch, "version": number}
        broker.follow("PUT", "pb:pacticipant-branch-version", names, {})
    for tag in options.get_list(config, "provider-tag"):
        broker.put(broker.url_for("pacticipants", provider, "versions", number, "tags", tag))


def publish_results(broker: BrokerClient, pact_results: PactResults, number: str) -> str:
    """Publish the verification result of a pact, and return its URL."""
    build_url = build_detection.build_url()
    body = {
        "success": pact_results.is_success,
        "providerApplicationVersion": number,
        "testResults": list(pact_results.by_interaction.values()),
        "verifiedBy": {"implementation": "Treaty", "version": distribution.version()},
        **({"buildUrl": build_url} if build_url else {}),
    }
    return broker.post(pact_results.about["results_url"], body).link("self").href
