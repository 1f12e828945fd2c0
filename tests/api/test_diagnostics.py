"""The health of the server, and its errors."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import make_url, text

from tests import postgres
from tests.api.client import SECRET_KEY, Api
from treaty.settings import Secret, Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate
from treaty.web.application import build_application


def test_the_heart_beats(api: Api) -> None:
    answer = api.get("/diagnostic/status/heartbeat")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {
        "ok": True,
        "_links": {"self": {"href": "http://localhost/diagnostic/status/heartbeat"}},
    }


def test_the_database_answers(api: Api) -> None:
    answer = api.get("/diagnostic/status/dependencies")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {
        "database": {"ok": True},
        "_links": {"self": {"href": "http://localhost/diagnostic/status/dependencies"}},
    }


READY = "/diagnostic/status/ready"
PATHS = ["/diagnostic/status/heartbeat", "/diagnostic/status/dependencies", READY]


def test_a_server_with_its_database_is_ready(api: Api) -> None:
    answer = api.get(READY)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {
        "ok": True,
        "database": {"ok": True},
        "_links": {"self": {"href": f"http://localhost{READY}"}},
    }


def test_a_server_that_is_about_to_shut_down_is_alive_but_not_ready(api: Api) -> None:
    api.begin_draining()
    answer = api.get(READY)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"] == "This server is shutting down. Send requests to another one."
    assert api.get("/diagnostic/status/heartbeat").status == 200
    assert api.put("/pacticipants/Shop/versions/1", {}).status == 201


@contextmanager
def changed_revision(database_url: str, revision: str) -> Iterator[None]:
    """Change the revision of the tables until the block ends: other tests may use the same database."""
    with closing(open_database(database_url, connections=1)) as database:

        def change(number: str) -> str:
            statement = text("UPDATE alembic_version SET version_num = :number")
            former = database.read(lambda db: db.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
            database.write(lambda db: db.execute(statement, {"number": number}))
            return str(former)

        former = change(revision)
        try:
            yield
        finally:
            change(former)


@pytest.mark.parametrize(
    ("revision", "status"),
    [("0001", 503), ("9999", 200)],  # 9999: a newer server has upgraded the tables, while this one still runs
)
def test_a_server_is_ready_unless_the_tables_are_older_than_it(
    database_url: str, make_api: Callable[..., Api], revision: str, status: int
) -> None:
    api = make_api()
    with changed_revision(database_url, revision):
        answer = api.get(READY)
    assert answer.status == status
    if status == 503:
        assert "have revision 0001, but this server needs" in answer.json()["error"]


@pytest.mark.parametrize("path", PATHS)
def test_health_checks_need_no_credentials_if_the_heartbeat_is_public(make_api: Callable[..., Api], path: str) -> None:
    users = {"basic_auth_username": "ci", "basic_auth_password": Secret("a long password")}
    assert make_api(**users).get(path).status == 401
    assert make_api(**users, public_heartbeat=True).get(path).status == 200


@pytest.mark.parametrize("path", PATHS)
def test_diagnostics_are_only_read(api: Api, path: str) -> None:
    answer = api.post(path, {})
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", PATHS)
def test_diagnostics_can_be_switched_off(make_api: Callable[..., Api], path: str) -> None:
    assert make_api(enable_diagnostic_endpoints=False).get(path).status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failure_can_be_tried_out(api: Api, method: str) -> None:
    answer = api.request(method, "/test/error")
    assert answer.status == 500
    reference = answer.json()["error"]["reference"]
    assert answer.json()["error"]["message"].endswith(reference)


@pytest.mark.usefixtures("postgres_url")  # skips where there is no PostgreSQL
def test_an_unreachable_database_is_reported_without_its_password() -> None:
    with postgres.server() as url:
        database = open_database(url, connections=1)
        migrate(database)
        settings = Settings(database_url=url, log_level="error", secret_key=Secret(SECRET_KEY))
        api = Api(build_application(settings, database))
        assert api.get("/diagnostic/status/dependencies").status == 200
    answer = api.get("/diagnostic/status/dependencies")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/hal+json")
    status = answer.json()
    assert status["database"]["ok"] is False
    assert status["database"]["error"]["message"].startswith("OperationalError - ")
    assert str(make_url(url).password) not in answer.text
    assert status["_links"] == {"self": {"href": "http://localhost/diagnostic/status/dependencies"}}
    assert api.get("/diagnostic/status/heartbeat").status == 200
    assert api.get(READY).status == 503
    api.close()
    database.close()
