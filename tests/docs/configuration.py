"""The tables of docs/configuration.md, derived from the settings: names, options, defaults and meanings."""

from typing import Final

from tests.docs import variables
from tests.docs.generated import ROOT, table
from treaty.cli.server import serve
from treaty.settings import GROUPS, Group, default_of, list_settings
from treaty.settings.originals import UNUSED_VARIABLES

DOCUMENT: Final = ROOT / "docs" / "configuration.md"


def part() -> str:
    """Render all groups of settings, and the other variables."""
    headings = ["Setting", "Environment variable", "Default", "Meaning"]
    groups = [f"## {group.heading}\n\n{table(headings, _rows(group))}" for group in GROUPS]
    return "\n\n".join(
        [
            *groups,
            _UNUSED.format(table=_table_of_unused()),
            _OPTIONS.format(table=_table_of_options()),
            _CI.format(names=_names_of_ci_systems()),
            _REPORT.format(names=_names_of_reports()),
        ]
    )


_UNUSED: Final = """## Variables without an effect

The original broker, its container image and its chart have these variables. Treaty accepts them, and logs a line with
the reason for each that is set.

{table}"""
_OPTIONS: Final = """## Variables of commands and of pytest

Commands and the pytest plugin read these variables instead of options.

{table}"""
_CI: Final = """## Variables of CI systems

With `--auto-detect-version-properties`, and in the pytest plugin, the commit, the branch and the URL of the build are
read from {names}, or else from git. If none of them has the branch, but exactly one other variable has a name that
ends with `_BRANCH`, its value is the branch."""

_REPORT: Final = """## Variables of `treaty report`

[`treaty report`](pull-requests.md) finds the pull request of the build in {names}. Options take precedence."""


def _table_of_unused() -> str:
    return table(
        ["Environment variable", "Reason"], [[f"`{name}`", UNUSED_VARIABLES[name]] for name in UNUSED_VARIABLES]
    )


def _names_of_reports() -> str:
    return ", ".join(f"`{name}`" for name in variables.names_of_reports())


def _table_of_options() -> str:
    rows = [[f"`{name}`", _lines(options)] for name, options in variables.names_of_options().items()]
    return table(["Environment variable", "Options"], rows)


def _names_of_ci_systems() -> str:
    return ", ".join(f"`{name}`" for name in variables.names_of_ci_systems())


def _rows(group: type[Group]) -> list[list[str]]:
    return [
        [
            _lines([setting.name, *_options(setting.name)]),
            _lines([f"PACT_BROKER_{name.upper()}" for name in setting.names]),
            f"`{default}`" if (default := default_of(setting)) else "none",
            setting.meaning,
        ]
        for setting in list_settings(group)
    ]


def _lines(words: list[str]) -> str:
    return "<br>".join(f"`{word}`" for word in words)


def _options(name: str) -> list[str]:
    return [option for parameter in serve.params if parameter.name == name for option in parameter.opts]
