"""Pacts are compared with the contracts of providers, and the results take part in decisions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from tests.api.comparisons import (
    FITTING,
    UNFITTING,
    badge_state,
    can_i_deploy,
    deployable,
    finish_comparisons,
    publish_contract,
)
from tests.api.contracts import OPENAPI, PUBLISH, build, document
from tests.api.history import History
from treaty.model.maintenance.retention import Retention
from treaty.store.overview.unverified_pairs import list_unverified
from treaty.workers.cleanup import Cleaner
from treaty.workers.comparisons import ComparisonWorker

if TYPE_CHECKING:
    from tests.api.client import Api, Clock
    from treaty.store.engine.database import Database


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


COMPARISON_PAGE = (
    "/contracts/bi-directional/provider/Prices/version/1/consumer/Shop/version/1/cross-contract-verification-results"
)


@pytest.mark.parametrize(("content", "expected"), [(FITTING, True), (UNFITTING, False)])
@pytest.mark.parametrize("is_background", [False, True])
def test_a_pact_is_verified_by_the_contract_of_its_provider(
    api: Api,
    history: History,
    comparison_worker: ComparisonWorker,
    *,
    content: str,
    expected: bool,
    is_background: bool,
) -> None:
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    history.publish("Shop", "1", "Prices", content)
    if is_background:
        finish_comparisons(comparison_worker)
    assert deployable(api) is expected
    (row,) = can_i_deploy(api)["matrix"]
    assert (row["verificationType"], row["verificationResult"]["success"]) == ("BDCT", expected)
    links = row["verificationResult"]["_links"]
    assert links["pfi:ui"]["href"].endswith(COMPARISON_PAGE)
    assert api.get(COMPARISON_PAGE, accept="text/html").status == 200
    verification = api.get(links["self"]["href"]).json()
    assert verification["_links"]["pf:ui"]["href"] == links["self"]["href"]
    assert verification["summary"] == {"success": expected}
    codes = [finding["code"] for finding in verification["crossContractVerificationResults"]["results"]["errors"]]
    assert codes == ([] if expected else ["request.path-or-method.unknown"])


@pytest.mark.parametrize(("success", "expected"), [(True, True), (False, False), (None, None)])
def test_the_self_verification_of_the_provider_counts(
    api: Api, history: History, *, success: bool | None, expected: bool | None
) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api, success=success)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is expected
    publish_contract(api, success=True)
    assert deployable(api) is True
    publish_contract(api, success=False)
    assert deployable(api) is False


@pytest.mark.parametrize(
    ("content", "success", "reason", "step"),
    [
        (UNFITTING, True, "is not compatible with the provider contract", "Read the findings of the comparison"),
        (
            FITTING,
            False,
            "tests of the provider against its own contract failed",
            "Make Prices (1) honour its contract",
        ),
    ],
)
def test_the_reason_of_a_failure_names_the_unmet_condition(
    api: Api, history: History, *, content: str, success: bool, reason: str, step: str
) -> None:
    history.publish("Shop", "1", "Prices", content)
    publish_contract(api, success=success)
    history.deploy("Prices", "1", "production")
    answer = can_i_deploy(api)
    assert reason in answer["summary"]["reason"]
    assert step in json.dumps(answer["reasons"])
    (next_step,) = (reason["next"] for reason in answer["reasons"] if "next" in reason)
    assert next_step["href"].endswith(COMPARISON_PAGE)


@pytest.mark.parametrize("content", [FITTING, UNFITTING])
@pytest.mark.parametrize("success", [True, False])
def test_a_failure_of_either_kind_fails_the_pair(api: Api, history: History, *, content: str, success: bool) -> None:
    history.publish("Shop", "1", "Prices", content)
    history.verify("Shop", "1", "Prices", "1", success=success)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is success
    publish_contract(api)
    assert deployable(api) is (success and content == FITTING)
    kinds = sorted(row["verificationType"] for row in can_i_deploy(api)["matrix"])
    assert kinds == ["BDCT", "CDCT"]


def test_a_verification_alone_does_not_verify_a_version_with_a_contract(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    history.verify("Shop", "1", "Prices", "1")
    history.deploy("Prices", "1", "production")
    publish_contract(api, success=None)
    verdict = can_i_deploy(api)
    assert verdict["summary"]["deployable"] is None
    assert "the provider contract has no self-verification result" in verdict["summary"]["reason"]


def test_without_time_the_pair_is_unknown_until_the_worker_has_compared_it(
    make_api: Any, comparison_worker: ComparisonWorker
) -> None:
    api = make_api(comparison_budget=0)
    history = History(api)
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    verdict = can_i_deploy(api)
    assert verdict["summary"]["deployable"] is None
    assert "is not finished yet" in verdict["summary"]["reason"]
    assert "verificationType" not in verdict["matrix"][0]
    finish_comparisons(comparison_worker)
    assert deployable(api) is True


def test_a_thousand_versions_share_the_comparison_of_equal_contents(
    api: Api, history: History, comparison_worker: ComparisonWorker, database: Database
) -> None:
    for number in range(3):
        history.publish("Shop", str(number), "Prices", FITTING)
        publish_contract(api, str(number))
        finish_comparisons(comparison_worker)
    counts = database.read(
        lambda db: db.execute(
            text("SELECT (SELECT count(*) FROM comparison), (SELECT count(*) FROM provider_document)")
        ).one()
    )
    assert tuple(counts) == (1, 1)


def test_pairs_are_compared_ahead_of_time_in_both_directions(
    api: Api, history: History, comparison_worker: ComparisonWorker
) -> None:
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    publish_contract(api)
    finish_comparisons(comparison_worker)
    assert list_compared(api) == [("Shop", "success")]
    history.publish("Till", "1", "Prices", UNFITTING, branch="feat/x")
    finish_comparisons(comparison_worker)
    assert list_compared(api) == [("Shop", "success"), ("Till", "failure")]


def list_compared(api: Api) -> list[tuple[str, str]]:
    body = api.get("/contracts/bi-directional/provider/Prices/version/1/cross-contract-verification-results").json()
    results = body["_embedded"]["results"]
    return sorted((result["consumer"], result["verificationStatus"]) for result in results)


PARTS = [
    "provider-contract",
    "provider-contract-verification-results",
    "consumer-contract",
    "consumer-contract-verification-results",
    "cross-contract-verification-results",
]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", ["", "/consumer/Shop/version/1"])
def test_each_part_can_be_read(api: Api, history: History, *, part: str, place: str) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    history.verify("Shop", "1", "Prices", "1")
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is True
    answer = api.get(f"/contracts/bi-directional/provider/Prices/version/1{place}/{part}")
    body = answer.json()
    assert (answer.status, body["verificationStatus"], body["_actions"]) == (200, "success", [])
    assert len(next(iter(body["_embedded"].values()))) == 1
    assert all(api.get(link["href"]).status == 200 for name, link in body["_links"].items() if name.startswith("pf:"))


@pytest.mark.parametrize(
    "path", ["version/2", "version/1/consumer/Shop/version/7", "version/1/consumer/Nobody/version/1"]
)
def test_contracts_of_missing_versions_return_404(api: Api, history: History, path: str) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api)
    assert api.get(f"/contracts/bi-directional/provider/Prices/{path}/provider-contract").status == 404


def test_deleting_the_result_of_a_comparison_computes_it_again(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", UNFITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert deployable(api) is False
    result = "/pacts/provider/Prices/consumer/Shop/version/1/verification-results/latest"
    assert api.delete(result).status == 204
    assert deployable(api) is False


def test_another_document_of_the_version_is_compared_again(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", UNFITTING)
    first = {"name": "prices", **document()}
    api.post(f"{PUBLISH}-contracts", build(contracts=[first]))
    history.deploy("Prices", "1", "production")
    assert deployable(api) is False
    second = {"name": "orders", **document(OPENAPI.replace("/prices", "/orders"))}
    api.post(f"{PUBLISH}-contracts", build(contracts=[second]))
    assert deployable(api) is True


def test_messages_without_a_document_need_a_verification(api: Api, history: History) -> None:
    message = {"description": "a price changed", "contents": {"price": 1}}
    content = {"consumer": {"name": "Shop"}, "provider": {"name": "Prices"}, "messages": [message]}
    api.put("/pacts/provider/Prices/consumer/Shop/version/1", content)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    verdict = can_i_deploy(api)
    assert verdict["summary"]["deployable"] is None
    assert "does not describe all kinds of interactions" in verdict["summary"]["reason"]
    history.verify("Shop", "1", "Prices", "1")
    assert deployable(api) is True
    history.verify("Shop", "1", "Prices", "1", success=False)
    assert deployable(api) is False


def test_an_unusable_document_verifies_nothing(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    publish_contract(api, source="---\nsome: contract\n")
    history.deploy("Prices", "1", "production")
    assert deployable(api) is False


def test_a_pair_of_many_rows_is_decided_in_the_same_way(api: Api, history: History) -> None:
    """With more rows than the limit, the database counts them."""
    for number in range(4):
        history.publish("Shop", str(number), "Prices", FITTING)
    publish_contract(api, success=None)
    history.verify("Shop", "1", "Prices", "1")
    query = "/matrix?q[][pacticipant]=Shop&q[][pacticipant]=Prices&q[][version]=1&latestby=cvpv"
    for limit in ("", "&limit=2"):
        summary = api.get(query + limit).json()["summary"]
        assert (summary["deployable"], summary["unknown"]) == (None, 4), limit
    publish_contract(api)
    for limit in ("&limit=2", ""):
        summary = api.get(query + limit).json()["summary"]
        assert (summary["deployable"], summary["unknown"]) == (True, 0), limit


def test_ignored_pacticipants_need_no_comparison(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", UNFITTING)
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    answer = api.get("/can-i-deploy?pacticipant=Shop&version=1&environment=production&ignore[]=Prices")
    assert answer.json()["summary"]["deployable"] is True


def test_brokers_without_comparisons_answer_as_before(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    history.verify("Shop", "1", "Prices", "1")
    history.deploy("Prices", "1", "production")
    assert "verificationType" not in can_i_deploy(api)["matrix"][0]


def test_badges_and_pages_do_not_take_half_of_the_conditions_for_all(
    api: Api, history: History, database: Database
) -> None:
    """A verifier's success does not verify a version with a contract, and its failure is not hidden by a comparison."""
    history.publish("Shop", "1", "Prices", FITTING)
    history.verify("Shop", "1", "Prices", "1")
    for name in ("Shop", "Prices"):
        history.deploy(name, "1", "production")
    assert (badge_state(api), count_unverified(database)) == ("verified", 0)
    publish_contract(api, success=None)
    assert (badge_state(api), count_unverified(database)) == ("unknown", 1)
    publish_contract(api)
    assert deployable(api) is True
    assert (badge_state(api), count_unverified(database)) == ("verified", 0)
    history.verify("Shop", "1", "Prices", "1", success=False)
    publish_contract(api, success=False)
    publish_contract(api)
    assert (badge_state(api), count_unverified(database)) == ("failed", 1)


def test_comparisons_of_other_pairs_do_not_count(api: Api, history: History, database: Database) -> None:
    history.publish("Till", "1", "Prices", FITTING)
    publish_contract(api, "0")
    history.deploy("Prices", "0", "production")
    assert deployable(api, "1", "Till") is True
    history.publish("Shop", "1", "Prices", FITTING)
    history.verify("Shop", "1", "Prices", "1")
    publish_contract(api, success=None)
    for name in ("Shop", "Prices"):
        history.deploy(name, "1", "production")
    assert (badge_state(api), count_unverified(database)) == ("unknown", 1)
    assert "Not verified" in api.get("/?q=Shop", accept="text/html").text


def count_unverified(database: Database) -> int:
    return database.read(list_unverified).total


def test_a_pact_that_the_contract_satisfies_is_not_pending(
    api: Api, history: History, comparison_worker: ComparisonWorker
) -> None:
    history.publish("Shop", "1", "Prices", FITTING, branch="main")
    body = {"providerVersionBranch": "main", "includePendingStatus": True}
    path = "/pacts/provider/Prices/for-verification"

    def is_pending() -> bool:
        (pact,) = api.post(path, body).json()["_embedded"]["pacts"]
        pending: bool = pact["verificationProperties"]["pending"]
        return pending

    assert is_pending()
    publish_contract(api)
    finish_comparisons(comparison_worker)
    assert not is_pending()


def test_a_clean_up_removes_contracts_documents_and_comparisons_without_a_version(
    api: Api, history: History, database: Database, clock: Clock
) -> None:
    history.publish("Shop", "1", "Prices", FITTING)
    for version, source in (("1", OPENAPI), ("2", OPENAPI.replace("1.0.0", "2.0.0"))):
        publish_contract(api, version, source=source)
        history.deploy("Prices", version, "production")
        assert deployable(api) is True

    def count() -> list[int]:
        tables = ("provider_document", "comparison", "provider_contract")
        counts = (f"(SELECT count(*) FROM {table})" for table in tables)  # noqa: S608 - constants
        return list(database.read(lambda db: db.execute(text(f"SELECT {', '.join(counts)}")).one()))

    assert count() == [2, 2, 2]
    assert api.delete("/pacticipants/Prices/versions/1").status == 204
    assert count() == [2, 2, 1]
    Cleaner(database, Retention(versions=(), branches=()), clock=clock, pause=lambda _: False).clean()
    assert count() == [1, 1, 1]
    assert deployable(api) is True


PROFILE = "/provider-contracts/provider/Prices/profile"


def test_another_profile_compares_again(api: Api, history: History) -> None:
    history.publish("Shop", "1", "Prices", f"{FITTING}/")  # PactFlow ignores the slash at the end
    publish_contract(api)
    history.deploy("Prices", "1", "production")
    assert (deployable(api), api.get(PROFILE).json()["profile"]) == (False, "strict")
    assert api.put(PROFILE, {"profile": "pactflow"}).json()["profile"] == "pactflow"
    assert deployable(api) is True
    assert api.put(PROFILE, {"profile": "reference"}).status == 200
    assert deployable(api) is False


def test_only_profiles_that_exist_can_be_set(api: Api, history: History) -> None:
    assert (api.get(PROFILE).status, api.put(PROFILE, {"profile": "strict"}).status) == (404, 404)
    history.version("Prices", "1")
    answer = api.put(PROFILE, {"profile": "lax"})
    assert (answer.status, answer.json()["errors"]) == (
        400,
        {"profile": ["must be one of: strict, reference, pactflow"]},
    )
