"""The documents that are made from the code say what the code says."""

import re
from dataclasses import fields

import pytest

from tests.docs import command_line, configuration
from tests.docs.generated import renewed
from treaty.settings import SETTINGS_FILE, Settings, read_settings


@pytest.mark.parametrize("made", [configuration, command_line], ids=lambda made: made.DOCUMENT.name)
def test_a_made_document_is_up_to_date(made):
    as_it_is = made.DOCUMENT.read_text("utf-8")
    as_it_should_be = renewed(made.DOCUMENT, made.part())
    assert as_it_is == as_it_should_be, "renew it: ./run renew"


def test_every_setting_says_what_it_means():
    silent = [one.name for one in fields(Settings) if one.name not in configuration.meaning_by_name()]
    assert silent == [], "write a text below each in src/treaty/settings.py"


def test_every_option_says_what_it_is_for():
    assert "|  |" not in command_line.part()
    assert "| None" not in command_line.part()


def test_the_example_of_a_file_can_be_used(tmp_path):
    (example,) = re.findall(r"```toml\n(.*?)```", configuration.DOCUMENT.read_text("utf-8"), re.DOTALL)
    (tmp_path / SETTINGS_FILE).write_text(example)
    found = read_settings({}, {}, tmp_path)
    assert (found.port, found.base_urls, found.webhook_retry_schedule) == (
        8080,
        ("https://pacts.example.org",),
        (10, 60, 300),
    )
