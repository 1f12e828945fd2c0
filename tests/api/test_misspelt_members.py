"""Misspelt members of requests: decisions refuse them, and other responses have notices about them."""

import pytest

from tests.api.client import publication
from tests.api.history import History

pytestmark = pytest.mark.slow_on_postgresql  # about requests, and not about data

FOO = "q[][pacticipant]=Foo"
DEPLOYMENT = "/can-i-deploy?pacticipant=Foo&version=1&environment=prod"


@pytest.fixture
def history(api):
    filled_history = History(api)
    filled_history.publish("Foo", "1", "Bar", 1, branch="main")
    filled_history.publish("Foo", "2", "Bar", 2, branch="feat/x")
    filled_history.branch("Bar", "10", "main")
    filled_history.branch("Bar", "11", "release/1")
    filled_history.branch("Bar", "12", "main")
    filled_history.verify("Foo", "1", "Bar", "10")
    filled_history.verify("Foo", "1", "Bar", "11")
    filled_history.verify("Foo", "1", "Bar", "12", success=False)
    filled_history.deploy("Bar", "10", "prod")
    return filled_history


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        (f"{FOO}&q[][versoin]=1", "q[][versoin] is not known. Did you mean q[][version]?"),
        (f"{FOO}&q[][brnach]=main", "q[][brnach] is not known. Did you mean q[][branch]?"),
        (f"{FOO}&q[][main_branch]=true", "q[][main_branch] is not known. Did you mean q[][mainBranch]?"),
        (f"{FOO}&q[]versoin=1", "q[][versoin] is not known. Did you mean q[][version]?"),
        (f"{FOO}&q[][number]=1", "q[][number] is not known"),
        (
            f"{FOO}&q[][version]=1&ignore[][pacticipant]=Bar&ignore[][versoin]=9",
            "ignore[][versoin] is not known. Did you mean ignore[][version]?",
        ),
        (f"{FOO}&q[][version]=1&enviroment=prod", "enviroment is not known. Did you mean environment?"),
        (f"{FOO}&q[][version]=1&main_branch=true", "main_branch is not known. Did you mean mainBranch?"),
        (f"{FOO}&q[][version]=1&ignroe[][pacticipant]=Bar", "ignroe is not known. Did you mean ignore?"),
    ],
)
def test_a_misspelt_member_of_a_query_is_refused(api, history, query, problem):
    answer = api.get(f"/matrix?{query}&latestby=cvp")
    assert (answer.status, bool(history)) == (400, True)
    assert problem in answer.json()["errors"]


@pytest.mark.parametrize("parameter", ["_=1", "cache_buster=1", "days=7"])
def test_parameters_that_resemble_none_are_ignored_as_in_the_original(api, history, parameter):
    assert api.get(f"/matrix?{FOO}&q[][version]=1&latestby=cvp&{parameter}").status == 200
    assert (api.get(f"{DEPLOYMENT}&{parameter}").status, bool(history)) == (200, True)


@pytest.mark.parametrize(
    ("parameter", "name", "problem"),
    [
        ("ignroe[]=Bar", "ignroe", "is not known. Did you mean ignore?"),
        (
            "ignore[][pacticipant]=Bar&ignore[][versoin]=1",
            "ignore[][versoin]",
            "is not known. Did you mean ignore[][version]?",
        ),
    ],
)
def test_a_misspelt_parameter_of_a_decision_is_refused(api, history, parameter, name, problem):
    answer = api.get(f"{DEPLOYMENT}&{parameter}")
    assert (answer.status, bool(history)) == (400, True)
    assert answer.json()["errors"][name] == [problem]


@pytest.mark.parametrize(
    ("branch", "deployable"), [("release/1", True), ("main", False), ("no such one", None)], ids=["yes", "no", "none"]
)
def test_versions_are_compared_with_those_on_a_branch(api, history, branch, deployable):
    query = f"{FOO}&q[][version]=1&latestby=cvp&latest=true&branch={branch.replace('/', '%2F').replace(' ', '%20')}"
    answer = api.get(f"/matrix?{query}")
    assert (answer.status, bool(history)) == (200, True)
    assert answer.json()["summary"]["deployable"] is deployable
    assert "WARN" not in answer.json()["summary"]["reason"]


def test_the_index_links_to_the_comparison_with_a_branch(api, history):
    link = api.get("/").link("pb:can-i-merge-pacticipant-version-to-branch")
    for name, value in {"pacticipant": "Foo", "version": "1", "branch": "release%2F1"}.items():
        link = link.replace(f"{{{name}}}", value)
    assert api.get(link).json()["summary"]["deployable"] is bool(history)


@pytest.mark.parametrize("other", ["environment=prod", "tag=prod", "mainBranch=true"])
def test_a_branch_is_the_only_destination(api, history, other):
    answer = api.get(f"/matrix?{FOO}&q[][version]=1&branch=main&{other}")
    assert (answer.status, bool(history)) == (400, True)
    assert answer.json()["errors"] == ["Cannot specify more than one of tag, branch, environment and mainBranch."]


def test_a_blank_branch_is_refused(api, history):
    answer = api.get(f"/matrix?{FOO}&q[][version]=1&latest=true&branch=")
    assert (answer.json()["errors"], bool(history)) == (["branch cannot be blank"], True)


IGNORED = "The field `{}` is not known and was ignored. Did you mean {}?"
SELECTOR = "The field `consumerVersionSelectors[0].{}` is not known and was ignored. Did you mean {}?"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {"consumerVersionSelectors": [{"branch": "main", "falbackBranch": "x"}]},
            SELECTOR.format("falbackBranch", "fallbackBranch"),
        ),
        (
            {"consumerVersionSelectors": [{"mainBranch": True, "cosnumer": "Foo"}]},
            SELECTOR.format("cosnumer", "consumer"),
        ),
        (
            {"providerVersionBrnach": "main"},
            "The field `providerVersionBrnach` is not known and was ignored. Did you mean providerVersionBranch?",
        ),
        (
            {"consumer_version_selectors": []},
            IGNORED.format("consumer_version_selectors", "consumerVersionSelectors"),
        ),
    ],
)
def test_a_misspelt_member_of_a_request_for_verification_is_in_the_notices(api, history, body, text):
    answer = api.post("/pacts/provider/Bar/for-verification", body)
    assert (answer.status, bool(history)) == (200, True)
    assert {"when": "before_verification", "text": text} in answer.json()["notices"]
    for pact in answer.json()["_embedded"]["pacts"]:
        assert pact["verificationProperties"]["notices"][0] == {"when": "before_verification", "text": f"WARN: {text}"}


def test_a_selector_without_a_criterion_has_a_suggestion(api, history):
    answer = api.post("/pacts/provider/Bar/for-verification", {"consumerVersionSelectors": [{"mian_branch": True}]})
    assert (answer.status, bool(history)) == (400, True)
    assert "Did you mean mainBranch?" in answer.text


def test_an_unknown_member_that_resembles_none_has_no_notice(api, history):
    body = {"unknown": 1, "consumerVersionSelectors": [{"mainBranch": True, "unknown": 2}]}
    answer = api.post("/pacts/provider/Bar/for-verification", body)
    assert (answer.status, bool(history)) == (200, True)
    assert "unknown" not in str(answer.json().get("notices"))


@pytest.mark.parametrize(
    ("members", "of_contract", "text"),
    [
        ({"brnach": "main"}, {}, "The field `brnach` is not known and was ignored. Did you mean branch?"),
        (
            {},
            {"onConflcit": "merge"},
            "The field `contracts[0].onConflcit` is not known and was ignored. Did you mean onConflict?",
        ),
    ],
)
def test_a_misspelt_member_of_a_publication_is_in_the_notices(api, members, of_contract, text):
    body = {**publication("Shop", "1", "Prices"), **members}
    body["contracts"][0].update(of_contract)
    answer = api.post("/contracts/publish", body)
    assert answer.status == 200
    assert {"type": "warning", "text": text} in answer.json()["notices"]


def test_members_in_the_other_spelling_are_known(api):
    body = publication("Shop", "1", "Prices")
    body["build_url"] = "https://ci.example.org/1"
    answer = api.post("/contracts/publish", body)
    assert answer.status == 200
    assert not [notice for notice in answer.json()["notices"] if notice["type"] == "warning"]
