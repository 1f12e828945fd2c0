"""The content of pacts: its hash and its stored form.

The hash decides which contents are equal and share their verification results. It is the original broker's, bit for
bit: existing databases, links and the tools of other teams contain these hashes. `compute_sha` has the rules.

Numbers are stored as they were written: `1.10`, `1e2` and `12345678901234567890123` are returned unchanged. Only the
hash uses the original's canonical form of numbers.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha1
from typing import Any, Final

import orjson

from treaty.errors import BYTE_ORDER_MARK, Malformed, describe_invalid_utf8
from treaty.model.json_nesting import MAX_DEPTH, is_deeper

MAX_PLAIN_INTEGER_DIGITS: Final = 4000
"""Python refuses to parse integers of more than 4300 digits by default; longer ones are stored as text."""

Json = Any


class Number(float):
    """A number that Python would write differently, with its original text."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def from_text(cls, text: str) -> "Number":
        number = cls(text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as it was published."""

    tree: Mapping[str, Json]
    is_plain: bool
    """Whether Python writes every number as it was published, so that the fast encoders can be used."""


def parse_document(raw: bytes) -> Document:
    """Parse a published document.

    Raises Malformed if it is not a JSON object, is nested more than 50 levels deep, or contains NaN or an infinity.
    """
    text = _decode(raw)
    is_plain = True

    def parse_float(literal: str) -> float:
        nonlocal is_plain
        value = float(literal)
        if repr(value) == literal and "e" not in literal:
            return value
        is_plain = False
        return Number.from_text(literal)

    def parse_integer(literal: str) -> int | float:
        nonlocal is_plain
        if len(literal) < MAX_PLAIN_INTEGER_DIGITS and literal != "-0":
            return int(literal)
        is_plain = False
        return Number.from_text(literal)

    # `-0` is an integer in JSON, but Python's integers have no negative zero.
    has_negative_zero = "-0" in text and _NEGATIVE_ZERO.search(text) is not None
    try:
        tree = _parse(text, parse_float, parse_integer, has_negative_zero=has_negative_zero)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Malformed(f"JSON::ParserError - {error}") from error  # the class names are in the original's texts
    if not isinstance(tree, dict):
        raise Malformed(f"RuntimeError - Expected JSON Object in request body but found {_ruby_class(tree)}")
    # Counting brackets is much faster than walking the tree, and rules out most documents.
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deeper(tree, MAX_DEPTH):
        raise _too_deep()
    return Document(tree, is_plain=is_plain)


_NEGATIVE_ZERO: Final = re.compile(r"-0(?![0-9.eE])")


def _parse(
    text: str,
    parse_float: Callable[[str], float],
    parse_integer: Callable[[str], int | float],
    *,
    has_negative_zero: bool,
) -> Json:
    # Calling a Python function for each integer slows down the parsing of large pacts: only where it is needed.
    if not has_negative_zero:
        with suppress(_TooManyDigits):
            return _load(text, parse_float, None)
    return _load(text, parse_float, parse_integer)


class _TooManyDigits(Exception):
    """Raised for an integer with more digits than Python parses."""


def _load(text: str, parse_float: Callable[[str], float], parse_integer: Callable[[str], int | float] | None) -> Json:
    try:
        return json.loads(text, parse_float=parse_float, parse_int=parse_integer, parse_constant=_reject_constant)
    except (json.JSONDecodeError, _NotANumber):
        raise
    except ValueError as error:
        raise _TooManyDigits from error


def _decode(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"Request body {describe_invalid_utf8(raw, error)}") from error
    if not text.strip():
        raise Malformed("JSON::ParserError - unexpected end of input at line 1 column 1")
    if text.startswith("\ufeff"):
        raise Malformed(BYTE_ORDER_MARK)
    return text


class _NotANumber(ValueError):
    """Raised for NaN and infinities, which Python accepts but JSON does not have."""


def _reject_constant(name: str) -> float:
    raise _NotANumber(f"unexpected token '{name}'")


def _ruby_class(tree: Json) -> str:
    names = {list: "Array", str: "String", int: "Integer", float: "Float", Number: "Float", bool: "TrueClass"}
    return "FalseClass" if tree is False else names.get(type(tree), "NilClass")


def _too_deep() -> Malformed:
    return Malformed(f"JSON::NestingError - nesting of {MAX_DEPTH + 1} is too deep")


@dataclass(frozen=True, slots=True)
class Content:
    """The stored form of a document: its hash, and its JSON with an id in each interaction."""

    sha: str
    body: bytes


def build_content(document: Document) -> Content:
    """Compute the hash and the stored JSON of a document, both by the original's rules.

    Interactions and messages get an `_id` as their first member, the hash of the interaction alone: verifiers report
    results by it. An id that the client has set is kept. The hash is that of the content as it was received.
    """
    serialize_item = _serialize_sorted if document.is_plain else _serialize_canonical
    # The hash and the ids both need the sorted JSON of each interaction, which is most of the work for a large pact.
    # The document keeps the items alive, so their addresses identify them.
    cached_texts: dict[int, str] = {}

    def sorted_text(item: Json) -> str:
        text = cached_texts.get(id(item))
        if text is None:
            text = cached_texts[id(item)] = serialize_item(item)
        return text

    return Content(compute_sha(document, sorted_text), _encode(_serialize_with_ids(document, sorted_text)))


def compute_sha(document: Document, sorted_text: Callable[[Json], str]) -> str:
    """Compute the hash of a content: SHA-1 of a JSON text built from the parts that affect its verification.

    The rules are those of the original broker ("base equality only on content that affects verification results"):

    - The text contains the interactions, the messages and the version of the Pact specification. Names and other
      metadata do not matter: the same expectations of a renamed consumer need no new verification.
    - Members of objects are sorted, and so are the interactions (or the messages, if there are no interactions), by
      their own text. Pact verifies each interaction on its own, and libraries write them in the order of the tests.
      Other arrays are data, and keep their order.
    - Without interactions and messages, the whole document counts in its own order.

    `sorted_text` serializes an item with sorted members.
    """
    tree = document.tree
    interactions, messages = tree.get("interactions"), tree.get("messages")
    has_interactions = _is_truthy(interactions)
    if not has_interactions and not _is_truthy(messages):
        return _hash(_serialize_plain(tree) if document.is_plain else _serialize_with(tree, _canonical_number))
    if not isinstance(interactions, list) and not isinstance(messages, list):
        return _hash(sorted_text(tree))
    parts = []
    if isinstance(interactions, list):
        parts.append(f'"interactions":{_serialize_list(interactions, sorted_text, is_sorted=True)}')
    if isinstance(messages, list):
        parts.append(f'"messages":{_serialize_list(messages, sorted_text, is_sorted=not has_interactions)}')
    specification_version = _specification_version(tree)
    if specification_version is not None:
        parts.append(f'"pact_specification_version":{sorted_text(specification_version)}')
    return _hash("{" + ",".join(parts) + "}")


def _is_truthy(value: Json) -> bool:
    # As in Ruby: 0, "" and empty lists are true.
    return value is not None and value is not False


def _serialize_list(items: list[Json], sorted_text: Callable[[Json], str], *, is_sorted: bool) -> str:
    texts = [sorted_text(item) for item in items]
    return "[" + ",".join(sorted(texts) if is_sorted else texts) + "]"


def _specification_version(tree: Mapping[str, Json]) -> Json:
    """Read the version of the Pact specification, in the three spellings that libraries have used."""
    metadata = tree.get("metadata")
    if not isinstance(metadata, dict):
        return None
    for name in ("pactSpecification", "pact-specification"):
        specification = metadata.get(name)
        if isinstance(specification, dict) and _is_truthy(specification.get("version")):
            return specification["version"]
    oldest_spelling = metadata.get("pactSpecificationVersion")
    return oldest_spelling if _is_truthy(oldest_spelling) else None


def find_specification_version(document: Document) -> str | None:
    """Find the version of the Pact specification that a document declares, if it is a text."""
    version = _specification_version(document.tree)
    return version if isinstance(version, str) else None


def list_plugins(document: Document) -> list[str]:
    """List the plugins that a document needs for its verification, with their versions."""
    metadata = document.tree.get("metadata")
    entries = metadata.get("plugins") if isinstance(metadata, dict) else None
    plugins = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    names_and_versions = ((plugin.get("name"), plugin.get("version")) for plugin in plugins)
    return [
        f"{name} {version}" if isinstance(version, str) else name
        for name, version in names_and_versions
        if isinstance(name, str)
    ]


def _hash(text: str) -> str:
    return sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _serialize_with_ids(document: Document, sorted_text: Callable[[Json], str]) -> str:
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_with_id(item, sorted_text) for item in items]
    return _serialize_plain(tree) if document.is_plain else _serialize_with(tree, _number_as_written)


def _with_id(item: Json, sorted_text: Callable[[Json], str]) -> Json:
    if not isinstance(item, dict):
        return item
    if "_id" in item:
        return {"_id": item["_id"], **item}
    return {"_id": _hash(sorted_text(item)), **item}


_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def _encode(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # UTF-8 cannot represent half of a surrogate pair, but a JSON escape can
        return _SURROGATES.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode()


_json_sorted: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _serialize_plain(tree: Json) -> str:
    """Write compact JSON. The slower encoder is for large integers and lone surrogates, which orjson rejects."""
    try:
        return orjson.dumps(tree).decode()
    except TypeError:
        return _json(tree)


def _serialize_sorted(tree: Json) -> str:
    """Write compact JSON with the members of all objects sorted by name."""
    try:
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return _json_sorted(tree)


def _serialize_canonical(tree: Json) -> str:
    return _serialize_with(tree, _canonical_number, is_sorted=True)


def _serialize_with(tree: Json, write_number: Callable[[float], str], *, is_sorted: bool = False) -> str:
    """Write JSON like the fast encoders, but each float by `write_number`."""
    if isinstance(tree, dict):
        names = sorted(tree) if is_sorted else tree
        members = (
            f"{_serialize_plain(name)}:{_serialize_with(tree[name], write_number, is_sorted=is_sorted)}"
            for name in names
        )
        return "{" + ",".join(members) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(_serialize_with(item, write_number, is_sorted=is_sorted) for item in tree) + "]"
    return write_number(tree) if isinstance(tree, float) else _serialize_plain(tree)


def serialize(tree: Json, *, is_sorted: bool = False) -> str:
    """Write a part of a document as it is stored, or with the members of its objects sorted by name."""
    return _encode(_serialize_with(tree, _number_as_written, is_sorted=is_sorted)).decode()


def _number_as_written(number: float) -> str:
    return number.text if isinstance(number, Number) else repr(number)


def _canonical_number(number: float) -> str:
    """Write a number for the hash, as Ruby does: the shortest exact decimal, plain from 1e-7 to below 1e16."""
    if isinstance(number, Number) and re.fullmatch(r"-?[0-9]+", number.text):
        return "0" if number.text == "-0" else number.text
    text = repr(float(number))
    if text in {"inf", "-inf", "nan"}:
        return _number_as_written(number)
    if "e-" not in text:
        return text
    mantissa, _, exponent = text.partition("e-")
    return format(Decimal(text), "f") if int(exponent) <= 7 else f"{mantissa}e-{int(exponent)}"  # noqa: PLR2004 - 1e-7 is the last written plainly


class MergeConflict(Exception):
    """Raised for two documents that contradict each other."""


def merge_documents(existing: Document, new: Document, *, checks_requests: bool) -> Document:
    """Merge a new document into an existing one. All members but the interactions come from the existing document.

    A new interaction replaces the existing one with the same description and provider state, or is appended. Raises
    MergeConflict if either document has no interactions, or, with `checks_requests`, if an interaction would be
    replaced by one with a different request: then two test suites use one name for two interactions.
    """
    existing_items, new_items = existing.tree.get("interactions"), new.tree.get("interactions")
    if not isinstance(existing_items, list) or not isinstance(new_items, list):
        raise MergeConflict
    merged = {_merge_key(item): item for item in existing_items}
    for item in new_items:
        replaced = merged.get(_merge_key(item))
        if checks_requests and replaced is not None and _request(replaced) != _request(item):
            raise MergeConflict
        merged[_merge_key(item)] = item
    tree = {**existing.tree, "interactions": list(merged.values())}
    return Document(tree, is_plain=existing.is_plain and new.is_plain)


def _merge_key(item: Json) -> str:
    if not isinstance(item, dict):
        return _serialize_canonical(item)
    states = (item.get(name) for name in ("provider_state", "providerState", "providerStates"))
    first_state = next((state for state in states if state is not None), None)
    return _serialize_canonical([item.get("description"), first_state])


def _request(item: Json) -> str:
    request = item.get("request") if isinstance(item, dict) else None
    parts = request if isinstance(request, dict) else {}
    return _serialize_canonical([parts.get(name) for name in ("method", "path", "query", "body", "headers")])


def remove_broker_ids(document: Document) -> Document:
    """Remove the ids that the broker added when the document was stored, so that its hash can be computed again."""
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_without_broker_id(item) for item in items]
    return Document(tree, document.is_plain)


def remove_all_ids(document: Document) -> Document:
    """Remove the ids of all interactions, including those that the client set."""
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_without_id(item) for item in items]
    return Document(tree, document.is_plain)


def _without_id(item: Json) -> Json:
    return {name: value for name, value in item.items() if name != "_id"} if isinstance(item, dict) else item


def _without_broker_id(item: Json) -> Json:
    # The broker's id is the hash of the rest. Any other id comes from the client, and counts for the content's hash.
    if not isinstance(item, dict) or "_id" not in item:
        return item
    rest = _without_id(item)
    return rest if item["_id"] == _hash(_serialize_canonical(rest)) else item


def find_names(document: Document) -> tuple[Json, Json]:
    """Find the names of consumer and provider inside a document; None where it has none. They may be any JSON."""
    consumer, provider = (document.tree.get(role) for role in ("consumer", "provider"))
    return (
        consumer.get("name") if isinstance(consumer, dict) else None,
        provider.get("name") if isinstance(provider, dict) else None,
    )
