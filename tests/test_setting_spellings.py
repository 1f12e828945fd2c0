"""Each setting understands every spelling that users may have in their environment, options and `treaty.toml`.

The tables are complete: a setting without a row fails `test_every_setting_has_a_row`.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.cli.server import serve
from treaty.cli.setting_options import merge_repeated_values
from treaty.errors import InvalidSetting
from treaty.settings import SETTINGS, Secret, Settings, dump_settings, load_settings, read_settings
from treaty.settings.spellings import Items

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
FOREVER = timedelta(days=36_525)
"""Durations that are longer, even infinite ones, are read as this many days: a century."""


class Spelling(NamedTuple):
    text: str
    """As an environment variable has it, or a string in treaty.toml."""
    value: object


def boolean(*, default):
    return Row(
        [Spelling(text, value=True) for text in ("true", "TRUE", "True", "t", "T", "yes", "Yes", "y", "Y", "1")]
        + [Spelling(text, value=False) for text in ("false", "FALSE", "f", "F", "no", "NO", "n", "N", "0")],
        refused=(" ", "on", "off", "2", " true", "tru\u0435", "1.0", "-1", "", "\x1b[2J"),
        typed=[(True, True), (False, False), (1, True), (0, False)],
        refused_typed=[2, 1.0, [], ["true"], {"a": True}],
        default=default,
    )


def whole(*, minimum, default, maximum=None):
    return Row(
        [
            Spelling("3600", 3600),
            Spelling(" 3600\n", 3600),
            Spelling("+3600", 3600),
            Spelling("003600", 3600),
            Spelling("3_600", 3600),
            Spelling("٣٦٠٠", 3600),
            *([] if minimum is None else [Spelling(str(minimum), minimum)]),
            *([] if maximum else [Spelling("9" * 30, int("9" * 30))]),
        ],
        refused=(
            *_NO_WHOLE_NUMBERS,
            *([] if minimum is None else [str(minimum - 1), "-3600"]),
            *([] if maximum is None else [str(maximum + 1), "9" * 30]),
        ),
        typed=[(3600, 3600)],
        refused_typed=[*_NO_NUMBERS, 3600.0, 1e3],
        default=default,
    )


def seconds(*, minimum, default):
    return Row(
        [
            Spelling("3600", 3600 * SECOND),
            Spelling("3600.5", 3600.5 * SECOND),
            Spelling("3.6e3", 3600 * SECOND),
            Spelling(" 3600\n", 3600 * SECOND),
            Spelling("+3_600.0", 3600 * SECOND),
            Spelling("٣٦٠٠", 3600 * SECOND),
            Spelling("1e12", FOREVER),
            Spelling("1e400", FOREVER),
            Spelling("inf", FOREVER),
            Spelling("Infinity", FOREVER),
            Spelling("9" * 5000, FOREVER),
            *([Spelling("-1.5", -1.5 * SECOND)] if minimum is None else [Spelling(str(minimum), minimum * SECOND)]),
        ],
        refused=(
            *(text for text in _NO_WHOLE_NUMBERS if text not in {"1e3", "3600.0", "inf", "9" * 5000}),
            *([] if minimum is None else ["-1", "-inf", str(minimum - 0.01)]),
        ),
        typed=[(3600, 3600 * SECOND), (3600.5, 3600.5 * SECOND), (float("inf"), FOREVER)],
        refused_typed=_NO_NUMBERS,
        default=default,
    )


def whole_durations(unit, *, minimum, default):
    row = whole(minimum=minimum, default=default)
    return row._replace(
        spellings=[Spelling(text, min(int(text), FOREVER // unit) * unit) for text, _ in row.spellings],
        typed=[(3600, 3600 * unit)],
    )


def text(*, default, also=()):
    return Row(
        [
            Spelling(value, value)
            for value in ("x", " a b ", "a,b", "é", "1", "true", "\x1b[2J\x00", "x" * 10_000, *also)
        ],
        typed=[("", ""), (1, "1"), (1.5, "1.5"), (True, "True"), ([], "[]"), ([1], "[1]"), ({"a": 1}, "{'a': 1}")],
        default=default,
    )


def one_of(*values, default, also=None):
    spellings = {**{value: value for value in values}, **(also or {})}
    return Row(
        [Spelling(*pair) for pair in spellings.items()],
        refused=("loud", " ", f" {values[0]}", "\x1b[2J", "1"),
        refused_typed=[1, True, [], [values[0]], {}],
        default=default,
    )


def items(*, default, also=()):
    return Row(
        [
            Spelling("a", ("a",)),
            Spelling("a b", ("a", "b")),
            Spelling("a,b", ("a", "b")),
            Spelling(" a, b\tc\n,,d ", ("a", "b", "c", "d")),
            Spelling("a a", ("a", "a")),
            Spelling('["a", "b"]', ('["a"', '"b"]')),
            Spelling(" , ", ()),
            Spelling("\x1b[2J", ("\x1b[2J",)),
            *also,
        ],
        typed=[(["a b", "c,d"], ("a b", "c,d")), ([], ()), ([1, True], ("1", "True")), ([["a"]], ("['a']",)), ("", ())],
        refused_typed=[1, 1.5, True, {"a": "b"}],
        default=default,
    )


def numbers(unit, *, default, minimum=None):
    return Row(
        [
            Spelling("10", (10 * unit,)),
            Spelling("10 60,300", (10 * unit, 60 * unit, 300 * unit)),
            Spelling(" 10 , +6_0 ", (10 * unit, 60 * unit)),
            Spelling(" ", ()),
            Spelling("0", (0 * unit,)),
        ],
        refused=("x", "10 x", "1e3", "1.0", "[10]", "10;60", "\x1b[2J", *([] if minimum is None else ["-1", "10 -1"])),
        typed=[([10, 60], (10 * unit, 60 * unit)), (["10", " 60 "], (10 * unit, 60 * unit)), ([], ()), ("", ())],
        refused_typed=[10, 1.5, True, {}, [True], [1.0], [[10]], *([] if minimum is None else [[-1]])],
        default=default,
    )


class Row(NamedTuple):
    spellings: list[Spelling]
    refused: tuple[str, ...] = ()
    typed: Sequence[tuple[object, object]] = ()
    """Values in treaty.toml, most of them not strings, with their meanings."""
    refused_typed: Sequence[object] = ()
    default: object = None
    beside: Mapping[str, str] = MappingProxyType({})
    """Other settings without which this one is refused."""


_NO_WHOLE_NUMBERS = (
    *(
        " ",
        "many",
        "1e3",
        "3600.0",
        "0x10",
        "1,5",
        "1 000",
        "½",
        "²",
        "--1",
        "1__0",
        "_1",
        "nan",
        "inf",
        "\x1b[2J",
        "1\x00",
    ),
    *("PT1H", "01:00:00", "1 day", "5m", "9" * 5000),
)
"""Spellings of numbers that other programs understand, and that would be taken for something else here."""
_NO_NUMBERS: list[object] = ["", True, False, [], [3600], {}, {"seconds": 3600}]

USER = {"basic_auth_username": "u", "basic_auth_password": "p"}
READER = {"basic_auth_read_only_username": "r", "basic_auth_read_only_password": "q"}


def half_of_a_pair(other, beside=None):
    row = text(default=None)
    return row._replace(
        spellings=[spelling for spelling in row.spellings if spelling.text.strip()],
        typed=[pair for pair in row.typed if pair[0] != ""],
        beside={other: "other", **(beside or {})},
    )


KEY = "0123456789abcdef"

ROWS = {
    "host": Row(
        [
            Spelling("192.0.2.7", ("192.0.2.7",)),
            Spelling("127.0.0.1 ::1", ("127.0.0.1", "::1")),
            Spelling(" [::1], localhost,::1 ", ("::1", "localhost")),
            Spelling("fe80::1%eth0", ("fe80::1%eth0",)),
            Spelling("broker.example.org", ("broker.example.org",)),
        ],
        refused=(" ", ",", "127.0.0.1:9292", "[::1]:9292", "http://a.example", "::g", "[a]:", "\x1b[2J"),
        typed=[(["::", "127.0.0.1"], ("::", "127.0.0.1"))],
        refused_typed=[1, True, {}, [], "", [1.5, ":"], [""], [" "]],
        default=("127.0.0.1",),
    ),
    "port": whole(minimum=0, maximum=65_535, default=9292),
    "workers": whole(minimum=1, default=1),
    "database_url": text(default="sqlite:///treaty.sqlite"),
    "database_max_connections": whole(minimum=1, default=8),
    "database_pool_timeout": seconds(minimum=None, default=5 * SECOND),
    "database_startup_timeout": seconds(minimum=0, default=30 * SECOND),
    "database_connect_max_retries": whole(minimum=0, default=None),
    "sqlite_cache_bytes": whole(minimum=0, default=16_777_216),
    "response_cache_bytes": whole(minimum=0, default=16_777_216),
    "base_urls": Row(
        [
            Spelling("https://a.example", ("https://a.example",)),
            Spelling("http://a/x/, https://b/ http://a/x", ("http://a/x", "https://b")),
            Spelling("https://a/ä%2F/(1)", ("https://a/%C3%A4%2F/(1)",)),
            Spelling(" ", ()),
        ],
        refused=(
            *("a.example", "ftp://a.example", "https://a.example b", "HTTPS://a.example", "\x1b[2J"),
            *("https://a/?q", "https://a/#f", "https://a//b", "https://a/../b", "https://a/%zz", "https://a/b\\c"),
        ),
        typed=[(["http://a/", "http://b"], ("http://a", "http://b")), ([], ()), ("", ())],
        refused_typed=[1, True, {}, [1]],
        default=(),
    ),
    "trusted_proxies": items(default=()),
    "trusted_proxy_headers": one_of("x-forwarded", "forwarded", default="x-forwarded"),
    "max_body_bytes": whole(minimum=1, default=50_000_000),
    "max_connections": whole(minimum=1, default=1000),
    "header_timeout": seconds(minimum=0.1, default=10 * SECOND),
    "keep_alive_timeout": whole_durations(SECOND, minimum=0, default=75 * SECOND),
    "shutdown_delay": seconds(minimum=0, default=0 * SECOND),
    "min_body_rate": whole(minimum=0, default=500),
    "largest_list": whole(minimum=1, default=10_000),
    "log_level": one_of(
        *("debug", "info", "warn", "error", "fatal"),
        default="info",
        also={"warning": "warning", "INFO": "info", "Error": "error"},
    ),
    "log_format": one_of("default", "json", "color", default="default"),
    "example_data": boolean(default=False),
    "basic_auth_username": half_of_a_pair("basic_auth_password"),
    "basic_auth_password": half_of_a_pair("basic_auth_username"),
    "basic_auth_read_only_username": half_of_a_pair("basic_auth_read_only_password", USER),
    "basic_auth_read_only_password": half_of_a_pair("basic_auth_read_only_username", USER),
    "allow_public_read": boolean(default=False),
    "public_heartbeat": boolean(default=False),
    "enable_public_badge_access": boolean(default=False),
    "open_access": boolean(default=False),
    "session_idle_timeout": whole_durations(SECOND, minimum=60, default=DAY / 2),
    "session_lifetime": whole_durations(SECOND, minimum=60, default=7 * DAY),
    "token_max_lifetime": whole_durations(DAY, minimum=0, default=0 * DAY),
    "hsts_max_age": whole_durations(SECOND, minimum=0, default=365 * DAY),
    "security_contacts": Row(
        [
            Spelling("security@example.org", ("mailto:security@example.org",)),
            Spelling(
                "tel:+1-201-555-0123, https://a.example/report a@b.example mailto:a@b.example",
                ("tel:+1-201-555-0123", "https://a.example/report", "mailto:a@b.example"),
            ),
            Spelling(" ", ()),
        ],
        refused=("security", "http://a.example", "a@b.example\x07", "ü@b.example", "\x1b[2J"),
        typed=[(["a@b.example"], ("mailto:a@b.example",)), ([], ())],
        refused_typed=[1, True, {}, [1], ["a@b.example\nPolicy: https://evil.example"], ["https://a b"], [""]],
        default=(),
    ),
    "security_policy": Row(
        [Spelling("https://a.example/policy", "https://a.example/policy"), Spelling("https://b", "https://b")],
        refused=("http://a.example", "a.example", "https://a b", " ", "\x1b[2J"),
        typed=[("https://a.example", "https://a.example")],
        refused_typed=["", 1, True, [], "https://a\nContact: tel:1"],
        default=None,
    ),
    "audit_forward_url": Row(
        [
            Spelling("https://a.example/audit?x=1", "https://a.example/audit?x=1"),
            Spelling("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
            Spelling("syslog+tls://a.example:6514", "syslog+tls://a.example:6514"),
            Spelling("syslog+tcp://[::1]", "syslog+tcp://[::1]"),
        ],
        refused=(
            "a.example",
            "ftp://a",
            "https://",
            "https://a:b",
            "https://a:0",
            "https://u:p@a",
            "https://a b",
            "https://[",
            " ",
        ),
        typed=[("https://a.example", "https://a.example")],
        refused_typed=["", 1, True, [], "https://a\nx"],
        default=None,
    ),
    "audit_forward_token": text(default=None),
    "security_txt_expires": Row(
        [
            Spelling("2030-12-31", datetime(2030, 12, 31, tzinfo=UTC)),
            Spelling(" 2030-12-31T12:30:00\n", datetime(2030, 12, 31, 12, 30, tzinfo=UTC)),
            Spelling("2030-12-31T12:30:00+02:00", datetime(2030, 12, 31, 10, 30, tzinfo=UTC)),
            Spelling("2030-12-31T12:30:00Z", datetime(2030, 12, 31, 12, 30, tzinfo=UTC)),
        ],
        refused=("never", " ", "2030-02-30", "31.12.2030", "\x1b[2J"),
        typed=[(date(2030, 12, 31), datetime(2030, 12, 31, tzinfo=UTC))],
        refused_typed=["", 1, True, [], {}],
        default=None,
    ),
    "require_administrator_second_factor": boolean(default=False),
    "badge_provider_mode": text(default="redirect", also=("proxy", "other")),
    "shields_io_base_url": text(default="https://img.shields.io"),
    "badge_default_cache_setting": text(default="max-age=30"),
    "enable_diagnostic_endpoints": boolean(default=True),
    "order_versions_by_date": boolean(default=True),
    "check_for_potential_duplicate_pacticipant_names": boolean(default=True),
    "allow_dangerous_contract_modification": boolean(default=False),
    "auto_detect_main_branch": boolean(default=True),
    "main_branch_candidates": items(default=("develop", "main", "master")),
    "use_first_tag_as_branch": boolean(default=True),
    "use_first_tag_as_branch_time_limit": whole_durations(SECOND, minimum=None, default=10 * SECOND),
    "create_deployed_versions_for_tags": boolean(default=True),
    "decision_validity": whole_durations(SECOND, minimum=0, default=24 * 3600 * SECOND),
    "comparison_budget": seconds(minimum=0, default=SECOND / 4),
    "pact_content_diff_timeout": seconds(minimum=0, default=15 * SECOND),
    "max_document_bytes": whole(minimum=1, default=20_000_000),
    "document_comparison_timeout": seconds(minimum=0, default=30 * SECOND),
    "verified_by_other_branch_lookback_days": whole_durations(DAY, minimum=0, default=30 * DAY),
    "deployed_pacts_are_pending": boolean(default=True),
    "dynamic_wip_window": boolean(default=False),
    "max_wip_lookback_days": whole_durations(DAY, minimum=0, default=14 * DAY),
    "min_wip_window_days": whole_durations(DAY, minimum=0, default=7 * DAY),
    "default_wip_window_days": whole_durations(DAY, minimum=0, default=7 * DAY),
    "features": items(default=()),
    "database_clean_enabled": boolean(default=False),
    "database_clean_cron_schedule": text(default="15 2 * * *"),
    "database_clean_deletion_limit": whole(minimum=1, default=500),
    "database_clean_overwritten_data_max_age": whole_durations(DAY, minimum=0, default=7 * DAY),
    "database_clean_keep_version_selectors": text(default=None),
    "database_clean_keep_branch_selectors": text(default=None),
    "database_clean_dry_run": boolean(default=False),
    "decision_max_age": whole_durations(DAY, minimum=0, default=365 * DAY),
    "override_default_duration": whole_durations(HOUR, minimum=1, default=DAY),
    "override_max_duration": whole_durations(HOUR, minimum=1, default=30 * DAY),
    "audit_max_age": whole_durations(DAY, minimum=0, default=365 * DAY),
    "event_log_max_age": whole_durations(DAY, minimum=0, default=30 * DAY),
    "webhook_settling_time": seconds(minimum=0, default=0.2 * SECOND),
    "webhook_retry_schedule": numbers(
        SECOND, minimum=0, default=tuple(SECOND * count for count in (10, 60, 120, 300, 600, 1200))
    ),
    "webhook_http_method_whitelist": items(default=("POST",)),
    "webhook_http_code_success": numbers(1, default=tuple(range(200, 207))),
    "webhook_scheme_whitelist": items(default=("https",)),
    "webhook_host_whitelist": items(
        default=(), also=[Spelling("/^ci/,*.example 10.0.0.0/8", ("/^ci/", "*.example", "10.0.0.0/8"))]
    )._replace(refused=("/(/", "a /[/")),
    "webhook_redact_sensitive_data": boolean(default=True),
    "webhook_certificates": items(default=()),
    "webhook_http_proxy": text(default=None),
    "webhook_https_proxy": text(default=None),
    "webhook_no_proxy": items(default=()),
    "webhook_connect_timeout": seconds(minimum=0.1, default=15 * SECOND),
    "webhook_read_timeout": seconds(minimum=0.1, default=15 * SECOND),
    "webhook_total_timeout": seconds(minimum=0.1, default=30 * SECOND),
    "webhook_max_response_bytes": whole(minimum=0, default=100_000),
    "webhook_concurrency": whole(minimum=1, default=16),
    "webhook_failures_until_failing": whole(minimum=1, default=10),
    "verification_overdue_after": seconds(minimum=0, default=DAY),
    "contract_unused_after": whole_durations(DAY, minimum=0, default=90 * DAY),
    "disable_ssl_verification": boolean(default=False),
    "user_agent": text(default="Pact Broker v2.120.0"),
    "secret_key": Row(
        [Spelling(key, key) for key in (KEY, f" {KEY} ", f"{KEY}, {KEY}")],
        refused=("short", " ", "0123456789abcde", "\x1b[2J"),
        typed=[(10**16, str(10**16))],
        refused_typed=["", 1, True, []],
        default=None,
    ),
    "previous_secret_keys": Row(
        [Spelling(KEY, (KEY,)), Spelling(f"{KEY} {KEY}x", (KEY, f"{KEY}x")), Spelling(" ", ())],
        refused=("short", f"{KEY} short"),
        typed=[([f"{KEY} a, b"], (f"{KEY} a, b",)), ([], ())],
        refused_typed=[1, [1], ["short"], {}],
        default=(),
    ),
}
ALIASES = {
    "enable_public_badge_access": "enable_badge_resources",
    "example_data": "seed_example_data",
    "keep_alive_timeout": "puma_persistent_timeout",
}
LEVELS = ("option", "TREATY_", "PACT_BROKER_", "treaty.toml")
"""Places where a setting may be given; an earlier one wins."""


def toml(value):
    match value:
        case bool() | str():
            return json.dumps(value)
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(item)}' for key, item in value.items())}}}"
        case _:
            return str(value)


class Place:
    """Where settings are read from."""

    def __init__(self, folder):
        self.folder, self.options, self.environ, self.lines = folder, {}, {}, []

    def give(self, level, name, value):
        if level == "option":
            self.options[name] = value
        elif level == "treaty.toml":
            self.lines.append(f"{name} = {toml(value)}\n")
        else:
            self.environ[level + name.upper()] = value

    def read(self):
        (self.folder / "treaty.toml").write_text("".join(self.lines), "utf-8")
        return read_settings(self.options, self.environ, self.folder)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def read_one(folder, level, name, raw):
    """Read the value of a setting that is given at one place, beside those that it needs."""
    place = Place(folder)
    for other, value in ROWS[name].beside.items():
        place.give("PACT_BROKER_", other, value)
    place.give(level, name, raw)
    return value_of(place.read(), name)


def refusal(folder, level, name, raw):
    try:
        value = read_one(folder, level, name, raw)
    except InvalidSetting as error:
        return str(error)
    pytest.fail(f"{name} is {value!r}, where {level} says {raw!r}")


def value_of(settings, name):
    value = getattr(settings, name)
    return tuple(map(revealed, value)) if isinstance(value, tuple) else revealed(value)


def revealed(value):
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def names_of_settings():
    return set(SETTINGS)


def test_every_setting_has_a_row():
    assert names_of_settings() == ROWS.keys()


@pytest.mark.parametrize("name", ROWS)
def test_every_setting_has_a_default(name):
    assert value_of(Settings(), name) == ROWS[name].default


@pytest.mark.parametrize("name", ROWS)
def test_a_spelling_means_the_same_in_each_place(name, tmp_path):
    for spelling, level in product(ROWS[name].spellings, LEVELS):
        assert read_one(tmp_path, level, name, spelling.text) == spelling.value, (level, spelling.text)


@pytest.mark.parametrize("name", ROWS)
def test_treaty_toml_may_have_other_types_than_strings(name, tmp_path):
    for raw, value in ROWS[name].typed:
        assert read_one(tmp_path, "treaty.toml", name, raw) == value, raw


@pytest.mark.parametrize("name", ROWS)
def test_an_unusable_spelling_is_refused_by_name_in_each_place(name, tmp_path):
    for text, level in product(ROWS[name].refused, LEVELS):
        if text or "_" not in level:  # a blank variable is ignored
            assert name.removesuffix("s") in refusal(tmp_path, level, name, text), (level, text)


@pytest.mark.parametrize("name", ROWS)
def test_an_unusable_type_in_treaty_toml_is_refused_by_name(name, tmp_path):
    for raw in ROWS[name].refused_typed:
        assert name.removesuffix("s") in refusal(tmp_path, "treaty.toml", name, raw), raw


@pytest.mark.parametrize("name", ROWS)
def test_the_first_place_that_gives_a_setting_wins(name, place):
    row = ROWS[name]
    loser = row.spellings[0]
    winner = next(spelling for spelling in row.spellings if spelling.value != loser.value)
    for other, value in row.beside.items():
        place.give("PACT_BROKER_", other, value)
    for level in reversed(LEVELS):
        above = LEVELS[: LEVELS.index(level)]
        place.give(level, name, winner.text)
        assert value_of(place.read(), name) == winner.value, f"{level} beats all but {above}"
        place.lines = [line for line in place.lines if not line.startswith(f"{name} ")]
        place.give(level, name, loser.text)
        assert value_of(place.read(), name) == loser.value, f"{level} beats all but {above}"


@pytest.mark.parametrize("name", ROWS)
def test_a_blank_variable_counts_as_absent(name, place):
    row = ROWS[name]
    for other, value in row.beside.items():
        place.give("PACT_BROKER_", other, value)
    place.give("TREATY_", name, "")
    if not row.beside:
        assert value_of(place.read(), name) == row.default
    place.give("PACT_BROKER_", name, "")
    place.give("treaty.toml", name, row.spellings[0].text)
    assert value_of(place.read(), name) == row.spellings[0].value


@pytest.mark.parametrize(("name", "alias"), ALIASES.items())
def test_an_alias_is_read_after_the_name_in_each_place(name, alias, place):
    spellings = ROWS[name].spellings
    first, second = spellings[0], next(spelling for spelling in spellings if spelling.value != spellings[0].value)
    for level in ("treaty.toml", "PACT_BROKER_", "TREATY_"):
        place.give(level, alias, first.text)
        assert value_of(place.read(), name) == first.value
        place.give(level, name, second.text)
        assert value_of(place.read(), name) == second.value


def parse_options(*words):
    """Return the values of options of `treaty serve`, as `read_settings` accepts them."""
    return merge_repeated_values(serve.make_context("serve", [*words]).params)


@pytest.mark.parametrize(("name", "value"), [("webhook_http_code_success", 1), ("webhook_retry_schedule", SECOND)])
def test_an_option_takes_a_list_of_numbers(name, value, tmp_path):
    values = parse_options(f"--{name.replace('_', '-')}", "200, 300")
    assert read_one(tmp_path, "option", name, values[name]) == (200 * value, 300 * value)


@pytest.mark.parametrize(
    ("name", "option", "texts"),
    [
        ("webhook_scheme_whitelist", "--webhook-scheme-whitelist", ("http", "https")),
        ("trusted_proxies", "--trusted-proxies", ("10.0.0.0/8 127.0.0.1", "::1")),
        ("host", "--host", ("127.0.0.1", "127.0.0.2,127.0.0.3")),
        ("base_urls", "--base-url", ("https://a.example.org", "https://b.example.org https://c.example.org")),
    ],
)
def test_all_values_of_a_repeated_option_count(name, option, texts, tmp_path):
    values = parse_options(*(word for text in texts for word in (option, text)))
    items = tuple(",".join(texts).replace(" ", ",").split(","))
    assert read_one(tmp_path, "option", name, values[name]) == items


@pytest.mark.parametrize("option", [option for option in serve.params if option.name in SETTINGS])
def test_an_option_of_a_list_can_be_repeated_and_no_other_can(option):
    is_list = isinstance(SETTINGS[option.name].spelling, Items)
    assert option.multiple is is_list
    assert ("Can be repeated." in option.help) is is_list
    assert parse_options()[option.name] is None


def test_the_last_of_several_values_counts_for_any_other_option():
    assert parse_options("--port", "1", "--port", "2")["port"] == 2
    assert parse_options("--example-data", "--no-example-data")["example_data"] is False


def test_an_alias_is_not_accepted_as_an_option(place):
    place.give("option", "seed_example_data", "true")
    assert not place.read().example_data


@pytest.mark.parametrize("name", ROWS)
def test_workers_have_the_settings_of_their_server(name, tmp_path):
    for spelling in ROWS[name].spellings:
        place = Place(tmp_path)
        place.environ |= {f"TREATY_{other.upper()}": value for other, value in ROWS[name].beside.items()}
        place.give("TREATY_", name, spelling.text)
        settings = place.read()
        assert load_settings(dump_settings(settings)) == settings


def test_secrets_are_hidden_where_settings_are_shown():
    secret = "a very secret text"  # noqa: S105 - a value for this test
    settings = Settings(
        basic_auth_username="u",
        basic_auth_password=Secret(secret),
        basic_auth_read_only_username="r",
        basic_auth_read_only_password=Secret(secret),
        secret_key=Secret(secret),
        previous_secret_keys=(Secret(secret),),
        database_url=f"postgresql://u:{secret}@host/name",
    )
    assert secret not in f"{settings!r} {settings}"


@pytest.mark.parametrize("name", ["basic_auth_password", "previous_secret_keys", "secret_key"])
def test_messages_about_secrets_do_not_show_them(name, place):
    place.give("TREATY_", name, "hidden")
    with pytest.raises(InvalidSetting) as failure:
        place.read()
    assert "hidden" not in str(failure.value)
    assert failure.value.__suppress_context__


def test_messages_show_neither_control_characters_nor_all_of_a_long_value(place):
    place.give("TREATY_", "port", "\x1b[2J" + "x" * 10_000)
    with pytest.raises(InvalidSetting) as failure:
        place.read()
    assert str(failure.value).startswith(r"port (TREATY_PORT): must be a number, but is '\x1b[2Jxxx")
    assert len(str(failure.value)) < 300


@pytest.mark.parametrize(("level", "where"), [("option", "option"), ("TREATY_", "TREATY_PORT"), ("treaty.toml",) * 2])
@pytest.mark.parametrize("value", ["many", "-1"])
def test_messages_name_the_place_of_the_value(level, where, value, place):
    place.give("PACT_BROKER_" if level == "TREATY_" else "treaty.toml", "port", 1)
    place.lines = place.lines[:0] if level == "treaty.toml" else place.lines
    place.give(level, "port", value)
    with pytest.raises(InvalidSetting, match=rf"^port\b.*\({where}\)"):
        place.read()


def test_base_urls_of_all_sources_are_combined(place):
    place.give("treaty.toml", "base_url", ["https://toml/", "https://option"])
    place.give("PACT_BROKER_", "base_url", "https://original https://toml")
    place.give("TREATY_", "base_url", "https://treaty/")
    place.give("option", "base_urls", ("https://option",))
    place.give("TREATY_", "base_urls", "https://hidden-by-the-option")
    assert place.read().base_urls == ("https://option", "https://toml", "https://treaty", "https://original")


@pytest.mark.parametrize("value", [1, True, {"a": 1}, "ftp://a", ["a"]])
def test_an_invalid_base_url_is_refused(value, place):
    place.give("treaty.toml", "base_url", value)
    with pytest.raises(InvalidSetting, match="base_url"):
        place.read()


def test_the_originals_parts_count_after_all_else(place):
    place.environ |= {"PACT_BROKER_DATABASE_NAME": "parts", "PACT_BROKER_WEBHOOK_CERTIFICATES__0__PATH": "a.pem"}
    assert place.read().database_url == "postgresql://localhost/parts"
    assert place.read().webhook_certificates == ("a.pem",)
    place.give("treaty.toml", "database_url", "sqlite:///toml")
    place.give("treaty.toml", "webhook_certificates", ["b.pem"])
    assert place.read().database_url == "sqlite:///toml"
    assert place.read().webhook_certificates == ("b.pem",)


@pytest.mark.parametrize(
    ("environ", "certificates"),
    [
        (
            {"PACT_BROKER_WEBHOOK_CERTIFICATES__10__PATH": "ten", "TREATY_WEBHOOK_CERTIFICATES__9__CONTENT": "nine"},
            ("nine", "ten"),
        ),
        ({"PACT_BROKER_WEBHOOK_CERTIFICATES__0__PATH": ""}, ()),
        ({"PACT_BROKER_WEBHOOK_CERTIFICATES__0__DESCRIPTION": "a"}, ()),
        ({"WEBHOOK_CERTIFICATES__0__PATH": "a"}, ()),
    ],
)
def test_certificates_are_numbered(environ, certificates, place):
    place.environ |= environ
    assert place.read().webhook_certificates == certificates


@pytest.mark.parametrize("name", ["prot", "Port", "PORT", "server", "treaty_port", "seed_example-data"])
def test_a_name_that_no_setting_has_is_refused_in_treaty_toml(name, place):
    place.give("treaty.toml", name, 1)
    with pytest.raises(InvalidSetting, match=f"there is no setting '{name}'"):
        place.read()


def test_a_table_is_refused_in_treaty_toml(place):
    place.lines.append("[server]\nport = 1\n")
    with pytest.raises(InvalidSetting, match="there is no setting 'server'"):
        place.read()


@pytest.mark.parametrize("variable", ["TREATY_PROT", "PACT_BROKER_PROT", "treaty_port", "PORT", "TREATY__PORT"])
def test_variables_other_than_settings_are_ignored(variable, place):
    place.environ[variable] = "1"
    assert place.read() == Settings()


@pytest.mark.parametrize("content", [b"port = ", b"\xff", b"port = 1\nport = 2", b"\x00", b"port = 1" + b"0" * 5000])
def test_a_file_that_cannot_be_read_is_named(content, tmp_path):
    (tmp_path / "treaty.toml").write_bytes(content)
    with pytest.raises(InvalidSetting, match=r"treaty\.toml cannot be read"):
        read_settings({}, {}, tmp_path)


def test_a_folder_in_place_of_the_file_is_named(tmp_path):
    (tmp_path / "treaty.toml").mkdir()
    with pytest.raises(InvalidSetting, match=r"treaty\.toml cannot be read"):
        read_settings({}, {}, tmp_path)


@given(name=st.sampled_from(sorted(ROWS)), text=st.text(max_size=40))
def test_any_text_is_understood_or_refused_by_name(tmp_path_factory, name, text):
    folder = tmp_path_factory.getbasetemp()
    try:
        read_settings({}, {f"TREATY_{name.upper()}": text}, folder)
    except InvalidSetting as error:
        assert name.removesuffix("s") in str(error)  # noqa: PT017 - whether it is raised depends on the text
