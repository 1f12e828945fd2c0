"""Results of single interactions, read from the `testResults` that verifiers send.

The broker accepts any JSON there. Two formats are known: the verifiers of the newer libraries send a list with an entry
for each interaction, which has an id. The Ruby verifier sends an object with a list of tests, several for each
interaction, which are named by description and provider state.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from treaty.model.pacts.interactions import Interaction

MAX_PROBLEMS: Final = 20
"""Problems shown for an interaction; the JSON has all of them."""
MAX_PROBLEM_LENGTH: Final = 20_000
"""Characters shown of a problem."""
MAX_SUMMARY_LENGTH: Final = 200
"""Characters of the line that stands for a group of failures until it is expanded."""
MAX_LENGTH: Final = 2_000_000
"""Characters; longer results are not parsed, because a page must not keep a worker busy for seconds."""

Json = Any


@dataclass(frozen=True, kw_only=True, slots=True)
class InteractionResult:
    """The result of one interaction."""

    id: str | None
    """The id that the broker added to the interaction when it stored the pact."""
    description: str
    state: str | None
    success: bool
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Interactions that failed with the same messages."""

    problems: tuple[str, ...]
    """Empty if the verifier gave no reason."""
    results: Sequence[InteractionResult]

    @property
    def summary(self) -> str:
        """The first line of the first message, truncated."""
        first_line = next((line.strip() for text in self.problems for line in text.splitlines() if line.strip()), "")
        return first_line if len(first_line) <= MAX_SUMMARY_LENGTH else first_line[:MAX_SUMMARY_LENGTH] + "…"

    @property
    def has_more(self) -> bool:
        """Whether the messages contain more than their summary."""
        return "\n".join(self.problems).strip() != self.summary


def group_failures(results: Iterable[InteractionResult]) -> list[FailureGroup]:
    """Group the failures with equal messages, the most frequent messages first."""
    by_problems: dict[tuple[str, ...], list[InteractionResult]] = {}
    for result in results:
        if not result.success:
            by_problems.setdefault(result.problems, []).append(result)
    groups = [FailureGroup(problems, failed) for problems, failed in by_problems.items()]
    return sorted(groups, key=lambda group: -len(group.results))


def parse_results(text: str | None) -> list[InteractionResult]:
    """Parse results, one for each interaction. Returns an empty list for unknown formats."""
    if not text or len(text) > MAX_LENGTH:
        return []
    try:
        results: Json = json.loads(text)
    except (ValueError, RecursionError):  # not JSON, too many digits, or nested too deeply
        return []
    entries = results.get("tests") if isinstance(results, dict) else results
    if not isinstance(entries, list):
        return []
    parsed = (_parse_entry(entry) for entry in entries if isinstance(entry, dict))
    return _combine(result for result in parsed if result is not None)


def match_results(
    interactions: Iterable[Interaction], results: Iterable[InteractionResult]
) -> dict[str, InteractionResult]:
    """Map the ids of interactions to their results, matched by the broker's id, or else by description and state."""
    by_name: dict[tuple[str, str | None], InteractionResult] = {}
    by_id: dict[str, InteractionResult] = {}
    for result in results:
        if result.id is None:
            by_name[result.description, result.state] = result
        else:
            by_id[result.id] = result
    matched = {}
    for interaction in interactions:
        result_by_id = by_id.get(interaction.broker_id or "")
        if match := result_by_id or _find_by_name(interaction, by_name):
            matched[interaction.id] = match
    return matched


def _find_by_name(
    interaction: Interaction, by_name: Mapping[tuple[str, str | None], InteractionResult]
) -> InteractionResult | None:
    states = (*(state.name for state in interaction.states), None, *([] if interaction.states else [""]))
    keys = ((interaction.description, state) for state in states)
    return next((by_name[key] for key in keys if key in by_name), None)


def _combine(results: Iterable[InteractionResult]) -> list[InteractionResult]:
    """Combine results of the same interaction: it succeeds if all of its tests do."""
    combined: dict[tuple[str | None, ...], InteractionResult] = {}
    for result in results:
        key = (result.id,) if result.id is not None else (None, result.description, result.state)
        previous = combined.get(key)
        if previous is not None:
            problems = (*previous.problems, *result.problems)[:MAX_PROBLEMS]
            combined[key] = replace(previous, success=previous.success and result.success, problems=problems)
        else:
            combined[key] = result
    return list(combined.values())


def _parse_entry(entry: dict[str, Json]) -> InteractionResult | None:
    success = entry.get("success")
    if not isinstance(success, bool):
        status = entry.get("status")  # the Ruby verifier's
        if not isinstance(status, str):
            return None
        success = status == "passed"
    interaction_id = _read_text(entry.get("interactionId"))
    description = _read_text(entry.get("interactionDescription")) or _read_text(entry.get("testDescription"))
    if interaction_id is None and description is None:
        return None
    return InteractionResult(
        id=interaction_id,
        description=description or "",
        state=state if isinstance(state := entry.get("interactionProviderState"), str) else None,
        success=success,
        problems=() if success else tuple(_iterate_problems(entry))[:MAX_PROBLEMS],
    )


def _iterate_problems(entry: dict[str, Json]) -> Iterator[str]:
    for mismatch in _as_list(entry.get("mismatches")):
        yield from _describe_mismatch(mismatch)
    exceptions = _as_list(entry.get("exceptions")) or _as_list(entry.get("exception"))
    differences = _read_members(_as_list(entry.get("differences")), "description")
    messages = _read_members(exceptions, "message")
    # Differences are more specific than the message of the exception that reports them.
    for text in differences or messages:
        test = _read_text(entry.get("testDescription"))
        yield _truncate(f"{test}: {text}" if test else text)


def _read_members(items: Sequence[Json], name: str) -> list[str]:
    return [text for item in items if (text := _read_member(item, name))]


def _describe_mismatch(mismatch: Json) -> Iterator[str]:
    text = _read_member(mismatch, "description") or _read_member(mismatch, "mismatch")
    location = " ".join(_read_members([mismatch], "attribute") + _read_members([mismatch], "identifier"))
    if text or location:
        yield _truncate(": ".join(part for part in (location, text) if part))


def _as_list(value: Json) -> Sequence[Json]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict) else []


def _read_member(value: Json, name: str) -> str | None:
    return _read_text(value.get(name)) if isinstance(value, dict) else None


def _read_text(value: Json) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_PROBLEM_LENGTH else text[:MAX_PROBLEM_LENGTH] + "…"
