"""An answer depends on all rows and on every version that is selected or live, whatever is shown of them."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from tests.api.client import SECRET_KEY, Api, Clock, build_settings
from tests.api.history import History
from treaty.store.engine.database import open_database
from treaty.web.application import build_application

MANY = 103
"""More versions than a page of rows has."""
LATEST_BY = ("cvpv", "cvp", "cp")


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


@pytest.fixture(scope="module")
def released(shared_database_url: str) -> Iterator[Api]:
    """A provider that verified the pacts of many released versions, of which the oldest failed; for reading."""
    settings = build_settings(database_url=shared_database_url, log_level="error", secret_key=SECRET_KEY)
    with (
        closing(open_database(shared_database_url, connections=2)) as database,
        closing(Api(build_application(settings, database, clock=Clock()))) as api,
    ):
        _fill(History(api))
        yield api


def _fill(history: History) -> None:
    history.publish("Foo", "0", "Bar", "old")
    history.release("Foo", "0", "live")
    history.verify("Foo", "0", "Bar", "9", success=False)
    for number in range(1, MANY):
        history.publish("Foo", str(number), "Bar", "new")
        history.release("Foo", str(number), "live")
    history.verify("Foo", "1", "Bar", "9")


def ask(api: Api, query: str) -> Any:
    answer = api.get(f"/matrix?{query}")
    assert answer.status == 200, answer.text
    return answer.json()


def counts(answer: Any) -> tuple[bool | None, int, int, int]:
    summary = answer["summary"]
    return summary["deployable"], summary["success"], summary["failed"], summary["unknown"]


def results(answer: Any) -> list[tuple[str, str | None, bool | None]]:
    """The versions of each row, and the result."""
    return [
        (
            row["consumer"]["version"]["number"],
            row["provider"]["version"] and row["provider"]["version"]["number"],
            row["verificationResult"] and row["verificationResult"]["success"],
        )
        for row in answer["matrix"]
    ]


BAR_9_TO_LIVE = "q[][pacticipant]=Bar&q[][version]=9&environment=live"


@pytest.mark.parametrize("latest_by", LATEST_BY)
@pytest.mark.parametrize("limit", [None, 1, 1000])
def test_a_failure_counts_beyond_the_limit(released: Api, latest_by: str, limit: int | None) -> None:
    answer = ask(released, f"{BAR_9_TO_LIVE}&latestby={latest_by}" + (f"&limit={limit}" if limit else ""))
    total = 1 if latest_by == "cp" else MANY
    assert counts(answer) == (False, MANY - 1, 1, 0)
    assert answer["rows"] == {"shown": min(limit or 100, total), "total": total}
    (failed,) = answer["notices"]
    assert failed["text"] == (
        "The verification for the pact between one of the versions of Foo currently in live (0) "
        "and version 9 of Bar failed"
    )


def test_the_badge_the_page_and_the_table_agree_with_can_i_deploy(released: Api) -> None:
    api = released
    History(api).branch("Bar", "9", "main")
    assert api.get("/can-i-deploy?pacticipant=Bar&version=9&environment=live").json()["summary"]["deployable"] is False
    badge = api.get(
        "/pacticipants/Bar/branches/main/latest-version/can-i-deploy/to-environment/live/badge", accept="image/svg+xml"
    )
    assert badge.headers["location"].endswith("-red.svg")
    page = api.get(f"/matrix?{BAR_9_TO_LIVE}", accept="text/html").text
    assert "<strong>No</strong>" in page
    assert f"100 of {MANY} rows are shown. The verdict depends on all of them." in page
    table = api.get(f"/matrix?{BAR_9_TO_LIVE}", accept="text/plain").text
    assert f"\n100 of {MANY} rows are shown; the answer depends on all of them.\n\nDeployable: false\n" in table


@pytest.mark.parametrize(("success", "total"), [("true", MANY - 1), ("false", 1), ("", 0)])
@pytest.mark.parametrize("limit", [100, 1000])
def test_a_filter_of_results_chooses_rows_and_changes_no_answer(
    released: Api, success: str, total: int, limit: int
) -> None:
    answer = ask(released, f"{BAR_9_TO_LIVE}&latestby=cvpv&success[]={success}&limit={limit}")
    assert counts(answer) == (False, MANY - 1, 1, 0)
    assert answer["rows"] == {"shown": min(limit, total), "total": total}
    assert {row[2] for row in results(answer)} == {value for value in (success == "true",) if total}


def test_ignored_rows_are_counted_beyond_the_limit(released: Api) -> None:
    answer = ask(released, f"{BAR_9_TO_LIVE}&latestby=cvpv&limit=1&ignore[][pacticipant]=Foo&ignore[][version]=0")
    assert (counts(answer), answer["summary"]["ignored"]) == ((True, MANY - 1, 0, 0), 1)
    everything = ask(released, f"{BAR_9_TO_LIVE}&latestby=cvpv&limit=1&ignore[][pacticipant]=Foo")
    assert (counts(everything), everything["summary"]["ignored"]) == ((True, 0, 0, 0), MANY)


def test_the_number_of_reasons_is_limited_and_the_last_one_counts_the_others(api: Api, history: History) -> None:
    for number in range(60):
        history.publish("Foo", str(number), "Bar", str(number % 7))
        history.release("Foo", str(number), "live")
    history.version("Bar", "9")
    for path in (f"/matrix?{BAR_9_TO_LIVE}&limit=5", "/can-i-deploy?pacticipant=Bar&version=9&environment=live"):
        answer = api.get(path).json()
        assert counts(answer) == (None, 0, 0, 60)
        assert len(answer["notices"]) == 51
        assert answer["notices"][-1] == {
            "type": "error",
            "text": "Of the required verification results, 10 more are missing",
        }
        assert answer["reasons"][-1]["kind"] == "more_obstacles"


@pytest.mark.parametrize("latest_by", LATEST_BY)
@pytest.mark.parametrize("way", ["deployed", "released", "both"])
def test_every_live_provider_version_needs_a_result(api: Api, history: History, latest_by: str, way: str) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "2")
    history.version("Bar", "1")
    for number in ("1", "2"):
        if way == "released" or (way == "both" and number == "1"):
            history.release("Bar", number, "live")
        else:
            history.deploy("Bar", number, "live", f"instance-{number}")
    answer = ask(api, f"q[][pacticipant]=Foo&q[][version]=1&environment=live&latestby={latest_by}")
    assert (answer["summary"]["deployable"], answer["summary"]["unknown"]) == (None, 1)
    assert answer["notices"][0]["text"] == (
        "There is no verified pact between version 1 of Foo and one of the versions of Bar currently in live (1)"
    )
    history.verify("Foo", "1", "Bar", "1", success=False)
    assert api.get("/can-i-deploy?pacticipant=Foo&version=1&environment=live").json()["summary"]["deployable"] is False


def test_every_live_consumer_version_with_a_pact_needs_a_result(api: Api, history: History) -> None:
    for number, content in (("1", "a"), ("2", "b")):
        history.publish("Foo", number, "Bar", content)
        history.deploy("Foo", number, "live", f"instance-{number}")
    history.version("Foo", "3")
    history.deploy("Foo", "3", "live", "instance-3")
    history.verify("Foo", "1", "Bar", "8")
    path = "/can-i-deploy?pacticipant=Bar&version=8&environment=live"
    assert counts(api.get(path).json()) == (None, 1, 0, 1)
    history.verify("Foo", "2", "Bar", "8")
    assert counts(api.get(path).json()) == (True, 2, 0, 0)


@pytest.mark.parametrize(
    "selected",
    [
        "q[][pacticipant]=Bar&q[][version]=8&q[][pacticipant]=Bar&q[][version]=7&environment=live",
        "q[][pacticipant]=Bar&q[][tag]=candidate&environment=live",
        "q[][pacticipant]=Bar&q[][tag]=candidate&latest=true",
        "q[][pacticipant]=Bar&q[][branch]=main&environment=live",
    ],
)
def test_every_selected_version_needs_a_result(api: Api, history: History, selected: str) -> None:
    history.publish("Foo", "1", "Bar")
    history.deploy("Foo", "1", "live")
    history.verify("Foo", "1", "Bar", "7")
    for number in ("7", "8"):
        history.tag("Bar", number, "candidate")
        history.branch("Bar", number, "main")
    answer = ask(api, f"{selected}&latestby=cvpv")
    assert counts(answer) == (None, 1, 0, 1)
    assert results(answer) == [("1", "8", None), ("1", "7", True)]
    assert "(8)" in answer["summary"]["reason"] or "version 8 of Bar" in answer["summary"]["reason"]
    history.verify("Foo", "1", "Bar", "8")
    assert counts(ask(api, f"{selected}&latestby=cvpv")) == (True, 2, 0, 0)


@pytest.mark.parametrize("latest_by", ["", *LATEST_BY])
@pytest.mark.parametrize("limit", [1, 100])
@pytest.mark.parametrize(
    "selected",
    [
        "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Foo&q[][version]=2",
        "q[][pacticipant]=Foo&q[][version]=2&q[][pacticipant]=Foo&q[][version]=2",
        "q[][pacticipant]=Foo&q[][branch]=main&q[][pacticipant]=Foo&q[][branch]=other&q[][latest]=true",
        "q[][pacticipant]=Foo&q[][version]=2&q[][pacticipant]=Foo",
    ],
)
def test_several_versions_of_one_application_need_results_without_a_destination_too(
    api: Api, history: History, selected: str, latest_by: str, limit: int
) -> None:
    for number, branch in (("1", "main"), ("2", "other")):
        history.publish("Foo", number, "Bar", number)
        history.branch("Foo", number, branch)
    history.verify("Foo", "1", "Bar", "7")
    path = f"{selected}&latestby={latest_by}&limit={limit}"
    answer = ask(api, path)
    assert (answer["summary"]["deployable"], answer["summary"]["unknown"]) == (None, 1)
    assert answer["notices"][0]["text"].startswith("WARN: It is recommended to specify the environment")
    history.verify("Foo", "2", "Bar", "7")
    assert ask(api, path)["summary"]["deployable"] is True
    history.verify("Foo", "2", "Bar", "8", success=False)
    assert ask(api, path)["summary"]["deployable"] is False


def test_several_versions_of_one_application_need_results_between_them(api: Api, history: History) -> None:
    for number in ("1", "2"):
        history.publish("Foo", number, "Foo", number)
        history.verify("Foo", number, "Foo", number)
    path = "q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Foo&q[][version]=2&latestby=cvpv"
    assert counts(ask(api, path)) == (None, 2, 0, 2)
    history.verify("Foo", "1", "Foo", "2")
    history.verify("Foo", "2", "Foo", "1")
    assert counts(ask(api, path)) == (True, 4, 0, 0)
    history.publish("Foo", "2", "Bar", "c")
    assert counts(ask(api, path)) == (None, 4, 0, 1)


def test_the_page_shows_not_yet_for_a_branch_with_an_unverified_version(api: Api, history: History) -> None:
    for number in ("1", "2"):
        history.publish("Foo", number, "Bar", number)
        history.branch("Foo", number, "main")
    page = api.get("/matrix?q[][pacticipant]=Foo&q[][branch]=main", accept="text/html").text
    assert "<strong>Not yet</strong>" in page


def test_a_version_that_is_ignored_needs_no_result(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "2")
    for number in ("1", "2"):
        history.version("Bar", number)
        history.deploy("Bar", number, "live", number)
    ignored = "&ignore[][pacticipant]=Bar&ignore[][version]=1"
    answer = api.get(f"/can-i-deploy?pacticipant=Foo&version=1&environment=live{ignored}").json()
    assert (counts(answer), answer["summary"]["ignored"]) == ((True, 1, 0, 0), 1)


# Contracts of an application with itself

ITSELF = "/can-i-deploy?pacticipant=Foo&version=2&environment=live"


@pytest.mark.parametrize("success", [True, False])
def test_results_of_other_versions_decide_nothing_about_a_contract_with_itself(
    api: Api, history: History, *, success: bool
) -> None:
    history.environment("live")
    history.publish("Foo", "1", "Foo", "a")
    history.publish("Foo", "2", "Foo", "b")
    history.verify("Foo", "2", "Foo", "1", success=success)
    history.verify("Foo", "1", "Foo", "2", success=success)
    for path in (ITSELF, "/matrix?q[][pacticipant]=Foo&q[][version]=2&latestby=cvp"):
        assert counts(api.get(path).json()) == (None, 0, 0, 1)
    history.verify("Foo", "2", "Foo", "2")
    for path in (ITSELF, "/matrix?q[][pacticipant]=Foo&q[][version]=2&latestby=cvp"):
        assert counts(api.get(path).json()) == (True, 1, 0, 0)


def test_a_contract_with_itself_must_hold_between_the_version_and_those_that_are_live(
    api: Api, history: History
) -> None:
    history.publish("Foo", "1", "Foo", "a")
    history.deploy("Foo", "1", "live")
    history.publish("Foo", "2", "Foo", "b")
    history.verify("Foo", "2", "Foo", "2")
    answer = api.get(ITSELF).json()
    assert counts(answer) == (None, 1, 0, 2)
    assert results(answer) == [("2", "2", True), ("2", "1", None), ("1", "2", None)]
    history.verify("Foo", "2", "Foo", "1")
    history.verify("Foo", "1", "Foo", "2", success=False)
    assert counts(api.get(ITSELF).json()) == (False, 2, 1, 0)
    history.verify("Foo", "1", "Foo", "2")
    assert counts(api.get(ITSELF).json()) == (True, 3, 0, 0)


def test_a_contract_of_an_application_with_itself_does_not_affect_others(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Foo", "a")
    history.deploy("Foo", "1", "live")
    history.publish("Foo", "1", "Bar", "c")
    history.verify("Foo", "1", "Bar", "7")
    answer = api.get("/can-i-deploy?pacticipant=Bar&version=7&environment=live").json()
    assert (counts(answer), results(answer)) == ((True, 1, 0, 0), [("1", "7", True)])


# Pages


@pytest.mark.parametrize(
    ("more", "verdict"), [("", "Yes"), ("&latestby=cvpv", "Yes"), ("&latestby=cp&limit=1", "Yes"), ("&limit=1", "Yes")]
)
def test_superseded_results_decide_nothing_on_the_page(api: Api, history: History, more: str, verdict: str) -> None:
    history.publish("Foo", "1", "Bar")
    history.verify("Foo", "1", "Bar", "7", success=False)
    history.verify("Foo", "1", "Bar", "7")
    page = api.get(f"/matrix?q[][pacticipant]=Foo&q[][version]=1&q[][pacticipant]=Bar{more}", accept="text/html").text
    assert f"<strong>{verdict}</strong>" in page
    assert (">superseded<" in page) is (more == "")


@pytest.mark.parametrize("latest_by", ["", *LATEST_BY])
def test_the_page_shows_no_yes_while_a_live_version_failed(api: Api, history: History, latest_by: str) -> None:
    history.publish("Foo", "1", "Bar")
    for number, success in (("6", False), ("7", True)):
        history.verify("Foo", "1", "Bar", number, success=success)
        history.deploy("Bar", number, "live", number)
    query = f"q[][pacticipant]=Foo&q[][version]=1&environment=live&latestby={latest_by}"
    assert "<strong>No</strong>" in api.get(f"/matrix?{query}", accept="text/html").text
