"""Pacts for verification: each selected content once, whether it is pending, and the work in progress.

See "Pending pacts" and "Work in progress pacts" in the Pact documentation.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from treaty.model.decisions.consumer_selectors import (
    ConsumerVersionSelector,
    Deployed,
    InEnvironment,
    LatestWithTag,
    Released,
    SelectedPact,
    describe_in_metadata,
    sort_key,
)
from treaty.model.decisions.metadata import Metadata

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiablePactsQuery:
    """A request for pacts to verify: the selectors, and the provider version that will verify them."""

    selectors: tuple[ConsumerVersionSelector, ...] = ()
    branch: str | None = None
    """The branch of the provider version. If it is set, even to the empty string, the tags have no influence."""
    tags: tuple[str, ...] = ()
    includes_pending: bool = True
    wip_since: datetime | None = None

    @property
    def has_wip(self) -> bool:
        return self.wip_since is not None and (self.branch is not None or bool(self.tags))

    def __hash__(self) -> int:
        """Hash everything but the selectors: hashing hundreds of them takes as long as a statement.

        Queries are part of a cache key, and two with the same other fields are rare.
        """
        return hash((self.branch, self.tags, self.includes_pending, self.wip_since))


class VerifiablePact(NamedTuple):
    """A pact to verify, with the selections that include it."""

    consumer: str
    version: str
    position: int
    sha: str
    content_id: int
    selections: tuple[SelectedPact, ...]
    is_wip: bool = False
    pending_tags: tuple[str, ...] = ()
    """The provider tags without a success; a work in progress has one for each of its selections."""
    is_pending: bool | None = None
    """None if the request does not include the pending status."""
    verified_by: str | None = None
    """The branch of the provider version that verified it, if the request has a branch."""
    live_in: tuple[str, ...] = ()
    """The environments because of which it is not pending, although it has no success."""

    @property
    def metadata(self) -> Metadata:
        if self.is_wip:
            return Metadata(is_wip=True)
        return Metadata(selected_by=tuple(map(describe_in_metadata, self.selections)), is_pending=self.is_pending)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiablePacts:
    """The pacts that a provider has to verify, and the request."""

    provider: str
    query: VerifiablePactsQuery
    pacts: Sequence[VerifiablePact]


Successes = Collection[int] | Mapping[int, str]
"""Ids of verified contents; if the request has a branch, with the branch of the provider version that verified."""
WipCandidate = tuple[str | None, SelectedPact]
"""A pact without a success, with the provider tag for which it has none (None if the request has a branch)."""


def list_needed_fallbacks(
    selectors: Iterable[ConsumerVersionSelector], selections: Iterable[SelectedPact]
) -> list[LatestWithTag]:
    """List the selectors with a fallback tag of which the first tag selects no pact, of any consumer."""
    matched_tags = {selection.selector.tag for selection in selections if isinstance(selection.selector, LatestWithTag)}
    with_tag = (selector for selector in selectors if isinstance(selector, LatestWithTag))
    return [selector for selector in with_tag if selector.fallback_tag is not None and selector.tag not in matched_tags]


def group_by_content(selections: Iterable[SelectedPact]) -> list[VerifiablePact]:
    """Merge the selections of each content, under the highest version that has it.

    Results belong to content, so verifying one of several identical pacts is enough.
    """
    pacts = [_build_pact(sorted(group, key=sort_key)) for group in _group(selections, by=_content_id)]
    return sorted(pacts, key=lambda pact: (pact.consumer.lower(), pact.consumer, pact.position))


def group_wip(candidates: Iterable[WipCandidate], explicit: Iterable[VerifiablePact]) -> list[VerifiablePact]:
    """Merge candidates by content, without the contents that the request selects explicitly.

    Selections and tags keep the candidates' order and repetitions, as in the original, whose notices list them.
    """
    explicit_ids = {pact.content_id for pact in explicit}
    additional = (candidate for candidate in candidates if candidate[1].content_id not in explicit_ids)
    pacts = [
        _build_pact([pact for _, pact in group], tags=[tag for tag, _ in group if tag is not None], is_wip=True)
        for group in _group(additional, by=lambda candidate: candidate[1].content_id)
    ]
    return sorted(pacts, key=lambda pact: (pact.consumer, pact.position))


def _build_pact(
    selections: Sequence[SelectedPact], *, tags: Sequence[str] = (), is_wip: bool = False
) -> VerifiablePact:
    newest = max(selections, key=lambda selection: selection.position)
    return VerifiablePact(
        consumer=newest.consumer,
        version=newest.version,
        position=newest.position,
        sha=newest.sha,
        content_id=newest.content_id,
        selections=tuple(selections),
        is_wip=is_wip,
        is_pending=is_wip or None,
        pending_tags=tuple(tags),
    )


def _content_id(selection: SelectedPact) -> int:
    return selection.content_id


def _group(items: Iterable[T], *, by: Callable[[T], int]) -> Iterable[list[T]]:
    groups: dict[int, list[T]] = {}
    for item in items:
        groups.setdefault(by(item), []).append(item)
    return groups.values()


def mark_pending(pacts: Iterable[VerifiablePact], successes: Mapping[str | None, Successes]) -> list[VerifiablePact]:
    """Set whether each pact is pending, from the verified contents by provider tag.

    A request without tags, or with a branch, has all verified contents under None. A pact is pending if it has no
    success for one of the tags.
    """
    return [_mark_pact(pact, successes) for pact in pacts]


def _mark_pact(pact: VerifiablePact, successes: Mapping[str | None, Successes]) -> VerifiablePact:
    pending_tags = [tag for tag, contents in successes.items() if pact.content_id not in contents]
    untagged = successes.get(None)
    return pact._replace(
        is_pending=bool(pending_tags),
        pending_tags=tuple([tag for tag in pending_tags if tag is not None]),
        verified_by=untagged.get(pact.content_id) if isinstance(untagged, Mapping) else None,
    )


def enforce_live(pacts: Iterable[VerifiablePact]) -> list[VerifiablePact]:
    """End the pending state of the pacts that are selected because they are deployed or released."""
    return [_enforce_pact(pact) if pact.is_pending else pact for pact in pacts]


def _enforce_pact(pact: VerifiablePact) -> VerifiablePact:
    live = (
        selection.environment or selection.selector.environment
        for selection in pact.selections
        if isinstance(selection.selector, Deployed | Released | InEnvironment)
    )
    environments = tuple(sorted({environment for environment in live if environment is not None}))
    return pact._replace(is_pending=not environments, live_in=environments)


WINDOW_PERCENTILE: Final = 80


def compute_wip_window(
    ages: Sequence[timedelta], *, least: timedelta, most: timedelta, default: timedelta
) -> timedelta:
    """Compute how far back to look for work in progress from the ages of pacts without a successful verification.

    It is the 80th percentile by nearest rank, within `least` and `most`: the original's dynamic window.
    """
    if not ages:
        return default
    rank = -(-WINDOW_PERCENTILE * len(ages) // 100)
    return max(least, min(most, sorted(ages)[rank - 1]))
