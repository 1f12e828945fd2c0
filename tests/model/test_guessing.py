"""How long the next password has to wait, and which attempts are counted together."""

from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.accounts.throttling import (
    ACCOUNT_LIMIT,
    ADDRESS_LIMIT,
    CODE_LIMIT,
    FAILURE_LIFETIME,
    NETWORK_LIMIT,
    PAIR_LIMIT,
    FailureCounter,
    compute_code_keys,
    compute_counter_keys,
    compute_wait,
)

SECOND = timedelta(seconds=1)
NOON = datetime(2024, 5, 6, 12, 0, tzinfo=UTC)
ADA = compute_counter_keys("ada", "192.0.2.7", is_known=True)


@pytest.mark.parametrize(
    ("count", "count_of_address", "seconds_ago", "expected"),
    [
        (0, 0, 0, 0),
        (PAIR_LIMIT.allowed_failures - 1, PAIR_LIMIT.allowed_failures - 1, 0, 0),
        (PAIR_LIMIT.allowed_failures, PAIR_LIMIT.allowed_failures, 0, 1),
        (PAIR_LIMIT.allowed_failures, PAIR_LIMIT.allowed_failures, 1, 0),
        (PAIR_LIMIT.allowed_failures + 1, PAIR_LIMIT.allowed_failures + 1, 0.5, 2),
        (PAIR_LIMIT.allowed_failures + 4, PAIR_LIMIT.allowed_failures + 4, 6, 10),
        (PAIR_LIMIT.allowed_failures + 9, PAIR_LIMIT.allowed_failures + 9, 0, 300),
        (1_000_000, 1_000_000, 0, 300),
        (1_000_000, 1_000_000, 901, 0),
        (1, ADDRESS_LIMIT.allowed_failures, 0, 1),
        (1, ADDRESS_LIMIT.allowed_failures + 3, 2, 6),
    ],
)
def test_each_wrong_password_makes_the_next_wait_longer(count, count_of_address, seconds_ago, expected):
    latest = NOON - timedelta(seconds=seconds_ago)
    counters = [
        FailureCounter(key=ADA.pair, count=count, latest=latest),
        FailureCounter(key=str(ADA.address), count=count_of_address, latest=latest),
    ]
    assert compute_wait(ADA, counters, is_trusted=False, now=NOON) == expected


@pytest.mark.parametrize(
    ("age", "is_expired"),
    [
        (-SECOND, False),
        (SECOND, False),
        (FAILURE_LIFETIME, False),
        (FAILURE_LIFETIME + SECOND, True),
        (2 * FAILURE_LIFETIME, True),
    ],
)
def test_failures_are_forgotten_after_a_quarter_of_an_hour(age, is_expired):
    assert FailureCounter(key="k", count=1, latest=NOON - age).is_expired(NOON) is is_expired
    assert max(limit.max_wait for limit in (PAIR_LIMIT, ACCOUNT_LIMIT, CODE_LIMIT)) < FAILURE_LIFETIME.total_seconds()


V6 = compute_counter_keys("ada", "2001:db8:0:1::7", is_known=True)


@pytest.mark.parametrize(
    ("key", "count", "expected", "expected_if_trusted"),
    [
        (V6.pair, PAIR_LIMIT.allowed_failures + 20, 300, 30),
        (V6.address, ADDRESS_LIMIT.allowed_failures + 20, 300, 0),
        (V6.network, NETWORK_LIMIT.allowed_failures + 20, 300, 0),
        (V6.network, NETWORK_LIMIT.allowed_failures - 1, 0, 0),
        (V6.account, ACCOUNT_LIMIT.allowed_failures + 20, 60, 0),
        (V6.account, ACCOUNT_LIMIT.allowed_failures - 1, 0, 0),
        ("another account's", 1_000_000, 0, 0),
    ],
)
def test_an_account_that_has_signed_in_from_an_address_waits_for_its_own_failures_there_only(
    key, count, expected, expected_if_trusted
):
    counters = [FailureCounter(key=key, count=count, latest=NOON)]
    assert compute_wait(V6, counters, is_trusted=False, now=NOON) == expected
    assert compute_wait(V6, counters, is_trusted=True, now=NOON) == expected_if_trusted


def test_users_and_addresses_are_counted_separately_and_unknown_names_in_groups():
    others = [
        compute_counter_keys("ada", "192.0.2.8", is_known=True),
        compute_counter_keys("ben", "192.0.2.7", is_known=True),
        compute_counter_keys("ada", "192.0.2.7", is_known=False),
    ]
    assert len({ADA.pair, ADA.address, ADA.account, *(keys.pair for keys in others)}) == 6
    assert compute_counter_keys(" ADA ", "192.0.2.7", is_known=True) == ADA
    of_nobody = {compute_counter_keys(str(number), None, is_known=False).pair for number in range(10_000)}
    assert 3000 < len(of_nobody) <= 4096


@pytest.mark.parametrize(
    ("address", "other", "is_same_address", "is_same_network"),
    [
        ("192.0.2.7", "::ffff:192.0.2.7", True, True),
        ("192.0.2.7", "::ffff:c000:207", True, True),
        ("192.0.2.7", "192.0.2.8", False, True),
        ("2001:db8:0:1::7", "2001:db8:0:1:ffff:ffff:ffff:ffff", True, True),
        ("2001:db8:0:1::7", "2001:0DB8::1:0:0:0:8", True, True),
        ("2001:db8:0:1::7", "2001:db8:0:2::7", False, True),
        ("2001:db8:0:1::7", "2001:db8:0:0::7", False, True),
        ("2001:db8:0:1::7", "2001:db8:0:8001::7", False, True),
        ("2001:db8:0:1::7", "2001:db8:1:1::7", False, False),
        ("fe80::1%eth0", "fe80::2%eth1", True, True),
        ("unknown", "elsewhere", False, True),
        (None, None, True, True),
    ],
)
def test_ipv6_addresses_count_by_network_and_mapped_ones_as_ipv4(address, other, is_same_address, is_same_network):
    first, second = (compute_counter_keys("ada", client, is_known=True) for client in (address, other))
    assert (first.address == second.address) is is_same_address
    assert (first.pair == second.pair) is is_same_address
    assert (first.network == second.network) is is_same_network
    assert first.account == second.account


def test_codes_are_counted_for_their_account_wherever_they_are_entered():
    keys, elsewhere = (compute_code_keys("uuid", address) for address in ("192.0.2.7", "192.0.2.8"))
    assert (keys.account, keys.address, keys.network) == (elsewhere.account, None, None)
    assert len({keys.pair, elsewhere.pair, keys.account, compute_code_keys("other", "192.0.2.7").account}) == 4
    assert keys.in_lock_order == sorted((keys.pair, keys.account))
    for count, expected in ((CODE_LIMIT.allowed_failures - 1, 0), (CODE_LIMIT.allowed_failures + 20, 300)):
        counters = [FailureCounter(key=keys.account, count=count, latest=NOON)]
        assert compute_wait(keys, counters, is_trusted=False, now=NOON) == expected


def test_a_very_long_name_is_counted_like_others():
    for length in (100, 101):
        names = (f"{'n' * (length - 1)}{end}" for end in "ab")
        first, second = (compute_counter_keys(name, None, is_known=True) for name in names)
        assert first.pair != second.pair
        assert compute_counter_keys("N" * (length - 1) + "A", None, is_known=True) == first
