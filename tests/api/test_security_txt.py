"""`/.well-known/security.txt`: where to report vulnerabilities of a server."""

from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.slow_on_postgresql  # about a response without data

PATH = "/.well-known/security.txt"


def test_without_a_contact_there_is_a_hint(api):
    answer = api.get(PATH)
    assert (answer.status, "security_contacts" in answer.json()["error"]) == (404, True)


def test_contacts_expire_half_a_year_later(make_api):
    api = make_api(security_contacts=("security@example.org",))
    answer = api.get(PATH)
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain;charset=utf-8")
    assert answer.text == "Contact: mailto:security@example.org\nExpires: 2024-11-04T00:00:00Z\n"


def test_all_settings_are_in_it_and_no_credentials_are_needed(make_api):
    api = make_api(
        basic_auth_username="ci",
        basic_auth_password="a stapled horse, correctly",  # noqa: S106 - the test's
        base_urls=("https://pacts.example.org/broker", "http://localhost:9292"),
        security_contacts=("https://example.org/report", "tel:+1-201-555-0123"),
        security_policy="https://example.org/policy",
        security_txt_expires=datetime(2030, 12, 31, 12, tzinfo=UTC),
    )
    assert api.get("/").status == 401
    assert api.get(PATH).text.splitlines() == [
        "Contact: https://example.org/report",
        "Contact: tel:+1-201-555-0123",
        "Expires: 2030-12-31T12:00:00Z",
        "Policy: https://example.org/policy",
        "Canonical: https://pacts.example.org/broker/.well-known/security.txt",
    ]


@pytest.mark.parametrize("accept", ["*/*", "text/plain", "text/html", "application/json", ""])
def test_every_client_can_read_it(make_api, accept):
    assert make_api(security_contacts=("tel:1",)).get(PATH, accept=accept).status == 200
