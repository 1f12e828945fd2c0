"""The generated parts of documents are up to date, and describe every setting and option."""

import re
from datetime import timedelta

import pytest

from tests.docs import causes, clients, command_line, configuration, readme, webhooks
from tests.docs.generated import renewed
from treaty.cli.server import serve
from treaty.settings import GROUPS, SETTINGS, SETTINGS_FILE, list_settings, read_settings


@pytest.mark.parametrize(
    "source", [causes, clients, configuration, command_line, webhooks], ids=lambda source: source.DOCUMENT.name
)
def test_a_generated_document_is_up_to_date(source):
    text = source.DOCUMENT.read_text("utf-8")
    assert text == renewed(source.DOCUMENT, source.part()), "regenerate it: ./run renew"


def test_the_tables_of_the_readme_are_up_to_date():
    assert readme.DOCUMENT.read_text("utf-8") == readme.renewed_readme(), "regenerate them: ./run renew"


def test_every_setting_has_a_description():
    assert [setting.name for setting in SETTINGS.values() if not setting.meaning] == []


def test_every_setting_belongs_to_one_group():
    grouped = [setting.name for group in GROUPS for setting in list_settings(group)]
    assert sorted(grouped) == sorted(SETTINGS)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_settings_whose_names_begin_alike_are_in_one_group(group):
    prefixes = ("webhook_", "database_clean_", "basic_auth_", "session_", "trusted_", "badge_", "log_")
    for prefix in prefixes:
        alike = {name for name in SETTINGS if name.startswith(prefix)}
        names = {setting.name for setting in list_settings(group)}
        assert not alike & names or alike <= names


def test_every_setting_but_passwords_and_keys_is_an_option_of_serve():
    without = SETTINGS.keys() - {parameter.name for parameter in serve.params}
    assert without == {
        "audit_forward_token",
        "basic_auth_password",
        "basic_auth_read_only_password",
        "secret_key",
        "previous_secret_keys",
        "webhook_http_proxy",
        "webhook_https_proxy",
    }


def test_every_option_has_a_description_and_a_default_without_none():
    assert "|  |" not in command_line.part()
    assert "| None" not in command_line.part()


def test_the_example_of_a_file_can_be_used(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", configuration.DOCUMENT.read_text("utf-8"), re.DOTALL)
    (tmp_path / SETTINGS_FILE).write_text(example)
    settings = read_settings({}, {}, tmp_path)
    assert (settings.port, settings.base_urls, settings.webhook_retry_schedule) == (
        8080,
        ("https://pacts.example.org",),
        tuple(timedelta(seconds=count) for count in (10, 60, 300)),
    )
