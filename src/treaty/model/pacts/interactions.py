"""Interactions as people read them, with matching rules and generators in words beside the values.

A pact may contain any JSON, so this module relies on no structure: an interaction with an unexpected
structure is shown as JSON.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha1
from itertools import repeat
from typing import Any, Final

from treaty import exact_json
from treaty.errors import Malformed
from treaty.model.pacts import documents
from treaty.model.pacts.documents import Document, Json
from treaty.model.pacts.matching_rules import MAX_VALUE_LENGTH, RuleNode, UnshownRule, format_value, read_rules
from treaty.model.pacts.provider_states import title_of
from treaty.model.wording import choose_form

MAX_LINES: Final = 1500
"""Lines shown of a body; the JSON of the pact has all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredState:
    """A state that the provider has to be in."""

    name: str
    params: str | None
    """Parameters as JSON, truncated."""

    @property
    def title(self) -> str:
        return title_of(self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedField:
    """A header, a query parameter or a member of the metadata, with the rules for it."""

    name: str
    value: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AnnotatedLine:
    """A line of a body, with the rules for its value."""

    text: str
    notes: tuple[str, ...] = ()


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
    """None if there is no body, or any body matches."""
    body_type: str | None = None
    is_truncated: bool = False
    """Whether `body` shows only the beginning."""
    rules: tuple[UnshownRule, ...] = ()
    """Rules without a value beside which they could be shown."""


@dataclass(frozen=True, kw_only=True)
class Interaction:
    """An interaction or message of a pact.

    Properties are computed on first use: a pact may have thousands of interactions, of which a page shows a few.
    """

    id: str
    """Depends on the content alone, so that links survive a new publication. Safe in a URL."""
    item: Json
    """The JSON in the pact, without the broker's id."""
    list_name: str
    """The member of the pact that contains it: `interactions` or `messages`."""
    broker_id: str | None = None
    """The id that the broker added when it stored the pact. Verifiers report results by it."""

    @classmethod
    def from_document(cls, document: Document) -> "Interaction":
        """Represent a whole contract that has no interactions."""
        return _build_interaction(dict(document.tree), "contract")

    @property
    def _members(self) -> dict[str, Json]:
        return self.item if isinstance(self.item, dict) else {}

    @cached_property
    def kind(self) -> str:
        return classify(self.item, self.list_name) if isinstance(self.item, dict) else "Interaction"

    @cached_property
    def description(self) -> str:
        description = self._members.get("description")
        return description if isinstance(description, str) and description.strip() else "(no description)"

    @cached_property
    def states(self) -> tuple[RequiredState, ...]:
        return tuple(_read_states(self._members))

    @cached_property
    def parts(self) -> tuple[InteractionPart, ...]:
        return tuple(_read_parts(self.item, self.list_name)) if isinstance(self.item, dict) else ()

    @property
    def is_pending(self) -> bool:
        return self._members.get("pending") is True

    @cached_property
    def comments(self) -> tuple[str, ...]:
        comments = self._members.get("comments")
        texts = comments.get("text") if isinstance(comments, dict) else None
        return tuple(text for text in texts if isinstance(text, str)) if isinstance(texts, list) else ()

    @cached_property
    def source(self) -> str:
        """The interaction as indented JSON."""
        return format_json(self.item)

    @property
    def digest(self) -> str:
        """Equal for interactions with equal JSON. The order of members does not matter, as for the content's hash."""
        return self.id.partition("-")[0]

    @cached_property
    def markup(self) -> str | None:
        """Description by a plugin, as text."""
        return _read_markup(self._members.get("interactionMarkup"))

    @cached_property
    def plugins(self) -> tuple[AnnotatedLine, ...]:
        """Configuration for plugins, as JSON."""
        configuration = self._members.get("pluginConfiguration")
        return tuple(_LineWriter(RuleNode()).write(configuration)) if configuration else ()

    def has(self, words: str) -> bool:
        """Whether its JSON contains a text, in any case."""
        return words.casefold() in self.source.casefold()


def read_interactions(document: Document) -> list[Interaction] | None:
    """Read the interactions and messages of a pact; None if it has no list of either."""
    lists = [(name, document.tree.get(name)) for name in ("interactions", "messages")]
    if not any(isinstance(items, list) for _, items in lists):
        return None
    interactions = [
        _build_interaction(item, name) for name, items in lists if isinstance(items, list) for item in items
    ]
    return _number_duplicates(interactions)


def _number_duplicates(interactions: list[Interaction]) -> list[Interaction]:
    """Append a number to the ids of equal interactions, because a page needs unique ids."""
    counts: dict[str, int] = {}
    for index, interaction in enumerate(interactions):
        count = counts[interaction.id] = counts.get(interaction.id, 0) + 1
        if count > 1:
            interactions[index] = replace(interaction, id=f"{interaction.id}-{count}")
    return interactions


def format_json(tree: Json) -> str:
    """Write indented JSON, at most MAX_LINES lines."""
    if not isinstance(tree, dict | list):
        return "\n".join(line.text for line in _LineWriter(RuleNode()).write(tree))
    lines: list[str] = []
    _append_json(lines, tree, "", "", "")
    return "\n".join(lines[:MAX_LINES])


def _append_json(lines: list[str], tree: Json, indent: str, label: str, end: str) -> None:
    # The same format as `_LineWriter`, without looking for rules: searching a large pact writes every interaction.
    if not tree or not isinstance(tree, dict | list):
        lines.append(f"{indent}{label}{_truncate(exact_json.serialize(tree))}{end}")
        return
    brackets, length, inner_indent = "{}" if isinstance(tree, dict) else "[]", len(tree), indent + "  "
    lines.append(f"{indent}{label}{brackets[0]}")
    labels = (f"{json.dumps(name, ensure_ascii=False)}: " for name in tree) if isinstance(tree, dict) else repeat("")
    values = tree.values() if isinstance(tree, dict) else tree
    for number, (inner_label, value) in enumerate(zip(labels, values, strict=False), 1):
        _append_json(lines, value, inner_indent, inner_label, "," if number < length else "")
    lines.append(f"{indent}{brackets[1]}{end}")


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "…"


def _build_interaction(item: Json, list_name: str) -> Interaction:
    if not isinstance(item, dict):
        return Interaction(id=_compute_id(item), item=item, list_name=list_name)
    bare_item = {name: value for name, value in item.items() if name != "_id"}
    broker_id = item.get("_id")
    return Interaction(
        id=_compute_id(bare_item),
        item=bare_item,
        list_name=list_name,
        broker_id=broker_id if isinstance(broker_id, str) else None,
    )


def _compute_id(item: Json) -> str:
    text = exact_json.serialize(item, is_sorted=True)
    # The letter makes it a valid id in HTML, and 48 bits are enough to tell the interactions of a pact apart.
    return "i" + sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]


_KINDS: Final = {
    "Synchronous/HTTP": "HTTP",
    "Asynchronous/Messages": "Message",
    "Synchronous/Messages": "Request and reply",
}
"""Types of version 4 of the Pact specification; older pacts have a list for each kind instead."""


def classify(item: Mapping[str, Json], list_name: str) -> str:
    """Return the kind of an interaction: HTTP, Message, or Request and reply."""
    interaction_type = item.get("type")
    if isinstance(interaction_type, str) and interaction_type in _KINDS:
        return _KINDS[interaction_type]
    return "Message" if list_name == "messages" else "HTTP"


def _read_states(item: Mapping[str, Json]) -> Iterator[RequiredState]:
    # One state as a text (versions 1 and 2, in two spellings), or a list with parameters (version 3 and later).
    for member in ("providerState", "provider_state"):
        if isinstance(item.get(member), str):
            yield RequiredState(name=item[member], params=None)
    states = item.get("providerStates")
    for state in states if isinstance(states, list) else ():
        if isinstance(state, dict) and isinstance(state.get("name"), str):
            params = state.get("params")
            yield RequiredState(
                name=state["name"], params=exact_json.serialize(params)[:MAX_VALUE_LENGTH] if params else None
            )


def _read_markup(markup: Json) -> str | None:
    """Read the text of a plugin's markup, without the code fences of Markdown."""
    text = markup.get("markup") if isinstance(markup, dict) else None
    if not isinstance(text, str) or not text.strip():
        return None
    lines = (line for line in text[:MAX_VALUE_LENGTH].splitlines() if not line.startswith("```"))
    return "\n".join(lines).strip()


def _read_parts(item: Mapping[str, Json], list_name: str) -> Iterator[InteractionPart]:
    kind = classify(item, list_name)
    if kind == "Message":
        yield _read_part("Message", item)
        return
    for member, title in (("request", "Request"), ("response", "Response" if kind == "HTTP" else "Reply")):
        value = item.get(member)
        # A message may have several replies.
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict):
                yield _read_part(title, part)


def _read_part(title: str, part: Mapping[str, Json]) -> InteractionPart:
    rules = read_rules(part)
    body, media_type = read_body(part)
    writer = _LineWriter(rules.child("body"))
    lines = None if body is NO_BODY else tuple(writer.write(body))
    method, path, status = part.get("method"), part.get("path"), part.get("status")
    return InteractionPart(
        title=title,
        method=method.upper() if isinstance(method, str) else None,
        path=path if isinstance(path, str) else None,
        path_notes=tuple(rules.child("path").take()),
        status=None if status is None else format_value(status),
        query=tuple(_read_fields(parse_query(part.get("query")), rules.child("query"))),
        headers=tuple(_read_fields(part.get("headers"), rules.child("header"))),
        metadata=tuple(_read_fields(read_metadata(part), rules.child("metadata"))),
        body=lines,
        body_type=media_type,
        is_truncated=writer.is_truncated,
        # Evaluated last: writing the parts above has marked the rules that were shown.
        rules=tuple(rules.list_unshown()),
    )


def parse_query(query: Json) -> Json:
    """Parse the query of versions 1 and 2, which is a text. It is shown as it is, so nothing is decoded."""
    if not isinstance(query, str):
        return query
    values: dict[str, list[str]] = {}
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        values.setdefault(name, []).append(value)
    return values


def _read_fields(fields: Json, rules: RuleNode) -> Iterator[AnnotatedField]:
    for name, value in fields.items() if isinstance(fields, dict) else ():
        values = value if isinstance(value, list) else [value]
        notes = rules.take_field(name)
        yield AnnotatedField(name=name, value=", ".join(map(format_value, values)), notes=tuple(dict.fromkeys(notes)))


def read_metadata(part: Mapping[str, Json]) -> Json:
    """Find the metadata of a message, in both spellings."""
    return part.get("metadata") or part.get("metaData")


NO_BODY: Final = object()
"""Distinguishes a missing body from any JSON value."""


def read_body(part: Mapping[str, Json]) -> tuple[Any, str | None]:
    """Find the body, decoded as far as possible, and its media type."""
    body = next((part[name] for name in ("body", "contents", "content") if name in part), NO_BODY)
    media_type = _find_media_type(part.get("headers")) or _find_media_type(read_metadata(part))
    if isinstance(body, dict) and "content" in body and set(body) <= _ENVELOPE_MEMBERS:
        content_type = body.get("contentType")
        decoded = _decode(body["content"], body.get("encoded"))
        return decoded, content_type if isinstance(content_type, str) else media_type
    if body is None:
        return NO_BODY, media_type
    return body, media_type


_ENVELOPE_MEMBERS: Final = {"content", "contentType", "contentTypeHint", "encoded"}
"""Members of a body in version 4. An object with any other member is a JSON body that only looks like it."""


def _find_media_type(fields: Json) -> str | None:
    for name, value in fields.items() if isinstance(fields, dict) else ():
        if name.lower() in {"content-type", "contenttype"}:
            first_value = value[0] if isinstance(value, list) and value else value
            return first_value if isinstance(first_value, str) else None
    return None


def _decode(body: Json, encoded: Json) -> Json:
    """Decode an encoded body: to JSON if possible, else to text, else to a hexadecimal dump."""
    if not isinstance(body, str) or not encoded:
        return body
    text = body
    if str(encoded).lower() in {"true", "base64"}:
        try:
            data = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            return body
        decoded_text = _decode_text(data)
        if decoded_text is None:
            return _format_hex_dump(data)
        text = decoded_text
    try:
        return documents.parse_document(text.encode()).tree
    except (Malformed, UnicodeEncodeError):
        return text


def _decode_text(data: bytes) -> str | None:
    """Decode UTF-8; None for binary data, that is, with control characters or invalid bytes."""
    if _CONTROL_CHARACTERS.search(data):
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


_CONTROL_CHARACTERS: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
MAX_BINARY_BYTES: Final = 256
"""Bytes shown of a binary body; the JSON of the pact has all of them."""
_BYTES_PER_ROW: Final = 8


def _format_hex_dump(data: bytes) -> str:
    """Write bytes in hexadecimal, with the printable ASCII characters beside them."""
    rows = [f"{len(data):,} {choose_form(len(data), 'byte', 'bytes')}, binary"]
    for offset in range(0, min(len(data), MAX_BINARY_BYTES), _BYTES_PER_ROW):
        row = data[offset : offset + _BYTES_PER_ROW]
        letters = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in row)  # noqa: PLR2004 - ASCII
        rows.append(f"{offset:04x}  {row.hex(' '):<23}  {letters}")
    return "\n".join([*rows, "…"] if len(data) > MAX_BINARY_BYTES else rows)


class _LineWriter:
    """Writes JSON line by line, with the rules for each value."""

    def __init__(self, rules: RuleNode) -> None:
        self._rules = rules
        self._remaining_lines = MAX_LINES
        self.is_truncated = False

    def write(self, tree: Json) -> Iterator[AnnotatedLine]:
        for line in self._write_value(tree, [self._rules], "", "", ""):
            if self._remaining_lines == 0:
                self.is_truncated = True
                return
            self._remaining_lines -= 1
            yield line

    def _write_value(
        self, tree: Json, nodes: Sequence[RuleNode], indent: str, label: str, end: str
    ) -> Iterator[AnnotatedLine]:
        # Several nodes may apply to one value: `$.items[0]` and `$.items[*]`.
        notes = tuple(dict.fromkeys(note for node in nodes for note in node.take()))
        if isinstance(tree, dict | list) and tree:
            brackets = "{}" if isinstance(tree, dict) else "[]"
            yield AnnotatedLine(text=f"{indent}{label}{brackets[0]}", notes=notes)
            yield from self._write_children(tree, nodes, indent + "  ")
            yield AnnotatedLine(text=f"{indent}{brackets[1]}{end}")
        elif isinstance(tree, str) and not indent and not label:
            # The whole body is a text, which is easier to read without quotes and escapes.
            first_line, *other_lines = tree[:MAX_VALUE_LENGTH].splitlines() or [""]
            yield AnnotatedLine(text=first_line, notes=notes)
            yield from (AnnotatedLine(text=line) for line in other_lines)
            self.is_truncated = len(tree) > MAX_VALUE_LENGTH
        else:
            yield AnnotatedLine(text=f"{indent}{label}{_truncate(exact_json.serialize(tree))}{end}", notes=notes)

    def _write_children(
        self, tree: dict[str, Json] | list[Json], nodes: Sequence[RuleNode], indent: str
    ) -> Iterator[AnnotatedLine]:
        is_list = isinstance(tree, list)
        items: Iterable[tuple[Any, Json]] = enumerate(tree) if isinstance(tree, list) else tree.items()
        for number, (name, value) in enumerate(items, 1):
            children = [node.children[key] for node in nodes for key in (str(name), "*") if key in node.children]
            label = "" if is_list else f"{json.dumps(name, ensure_ascii=False)}: "
            yield from self._write_value(value, children, indent, label, "," if number < len(tree) else "")
