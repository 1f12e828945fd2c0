"""What verifiers say about each interaction. They send any JSON, of which two forms are known.

The verifiers of the newer libraries send a list, with an entry for each interaction that has an id. The Ruby verifier
sends an object with a list of tests, several for each interaction.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from treaty.model.pacts.interactions import Interaction

MAX_PROBLEMS: Final = 20
"""Of an interaction; the rest is found in the JSON."""
MAX_PROBLEM_LENGTH: Final = 1000
MAX_LENGTH: Final = 2_000_000
"""Characters of results that are read at all."""

Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class InteractionResult:
    """An interaction as it was tested."""

    id: str | None
    """The one that the broker gave the interaction when it kept the pact."""
    description: str
    state: str | None
    success: bool
    problems: tuple[str, ...]


def parse_results(text: str | None) -> list[InteractionResult]:
    """Read results; those that belong together become one."""
    if not text or len(text) > MAX_LENGTH:
        return []
    try:
        said: Json = json.loads(text)
    except (ValueError, RecursionError):  # numbers too long, lists too deep
        return []
    entries = said.get("tests") if isinstance(said, dict) else said
    read = (_entry(one) for one in entries if isinstance(one, dict)) if isinstance(entries, list) else ()
    return _joined(one for one in read if one is not None)


def match_results(
    interactions: Iterable[Interaction], results: Iterable[InteractionResult]
) -> dict[str, InteractionResult]:
    """Find what was said about interactions, by their ids; where the results hold none, by what they are called."""
    by_name: dict[tuple[str, str | None], InteractionResult] = {}
    by_id: dict[str, InteractionResult] = {}
    for one in results:
        if one.id is None:
            by_name[one.description, one.state] = one
        else:
            by_id[one.id] = one
    found = ((one.id, by_id.get(one.broker_id or "") or _named(one, by_name)) for one in interactions)
    return {name: result for name, result in found if result is not None}


def _named(one: Interaction, by_name: Mapping[tuple[str, str | None], InteractionResult]) -> InteractionResult | None:
    states = (*(state.name for state in one.states), None)
    return next((by_name[one.description, name] for name in states if (one.description, name) in by_name), None)


def _joined(results: Iterable[InteractionResult]) -> list[InteractionResult]:
    found: dict[tuple[str | None, ...], InteractionResult] = {}
    for one in results:
        key = (one.id,) if one.id is not None else (None, one.description, one.state)
        before = found.get(key)
        found[key] = one if before is None else _both(before, one)
    return list(found.values())


def _both(one: InteractionResult, other: InteractionResult) -> InteractionResult:
    problems = (*one.problems, *other.problems)[:MAX_PROBLEMS]
    return replace(one, success=one.success and other.success, problems=problems)


def _entry(said: dict[str, Json]) -> InteractionResult | None:
    success = said.get("success")
    if not isinstance(success, bool):
        status = said.get("status")
        if not isinstance(status, str):
            return None
        success = status == "passed"
    number = _text(said.get("interactionId"))
    description = _text(said.get("interactionDescription")) or _text(said.get("testDescription"))
    if number is None and description is None:
        return None
    return InteractionResult(
        id=number,
        description=description or "",
        state=_text(said.get("interactionProviderState")),
        success=success,
        problems=() if success else tuple(_problems(said))[:MAX_PROBLEMS],
    )


def _problems(said: dict[str, Json]) -> Iterator[str]:
    for one in _list(said.get("mismatches")):
        yield from _mismatch(one)
    exceptions = _list(said.get("exceptions")) or _list(said.get("exception"))
    differences = [text for one in _list(said.get("differences")) if (text := _member(one, "description"))]
    messages = [text for one in exceptions if (text := _member(one, "message"))]
    for text in differences or messages:
        test = _text(said.get("testDescription"))
        yield _cut(f"{test}: {text}" if test else text)


def _mismatch(one: Json) -> Iterator[str]:
    text = _member(one, "description") or _member(one, "mismatch")
    place = " ".join(part for name in ("attribute", "identifier") if (part := _member(one, name)))
    if text or place:
        yield _cut(": ".join(part for part in (place, text) if part))


def _list(given: Json) -> Sequence[Json]:
    return given if isinstance(given, list) else [given] if isinstance(given, dict) else []


def _member(given: Json, name: str) -> str | None:
    return _text(given.get(name)) if isinstance(given, dict) else None


def _text(given: Json) -> str | None:
    return given if isinstance(given, str) and given.strip() else None


def _cut(text: str) -> str:
    return text if len(text) <= MAX_PROBLEM_LENGTH else text[:MAX_PROBLEM_LENGTH] + "…"
