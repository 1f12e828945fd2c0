"""Verifiable pacts: what a provider is given to verify, each content once, and whether it is pending."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from treaty.model.decisions.consumer_selectors import (
    ConsumerVersionSelector,
    LatestWithTag,
    SelectedPact,
    describe_in_metadata,
    sort_key,
)
from treaty.model.decisions.metadata import Metadata

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiablePactsQuery:
    """What a provider asks for: which pacts, and on whose behalf."""

    selectors: tuple[ConsumerVersionSelector, ...] = ()
    branch: str | None = None
    """The branch of the provider's version. One that is given, even the empty one, makes its tags irrelevant."""
    tags: tuple[str, ...] = ()
    includes_pending: bool = True
    wip_since: datetime | None = None

    @property
    def has_wip(self) -> bool:
        return self.wip_since is not None and (self.branch is not None or bool(self.tags))

    def __hash__(self) -> int:
        """Leave the selectors out: to hash them takes as long as a statement."""
        return hash((self.branch, self.tags, self.includes_pending, self.wip_since))


class VerifiablePact(NamedTuple):
    """A pact to verify, and what found it."""

    consumer: str
    version: str
    position: int
    sha: str
    content_id: int
    selections: tuple[SelectedPact, ...]
    is_wip: bool = False
    pending_tags: tuple[str, ...] = ()
    """The provider's tags for which nothing has succeeded yet; a work in progress has one for each finding."""
    is_pending: bool | None = None
    """None where the provider did not ask."""
    verified_by: str | None = None
    """The branch of the provider version that verified it, where branches count."""

    @property
    def metadata(self) -> Metadata:
        if self.is_wip:
            return Metadata(is_wip=True)
        return Metadata(selected_by=tuple(map(describe_in_metadata, self.selections)), is_pending=self.is_pending)


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiablePacts:
    """All that a provider is to verify."""

    provider: str
    wanted: VerifiablePactsQuery
    pacts: Sequence[VerifiablePact]


Successes = Collection[int] | Mapping[int, str]
"""Contents that have been verified; where branches count, with the branch of the provider version that did."""
WipCandidate = tuple[str | None, SelectedPact]
"""What may be work in progress, with the tag of the provider for which it has not succeeded, if tags count."""


def list_needed_fallbacks(
    selectors: Iterable[ConsumerVersionSelector], found: Iterable[SelectedPact]
) -> list[LatestWithTag]:
    """List the selectors whose tag no consumer's pact has, and that name another one for that case."""
    tags = {one.selector.tag for one in found if isinstance(one.selector, LatestWithTag)}
    with_tag = (one for one in selectors if isinstance(one, LatestWithTag))
    return [one for one in with_tag if one.fallback_tag is not None and one.tag not in tags]


def group_by_content(found: Iterable[SelectedPact]) -> list[VerifiablePact]:
    """Put together what selectors found, each content once, under the highest version that has it."""
    pacts = [_pact(sorted(findings, key=sort_key)) for findings in _grouped(found, by=_content_id)]
    return sorted(pacts, key=lambda pact: (pact.consumer.lower(), pact.consumer, pact.position))


def group_wip(candidates: Iterable[WipCandidate], explicit: Iterable[VerifiablePact]) -> list[VerifiablePact]:
    """Put together the work in progress that was not selected anyway."""
    known = {pact.content_id for pact in explicit}
    left = (one for one in candidates if one[1].content_id not in known)
    pacts = [
        _pact([finding for _, finding in group], tags=[tag for tag, _ in group if tag is not None], is_wip=True)
        for group in _grouped(left, by=lambda candidate: candidate[1].content_id)
    ]
    return sorted(pacts, key=lambda pact: (pact.consumer, pact.position))


def _pact(selections: Sequence[SelectedPact], *, tags: Sequence[str] = (), is_wip: bool = False) -> VerifiablePact:
    newest = max(selections, key=lambda finding: finding.position)
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


def _content_id(finding: SelectedPact) -> int:
    return finding.content_id


def _grouped(things: Iterable[T], *, by: Callable[[T], int]) -> Iterable[list[T]]:
    groups: dict[int, list[T]] = {}
    for thing in things:
        groups.setdefault(by(thing), []).append(thing)
    return groups.values()


def mark_pending(pacts: Iterable[VerifiablePact], successes: Mapping[str | None, Successes]) -> list[VerifiablePact]:
    """Say of each pact whether it is pending, given the contents that have succeeded, by tag of the provider.

    Where its tags do not count, all that has succeeded stands under None.
    """
    return [_judged(pact, successes) for pact in pacts]


def _judged(pact: VerifiablePact, successes: Mapping[str | None, Successes]) -> VerifiablePact:
    missing = [tag for tag, contents in successes.items() if pact.content_id not in contents]
    of_branch = successes.get(None)
    return pact._replace(
        is_pending=bool(missing),
        pending_tags=tuple([tag for tag in missing if tag is not None]),
        verified_by=of_branch.get(pact.content_id) if isinstance(of_branch, Mapping) else None,
    )


WINDOW_PERCENTILE: Final = 80


def compute_wip_window(
    ages: Sequence[timedelta], *, least: timedelta, most: timedelta, default: timedelta
) -> timedelta:
    """Choose how far back to look for work in progress, from the ages of pacts without a successful verification.

    It is the 80th percentile by nearest rank.
    """
    if not ages:
        return default
    rank = -(-WINDOW_PERCENTILE * len(ages) // 100)
    return max(least, min(most, sorted(ages)[rank - 1]))
