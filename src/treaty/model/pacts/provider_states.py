"""Provider states: what pacts ask their provider to be like before they are verified."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from treaty.model.pacts import content
from treaty.model.pacts.content import Document


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderState:
    """A state, with whoever asks for it."""

    name: str
    params: str | None
    """A JSON value."""
    consumers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProviderStates:
    """All states that pacts ask for, by name."""

    states: Sequence[ProviderState]


def collect_provider_states(pacts: Iterable[tuple[str, bytes]]) -> ProviderStates:
    """Collect the states that pacts of consumers ask for, by name. Those with other parameters are other states."""
    found: dict[tuple[str, str], list[str]] = {}
    for consumer, body in pacts:
        for name, params in _states(content.parse_document(body)):
            key = (name, "" if params is None else content.serialize(params, is_sorted=True))
            found.setdefault(key, []).append(consumer)
    return ProviderStates(
        [
            ProviderState(name=name, params=params or None, consumers=tuple(dict.fromkeys(consumers)))
            for (name, params), consumers in sorted(found.items())
        ]
    )


def _states(document: Document) -> Iterator[tuple[str, Any]]:
    for name in ("messages", "interactions"):
        items = document.tree.get(name)
        for item in items if isinstance(items, list) else ():
            if isinstance(item, dict):
                yield from _states_of(item)


def _states_of(item: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    state, states = item.get("providerState"), item.get("providerStates")
    if isinstance(state, str) and state:
        yield state, None
    for one in states if isinstance(states, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            yield one["name"], one.get("params") or None
