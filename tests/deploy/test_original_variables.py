"""Every variable of the original broker, its image and its chart has its meaning, or a line with the reason why not."""

from datetime import timedelta

import pytest

from tests.whole import servers
from treaty import app
from treaty.cli.variables import CLIENT_VARIABLES
from treaty.settings import Secret, Settings, list_variables, read_settings
from treaty.settings.originals import UNUSED_VARIABLES, find_unused

SELECTORS = '[{"latest": true}, { "max_age": 180 }]'

# The values are those that the original's documentation and chart show, and not Treaty's defaults where possible.
READ = {
    "ALLOW_DANGEROUS_CONTRACT_MODIFICATION": ("true", "allow_dangerous_contract_modification", True),
    "ALLOW_PUBLIC_READ": ("true", "allow_public_read", True),
    "AUTO_DETECT_MAIN_BRANCH": ("false", "auto_detect_main_branch", False),
    "BADGE_DEFAULT_CACHE_SETTING": ("max-age=60", "badge_default_cache_setting", "max-age=60"),
    "BADGE_PROVIDER_MODE": ("proxy", "badge_provider_mode", "proxy"),
    "BASE_URL": ("https://broker.example:9292", "base_urls", ("https://broker.example:9292",)),
    "BASE_URLS": ("https://a.example http://b.internal", "base_urls", ("https://a.example", "http://b.internal")),
    "CHECK_FOR_POTENTIAL_DUPLICATE_PACTICIPANT_NAMES": (
        "false",
        "check_for_potential_duplicate_pacticipant_names",
        False,
    ),
    "CREATE_DEPLOYED_VERSIONS_FOR_TAGS": ("false", "create_deployed_versions_for_tags", False),
    "DATABASE_CLEAN_CRON_SCHEDULE": ("30 3 * * 0", "database_clean_cron_schedule", "30 3 * * 0"),
    "DATABASE_CLEAN_DELETION_LIMIT": ("100", "database_clean_deletion_limit", 100),
    "DATABASE_CLEAN_DRY_RUN": ("true", "database_clean_dry_run", True),
    "DATABASE_CLEAN_ENABLED": ("true", "database_clean_enabled", True),
    "DATABASE_CLEAN_KEEP_VERSION_SELECTORS": (SELECTORS, "database_clean_keep_version_selectors", SELECTORS),
    "DATABASE_CLEAN_OVERWRITTEN_DATA_MAX_AGE": (
        "90",
        "database_clean_overwritten_data_max_age",
        timedelta(days=90),
    ),
    "DATABASE_CONNECT_MAX_RETRIES": ("0", "database_connect_max_retries", 0),
    "DATABASE_MAX_CONNECTIONS": ("4", "database_max_connections", 4),
    "DATABASE_POOL_TIMEOUT": ("10", "database_pool_timeout", timedelta(seconds=10)),
    "DATABASE_URL": ("postgres://user1:pass1@myhost/mydb", "database_url", "postgres://user1:pass1@myhost/mydb"),
    "DISABLE_SSL_VERIFICATION": ("true", "disable_ssl_verification", True),
    "ENABLE_BADGE_RESOURCES": ("true", "enable_public_badge_access", True),
    "ENABLE_DIAGNOSTIC_ENDPOINTS": ("false", "enable_diagnostic_endpoints", False),
    "ENABLE_PUBLIC_BADGE_ACCESS": ("true", "enable_public_badge_access", True),
    "FEATURES": ("disable_pacts_for_verification", "features", ("disable_pacts_for_verification",)),
    "FEATURES__DISABLE_PACTS_FOR_VERIFICATION": ("true", "features", ("disable_pacts_for_verification",)),
    "LOG_FORMAT": ("json", "log_format", "json"),
    "LOG_LEVEL": ("WARN", "log_level", "warn"),
    "MAIN_BRANCH_CANDIDATES": ("trunk main", "main_branch_candidates", ("trunk", "main")),
    "ORDER_VERSIONS_BY_DATE": ("false", "order_versions_by_date", False),
    "PACT_CONTENT_DIFF_TIMEOUT": ("30", "pact_content_diff_timeout", timedelta(seconds=30)),
    "PORT": ("8080", "port", 8080),
    "PUBLIC_HEARTBEAT": ("true", "public_heartbeat", True),
    "PUMA_PERSISTENT_TIMEOUT": ("120", "keep_alive_timeout", timedelta(seconds=120)),
    "SEED_EXAMPLE_DATA": ("true", "example_data", True),
    "SHIELDS_IO_BASE_URL": ("https://shields.example", "shields_io_base_url", "https://shields.example"),
    "USER_AGENT": ("Broker", "user_agent", "Broker"),
    "USE_FIRST_TAG_AS_BRANCH": ("false", "use_first_tag_as_branch", False),
    "USE_FIRST_TAG_AS_BRANCH_TIME_LIMIT": ("20", "use_first_tag_as_branch_time_limit", timedelta(seconds=20)),
    "WEBHOOK_CERTIFICATES__0__CONTENT": ("-----BEGIN", "webhook_certificates", ("-----BEGIN",)),
    "WEBHOOK_CERTIFICATES__0__PATH": ("ca.pem", "webhook_certificates", ("ca.pem",)),
    "WEBHOOK_HOST_WHITELIST": (
        r"/.*\.foo\.com$/ 10.2.3.41/24",
        "webhook_host_whitelist",
        (r"/.*\.foo\.com$/", "10.2.3.41/24"),
    ),
    "WEBHOOK_HTTP_CODE_SUCCESS": ("200 201 301", "webhook_http_code_success", (200, 201, 301)),
    "WEBHOOK_HTTP_METHOD_WHITELIST": ("POST GET", "webhook_http_method_whitelist", ("POST", "GET")),
    "WEBHOOK_REDACT_SENSITIVE_DATA": ("false", "webhook_redact_sensitive_data", False),
    "WEBHOOK_RETRY_SCHEDULE": ("1 2", "webhook_retry_schedule", (timedelta(seconds=1), timedelta(seconds=2))),
    "WEBHOOK_SCHEME_WHITELIST": ("http https", "webhook_scheme_whitelist", ("http", "https")),
    "DYNAMIC_WIP_WINDOW": ("true", "dynamic_wip_window", True),
    "MAX_WIP_LOOKBACK_DAYS": ("20", "max_wip_lookback_days", timedelta(days=20)),
    "MIN_WIP_WINDOW_DAYS": ("5", "min_wip_window_days", timedelta(days=5)),
    "DEFAULT_WIP_WINDOW_DAYS": ("6", "default_wip_window_days", timedelta(days=6)),
    "VERIFIED_BY_OTHER_BRANCH_LOOKBACK_DAYS": ("9", "verified_by_other_branch_lookback_days", timedelta(days=9)),
}
"""Without the prefix: a value, and the setting with the value that it has then."""
TOGETHER = [
    ({"BASIC_AUTH_USERNAME": "ci", "BASIC_AUTH_PASSWORD": "123"}, "basic_auth_password", Secret("123")),
    (
        {
            "BASIC_AUTH_USERNAME": "ci",
            "BASIC_AUTH_PASSWORD": "123",
            "BASIC_AUTH_READ_ONLY_USERNAME": "dev",
            "BASIC_AUTH_READ_ONLY_PASSWORD": "456",
        },
        "basic_auth_read_only_username",
        "dev",
    ),
    (
        {
            "DATABASE_ADAPTER": "postgres",
            "DATABASE_HOST": "db",
            "DATABASE_PORT": "5433",
            "DATABASE_NAME": "pacts",
            "DATABASE_USERNAME": "pact",
            "DATABASE_PASSWORD": "p@/:",
            "DATABASE_SSLMODE": "verify-full",
        },
        "database_url",
        "postgresql://pact:p%40%2F%3A@db:5433/pacts?sslmode=verify-full",
    ),
    (
        {"DATABASE_ADAPTER": "sqlite", "DATABASE_NAME": "/data/pact.sqlite3"},
        "database_url",
        "sqlite:////data/pact.sqlite3",
    ),
    ({"DATABASE_URL_ENVIRONMENT_VARIABLE_NAME": "PACT_BROKER_ELSEWHERE"}, "database_url", "postgres://elsewhere/x"),
    ({"PORT_ENVIRONMENT_VARIABLE_NAME": "PACT_BROKER_OTHER_PORT"}, "port", 5000),
]
OF_KUBERNETES = {
    "TREATY_PORT": "tcp://10.43.0.7:80",
    "PACT_BROKER_PORT": "tcp://10.43.0.7:80",
    "PACT_BROKER_DATABASE_PORT": "tcp://10.43.0.8:5432",
    "PACT_BROKER_PORT_80_TCP_ADDR": "10.43.0.7",
}


def read(tmp_path, **variables):
    return read_settings({}, variables, tmp_path)


@pytest.mark.parametrize("name", READ)
def test_a_variable_of_the_original_has_its_meaning(name, tmp_path):
    text, setting, value = READ[name]
    assert getattr(read(tmp_path, **{f"PACT_BROKER_{name}": text}), setting) == value
    assert getattr(Settings(), setting) != value, "the default would prove nothing"


@pytest.mark.parametrize(("variables", "setting", "value"), TOGETHER)
def test_variables_that_belong_together_have_their_meaning(variables, setting, value, tmp_path):
    environ = {f"PACT_BROKER_{name}": text for name, text in variables.items()}
    others = {"PACT_BROKER_ELSEWHERE": "postgres://elsewhere/x", "PACT_BROKER_OTHER_PORT": "5000"}
    assert getattr(read(tmp_path, **environ, **others), setting) == value


def test_the_tables_have_every_variable_of_the_original_that_is_a_setting():
    own = {*READ, *(name for variables, _setting, _value in TOGETHER for name in variables)}
    documented = {f"PACT_BROKER_{name}" for name in own if "__" not in name}
    assert documented <= list_variables("PACT_BROKER_")
    assert documented.isdisjoint(UNUSED_VARIABLES)


@pytest.mark.parametrize("value", ["true", "false", "0", "a b"])
def test_a_variable_without_an_effect_changes_nothing(value, tmp_path):
    assert read(tmp_path, **dict.fromkeys(UNUSED_VARIABLES, value)) == Settings()


def test_addresses_of_services_are_not_taken_for_ports(tmp_path):
    assert read(tmp_path, **OF_KUBERNETES) == Settings()


@pytest.mark.parametrize("name", ["PACT_DO_NOT_TRACK", "SCARF_NO_ANALYTICS"])
def test_a_wish_for_no_statistics_needs_no_line(name, tmp_path):
    assert read(tmp_path, **{name: "true"}) == Settings()
    assert find_unused({name: "true"}) == {}


def test_blank_variables_have_no_effect(tmp_path):
    names = [*(f"PACT_BROKER_{name}" for name in READ), *UNUSED_VARIABLES]
    assert read(tmp_path, **dict.fromkeys(names, "")) == Settings()
    assert find_unused(dict.fromkeys(names, "")) == {}


def test_clients_read_none_of_the_variables_without_an_effect():
    assert CLIENT_VARIABLES.isdisjoint(UNUSED_VARIABLES)


def test_retention_is_built_from_the_selectors_of_the_originals_chart(tmp_path):
    settings = read(tmp_path, PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS=SELECTORS)
    assert [selector.max_age for selector in app.build_retention(settings).versions][:2] == [None, 180]


def test_a_server_starts_with_all_of_them_and_logs_why_some_have_no_effect(tmp_path):
    variables = {
        **{f"PACT_BROKER_{name}": text for name, (text, *_) in READ.items() if name not in {"DATABASE_URL", "PORT"}},
        **dict.fromkeys(UNUSED_VARIABLES, "true"),
        **OF_KUBERNETES,
        "PACT_BROKER_LOG_LEVEL": "INFO",
        "PACT_BROKER_WEBHOOK_CERTIFICATES__0__CONTENT": "",
        "PACT_BROKER_WEBHOOK_CERTIFICATES__0__PATH": "",
        "PACT_BROKER_ENABLE_DIAGNOSTIC_ENDPOINTS": "true",
    }
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with servers.running(url, "--log-level", "info", environ=variables, cwd=tmp_path) as server:
        log = server.log
    assert "does not read" not in log
    for name, reason in UNUSED_VARIABLES.items():
        lines = [line for line in log.splitlines() if f'"variable": "{name}"' in line]
        assert len(lines) == 1
        assert reason in lines[0]
