"""Who may do what: the original's two users."""

import base64

import pytest

WRITER, READER = ("writer", "w-secret"), ("reader", "r-secret")
PAIR = "/pacts/provider/Prices/consumer/Shop/version/1"
BADGE = "/pacts/provider/Prices/consumer/Shop/latest/badge"
HEARTBEAT = "/diagnostic/status/heartbeat"


def basic(user):
    return {"authorization": "Basic " + base64.b64encode(":".join(user).encode()).decode()}


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
        assert (answer.status, answer.body) == (401, b"")
        assert answer.headers["www-authenticate"] == 'Basic realm="Restricted area"'


@pytest.mark.parametrize("user", [("writer", "wrong"), ("", ""), ("reader", "w-secret"), ("writer", "w-secret ")])
def test_wrong_credentials_are_refused(closed, user):
    assert closed().get("/", headers=basic(user)).status == 401


def test_what_is_no_credentials_at_all_is_refused(closed):
    assert closed().get("/", headers={"authorization": "Basic !!!"}).status == 401
    assert closed().get("/", headers={"authorization": "Bearer x"}).status == 400


def test_the_reader_reads_and_the_writer_writes(closed):
    api = closed()
    assert api.put(PAIR, {"interactions": []}, headers=basic(READER)).status == 401
    assert api.put(PAIR, {"interactions": []}, headers=basic(WRITER)).status == 201
    assert api.get(PAIR, headers=basic(READER)).status == 200


def test_asking_for_pacts_for_verification_is_reading(closed):
    api = closed()
    api.put(PAIR, {"interactions": []}, headers=basic(WRITER))
    path = "/pacts/provider/Prices/for-verification"
    assert api.post(path, {}, headers=basic(READER)).status == 200


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


def test_every_route_that_writes_asks_for_the_writer(closed):
    """No write is left to readers by mistake: the table is the router's own."""
    from treaty.settings import Settings  # noqa: PLC0415 - used here alone
    from treaty.web.resources import every_router  # noqa: PLC0415 - likewise

    api = closed()
    reads = {"/pacts/provider/{provider}/for-verification"}
    for router in every_router(Settings()):
        for resource in router.resources.values():
            path = resource.url.fill(**dict.fromkeys(resource.url.names, "x"))
            for method in resource.routes:
                if method != "GET" and resource.url.template not in reads:
                    assert api.request(method, path, {}, headers=basic(READER)).status == 401, (method, path)
