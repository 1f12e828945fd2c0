"""Reads and checks the plugin's markers of tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from treaty.errors import ClientError
from treaty.spelling import suggest

if TYPE_CHECKING:
    import pytest

_NAMES: Final = ("consumer", "provider")
"""The arguments that can also be positional, in their order."""


class _Argument(NamedTuple):
    accepts: Callable[[object], bool]
    form: str
    """The values that it accepts, as part of a message."""


def _is_text(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool)


def _is_date(value: object) -> bool:
    return value is None or isinstance(value, str | date)


def _are_selectors(value: object) -> bool:
    return value is None or (isinstance(value, list | tuple) and all(isinstance(item, Mapping) for item in value))


def _are_files(value: object) -> bool:
    items = value if isinstance(value, list | tuple) else [value]
    return value is None or all(isinstance(item, str | Path) for item in items)


_ARGUMENTS: Final[Mapping[str, _Argument]] = {
    "consumer": _Argument(_is_text, "a name"),
    "provider": _Argument(_is_text, "a name"),
    "specification": _Argument(_is_text, 'a version such as "V3"'),
    "selectors": _Argument(_are_selectors, 'a list of selectors such as [{"mainBranch": True}]'),
    "include_pending": _Argument(_is_boolean, "True or False"),
    "include_wip_since": _Argument(_is_date, "a date, or a text such as 2030-12-31"),
    "pacts": _Argument(_are_files, "a file, a pattern, or a list of them"),
    "allow_no_pacts": _Argument(_is_boolean, "True or False"),
}
"""The arguments of `pact`. All tests accept all of them: a module with tests of both kinds can have one marker."""


def merge_markers(item: pytest.Item) -> dict[str, Any]:
    """Merge the arguments of a test's `pact` markers. The function's marker overrides its class's and module's.

    Raises ClientError for unknown arguments and for values of a wrong type.
    """
    arguments: dict[str, Any] = {}
    for marker in item.iter_markers("pact"):  # the closest first
        arguments = {**_read(marker), **arguments}
    return arguments


def _read(marker: pytest.Mark) -> dict[str, Any]:
    if len(marker.args) > len(_NAMES):
        raise ClientError(f"@pytest.mark.pact accepts two values without a name, but has {len(marker.args)}.")
    names = dict(zip(_NAMES, marker.args, strict=False))
    _check_names(marker, _ARGUMENTS)
    if twice := sorted(names.keys() & marker.kwargs.keys()):
        raise ClientError(f"@pytest.mark.pact has two values for its argument `{twice[0]}`.")
    arguments = {**names, **marker.kwargs}
    for name, value in arguments.items():
        if not _ARGUMENTS[name].accepts(value):
            raise ClientError(
                f"The argument `{name}` of @pytest.mark.pact must be {_ARGUMENTS[name].form}, but is {value!r}."
            )
    return arguments


def _check_names(marker: pytest.Mark, names: Mapping[str, object]) -> None:
    """Raise ClientError for the first named argument that the marker does not have."""
    unknown = next((name for name in marker.kwargs if name not in names), None)
    if unknown is not None:
        hint = suggest(unknown, names) or f"It has {', '.join(names) or 'no named arguments'}."
        raise ClientError(f"@pytest.mark.{marker.name} has no argument `{unknown}`. {hint}")


def check_self_verification(item: pytest.Item) -> None:
    """Check the arguments of a test's `self_verification` markers, which are names of operations.

    Raises ClientError.
    """
    for marker in item.iter_markers("self_verification"):
        _check_names(marker, {})
        for operation in marker.args:
            if not isinstance(operation, str):
                raise ClientError(
                    "The arguments of @pytest.mark.self_verification must be operations such as "
                    f'"GET /orders/{{id}}", but one is {operation!r}.'
                )
