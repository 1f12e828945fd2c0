"""Names in the documents that providers publish, for search."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from treaty.model.usage.words import list_query_words, list_words

MAX_NAMES: Final = 5000
"""Distinct names of a document that are indexed: those that are first in this module are found in any case."""
MAX_WORDS_BYTES: Final = 400_000
"""Bytes of the words of all names. PostgreSQL cannot search in more than a megabyte."""
MAX_NAME_LENGTH: Final = 200
"""Characters of a name; longer ones are cut."""
_METHODS: Final = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace", "query"})


@dataclass(frozen=True, slots=True)
class DocumentedName:
    """A name in a document, and what it names: a title, an operation, a summary, a channel, a message and so on."""

    place: str
    name: str


class FoundName(NamedTuple):
    """A name that a search has found in the newest document that has it."""

    provider: str
    version: str | None
    """The newest version with the document; None if its versions have been deleted."""
    name: DocumentedName


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """The names of a document, each with its words, separated by spaces."""

    names: Mapping[DocumentedName, str]

    @property
    def words(self) -> list[str]:
        """All words, each once."""
        return list(dict.fromkeys(word for words in self.names.values() for word in words.split(" ")))

    def find(self, text: str) -> list[DocumentedName]:
        """Find the names with the words of a text."""
        beginnings = [f" {word}" for word in list_query_words(text)]
        return [
            name
            for name, words in self.names.items()
            if beginnings and all(beginning in f" {words}" for beginning in beginnings)
        ]


def index_document(content: Any) -> IndexedDocument:
    """Extract the names of a parsed document, which may be any JSON."""
    names: dict[DocumentedName, str] = {}
    remaining_bytes = MAX_WORDS_BYTES
    for place, text in _iterate(content if isinstance(content, Mapping) else {}):
        name = DocumentedName(place, text[:MAX_NAME_LENGTH].replace("\0", "\ufffd"))
        if name in names:
            continue
        words = " ".join(list_words(name.name))
        remaining_bytes -= len(words.encode())
        if len(names) == MAX_NAMES or remaining_bytes < 0:
            break
        if words:
            names[name] = words
    return IndexedDocument(names)


def _iterate(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    title = _members(content.get("info")).get("title")
    yield from [("title", title)] if isinstance(title, str) else []
    yield from _iterate_operations(content)
    components = _members(content.get("components"))
    for place, owner in (
        ("schema", content.get("definitions")),
        ("schema", components.get("schemas")),
        ("channel", content.get("channels")),
        ("message", components.get("messages")),
    ):
        yield from ((place, name) for name in _members(owner))
    yield from (("property", name) for name in _iterate_properties(content))


def _iterate_operations(content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for path, item in _members(content.get("paths")).items():
        for method, operation in _members(item).items():
            if method.lower() in _METHODS:
                yield "operation", f"{method.upper()} {path}"
                yield from _iterate_texts(operation)
    for name, operation in _members(content.get("operations")).items():
        yield "operation", name
        yield from _iterate_texts(operation)


def _iterate_texts(operation: Any) -> Iterator[tuple[str, str]]:
    own = _members(operation)
    for place, member in (("operation", "operationId"), ("summary", "summary")):
        if isinstance(own.get(member), str):
            yield place, own[member]


def _iterate_properties(content: Any) -> Iterator[str]:
    """Yield the names of the properties of all schemas, in the order of the document."""
    pending = [content]
    while pending:
        node = pending.pop()
        if isinstance(node, Mapping):
            yield from _members(node.get("properties"))
        children = list(node.values()) if isinstance(node, Mapping) else node if isinstance(node, list) else []
        pending += reversed(children)


def _members(value: Any) -> Mapping[str, Any]:
    """Return the members of an object with text as names; YAML may have others, and a document anything."""
    return {name: member for name, member in value.items() if isinstance(name, str)} if isinstance(value, dict) else {}
