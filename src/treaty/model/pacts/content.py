"""The content of pacts: what identifies it, and how it is kept.

Numbers are kept as they were written: `1.10`, `1e2` and `12345678901234567890123` come back letter for letter. They are
only brought into one form for the hash, by which equal contents share their verifications.
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

from treaty.errors import Malformed, describe_invalid_utf8
from treaty.model.json_nesting import MAX_DEPTH, is_deeper

MAX_PLAIN_INTEGER_DIGITS: Final = 4000
"""Digits of an integer up to which Python reads it for sure."""

Json = Any


class Number(float):
    """A number whose text is not what Python would write for it; the text is kept."""

    __slots__ = ("text",)
    text: str

    @classmethod
    def written(cls, text: str) -> "Number":
        number = cls(text)
        number.text = text
        return number


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object as it was published."""

    tree: Mapping[str, Json]
    is_plain: bool
    """Whether every number reads the same when Python writes it."""


def parse_document(raw: bytes) -> Document:
    """Read a published document.

    Raises Malformed for what is no JSON object, is nested deeper than 50, or holds a number that is none.
    """
    text = _text(raw)
    odd: list[str] = []

    def number(written: str) -> float:
        value = float(written)
        if repr(value) == written and "e" not in written:
            return value
        odd.append(written)
        return Number.written(written)

    def integer(written: str) -> int | float:
        if len(written) < MAX_PLAIN_INTEGER_DIGITS and written != "-0":
            return int(written)
        odd.append(written)
        return Number.written(written)

    is_odd = "-0" in text and _NEGATIVE_ZERO.search(text) is not None
    try:
        tree = _parsed(text, number, integer, is_odd=is_odd)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise Malformed(f"JSON::ParserError - {error}") from error
    if not isinstance(tree, dict):
        raise Malformed(f"RuntimeError - Expected JSON Object in request body but found {_kind(tree)}")
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deeper(tree, MAX_DEPTH):
        raise _too_deep()
    return Document(tree, is_plain=not odd)


_NEGATIVE_ZERO: Final = re.compile(r"-0(?![0-9.eE])")


def _parsed(text: str, number: Callable[[str], float], integer: Callable[[str], int | float], *, is_odd: bool) -> Json:
    """Parse JSON. Integers are read the slow way only where Python would lose or refuse one."""
    if not is_odd:
        with suppress(_TooManyDigits):
            return _loads(text, number, None)
    return _loads(text, number, integer)


class _TooManyDigits(Exception):
    """An integer that is longer than Python reads."""


def _loads(text: str, number: Callable[[str], float], integer: Callable[[str], int | float] | None) -> Json:
    try:
        return json.loads(text, parse_float=number, parse_int=integer, parse_constant=_no_constant)
    except (json.JSONDecodeError, _NotANumber):
        raise
    except ValueError as error:
        raise _TooManyDigits from error


def _text(raw: bytes) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"Request body {describe_invalid_utf8(raw, error)}") from error
    if not text.strip():
        raise Malformed("JSON::ParserError - unexpected end of input at line 1 column 1")
    return text


class _NotANumber(ValueError):
    """NaN or an infinity, which JSON does not know."""


def _no_constant(name: str) -> float:
    raise _NotANumber(f"unexpected token '{name}'")


def _kind(tree: Json) -> str:
    names = {list: "Array", str: "String", int: "Integer", float: "Float", Number: "Float", bool: "TrueClass"}
    return "FalseClass" if tree is False else names.get(type(tree), "NilClass")


def _too_deep() -> Malformed:
    return Malformed(f"JSON::NestingError - nesting of {MAX_DEPTH + 1} is too deep")


_NESTS: Final = (dict, list)


@dataclass(frozen=True, slots=True)
class Content:
    """What is kept of a document: its identity, and its text with an id for each interaction."""

    sha: str
    body: bytes


def build_content(document: Document) -> Content:
    """Identify a document and make the text that is kept (the original's rules for both)."""
    canonical = _sorted_plain if document.is_plain else _sorted_careful
    known: dict[int, str] = {}

    def sorted_text(item: Json) -> str:
        text = known.get(id(item))
        if text is None:
            text = known[id(item)] = canonical(item)
        return text

    return Content(compute_sha(document, sorted_text), _bytes(_with_ids(document, sorted_text)))


def compute_sha(document: Document, sorted_text: Callable[[Json], str]) -> str:
    """Compute what identifies content: SHA-1 over what affects its verification, whatever the order of its members."""
    tree = document.tree
    interactions, messages = tree.get("interactions"), tree.get("messages")
    first = _truthy(interactions)
    if not first and not _truthy(messages):
        return _hashed(_text_plain(tree) if document.is_plain else _careful(tree, _canonical_number))
    if not isinstance(interactions, list) and not isinstance(messages, list):
        return _hashed(sorted_text(tree))
    parts = []
    if isinstance(interactions, list):
        parts.append(f'"interactions":{_list_text(interactions, sorted_text, is_sorted=True)}')
    if isinstance(messages, list):
        parts.append(f'"messages":{_list_text(messages, sorted_text, is_sorted=not first)}')
    specification = _specification(tree)
    if specification is not None:
        parts.append(f'"pact_specification_version":{sorted_text(specification)}')
    return _hashed("{" + ",".join(parts) + "}")


def _truthy(value: Json) -> bool:
    return value is not None and value is not False


def _list_text(items: list[Json], sorted_text: Callable[[Json], str], *, is_sorted: bool) -> str:
    texts = [sorted_text(item) for item in items]
    return "[" + ",".join(sorted(texts) if is_sorted else texts) + "]"


def _specification(tree: Mapping[str, Json]) -> Json:
    metadata = tree.get("metadata")
    if not isinstance(metadata, dict):
        return None
    for name in ("pactSpecification", "pact-specification"):
        inner = metadata.get(name)
        if isinstance(inner, dict) and _truthy(inner.get("version")):
            return inner["version"]
    old = metadata.get("pactSpecificationVersion")
    return old if _truthy(old) else None


def find_specification_version(document: Document) -> str | None:
    """Read which version of the Pact specification a document says that it follows."""
    said = _specification(document.tree)
    return said if isinstance(said, str) else None


def list_plugins(document: Document) -> list[str]:
    """List the plugins that a document needs to be verified, with their versions."""
    metadata = document.tree.get("metadata")
    listed = metadata.get("plugins") if isinstance(metadata, dict) else None
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    named = ((one.get("name"), one.get("version")) for one in known)
    return [
        f"{name} {version}" if isinstance(version, str) else name for name, version in named if isinstance(name, str)
    ]


def _hashed(text: str) -> str:
    return sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def _with_ids(document: Document, sorted_text: Callable[[Json], str]) -> str:
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_with_id(item, sorted_text) for item in items]
    return _text_plain(tree) if document.is_plain else _careful(tree, _number_as_written)


def _with_id(item: Json, sorted_text: Callable[[Json], str]) -> Json:
    if not isinstance(item, dict):
        return item
    if "_id" in item:
        return {"_id": item["_id"], **item}
    return {"_id": _hashed(sorted_text(item)), **item}


_SURROGATES: Final = re.compile("[\ud800-\udfff]")


def _bytes(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # half a pair, which only an escape can say
        return _SURROGATES.sub(lambda found: f"\\u{ord(found[0]):04x}", text).encode()


_json_sorted: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode
_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _text_plain(tree: Json) -> str:
    """Write JSON. What orjson refuses (integers beyond 64 bits, half surrogate pairs) is left to the slower encoder."""
    try:
        return orjson.dumps(tree).decode()
    except TypeError:
        return _json(tree)


def _sorted_plain(tree: Json) -> str:
    """Write JSON with the members of all objects in order."""
    try:
        return orjson.dumps(tree, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:
        return _json_sorted(tree)


def _sorted_careful(tree: Json) -> str:
    return _careful(tree, _canonical_number, is_sorted=True)


def _careful(tree: Json, number: Callable[[float], str], *, is_sorted: bool = False) -> str:
    """Write JSON like the plain encoders, but each number as `number` says."""
    if isinstance(tree, dict):
        names = sorted(tree) if is_sorted else tree
        members = (f"{_text_plain(name)}:{_careful(tree[name], number, is_sorted=is_sorted)}" for name in names)
        return "{" + ",".join(members) + "}"
    if isinstance(tree, list):
        return "[" + ",".join(_careful(item, number, is_sorted=is_sorted) for item in tree) + "]"
    return number(tree) if isinstance(tree, float) else _text_plain(tree)


def serialize(tree: Json, *, is_sorted: bool = False) -> str:
    """Write a part of a document as it is kept, or with the members of its objects in order."""
    return _bytes(_careful(tree, _number_as_written, is_sorted=is_sorted)).decode()


def _number_as_written(number: float) -> str:
    return number.text if isinstance(number, Number) else repr(number)


def _canonical_number(number: float) -> str:
    """Write a number as the original does: the shortest decimal that reads back, plain from 1e-7 to below 1e16."""
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
    """Two documents that contradict each other."""


def merge_documents(existing: Document, new: Document, *, checks_requests: bool) -> Document:
    """Put a document's interactions into another: those with the same description and state are replaced.

    Raises Unmergeable when either has no interactions, or when one asks for a different request under the same name.
    """
    old, more = existing.tree.get("interactions"), new.tree.get("interactions")
    if not isinstance(old, list) or not isinstance(more, list):
        raise MergeConflict
    merged = {_name(item): item for item in old}
    for item in more:
        before = merged.get(_name(item))
        if checks_requests and before is not None and _request(before) != _request(item):
            raise MergeConflict
        merged[_name(item)] = item
    tree = {**existing.tree, "interactions": list(merged.values())}
    return Document(tree, is_plain=existing.is_plain and new.is_plain)


def _name(item: Json) -> str:
    if not isinstance(item, dict):
        return _sorted_careful(item)
    states = (item.get(name) for name in ("provider_state", "providerState", "providerStates"))
    state = next((one for one in states if one is not None), None)
    return _sorted_careful([item.get("description"), state])


def _request(item: Json) -> str:
    request = item.get("request") if isinstance(item, dict) else None
    parts = request if isinstance(request, dict) else {}
    return _sorted_careful([parts.get(name) for name in ("method", "path", "query", "body", "headers")])


def remove_broker_ids(document: Document) -> Document:
    """Take off the ids that were given when the document was kept, so that it can be identified again."""
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_without_id(item) for item in items]
    return Document(tree, document.is_plain)


def remove_all_ids(document: Document) -> Document:
    """Take off the ids of all interactions, whoever gave them."""
    tree = dict(document.tree)
    for name in ("interactions", "messages"):
        items = tree.get(name)
        if isinstance(items, list):
            tree[name] = [_without_member(item, "_id") for item in items]
    return Document(tree, document.is_plain)


def _without_member(item: Json, member: str) -> Json:
    return {name: value for name, value in item.items() if name != member} if isinstance(item, dict) else item


def _without_id(item: Json) -> Json:
    """Take off an id that was given here; one that the client gave is a part of the interaction."""
    if not isinstance(item, dict) or "_id" not in item:
        return item
    rest = {name: value for name, value in item.items() if name != "_id"}
    return rest if item["_id"] == _hashed(_sorted_careful(rest)) else item


def find_names(document: Document) -> tuple[Json, Json]:
    """Read the names of consumer and provider that a document gives itself, if it does."""
    consumer, provider = (document.tree.get(role) for role in ("consumer", "provider"))
    return (
        consumer.get("name") if isinstance(consumer, dict) else None,
        provider.get("name") if isinstance(provider, dict) else None,
    )
