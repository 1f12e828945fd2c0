"""Names, e-mail addresses and tokens of users, and how long tokens are valid."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from treaty.model.accounts.access import (
    ANONYMOUS_CALLER,
    OPEN_ACCESS_CALLER,
    USE_RECORD_INTERVAL,
    Caller,
    CredentialType,
    Role,
    Token,
    find_email_problem,
    find_name_problem,
    generate_secret,
    generate_token,
    is_use_due,
    is_well_formed_token,
)
from treaty.model.accounts.scopes import Limits, Scope

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)
LONG = timedelta(days=90)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("ada", None),
        ("Ada Lovelace", None),
        ("n" * 100, None),
        ("n" * 101, "must have 100 characters at most"),
        ("", "must not be blank"),
        (" \t", "must not be blank"),
        (" ada", "must not begin or end with spaces"),
        ("ada ", "must not begin or end with spaces"),
        ("ada:x", "must not contain a colon, which ends the name in basic auth"),
        ("ada\x00x", "must not contain control characters"),
    ],
)
def test_a_name_must_be_usable_for_basic_auth(name, problem):
    assert find_name_problem(name) == problem


@pytest.mark.parametrize(
    ("email", "is_address"),
    [
        ("ada@example.org", True),
        ("a@b@example.org", True),
        (f"{'a' * 188}@example.org", True),
        (f"{'a' * 189}@example.org", False),
        ("ada", False),
        ("ada.lovelace", False),
        ("example.org", False),
        ("@example.org", False),
        ("ada@", False),
        ("ada@example", False),
        ("ada@.example", False),
        ("ada@example.", False),
        ("ada lovelace@example.org", False),
        ("ada@exam ple.org", False),
        ("ada@example.org\n", False),
    ],
)
def test_an_e_mail_address_has_a_host_with_a_dot(email, is_address):
    assert (find_email_problem(email) is None) is is_address


def test_each_token_is_well_formed_and_a_changed_one_is_not():
    text = generate_token()
    assert is_well_formed_token(text)
    assert len(text) == len("treaty_") + 32 + 6
    others = [text[:-1], text + "0", text.removeprefix("treaty_"), "treaty_" + text, text.replace("treaty_", "treatx_")]
    others += [f"{text[:position]}{character}{text[position + 1 :]}" for position in (7, 38, 44) for character in "-é"]
    others += [text[:position] + ("1" if text[position] == "0" else "0") + text[position + 1 :] for position in (7, 44)]
    assert [other for other in others if is_well_formed_token(other)] == []


def test_secrets_have_256_random_bits():
    texts = {generate_secret() for _ in range(10)}
    assert [len(text) for text in texts] == [43] * 10


def test_a_checksum_is_crc_32_in_base_62():
    assert is_well_formed_token("treaty_" + "0" * 32 + "2WJYRi")
    assert not is_well_formed_token("treaty_" + "0" * 32 + "2WJYRj")


def token(*, expires_at: datetime | None = None, ending: str | None = "abcd") -> Token:
    dates: dict[str, Any] = {"created_at": NOW, "expires_at": expires_at, "used_at": None}
    return Token(
        uuid="u", account="a", user="ada", name="ci", role=Role.READ_ONLY, ending=ending, used_from=None, **dates
    )


@pytest.mark.parametrize(
    ("expires_at", "is_expired"),
    [(None, False), (NOW - SECOND, True), (NOW, True), (NOW + SECOND, False)],
)
def test_a_token_is_good_until_it_expires(expires_at, is_expired):
    assert token(expires_at=expires_at).is_expired(datetime.fromisoformat(NOW.isoformat())) is is_expired


@pytest.mark.parametrize(
    ("remaining", "expires_soon"),
    [
        (-SECOND, False),
        (0 * SECOND, False),
        (SECOND, True),
        (WEEK - SECOND, True),
        (WEEK, True),
        (WEEK + SECOND, False),
    ],
)
def test_a_token_expires_soon_within_a_week(remaining, expires_soon):
    assert token(expires_at=NOW + remaining).expires_soon(NOW) is expires_soon
    assert not token(expires_at=None).expires_soon(NOW)


@pytest.mark.parametrize(
    ("age", "is_unused"), [(LONG - SECOND, False), (LONG, True), (LONG + SECOND, True), (2 * LONG, True)]
)
def test_a_token_is_unused_three_months_after_it_was_created_regenerated_or_used(age, is_unused):
    assert token().is_unused(NOW + age) is is_unused
    assert not token(ending=None).is_unused(NOW + age)
    for date in ("created_at", "issued_at", "used_at"):
        others: dict[str, Any] = dict.fromkeys(("created_at", "issued_at", "used_at"), NOW - LONG)
        assert replace(token(), **{**others, date: NOW}).is_unused(NOW + age) is is_unused


@pytest.mark.parametrize(
    ("expires_at", "maximum", "exceeds"),
    [
        (NOW + WEEK, WEEK, False),
        (NOW + WEEK + SECOND, WEEK, True),
        (NOW + WEEK - SECOND, WEEK, False),
        (None, WEEK, True),
        (None, timedelta(0), False),
        (NOW + LONG, timedelta(0), False),
    ],
)
def test_a_token_may_be_valid_for_longer_than_new_ones(expires_at, maximum, exceeds):
    assert token(expires_at=expires_at).exceeds(maximum, NOW) is exceeds
    assert not token(expires_at=expires_at, ending=None).exceeds(maximum, NOW)


@pytest.mark.parametrize(
    ("role", "limits", "is_read_only"),
    [
        (Role.READ_ONLY, None, True),
        (Role.READ_WRITE, None, False),
        (Role.ADMINISTRATOR, None, False),
        (Role.READ_WRITE, Limits(scopes=frozenset({Scope.READ})), True),
        (Role.READ_WRITE, Limits(scopes=frozenset({Scope.READ, Scope.PUBLISH_PACTS})), False),
        (Role.READ_ONLY, Limits(scopes=frozenset({Scope.READ, Scope.PUBLISH_PACTS})), True),
    ],
)
def test_a_token_is_read_only_by_its_role_or_its_scopes(role, limits, is_read_only):
    assert replace(token(), role=role, limits=limits).is_read_only is is_read_only


def test_a_token_is_recognized_by_its_ends():
    assert token().masked == "treaty_************abcd"
    assert token(ending=None).masked == "not generated yet"


@pytest.mark.parametrize(
    ("recorded_at", "is_due"),
    [
        (None, True),
        (NOW, False),
        (NOW - USE_RECORD_INTERVAL + SECOND, False),
        (NOW - USE_RECORD_INTERVAL, True),
        (NOW - USE_RECORD_INTERVAL - SECOND, True),
    ],
)
def test_a_use_is_recorded_once_a_minute(recorded_at, is_due):
    assert is_use_due(recorded_at, NOW) is is_due


@pytest.mark.parametrize(
    ("caller", "is_known", "title"),
    [
        (ANONYMOUS_CALLER, False, "anybody"),
        (OPEN_ACCESS_CALLER, False, "anybody"),
        (Caller(kind=CredentialType.BASIC, user="ada"), True, "ada"),
        (Caller(kind=CredentialType.SESSION, user="ada"), True, "ada"),
        (Caller(kind=CredentialType.TOKEN, user="ada", token="ci"), True, "ada (token “ci”)"),  # noqa: S106 - a name
    ],
)
def test_a_caller_with_a_credential_is_known(caller, is_known, title):
    assert (caller.is_known, caller.title) == (is_known, title)
