"""The tables of docs/configuration.md, made from the settings: names, defaults, and what the code says they mean."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from itertools import pairwise
from typing import Any, Final

from tests.docs.generated import ROOT, table
from treaty import settings
from treaty.cli.server import serve
from treaty.settings import Settings

DOCUMENT: Final = ROOT / "docs" / "configuration.md"
GROUPS: Final = {
    "host": "The server",
    "basic_auth_username": "Who may do what",
    "badge_provider_mode": "Badges and diagnostics",
    "order_versions_by_date": "Versions, branches and pacts",
    "verified_by_other_branch_lookback_days": "Work in progress",
    "features": "Features",
    "database_clean_enabled": "Clean-up of old data",
    "webhook_retry_schedule": "Webhooks",
}
"""The first setting of each group, as they stand in the code, and the group's heading."""


def part() -> str:
    """Write all groups."""
    meanings = meaning_by_name()
    return "\n\n".join(
        f"## {heading}\n\n" + table(["Setting", "Environment variable", "Default", "Meaning"], rows)
        for heading, rows in _groups([(one, meanings[one.name]) for one in fields(Settings)])
    )


def meaning_by_name() -> dict[str, str]:
    """Read what the code says each setting means: the text below it."""
    module = ast.parse(inspect.getsource(settings))
    (body,) = (node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    return {
        name.id: " ".join(text.split())
        for setting, below in pairwise(body)
        if isinstance(setting, ast.AnnAssign) and isinstance(name := setting.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(text := below.value.value, str)
    }


def _groups(described: list[tuple[Field[Any], str]]) -> Iterator[tuple[str, list[list[str]]]]:
    starts = [place for place, (one, _) in enumerate(described) if one.name in GROUPS]
    assert len(starts) == len(GROUPS), "a group begins with a setting that is gone"
    for start, end in zip(starts, [*starts[1:], len(described)], strict=True):
        heading = GROUPS[described[start][0].name]
        yield heading, [_row(one, meaning) for one, meaning in described[start:end]]


def _row(setting: Field[Any], meaning: str) -> list[str]:
    names = [setting.name, *setting.metadata.get("aliases", ())]
    variables = [f"PACT_BROKER_{name.upper()}" for name in names]
    return [
        _lines([setting.name, *_options(setting.name)]),
        _lines(variables),
        _default(setting),
        meaning,
    ]


def _lines(words: list[str]) -> str:
    return "<br>".join(f"`{word}`" for word in words)


def _options(name: str) -> list[str]:
    return [option for parameter in serve.params if parameter.name == name for option in parameter.opts]


def _default(setting: Field[Any]) -> str:
    assert setting.default is not MISSING, f"{setting.name} has no default"
    match setting.default:
        case None | () | "":
            return "none"
        case bool(value):
            return f"`{str(value).lower()}`"
        case tuple(values):
            return f"`{' '.join(map(str, values))}`"
        case value:
            return f"`{value}`"
