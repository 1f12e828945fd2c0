"""Provider states: the states that a provider has to be in before interactions of its pacts are verified."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from treaty import exact_json
from treaty.model.pacts import documents
from treaty.model.pacts.documents import Document


def title_of(name: str) -> str:
    """Return the name of a state as people read it: they would not see a blank one."""
    return name if name.strip() else "(empty name)"


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderState:
    """A provider state, with the consumers whose pacts require it."""

    name: str
    params: str | None
    """Parameters as JSON."""
    consumers: tuple[str, ...]

    @property
    def title(self) -> str:
        return title_of(self.name)


@dataclass(frozen=True, slots=True)
class ProviderStates:
    """All states that the pacts of a provider require, ordered by name."""

    states: Sequence[ProviderState]
    left_out: Sequence[str] = ()
    """Consumers whose pacts are not among those that were read."""


def collect_provider_states(pacts: Iterable[tuple[str, bytes]]) -> ProviderStates:
    """Collect the states that pacts require. Each pact is the name of its consumer and its body.

    A state with different parameters is a different state: the provider has to prepare other data for it.
    """
    consumers_by_state: dict[tuple[str, str], list[str]] = {}
    for consumer, body in pacts:
        for name, params in _iterate_states(documents.parse_document(body)):
            key = (name, "" if params is None else exact_json.serialize(params, is_sorted=True))
            consumers_by_state.setdefault(key, []).append(consumer)
    return ProviderStates(
        [
            ProviderState(name=name, params=params or None, consumers=tuple(dict.fromkeys(consumers)))
            for (name, params), consumers in sorted(consumers_by_state.items())
        ]
    )


def _iterate_states(document: Document) -> Iterator[tuple[str, Any]]:
    for list_name in ("messages", "interactions"):
        items = document.tree.get(list_name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield from _iterate_states_of_item(item)


def _iterate_states_of_item(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # Versions 1 and 2 of the Pact specification have one state as a text, later versions a list with parameters.
    state, states = item.get("providerState"), item.get("providerStates")
    if isinstance(state, str):
        yield state, None
    for entry in states if isinstance(states, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry["name"], entry.get("params") or None
