"""Interactions as people read them: what a pact says, with matching rules and generators in words beside the values.

A pact may hold any JSON, so nothing here relies on a shape: what has an unexpected one is shown as the JSON that it is.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha1
from itertools import repeat
from typing import Any, Final

from treaty.errors import Malformed
from treaty.model.pacts import content
from treaty.model.pacts.content import Document, Json

MAX_LINES: Final = 1500
"""Lines of a body that are shown; the rest is found in the JSON."""
MAX_VALUE_LENGTH: Final = 4000
"""Characters of one value that are shown."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredState:
    """What the provider has to be like."""

    name: str
    params: str | None
    """A JSON value."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedField:
    """A header, a parameter of the query or a member of the metadata."""

    name: str
    value: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedLine:
    """A line of a body, with what is said about its value."""

    text: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class UnshownRule:
    """What is said about a place whose value is not shown."""

    place: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class InteractionPart:
    """A request, a response or a message."""

    title: str
    method: str | None = None
    path: str | None = None
    path_notes: tuple[str, ...] = ()
    status: str | None = None
    query: tuple[AnnotatedField, ...] = ()
    headers: tuple[AnnotatedField, ...] = ()
    metadata: tuple[AnnotatedField, ...] = ()
    body: tuple[AnnotatedLine, ...] | None = None
    """None where there is none, or any is fine."""
    body_type: str | None = None
    is_truncated: bool = False
    """Whether the body is longer than what is shown of it."""
    rules: tuple[UnshownRule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """One thing that a consumer expects.

    Its members are read when they are used: a pact may have thousands of interactions, of which a page shows a few.
    """

    id: str
    """The same for the same interaction, whatever stands around it; may stand in an URL as it is."""
    item: Json
    """As the pact has it, without the id that the broker gave it."""
    where: str
    """The member of the pact that it is in."""
    broker_id: str | None = None
    """The id that it was given when the pact was kept, by which verifiers name it."""

    @classmethod
    def from_document(cls, document: Document) -> "Interaction":
        """Make what stands for a contract that has no interactions."""
        return _interaction(dict(document.tree), "contract")

    @property
    def _members(self) -> dict[str, Json]:
        return self.item if isinstance(self.item, dict) else {}

    @cached_property
    def kind(self) -> str:
        return _kind(self.item, self.where) if isinstance(self.item, dict) else "Interaction"

    @cached_property
    def description(self) -> str:
        description = self._members.get("description")
        return description if isinstance(description, str) and description.strip() else "(no description)"

    @cached_property
    def states(self) -> tuple[RequiredState, ...]:
        return tuple(_states(self._members))

    @cached_property
    def parts(self) -> tuple[InteractionPart, ...]:
        return tuple(_parts(self.item, self.where)) if isinstance(self.item, dict) else ()

    @property
    def is_pending(self) -> bool:
        return self._members.get("pending") is True

    @cached_property
    def comments(self) -> tuple[str, ...]:
        return tuple(_comments(self._members.get("comments")))

    @cached_property
    def source(self) -> str:
        """Its JSON, for people."""
        return format_json(self.item)

    @property
    def digest(self) -> str:
        """Two interactions are the same if these are. The order of members does not count, as it does not for Pact."""
        return self.id.partition("-")[0]

    @cached_property
    def markup(self) -> str | None:
        """How a plugin shows it to people, as text."""
        return _markup(self._members.get("interactionMarkup"))

    @cached_property
    def plugins(self) -> tuple[AnnotatedLine, ...]:
        """What is kept for plugins, as JSON."""
        configuration = self._members.get("pluginConfiguration")
        return tuple(_Writer(_Node()).lines(configuration)) if configuration else ()

    def has(self, words: str) -> bool:
        """Say whether a text stands anywhere in it."""
        return words.casefold() in self.source.casefold()


def read_interactions(document: Document) -> list[Interaction] | None:
    """Read the interactions and messages of a pact; None where it has no list of either."""
    lists = [(name, document.tree.get(name)) for name in ("interactions", "messages")]
    if not any(isinstance(items, list) for _, items in lists):
        return None
    found = [_interaction(item, name) for name, items in lists if isinstance(items, list) for item in items]
    return _told_apart(found)


def _told_apart(found: list[Interaction]) -> list[Interaction]:
    """Number the ids of interactions that are the same."""
    seen: dict[str, int] = {}
    for at, one in enumerate(found):
        seen[one.id] = seen.get(one.id, 0) + 1
        if seen[one.id] > 1:
            found[at] = replace(one, id=f"{one.id}-{seen[one.id]}")
    return found


def format_json(tree: Json) -> str:
    """Write JSON for people."""
    if not isinstance(tree, dict | list):
        return "\n".join(line.text for line in _Writer(_Node()).lines(tree))
    lines: list[str] = []
    _write(lines, tree, "", "", "")
    return "\n".join(lines[:MAX_LINES])


def _write(lines: list[str], tree: Json, indent: str, label: str, end: str) -> None:
    """Write JSON as `_Writer` does, where nothing is said about its values."""
    if not tree or not isinstance(tree, dict | list):
        text = content.serialize(tree)
        lines.append(f"{indent}{label}{text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + '…'}{end}")
        return
    brackets, last, inner = "{}" if isinstance(tree, dict) else "[]", len(tree), indent + "  "
    lines.append(f"{indent}{label}{brackets[0]}")
    names = (f"{json.dumps(name, ensure_ascii=False)}: " for name in tree) if isinstance(tree, dict) else repeat("")
    values = tree.values() if isinstance(tree, dict) else tree
    for at, (name, value) in enumerate(zip(names, values, strict=False), 1):
        _write(lines, value, inner, name, "," if at < last else "")
    lines.append(f"{indent}{brackets[1]}{end}")


def _interaction(item: Json, where: str) -> Interaction:
    if not isinstance(item, dict):
        return Interaction(id=_id(item), item=item, where=where)
    bare = {name: value for name, value in item.items() if name != "_id"}
    broker_id = item.get("_id")
    return Interaction(
        id=_id(bare), item=bare, where=where, broker_id=broker_id if isinstance(broker_id, str) else None
    )


def _id(item: Json) -> str:
    text = content.serialize(item, is_sorted=True)
    return "i" + sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]


_KINDS: Final = {
    "Synchronous/HTTP": "HTTP",
    "Asynchronous/Messages": "Message",
    "Synchronous/Messages": "Request and reply",
}


def _kind(item: Mapping[str, Json], where: str) -> str:
    said = item.get("type")
    if isinstance(said, str) and said in _KINDS:
        return _KINDS[said]
    return "Message" if where == "messages" else "HTTP"


def _states(item: Mapping[str, Json]) -> Iterator[RequiredState]:
    for name in ("providerState", "provider_state"):
        if isinstance(item.get(name), str) and item[name].strip():
            yield RequiredState(name=item[name], params=None)
    states = item.get("providerStates")
    for one in states if isinstance(states, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            params = one.get("params")
            yield RequiredState(
                name=one["name"], params=content.serialize(params)[:MAX_VALUE_LENGTH] if params else None
            )


def _comments(given: Json) -> Iterator[str]:
    texts = given.get("text") if isinstance(given, dict) else None
    yield from (one for one in (texts if isinstance(texts, list) else ()) if isinstance(one, str))


def _markup(given: Json) -> str | None:
    """Read what a plugin says: text, in a fence where it is Markdown."""
    text = given.get("markup") if isinstance(given, dict) else None
    if not isinstance(text, str) or not text.strip():
        return None
    lines = (line for line in text[:MAX_VALUE_LENGTH].splitlines() if not line.startswith("```"))
    return "\n".join(lines).strip()


def _parts(item: Mapping[str, Json], where: str) -> Iterator[InteractionPart]:
    kind = _kind(item, where)
    if kind == "Message":
        yield _part("Message", item)
        return
    for name, title in (("request", "Request"), ("response", "Response" if kind == "HTTP" else "Reply")):
        given = item.get(name)
        for one in given if isinstance(given, list) else [given]:
            if isinstance(one, dict):
                yield _part(title, one)


def _part(title: str, given: Mapping[str, Json]) -> InteractionPart:
    rules = _rules(given)
    body, kind = _body(given)
    writer = _Writer(rules.at("body"))
    shown = None if body is _NOTHING else tuple(writer.lines(body))
    method, path, status = given.get("method"), given.get("path"), given.get("status")
    return InteractionPart(
        title=title,
        method=method.upper() if isinstance(method, str) else None,
        path=path if isinstance(path, str) else None,
        path_notes=tuple(rules.at("path").take()),
        status=None if status is None else _value(status),
        query=tuple(_fields(_query(given.get("query")), rules.at("query"))),
        headers=tuple(_fields(given.get("headers"), rules.at("header"))),
        metadata=tuple(_fields(given.get("metadata") or given.get("metaData"), rules.at("metadata"))),
        body=shown,
        body_type=kind,
        is_truncated=writer.is_truncated,
        rules=tuple(rules.left()),
    )


def _query(given: Json) -> Json:
    """Take apart the query of old pacts, which is a text."""
    if not isinstance(given, str):
        return given
    found: dict[str, list[str]] = {}
    for pair in given.split("&"):
        name, _, value = pair.partition("=")
        found.setdefault(name, []).append(value)
    return found


def _fields(given: Json, rules: "_Node") -> Iterator[AnnotatedField]:
    for name, value in given.items() if isinstance(given, dict) else ():
        values = value if isinstance(value, list) else [value]
        notes = rules.notes_of(name)
        yield AnnotatedField(name=name, value=", ".join(map(_value, values)), notes=tuple(dict.fromkeys(notes)))


def _value(value: Json) -> str:
    return (value if isinstance(value, str) else content.serialize(value))[:MAX_VALUE_LENGTH]


_NOTHING: Final = object()


def _body(given: Mapping[str, Json]) -> tuple[Any, str | None]:
    """Find the body, opened as far as can be, and its media type."""
    body = next((given[name] for name in ("body", "contents", "content") if name in given), _NOTHING)
    kind = _media_type(given.get("headers")) or _media_type(given.get("metadata") or given.get("metaData"))
    if isinstance(body, dict) and "content" in body and set(body) <= _ENVELOPE:
        said = body.get("contentType")
        return _opened(body["content"], body.get("encoded")), said if isinstance(said, str) else kind
    if body is None:
        return _NOTHING, kind
    return body, kind


_ENVELOPE: Final = {"content", "contentType", "contentTypeHint", "encoded"}


def _media_type(fields: Json) -> str | None:
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if name.lower() in {"content-type", "contenttype"}:
            one = value[0] if isinstance(value, list) and value else value
            return one if isinstance(one, str) else None
    return None


def _opened(body: Json, encoded: Json) -> Json:
    """Read what is encoded as text, as JSON where it is JSON."""
    if not isinstance(body, str) or not encoded:
        return body
    text = body
    if str(encoded).lower() in {"true", "base64"}:
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return body
        shown = _as_text(data)
        if shown is None:
            return _dump(data)
        text = shown
    try:
        return content.parse_document(text.encode()).tree
    except (Malformed, UnicodeEncodeError):
        return text


def _as_text(data: bytes) -> str | None:
    """Read bytes as text, unless they hold what no text holds."""
    if _NO_TEXT.search(data):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


_NO_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAX_BINARY_BYTES: Final = 256
"""Of binary contents that are shown; the whole is found in the JSON."""
_WIDTH: Final = 8


def _dump(data: bytes) -> str:
    """Write bytes as numbers, and beside them as letters where they are some."""
    rows = [f"{len(data):,} {'byte' if len(data) == 1 else 'bytes'}, binary"]
    for at in range(0, min(len(data), MAX_BINARY_BYTES), _WIDTH):
        row = data[at : at + _WIDTH]
        letters = "".join(chr(one) if 0x20 <= one < 0x7F else "." for one in row)  # noqa: PLR2004 - ASCII
        rows.append(f"{at:04x}  {row.hex(' '):<23}  {letters}")
    return "\n".join([*rows, "…"] if len(data) > MAX_BINARY_BYTES else rows)


# Matching rules and generators: a tree of places, so that each value finds what is said about it while it is written


@dataclass(slots=True)
class _Node:
    children: "dict[str, _Node]" = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    was_shown: bool = False

    def at(self, name: str) -> "_Node":
        return self.children.setdefault(name, _Node())

    def add(self, steps: Iterable[str], notes: Iterable[str]) -> None:
        node = self
        for step in steps:
            node = node.at(step)
        node.notes += notes

    def take(self) -> list[str]:
        self.was_shown = True
        return self.notes

    def notes_of(self, name: str) -> list[str]:
        """List what is said about a field, whatever the case of its name, and about its values."""
        found: list[str] = []
        for key, node in self.children.items():
            if key.lower() == name.lower():
                found += node.take()
                for inner in node.children.values():
                    found += inner.take()
        return found

    def left(self, place: str = "") -> Iterator[UnshownRule]:
        """List what was not shown beside a value."""
        if not self.was_shown:
            yield from (UnshownRule(place=place or "everything", text=note) for note in self.notes)
        for name, node in self.children.items():
            yield from node.left(f"{place} {name}".strip())


_PLACES: Final = {
    "headers": "header",
    "header": "header",
    "metaData": "metadata",
    "contents": "body",
    "content": "body",
}
_STEP: Final = re.compile(r"""\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]]+)""")


def _steps(path: str) -> list[str]:
    """Take a path apart: `$.items[*]['a b']`."""
    return [next(filter(None, one), "") for one in _STEP.findall(path.removeprefix("$"))]


def _rules(given: Mapping[str, Json]) -> _Node:
    root = _Node()
    for name, say in (("matchingRules", _rule_texts), ("generators", _generator_texts)):
        rules = given.get(name)
        for place, said in rules.items() if isinstance(rules, dict) else ():
            for steps, one in _by_place(place, said):
                root.add(steps, say(one))
    return root


def _by_place(place: str, said: Json) -> Iterator[tuple[list[str], Json]]:
    """Read both forms: paths from the root (version 2), and places with paths within (version 3 on)."""
    if place.startswith("$"):
        steps = _steps(place)
        yield [_PLACES.get(one, one) for one in steps[:1]] + steps[1:], said
        return
    known = _PLACES.get(place, place)
    if not isinstance(said, dict) or "matchers" in said or isinstance(said.get("type"), str):
        yield [known], said
        return
    for inner, one in said.items():
        yield [known, *(_steps(inner) if inner.startswith("$") else [inner])], one


def _rule_texts(said: Json) -> list[str]:
    if isinstance(said, dict) and isinstance(said.get("matchers"), list):
        texts = [_in_words(one) for one in said["matchers"]]
        either = str(said.get("combine", "AND")).upper() == "OR"
        return [" or ".join(texts)] if either and texts else texts
    return [_in_words(said)]


def _in_words(rule: Json) -> str:
    if not isinstance(rule, dict):
        return _cut(rule)
    match = rule.get("match")
    if match is None:
        match = "regex" if "regex" in rule else "type" if {"min", "max"} & set(rule) else None
    words = _WORDS.get(match) if isinstance(match, str) else None
    if words is None:
        return f"{match}: {_cut(rule)}" if isinstance(match, str) else _cut(rule)
    return words.format_map(_Said(rule)).strip() + _counted(rule)


class _Said(dict[str, Any]):
    """What a rule says, by name; what it does not say is left blank."""

    def __getitem__(self, name: str) -> str:
        value = self.get(name)
        if value is None and name == "format":
            value = self.get(str(self.get("match")))  # as version 2 has it
        return "" if value is None else _cut(value)


_WORDS: Final = {
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
    "arrayContains": "holds at least these, among others",
    "array-contains": "holds at least these, among others",
    "contentType": "content of type {value}",
    "content-type": "content of type {value}",
    "semver": "a semantic version",
    "statusCode": "a status: {status}",
    "notEmpty": "anything but empty",
    "not-empty": "anything but empty",
}


def _counted(rule: Mapping[str, Json]) -> str:
    least, most = rule.get("min"), rule.get("max")
    texts = [f"at least {_cut(least)}"] if least is not None else []
    texts += [f"at most {_cut(most)}"] if most is not None else []
    return f", {' and '.join(texts)}" if texts else ""


def _generator_texts(said: Json) -> list[str]:
    kind = said.get("type") if isinstance(said, dict) else None
    words = _GENERATED.get(kind) if isinstance(kind, str) else None
    text = words.format_map(_Said(said)) if words else _cut(said)
    return [f"generated: {' '.join(text.split())}"]


_GENERATED: Final = {
    "RandomInt": "a random integer from {min} to {max}",
    "RandomDecimal": "a random decimal number of {digits} digits",
    "RandomHexadecimal": "a random hexadecimal number of {digits} digits",
    "RandomString": "a random text of {size} characters",
    "RandomBoolean": "true or false",
    "Regex": "what matches /{regex}/",
    "Uuid": "a UUID",
    "Date": "the date {expression} {format}",
    "Time": "the time {expression} {format}",
    "DateTime": "the date and time {expression} {format}",
    "ProviderState": "from the provider's state, {expression}",
    "MockServerURL": "the address of the mock server, {example}",
}

_LONGEST_NOTE: Final = 200


def _cut(value: Json) -> str:
    text = _value(value)
    return text if len(text) <= _LONGEST_NOTE else text[:_LONGEST_NOTE] + "…"


# Writing JSON, line by line, with what is said about each value


class _Writer:
    def __init__(self, rules: _Node) -> None:
        self._rules = rules
        self._left = MAX_LINES
        self.is_truncated = False

    def lines(self, tree: Json) -> Iterator[AnnotatedLine]:
        for line in self._written(tree, [self._rules], "", "", ""):
            if self._left == 0:
                self.is_truncated = True
                return
            self._left -= 1
            yield line

    def _written(
        self, tree: Json, nodes: Sequence[_Node], indent: str, label: str, end: str
    ) -> Iterator[AnnotatedLine]:
        notes = tuple(dict.fromkeys(note for node in nodes for note in node.take()))
        if isinstance(tree, dict | list) and tree:
            brackets = "{}" if isinstance(tree, dict) else "[]"
            yield AnnotatedLine(text=f"{indent}{label}{brackets[0]}", notes=notes)
            yield from self._inner(tree, nodes, indent + "  ")
            yield AnnotatedLine(text=f"{indent}{brackets[1]}{end}")
            return
        if isinstance(tree, str) and not indent and not label:
            first, *rest = tree[:MAX_VALUE_LENGTH].splitlines() or [""]
            yield AnnotatedLine(text=first, notes=notes)
            yield from (AnnotatedLine(text=text) for text in rest)
            self.is_truncated = len(tree) > MAX_VALUE_LENGTH
            return
        text = content.serialize(tree)
        shown = text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "…"
        yield AnnotatedLine(text=f"{indent}{label}{shown}{end}", notes=notes)

    def _inner(
        self, tree: dict[str, Json] | list[Json], nodes: Sequence[_Node], indent: str
    ) -> Iterator[AnnotatedLine]:
        is_list = isinstance(tree, list)
        items = enumerate(tree) if isinstance(tree, list) else tree.items()
        for at, (name, value) in enumerate(items, 1):
            found = [node.children[key] for node in nodes for key in (str(name), "*") if key in node.children]
            label = "" if is_list else f"{json.dumps(name, ensure_ascii=False)}: "
            yield from self._written(value, found, indent, label, "," if at < len(tree) else "")
