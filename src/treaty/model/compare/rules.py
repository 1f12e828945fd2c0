"""Matching rules of a pact, as far as they tell whether the example's value is promised, or only its type."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from treaty.model.compare.interactions import mapping
from treaty.model.compare.validation import Violation

_STEP: Final = re.compile(
    r"\.\.|\.([^.\[\]]+)|\[\s*'((?:[^'\\]|\\.)*)'\s*\]|\[\s*\"((?:[^\"\\]|\\.)*)\"\s*\]|\[(\d+|\*)\]"
)

_TYPE_RULES: Final = frozenset({"type", "integer", "decimal", "number", "boolean"})
_CASCADING_RULES: Final = frozenset({"type"})
# Keywords about a value of a type. A rule for the type says that the consumer works with each value of that type.
_VALUE_KEYWORDS: Final = frozenset(
    {
        *("const", "enum", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum"),
        *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "uniqueItems"),
    }
)
_REGEX_KEYWORDS: Final = frozenset({"const", "enum"})


@dataclass(frozen=True, slots=True)
class Rule:
    """Matchers for the values at a path; `*` in the path stands for any step."""

    path: tuple[str, ...]
    matchers: tuple[Mapping[str, Any], ...]

    def rank(self, steps: Sequence[str]) -> tuple[int, int] | None:
        """Return how specific the rule is for a value: the length of its path and its fixed steps. None: not for it."""
        if len(self.path) > len(steps):
            return None
        if any(step not in {"*", value} for step, value in zip(self.path, steps, strict=False)):
            return None
        return len(self.path), sum(step != "*" for step in self.path)


class BodyRules:
    """The matching rules for the body of a request or response."""

    def __init__(self, part: Mapping[str, Any]) -> None:
        self._rules = list(_read(mapping(part.get("matchingRules"))))

    def __bool__(self) -> bool:
        return bool(self._rules)

    def is_relaxed(self, violation: Violation) -> bool:
        """Whether the violation is about the example's value only, which the rules say is not promised."""
        if violation.keyword not in _VALUE_KEYWORDS:
            return False
        steps = [str(step) for step in violation.instance]
        for matcher in self._find(steps):
            kind = matcher.get("match")
            if kind in _TYPE_RULES or (kind is None and not {"regex", "date", "time", "timestamp"} & matcher.keys()):
                return True
            if kind == "regex" and violation.keyword in _REGEX_KEYWORDS:
                return _all_match(str(matcher.get("regex", "")), violation)
        return False

    def _find(self, steps: Sequence[str]) -> tuple[Mapping[str, Any], ...]:
        """Return the matchers of the most specific rule. Rules for a parent count if they cascade."""
        best: tuple[tuple[int, int], tuple[Mapping[str, Any], ...]] | None = None
        for rule in self._rules:
            rank = rule.rank(steps)
            if rank is None:
                continue
            if len(rule.path) < len(steps) and not any(_cascades(matcher) for matcher in rule.matchers):
                continue
            if best is None or rank >= best[0]:
                best = (rank, rule.matchers)
        return best[1] if best else ()


def _cascades(matcher: Mapping[str, Any]) -> bool:
    return matcher.get("match") in _CASCADING_RULES


def _all_match(pattern: str, violation: Violation) -> bool:
    """Whether all values that the document allows match the consumer's pattern."""
    values = violation.expected if isinstance(violation.expected, list) else [violation.expected]
    try:
        return all(isinstance(value, str) and re.search(pattern, value) is not None for value in values)
    except re.error:
        return False


def _read(rules: Mapping[str, Any]) -> Iterator[Rule]:
    for key, entry in rules.items():
        if key == "body":
            for path, nested in mapping(entry).items():
                yield Rule(_parse(path), _matchers(nested))
        elif key.startswith("$.body"):
            yield Rule(_parse(key)[1:], (mapping(entry),))


def _matchers(entry: Any) -> tuple[Mapping[str, Any], ...]:
    matchers = mapping(entry).get("matchers")
    return tuple(mapping(matcher) for matcher in matchers) if isinstance(matchers, list) else ()


def _parse(path: str) -> tuple[str, ...]:
    return tuple(next((group for group in match.groups() if group), "*") for match in _STEP.finditer(path))
