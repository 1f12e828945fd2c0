"""Whatever happened, a version with a provider contract that is not deployable has the right cause, and a step helps.

The causes are those that follow from the rules in `docs/reasons.md`, written a second time. The other causes have their
histories in `test_cause_histories.py`.
"""

import shlex
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given, note
from hypothesis import strategies as st

from tests.api.client import Api
from tests.api.comparison_histories import CONSUMERS, DOCUMENTS, MESSAGE, PROVIDER, UNUSABLE, ComparisonBroker, steps
from tests.api.history import History
from tests.api.steps import Steps
from tests.histories import SHARDS, history_settings, share
from tests.scale import choose

HISTORIES = share(choose(15, slow=50, long=20_000))
NOT_FINISHED = "comparison_not_finished"
# Which of these it is, the other histories check.
NOT_VERIFIED = {"verification_not_requested", "excluded_by_selector", "built_without_pacts"}
FAILED = {"never_passed", "regression"}


class Pair(NamedTuple):
    consumer: str
    version: str
    provider_version: str


def list_causes(broker: ComparisonBroker, pair: Pair) -> list[set[str]]:
    """List the obstacles of a pair, each with its possible causes."""
    world = broker.world
    content = world.pacts[pair.consumer, pair.version]
    verified = world.results.get((pair.consumer, content, pair.provider_version))
    contract = world.contracts.get(pair.provider_version)
    failures = [FAILED] if verified is False else []
    if contract is None:
        return [NOT_VERIFIED] if verified is None else failures
    paths = contract.paths.values()
    is_compatible = UNUSABLE not in paths and (content == MESSAGE or content in paths)
    if contract.is_self_verified is False:
        return [*failures, {"self_verification_failed"}]
    if not is_compatible:
        return [*failures, {"comparison_failed"}]
    if contract.is_self_verified is None:
        return [*failures, {"self_verification_missing"}]
    return [{"not_described"}] if content == MESSAGE and verified is None else failures


def ask(api: Api, pair: Pair) -> Any:
    query = f"q[][pacticipant]={pair.consumer}&q[][version]={pair.version}"
    query += f"&q[][pacticipant]={PROVIDER}&q[][version]={pair.provider_version}&latestby=cvpv"
    answer = api.get(f"/matrix?{query}")
    assert answer.status == 200, answer.text
    return answer.json()


def list_obstacles(answer: Any) -> list[Any]:
    return [reason for reason in answer["reasons"] if "cause" in reason]


def check(answer: Any, expected: list[set[str]], *, is_hurried: bool = False) -> None:
    """Compare the causes; a server without time may not have finished comparing."""
    reported_causes = [reason["cause"] for reason in list_obstacles(answer)]
    note(f"{reported_causes}, expected {expected}")
    assert bool(answer["summary"]["deployable"]) is not bool(reported_causes)
    if is_hurried and NOT_FINISHED in reported_causes:
        reported_causes.remove(NOT_FINISHED)
        assert all(any(cause in causes for causes in expected) for cause in reported_causes)
        return
    assert len(reported_causes) == len(expected)
    assert all(any(cause in causes for cause in reported_causes) for causes in expected)
    for reason in list_obstacles(answer):
        event(reason["cause"])
        assert reason["since"]
        assert reason["act"]["pacticipant"] == PROVIDER
        assert reason["next"]["text"]


class ContractSteps(Steps):
    """Also publishes the documents of a provider, as a user that follows the step would."""

    def __init__(self, broker: ComparisonBroker, pair: Pair) -> None:
        super().__init__(broker.api, History(broker.api))
        self._broker = broker
        self._pair = pair

    def _run(self, words: list[str], partner: str) -> None:
        if words[0] != "publish-provider-contract":
            super()._run(words, partner)
            return
        options = dict(zip(words[2::2], words[3::2], strict=True))
        assert words[1] == "DOCUMENT"
        assert (options["--provider"], options["--verification-exit-code"]) == (PROVIDER, "EXIT_CODE_OF_THE_TESTS")
        number = options["--provider-app-version"]
        contract = self._broker.world.contracts.get(number)
        content = self._broker.world.pacts[self._pair.consumer, self._pair.version]
        # A new version describes the requests of the pact, and an existing one publishes its documents again.
        paths = dict(contract.paths) if contract else {"": next(iter(DOCUMENTS)) if content == MESSAGE else content}
        for name, path in paths.items():
            self._broker.contract(number, name, path, True)  # noqa: FBT003 - as histories do


def carry_out(broker: ComparisonBroker, pair: Pair, reason: Any) -> Pair:
    """Follow the next step of a reason, and return the pair for the next question."""
    if reason["cause"] == NOT_FINISHED:
        broker.work()
        return pair
    command = reason["next"]["command"]
    number = ContractSteps(broker, pair).run(command, partner="")
    return pair._replace(provider_version=number) if "VERSION" in shlex.split(command) else pair


def is_removed(answer: Any, cause: str) -> bool:
    return bool(answer["summary"]["deployable"]) or cause not in {reason["cause"] for reason in list_obstacles(answer)}


@pytest.mark.slow_on_postgresql  # the causes of other obstacles have their histories there
@pytest.mark.parametrize("shard", SHARDS)
@history_settings(HISTORIES)
@given(
    story=st.lists(steps, min_size=4, max_size=14),
    consumer=st.sampled_from(CONSUMERS),
    which=st.integers(0, 7),
    is_hurried=st.booleans(),
)
def test_a_no_about_a_contract_has_the_right_cause_and_its_step_changes_the_answer(
    comparison_broker: ComparisonBroker,
    shard: int,
    story: list[tuple[Any, ...]],
    consumer: str,
    which: int,
    is_hurried: bool,  # noqa: FBT001 - drawn
) -> None:
    del shard
    comparison_broker.forget()
    comparison_broker.pact(consumer, "1", "prices")
    for step in story:
        note(repr(step))
        if step[0] != "ask":
            comparison_broker.act(step)
    pairs = [
        Pair(*pact, number)
        for pact in sorted(comparison_broker.world.pacts)
        for number in sorted(comparison_broker.world.versions)
    ]
    # A server without time to compare has not finished, until the worker has.
    api = comparison_broker.hurried if is_hurried else comparison_broker.api
    for pair in pairs:
        note(repr(pair))
        check(ask(api, pair), list_causes(comparison_broker, pair), is_hurried=is_hurried)
    if not pairs:
        return
    pair = pairs[which % len(pairs)]
    reasons = list_obstacles(ask(api, pair))
    if reasons:
        reason = reasons[which % len(reasons)]
        pair = carry_out(comparison_broker, pair, reason)
        later = ask(comparison_broker.api, pair)
        assert is_removed(later, reason["cause"]), reason["next"]
        if reason["cause"] == NOT_FINISHED:
            event(NOT_FINISHED)
            assert is_removed(ask(comparison_broker.hurried, pair), NOT_FINISHED)
            check(later, list_causes(comparison_broker, pair))
