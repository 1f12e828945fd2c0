"""Verification results: publishing, reading and deleting them."""

from base64 import urlsafe_b64encode

import pytest

from tests.api.client import Answer, Api
from tests.api.history import History

PAIR = "/pacts/provider/Ledger/consumer/Till"
EXTENDED = "application/vnd.pactbrokerextended.v1+json, application/hal+json;q=0.1"
GENERAL = {"error": "The requested document was not found on this server."}


@pytest.fixture
def history(api: Api) -> History:
    """Versions 1 and 3 have the same content."""
    filled_history = History(api)
    filled_history.publish("Till", "1", "Ledger", 1, tags=["prod"])
    filled_history.publish("Till", "2", "Ledger", 2)
    filled_history.publish("Till", "3", "Ledger", 1)
    return filled_history


def results_of(api: Api, version: str) -> str:
    """The path where results for a pact go."""
    return api.get(f"{PAIR}/version/{version}").link("pb:publish-verification-results")


def give(api: Api, path: str, **members: object) -> Answer:
    return api.post(path, {"success": True, "providerApplicationVersion": "7", **members})


def by(answer: Answer) -> tuple[str, str]:
    """Whose result an answer has, and in the context of which consumer version."""
    assert answer.status == 200, answer.text
    body = answer.json()
    version = body["_links"]["pb:pact-version"]["name"].partition("(")[2].partition(")")[0]
    return body["providerApplicationVersion"], version


@pytest.mark.usefixtures("history")
def test_the_location_of_a_result_returns_it(api: Api) -> None:
    verifier = {
        "implementation": "Pact-X",
        "version": "1.2",
        "clientLanguage": {"name": "python", "version": "3.12", "testFramework": "pytest"},
    }
    response = give(api, results_of(api, "2"), buildUrl="https://ci.example/3", testResults=["a"], verifiedBy=verifier)
    assert response.status == 201
    assert response.headers["location"] == "http://localhost" + response.link("self")
    body = response.json()
    assert {name: value for name, value in body.items() if name != "_links"} == {
        "providerName": "Ledger",
        "providerApplicationVersion": "7",
        "success": True,
        "verificationDate": "2024-05-06T07:08:09+00:00",
        "buildUrl": "https://ci.example/3",
        "testResults": ["a"],
        "workInProgress": False,
        "verifiedBy": {
            "implementation": "Pact-X",
            "version": "1.2",
            "client_implementation": "python",
            "client_test_framework": "pytest",
            "client_version": "3.12",
        },
    }
    for accept in ("application/hal+json", "application/json"):
        assert api.get(response.link("self"), accept=accept).json() == body
    assert api.get(response.link("pb:pact-version")).link("self") == f"{PAIR}/version/2"


@pytest.mark.usefixtures("history")
def test_numbers_of_results_are_never_used_twice(api: Api) -> None:
    numbers = []
    for _ in range(3):
        response = give(api, results_of(api, "2"))
        numbers.append(int(response.link("self").rpartition("/")[2]))
        api.delete(response.link("self"))
    assert numbers == sorted(set(numbers))


def test_a_provider_version_comes_to_be_without_branch_or_tags(api: Api, history: History) -> None:
    history.verify("Till", "2", "Ledger", by="8")
    version = api.get("/pacticipants/Ledger/versions/8").json()
    assert version["_embedded"] == {"branchVersions": [], "tags": []}


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"success": ["is missing"], "providerApplicationVersion": ["is missing"]}),
        ({"success": "true", "providerApplicationVersion": ""}, {"success": ["must be boolean"]}),
        ({"success": None, "providerApplicationVersion": " "}, {"providerApplicationVersion": ["cannot be blank"]}),
        ({"success": True, "providerApplicationVersion": 5}, {"providerApplicationVersion": ["must be a string"]}),
        (
            {"success": True, "providerApplicationVersion": "1", "buildUrl": "not a url"},
            {"buildUrl": ["is not a valid URL eg. http://example.org"]},
        ),
        (
            {"success": True, "providerApplicationVersion": "1", "verificationDate": "soon"},
            {"verificationDate": ["must be a date time"]},
        ),
        (
            {"success": True, "providerApplicationVersion": "1", "verificationDate": 5},
            {"verificationDate": ["must be a date time"]},
        ),
        (
            {"success": True, "providerApplicationVersion": "1", "verificationDate": "0001-01-01T00:00:00+10:00"},
            {"verificationDate": ["must be a date time"]},
        ),
    ],
)
@pytest.mark.usefixtures("history")
def test_a_result_that_breaks_rules_is_refused_with_them(
    api: Api, body: dict[str, object], errors: dict[str, list[str]]
) -> None:
    refused = api.post(results_of(api, "2"), body)
    assert refused.status == 400
    assert refused.json()["errors"].items() >= errors.items()
    assert api.get(f"{PAIR}/version/2/verification-results/latest").status == 404


@pytest.mark.usefixtures("history")
def test_results_nested_too_deeply_are_refused(api: Api) -> None:
    deep = b'{"success":true,"providerApplicationVersion":"1","testResults":' + b"[" * 400 + b"]" * 400 + b"}"
    refused = api.post(results_of(api, "2"), deep)
    assert (refused.status, refused.json()) == (400, {"error": "JSON::NestingError - nesting of 51 is too deep"})


@pytest.mark.usefixtures("history")
def test_a_time_is_brought_to_utc(api: Api) -> None:
    for sent, shown in (
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05+00:00"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05+00:00"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05+00:00"),
        (None, "2024-05-06T07:08:09+00:00"),
    ):
        result = give(api, results_of(api, "2"), verificationDate=sent)
        assert result.json()["verificationDate"] == shown


@pytest.mark.usefixtures("history")
def test_the_content_type_is_checked_last(api: Api) -> None:
    path = results_of(api, "2")
    body = {"success": True, "providerApplicationVersion": "1"}
    assert api.post(path, body, type="application/merge-patch+json").status == 415
    gone = path.replace(path.split("/")[-2], "0" * 40)
    assert (api.post(gone, {}).status, api.post(gone, body).status) == (400, 404)
    assert api.get("/pacticipants/Ledger/versions").json()["_embedded"]["versions"] == []


@pytest.mark.usefixtures("history")
def test_a_list_of_results_is_not_available(api: Api) -> None:
    assert api.get(results_of(api, "2")).status == 405
    response = api.get(f"{results_of(api, '2')}/all")
    assert response.json() == {"error": "To see all the verifications for a pact, use the Matrix page"}


@pytest.mark.parametrize("number", ["999999999", "99999999999999999999", "abc", "1.5", "-1", "٣"])
@pytest.mark.usefixtures("history")
def test_a_number_that_no_result_has_is_not_found(api: Api, number: str) -> None:
    from urllib.parse import quote  # noqa: PLC0415 - used here alone

    gone = api.get(f"{results_of(api, '2')}/{quote(number)}")
    assert (gone.status, gone.json()) == (404, GENERAL)


def test_a_result_belongs_to_its_content_alone(api: Api, history: History) -> None:
    number = history.verify("Till", "1", "Ledger", by="9")
    assert api.get(f"{results_of(api, '2')}/{number}").status == 404
    assert api.delete(f"{results_of(api, '2')}/{number}").status == 404
    assert api.get(f"{results_of(api, '1')}/{number}").status == 200


def test_the_newest_result_is_found_whichever_way_the_pact_is_named(api: Api, history: History) -> None:
    for path in ("/version/1", "/latest", "/latest/prod"):
        assert api.get(f"{PAIR}{path}/verification-results/latest").json() == GENERAL
    history.verify("Till", "1", "Ledger", by="10", success=False)
    history.verify("Till", "2", "Ledger", by="11")
    history.verify("Till", "1", "Ledger", by="9")
    newest_results = {
        path: by(api.get(f"{PAIR}{path}/verification-results/latest"))
        for path in ("/version/1", "/version/2", "/version/3", "/latest", "/latest/prod")
    }
    assert newest_results == {
        "/version/1": ("9", "1"),
        "/version/2": ("11", "2"),
        "/version/3": ("9", "3"),
        "/latest": ("9", "3"),
        "/latest/prod": ("9", "1"),
    }
    assert by(api.get(api.get(f"{PAIR}/version/1").link("pb:latest-verification-results"))) == ("9", "3")
    assert api.get(f"{PAIR}/latest/none/verification-results/latest").status == 404
    assert api.get(f"{PAIR}/version/9/verification-results/latest").status == 404


def test_a_result_is_read_in_the_context_that_the_metadata_names(api: Api, history: History) -> None:
    number = history.verify("Till", "1", "Ledger", by="9")
    plain = api.get(f"{PAIR}/version/1").link("pb:pact-version")
    segment = urlsafe_b64encode(b"cvn=1").rstrip(b"=").decode()
    assert by(api.get(f"{plain}/verification-results/{number}")) == ("9", "3")
    assert by(api.get(f"{plain}/metadata/{segment}/verification-results/{number}")) == ("9", "1")
    assert api.delete(f"{plain}/metadata/{segment}/verification-results/{number}").status == 204
    assert api.get(f"{plain}/verification-results/{number}").status == 404


def test_the_extended_type_shows_the_tags_of_the_provider(api: Api, history: History) -> None:
    number = history.verify("Till", "1", "Ledger", by="9")
    for version, tag in (("9", "dev"), ("9", "old"), ("10", "old")):
        history.tag("Ledger", version, tag)
    shown = api.get(f"{results_of(api, '1')}/{number}", accept=EXTENDED)
    assert shown.headers["content-type"].startswith("application/vnd.pactbrokerextended.v1+json")
    tags = shown.json()["_embedded"]["tags"]
    assert [(tag["name"], tag["latest"]) for tag in tags] == [("dev", True), ("old", False)]
    assert tags[0]["_links"]["self"]["href"] == "http://localhost/pacticipants/Ledger/versions/9/tags/dev"


@pytest.mark.parametrize("path", ["/version/1", "/latest", "/latest/prod"])
def test_after_the_newest_result_is_deleted_the_one_before_counts(api: Api, history: History, path: str) -> None:
    matrix = "/matrix?q[][pacticipant]=Till&q[][version]=1&q[][pacticipant]=Ledger&q[][version]=9&latestby=cvpv"

    def success() -> object:
        rows = api.get(matrix).json()["matrix"]
        return [row["verificationResult"] and row["verificationResult"]["success"] for row in rows]

    history.verify("Till", "1", "Ledger", by="9", success=False)
    history.verify("Till", "1", "Ledger", by="9")
    latest = f"{PAIR}{path}/verification-results/latest"
    assert success() == [True]
    assert api.delete(latest).status == 204
    assert success() == [False]
    assert api.get(latest).json()["success"] is False
    assert api.delete(latest).status == 204
    assert (api.get(latest).status, api.delete(latest).status) == (404, 404)


def test_deleting_an_older_result_changes_nothing_else(api: Api, history: History) -> None:
    older = history.verify("Till", "1", "Ledger", by="9", success=False)
    newer = history.verify("Till", "1", "Ledger", by="9")
    assert api.delete(f"{results_of(api, '1')}/{older}").status == 204
    latest = api.get(f"{PAIR}/version/1/verification-results/latest")
    assert latest.link("self").endswith(f"/{newer}")


def test_a_summary_lists_providers_by_their_results_for_a_version(api: Api, history: History) -> None:
    for provider in ("bank", "Archive"):
        history.publish("Till", "1", provider, 1)
    history.publish("Till", "2", "bank", 2)
    path = "/verification-results/consumer/Till/version/1/latest"

    def summary() -> tuple[bool, list[list[str]], list[str]]:
        body = api.get(path).json()
        pacticipants = [body["providerSummary"][name] for name in ("successful", "failed", "unknown")]
        return (
            body["success"],
            pacticipants,
            [result["providerName"] for result in body["_embedded"]["verificationResults"]],
        )

    assert summary() == (False, [[], [], ["Archive", "bank", "Ledger"]], [])
    history.verify("Till", "1", "bank", by="1")
    history.verify("Till", "1", "Ledger", by="1", success=False)
    history.verify("Till", "2", "bank", by="1", success=False)
    assert summary() == (False, [["bank"], ["Ledger"], ["Archive"]], ["bank", "Ledger"])
    history.verify("Till", "1", "Ledger", by="2")
    history.verify("Till", "1", "Archive", by="1")
    assert summary() == (True, [["Archive", "bank", "Ledger"], [], []], ["Archive", "bank", "Ledger"])
    assert api.get(path).json()["_links"]["self"] == {
        "title": "Latest verification results for consumer Till version 1",
        "href": f"http://localhost{path}",
    }


def test_a_version_without_pacts_succeeds_and_a_missing_one_gets_a_general_answer(api: Api, history: History) -> None:
    history.version("Till", "7")
    empty = api.get("/verification-results/consumer/Till/version/7/latest").json()
    assert (empty["success"], empty["_embedded"]) == (True, {"verificationResults": []})
    assert api.get("/verification-results/consumer/Till/version/8/latest").json() == GENERAL
    assert api.get("/verification-results/consumer/nobody/version/7/latest").json() == GENERAL
