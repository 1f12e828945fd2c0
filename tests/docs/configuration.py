"""The tables of docs/configuration.md, derived from the settings: names, options, defaults and meanings."""

from typing import Final

from tests.docs.generated import ROOT, table
from treaty.cli.server import serve
from treaty.settings import GROUPS, Group, default_of, names_of

DOCUMENT: Final = ROOT / "docs" / "configuration.md"


def part() -> str:
    """Render all groups."""
    headings = ["Setting", "Environment variable", "Default", "Meaning"]
    return "\n\n".join(f"## {group.heading}\n\n{table(headings, _rows(group))}" for group in GROUPS)


def _rows(group: type[Group]) -> list[list[str]]:
    return [
        [
            _lines([name, *_options(name)]),
            _lines([f"PACT_BROKER_{spelled.upper()}" for spelled in names_of(name)]),
            f"`{default}`" if (default := default_of(name)) else "none",
            " ".join((field.description or "").split()),
        ]
        for name, field in group.model_fields.items()
    ]


def _lines(words: list[str]) -> str:
    return "<br>".join(f"`{word}`" for word in words)


def _options(name: str) -> list[str]:
    return [option for parameter in serve.params if parameter.name == name for option in parameter.opts]
