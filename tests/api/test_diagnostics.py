"""Whether the server is well, and how it fails."""

from collections.abc import Callable

import pytest

from tests.api.conftest import Api


def test_the_heart_beats(api: Api) -> None:
    answer = api.get("/diagnostic/status/heartbeat")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {
        "ok": True,
        "_links": {"self": {"href": "http://broker.test/diagnostic/status/heartbeat"}},
    }


def test_the_database_answers(api: Api) -> None:
    answer = api.get("/diagnostic/status/dependencies")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/hal+json")
    assert answer.json() == {
        "database": {"ok": True},
        "_links": {"self": {"href": "http://broker.test/diagnostic/status/dependencies"}},
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
