"""The pacts that a provider's build has to verify, and the reasons."""

from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from treaty.model.decisions.metadata import decode_segment

PATH = "/pacts/provider/Bar/for-verification"
SINCE = {"includeWipPactsSince": "2020-01-01"}
NOTHING = [{"tag": "none"}]
MINIMUM = (
    "must specify a value for environment or tag or branch, or specify mainBranch=true, matchingBranch=true, "
    "latest=true, deployed=true, released=true or deployedOrReleased=true"
)
EMPTY_BRANCH = (
    "when pending or WIP pacts are enabled and there are no tags provided, the provider version branch must not be an "
    "empty string, as it is used in the calculations for WIP/pending. A value must be provided (recommended), or it "
    "must not be set at all."
)


@pytest.fixture
def ask(api):
    """Ask for pacts; gives each one's version, descriptions, and whether it is pending and in progress."""

    def ask(*selectors, **more):
        answer = api.post(PATH, {"consumerVersionSelectors": list(selectors), **more})
        assert answer.status == 200, answer.text
        return [_seen(pact) for pact in answer.json()["_embedded"]["pacts"]]

    return ask


def _seen(pact):
    name = pact["_links"]["self"]["name"].removeprefix("Pact between ").removesuffix(" and Bar")
    properties = pact["verificationProperties"]
    return name, pact["shortDescription"], properties.get("pending"), properties.get("wip", False)


def _names(pacts):
    return [name for name, *_ in pacts]


@pytest.fixture
def verify(api):
    """Publish a result by the link in the pact, or by another one."""

    def verify(consumer_version, provider_version, *, success=True, branch=None, tags=(), via=None):
        if branch:
            api.put(f"/pacticipants/Bar/branches/{branch}/versions/{provider_version}", {})
        for tag in tags:
            api.put(f"/pacticipants/Bar/versions/{provider_version}/tags/{tag}", {})
        pact = api.get(via or f"/pacts/provider/Bar/consumer/Foo/version/{consumer_version}")
        body = {"success": success, "providerApplicationVersion": provider_version}
        assert api.post(pact.link("pb:publish-verification-results"), body).status == 201

    return verify


@pytest.fixture
def environment(api):
    def environment(name, *, production=False):
        return api.post("/environments", {"name": name, "production": production}).json()["uuid"]

    return environment


@pytest.fixture
def deploy(api):
    def deploy(version, uuid, instance=None):
        path = f"/pacticipants/Foo/versions/{version}/deployed-versions/environment/{uuid}"
        assert api.post(path, {"applicationInstance": instance} if instance else {}).status == 201

    return deploy


def _metadata(api, body):
    (pact,) = api.post(PATH, body).json()["_embedded"]["pacts"]
    return parse_qsl(decode_segment(pact["_links"]["self"]["href"].rsplit("/", 1)[1]))


def test_without_selectors_the_main_branches_and_deployed_versions_are_verified(api, ask):
    api.publish("Foo", "1", "Bar", 1, branch="main")
    api.publish("Foo", "99", "Other", 1, branch="main")
    assert ask() == []
    assert ask({"latest": True}) == [("Foo (1)", "latest", True, False)]


def test_a_body_may_be_left_out(api):
    api.publish("Foo", "1", "Bar")
    assert len(api.post(PATH).json()["_embedded"]["pacts"]) == 1


def test_a_consumer_without_a_main_branch_is_selected_by_its_main_tag_or_latest_version(make_api, ask):
    api = make_api(use_first_tag_as_branch=False)
    api.publish("Foo", "1", "Bar", 1, tags=["main"])
    api.publish("Foo", "2", "Bar", 2)
    api.publish("Baz", "1", "Bar", 3, branch="feat/x")
    assert ask() == [("Baz (1)", "latest", True, False), ("Foo (1)", "latest with tag main", True, False)]


def test_the_version_put_on_a_branch_last_is_its_head(api, ask):
    api.publish("Foo", "1", "Bar", 1)
    api.publish("Foo", "4", "Bar", 4, branch="feat/z")
    api.put("/pacticipants/Foo/branches/feat%2Fz/versions/1", {})
    assert _names(ask({"branch": "feat/z"})) == ["Foo (1)"]


def test_the_newest_revision_of_a_pact_is_verified(make_api, ask):
    api = make_api(allow_dangerous_contract_modification=True)
    api.publish("Foo", "1", "Bar", 1, branch="main")
    api.publish("Foo", "1", "Bar", 2, branch="main")
    assert len(ask({"mainBranch": True}, {"tag": "x"}, {"latest": True})) == 1


def test_a_version_deployed_to_two_instances_is_named_twice(api, ask, environment, deploy):
    api.publish("Foo", "1", "Bar", 1)
    live = environment("live", production=True)
    deploy("1", live, "a")
    deploy("1", live, "b")
    assert ask({"deployed": True}) == [("Foo (1)", "deployed to live, deployed to live", True, False)]
    assert ask({"environment": "live"}) == [("Foo (1)", "in environment live", True, False)]


def test_versions_that_are_no_longer_deployed_are_not_verified(api, ask, environment, deploy):
    api.publish("Foo", "1", "Bar", 1)
    api.publish("Foo", "2", "Bar", 2)
    test = environment("test")
    deploy("1", test)
    deploy("2", test)
    assert _names(ask({"deployedOrReleased": True, "environment": "test"})) == ["Foo (2)"]


def test_a_fallback_tag_serves_only_when_no_consumer_has_the_tag(api, ask):
    api.publish("Foo", "1", "Bar", 1, tags=["feat"])
    api.publish("Baz", "1", "Bar", 2, tags=["prod"])
    assert _names(ask({"tag": "feat", "latest": True, "fallbackTag": "prod"})) == ["Foo (1)"]
    assert ask({"tag": "none", "latest": True, "fallbackTag": "prod"}) == [
        ("Baz (1)", "latest with tag prod", True, False)
    ]
    assert ask({"branch": "none", "fallbackBranch": "main"}) == []


def test_a_fallback_branch_serves_each_consumer_without_a_pact_from_the_branch(api, ask):
    api.publish("Foo", "1", "Bar", 1, branch="main")
    api.publish("Foo", "2", "Bar", 2, branch="feat")
    api.publish("Baz", "1", "Bar", 3, branch="main")
    api.publish("Qux", "1", "Bar", 4, branch="other")
    selector = {"branch": "feat", "fallbackBranch": "main"}
    assert ask(selector) == [
        ("Baz (1)", "latest from branch main", True, False),
        ("Foo (2)", "latest from branch feat", True, False),
    ]
    assert _names(ask({**selector, "consumer": "Baz", "latest": True})) == ["Baz (1)"]
    assert _names(ask({**selector, "consumer": "Foo"})) == ["Foo (2)"]
    assert _names(ask({**selector, "consumer": "Qux"})) == []
    assert _names(ask({"branch": "feat"})) == ["Foo (2)"]
    body = {"consumerVersionSelectors": [{**selector, "consumer": "Baz"}]}
    assert ("s[][b]", "main") in _metadata(api, body)
    (pact,) = api.post(PATH, body).json()["_embedded"]["pacts"]
    assert (
        "latest version of Baz from branch 'main' (fallback branch used as no pact was found from branch 'feat') (1)"
        in pact["verificationProperties"]["notices"][0]["text"]
    )


@pytest.mark.parametrize(
    ("request_body", "is_explained"),
    [
        (SINCE, True),
        ({**SINCE, "consumerVersionSelectors": NOTHING}, True),
        ({**SINCE, "providerVersionTags": []}, True),
        ({**SINCE, "providerVersionBranch": "main"}, False),
        ({**SINCE, "providerVersionTags": ["dev"]}, False),
        ({}, False),
    ],
)
def test_a_notice_explains_missing_work_in_progress(api, request_body, is_explained):
    api.publish("Foo", "1", "Bar", 1, branch="feat")
    answer = api.post(PATH, request_body).json()
    if not is_explained:
        assert "notices" not in answer
        return
    (notice,) = answer["notices"]
    assert notice["when"] == "before_verification"
    assert "No 'work in progress' pacts are included" in notice["text"]
    assert "Set providerVersionBranch" in notice["text"]


def _verified_before(api, **body):
    (pact,) = api.post(PATH, {"consumerVersionSelectors": [{"latest": True}], **body}).json()["_embedded"]["pacts"]
    (text,) = (notice["text"] for notice in pact["verificationProperties"]["notices"] if "previously" in notice["text"])
    return text.partition(". ")[0]


def test_the_notice_about_an_earlier_success_names_the_branch_that_verified(api, verify, clock):
    api.publish("Foo", "1", "Bar", 1, branch="main")
    verify("1", "11", branch="side")
    clock.now += timedelta(hours=1)
    api.put("/pacticipants/Bar/branches/new/versions/12", {})
    beginning = "This pact has previously been successfully verified by a version of Bar from branch"
    for name in ("new", "side"):
        assert _verified_before(api, providerVersionBranch=name) == f"{beginning} 'side'"
    verify("1", "12", branch="new")
    assert _verified_before(api, providerVersionBranch="new") == f"{beginning} 'new'"
    api.put("/pacticipants/Bar/branches/side/versions/12", {})
    assert _verified_before(api, providerVersionBranch="side") == f"{beginning} 'side'"


def test_an_unknown_consumer_has_no_pacts(api, ask):
    api.publish("Foo", "1", "Bar", 1)
    assert ask({"latest": True, "consumer": "Nobody"}) == []


def test_the_link_has_the_selectors_of_the_pact(api):
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    body = {"consumerVersionSelectors": [{"branch": "feat/x"}], "includePendingStatus": False}
    branch, latest, version_id = _metadata(api, body)
    assert (branch, latest, version_id[0]) == (("s[][b]", "feat/x"), ("s[][l]", "true"), "s[][cv]")
    assert _metadata(api, {"consumerVersionSelectors": [{"branch": "feat/x"}]})[-1] == ("p", "true")


def test_a_result_of_another_branch_ends_pending_only_if_it_is_older_than_the_branch(api, ask, verify, clock):
    api.publish("Foo", "1", "Bar", 1, branch="main")
    api.put("/pacticipants/Bar/branches/old/versions/10", {})
    clock.now += timedelta(hours=1)
    verify("1", "11", branch="side")
    clock.now += timedelta(hours=1)
    api.put("/pacticipants/Bar/branches/new/versions/12", {})
    pending = {name: ask({"latest": True}, providerVersionBranch=name)[0][2] for name in ("old", "new", "none", "side")}
    assert pending == {"old": True, "new": False, "none": False, "side": False}


def test_a_branch_makes_tags_irrelevant(api, ask, verify):
    api.publish("Foo", "1", "Bar", 1)
    verify("1", "10", tags=["dev"])
    api.put("/pacticipants/Bar/branches/main/versions/9", {})
    assert ask({"latest": True}, providerVersionTags=["dev"])[0][2] is False
    assert ask({"latest": True}, providerVersionTags=["dev"], providerVersionBranch="main")[0][2] is True


def test_a_failure_leaves_a_pact_pending(api, ask, verify):
    api.publish("Foo", "1", "Bar", 1)
    verify("1", "10", success=False)
    assert ask({"latest": True})[0][2] is True
    verify("1", "11")
    verify("1", "12", success=False)
    assert ask({"latest": True})[0][2] is False


def test_a_success_published_as_work_in_progress_ends_pending_but_not_work_in_progress(api, ask, verify):
    api.publish("Foo", "1", "Bar", 1, branch="main")
    api.publish("Foo", "2", "Bar", 2, branch="feat/x")
    request = {"consumerVersionSelectors": [{"mainBranch": True}], "providerVersionBranch": "main", **SINCE}
    link = api.post(PATH, request).json()["_embedded"]["pacts"][1]["_links"]["self"]["href"]
    verify("2", "p1", branch="main", via=link)
    assert ask({"mainBranch": True}, providerVersionBranch="main", **SINCE)[1:] == [
        ("Foo (2)", "latest from branch feat/x", True, True)
    ]
    assert ask({"branch": "feat/x"}, providerVersionBranch="main")[0][2] is False


def test_a_tag_given_after_the_result_ends_pending_but_not_work_in_progress(api, ask, verify):
    api.publish("Foo", "4", "Bar", 1, branch="main")
    api.publish("Foo", "5", "Bar", 5, branch="feat/w")
    verify("5", "t1")
    api.put("/pacticipants/Bar/versions/t1/tags/pdev", {})
    assert ask({"branch": "feat/w"}, providerVersionTags=["pdev"])[0][2] is False
    assert len(ask({"mainBranch": True}, providerVersionTags=["pdev"], **SINCE)) == 2
    verify("5", "t2", tags=["pdev"])
    assert len(ask({"mainBranch": True}, providerVersionTags=["pdev"], **SINCE)) == 1


def test_a_success_keeps_a_pact_from_being_work_in_progress_for_thirty_days(api, ask, verify, clock):
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    verify("1", "p1", branch="main")
    wip = {"providerVersionBranch": "main", **SINCE}
    clock.now += timedelta(days=29)
    assert ask(*NOTHING, **wip) == []
    clock.now += timedelta(days=2)
    assert _names(ask(*NOTHING, **wip)) == ["Foo (1)"]


def test_how_long_a_success_counts_is_a_setting(make_api, ask, verify, clock):
    api = make_api(verified_by_other_branch_lookback_days=3)
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    verify("1", "p1", branch="main")
    clock.now += timedelta(days=4)
    answer = api.post(PATH, {"consumerVersionSelectors": NOTHING, "providerVersionBranch": "main", **SINCE})
    assert len(answer.json()["_embedded"]["pacts"]) == 1
    assert ask(*NOTHING, providerVersionBranch="main", **SINCE) == []


def test_the_window_for_work_in_progress_can_follow_the_unverified_pacts(make_api, ask, clock):
    api = make_api(dynamic_wip_window=True, min_wip_window_days=2, max_wip_lookback_days=20)
    for version in ("1", "2", "3", "4", "5"):
        api.publish("Foo", version, "Bar", version, branch=f"feat/{version}")
        clock.now += timedelta(days=1)
    clock.now += timedelta(days=5)
    request = {
        "consumerVersionSelectors": NOTHING,
        "providerVersionBranch": "main",
        "includeWipPactsSince": "2999-01-01",
    }
    pacts = api.post(PATH, request).json()["_embedded"]["pacts"]
    assert _names(map(_seen, pacts)) == ["Foo (2)", "Foo (3)", "Foo (4)", "Foo (5)"]
    assert ask(*NOTHING, providerVersionBranch="main", includeWipPactsSince="2999-01-01") == []


def test_work_in_progress_is_older_than_no_date_given(api, ask, clock):
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    at = clock.now
    before, after = (at - timedelta(seconds=1)).isoformat(), (at + timedelta(seconds=1)).isoformat()
    wip = {"providerVersionBranch": "main"}
    assert len(ask(*NOTHING, includeWipPactsSince=before, **wip)) == 1
    assert ask(*NOTHING, includeWipPactsSince=after, **wip) == []


@pytest.mark.parametrize(
    ("selector", "is_live"),
    [
        ({"deployed": True}, True),
        ({"released": True}, True),
        ({"deployedOrReleased": True}, True),
        ({"environment": "live"}, True),
        ({"deployed": True, "environment": "live"}, True),
        ({"mainBranch": True}, False),
        ({"latest": True}, False),
    ],
)
def test_live_pacts_are_never_pending_if_the_setting_forbids_it(
    make_api, environment, deploy, verify, selector, is_live
):
    """Other pacts, and contents with a success, are as without the setting."""
    api, usual = make_api(deployed_pacts_are_pending=False), make_api()
    for version, content, branch in (("1", "live", "main"), ("2", "new", "feat"), ("3", "verified", "main")):
        api.publish("Foo", version, "Bar", content, branch=branch)
    uuid = environment("live")
    deploy("1", uuid)
    api.post(f"/pacticipants/Foo/versions/1/released-versions/environment/{uuid}", {})
    request = {"consumerVersionSelectors": [selector], "providerVersionBranch": "main", "includePendingStatus": True}
    verify("3", "p1", branch="main")
    (pact,) = api.post(PATH, request).json()["_embedded"]["pacts"]
    texts = [notice["text"] for notice in pact["verificationProperties"]["notices"]]
    assert pact["verificationProperties"]["pending"] is False
    assert any("because it is deployed or released in live" in text for text in texts) is is_live
    assert not any("still in pending state" in text for text in texts)
    (before,) = usual.post(PATH, request).json()["_embedded"]["pacts"]
    assert before["verificationProperties"]["pending"] is is_live
    # The metadata of the link, which determines whether the pact of a result was pending, agrees.
    assert (pact["_links"]["self"]["href"] == before["_links"]["self"]["href"]) is not is_live
    (other,) = api.post(PATH, {**request, "consumerVersionSelectors": [{"branch": "feat"}]}).json()["_embedded"][
        "pacts"
    ]
    assert other["verificationProperties"]["pending"] is True


def test_the_pending_status_is_absent_unless_it_was_requested(api, ask):
    api.publish("Foo", "1", "Bar", 1, branch="feat/x")
    wip = {"includePendingStatus": False, "providerVersionBranch": "main", **SINCE}
    assert ask(*NOTHING, **wip) == [("Foo (1)", "latest from branch feat/x", None, True)]


def test_older_clients_are_warned_first(api):
    api.publish("Foo", "1", "Bar", 1, tags=["dev"])
    query = (
        "consumer_version_selectors[][tag]=dev&consumer_version_selectors[][latest]=true&include_pending_status=false"
    )
    (pact,) = api.get(f"{PATH}?{query}").json()["_embedded"]["pacts"]
    first, second = pact["verificationProperties"]["notices"]
    assert first["text"].startswith("WARNING - this version of the Pact library uses a beta version of the API")
    assert second["text"].endswith("\n    * latest version tagged 'dev' (1)")


SELECTORS = [
    ({}, [MINIMUM]),
    ({"latest": False}, [MINIMUM]),
    ({"fallbackBranch": "a"}, [MINIMUM, "a branch must be specified when a fallbackBranch is specified"]),
    ({"mainBranch": True, "latest": True, "consumer": "Foo"}, []),
    ({"mainBranch": True, "tag": "a"}, ["cannot specify mainBranch=true with any other criteria apart from consumer"]),
    ({"mainBranch": True, "latest": False}, ["cannot specify mainBranch=true with latest=false"]),
    ({"mainBranch": False}, ["mainBranch must be one of: true"]),
    ({"mainBranch": 1}, ["mainBranch must be one of: true"]),
    ({"mainBranch": None}, ["mainBranch must be filled"]),
    ({"branch": False}, ["branch must be a string or branch must be equal to true"]),
    ({"branch": None}, ["branch must be filled"]),
    ({"tag": "a", "latest": "true"}, ["latest must be one of: true, false"]),
    ({"tag": {}}, ["tag must be filled"]),
    ({"tag": 1, "branch": "b", "deployed": True}, ["tag must be a string"]),
    ({"tag": "a", "branch": "b"}, ["cannot specify both a tag and a branch"]),
    (
        {"matchingBranch": True},
        ["the providerVersionBranch must be specified when the selector matchingBranch=true is used"],
    ),
    (
        {"matchingBranch": True, "latest": True},
        [
            "cannot specify matchingBranch=true with any other criteria apart from consumer",
            "the providerVersionBranch must be specified when the selector matchingBranch=true is used",
        ],
    ),
    ({"branch": "a", "released": True}, ["cannot specify the field branch with the field released"]),
    (
        {"tag": "a", "latest": True, "environment": "e", "deployed": True},
        [
            "cannot specify the fields latest/tag with the fields deployed/environment",
            "environment with name 'e' does not exist",
        ],
    ),
    ({"tag": "a", "fallbackTag": "b"}, ["fallbackTag can only be set if latest is true"]),
    ({"latest": True, "fallbackTag": "b"}, ["a tag must be specified when a fallbackTag is specified"]),
    (
        {"branch": "a", "fallbackBranch": "b", "latest": False},
        ["fallbackBranch can only be set if latest is true", "cannot specify a branch with latest=false"],
    ),
    ({"deployed": True, "released": True}, ["cannot specify both deployed=true and released=true"]),
    ({"released": True, "deployedOrReleased": True}, ["cannot specify both released=true and deployedOrReleased=true"]),
    ({"deployed": True, "deployedOrReleased": True}, ["cannot specify both deployed=true and deployedOrReleased=true"]),
    ({"latest": True, "consumer": " "}, ["consumer cannot be blank"]),
    ({"latest": True, "consumer": ""}, ["consumer must be filled"]),
    ({"latest": True, "unknown": 1}, []),
    ("text", ["must be a hash"]),
]


@pytest.mark.parametrize(("selector", "texts"), SELECTORS)
def test_a_selector_is_refused_for_each_rule_that_it_breaks(api, selector, texts):
    api.publish("Foo", "1", "Bar", 1)
    answer = api.post(PATH, {"consumerVersionSelectors": [{"latest": True}, selector]})
    assert answer.status == (400 if texts else 200)
    assert answer.json().get("errors", {}).get("consumerVersionSelectors", []) == [
        f"{text} (at index 1)" for text in texts
    ]


BODIES = [
    ({"consumerVersionSelectors": None}, {"consumerVersionSelectors": ["must be an array"]}),
    ({"providerVersionTags": "x", "providerVersionBranch": 5}, ["must be a string", "must be an array"]),
    ({"providerVersionTags": ["a", 1]}, {"providerVersionTags": ["must be a string (at index 1)"]}),
    ({"includePendingStatus": "yes"}, {"includePendingStatus": ["must be one of: true, false"]}),
    ({"includePendingStatus": None}, {"includePendingStatus": ["must be filled"]}),
    *(
        ({"includeWipPactsSince": since}, {"includeWipPactsSince": ["must be a date"]})
        for since in (None, "", "soon", 5)
    ),
    ({"providerVersionBranch": " "}, {"providerVersionBranch": ["cannot be blank"]}),
    ({"providerVersionBranch": "", "includePendingStatus": True}, {"providerVersionBranch": [EMPTY_BRANCH]}),
    ({"providerVersionBranch": "", **SINCE}, {"providerVersionBranch": [EMPTY_BRANCH]}),
]


@pytest.mark.parametrize(("body", "errors"), BODIES)
def test_an_invalid_request_returns_400_before_its_provider_is_looked_up(api, body, errors):
    answer = api.post(PATH, body)
    assert answer.status == 400
    problems = answer.json()["errors"]
    assert (problems if isinstance(errors, dict) else [text for texts in problems.values() for text in texts]) == errors


@pytest.mark.parametrize(
    "body",
    [
        {"providerVersionBranch": ""},
        {"providerVersionBranch": "", "providerVersionTags": ["a"], **SINCE},
        {"providerVersionBranch": None, "providerVersionTags": None},
        {"includeWipPactsSince": "2020-01-01T00:00:00Z", "unknown": 1},
    ],
)
def test_bodies_of_older_libraries_are_accepted(api, body):
    api.publish("Foo", "1", "Bar", 1)
    assert api.post(PATH, body).status == 200


QUERIES = [
    ("consumer_version_selectors[][latest]=true", {"consumer_version_selectors": ["tag is missing (at index 0)"]}),
    (
        "consumer_version_selectors[][tag]=a&consumer_version_selectors[][latest]=maybe",
        {"consumer_version_selectors": ["latest must be one of: true, false (at index 0)"]},
    ),
    ("consumer_version_selectors[]=a", {"consumer_version_selectors": ["must be a hash (at index 0)"]}),
    ("consumer_version_selectors[a]=a", {"consumer_version_selectors": ["must be an array"]}),
    ("provider_version_tags=z", {"provider_version_tags": ["must be an array"]}),
    ("provider_version_tags[][a]=z", {"provider_version_tags": ["must be a string (at index 0)"]}),
    ("provider_version_branch[]=z", {"provider_version_branch": ["must be a string"]}),
    ("include_pending_status=x", {"include_pending_status": ["must be one of: true, false"]}),
    ("include_wip_pacts_since=soon", {"include_wip_pacts_since": ["must be a date"]}),
]


@pytest.mark.parametrize(("query", "errors"), QUERIES)
def test_a_query_is_refused_with_its_own_names(api, query, errors):
    answer = api.get(f"{PATH}?{query}")
    assert (answer.status, answer.json()) == (400, {"errors": errors})


def test_an_unknown_provider_is_named(api):
    answer = api.post("/pacts/provider/Nobody/for-verification", {})
    assert (answer.status, answer.json()) == (404, {"error": "No provider with name 'Nobody' found"})


@pytest.mark.parametrize("name", ["feat/ü 'x' & y?", "a" * 300])
def test_names_are_returned_unchanged(api, ask, name):
    api.publish("Foo", "1", "Bar", 1, branch=name)
    assert ask({"branch": name}) == [("Foo (1)", f"latest from branch {name}", True, False)]


@pytest.mark.parametrize(
    ("member", "element", "limit"),
    [("consumerVersionSelectors", {"latest": True}, 500), ("providerVersionTags", "main", 100)],
)
def test_more_selectors_or_tags_than_the_limit_are_refused(api, member, element, limit):
    api.publish("Shop", "1", "Prices")
    path = "/pacts/provider/Prices/for-verification"
    assert api.post(path, {member: [element] * limit}).status == 200
    refused = api.post(path, {member: [element] * (limit + 1)})
    assert (refused.status, refused.json()["errors"]) == (400, {member: [f"size cannot be greater than {limit}"]})


@pytest.mark.parametrize("place", [{"deployed": True}, {"deployedOrReleased": True}, {}])
def test_every_version_in_an_environment_is_selected_and_pending_on_its_own(
    api, ask, verify, environment, deploy, place
):
    prod = environment("prod", production=True)
    for version in ("1", "2", "3", "4"):
        api.publish("Foo", version, "Bar", int(version), branch="main")
    deploy("1", prod, "blue")
    deploy("2", prod, "green")
    deploy("4", prod, "grey")
    path = f"/pacticipants/Foo/versions/3/released-versions/environment/{prod}"
    assert api.post(path, {}).status == 201
    verify("2", "10", branch="main")
    verify("3", "10", success=False)
    selected = ask({**place, "environment": "prod"}, providerVersionBranch="main")
    released = [("Foo (3)", True)] if place != {"deployed": True} else []
    assert [(name, pending) for name, _, pending, _ in selected] == [
        *[("Foo (1)", True), ("Foo (2)", False)],
        *released,
        ("Foo (4)", True),
    ]
    deploy("2", prod, "grey")
    assert "Foo (4)" not in _names(ask({**place, "environment": "prod"}))
