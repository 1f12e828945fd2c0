"""How strictly a provider has to meet an expectation, by the matching rules of the pact.

Of the rules whose paths lead to a value or to a value around it, the most specific one counts, as in the Pact
specification: names count more than wildcards, and long paths more than short ones. A value without a rule has to be
equal.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from treaty.model.pacts.documents import Json
from treaty.model.pacts.matching_rules import split_by_path


class Strictness(IntEnum):
    """From the loosest to the strictest. The numbers are stored."""

    PRESENCE = 1
    CONTAINS = 2
    TYPE = 3
    FORMAT = 4
    REGEX = 5
    EXACT = 6

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS: Final = {
    Strictness.PRESENCE: "must be present",
    Strictness.CONTAINS: "must contain a text",
    Strictness.TYPE: "any value of this type",
    Strictness.FORMAT: "any date or time of this format",
    Strictness.REGEX: "must match a pattern",
    Strictness.EXACT: "exactly this value",
}
_BY_MATCHER: Final = {
    **dict.fromkeys(
        ("type", "integer", "decimal", "number", "boolean", "contentType", "content-type"), Strictness.TYPE
    ),
    **dict.fromkeys(("date", "time", "timestamp", "datetime"), Strictness.FORMAT),
    **dict.fromkeys(("regex", "semver"), Strictness.REGEX),
    **dict.fromkeys(("equality", "null"), Strictness.EXACT),
    "include": Strictness.CONTAINS,
}
_OPEN_KEYS: Final = {"values", "eachKey", "each-key", "eachValue", "each-value"}
"""Matchers of objects whose keys are examples."""
_CONTAINER_MATCHERS: Final = {*_OPEN_KEYS, "arrayContains", "array-contains"}
"""Matchers that apply to the object or array, but not to the values in it."""


@dataclass(frozen=True, slots=True)
class _Rule:
    strictness: Strictness
    cascades: bool
    """Whether the rule also applies to the values in the object or array."""
    has_open_keys: bool
    regex: str | None
    variants: tuple[tuple[str, "_Node"], ...] = ()
    """The rules for the items of an array that has to contain them."""


@dataclass(slots=True)
class _Node:
    """The rules for one path, and the nodes of the values within."""

    children: "dict[str, _Node]" = field(default_factory=dict)
    rule: _Rule | None = None

    def add(self, steps: Iterable[str], rule: _Rule) -> None:
        node = self
        for step in steps:
            node = node.children.setdefault(step, _Node())
        node.rule = rule


class _Active(NamedTuple):
    """A node whose path leads to the present value, with the weight and the length of the path."""

    node: _Node
    weight: int
    length: int


class RulePaths:
    """The rules that apply at one place in a pact."""

    __slots__ = ("_active", "rule", "score")

    def __init__(self, active: Sequence[_Active] = (), inherited: "RulePaths | None" = None) -> None:
        """Choose the rule: the most specific one, of those for this path and that of the value around it."""
        self._active = active
        self.rule: _Rule | None = None
        self.score = -1
        if inherited is not None and inherited.rule is not None and inherited.rule.cascades:
            self.rule, self.score = inherited.rule, inherited.score
        for node, weight, length in active:
            if node.rule is not None and weight * length > self.score:
                self.rule, self.score = node.rule, weight * length

    @property
    def has_open_keys(self) -> bool:
        """Whether the keys of the object here are examples."""
        return any(node.rule is not None and node.rule.has_open_keys for node, _, _ in self._active)

    @property
    def regex(self) -> str | None:
        """The regular expression that the value here has to match."""
        return self.rule.regex if self.rule else None

    def find_strictness(self, value: Json, *, is_field: bool = False) -> Strictness:
        """Return how strictly the value has to be met.

        The rule of a header or parameter (`is_field`) may be that of its first value.
        """
        rule = self.rule
        if rule is None and is_field:
            rule = next((inner for name in ("0", "*") if (inner := self.descend(name).rule)), None)
        if rule is not None:
            return rule.strictness
        # The members of an object are compared one by one; of an array also their number.
        return Strictness.TYPE if isinstance(value, dict) and value else Strictness.EXACT

    def descend(self, step: str) -> "RulePaths":
        """Return the rules for a member or item of the value here."""
        if self._active:
            children = [*self._iterate_children(step)]
            return RulePaths(children, self) if children or self.rule else NO_RULES
        return self if self.rule is None or self.rule.cascades else NO_RULES

    def _iterate_children(self, step: str) -> Iterator[_Active]:
        for node, weight, length in self._active:
            if child := node.children.get(step):
                yield _Active(child, weight * 2, length + 1)
            if (child := node.children.get("*")) and step != "*":
                yield _Active(child, weight, length + 1)
            for index, variant in node.rule.variants if node.rule else ():
                if index == step:
                    yield _Active(variant, weight * 2, length + 1)

    def descend_to_field(self, name: str) -> "RulePaths":
        """Return the rules for a header, parameter or member of the metadata, whatever its case."""
        if not self._active:
            return self
        lower_name = name.lower()
        nodes = [
            _Active(child, weight * 2, length + 1)
            for node, weight, length in self._active
            for key, child in node.children.items()
            if lower_name in (key.lower(), _INDEX.sub("", key).lower()) or key == "*"
        ]
        return RulePaths(nodes, self)


_INDEX: Final = re.compile(r"\[(\d+|\*)\]$")
"""The index of a value of a parameter: `id[0]`."""


NO_RULES: Final = RulePaths()


def read_rule_paths(part: Mapping[str, Json]) -> RulePaths:
    """Read the matching rules of a request, response or message."""
    rules = part.get("matchingRules")
    return _build_paths(rules) if isinstance(rules, dict) and rules else NO_RULES


def _build_paths(rules: Mapping[str, Json]) -> RulePaths:
    root = _Node()
    for category, category_rules in rules.items():
        for steps, raw_rule in split_by_path(category, category_rules):
            if rule := _read_rule(raw_rule):
                root.add(steps, rule)
    # The step to the category does not count: the paths of rules begin there.
    return RulePaths([_Active(root, 1, 0)])


def _read_rule(raw_rule: Json) -> _Rule | None:
    if not isinstance(raw_rule, dict):
        return None
    raw_matchers = raw_rule["matchers"] if isinstance(raw_rule.get("matchers"), list) else [raw_rule]
    matchers = [matcher for matcher in raw_matchers if isinstance(matcher, dict)]
    kinds = [kind for matcher in matchers if (kind := _find_kind(matcher))]
    if not kinds:
        return None
    choose = min if str(raw_rule.get("combine", "AND")).upper() == "OR" else max
    return _Rule(
        strictness=choose(_strictness(kind) for kind in kinds),
        cascades=not _CONTAINER_MATCHERS.intersection(kinds),
        has_open_keys=not _OPEN_KEYS.isdisjoint(kinds),
        regex=next((matcher["regex"] for matcher in matchers if isinstance(matcher.get("regex"), str)), None),
        variants=tuple(_iterate_variants(matchers)),
    )


def _find_kind(matcher: Mapping[str, Json]) -> str | None:
    kind = matcher.get("match")
    if isinstance(kind, str):
        return kind
    # Version 2 lets the kind of matcher follow from the other members.
    return "regex" if "regex" in matcher else "type" if {"min", "max"} & matcher.keys() else None


def _strictness(kind: str) -> Strictness:
    if kind in _CONTAINER_MATCHERS:
        return Strictness.TYPE
    # Rules of plugins, and those about presence such as `notEmpty`, leave the value open.
    return _BY_MATCHER.get(kind, Strictness.PRESENCE)


def _iterate_variants(matchers: Sequence[Mapping[str, Json]]) -> Iterator[tuple[str, _Node]]:
    for matcher in matchers:
        variants = matcher.get("variants")
        for variant in variants if isinstance(variants, list) else ():
            rules = variant.get("rules") if isinstance(variant, dict) else None
            if isinstance(rules, dict):
                node = _Node()
                for steps, raw_rule in split_by_path("body", rules):
                    if rule := _read_rule(raw_rule):
                        node.add(steps[1:], rule)
                yield str(variant.get("index")), node
