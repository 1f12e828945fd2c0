"""Responses that the client has cached have no body; large ones are compressed."""

import gzip

import pytest

from tests.api.client import pact

pytestmark = pytest.mark.slow_on_postgresql  # about headers

PATH = "/pacts/provider/Prices/consumer/Shop/version/1"


@pytest.fixture
def published(api):
    """An application with one pact of a few bytes and one that is large."""
    api.put(PATH, pact("Shop", "Prices"))
    api.put(PATH.replace("/1", "/2"), {**pact("Shop", "Prices"), "interactions": [{"filling": "x" * 40_000}]})
    return api


def test_a_pact_that_the_client_has_costs_no_body(published):
    first = published.get(PATH)
    again = published.get(PATH, headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-type" not in again.headers


def test_another_answer_has_another_tag(published):
    etag = published.get(PATH).headers["etag"]
    assert published.get(PATH.replace("/1", "/2"), headers={"if-none-match": etag}).status == 200


def test_a_change_is_seen(published):
    before = published.get("/pacticipants/Shop")
    published.patch("/pacticipants/Shop", {"repositoryUrl": "https://example.org"})
    after = published.get("/pacticipants/Shop", headers={"if-none-match": before.headers["etag"]})
    assert (after.status, after.json()["repositoryUrl"]) == (200, "https://example.org")


@pytest.mark.parametrize("if_none_match", ["*", 'W/"other", {tag}', "{strong}"])
def test_tags_are_compared_weakly(published, if_none_match):
    tag = published.get(PATH).headers["etag"]
    sent = if_none_match.replace("{tag}", tag).replace("{strong}", tag.removeprefix("W/"))
    assert published.get(PATH, headers={"if-none-match": sent}).status == 304


def test_a_large_response_is_compressed_for_clients_that_accept_gzip(published):
    path = PATH.replace("/1", "/2")
    plain, small = (
        published.get(path, headers={"accept-encoding": encoding}) for encoding in ("identity", "br, gzip;q=0.5")
    )
    assert small.headers["content-encoding"] == "gzip"
    assert gzip.decompress(small.body) == plain.body
    assert len(small.body) < len(plain.body) / 10
    assert {plain.headers["vary"], small.headers["vary"]} == {"Accept, Authorization, Cookie, Accept-Encoding"}
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize("encodings", ["", "br", "gzip;q=0", "identity"])
def test_it_is_not_compressed_for_others(published, encodings):
    answer = published.get(PATH.replace("/1", "/2"), headers={"accept-encoding": encodings})
    assert "content-encoding" not in answer.headers


def test_a_small_answer_stays_as_it_is(published):
    answer = published.get(PATH, headers={"accept-encoding": "gzip"})
    assert ("content-encoding" in answer.headers, answer.headers["vary"]) == (False, "Accept, Authorization, Cookie")
