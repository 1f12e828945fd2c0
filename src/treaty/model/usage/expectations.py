"""Extracts from a pact what its consumer relies on, in versions 1 to 4 of the Pact specification.

An expectation is a place (a part of the request, the response or the message), a name there, and how strictly the
provider has to meet it. Names of body fields are JSON pointers, in which `*` stands for the items of an array, and
`{key}` for the keys of an object that a matching rule leaves open. Example values are no part of the index, apart from
descriptions, provider states and paths.

A pact may contain any JSON, so this module relies on no structure: what it cannot interpret is no expectation.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha1
from threading import Lock
from typing import Final

import orjson

from treaty.errors import Malformed
from treaty.model.pacts import documents
from treaty.model.pacts.documents import Document, Json
from treaty.model.pacts.interactions import NO_BODY, classify, parse_query, read_body, read_metadata
from treaty.model.pacts.upgrading import list_states
from treaty.model.usage.operations import generalize_path
from treaty.model.usage.strictness import RulePaths, Strictness, read_rule_paths

ITEM: Final = "*"
"""Step of a JSON pointer to the items of an array."""
OPEN_KEY: Final = "{key}"
"""Step of a JSON pointer to the members of an object whose keys are examples."""
MAX_NAME_LENGTH: Final = 400
"""Characters of a name; longer ones are cut. PostgreSQL cannot index texts of more than 2,700 bytes."""
MAX_VALUES: Final = 5000
"""Values of an interaction's bodies that are examined."""
MAX_INTERACTIONS: Final = 20_000
"""Interactions of a pact that are examined."""


class Place(StrEnum):
    """Part of an interaction to which an expectation applies."""

    __hash__ = str.__hash__  # enumerations compute theirs in Python, which takes many times as long

    OPERATION = "operation"
    MESSAGE = "message"
    DESCRIPTION = "description"
    STATE = "state"
    REQUEST_QUERY = "request.query"
    REQUEST_HEADER = "request.header"
    REQUEST_BODY = "request.body"
    REQUEST_METADATA = "request.metadata"
    RESPONSE_HEADER = "response.header"
    RESPONSE_BODY = "response.body"
    RESPONSE_METADATA = "response.metadata"
    MESSAGE_BODY = "message.body"
    MESSAGE_METADATA = "message.metadata"


BODIES: Final = (Place.REQUEST_BODY, Place.RESPONSE_BODY, Place.MESSAGE_BODY)
HEADERS: Final = (Place.REQUEST_HEADER, Place.RESPONSE_HEADER)
FIELDS: Final = (
    *BODIES,
    *HEADERS,
    Place.REQUEST_QUERY,
    Place.REQUEST_METADATA,
    Place.RESPONSE_METADATA,
    Place.MESSAGE_METADATA,
)
"""Places whose names are fields."""

TermKey = tuple[Place, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexedInteraction:
    """What an interaction expects. Interactions that differ in example values only are equal."""

    kind: str
    description: str
    operation: TermKey | None
    """The operation, or the message."""
    expectations: Mapping[TermKey, Strictness]
    is_truncated: bool

    @property
    def digest(self) -> str:
        """Equal for interactions with the same expectations."""
        lines = sorted(f"{place} {name} {strictness:d}" for (place, name), strictness in self.expectations.items())
        text = "\n".join((self.kind, self.description, str(self.is_truncated), *lines))
        return sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()


@dataclass(frozen=True, slots=True)
class IndexedContent:
    """The interactions of a pact, without duplicates."""

    interactions: Mapping[str, IndexedInteraction]
    """By digest."""
    is_truncated: bool
    """Whether a part of the pact is too large to be examined."""


class DigestCache:
    """Cache of the digests of interactions, by the hashes of their JSON. The least recently used are evicted."""

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._digests: OrderedDict[bytes, str] = OrderedDict()
        self._lock = Lock()

    def find(self, key: bytes) -> str | None:
        with self._lock:
            digest = self._digests.get(key)
            if digest is not None:
                self._digests.move_to_end(key)
            return digest

    def add(self, key: bytes, digest: str) -> None:
        with self._lock:
            self._digests[key] = digest
            if len(self._digests) > self._max_size:
                self._digests.popitem(last=False)


def field_of(place: Place, name: str) -> str | None:
    """Return the name of the field that an expectation is about; None if it is about no field."""
    if place in BODIES:
        steps = [step for step in name.split("/")[1:] if step not in {ITEM, OPEN_KEY}]
        return steps[-1].replace("~1", "/").replace("~0", "~") if steps else None
    return name if place in FIELDS else None


def index_content(body: bytes) -> IndexedContent:
    """Extract the expectations from the JSON of a pact. Never raises: JSON without interactions has no expectations."""
    return index_tree(_parse(body))


def index_tree(tree: Mapping[str, Json]) -> IndexedContent:
    """Extract the expectations from a parsed pact."""
    items = _list_items(tree)
    indexed = [_index_interaction(*item) for item in items[:MAX_INTERACTIONS]]
    return IndexedContent(
        interactions={interaction.digest: interaction for interaction in indexed},
        is_truncated=len(items) > MAX_INTERACTIONS or any(interaction.is_truncated for interaction in indexed),
    )


_Item = tuple[Mapping[str, Json], str]
"""An interaction, with the name of the list that contains it."""


def _list_items(tree: Mapping[str, Json]) -> list[_Item]:
    return [
        (item, list_name)
        for list_name in ("interactions", "messages")
        for item in _list(tree.get(list_name))
        if isinstance(item, dict)
    ]


def index_document(document: Document, cache: DigestCache) -> IndexedContent:
    """Extract the expectations from a published pact, as `index_tree` does; of some interactions only the digests.

    A new version of a pact usually changes one interaction of many, and the index has the others already. So the
    expectations of an interaction with a cached digest are extracted only when they are accessed.
    """
    items = _list_items(document.tree)
    if not document.is_plain or len(items) > MAX_INTERACTIONS:
        return index_tree(document.tree)
    interactions = _LazyInteractions()
    is_truncated = False
    for item in items:
        key = _cache_key(item)
        digest = None if key is None else cache.find(key)
        if digest is not None:
            interactions.postpone(digest, item)
            continue
        interaction = _index_interaction(*item)
        digest = interaction.digest
        interactions.add(digest, interaction)
        is_truncated = is_truncated or interaction.is_truncated
        if key is not None and not interaction.is_truncated:
            cache.add(key, digest)
    return IndexedContent(interactions, is_truncated)


def _cache_key(item: _Item) -> bytes | None:
    """Hash an interaction; None for one that orjson cannot write, such as one with a lone surrogate."""
    interaction, list_name = item
    try:
        text = orjson.dumps(interaction)
    except TypeError:
        return None
    return sha1(list_name.encode() + text, usedforsecurity=False).digest()


class _LazyInteractions(Mapping[str, IndexedInteraction]):
    """Interactions by digest, some of which are extracted when they are accessed."""

    def __init__(self) -> None:
        self._interactions: dict[str, IndexedInteraction | None] = {}
        self._items: dict[str, _Item] = {}

    def add(self, digest: str, interaction: IndexedInteraction) -> None:
        self._interactions[digest] = interaction

    def postpone(self, digest: str, item: _Item) -> None:
        if digest not in self._interactions:
            self._interactions[digest] = None
            self._items[digest] = item

    def __getitem__(self, digest: str) -> IndexedInteraction:
        interaction = self._interactions[digest]
        if interaction is None:
            interaction = self._interactions[digest] = _index_interaction(*self._items[digest])
        return interaction

    def __iter__(self) -> Iterator[str]:
        return iter(self._interactions)

    def __len__(self) -> int:
        return len(self._interactions)


def _parse(body: bytes) -> Mapping[str, Json]:
    try:
        # Several times as fast as the exact parser, whose only advantage is that it keeps the spelling of numbers.
        tree = orjson.loads(body)
    except ValueError:
        try:
            tree = documents.parse_document(body).tree
        except Malformed:
            return {}
    return tree if isinstance(tree, dict) else {}


def _list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else ()


@dataclass(slots=True)
class _Collector:
    """Collects the expectations of an interaction; of several for one name, the strictest counts."""

    expectations: dict[TermKey, Strictness] = field(default_factory=dict)
    remaining_values: int = MAX_VALUES
    is_truncated: bool = False

    def add(self, place: Place, name: str, strictness: Strictness) -> TermKey:
        if not name.isascii() or len(name) > MAX_NAME_LENGTH or "\0" in name:
            self.is_truncated = self.is_truncated or len(name) > MAX_NAME_LENGTH
            name = clean(name)
        key = (place, name)
        existing = self.expectations.get(key)
        if existing is None or strictness > existing:
            self.expectations[key] = strictness
        return key

    def add_body(self, place: Place, body: Json, rules: RulePaths) -> None:
        self._add_value(place, body, "", rules)

    def _add_value(self, place: Place, value: Json, pointer: str, rules: RulePaths) -> None:
        if self.remaining_values == 0 or len(pointer) > MAX_NAME_LENGTH:
            self.is_truncated = True
            return
        self.remaining_values -= 1
        self.add(place, pointer, rules.find_strictness(value))
        if isinstance(value, dict):
            has_open_keys = rules.has_open_keys
            for name, child in value.items():
                step = OPEN_KEY if has_open_keys else name
                if "~" in step or "/" in step:
                    step = step.replace("~", "~0").replace("/", "~1")
                self._add_value(place, child, f"{pointer}/{step}", rules.descend(name))
        elif isinstance(value, list):
            for index, child in enumerate(value):
                self._add_value(place, child, f"{pointer}/{ITEM}", rules.descend(str(index)))


def clean(text: str) -> str:
    """Replace characters that a database cannot store, and cut long texts."""
    return text.encode("utf-8", "replace").decode()[:MAX_NAME_LENGTH].replace("\0", "\ufffd")


def _index_interaction(item: Mapping[str, Json], list_name: str) -> IndexedInteraction:
    collector = _Collector()
    kind = classify(item, list_name)
    description = item.get("description")
    text = description if isinstance(description, str) and description.strip() else "(no description)"
    _, cleaned_description = collector.add(Place.DESCRIPTION, text, Strictness.PRESENCE)
    for state in _iterate_states(item):
        collector.add(Place.STATE, state, Strictness.EXACT)
    operation = _index_http(collector, item) if kind == "HTTP" else _index_message(collector, item, kind, text)
    return IndexedInteraction(
        kind=kind,
        description=cleaned_description,
        operation=operation,
        expectations=collector.expectations,
        is_truncated=collector.is_truncated,
    )


def _iterate_states(item: Mapping[str, Json]) -> Iterator[str]:
    for state in _list(list_states(item)):
        name = state.get("name") if isinstance(state, dict) else None
        if isinstance(name, str):
            yield name


def _index_http(collector: _Collector, item: Mapping[str, Json]) -> TermKey | None:
    operation = None
    for part in _parts(item.get("request")):
        rules = read_rule_paths(part)
        operation = _add_operation(collector, part, rules) or operation
        _add_fields(collector, Place.REQUEST_QUERY, parse_query(part.get("query")), rules.descend("query"))
        _add_headers_and_body(collector, part, rules, (Place.REQUEST_HEADER, Place.REQUEST_BODY))
    for part in _parts(item.get("response")):
        _add_headers_and_body(collector, part, read_rule_paths(part), (Place.RESPONSE_HEADER, Place.RESPONSE_BODY))
    return operation


def _parts(value: Json) -> Iterator[Mapping[str, Json]]:
    # A message may have several replies.
    yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, dict))


def _add_operation(collector: _Collector, part: Mapping[str, Json], rules: RulePaths) -> TermKey | None:
    method, path = part.get("method"), part.get("path")
    if not isinstance(path, str):
        return None
    path_rules = rules.descend("path")
    verb = method.upper() if isinstance(method, str) and method else "GET"
    name = f"{verb} {generalize_path(path, path_rules.regex)}"
    return collector.add(Place.OPERATION, name, path_rules.find_strictness(path))


def _add_fields(
    collector: _Collector, place: Place, fields: Json, rules: RulePaths, *, ignores_case: bool = False
) -> None:
    for name, value in fields.items() if isinstance(fields, dict) else ():
        strictness = rules.descend_to_field(name).find_strictness(value, is_field=True)
        collector.add(place, name.lower() if ignores_case else name, strictness)


def _add_headers_and_body(
    collector: _Collector, part: Mapping[str, Json], rules: RulePaths, places: tuple[Place, Place]
) -> None:
    header_place, body_place = places
    _add_fields(collector, header_place, part.get("headers"), rules.descend("header"), ignores_case=True)
    _add_body(collector, body_place, part, rules)


def _add_body(collector: _Collector, place: Place, part: Mapping[str, Json], rules: RulePaths) -> None:
    body, _media_type = read_body(part)
    if body is not NO_BODY and body is not None:
        collector.add_body(place, body, rules.descend("body"))


def _index_message(collector: _Collector, item: Mapping[str, Json], kind: str, description: str) -> TermKey:
    if kind == "Message":
        _add_message_part(collector, item, (Place.MESSAGE_METADATA, Place.MESSAGE_BODY))
    else:
        for part in _parts(item.get("request")):
            _add_message_part(collector, part, (Place.REQUEST_METADATA, Place.REQUEST_BODY))
        for part in _parts(item.get("response")):
            _add_message_part(collector, part, (Place.RESPONSE_METADATA, Place.RESPONSE_BODY))
    services = [collector.add(Place.MESSAGE, name, Strictness.EXACT) for name in _iterate_services(item)]
    return services[0] if services else collector.add(Place.MESSAGE, description, Strictness.EXACT)


def _add_message_part(collector: _Collector, part: Mapping[str, Json], places: tuple[Place, Place]) -> None:
    metadata_place, body_place = places
    rules = read_rule_paths(part)
    _add_fields(collector, metadata_place, read_metadata(part), rules.descend("metadata"))
    _add_body(collector, body_place, part, rules)


def _iterate_services(item: Mapping[str, Json]) -> Iterable[str]:
    """Yield the services that plugins such as that for gRPC name: `Orders/Find`."""
    configuration = item.get("pluginConfiguration")
    for plugin in configuration.values() if isinstance(configuration, dict) else ():
        service = plugin.get("service") if isinstance(plugin, dict) else None
        if isinstance(service, str) and service:
            yield service.rpartition(".")[2]
