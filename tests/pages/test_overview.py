"""The overview: how things stand, filtered, sorted and paged."""

from datetime import timedelta

import pytest

from tests.pages.deployments import KINDS, another_instance, deploy_or_release


def rows(shown):
    """The names of the consumers and providers, in order."""
    names = [link for link in shown.links if link.startswith("/dashboard/provider/") and "#" not in link]
    return [(link.split("/")[5], link.split("/")[3]) for link in names]


def test_an_empty_broker_shows_how_to_publish_the_first_pact_here(show):
    text = show("/").text
    assert "pip install ." in text
    assert "pact-broker publish ./pacts --consumer-app-version 1.0.0 --branch main" in text
    assert "--broker-base-url http://localhost" in text
    assert "pact-broker can-i-deploy" in text


@pytest.mark.usefixtures("history")
def test_an_integration_is_shown_with_the_state_of_its_latest_pact(show):
    shown = show("/")
    assert rows(shown) == [("Till", "Ledger")]
    assert "Changed since verified" in shown.text
    assert "/pacts/provider/Ledger/consumer/Till/version/3" in shown.links


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("query", "state", "version"),
    [
        ("branch=main", "Failed", "2"),
        ("branch=feat%2Fx", "Changed since verified", "3"),
        ("environment=production", "Verified", "1"),
        ("environment=production&branch=main", "Failed", None),
    ],
)
def test_a_branch_or_an_environment_chooses_which_pact_is_shown(show, query, state, version):
    shown = show(f"/?{query}")
    if version is None:
        assert rows(shown) == []
        return
    assert f"/pacts/provider/Ledger/consumer/Till/version/{version}" in shown.links
    assert state in shown.text


@pytest.mark.parametrize("instances", [("blue", "green"), ("green", "blue")])
def test_of_several_versions_in_an_environment_the_newest_is_shown(history, show, instances):
    from tests.pages.conftest import uuid_of  # noqa: PLC0415 - used here alone

    production = uuid_of(history, "production")
    for version, instance in zip(("2", "3"), instances, strict=True):
        place = f"/pacticipants/Till/versions/{version}/deployed-versions/environment/{production}"
        assert history.post(place, {"applicationInstance": instance}).status == 201
    for query in ("", "&sort=published", "&sort=-state"):
        shown = show(f"/?environment=production{query}")
        assert rows(shown) == [("Till", "Ledger")]
        assert versions(shown) == ["3"]
        assert "All 1" in shown.text
    assert "All 1" in show("/?environment=production&state=failed").text
    assert history.get("/network?environment=production", accept="image/svg+xml").text.count("<rect") == len("ab")


def test_filters_select_by_name_label_state_and_branch(history, show):
    history.publish("Shop", "1", "Stock")
    history.put("/pacticipants/Stock/labels/team-a", {})
    assert rows(show("/")) == [("Shop", "Stock"), ("Till", "Ledger")]
    assert rows(show("/?q=edg")) == [("Till", "Ledger")]
    assert rows(show("/?q=edg+shop")) == [("Shop", "Stock"), ("Till", "Ledger")]
    assert rows(show("/?q=%25")) == []
    assert rows(show("/?label=team-a")) == [("Shop", "Stock")]
    assert rows(show("/?state=failed")) == []
    assert rows(show("/?state=failed&branch=main")) == [("Till", "Ledger")]
    assert rows(show("/?state=nonsense&sort=nonsense&page=-1")) == [("Shop", "Stock"), ("Till", "Ledger")]
    assert "No applications found matching “nobody”" in show("/?q=nobody").text


def test_sorting_goes_both_ways(history, show, clock):
    clock.now = clock.now.replace(year=2025)
    history.publish("Abacus", "1", "Zebra")
    assert rows(show("/?sort=consumer"))[0] == ("Abacus", "Zebra")
    assert rows(show("/?sort=-consumer"))[0] == ("Till", "Ledger")
    assert rows(show("/?sort=provider"))[0] == ("Till", "Ledger")
    assert rows(show("/?sort=published"))[0] == ("Abacus", "Zebra")
    assert rows(show("/?sort=-published"))[0] == ("Till", "Ledger")


def test_long_lists_are_paged_and_links_keep_the_filters(api, show):
    for number in range(7):
        api.publish(f"app-{number}", "1", "Hub")
    shown = show("/?pageSize=3&page=2&q=app")
    assert rows(shown) == [("app-3", "Hub"), ("app-4", "Hub"), ("app-5", "Hub")]
    assert "4-6 of 7 pacts" in shown.text
    assert "?pageSize=3&page=3&q=app" in shown.links


def test_problems_that_need_attention_are_listed(history, show):
    history.publish("Till", "4", "Ledger", "thing 2", branch="main")
    shown = show("/")
    assert "Needs attention" in shown.text
    assert "Ledger 11 broke the latest pact of Till 4" in shown.text
    assert "Needs attention" not in show("/?q=Till").text


def test_versions_that_run_together_unproven_need_attention(history, show):
    from tests.pages.conftest import deploy  # noqa: PLC0415 - used here alone

    assert "runs in" not in show("/").text
    deploy(history, "Ledger", "11", "production")
    assert "Till 1 runs in Production with Ledger 11 , which has not verified it" in show("/").text


def test_a_pact_that_changed_and_waits_for_more_than_a_day_needs_attention(history, show, clock):
    waits = "Ledger has not verified the pact of Till 3"
    assert waits not in show("/").text
    clock.now += timedelta(hours=25)
    assert waits in show("/").text
    pact = history.get("/pacts/provider/Ledger/consumer/Till/version/3")
    body = {"success": True, "providerApplicationVersion": "12"}
    assert history.post(pact.link("pb:publish-verification-results"), body).status == 201
    assert waits not in show("/").text


def test_a_pact_without_any_result_is_not_verified_rather_than_changed(api, show):
    api.publish("Shop", "1", "Stock")
    assert "Not verified" in show("/").text
    assert "Changed since verified" not in show("/").text


def versions(shown):
    """The consumer's versions that are listed, in order."""
    return [
        link.rpartition("/")[2] for link in shown.links if "/version/" in link and "/verification-results/" not in link
    ]


@pytest.mark.usefixtures("history")
def test_pacts_by_tag_are_the_latest_of_all_with_each_tag_and_in_an_environment(show):
    shown = show("/?tags=true")
    assert versions(shown) == ["3", "2", "1"]
    assert shown.text.count("latest Branch") == 1
    assert "Tag: # tag-2" in shown.text or "Tag: #tag-2" in shown.text
    assert "Production: Production" in shown.text
    assert "1-3 of 3 pacts" in shown.text


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("tags[]=tag-2", ["3", "2", "1"]),
        ("tags[]=none", ["3", "1"]),
        ("tags=true&tag=none", ["3", "1"]),
        ("tags=true&q=edg", ["3", "2", "1"]),
        ("tags=true&q=nobody", []),
        ("tags=true&label=none", []),
        ("tags=true&pageSize=1&page=2", ["2"]),
    ],
)
def test_pacts_by_tag_are_filtered_and_paged(show, query, listed):
    assert versions(show(f"/?{query}")) == listed


def test_all_pacts_by_tag_are_on_the_pages_once_also_of_names_that_differ_in_case(make_api, show):
    api = make_api(check_for_potential_duplicate_pacticipant_names=False)
    for number, name in enumerate(("Shop", "shop", "Till", "Edge")):
        for provider in ("Stock", "Prices"):
            assert api.publish(name, str(number), provider, branch="main").status == 200
    pages = [show(f"/?tags=true&pageSize=3&page={page}") for page in (1, 2, 3)]
    assert [versions(page) for page in pages] == [["3", "3", "0"], ["1", "0", "1"], ["2", "2"]]
    assert all("of 8 pacts" in page.text for page in pages)


@pytest.mark.usefixtures("history")
def test_links_between_pages_keep_the_tags_that_were_named(show):
    assert "?pageSize=1&page=2&tags%5B%5D=tag-2" in show("/?tags[]=tag-2&pageSize=1").links


@pytest.mark.parametrize("provider_kind", KINDS)
@pytest.mark.parametrize("consumer_kind", KINDS)
def test_released_versions_that_run_together_unproven_need_attention_too(history, show, consumer_kind, provider_kind):
    deploy_or_release(history, consumer_kind, "Till", "2", "test")
    deploy_or_release(history, provider_kind, "Ledger", "11", "test")
    assert "Till 2 runs in Test with Ledger 11 , whose verification failed" in show("/").text
    deploy_or_release(history, provider_kind, "Ledger", "12", "test", **another_instance(provider_kind))
    assert "Till 2 runs in Test with Ledger 12 , which has not verified it" in show("/").text


def test_a_problem_is_listed_once_and_no_longer_after_its_end(history, show):
    for instance in ("a", "b"):
        deploy_or_release(history, "deployed-versions", "Till", "2", "test", applicationInstance=instance)
    deploy_or_release(history, "released-versions", "Till", "2", "test")
    deploy_or_release(history, "released-versions", "Ledger", "11", "test")
    assert show("/").text.count("Till 2 runs in Test with Ledger 11") == 1
    released = history.get(show_environment(history, "test", "released-versions/currently-supported")).json()
    for release in released["_embedded"]["releasedVersions"]:
        path = release["_links"]["self"]["href"]
        assert history.patch(path, {"currentlySupported": False}).status == 200
    assert "runs in Test" not in show("/").text


def show_environment(api, name, more):
    from tests.pages.conftest import uuid_of  # noqa: PLC0415 - used here alone

    return f"/environments/{uuid_of(api, name)}/{more}"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("result", "state"), [(None, "Changed since verified"), (False, "Failed")])
def test_the_state_in_an_environment_holds_for_every_provider_version_there(history, show, kind, result, state):
    from tests.pages.conftest import verify  # noqa: PLC0415 - used here alone

    assert "Verified 1" in show("/?environment=production").text
    deploy_or_release(history, kind, "Ledger", "9", "production", **another_instance(kind))
    if result is not None:
        verify(history, "1", "9", success=result)
    verify(history, "1", "10", success=True)
    verify(history, "1", "11", success=True)
    shown = show("/?environment=production")
    assert f"{state} 1" in shown.text
    assert rows(show(f"/?environment=production&state={'failed' if result is False else 'changed'}")) == [
        ("Till", "Ledger")
    ]
    assert rows(show("/?environment=production&state=verified")) == []
    assert state in history.get("/network/svg?environment=production", accept="*/*").text
    verify(history, "1", "9", success=True)
    assert "Verified 1" in show("/?environment=production").text


def test_the_state_in_an_environment_holds_for_every_consumer_version_there(history, show):
    from tests.pages.conftest import verify  # noqa: PLC0415 - used here alone

    for version, success in (("2", False), ("3", True)):
        deploy_or_release(history, "released-versions", "Till", version, "production")
        verify(history, version, "10", success=success)
    shown = show("/?environment=production")
    assert "Failed 1" in shown.text
    assert versions(shown) == ["2"]
