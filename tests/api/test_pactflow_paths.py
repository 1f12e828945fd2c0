"""Paths of PactFlow that this broker does not have: responses explain that, and name an alternative."""

import pytest

from tests.api.client import Api

pytestmark = pytest.mark.slow_on_postgresql  # about paths, and not about data

CASES = [
    ("GET", "/integrations/team/5", "GET /integrations lists"),
    ("GET", "/metrics/teams", "GET /metrics counts"),
    ("GET", "/admin/teams?page=1&size=5", "A token can be limited to applications"),
    ("PATCH", "/admin/teams/5/users", "A token can be limited to applications"),
    ("DELETE", "/admin/users/5", "the command treaty user"),
    ("GET", "/admin/roles", "the command treaty user"),
    ("GET", "/preferences/system", "treaty.toml"),
    ("GET", "/api/ai/entitlement", "An assistant can write them itself"),
]


@pytest.mark.parametrize(("method", "path", "next_step"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES])
def test_a_path_of_pactflow_returns_404_with_an_alternative(api: Api, method: str, path: str, next_step: str) -> None:
    answer = api.request(method, path, accept="*/*")
    assert answer.status == 404
    text = answer.json()["error"]
    assert text.startswith("The requested document was not found on this server. ")
    assert "PactFlow" in text
    assert next_step in text


@pytest.mark.parametrize("path", ["/admin", "/contracts", "/teams", "/secrets/nothing", "/api/other"])
def test_other_unknown_paths_are_not_taken_for_those_of_pactflow(api: Api, path: str) -> None:
    assert api.get(path).json() == {"error": "The requested document was not found on this server."}
