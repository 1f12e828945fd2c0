"""The plugin's page describes every option correctly."""

import re
from pathlib import Path

from treaty.pytest_plugin.options import OPTIONS

PAGE = (Path(__file__).parents[2] / "docs/pytest-plugin.md").read_text("utf-8")


def test_every_option_is_in_the_table_and_nothing_else():
    rows = re.findall(r"^\| `(--\S+)` \| `(\S+)` \| `(\S+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert rows == [(f"--{option.name}", option.environment, option.key, option.help) for option in OPTIONS]


def test_the_page_names_only_options_that_there_are():
    named = set(re.findall(r"--[a-z-]+[a-z]", PAGE.partition("## Options")[0]))
    assert named <= {f"--{option.name}" for option in OPTIONS}
