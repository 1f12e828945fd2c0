"""The generated part of docs/clients.md: a row for each client, from the declarations of the tests in tests/clients."""

from collections.abc import Sequence
from typing import Final

from tests.clients import access, collection, registry
from tests.clients.registry import Client, Feature
from tests.docs.generated import ROOT, table

DOCUMENT: Final = ROOT / "docs" / "clients.md"
_CONDITIONS: Final = {
    "SQLite": {access.PLAIN},
    "PostgreSQL": {access.GUARDED},
    "Token": {access.PLAIN},
    "Password": {access.GUARDED},
    "TLS": {access.GUARDED},
    "Base path": {access.GUARDED},
    "Proxy": {access.GUARDED},
}
"""The ways to the broker on which a client meets each condition."""

Ways = dict[str, set[str]]
"""The ways on which each feature of a client is exercised."""


def part() -> str:
    """Render a row for each client that a test exercises."""
    ways: dict[str, Ways] = {}
    for client, feature, way in collection.declarations():
        ways.setdefault(client, {}).setdefault(feature, set()).add(way)
    headings = ["Client", "Versions", "Exercised", *_CONDITIONS]
    return table(headings, [_row(client, ways[client.name]) for client in registry.CLIENTS if client.name in ways])


def _row(client: Client, ways: Ways) -> Sequence[str]:
    versions = [f"{package.label or package.name} {package.version}" for package in client.packages]
    features = [_exercised(feature, ways[feature.name]) for feature in registry.FEATURES if feature.name in ways]
    met = set().union(*ways.values())
    return [
        client.name,
        ", ".join(dict.fromkeys(versions)),
        ", ".join(features),
        *("yes" if on & met else "no" for on in _CONDITIONS.values()),
    ]


def _exercised(feature: Feature, ways: set[str]) -> str:
    """Name a feature, and the way if it is exercised on one alone."""
    if ways == set(access.WAYS):
        return feature.name
    return f"{feature.name} ({'directly' if access.PLAIN in ways else 'as in a company'} only)"
