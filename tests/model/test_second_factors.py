"""Codes of second factors: one-time passwords of the current and the neighbouring periods, and recovery codes."""

from datetime import UTC, datetime, timedelta

import pytest
from pyotp.totp import TOTP

from treaty.model.accounts.second_factors import (
    build_uri,
    find_step,
    generate_recovery_codes,
    generate_secret,
    hash_recovery_code,
    is_one_time_password,
    normalize_code,
)

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # noqa: S105 - of the tests
STEP = int(NOW.timestamp()) // 30


@pytest.mark.parametrize(("seconds", "offset"), [(0, 0), (-30, -1), (30, 1), (-60, None), (60, None), (3600, None)])
def test_a_code_is_right_in_its_period_and_the_neighbouring_ones(seconds: int, offset: int | None) -> None:
    code = TOTP(SECRET).at(NOW + timedelta(seconds=seconds))
    assert find_step(SECRET, code, NOW) == (None if offset is None else STEP + offset)


def test_another_code_is_wrong() -> None:
    code = TOTP(SECRET).at(NOW)
    for other in ("", code[:-1], code + "0", f"{(int(code) + 1) % 10**6:06}"):
        assert find_step(SECRET, other, NOW) is None


def test_an_app_gets_the_secret_with_names() -> None:
    secret = generate_secret()
    assert len(secret) == 32
    assert build_uri(secret, user="ada", issuer="Treaty") == f"otpauth://totp/Treaty:ada?secret={secret}&issuer=Treaty"


@pytest.mark.parametrize(
    ("typed", "normalized", "is_password"),
    [
        ("123456", "123456", True),
        (" 123 456\n", "123456", True),
        ("123-456", "123456", True),
        ("12345", "12345", False),
        ("1234567", "1234567", False),
        ("12345a", "12345A", False),
        ("١٢٣٤٥٦", "١٢٣٤٥٦", False),
    ],
)
def test_a_code_of_six_digits_is_a_one_time_password(typed: str, normalized: str, *, is_password: bool) -> None:
    assert normalize_code(typed) == normalized
    assert is_one_time_password(normalize_code(typed)) is is_password


def test_recovery_codes_are_different_and_belong_to_an_account() -> None:
    codes = generate_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert set(code) <= set("-0123456789ABCDEFGHJKMNPQRSTVWXYZ")
    hashes = [hash_recovery_code(code, account=account) for code in codes for account in ("a", "b")]
    assert len(set(hashes)) == 20
    assert hash_recovery_code(codes[0].lower().replace("-", " "), account="a") == hashes[0]
