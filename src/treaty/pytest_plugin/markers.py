"""Reads the `pact` markers of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


def merge_markers(item: pytest.Item) -> dict[str, Any]:
    """Merge the arguments of a test's `pact` markers. The function's marker overrides its class's and module's."""
    arguments: dict[str, Any] = {}
    for marker in item.iter_markers("pact"):  # the closest first
        arguments = {**dict(zip(("consumer", "provider"), marker.args, strict=False)), **marker.kwargs, **arguments}
    return arguments
