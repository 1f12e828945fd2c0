"""The content of pacts: its hash and its stored form.

The hash decides which contents are equal and share their verification results. It is the original broker's, bit for
bit: existing databases, links and the tools of other teams contain these hashes. `compute_sha` has the rules.

Numbers are stored as they were written: `1.10`, `1e2` and `12345678901234567890123` are returned unchanged. Only the
hash uses the original's canonical form of numbers.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

import orjson

from treaty.exact_json import encode, number_as_written, serialize_with
from treaty.model.pacts.documents import (
    BROKER_MEMBERS,
    Document,
    Json,
    canonical_number,
    find_specification,
    is_truthy,
    parse_document,
    serialize_canonical,
)


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
    serialize_item = _serialize_sorted if document.is_plain else serialize_canonical
    # The hash and the ids both need the sorted JSON of each interaction, which is most of the work for a large pact.
    # The document keeps the items alive, so their addresses identify them.
    cached_texts: dict[int, str] = {}

    def sorted_text(item: Json) -> str:
        text = cached_texts.get(id(item))
        if text is None:
            text = cached_texts[id(item)] = serialize_item(item)
        return text

    return Content(compute_sha(document, sorted_text), encode(_serialize_with_ids(document, sorted_text)))


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
    has_interactions = is_truthy(interactions)
    if not has_interactions and not is_truthy(messages):
        return _hash(_serialize_plain(tree) if document.is_plain else serialize_with(tree, canonical_number))
    if not isinstance(interactions, list) and not isinstance(messages, list):
        return _hash(sorted_text(tree))
    parts = []
    if isinstance(interactions, list):
        parts.append(f'"interactions":{_serialize_list(interactions, sorted_text, is_sorted=True)}')
    if isinstance(messages, list):
        parts.append(f'"messages":{_serialize_list(messages, sorted_text, is_sorted=not has_interactions)}')
    specification_version = find_specification(tree)
    if specification_version is not None:
        parts.append(f'"pact_specification_version":{sorted_text(specification_version)}')
    return _hash("{" + ",".join(parts) + "}")


def _serialize_list(items: list[Json], sorted_text: Callable[[Json], str], *, is_sorted: bool) -> str:
    texts = [sorted_text(item) for item in items]
    return "[" + ",".join(sorted(texts) if is_sorted else texts) + "]"


def find_specification_version(document: Document) -> str | None:
    """Find the version of the Pact specification that a document declares, if it is a text."""
    version = find_specification(document.tree)
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
    return _serialize_plain(tree) if document.is_plain else serialize_with(tree, number_as_written)


def _with_id(item: Json, sorted_text: Callable[[Json], str]) -> Json:
    if not isinstance(item, dict):
        return item
    if "_id" in item:
        return {"_id": item["_id"], **item}
    return {"_id": _hash(sorted_text(item)), **item}


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


def parse_published(raw: bytes) -> Document:
    """Parse a document that a client publishes, without what a broker has added to it.

    A pact that was fetched from a broker, this one or another, is thus the same content as the original. Raises
    Malformed.
    """
    document = parse_document(raw)
    if b'"_links"' in raw:
        document = _remove_links(document)
    return remove_broker_ids(document) if b'"_id"' in raw else document


def _remove_links(document: Document) -> Document:
    links = document.tree.get("_links")
    if not isinstance(links, dict) or "pb:pact-version" not in links:
        return document
    tree = {name: value for name, value in document.tree.items() if name not in BROKER_MEMBERS}
    return Document(tree, document.is_plain)


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
    return rest if item["_id"] == _hash(serialize_canonical(rest)) else item


def find_names(document: Document) -> tuple[Json, Json]:
    """Find the names of consumer and provider inside a document; None where it has none. They may be any JSON."""
    consumer, provider = (document.tree.get(role) for role in ("consumer", "provider"))
    return (
        consumer.get("name") if isinstance(consumer, dict) else None,
        provider.get("name") if isinstance(provider, dict) else None,
    )
