"""What the tests of providers have found, gathered for each pact, and published."""

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
    found: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def passed(self) -> int:
        return sum(each["success"] for each in self.found.values())

    @property
    def total(self) -> int:
        return int(self.about["total"])

    @property
    def is_complete(self) -> bool:
        return len(self.found) == self.total

    @property
    def is_success(self) -> bool:
        return self.is_complete and self.passed == self.total


_tallies: dict[str, PactResults] = {}


def reset() -> None:
    """Begin a new run."""
    _tallies.clear()


def list_results() -> list[PactResults]:
    return list(_tallies.values())


def to_report_data(interaction: InteractionToVerify, outcome: VerificationOutcome) -> dict[str, Any]:
    """Say what a test has found in words that reports can carry from one process to another."""
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
    return {
        "about": about,
        "number": interaction.number,
        "result": _result(interaction, outcome),
    }


def _result(interaction: InteractionToVerify, outcome: VerificationOutcome) -> Json:
    """Give a result as brokers take it."""
    known = interaction.content.get("_id") or interaction.content.get("interactionId")
    described = {"interactionId": known} if known else {"interactionDescription": interaction.sentence}
    return described | {"success": outcome.is_success, "mismatches": [dict(each) for each in outcome.mismatches]}


def collect(verified: Mapping[str, Any]) -> None:
    about = verified["about"]
    _tallies.setdefault(about["source"], PactResults(about)).found[verified["number"]] = verified["result"]


def find_branch(config: pytest.Config) -> str | None:
    return options.get_text(config, "provider-branch") or publishing.detect_or_none(build_detection.branch)


def find_provider_version(config: pytest.Config) -> str | None:
    given = options.get_text(config, "provider-version")
    return build_detection.commit() if given == "auto" else given


def record_version(broker: BrokerClient, provider: str, number: str, config: pytest.Config) -> None:
    """Put the provider's version on its branch, and tag it, before results name it."""
    if on := find_branch(config):
        broker.put(broker.link("pb:pacticipant-branch-version", pacticipant=provider, branch=on, version=number))
    for tag in options.get_list(config, "provider-tag"):
        broker.put(broker.url_for("pacticipants", provider, "versions", number, "tags", tag))


def publish_results(broker: BrokerClient, tally: PactResults, number: str) -> str:
    """Publish the result of a pact; give its address."""
    build_url = build_detection.build_url()
    body = {
        "success": tally.is_success,
        "providerApplicationVersion": number,
        "testResults": list(tally.found.values()),
        "verifiedBy": {"implementation": "Treaty", "version": distribution.version()},
        **({"buildUrl": build_url} if build_url else {}),
    }
    answer = broker.post(tally.about["results_url"], body)
    return answer.link("self").href
