"""Content types that a test did not specify: Pact's library adds them to each body, pact-python 1 and 2 did not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from treaty.pact.matchers import Matcher

if TYPE_CHECKING:
    from treaty.client import Json

_HEADER: Final = "Content-Type"
_ANY: Final = r"[\s\S]*(?#not specified)"
"""An expression that matches every content type. It marks the header until the pact is written."""


def specified(part: Mapping[str, Any]) -> str:
    """Return the content type in the headers of a request or response, or an empty text."""
    value = next((value for name, value in part["headers"].items() if canonical_name(name) == _HEADER), None)
    return str(value.example() if isinstance(value, Matcher) else value or "")


def canonical_name(header: str) -> str:
    """Return a header's name as the library spells it, which would otherwise add its own `Content-Type`."""
    return _HEADER if header.lower() == _HEADER.lower() else header


def is_unspecified(part: Mapping[str, Any]) -> bool:
    return part["body"] is not None and not specified(part)


def any_content_type(example: str) -> str:
    """Return a header value, in the library's format, that matches every content type."""
    return json.dumps({"pact:matcher:type": "regex", "regex": _ANY, "value": example})


def without_unspecified(content: Json) -> Json:
    """Remove the content types that no test specified from a pact."""
    for interaction in content.get("interactions") or []:
        for part in (interaction.get("request"), interaction.get("response")):
            if part and _ANY in json.dumps(part.get("matchingRules") or {}).replace("\\\\", "\\"):
                _remove_content_type(part)
    return content


def _remove_content_type(part: Json) -> None:
    part["headers"].pop(_HEADER)
    rules = part["matchingRules"]
    category = rules.get("header", rules)
    for name in [name for name, rule in category.items() if _ANY in _regexes(rule)]:
        del category[name]
    if not category:
        rules.pop("header", None)
    for name in ("headers", "matchingRules"):
        if not part[name]:
            del part[name]


def _regexes(rule: Json) -> Iterator[str | None]:
    """Yield the expressions of a rule: alone, as before version 3 of the specification, or in a list of matchers."""
    return (matcher.get("regex") for matcher in rule.get("matchers", [rule]))
