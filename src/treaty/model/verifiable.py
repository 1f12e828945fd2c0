"""Verifiable pacts: what a provider is given to verify, each content once, and whether it is pending."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Final

from treaty.model.consumer_selector import Finding, LatestWithTag, Selector, place, selected_by
from treaty.model.metadata import Metadata


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a provider asks for: which pacts, and on whose behalf."""

    selectors: tuple[Selector, ...] = ()
    branch: str | None = None
    """The branch of the provider's version. One that is given, even the empty one, makes its tags irrelevant."""
    tags: tuple[str, ...] = ()
    includes_pending: bool = True
    wip_since: datetime | None = None

    @property
    def has_wip(self) -> bool:
        return self.wip_since is not None and (self.branch is not None or bool(self.tags))


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifiable:
    """A pact to verify, and what found it."""

    consumer: str
    version: str
    sha: str
    findings: tuple[Finding, ...]
    is_wip: bool = False
    pending_tags: tuple[str, ...] = ()
    """The provider's tags for which nothing has succeeded yet; a work in progress has one for each finding."""
    is_pending: bool | None = None
    """None where the provider did not ask."""

    @property
    def content_id(self) -> int:
        return self.findings[0].content_id

    @property
    def metadata(self) -> Metadata:
        if self.is_wip:
            return Metadata(is_wip=True)
        return Metadata(selected_by=tuple(map(selected_by, self.findings)), is_pending=self.is_pending)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verifiables:
    """All that a provider is to verify."""

    provider: str
    wanted: Wanted
    pacts: Sequence[Verifiable]


def fallbacks_to_use(selectors: Iterable[Selector], found: Iterable[Finding]) -> list[LatestWithTag]:
    """List the selectors whose tag no consumer's pact has, and that name another one for that case."""
    tags = {one.selector.tag for one in found if isinstance(one.selector, LatestWithTag)}
    with_tag = (one for one in selectors if isinstance(one, LatestWithTag))
    return [one for one in with_tag if one.fallback_tag is not None and one.tag not in tags]


def selected(found: Iterable[Finding]) -> list[Verifiable]:
    """Put together what selectors found, each content once, under the highest version that has it."""
    pacts = _merged(_alone(finding) for finding in found)
    pacts = [replace(pact, findings=tuple(sorted(pact.findings, key=place))) for pact in pacts]
    return sorted(pacts, key=lambda pact: (pact.consumer.lower(), pact.consumer, _position(pact)))


def in_progress(candidates: Iterable[tuple[str | None, Finding]], explicit: Iterable[Verifiable]) -> list[Verifiable]:
    """Put together the work in progress that was not selected anyway.

    A candidate comes with the provider's tag that it has not succeeded for, if tags count.
    """
    known = {pact.content_id for pact in explicit}
    pacts = _merged(_alone(finding, tag) for tag, finding in candidates if finding.content_id not in known)
    return [
        replace(pact, is_wip=True, is_pending=True)
        for pact in sorted(pacts, key=lambda pact: (pact.consumer, _position(pact)))
    ]


def judged(pacts: Iterable[Verifiable], successes: Mapping[str | None, Collection[int]]) -> list[Verifiable]:
    """Say of each pact whether it is pending, given the contents that have succeeded, by tag of the provider.

    Where its tags do not count, all that has succeeded stands under None.
    """
    return [_judged(pact, successes) for pact in pacts]


def _judged(pact: Verifiable, successes: Mapping[str | None, Collection[int]]) -> Verifiable:
    missing = [tag for tag, contents in successes.items() if pact.content_id not in contents]
    return replace(pact, is_pending=bool(missing), pending_tags=tuple(tag for tag in missing if tag is not None))


def _alone(finding: Finding, tag: str | None = None) -> Verifiable:
    return Verifiable(
        consumer=finding.consumer,
        version=finding.version,
        sha=finding.sha,
        findings=(finding,),
        pending_tags=() if tag is None else (tag,),
    )


def _merged(pacts: Iterable[Verifiable]) -> list[Verifiable]:
    groups: dict[int, list[Verifiable]] = {}
    for pact in pacts:
        groups.setdefault(pact.content_id, []).append(pact)
    return [group[0] if len(group) == 1 else _together(group) for group in groups.values()]


def _together(pacts: Sequence[Verifiable]) -> Verifiable:
    return replace(
        max(pacts, key=_position),
        findings=tuple(chain.from_iterable(pact.findings for pact in pacts)),
        pending_tags=tuple(chain.from_iterable(pact.pending_tags for pact in pacts)),
    )


def _position(pact: Verifiable) -> int:
    return max(finding.position for finding in pact.findings)


WINDOW_PERCENTILE: Final = 80


def wip_window(ages: Sequence[int], *, least: int, most: int, default: int) -> int:
    """Choose how many days back work in progress is looked for, by the ages in days of what has not succeeded yet.

    It is the 80th percentile by nearest rank.
    """
    if not ages:
        return default
    rank = -(-WINDOW_PERCENTILE * len(ages) // 100)
    return max(least, min(most, sorted(ages)[rank - 1]))
