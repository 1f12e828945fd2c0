"""Publishing and reading single pacts."""

import json
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.client import Answer, Api, Clock, pact, publication
from tests.api.history import History, fill_ledger

PAIR = "/pacts/provider/Ledger/consumer/Till"
EXTENDED = "application/vnd.pactbrokerextended.v1+json, application/hal+json;q=0.5"
PROBLEM = "application/hal+json, application/problem+json"
GENERAL = {"error": "The requested document was not found on this server."}


def put(api: Api, version: str, content: object = None, **more: object) -> Answer:
    return api.put(f"{PAIR}/version/{version}", {**pact("Till", "Ledger", content), **more})


def test_a_first_publication_makes_all_that_it_names(api: Api) -> None:
    response = put(api, "1")
    assert (response.status, response.headers.get("location")) == (201, None)
    assert response.link("self") == f"{PAIR}/version/1"
    assert response.json()["createdAt"] == "2024-05-06T07:08:09+00:00"
    version = api.get("/pacticipants/Till/versions/1").json()
    assert version["_embedded"] == {"branchVersions": [], "tags": []}
    assert api.get("/pacticipants/Ledger").status == 200
    assert api.get(f"{PAIR}/version/1").json() == response.json()


def test_the_same_content_again_is_the_same_publication(api: Api, clock: Clock) -> None:
    response = put(api, "1")
    clock.now += timedelta(hours=1)
    again = put(api, "1", metadata={"pactSpecification": {"version": "2.0.0"}, "more": 1})
    assert again.status == 200
    assert again.json() == response.json()


def test_content_of_a_version_does_not_change(api: Api) -> None:
    put(api, "1", 1)
    refused = put(api, "1", 2)
    assert refused.status == 409
    start = "Cannot change the content of the pact for Till version 1 and provider Ledger, as race conditions"
    assert refused.json()["error"].startswith(start)
    problem = api.put(f"{PAIR}/version/1", pact("Till", "Ledger", 2), accept=PROBLEM).json()
    assert (problem["title"], problem["status"]) == ("Server error", 500)
    assert problem["detail"].startswith(start)
    assert api.get(f"{PAIR}/version/1").json()["interactions"][0]["request"]["path"] == "/1"


def test_content_may_change_where_a_setting_allows_it(make_api: Callable[..., Api], clock: Clock) -> None:
    api = make_api(allow_dangerous_contract_modification=True)
    first = put(api, "1", 1)
    clock.now += timedelta(hours=1)
    changed = put(api, "1", 2)
    assert changed.status == 200
    assert changed.json()["createdAt"] == "2024-05-06T08:08:09+00:00"
    assert api.get(f"{PAIR}/version/1").json() == changed.json()
    assert api.get(f"{PAIR}/latest").json()["interactions"] == changed.json()["interactions"]
    old = api.get(first.link("pb:pact-version"))
    assert old.json()["interactions"] == first.json()["interactions"]


def test_names_in_a_pact_must_be_those_of_its_path(api: Api) -> None:
    refused = api.put(f"{PAIR}/version/1", pact("Other", "Another"))
    assert refused.status == 400
    assert refused.json() == {
        "errors": {
            "consumer.name": ["name in pact 'Other' does not match name in URL path 'Till'."],
            "provider.name": ["name in pact 'Another' does not match name in URL path 'Ledger'."],
        }
    }
    problem = api.put(f"{PAIR}/version/1", pact("Other", "Ledger"), accept=PROBLEM).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/consumer/name"]


@pytest.mark.parametrize(
    "names", [{}, {"consumer": {}, "provider": {}}, {"consumer": 5, "provider": []}, {"consumer": {"name": " "}}]
)
def test_a_pact_need_not_name_anybody(api: Api, names: dict[str, object]) -> None:
    assert api.put(f"{PAIR}/version/1", {"interactions": [], **names}).status == 201


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/pacts/provider/%20/consumer/Till/version/1", "provider.name"),
        ("/pacts/provider/Ledger/consumer/%20/version/1", "consumer.name"),
        ("/pacts/provider/Ledger/consumer/Till/version/%20", "consumer_version_number"),
    ],
)
def test_no_name_is_blank(api: Api, path: str, key: str) -> None:
    refused = api.put(path, {})
    assert (refused.status, refused.json()) == (400, {"errors": {key: ["cannot be blank"]}})


def test_a_name_like_another_is_taken_for_a_slip(make_api: Callable[..., Api]) -> None:
    api = make_api()
    put(api, "1")
    refused = api.put("/pacts/provider/Ledger-Service/consumer/tills/version/1", {})
    assert (refused.status, refused.headers["content-type"]) == (409, "text/plain")
    assert 'This is the first time a pact has been published for "tills"' in refused.text
    assert "* Till" in refused.text.splitlines()
    assert 'published for "Ledger-Service"' in refused.text
    assert api.get("/pacticipants/tills").status == 404
    lenient = make_api(check_for_potential_duplicate_pacticipant_names=False)
    assert lenient.put("/pacts/provider/Ledger-Service/consumer/tills/version/1", {}).status == 201


@pytest.mark.parametrize(
    ("body", "start"),
    [
        (b"", "JSON::ParserError - unexpected end of input"),
        (b"{", "JSON::ParserError - "),
        (b'{"a": NaN}', "JSON::ParserError - "),
        (b'{"a": "\xff"}', "Request body has a non UTF-8 character at char 8 and cannot be parsed as JSON."),
        (
            b"\xef\xbb\xbf{}",
            "JSON::ParserError - the document begins with a byte order mark (U+FEFF), which JSON does not",
        ),
        (b"[]", "RuntimeError - Expected JSON Object in request body but found Array"),
        (b'"text"', "RuntimeError - Expected JSON Object in request body but found String"),
        (b"[" * 60 + b"]" * 60, ""),
        (b'{"a":' * 51 + b"1" + b"}" * 51, "JSON::NestingError - nesting of 51 is too deep"),
        (b'{"a":' * 100_000, ""),
    ],
)
def test_a_body_that_is_not_a_json_object_returns_400(api: Api, body: bytes, start: str) -> None:
    refused = api.put(f"{PAIR}/version/1", body)
    assert refused.status == 400
    assert refused.json()["error"].startswith(start)
    assert api.get("/pacticipants").json()["_embedded"]["pacticipants"] == []


def test_the_content_type_of_a_pact_is_checked_last(api: Api) -> None:
    assert api.put(f"{PAIR}/version/1", {}, type="text/plain").status == 415
    assert api.put(f"{PAIR}/version/1", pact("Other", "Ledger"), type="text/plain").status == 400
    assert api.get(f"{PAIR}/version/1").status == 404


def test_merged_content_is_known_by_its_own_sha(api: Api) -> None:
    path = f"{PAIR}/version/1"
    first: dict[str, object] = {"description": "a", "request": {}, "response": {}}
    two = {**first, "description": "b"}
    for interaction in (first, two):
        merged = api.patch(path, {"interactions": [interaction]}, type="application/json")
    whole = api.put(f"{PAIR}/version/2", {"interactions": [two, first]})
    assert merged.link("pb:pact-version") == whole.link("pb:pact-version")
    alone = api.put(f"{PAIR}/version/3", {"interactions": [two]})
    assert len(alone.json()["interactions"]) == 1


@pytest.fixture
def history(api: Api) -> History:
    """The pacts of a till with a ledger."""
    return fill_ledger(api)


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/latest", "5"),
        ("/latest/dev", "5"),
        ("/latest/prod", "1"),
        ("/latest/none", None),
        ("/latest-untagged", "4"),
        ("/branch/main/latest", "2"),
        ("/branch/feat%2Fx/latest", "4"),
        ("/branch/none/latest", None),
    ],
)
@pytest.mark.usefixtures("history")
def test_the_latest_pact_of_a_kind_is_found(api: Api, path: str, version: str | None) -> None:
    answer = api.get(PAIR + path)
    assert answer.headers.get("x-pact-consumer-version") == version
    if version is None:
        assert (answer.status, answer.json()) == (404, GENERAL)
    else:
        assert answer.link("self") == f"{PAIR}/version/{version}"


@pytest.mark.parametrize(
    "path", ["/pacts/provider/Ledger/consumer/Till/versions/3", "/pact/provider/Ledger/consumer/Till/version/3"]
)
@pytest.mark.usefixtures("history")
def test_a_pact_is_found_under_old_spellings(api: Api, path: str) -> None:
    assert api.get(path).json() == api.get(f"{PAIR}/version/3").json()
    assert api.get("/pact/provider/Ledger/consumer/Till/latest").link("self") == f"{PAIR}/version/5"


@pytest.mark.usefixtures("history")
def test_content_is_found_in_its_latest_publication(api: Api) -> None:
    answer = api.get(api.get(f"{PAIR}/version/1").link("pb:pact-version"))
    assert answer.link("self") == f"{PAIR}/version/2"
    assert "pb:consumer-versions" not in answer.json()["_links"]
    assert api.get(f"{PAIR}/pact-version/{'0' * 40}").json() == GENERAL


def segment(query: str) -> str:
    return urlsafe_b64encode(query.encode()).rstrip(b"=").decode()


def numbers(answer: Answer) -> list[str]:
    return [link["name"] for link in answer.json()["_links"].get("pb:consumer-versions", [])]


@pytest.mark.usefixtures("history")
def test_metadata_selects_the_publication_of_a_content(api: Api) -> None:
    content = api.get(f"{PAIR}/version/1").link("pb:pact-version")
    answer = api.get(f"{content}/metadata/{segment('cvn=1')}")
    assert (answer.link("self"), numbers(answer)) == (f"{PAIR}/version/1", ["1"])
    results = f"{content}/metadata/{segment('cvn=1')}/verification-results"
    assert answer.link("pb:publish-verification-results") == results
    other = api.get(f"{content}/metadata/{segment('cvn=3')}")
    assert (other.link("self"), numbers(other)) == (f"{PAIR}/version/2", ["3"])
    assert numbers(api.get(f"{content}/metadata/{segment('cvn=none')}")) == []


@pytest.mark.usefixtures("history")
def test_metadata_may_name_many_versions_by_their_ids_but_only_the_consumers(api: Api, history: History) -> None:
    history.publish("Apron", "77", "Ledger", 1)
    ids = {}
    for consumer, tag in (("Till", "latest/prod"), ("Till", "latest/dev"), ("Apron", "latest")):
        answer = api.get(f"/pacts/provider/Ledger/consumer/{consumer}/{tag}")
        metadata = answer.link("pb:publish-verification-results").split("/")[-2]
        ids[consumer + tag] = b64decode(metadata + "==").decode().rpartition("cv=")[2]
    query = "&".join(f"s[][cv]={version_id}" for version_id in ids.values())
    content = api.get(f"{PAIR}/version/1").link("pb:pact-version")
    answer = api.get(f"{content}/metadata/{segment(query)}")
    assert (answer.link("self"), numbers(answer)) == (f"{PAIR}/version/1", ["5", "1"])


@pytest.mark.parametrize("said", ["!!!", "%FF", "a", "bm9uc2Vuc2U", "eD0lRkY", "cz0x", "x" * 500])
@pytest.mark.usefixtures("history")
def test_invalid_metadata_is_ignored_but_stays_in_links(api: Api, said: str) -> None:
    content = api.get(f"{PAIR}/version/1").link("pb:pact-version")
    answer = api.get(f"{content}/metadata/{said}")
    if said == "%FF":
        assert answer.status == 422
        return
    assert answer.link("self") == f"{PAIR}/version/2"
    assert answer.link("pb:publish-verification-results") == f"{content}/metadata/{said}/verification-results"
    result = api.post(
        f"{content}/metadata/{said}/verification-results", {"success": True, "providerApplicationVersion": "1"}
    )
    assert result.status == 201


@pytest.mark.parametrize(("version", "previous"), [("5", "4"), ("3", "2"), ("2", None), ("9", None)])
@pytest.mark.usefixtures("history")
def test_the_previous_distinct_pact_has_other_content(api: Api, version: str, previous: str | None) -> None:
    answer = api.get(f"{PAIR}/version/{version}/previous-distinct")
    if previous is None:
        assert (answer.status, answer.json()) == (404, GENERAL)
    else:
        assert answer.link("self") == f"{PAIR}/version/{previous}"


@pytest.mark.usefixtures("history")
def test_a_pact_links_to_all_that_can_be_done_with_it(api: Api) -> None:
    links = api.get(f"{PAIR}/version/3").json()["_links"]
    assert links["self"]["name"] == "Pact between Till (3) and Ledger"
    assert links["pb:pact-version"]["name"] == links["pb:pact-version"]["href"].rpartition("/")[2]
    assert links["pb:latest-tagged-pact-version"]["href"] == f"http://localhost{PAIR}/latest/{{tag}}"
    assert links["pb:latest-tagged-pact-version"]["templated"] is True
    assert "templated" not in links["pb:tag-version"]
    assert links["pb:diff"]["href"].endswith("/diff/pact-version/{pactVersion}")
    matrix = "/matrix?q%5B%5D%5Bpacticipant%5D=Till&q%5B%5D%5Bversion%5D=3&latestby=cvpv"
    assert links["pb:matrix-for-consumer-version"]["href"] == "http://localhost" + matrix
    for relation in (
        "pb:consumer",
        "pb:consumer-version",
        "pb:provider",
        "pb:latest-pact-version",
        "pb:all-pact-versions",
    ):
        assert api.get(links[relation]["href"]).status == 200


@pytest.mark.parametrize("accept", ["application/json", "application/hal+json", "text/html"])
def test_the_last_range_of_a_long_accept_header_counts(api: Api, accept: str) -> None:
    ignored = [f"image/x-{number}" for number in range(100)]
    answers = [api.get("/", accept=header) for header in (accept, ", ".join([*ignored, accept]))]
    assert [answer.status for answer in answers] == [200, 200]
    first, second = (answer.headers["content-type"] for answer in answers)
    assert first == second


@pytest.mark.usefixtures("history")
def test_a_pact_is_available_in_each_of_its_media_types(api: Api) -> None:
    path = f"{PAIR}/version/3"
    assert api.get(path, accept="application/json").json() == api.get(path).json()
    extended = api.get(path, accept=EXTENDED).json()
    assert extended.keys() == {"createdAt", "contract", "_embedded", "_links"}
    assert extended["_embedded"] == {"tags": []}
    assert extended["contract"]["consumer"] == {"name": "Till"}
    assert api.get(path, accept="text/csv").status == 406


def test_members_that_answers_have_are_not_those_that_were_sent(api: Api) -> None:
    sent = {"interactions": [], "createdAt": "then", "_links": {"self": {"href": "elsewhere"}}, "x": "createdAt"}
    shown = api.put(f"{PAIR}/version/1", sent).json()
    assert (shown["createdAt"], shown["x"]) == ("2024-05-06T07:08:09+00:00", "createdAt")
    assert shown["_links"]["self"]["href"] == f"http://localhost{PAIR}/version/1"


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"interactions":[{"description":"a","n":1.10}]}', '"description":"a","n":1.10}]'),
        (b'{"interactions":[{"n":1e2,"m":-0,"k":1E400}]}', '"n":1e2,"m":-0,"k":1E400}]'),
        (b'{"messages":[{"n":12345678901234567890123}]}', '"n":12345678901234567890123}]'),
        (b'{"x":"\\ud800\xc3\xa4\\u0000","createdAt":"x","n":1.50}', '{"x":"\\ud800ä\\u0000","n":1.50'),
        (b'{"n": 1.0}', '{"n":1.0'),
    ],
)
def test_numbers_and_texts_are_returned_unchanged(api: Api, body: bytes, kept: str) -> None:
    assert api.put(f"{PAIR}/version/1", body).status == 201
    assert kept in api.get(f"{PAIR}/version/1").text


def test_an_empty_pact_is_returned_with_links(api: Api) -> None:
    assert api.put(f"{PAIR}/version/1", b" { } ").json().keys() == {"createdAt", "_links"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(
    st.sampled_from(["interactions", "messages", "metadata", "consumer", "createdAt", "_links", "x"]), JSON, max_size=5
)
# The same server serves all examples: each has a consumer of its own, as equal content of one pair is kept once.
ON_ONE_SERVER = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _is_own(name: str) -> bool:
    return name in {"createdAt", "_links"}


def test_every_accepted_pact_is_returned_unchanged(api: Api) -> None:
    count = iter(range(10_000))

    @ON_ONE_SERVER
    @given(OBJECTS)
    def check(sent: dict[str, object]) -> None:
        path = f"/pacts/provider/Ledger/consumer/Till{next(count)}/version/1"
        kept = api.put(path, json.dumps(sent).encode())
        if kept.status == 400:
            assert "consumer.name" in kept.json()["errors"]
            return
        assert kept.status == 201, kept.text
        shown = {name: value for name, value in api.get(path).json().items() if not _is_own(name)}
        assert _without_ids(shown) == _without_ids({name: value for name, value in sent.items() if not _is_own(name)})

    check()


def _without_ids(document: dict[str, Any]) -> object:
    def bare(item: Any) -> object:
        return {name: value for name, value in item.items() if name != "_id"} if isinstance(item, dict) else item

    lists = {name: items for name in ("interactions", "messages") if isinstance(items := document.get(name), list)}
    return {**document, **{name: [bare(item) for item in items] for name, items in lists.items()}}


BYTES = (
    st.binary(max_size=200) | st.text(max_size=100).map(str.encode) | JSON.map(lambda tree: json.dumps(tree).encode())
)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_no_bytes_are_answered_with_a_failure(api: Api, content_type: str) -> None:
    @ON_ONE_SERVER
    @given(BYTES)
    def check(sent: bytes) -> None:
        for method, path in (
            ("PUT", f"{PAIR}/version/1"),
            ("PATCH", f"{PAIR}/version/1"),
            ("POST", "/contracts/publish"),
        ):
            answer = api.request(method, path, sent, type=content_type)
            assert answer.status < 500, answer.text
            assert answer.status in {200, 201, 409, 415} or answer.json(), answer.text

    check()


def test_no_content_of_a_contract_is_answered_with_a_failure(api: Api) -> None:
    body = publication("Till", "1", "Ledger")
    contract = body["contracts"][0]

    @ON_ONE_SERVER
    @given(st.sampled_from([*contract, "decodedContent", "onConflict", "writeMode"]), JSON | st.text())
    def check(member: str, value: object) -> None:
        answer = api.post("/contracts/publish", {**body, "contracts": [{**contract, member: value}]})
        assert answer.status in {200, 400, 409}, answer.text
        assert answer.json()

    check()
