"""Names, e-mail addresses and tokens of users, and how long tokens are good."""

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
    generate_token,
    is_use_due,
    is_well_formed_token,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


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
