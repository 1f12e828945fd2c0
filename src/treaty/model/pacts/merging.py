"""Merges two pacts of the same consumer and provider, without losing anything that a verifier needs.

The server merges what parallel jobs publish for one version, and the command line merges files: both by these rules.
Interactions are the same if they have the same type, description and provider states.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import islice
from typing import Final, NamedTuple

from treaty.exact_json import serialize, serialize_indented
from treaty.model.pacts.documents import BROKER_MEMBERS, Document, Json, find_specification, serialize_canonical
from treaty.model.pacts.upgrading import (
    ASYNCHRONOUS_MESSAGE,
    HTTP,
    INTERACTIONS_HAVE_TYPES,
    NotUpgradable,
    list_states,
    upgrade_interaction,
    upgrade_message,
)
from treaty.model.wording import choose_form

MAX_DIFF_LINES: Final = 100
"""Lines of a difference that a conflict shows."""
MAX_COMPARED_LINES: Final = 400
"""Lines compared per interaction; `unified_diff` takes quadratic time."""
LISTS: Final = {"interactions": HTTP, "messages": ASYNCHRONOUS_MESSAGE}
"""Lists of a document, with the type of items that have none."""


class MergeConflict(Exception):
    """Two pacts that contradict each other, or cannot be in one document. The text is the reason, in one sentence."""

    def __init__(self, reason: str, *, interactions: tuple[Json, Json] | None = None) -> None:
        super().__init__(reason)
        self.interactions = interactions
        """The two interactions that contradict each other."""

    @property
    def difference(self) -> str:
        """The lines in which the interactions differ, with `-` for the existing and `+` for the new one."""
        if self.interactions is None:
            return ""
        old, new = ([*islice(_list_lines(item), MAX_COMPARED_LINES)] for item in self.interactions)
        lines = [*unified_diff(old, new, lineterm="")][3:]  # the first lines name files and line numbers
        return "\n".join([*lines[:MAX_DIFF_LINES], *(["…"] if len(lines) > MAX_DIFF_LINES else [])])


def _list_lines(item: Json) -> Iterable[str]:
    return serialize_indented(_sort_members(_without_id(item))).splitlines()


def _sort_members(tree: Json) -> Json:
    if isinstance(tree, dict):
        return {name: _sort_members(tree[name]) for name in sorted(tree)}
    return [_sort_members(item) for item in tree] if isinstance(tree, list) else tree


def merge_documents(existing: Document, new: Document, *, is_newer: bool) -> Document:
    """Merge a document into an existing one. Raises MergeConflict if that would lose anything.

    Metadata and plugins are united. Of two specification versions, the earlier document is upgraded. If `is_newer`, a
    new interaction replaces the same existing one if only its response differs; a different request is a conflict:
    then two test suites use one name for two interactions. Otherwise neither document is newer, and any difference is
    a conflict, unless the interactions have no provider state: then both are kept, as by the original client.
    """
    old, aligned = _align(_require_pact(existing), _require_pact(new))
    tree = _unite(old.tree, {name: value for name, value in aligned.tree.items() if name not in BROKER_MEMBERS})
    for name, kind in LISTS.items():
        if tree.get(name) is not None:
            merged = _MergedItems(old.tree.get(name) or [], kind)
            merged.merge(aligned.tree.get(name) or [], is_newer=is_newer)
            tree[name] = merged.items
    _unite_plugins(tree, old.tree, aligned.tree)
    return Document(tree, is_plain=old.is_plain and aligned.is_plain)


def unite_metadata(existing: Document, new: Document) -> Document:
    """Add the metadata and plugins of another document with the same interactions. Raises MergeConflict."""
    tree = {**existing.tree}
    if "metadata" in new.tree:
        tree |= _unite(existing.tree, {"metadata": new.tree["metadata"]})
        _unite_plugins(tree, existing.tree, new.tree)
    return Document(tree, is_plain=existing.is_plain and new.is_plain)


def has_same_metadata(existing: Document, new: Document) -> bool:
    return _is_equal(existing.tree.get("metadata"), new.tree.get("metadata"))


def _require_pact(document: Document) -> Document:
    lists = [document.tree[name] for name in LISTS if document.tree.get(name) is not None]
    if not lists:
        raise MergeConflict("one of them has neither interactions nor messages")
    if not all(isinstance(items, list) for items in lists):
        raise MergeConflict("in one of them, the interactions or the messages are not a list")
    return document


# Versions of the specification


def _align(existing: Document, new: Document) -> tuple[Document, Document]:
    """Bring both documents to one version of the specification."""
    documents = (existing, new)
    versions = [version for document in documents if (version := find_specification(document.tree)) is not None]
    if _is_mixed(*documents):
        if len(versions) < len(documents):
            raise MergeConflict("one has interactions, the other messages, and not both declare a specification")
        existing, new = map(_without_empty_lists, documents)
        if _is_mixed(existing, new):
            # Only version 4 has both in one list. Earlier ones have two lists, of which verifiers read one.
            versions.append(_FIRST_VERSION_WITH_TYPES)
    if len({serialize_canonical(version) for version in versions}) <= 1 and not _is_ambiguous(versions):
        return existing, new
    target = max(versions, key=_major)
    return _upgrade(existing, target), _upgrade(new, target)


_FIRST_VERSION_WITH_TYPES: Final = "4.0"


def _is_ambiguous(versions: Sequence[Json]) -> bool:
    """Whether one document does not declare its version, and may need an upgrade to that of the other one."""
    return len(versions) == 1 and _major(versions[0]) >= INTERACTIONS_HAVE_TYPES


def _is_mixed(*documents: Document) -> bool:
    """Whether one document has interactions only, and the other one messages only."""
    kinds = [{name for name in LISTS if document.tree.get(name) is not None} for document in documents]
    return all(kinds) and kinds[0].isdisjoint(kinds[1])


def _without_empty_lists(document: Document) -> Document:
    tree = {name: value for name, value in document.tree.items() if name not in LISTS or value}
    return replace(document, tree=tree)


def _major(version: Json) -> int:
    digits = str(version).partition(".")[0]
    if not digits.isdecimal() or not 1 <= int(digits) <= INTERACTIONS_HAVE_TYPES:
        raise MergeConflict(f"the specification version {version} is unknown")
    return int(digits)


def _upgrade(document: Document, target: Json) -> Document:
    version = find_specification(document.tree)
    if version is not None and _major(version) == _major(target):
        return document
    major = _major(target)
    tree = {name: value for name, value in document.tree.items() if name not in LISTS}
    interactions = [_upgrade_item(item, version, target) for item in document.tree.get("interactions") or []]
    messages = [_upgrade_item(item, version, target, is_message=True) for item in document.tree.get("messages") or []]
    if major >= INTERACTIONS_HAVE_TYPES:
        tree["interactions"] = [*interactions, *messages]
    else:
        tree |= {
            name: items for name, items in zip(LISTS, (interactions, messages), strict=True) if name in document.tree
        }
    return Document(_declare_version(tree, target), is_plain=document.is_plain)


def _upgrade_item(item: Json, version: Json, target: Json, *, is_message: bool = False) -> Json:
    try:
        return upgrade_message(item, _major(target)) if is_message else upgrade_interaction(item, _major(target))
    except NotUpgradable as error:
        origin = "an undeclared specification version" if version is None else f"specification version {version}"
        raise MergeConflict(
            f"{describe_interaction(item)} cannot be upgraded from {origin} to {target} without a loss: {error}"
        ) from error


def _declare_version(tree: dict[str, Json], version: Json) -> dict[str, Json]:
    metadata = tree.get("metadata")
    others = {
        name: value
        for name, value in (metadata.items() if isinstance(metadata, dict) else ())
        if name not in {"pact-specification", "pactSpecificationVersion"}
    }
    return {**tree, "metadata": {**others, "pactSpecification": {"version": version}}}


# Metadata


def _unite(existing: Mapping[str, Json], new: Mapping[str, Json]) -> dict[str, Json]:
    """Unite two objects and the objects within. Of two other values for one member, the existing one stays."""
    united = dict(existing)
    for name, value in new.items():
        old_value = united.get(name)
        if isinstance(old_value, dict) and isinstance(value, dict):
            united[name] = _unite(old_value, value)
        elif old_value is None:
            united[name] = value
    return united


@dataclass(frozen=True, slots=True)
class _Plugin:
    entry: Mapping[str, Json]

    @property
    def key(self) -> str:
        return serialize_canonical([self.entry.get("name"), self.entry.get("version")])

    def unite(self, other: "_Plugin") -> "_Plugin":
        contradiction = _find_contradiction(self.entry, other.entry)
        if contradiction is not None:
            name = " ".join(str(self.entry[member]) for member in ("name", "version") if member in self.entry)
            raise MergeConflict(f"the plugin {name} has a different {contradiction} in each")
        return replace(self, entry=_unite(self.entry, other.entry))


def _find_contradiction(existing: Mapping[str, Json], new: Mapping[str, Json], path: str = "") -> str | None:
    """Find a member with different values, and return its path."""
    for name in existing.keys() & new.keys():
        old_value, value = existing[name], new[name]
        if isinstance(old_value, dict) and isinstance(value, dict):
            inner = _find_contradiction(old_value, value, f"{path}{name}.")
            if inner is not None:
                return inner
        elif not _is_equal(old_value, value):
            return f"{path}{name}"
    return None


def _unite_plugins(tree: dict[str, Json], *sources: Mapping[str, Json]) -> None:
    """Put the plugins of all documents, by name and version, into the metadata of the merged document."""
    lists = [
        metadata["plugins"]
        for source in sources
        if isinstance(metadata := source.get("metadata"), dict) and isinstance(metadata.get("plugins"), list)
    ]
    plugins: dict[str, _Plugin] = {}
    for entry in (entry for entries in lists for entry in entries if isinstance(entry, dict)):
        plugin = _Plugin(entry)
        plugins[plugin.key] = plugins[plugin.key].unite(plugin) if plugin.key in plugins else plugin
    if len(lists) > 1:
        tree["metadata"] = {**tree["metadata"], "plugins": [dict(plugin.entry) for plugin in plugins.values()]}


# Interactions


class _Identity(NamedTuple):
    """The properties that identify an interaction."""

    kind: str
    description: str
    states: str
    """Provider states as JSON; empty if there are none."""


def _identify(item: Json, kind: str) -> _Identity:
    if not isinstance(item, dict):
        return _Identity("", serialize_canonical(item), "")
    description, states = item.get("description"), _normalize_states(list_states(item))
    return _Identity(
        item["type"] if isinstance(item.get("type"), str) else kind,
        # The null character keeps null and the text "null" apart, and 7 and "7".
        description if isinstance(description, str) else f"\0{serialize_canonical(description)}",
        serialize_canonical(states) if states else "",
    )


def _normalize_states(states: Json) -> Json:
    """Leave out empty parameters, so that the forms of all versions are equal."""
    if not isinstance(states, list):
        return states
    return [
        {name: value for name, value in state.items() if name != "params" or value}
        if isinstance(state, dict)
        else state
        for state in states
    ]


class _Namesakes:
    """The items of a merged list that have one identity. A document may have several of them, even thousands.

    Each new item has at most one existing counterpart. Lookups do not depend on the number of items.
    """

    def __init__(self) -> None:
        self._by_text: dict[str, int] = {}
        self._by_request: dict[str, deque[int]] = {}
        self.unclaimed: dict[int, None] = {}
        """Positions of the existing items that have no counterpart yet, in their order."""

    def add(self, position: int, item: Json, *, is_existing: bool) -> None:
        self._by_text.setdefault(_item_text(item), position)
        if is_existing:
            self._by_request.setdefault(_request_text(item), deque()).append(position)
            self.unclaimed[position] = None

    def claim_equal(self, item: Json) -> bool:
        """Find an item without a difference, and claim it."""
        position = self._by_text.get(_item_text(item))
        if position is not None:
            self.unclaimed.pop(position, None)
        return position is not None

    def claim_with_request(self, item: Json) -> int | None:
        """Find the first existing item with the same request that has no counterpart, and claim it."""
        positions = self._by_request.get(_request_text(item), deque())
        while positions:
            position = positions.popleft()
            if position in self.unclaimed:
                del self.unclaimed[position]
                return position
        return None


class _MergedItems:
    """The interactions or messages of a merged document."""

    def __init__(self, existing: Sequence[Json], kind: str) -> None:
        self.items = list(existing)
        self._kind = kind
        self._positions: dict[_Identity, list[int]] = {}
        # Indexed on first use: a document with many interactions is often merged with one that has few.
        self._namesakes: dict[_Identity, _Namesakes] = {}
        for position, item in enumerate(existing):
            self._positions.setdefault(_identify(item, kind), []).append(position)

    def merge(self, new: Sequence[Json], *, is_newer: bool) -> None:
        identified = [(_identify(item, self._kind), item) for item in new]
        # First those without a difference, so that they are not taken for the counterparts of others.
        changed = [pair for pair in identified if not self._find_namesakes(pair[0]).claim_equal(pair[1])]
        for identity, item in changed:
            if not self._find_namesakes(identity).claim_equal(item):
                self._merge_changed(identity, item, is_newer=is_newer)

    def _find_namesakes(self, identity: _Identity) -> _Namesakes:
        namesakes = self._namesakes.get(identity)
        if namesakes is None:
            namesakes = self._namesakes[identity] = _Namesakes()
            for position in self._positions.get(identity, ()):
                namesakes.add(position, self.items[position], is_existing=True)
        return namesakes

    def _merge_changed(self, identity: _Identity, item: Json, *, is_newer: bool) -> None:
        namesakes = self._find_namesakes(identity)
        position = namesakes.claim_with_request(item) if is_newer else None
        if position is None and namesakes.unclaimed and (is_newer or identity.states):
            raise _contradiction(self.items[next(iter(namesakes.unclaimed))], item)
        if position is None:
            self.items.append(item)
            position = len(self.items) - 1
        self.items[position] = item
        namesakes.add(position, item, is_existing=False)


def _contradiction(existing: Json, new: Json) -> MergeConflict:
    has_same_request = _request_text(existing) == _request_text(new)
    part = "request" if not has_same_request else "response" if "response" in new else "content"
    return MergeConflict(f"{describe_interaction(new)} has a different {part} in each", interactions=(existing, new))


def describe_interaction(item: Json) -> str:
    """Name an interaction by its description and provider states."""
    if not isinstance(item, dict):
        return "an interaction that is not an object"
    states = _list_state_names(item)
    suffix = (
        f" (provider {choose_form(len(states), 'state', 'states')} {', '.join(map(_quote, states))})" if states else ""
    )
    return f"the interaction {_quote(item.get('description'))}{suffix}"


def describe_states(item: Mapping[str, Json]) -> str:
    """Return the names of an interaction's provider states."""
    return ", ".join(name if isinstance(name, str) else serialize(name) for name in _list_state_names(item))


def _list_state_names(item: Mapping[str, Json]) -> list[Json]:
    states = list_states(item)
    listed = states if isinstance(states, list) else [] if states is None else [states]
    return [state.get("name") if isinstance(state, dict) else state for state in listed]


def _quote(name: Json) -> str:
    return f'"{name}"' if isinstance(name, str) else serialize(name)


def _request_text(item: Json) -> str:
    """Write the parts of a request that are sent to the provider; rules for it concern the consumer's tests only."""
    request = item.get("request") if isinstance(item, dict) else None
    if not isinstance(request, dict):
        return serialize_canonical(request)
    ignored = {"matchingRules", "generators"}
    return serialize_canonical(
        {name: value for name, value in request.items() if name not in ignored and value is not None}
    )


def _item_text(item: Json) -> str:
    return serialize_canonical(_without_id(item))


def _without_id(item: Json) -> Json:
    return {name: value for name, value in item.items() if name != "_id"} if isinstance(item, dict) else item


def _is_equal(existing: Json, new: Json) -> bool:
    return serialize_canonical(existing) == serialize_canonical(new)
