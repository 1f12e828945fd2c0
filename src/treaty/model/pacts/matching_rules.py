"""Matching rules and generators in words, arranged as a tree that follows the structure of the values.

While a value is written, the walk finds its rules in the node of the same path, without searching. The wording is
ours; the rules are those of versions 2 to 4 of the Pact specification and its plugins.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from treaty import exact_json
from treaty.model.pacts.documents import Json

MAX_VALUE_LENGTH: Final = 4000
"""Characters shown of a value."""
MAX_NOTE_LENGTH: Final = 200
"""Characters shown of a parameter of a rule."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnshownRule:
    """A rule for a path that has no value in the pact."""

    place: str
    text: str


@dataclass(slots=True)
class RuleNode:
    """The rules for one path, in words, and the nodes of the values within."""

    children: "dict[str, RuleNode]" = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    is_shown: bool = False

    def child(self, name: str) -> "RuleNode":
        return self.children.setdefault(name, RuleNode())

    def add(self, steps: Iterable[str], notes: Iterable[str]) -> None:
        node = self
        for step in steps:
            node = node.child(step)
        node.notes += notes

    def take(self) -> list[str]:
        """Return the notes and mark them as shown."""
        self.is_shown = True
        return self.notes

    def take_field(self, name: str) -> list[str]:
        """Return the notes of a header or parameter and of its values. Names of headers ignore case, so all do."""
        notes: list[str] = []
        for key, node in self.children.items():
            if key.lower() == name.lower():
                notes += node.take()
                for value_node in node.children.values():
                    notes += value_node.take()
        return notes

    def list_unshown(self, place: str = "") -> Iterator[UnshownRule]:
        """List the rules that were not shown beside a value."""
        if not self.is_shown:
            yield from (UnshownRule(place=place or "everything", text=note) for note in self.notes)
        for name, node in self.children.items():
            yield from node.list_unshown(f"{place} {name}".strip())


def read_rules(part: Mapping[str, Json]) -> RuleNode:
    """Read the matching rules and generators of a request, response or message."""
    root = RuleNode()
    for member, describe in (("matchingRules", _describe_rule), ("generators", _describe_generator)):
        rules = part.get(member)
        for category, rule in rules.items() if isinstance(rules, dict) else ():
            for steps, single_rule in split_by_path(category, rule):
                root.add(steps, describe(single_rule))
    return root


_CATEGORIES: Final = {
    "headers": "header",
    "header": "header",
    "metaData": "metadata",
    "contents": "body",
    "content": "body",
}
"""Spellings of categories in different versions of the specification."""
_STEP: Final = re.compile(r"""\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)""")


def _split_path(path: str) -> list[str]:
    """Split a path such as `$.items[*]['a b']` into its steps."""
    return [next(filter(None, groups), "") for groups in _STEP.findall(path.removeprefix("$"))]


def split_by_path(category: str, rule: Json) -> Iterator[tuple[list[str], Json]]:
    """Read both formats: paths from the root (version 2), and categories with paths within (version 3 and later)."""
    if category.startswith("$"):
        steps = _split_path(category)
        yield [_CATEGORIES.get(step, step) for step in steps[:1]] + steps[1:], rule
        return
    root_step = _CATEGORIES.get(category, category)
    if not isinstance(rule, dict) or "matchers" in rule or isinstance(rule.get("type"), str):
        # A category without names, such as the path or the status, has its rule directly.
        yield [root_step], rule
        return
    for path, inner_rule in rule.items():
        yield [root_step, *(_split_path(path) if path.startswith("$") else [path])], inner_rule


def _describe_rule(rule: Json) -> list[str]:
    if isinstance(rule, dict) and isinstance(rule.get("matchers"), list):
        texts = [_describe_matcher(matcher) for matcher in rule["matchers"]]
        is_alternative = str(rule.get("combine", "AND")).upper() == "OR"
        return [" or ".join(texts)] if is_alternative and texts else texts
    return [_describe_matcher(rule)]


def _describe_matcher(matcher: Json) -> str:
    if not isinstance(matcher, dict):
        return _truncate(matcher)
    name = matcher.get("match")
    if name is None:
        # Version 2 lets the kind of matcher follow from the other members.
        name = "regex" if "regex" in matcher else "type" if {"min", "max"} & set(matcher) else None
    wording = _MATCHER_WORDINGS.get(name) if isinstance(name, str) else None
    if wording is None:
        return f"{name}: {_truncate(matcher)}" if isinstance(name, str) else _truncate(matcher)
    return wording.format_map(_Parameters(matcher)).strip() + _describe_size(matcher)


class _Parameters(dict[str, Any]):
    """The parameters of a rule as values of placeholders; a missing parameter is an empty text."""

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None and name == "format":
            value = self.get(str(self.get("match")))  # version 2 names the format after the matcher
        return "" if value is None else _truncate(value)


_MATCHER_WORDINGS: Final = {
    "type": "any value of this type",
    "equality": "exactly this",
    "regex": "matches /{regex}/",
    "integer": "any integer",
    "decimal": "any decimal number",
    "number": "any number",
    "boolean": "true or false",
    "null": "null",
    "include": "contains “{value}”",
    "date": "a date {format}",
    "time": "a time {format}",
    "timestamp": "a date and time {format}",
    "datetime": "a date and time {format}",
    "values": "any keys, values like this",
    "eachKey": "each key: {rules}",
    "eachValue": "each value: {rules}",
    "each-key": "each key: {rules}",
    "each-value": "each value: {rules}",
    "arrayContains": "contains at least these, among others",
    "array-contains": "contains at least these, among others",
    "contentType": "content of type {value}",
    "content-type": "content of type {value}",
    "semver": "a semantic version",
    "statusCode": "a status: {status}",
    "notEmpty": "anything but empty",
    "not-empty": "anything but empty",
}


def _describe_size(matcher: Mapping[str, Json]) -> str:
    minimum, maximum = matcher.get("min"), matcher.get("max")
    texts = [f"at least {_truncate(minimum)}"] if minimum is not None else []
    texts += [f"at most {_truncate(maximum)}"] if maximum is not None else []
    return f", {' and '.join(texts)}" if texts else ""


def _describe_generator(generator: Json) -> list[str]:
    kind = generator.get("type") if isinstance(generator, dict) else None
    wording = _GENERATOR_WORDINGS.get(kind) if isinstance(kind, str) else None
    text = wording.format_map(_Parameters(generator)) if wording else _truncate(generator)
    return [f"generated: {' '.join(text.split())}"]


_GENERATOR_WORDINGS: Final = {
    "RandomInt": "a random integer from {min} to {max}",
    "RandomDecimal": "a random decimal number of {digits} digits",
    "RandomHexadecimal": "a random hexadecimal number of {digits} digits",
    "RandomString": "a random text of {size} characters",
    "RandomBoolean": "true or false",
    "Regex": "a text that matches /{regex}/",
    "Uuid": "a UUID",
    "Date": "the date {expression} {format}",
    "Time": "the time {expression} {format}",
    "DateTime": "the date and time {expression} {format}",
    "ProviderState": "from the provider's state, {expression}",
    "MockServerURL": "the address of the mock server, {example}",
}


def _truncate(value: Json) -> str:
    text = format_value(value)
    return text if len(text) <= MAX_NOTE_LENGTH else text[:MAX_NOTE_LENGTH] + "…"


def format_value(value: Json) -> str:
    """Write a value on one line: a text as it is, anything else as JSON."""
    return (value if isinstance(value, str) else exact_json.serialize(value))[:MAX_VALUE_LENGTH]
