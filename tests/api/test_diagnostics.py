"""Whether the server is well, and how it fails."""

from collections.abc import Callable

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from tests import postgres
from tests.api.conftest import SECRET_KEY, Api
from treaty.settings import Settings
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


@pytest.mark.parametrize("path", ["/diagnostic/status/heartbeat", "/diagnostic/status/dependencies"])
def test_diagnostics_are_only_read(api: Api, path: str) -> None:
    answer = api.post(path, {})
    assert (answer.status, answer.headers["allow"]) == (405, "GET")


@pytest.mark.parametrize("path", ["/diagnostic/status/heartbeat", "/diagnostic/status/dependencies"])
def test_diagnostics_can_be_switched_off(make_api: Callable[..., Api], path: str) -> None:
    assert make_api(enable_diagnostic_endpoints=False).get(path).status == 404


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_failure_can_be_tried_out(api: Api, method: str) -> None:
    answer = api.request(method, "/test/error")
    assert answer.status == 500
    reference = answer.json()["error"]["reference"]
    assert answer.json()["error"]["message"].endswith(reference)


@pytest.mark.usefixtures("postgres_url")  # skips where there is no PostgreSQL
def test_a_database_that_does_not_answer_is_told_about() -> None:
    with postgres.server() as url:
        database = open_database(url, connections=1)
        migrate(database)
        settings = Settings(database_url=url, log_level="error", secret_key=SecretStr(SECRET_KEY))
        api = Api(build_application(settings, database))
        assert api.get("/diagnostic/status/dependencies").status == 200
    answer = api.get("/diagnostic/status/dependencies")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/hal+json")
    told = answer.json()
    assert told["database"]["ok"] is False
    assert told["database"]["error"]["message"].startswith("OperationalError - ")
    assert str(make_url(url).password) not in answer.text
    assert told["_links"] == {"self": {"href": "http://localhost/diagnostic/status/dependencies"}}
    assert api.get("/diagnostic/status/heartbeat").status == 200
    api.close()
    database.close()
