"""Which values of webhooks are secrets, and which URLs lead to the same server."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from treaty.model.webhooks.secrecy import (
    hide_request,
    is_full_mask,
    is_secret,
    is_secret_header,
    mask_url,
    read_origin,
    remove_user,
)
from treaty.model.webhooks.webhooks import Webhook, WebhookFilters, WebhookRequest

VISIBLE = [
    ("accept", "application/json"),
    ("content-type", "application/json"),
    ("user-agent", "our bot"),
    ("host", "example.org"),
    ("if-match", "*"),
    ("x-event", "published"),
    ("x-github-event", "ping"),
    ("X-Team", "shop"),
    ("x-empty-token", ""),
    ("authorization", "${pactbroker.consumerName}"),
    ("x-token-a", "${pactbroker.consumerName}"),
    ("ce-subject", "${pactbroker.consumerName} ${pactbroker.providerName}"),
    ("authorization", "Bearer ${user.CI_TOKEN}"),
    ("private-token", "${secret.CI_TOKEN}"),
]
ENCRYPTED = [
    ("authorization", "Bearer abc"),
    ("authorization", "abc${pactbroker.consumerName}"),
    ("authorization", "Bearer abc${user.CI_TOKEN}"),
    ("proxy-authorization", "abc"),
    ("cookie", "id=1"),
    ("private-token", "abc"),
    ("circle-token", "abc"),
    ("api-key", "abc"),
    ("apikey", "abc"),
    ("deploy", "abc"),
    ("travis-api-version", "3"),
    ("x-api-key", "abc"),
    ("X-APIKEY", "abc"),
    ("x-auth", "abc"),
    ("x-gitlab-token", "abc"),
    ("x-secret", "abc"),
    ("x-hub-signature-256", "abc"),
    ("x-user-password", "abc"),
    ("x-access", "abc"),
    ("x-session", "abc"),
    ("x-forwarded-by", "Bearer abc"),
    ("x-forwarded-by", "basic dTpw"),
]


@pytest.mark.parametrize(("name", "value"), VISIBLE)
def test_harmless_headers_are_visible(name, value) -> None:
    assert not is_secret_header(name, value)


@pytest.mark.parametrize(("name", "value"), ENCRYPTED)
def test_headers_that_could_be_credentials_are_encrypted(name, value) -> None:
    assert is_secret_header(name, value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("p", True), ("a${pactbroker.x}", True), ("${pactbroker.x}", False), ("${user.X}", False), ("", False)],
)
def test_a_password_is_a_secret_unless_it_consists_of_placeholders(value, expected) -> None:
    assert is_secret(value) is expected


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://ci.example/a", "https://ci.example/b?c#d"),
        ("https://ci.example/a", "HTTPS://CI.Example:443/b"),
        ("http://ci.example:80", "http://ci.example"),
        ("https://ci.example/", "https://user:password@ci.example/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[::1]:443/", "https://[::1]/"),
        ("https://ci.example/${user.A}", "https://ci.example/${pactbroker.consumerName}"),
    ],
)
def test_urls_with_the_same_scheme_host_and_port_have_the_same_origin(url, other) -> None:
    assert read_origin(url) == read_origin(other)


@pytest.mark.parametrize(
    "other",
    [
        "http://ci.example/",
        "https://ci.example:8443/",
        "https://ci.example:80/",
        "https://ci.example./",
        "https://ci.example.evil.example/",
        "https://evil.example/ci.example",
        "https://evil.example?ci.example",
        "https://evil.example#@ci.example",
        "https://ci.example@evil.example/",
        "https://ci.example:443@evil.example/",
        "https://a.ci.example/",
    ],
)
def test_any_other_scheme_host_or_port_is_another_origin(other) -> None:
    assert read_origin(other) != read_origin("https://ci.example/")


def test_the_mask_of_a_url_shows_its_server_only() -> None:
    assert mask_url("https://a:b@hooks.example:8443/T0/B0?key=1#x") == "https://hooks.example:8443/**********"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://a:b%40c@h.example/p@q", ("https://h.example/p@q", "a", "b@c")),
        ("https://a@h.example?x=@", ("https://h.example?x=@", "a", None)),
        ("https://h.example/a@b", ("https://h.example/a@b", None, None)),
    ],
)
def test_a_user_is_removed_from_a_url(url, parts) -> None:
    assert remove_user(url) == parts


@pytest.mark.parametrize(
    ("value", "is_mask"), [("", False), ("*", False), ("**", False), ("***", True), ("*" * 10, True), ("***a", False)]
)
def test_only_a_text_of_several_asterisks_is_a_mask(value, is_mask) -> None:
    assert is_full_mask(value) is is_mask


def test_a_user_is_removed_only_from_the_server_of_a_url() -> None:
    assert remove_user("https://a@h.example/a@h.example") == ("https://h.example/a@h.example", "a", None)


@pytest.mark.parametrize(
    ("body", "username", "hidden"),
    [({"a": 1}, "ci", ("**********", "**********")), (None, None, (None, None)), ("", "", ("**********",) * 2)],
)
def test_a_redacted_request_shows_which_fields_are_set(body, username, hidden) -> None:
    request = WebhookRequest(
        method="POST", url="https://ci.example/a", headers={"a": "b"}, body=body, username=username, password=None
    )
    now = datetime(2024, 5, 6, tzinfo=UTC)
    webhook = Webhook(
        uuid="u",
        description="d",
        consumer=None,
        provider=None,
        is_enabled=True,
        request=request,
        events=(),
        secret=None,
        filters=WebhookFilters(),
        failing_since=None,
        pauses=False,
        created_at=now,
        updated_at=now,
    )
    shown = hide_request(webhook).request
    assert shown == replace(request, url="https://ci.example/**********", body=hidden[0], username=hidden[1])
