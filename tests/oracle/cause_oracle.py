"""Computes why a decision is not yes, slowly and plainly, from the whole history.

It is written from the rules in `docs/reasons.md`, and shares nothing with the code that it checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.oracle.matrix_oracle import Chosen, Decision, Publication, Result, Row, Selector, World

STARTS = ("contract_requiring_verification_published", "contract_content_changed", "contract_published")


@dataclass(frozen=True)
class Delivery:
    """A delivery of a webhook about a pact, with its attempts."""

    uuid: str
    webhook: str | None
    is_enabled: bool
    event: str
    status: str
    pact: tuple[str, str, str, int]
    """Consumer, its version, provider, and revision."""
    provider_version: str | None
    enqueued_at: datetime
    attempts: Sequence[tuple[datetime, bool]]


@dataclass
class Ended:
    """A former deployment or release."""

    name: str
    environment: str
    version: str
    at: int


@dataclass
class Known:
    """All that happened, besides the world of the matrix."""

    world: World
    start: datetime
    ended: list[Ended] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)

    def time(self, at: int) -> datetime:
        return self.start + timedelta(seconds=at)


@dataclass(frozen=True)
class Why:
    cause: str
    since: datetime | None
    actor: str
    version: str | None
    passed: str | None = None


def list_causes(known: Known, question: Any) -> list[Why]:
    """List the cause of each obstacle, in the order of the reasons."""
    return _Explainer(known, question).list_causes()


class _Explainer:
    def __init__(self, known: Known, question: Any) -> None:
        self.known = known
        self.world = known.world
        self.decision = Decision(known.world, question)

    def list_causes(self) -> list[Why]:
        absent = [
            chosen
            for chosen in self.decision.specified
            if chosen.is_missing
            and not any(other.is_any and other.name == chosen.name for other in self.decision.ignored)
        ]
        if absent:
            return [self.absent(chosen.selector, None) for chosen in absent]
        rows = sorted(self.decision.considered(self.decision.rows()), key=self.decision.in_order)
        failed = [row for row in rows if row.success is False]
        return [self.of_row(row) for row in [*failed, *(row for row in rows if row.success is None)]]

    def of_row(self, row: Row) -> Why:
        pact = row.publication
        consumer = self.chosen(pact.consumer, pact.version)
        provider = self.chosen(pact.provider, row.provider_version)
        if provider is not None and provider.is_missing:
            return self.absent(provider.selector, pact)
        number = row.provider_version or (provider.number if provider else None)
        is_old_result = row.result is not None and not self.world.is_latest(row.result)
        if is_old_result or not self.world.is_current(pact):
            at = row.result.at if row.result else pact.at
            return Why("superseded", self.known.time(at), pact.provider, number)
        newer = self.newer(row, consumer, provider)
        if newer is not None:
            return newer
        return self.failure(row, row.result) if row.result else self.missing(pact, number)

    def chosen(self, name: str, number: str | None) -> Chosen | None:
        candidates = [
            candidate for candidate in self.decision.chosen + self.decision.replaced if candidate.name == name
        ]
        if len(candidates) == 1:
            return candidates[0]
        return next((candidate for candidate in candidates if number is not None and candidate.number == number), None)

    # Versions that are not there

    def absent(self, selector: Selector, pact: Publication | None) -> Why:
        name, number = selector["pacticipant"], selector.get("version")
        newest = self.newest(name)
        candidate = newest if number is None else number if (name, number) in self.world.versions else None
        if candidate is None:
            at = self.world.place(name, newest) if newest else 0
            return Why("version_never_built", self.known.time(at), name, newest)
        environment, on_branch = selector.get("environment"), "branch" in selector or "mainBranch" in selector
        if not on_branch and (environment or ("tag" in selector and pact)):
            ended = [
                deployment.at
                for deployment in self.known.ended
                if (deployment.name, deployment.environment) == (name, environment)
            ]
            at = max(ended) if ended else pact.at if pact else 0
            return Why("not_deployed", self.known.time(at), name, candidate)
        return Why("excluded_by_selector", self.known.time(self.world.place(name, candidate)), name, candidate)

    def newest(self, name: str) -> str | None:
        main = self.world.main_branches.get(name)
        if main and (name, main) in self.world.heads:
            return self.world.heads[name, main]
        versions = [version for who, version in self.world.versions if who == name]
        return self.world.newest(name, versions) if versions else None

    # Newer versions

    def newer(self, row: Row, consumer: Chosen | None, provider: Chosen | None) -> Why | None:
        pact, number = row.publication, row.provider_version
        if pact.consumer == pact.provider or number is None:
            return None
        if provider and self.is_at_destination(provider):
            passed = [
                version
                for version in self.after(pact.provider, number)
                if self.passes(pact.consumer, pact.provider, pact.content, version)
            ]
            if passed:
                best = self.world.newest(pact.provider, passed)
                return self.superseded(pact.provider, best, pact.consumer, pact.provider, pact.content, best)
        if consumer and self.is_at_destination(consumer):
            contents = {
                publication.version: publication.content
                for publication in self.world.publications
                if (publication.consumer, publication.provider) == (pact.consumer, pact.provider)
                and self.world.is_current(publication)
            }
            passed = [
                version
                for version in self.after(pact.consumer, pact.version)
                if version in contents and self.passes(pact.consumer, pact.provider, contents[version], number)
            ]
            if passed:
                best = self.world.newest(pact.consumer, passed)
                return self.superseded(pact.consumer, best, pact.consumer, pact.provider, contents[best], number)
        return None

    def superseded(self, name: str, best: str, *result: str) -> Why:
        at = max(
            candidate.at
            for candidate in self.world.results
            if self.key(candidate) == result and candidate.success and self.world.is_latest(candidate)
        )
        return Why("superseded", self.known.time(at), name, best)

    def is_at_destination(self, one: Chosen) -> bool:
        return one.exists and set(one.selector) in ({"pacticipant", "environment"}, {"pacticipant", "tag", "latest"})

    def after(self, name: str, number: str) -> list[str]:
        """The later versions that are meant for an environment: those of the main branch, if it has any."""
        main = self.world.main_branches.get(name)
        has_main = bool(main) and (name, main) in self.world.heads
        return [
            version
            for who, version in self.world.versions
            if who == name
            and self.world.place(name, version) > self.world.place(name, number)
            and (not has_main or version in self.world.branches[name, str(main)])
        ]

    def passes(self, *result: str) -> bool:
        return any(
            self.key(candidate) == result and candidate.success and self.world.is_latest(candidate)
            for candidate in self.world.results
        )

    @staticmethod
    def key(one: Result) -> tuple[str, str, str, str]:
        return one.consumer, one.provider, one.content, one.version

    # Results

    def results_of(self, pact: Publication) -> list[Result]:
        of_pact = (pact.consumer, pact.provider, pact.content)
        return [result for result in self.world.results if self.key(result)[:3] == of_pact]

    def failure(self, row: Row, result: Result) -> Why:
        results = self.results_of(row.publication)
        earlier = [
            candidate
            for candidate in results
            if candidate.success and (candidate.at, candidate.number) < (result.at, result.number)
        ]
        provider = row.publication.provider
        if not earlier:
            return Why("never_passed", self.known.time(result.at), provider, result.version)
        last = max(earlier, key=lambda result: (result.at, result.number))
        since = min(
            failure.at
            for failure in results
            if not failure.success and (failure.at, failure.number) > (last.at, last.number)
        )
        return Why("regression", self.known.time(since), provider, result.version, last.version)

    def missing(self, pact: Publication, number: str | None) -> Why:
        provider = pact.provider
        delivery = self.request(pact, number)
        if delivery is not None:
            is_failing = delivery.status in {"failure", "retrying"}
            outcomes = [at for at, success in delivery.attempts if success is not is_failing]
            at = delivery.enqueued_at
            if outcomes and delivery.status != "not_run":
                at = min(outcomes) if is_failing else max(outcomes)
            if is_failing:
                return Why("webhook_failing", at, provider, number)
            is_answered = delivery.event != STARTS[0] and any(
                self.known.time(result.at) >= at for result in self.results_of(pact)
            )
            if not is_answered:
                return Why("result_awaited", at, provider, number)
        skipped = [
            result.at
            for result in self.world.results
            if (result.consumer, result.provider, result.version) == (pact.consumer, provider, number)
            and result.content != pact.content
            and result.at > pact.at
        ]
        if skipped:
            return Why("excluded_by_selector", self.known.time(min(skipped)), provider, number)
        if number is not None and self.is_empty(provider, number):
            return Why("built_without_pacts", self.known.time(self.world.place(provider, number)), provider, number)
        return Why("verification_not_requested", self.known.time(pact.at), provider, number)

    def is_empty(self, name: str, number: str) -> bool:
        published = any(
            (publication.consumer, publication.version) == (name, number) for publication in self.world.publications
        )
        return not published and not any(
            (result.provider, result.version) == (name, number) for result in self.world.results
        )

    def request(self, pact: Publication, number: str | None) -> Delivery | None:
        """The delivery to report: a failing one rather than another, and the latest of each webhook."""
        same = [
            publication
            for publication in self.world.publications
            if (publication.consumer, publication.provider, publication.content)
            == (pact.consumer, pact.provider, pact.content)
        ]
        first = min(same, key=lambda result: (self.world.place(result.consumer, result.version), result.number))
        own = [publication for publication in same if publication.version == pact.version]
        about = {
            (publication.consumer, publication.version, publication.provider, publication.revision)
            for publication in [first, *own]
        }
        concerned = [
            delivery for delivery in self.known.deliveries if delivery.pact in about and self.concerns(delivery, number)
        ]
        latest = {delivery.webhook: delivery for delivery in concerned}.values()
        return max(
            latest,
            key=lambda delivery: (delivery.status in {"failure", "retrying"}, self.position(delivery)),
            default=None,
        )

    def position(self, delivery: Delivery) -> int:
        return self.known.deliveries.index(delivery)

    @staticmethod
    def concerns(delivery: Delivery, number: str | None) -> bool:
        if delivery.event not in STARTS or (not delivery.is_enabled and delivery.status != "success"):
            return False
        return delivery.event != STARTS[0] or number is None or delivery.provider_version == number
