"""Permissions: of the original's two users, and of every role at every route."""

import pytest

from tests.api import golden
from tests.api.credentials import PASSWORD, basic
from treaty.web.http.router import Router
from treaty.web.urls import Url

pytestmark = pytest.mark.slow_on_postgresql  # about permissions, which need no statements of their own

WRITER, READER = ("writer", "w-secret"), ("reader", "r-secret")
PAIR = "/pacts/provider/Prices/consumer/Shop/version/1"
BADGE = "/pacts/provider/Prices/consumer/Shop/latest/badge"
HEARTBEAT = "/diagnostic/status/heartbeat"


@pytest.fixture
def closed(make_api):
    """An application that asks for credentials."""

    def make(**more):
        users = {
            "basic_auth_username": WRITER[0],
            "basic_auth_password": WRITER[1],
            "basic_auth_read_only_username": READER[0],
            "basic_auth_read_only_password": READER[1],
        }
        return make_api(**users, **more)

    return make


def test_without_credentials_nothing_is_answered(closed):
    for answer in (closed().get("/"), closed().get("/no/such/path"), closed().put(PAIR, {})):
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == 'Basic realm="Restricted area"'
        assert "Authorization: Bearer" in answer.json()["error"]


@pytest.mark.parametrize("user", [("writer", "wrong"), ("", ""), ("reader", "w-secret"), ("writer", "w-secret ")])
def test_wrong_credentials_are_refused(closed, user):
    assert closed().get("/", headers=basic(*user)).status == 401


def test_malformed_or_unsupported_credentials_return_401(closed):
    assert closed().get("/", headers={"authorization": "Basic !!!"}).status == 401
    assert closed().get("/", headers={"authorization": "Digest x"}).status == 401


def test_an_unknown_token_returns_401_with_invalid_token(closed):
    answer = closed().get("/", headers={"authorization": "Bearer x"})
    assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert "not a token of this broker" in answer.json()["error"]


def test_missing_credentials_are_reported_as_a_problem_document_on_request(closed):
    answer = closed().get("/", accept="application/hal+json, application/problem+json")
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert (answer.json()["status"], answer.json()["title"]) == (401, "Unauthorized")


def test_the_reader_reads_and_the_writer_writes(closed):
    api = closed()
    refused = api.put(PAIR, {"interactions": []}, headers=basic(*READER))
    assert (refused.status, refused.json()["missingPermission"]) == (403, "publish pacts")
    assert "reader may not publish pacts: the role is read-only" in refused.json()["error"]
    assert api.put(PAIR, {"interactions": []}, headers=basic(*WRITER)).status == 201
    assert api.get(PAIR, headers=basic(*READER)).status == 200


def test_links_that_a_reader_may_not_use_are_left_out(closed):
    api = closed()
    api.put(PAIR, {"interactions": []}, headers=basic(*WRITER))
    for path, relation in (
        ("/", "pb:publish-contracts"),
        ("/", "pb:publish-pact"),
        (PAIR, "pb:publish-verification-results"),
        ("/pacticipants/Shop/versions/1", "pb:record-deployment"),
    ):
        links = [api.get(path, headers=basic(*user)).json()["_links"] for user in (WRITER, READER)]
        assert [relation in relations for relations in links] == [True, False], relation
        assert "self" in links[1]
    listed = [api.get("/integrations", headers=basic(*user)).text for user in (WRITER, READER)]
    assert ["pb:delete_integration" in text for text in listed] == [True, False]


def test_asking_for_pacts_for_verification_is_reading(closed):
    api = closed()
    api.put(PAIR, {"interactions": []}, headers=basic(*WRITER))
    path = "/pacts/provider/Prices/for-verification"
    assert api.post(path, {}, headers=basic(*READER)).status == 200


def test_reading_can_be_public(closed):
    api = closed(allow_public_read=True)
    assert api.get("/").status == 200
    assert api.put(PAIR, {"interactions": []}).status == 401


def test_the_heartbeat_can_be_public_alone(closed):
    api = closed(public_heartbeat=True)
    assert [api.get(HEARTBEAT).status, api.get("/").status] == [200, 401]


def test_badges_can_be_public_alone(closed):
    api = closed(enable_public_badge_access=True)
    assert [api.get(BADGE, accept="*/*").status, api.get("/").status] == [307, 401]


def test_every_route_permits_the_roles_of_the_table(make_api, accounts):
    """The table is a file, so that its difference shows each changed permission; `./run renew` rewrites it."""
    api = make_api(host="192.0.2.1")
    callers: list[dict[str, str]] = [{}]
    callers += [basic(accounts(role).token.user, PASSWORD) for role in golden.ROLES if role]
    lines = []
    for kind, route in golden.routes():
        path = route.url.fill(**dict.fromkeys(route.url.names, "x"))
        options = {"accept": "text/html"} if kind != "api" else {}
        options |= {"type": "application/x-www-form-urlencoded"} if kind == "form" else {}
        answers = [api.request(route.method, path, b"", headers=caller, **options) for caller in callers]
        lines.append(golden.line(kind, route, [_is_let_in(answer) for answer in answers], golden.list_scopes(route)))
    assert lines == golden.DOCUMENT.read_text("utf-8").splitlines()


def _is_let_in(answer):
    is_sent_to_sign_in = answer.status == 303 and "/sign-in" in answer.headers["location"]
    return not is_sent_to_sign_in and answer.status not in {401, 403}


def test_a_route_without_a_permission_cannot_be_declared():
    with pytest.raises(TypeError, match="permission"):
        Router().get(Url("/x"))
    with pytest.raises(ValueError, match="None is not a valid Permission"):
        Router().get(Url("/x"), permission=None)(lambda _call: None)
