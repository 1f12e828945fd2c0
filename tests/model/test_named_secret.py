"""Named secrets: their names and values, the servers they may be sent to, and where requests use them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from treaty.model.webhooks.named_secrets import (
    NamedSecret,
    UnusableSecret,
    build_values,
    choose_for_request,
    find_name_problem,
    find_value_problem,
    list_names,
    parse_origin,
)
from treaty.model.webhooks.webhooks import EncryptedText, WebhookRequest

NOW = datetime(2024, 5, 6, tzinfo=UTC)


def _request(url: str = "https://ci.example/", **members: Any) -> WebhookRequest:
    properties: dict[str, Any] = {"headers": {}, "body": None, "username": None, "password": None, **members}
    return WebhookRequest(method="POST", url=url, **properties)


def _secret(name: str, *origins: str) -> NamedSecret:
    return NamedSecret(
        uuid=name,
        name=name,
        description=None,
        value=EncryptedText("x"),
        origins=origins,
        created_at=NOW,
        updated_at=NOW,
    )


@pytest.mark.parametrize(
    ("name", "is_valid"),
    [
        ("A-b_c.9", True),
        ("a" * 100, True),
        ("a" * 101, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("é", False),
    ],
)
def test_a_name_is_one_that_placeholders_can_contain(name: str, *, is_valid: bool) -> None:
    assert (find_name_problem(name) is None) is is_valid


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("abc", "at least 4 characters"),
        ("abcd", None),
        ("a" * 10_000, None),
        ("a" * 10_001, "10000 characters at most"),
        ("a b c d", None),
        (" abcd", "a single line"),
        ("abcd ", "a single line"),
        ("ab\ncd", "a single line"),
    ],
)
def test_a_value_is_a_line_that_can_be_hidden(value: str, problem: str | None) -> None:
    text = find_value_problem(value)
    assert text is None if problem is None else text and problem in text


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://ci.example", "https://ci.example"),
        ("https://ci.example/", "https://ci.example"),
        ("HTTPS://CI.example:443", "https://ci.example"),
        ("http://ci.example:8080", "http://ci.example:8080"),
        ("ci.example", "https://ci.example"),
        (" ci.example:8443 ", "https://ci.example:8443"),
        ("ci.example:0", None),
        ("ci.example:1", "https://ci.example:1"),
        ("ci.example/path", None),
        ("https://a@ci.example", None),
        ("https://ci.example?a", None),
        ("https://ci.example#a", None),
        ("https://*.example", None),
        ("https://${user.X}", None),
        ("https://ci .example", None),
        ("ftp://ci.example", None),
        ("https://ci.example:x", None),
        ("https://", None),
        ("", None),
    ],
)
def test_an_origin_is_a_server(text: str, origin: str | None) -> None:
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ({"url": "https://ci.example/${user.A}?${secret.B}&${user.A}"}, ["A", "B"]),
        ({"headers": {"a": "${user.A}", "b": EncryptedText("${user.B}")}}, ["A"]),
        ({"username": "${user.A}", "password": "${user.B}"}, ["B", "A"]),
        ({"password": EncryptedText("${user.B}")}, []),
        ({"body": "text ${secret.A}"}, ["A"]),
        ({"body": {"${user.A}": [1, None, {"x": "${user.B}${user.C}"}]}}, ["A", "B", "C"]),
        ({"body": ["${user.A}", True]}, ["A"]),
        ({"body": "${pactbroker.consumerName} ${userA}"}, []),
        ({}, []),
    ],
)
def test_a_request_uses_the_secrets_of_its_placeholders(members: dict[str, Any], names: list[str]) -> None:
    assert list_names(_request(**members)) == names


def test_a_request_gets_its_secrets_for_its_server_only() -> None:
    here, elsewhere = _secret("A", "https://other.example", "https://ci.example"), _secret("B", "https://other.example")
    available = {"A": here, "B": elsewhere, "C": _secret("C")}
    assert choose_for_request(_request(body="${user.A}"), available) == [here]
    for name, text in (
        ("B", "https://other.example, not to https://ci.example"),
        ("C", "no server"),
        ("D", "no secret"),
    ):
        with pytest.raises(UnusableSecret, match=text):
            choose_for_request(_request(body=f"${{user.A}} ${{user.{name}}}"), available)


def test_a_secret_has_two_placeholders() -> None:
    assert build_values({"A": "x"}) == {"user.A": "x", "secret.A": "x"}
