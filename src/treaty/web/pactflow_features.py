"""Paths of PactFlow that Treaty does not have, which its clients request all the same: why, and what to use instead."""

from typing import Final

_TEAMS: Final = "Teams are a feature of PactFlow that Treaty does not have."
_AI: Final = (
    "Generating and reviewing tests is a feature of PactFlow that Treaty does not have. An assistant can write them "
    "itself, with the Pact library of the language."
)
_PREFERENCES: Final = (
    "Preferences are a feature of PactFlow that Treaty does not have. The settings of the server are its environment "
    "variables and treaty.toml."
)
_ADMINISTRATION: Final = (
    "Treaty does not manage users over HTTP as PactFlow does. An administrator manages them on the page "
    "/settings/users, or with the command treaty user."
)
_FEATURES: Final = (
    ("/integrations/team/", f"{_TEAMS} GET /integrations lists the integrations of all applications."),
    ("/metrics/teams", f"{_TEAMS} GET /metrics counts what is in the whole broker."),
    ("/admin/teams", f"{_TEAMS} A token can be limited to applications instead."),
    ("/admin/", _ADMINISTRATION),
    ("/preferences/", _PREFERENCES),
    ("/api/ai/", _AI),
)
"""Beginnings of paths, the more specific ones first."""


def explain_pactflow_path(path: str) -> str:
    """Explain a path that matches no URL but belongs to PactFlow; "" for any other path."""
    return next((text for beginning, text in _FEATURES if path.startswith(beginning)), "")
