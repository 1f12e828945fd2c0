"""The sources of settings, and messages about invalid values."""

import pytest

from treaty.errors import InvalidSetting
from treaty.settings import Secret, Settings, read_settings


def read(options=None, environ=None, folder=None, tmp_path=None):
    return read_settings(options or {}, environ or {}, folder or tmp_path)


def test_without_any_they_are_the_defaults(tmp_path):
    assert read(tmp_path=tmp_path) == Settings()


def test_an_option_wins_over_the_environment_and_that_over_the_file(tmp_path):
    (tmp_path / "treaty.toml").write_text("port = 1\nworkers = 3\nhost = '0.0.0.0'\n")
    environ = {"TREATY_PORT": "2", "PACT_BROKER_PORT": "3", "PACT_BROKER_WORKERS": "4"}
    settings = read({"port": 5}, environ, tmp_path)
    assert (settings.port, settings.workers, settings.host) == (5, 4, ("0.0.0.0",))  # noqa: S104 - only read, not bound
    assert read({}, environ, tmp_path).port == 2


def test_the_originals_names_work(tmp_path):
    environ = {
        "PACT_BROKER_DATABASE_URL": "postgresql://u:p@host/name",
        "PACT_BROKER_BASE_URL": "https://a.example/broker/ https://b.example",
        "PACT_BROKER_BASIC_AUTH_USERNAME": "u",
        "PACT_BROKER_BASIC_AUTH_PASSWORD": "123",
        "PACT_BROKER_SEED_EXAMPLE_DATA": "false",
        "PACT_BROKER_ALLOW_PUBLIC_READ": "YES",
        "PACT_BROKER_MAIN_BRANCH_CANDIDATES": "trunk, main",
    }
    settings = read({}, environ, tmp_path)
    assert settings.database_url == "postgresql://u:p@host/name"
    assert settings.base_urls == ("https://a.example/broker", "https://b.example")
    assert (settings.basic_auth_password, settings.allow_public_read, settings.example_data) == (
        Secret("123"),
        True,
        False,
    )
    assert settings.main_branch_candidates == ("trunk", "main")


def test_base_urls_come_from_the_file_too(tmp_path):
    (tmp_path / "treaty.toml").write_text("base_url = 'https://a.example'\nbase_urls = ['https://b.example/']\n")
    assert read({}, {}, tmp_path).base_urls == ("https://b.example", "https://a.example")


def test_the_port_may_be_in_a_variable_that_another_one_names(tmp_path):
    named = {"PACT_BROKER_PORT_ENVIRONMENT_VARIABLE_NAME": "ELSEWHERE"}
    assert read({}, {**named, "ELSEWHERE": "8080"}, tmp_path).port == 8080
    assert read({}, {**named, "ELSEWHERE": "8080", "PACT_BROKER_PORT": "8081"}, tmp_path).port == 8081
    assert read({}, {**named, "ELSEWHERE": ""}, tmp_path).port == read({}, {}, tmp_path).port
    with pytest.raises(InvalidSetting, match=r"port \(ELSEWHERE\): must be a number, but is 'many'"):
        read({}, {**named, "ELSEWHERE": "many"}, tmp_path)


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        ({"NAME": "broker"}, "postgresql://localhost/broker"),
        (
            {"USERNAME": "u", "PASSWORD": "p/@", "HOST": "db", "PORT": "5433", "NAME": "b", "SSLMODE": "require"},
            "postgresql://u:p%2F%40@db:5433/b?sslmode=require",
        ),
        ({"ADAPTER": "sqlite", "NAME": "broker.sqlite"}, "sqlite:///broker.sqlite"),
        ({"URL_ENVIRONMENT_VARIABLE_NAME": "ELSEWHERE"}, "postgresql://elsewhere/x"),
        ({"URL": "postgresql://one/x", "NAME": "other"}, "postgresql://one/x"),
    ],
)
def test_the_database_may_be_given_in_the_originals_parts(parts, url, tmp_path):
    environ = {f"PACT_BROKER_DATABASE_{name}": value for name, value in parts.items()}
    environ["ELSEWHERE"] = "postgresql://elsewhere/x"
    assert read({}, environ, tmp_path).database_url == url


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"TREATY_PORT": "many"}, r"port \(TREATY_PORT\): must be a number, but is 'many'"),
        ({"PACT_BROKER_ALLOW_PUBLIC_READ": "perhaps"}, "must be true or false, but is 'perhaps'"),
        ({"TREATY_WORKERS": "0"}, "workers: must be 1 or more"),
        ({"TREATY_LOG_LEVEL": "loud"}, "log_level: must be one of"),
        ({"TREATY_BASE_URL": "ftp://x"}, "must begin with http"),
        ({"PACT_BROKER_DATABASE_HOST": "db"}, "PACT_BROKER_DATABASE_NAME is missing"),
        (
            {"PACT_BROKER_DATABASE_ADAPTER": "mysql", "PACT_BROKER_DATABASE_NAME": "x"},
            "database_adapter: must be one of",
        ),
        ({"PACT_BROKER_BASIC_AUTH_USERNAME": "u"}, "basic_auth_username and basic_auth_password go together"),
        ({"PACT_BROKER_BASIC_AUTH_PASSWORD": "p"}, "basic_auth_username and basic_auth_password go together"),
        (
            {"PACT_BROKER_BASIC_AUTH_READ_ONLY_USERNAME": "r", "PACT_BROKER_BASIC_AUTH_READ_ONLY_PASSWORD": "p"},
            "needs basic_auth_username",
        ),
    ],
)
def test_a_wrong_one_is_named_with_its_reason(environ, reason, tmp_path):
    with pytest.raises(InvalidSetting, match=reason):
        read({}, environ, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"), [("prot = 1", "there is no setting 'prot'"), ("port = ", "cannot be read")]
)
def test_an_invalid_file_is_refused_with_the_reason(text, reason, tmp_path):
    (tmp_path / "treaty.toml").write_text(text)
    with pytest.raises(InvalidSetting, match=reason):
        read({}, {}, tmp_path)


def test_webhook_settings_are_read_as_the_original_broker_reads_them(tmp_path):
    environ = {
        "PACT_BROKER_WEBHOOK_RETRY_SCHEDULE": "1 2 3",
        "PACT_BROKER_WEBHOOK_HTTP_CODE_SUCCESS": "200 418",
        "PACT_BROKER_WEBHOOK_HOST_WHITELIST": "/ci/ *.example 10.0.0.0/8",
        "PACT_BROKER_WEBHOOK_CERTIFICATES__1__CONTENT": "-----BEGIN CERTIFICATE-----\nb c",
        "PACT_BROKER_WEBHOOK_CERTIFICATES__0__PATH": "a.pem",
    }
    settings = read_settings({}, environ, tmp_path)
    assert [delay.total_seconds() for delay in settings.webhook_retry_schedule] == [1, 2, 3]
    assert settings.webhook_http_code_success == (200, 418)
    assert settings.webhook_host_whitelist == ("/ci/", "*.example", "10.0.0.0/8")
    assert settings.webhook_certificates == ("a.pem", "-----BEGIN CERTIFICATE-----\nb c")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEBHOOK_RETRY_SCHEDULE", "10 x"),
        ("WEBHOOK_RETRY_SCHEDULE", "-1"),
        ("WEBHOOK_HOST_WHITELIST", "/(/"),
        ("WEBHOOK_CERTIFICATES__X__PATH", "a.pem"),
        ("SECRET_KEY", "short"),
    ],
)
def test_an_invalid_webhook_setting_is_refused(tmp_path, name, value):
    with pytest.raises(InvalidSetting, match=name.partition("__")[0].lower()):
        read_settings({}, {f"PACT_BROKER_{name}": value}, tmp_path)
