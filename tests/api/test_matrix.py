"""The matrix: its rows, its options, and the queries that it refuses."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import Api, Clock
from tests.api.history import History, q

FOO, BAR = "q[][pacticipant]=Foo", "q[][pacticipant]=Bar"
BOTH = f"{FOO}&{BAR}"


@pytest.fixture
def history(api: Api) -> History:
    return History(api)


@pytest.fixture
def pair(history: History) -> None:
    """Three versions of Foo and two of Bar, which verified some of them."""
    history.publish("Foo", "1", "Bar", 1, branch="main", tags=["prod"])
    history.publish("Foo", "2", "Bar", 2, branch="main", tags=["dev"])
    history.publish("Foo", "3", "Bar", 3, branch="feat/x", tags=["dev"])
    history.branch("Bar", "10", "main")
    history.tag("Bar", "10", "prod")
    history.verify("Foo", "1", "Bar", "10")
    history.verify("Foo", "2", "Bar", "10")
    history.branch("Bar", "11", "main")
    history.verify("Foo", "2", "Bar", "11", success=False)


def ask(api: Api, query: str) -> Any:
    answer = api.get(f"/matrix?{query}")
    assert answer.status == 200, answer.text
    return answer.json()


def rows(answer: Any) -> list[str]:
    """The versions in the rows, and a sign for their results."""
    return [
        row["consumer"]["version"]["number"]
        + {True: "+", False: "-", None: "?"}[(row["verificationResult"] or {"success": None})["success"]]
        + (row["provider"]["version"] or {"number": ""})["number"]
        for row in answer["matrix"]
    ]


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("query", "found", "deployable"),
    [
        (BOTH, ["3?", "2-11", "2+10", "1+10"], None),
        (f"{BOTH}&latestby=cvpv", ["3?", "2-11", "2+10", "1+10"], None),
        (f"{BOTH}&latestby=cvp", ["3?", "2-11", "1+10"], None),
        (f"{BOTH}&latestby=", ["3?", "2-11", "2+10", "1+10"], None),
        (f"{FOO}&q[][version]=1&{BAR}&q[][version]=10", ["1+10"], True),
        (f"{FOO}&q[][version]=1&{BAR}&q[][version]=11", ["1?"], None),
        (f"{FOO}&q[][tag]=dev&{BAR}", ["3?", "2-11", "2+10"], None),
        (f"{FOO}&q[][branch]=main&{BAR}", ["2-11", "2+10", "1+10"], False),
        (f"{FOO}&q[][branch]=main&q[][latest]=true&{BAR}&q[][latest]=true", ["2-11"], False),
        (f"{FOO}&q[][branch]=main&q[][tag]=prod&{BAR}", ["1+10"], True),
        (f"{FOO}&q[][mainBranch]=true&q[][latest]=true&{BAR}&q[][mainBranch]=true", ["2-11", "2+10"], False),
        (f"{FOO}&q[][tag]=prod&q[][latest]=true&{BAR}&q[][tag]=prod&q[][latest]=true", ["1+10"], True),
        (f"{FOO}&q[][version]=99&{BAR}", [], False),
        (f"{FOO}&q[][version]=1&q[][branch]=feat%2Fx&{BAR}", [], False),
        (f"{FOO}&q[][environment]=nowhere&{BAR}", [], False),
        (f"{BOTH}&success=true", ["2+10", "1+10"], None),
        (f"{BOTH}&success[]=true&success[]=false", ["2-11", "2+10", "1+10"], None),
        (f"{BOTH}&success[]=", ["3?"], None),
        (f"{BOTH}&success=", ["3?"], None),
        (f"{BOTH}&limit=1", ["3?"], None),
        (f"{FOO}&q[][version]=1", ["1+10"], True),
        (f"{BAR}&q[][version]=10", ["2+10", "1+10"], True),
        (BAR, ["2-11", "2+10", "1+10"], False),
        (f"{FOO}&q[][version]=1&latest=true", ["1?"], None),
        (f"{FOO}&q[][version]=1&latest=true&tag=prod", ["1+10"], True),
        (f"{FOO}&q[][version]=2&latest=true&mainBranch=true", ["2-11"], False),
        (f"{FOO}&q[][version]=2&mainBranch=true", ["2-11", "2+10"], False),
        (f"{FOO}&q[][version]=2&mainBranch=false", ["2-11", "2+10"], False),
        (f"{BAR}&q[][version]=11&mainBranch=true&latest=true", ["2-11"], False),
    ],
)
def test_selectors_and_options_choose_the_rows(
    api: Api, query: str, found: list[str], *, deployable: bool | None
) -> None:
    answer = ask(api, query)
    assert rows(answer) == found
    assert answer["summary"]["deployable"] is deployable


@pytest.mark.usefixtures("pair")
def test_several_criteria_of_a_selector_must_all_hold(api: Api, history: History) -> None:
    history.deploy("Foo", "1", "live")
    history.deploy("Foo", "2", "live", "b")
    history.deploy("Bar", "10", "live")
    here = "q[][environment]=live"
    assert rows(ask(api, f"{FOO}&{here}&{BAR}&{here}")) == ["2+10", "1+10"]
    assert rows(ask(api, f"{FOO}&{here}&q[][tag]=prod&{BAR}&{here}")) == ["1+10"]
    assert rows(ask(api, f"{FOO}&{here}&q[][latest]=true&{BAR}&{here}")) == ["2+10"]


@pytest.mark.usefixtures("pair")
def test_the_pair_can_be_named_in_the_path(api: Api) -> None:
    answer = api.get("/matrix/provider/Bar/consumer/Foo?latestby=cvp")
    assert answer.json() == ask(api, f"{BOTH}&latestby=cvp")


@pytest.mark.usefixtures("pair")
def test_the_matrix_of_a_pair_is_about_one_direction_only(api: Api, history: History) -> None:
    before = api.get("/matrix/provider/Bar/consumer/Foo").json()
    for number in range(20, 23):
        history.publish("Bar", str(number), "Foo", number)
    history.verify("Bar", "20", "Foo", "1", success=False)
    after = api.get("/matrix/provider/Bar/consumer/Foo").json()
    assert rows(after) == rows(before)
    assert after["summary"] == before["summary"]
    assert rows(api.get("/matrix/provider/Bar/consumer/Foo?limit=3").json()) == rows(before)[:3]
    reverse = api.get("/matrix/provider/Foo/consumer/Bar").json()
    assert rows(reverse) == ["22?", "21?", "20-1"]
    assert {row["consumer"]["name"] for row in reverse["matrix"]} == {"Bar"}
    page = api.get("/matrix/provider/Foo/consumer/Bar", accept="text/html").text
    assert "/pacts/provider/Foo/consumer/Bar/version/20" in page
    assert "/pacts/provider/Bar/consumer/Foo/version/" not in page


@pytest.mark.usefixtures("pair")
def test_a_row_shows_where_its_versions_stand(api: Api, history: History) -> None:
    history.deploy("Bar", "10", "live", "a")
    history.deploy("Bar", "10", "live", "b")
    history.branch("Bar", "10", "other")
    (row,) = ask(api, f"{FOO}&q[][version]=1&{BAR}&q[][version]=10")["matrix"]
    base = "http://localhost/pacticipants/Bar"
    version = row["provider"]["version"]
    assert list(version) == ["number", "branch", "branches", "branchVersions", "environments", "_links", "tags"]
    assert (version["number"], version["branch"]) == ("10", "other")
    assert version["branches"] == version["branchVersions"]
    assert [(branch["name"], branch["latest"]) for branch in version["branches"]] == [("main", False), ("other", True)]
    link = {"title": "Branch version", "name": "main", "href": f"{base}/branches/main/versions/10"}
    assert version["branches"][0]["_links"]["self"] == link
    assert version["tags"] == [
        {"name": "prod", "latest": True, "_links": {"self": {"href": f"{base}/versions/10/tags/prod"}}}
    ]
    (environment,) = version["environments"]
    assert (environment["name"], environment["uuid"]) == ("live", history.environment("live"))
    result = row["verificationResult"]["_links"]["self"]["href"]
    assert "/metadata/Y3ZuPTE/verification-results/" in result
    assert api.get(result).json()["success"] is True
    assert api.get(row["pact"]["_links"]["self"]["href"]).status == 200


@pytest.mark.usefixtures("pair")
def test_a_row_lists_tags_branches_and_environments_in_the_order_in_which_its_version_got_them(
    api: Api, history: History, clock: Clock
) -> None:
    history.release("Bar", "10", "zone")
    clock.now += timedelta(hours=1)
    history.deploy("Bar", "10", "area")
    for name in ("two", "one"):
        clock.now += timedelta(hours=1)
        history.tag("Bar", "10", name)
        history.branch("Bar", "10", name)
    (row,) = ask(api, f"{FOO}&q[][version]=1&{BAR}&q[][version]=10")["matrix"]
    version = row["provider"]["version"]
    assert [environment["name"] for environment in version["environments"]] == ["zone", "area"]
    assert [tag["name"] for tag in version["tags"]] == ["prod", "two", "one"]
    assert [branch["name"] for branch in version["branches"]] == ["main", "two", "one"]


@pytest.mark.usefixtures("pair")
def test_an_unverified_row_holds_nulls(api: Api) -> None:
    (row,) = ask(api, f"{FOO}&q[][version]=3&{BAR}")["matrix"]
    assert row["provider"] == {
        "name": "Bar",
        "version": None,
        "_links": {"self": {"href": "http://localhost/pacticipants/Bar"}},
    }
    assert row["verificationResult"] is None
    assert list(row) == ["consumer", "provider", "pact", "verificationResult"]


@pytest.mark.usefixtures("pair")
@pytest.mark.parametrize(
    ("ignore", "found", "ignored"),
    [
        ("&ignore[][pacticipant]=Bar", ["3?", "2-11", "2+10", "1+10"], 4),
        ("&ignore[][pacticipant]=Bar&ignore[][version]=11", ["3?", "2+10", "1+10", "2-11"], 1),
        ("&ignore[][pacticipant]=Foo&ignore[][tag]=dev", ["1+10", "3?", "2-11", "2+10"], 3),
        ("&ignore[][pacticipant]=Foo&ignore[][branch]=none", ["3?", "2-11", "2+10", "1+10"], 0),
    ],
)
def test_ignored_rows_stand_last(api: Api, ignore: str, found: list[str], ignored: int) -> None:
    answer = ask(api, f"{BOTH}{ignore}")
    assert (rows(answer), answer["summary"]["ignored"]) == (found, ignored)
    assert [row.get("ignored") for row in answer["matrix"]] == [None] * (4 - ignored) + [True] * ignored


def test_a_limit_keeps_the_latest_rows(api: Api, history: History, clock: Clock) -> None:
    for number in "123":
        history.publish("Foo", number, "Bar", number)
    clock.now += timedelta(seconds=1)
    history.verify("Foo", "2", "Bar", "10")
    history.verify("Foo", "2", "Bar", "11", success=False)
    assert rows(ask(api, f"{BOTH}&limit=2&latestby=cvpv")) == ["2-11", "2+10"]


@pytest.mark.usefixtures("pair")
def test_every_failed_row_has_a_notice_of_its_own(api: Api, history: History) -> None:
    history.verify("Foo", "1", "Bar", "11", success=False)
    answer = ask(api, f"{BOTH}&latestby=cvpv&ignore[][pacticipant]=Foo&ignore[][version]=3")
    text = "The verification for the pact between any version of Foo and any version of Bar failed"
    assert answer["summary"]["reason"] == f"{text}\n{text}"
    assert answer["notices"] == [{"type": "error", "text": text}] * 2


@pytest.mark.parametrize("latest_by", ["", "&latestby=cvp", "&latestby=cvpv"])
def test_a_limit_changes_no_count(make_api: Callable[..., Api], latest_by: str) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    history = History(api)
    for version, content in (("1", "a"), ("1", "b"), ("2", "b"), ("3", "c"), ("4", "a"), ("5", "d")):
        history.publish("Foo", version, "Bar", content)
        history.verify("Foo", version, "Bar", "10", success=content != "a")
    history.publish("Foo", "5", "Baz", "e")
    history.verify("Foo", "5", "Baz", "20", success=False)
    history.publish("Bar", "10", "Baz", "f")
    everything, limited = (ask(api, f"{BOTH}{latest_by}{limit}") for limit in ("", "&limit=2"))
    assert limited["rows"] == {"shown": 2, "total": len(everything["matrix"])}
    assert limited["summary"] == everything["summary"]
    assert limited["reasons"] == everything["reasons"]


@pytest.mark.parametrize("path", [f"/matrix?{BOTH}", "/matrix/provider/Bar/consumer/Foo?"])
def test_failures_of_a_pair_are_found_behind_newer_rows_in_each_direction(
    api: Api, history: History, path: str
) -> None:
    for version, content in (("1", "a"), ("2", "b"), ("3", "b"), ("4", "b")):
        history.publish("Foo", version, "Bar", content)
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.verify("Foo", "1", "Bar", "11")
    history.verify("Foo", "2", "Bar", "11")
    for is_mutual in (False, True):
        if is_mutual:
            history.publish("Bar", "9", "Foo", "c")
            history.verify("Bar", "9", "Foo", "5", success=False)
        everything, newest, failed = (
            api.get(f"{path}&latestby=cvpv{options}").json() for options in ("", "&limit=1", "&limit=1&success[]=false")
        )
        number = 2 if is_mutual and "q[]" in path else 1
        assert (everything["summary"]["success"], everything["summary"]["failed"]) == (4, number)
        assert newest["summary"] == failed["summary"] == everything["summary"]
        assert newest["reasons"] == failed["reasons"] == everything["reasons"]
        assert len(newest["reasons"]) == number
        assert (failed["rows"], rows(failed)) == ({"shown": 1, "total": number}, ["9-5" if number > 1 else "1-10"])


def test_with_one_selector_a_limit_counts_rows_of_the_selected_version_only(api: Api, history: History) -> None:
    for number in "1234":
        history.publish("Foo", number, "Bar", number)
    assert rows(ask(api, f"{FOO}&q[][version]=1&latestby=cvpv&limit=2")) == ["1?"]
    assert rows(ask(api, f"{FOO}&q[][version]=3&latestby=cvpv&limit=2")) == ["3?"]


def test_a_tag_on_two_versions_is_two_selectors(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Bar", 1, tags=["t"])
    history.publish("Foo", "2", "Bar", 2, tags=["t"])
    both = ask(api, f"{FOO}&q[][tag]=t&latestby=cvpv")
    assert (both["matrix"], both["summary"]["deployable"]) == ([], True)
    assert [notice["type"] for notice in both["notices"]] == ["warning", "success"]
    latest = ask(api, f"{FOO}&q[][tag]=t&q[][latest]=true&latestby=cvpv")
    assert (rows(latest), latest["summary"]["deployable"]) == (["2?"], None)
    assert [notice["type"] for notice in latest["notices"]] == ["warning", "warning", "error"]


def test_every_revision_and_every_result_has_a_row_unless_the_latest_is_requested(
    make_api: Callable[..., Api],
) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    history = History(api)
    history.publish("Foo", "1", "Bar", "a")
    history.verify("Foo", "1", "Bar", "10", success=False)
    history.verify("Foo", "1", "Bar", "10")
    history.publish("Foo", "1", "Bar", "b")
    assert rows(ask(api, BOTH)) == ["1?", "1+10", "1-10"]
    assert rows(ask(api, f"{BOTH}&latestby=cvpv")) == ["1?"]


def test_a_pacticipant_may_be_its_own_provider(api: Api, history: History) -> None:
    history.publish("Foo", "1", "Foo")
    history.verify("Foo", "1", "Foo", "1")
    assert rows(ask(api, f"{FOO}&q[][version]=1&latestby=cvpv&latest=true")) == ["1+1"]


def test_a_selector_may_find_more_versions_than_a_statement_has_parameters(api: Api, history: History) -> None:
    for number in range(510):
        history.branch("Foo", str(number), "main")
    history.publish("Foo", "7", "Bar")
    assert rows(ask(api, f"{FOO}&q[][branch]=main&{BAR}")) == ["7?"]


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ("", ["Please provide 1 or more version selectors."]),
        ("q[][version]=1", ["Please specify the pacticipant name"]),
        ("q[]=Foo", ["Please specify the pacticipant name"]),
        (f"{FOO}&{FOO}&q[][version]=1&q[][version]=2", ["Please specify the pacticipant name"]),
        (
            f"{FOO}&q[][version]=1&q[][latest]=true",
            ["A version number and latest flag cannot both be specified for Foo"],
        ),
        ("q[][pacticipant]=A&q[][pacticipant]=B", ["Pacticipant A not found", "Pacticipant B not found"]),
        (f"{FOO}&limit=0", ["The limit must be 1 or greater."]),
        (f"{FOO}&limit=abc", ["The limit must be 1 or greater."]),
        (f"{FOO}&ignore[]=plain", ["Please specify the pacticipant name to ignore"]),
        (
            f"{FOO}&tag=a&environment=e",
            [
                "Cannot specify more than one of tag, environment and mainBranch.",
                "Environment with name 'e' does not exist",
            ],
        ),
        (
            f"{FOO}&environment=live&mainBranch=false",
            ["Cannot specify more than one of tag, environment and mainBranch."],
        ),
        (f"{FOO}&latestby=odd", ["latestby must be one of: cvpv, cvp, cp"]),
        ("q=Foo", ["q must be a list of selectors, such as q[][pacticipant]=NAME&q[][version]=NUMBER"]),
        ("q[pacticipant]=Foo", ["q must be a list of selectors, such as q[][pacticipant]=NAME&q[][version]=NUMBER"]),
    ],
)
def test_an_invalid_query_returns_400_and_its_errors(api: Api, history: History, query: str, errors: list[str]) -> None:
    history.version("Foo", "1")
    history.environment("live")
    answer = api.get(f"/matrix?{query}")
    assert (answer.status, answer.json()) == (400, {"errors": errors})


def test_refusals_can_be_problem_documents(api: Api) -> None:
    answer = api.get("/matrix", accept="application/hal+json, application/problem+json")
    assert answer.headers["content-type"] == "application/problem+json;charset=utf-8"
    (problem,) = answer.json()["errors"]
    assert problem["detail"] == "Please provide 1 or more version selectors."
    assert "pointer" not in problem


def test_a_pair_that_does_not_exist_is_not_found_but_its_options_are_checked_first(api: Api, history: History) -> None:
    history.version("Foo", "1")
    missing = api.get("/matrix/provider/Nobody/consumer/Foo")
    assert (missing.status, missing.json()) == (404, {"error": "No provider with name 'Nobody' found"})
    both = api.get("/matrix/provider/Nobody/consumer/Noone")
    assert both.json() == {"error": "No consumer with name 'Noone' found"}
    refused = api.get("/matrix/provider/Nobody/consumer/Foo?limit=0")
    assert (refused.status, refused.json()) == (400, {"errors": ["The limit must be 1 or greater."]})


@pytest.mark.usefixtures("pair")
def test_people_may_read_the_matrix_as_a_table(api: Api) -> None:
    none = api.get(f"/matrix?{FOO}&q[][version]=9&{BAR}", accept="text/plain")
    reason = "No pacts or verifications have been published for version 9 of Foo"
    assert none.text == f"No data.\n\nDeployable: false\nReason: {reason}\n"
    some = api.get(f"/matrix?{FOO}&q[][version]=3&{BAR}", accept="text/plain")
    assert some.text.splitlines()[2:4] == [
        "Foo      | 3         | 1        | Bar      |           |        |        ",
        "",
    ]
    assert "\nDeployable: nil\n" in some.text


def test_long_names_are_cut_in_tables(api: Api, history: History) -> None:
    name = "a-consumer-with-a-name-that-does-not-fit"
    history.publish(name, "1", "Bar")
    table = api.get(f"/matrix?q[][pacticipant]={name}&{BAR}", accept="text/plain").text
    assert table.splitlines()[2].startswith("a-consumer-with-a-name-that... | 1 ")


def test_names_may_hold_anything(api: Api, history: History) -> None:
    consumer, provider, branch = "Föö & Söhne/1", "Bar?=#%", "feat/ü"
    history.publish(consumer, "1.0+x/y", provider, branch=branch)
    query = f"q[][pacticipant]={q(consumer)}&q[][branch]={q(branch)}&q[][pacticipant]={q(provider)}"
    (row,) = ask(api, query)["matrix"]
    assert row["consumer"]["version"]["branch"] == branch
    assert api.get(row["pact"]["_links"]["self"]["href"]).status == 200
