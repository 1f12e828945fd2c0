"""Comparisons by a newer version of the engine.

After an upgrade, the stored results still decide. The newer engine computes them again: a result that leaves the
verdict as it is replaces the former one at once, and one that would change it waits until a user has accepted it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, cast

import orjson

from treaty.model.paging import Paged
from treaty.model.provider_contracts.comparisons import ComparisonInputs, NewComparison, decide_pair


class OutdatedComparison(NamedTuple):
    """A comparison by a former version of the engine."""

    id: int
    consumer: str
    provider: str
    sha: str
    documents_sha: str
    profile: str
    is_compatible: bool
    is_complete: bool

    def is_confirmed_by(self, new: NewComparison) -> bool:
        """Whether the newer engine gives the same verdict."""
        return (self.is_compatible, self.is_complete) == (new.is_compatible, new.is_complete)


class Recomparison(NamedTuple):
    """An outdated comparison with its result by the newer engine; None if that failed."""

    outdated: OutdatedComparison
    new: NewComparison | None


class WaitingComparison(NamedTuple):
    """An outdated comparison with what has to be compared again."""

    outdated: OutdatedComparison
    inputs: ComparisonInputs


class EngineStatus(StrEnum):
    """How far a newer engine has come."""

    CURRENT = "current"
    """All results are those of the server's engine."""
    RECOMPUTING = "recomputing"
    WAITING = "waiting"
    """Results that would change a verdict wait to be accepted."""
    SWITCHING = "switching"
    """Accepted results are taking the place of the former ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineProgress:
    """Numbers of comparisons by what the server's engine has done with them."""

    engine: str
    """The version of the server's engine."""
    total: int
    current: int
    """Those whose deciding result is by the server's engine, or by a newer one."""
    remaining: int
    """Those that the engine has not computed again yet."""
    changed: int
    """Those whose new result would change the verdict, and is not accepted yet."""
    accepted: int
    """Those whose new result is accepted, and has not taken its place yet."""
    failed: int
    """Those that the engine could not compute, because of a fault. Their former results stay."""

    @property
    def status(self) -> EngineStatus:
        if self.remaining:
            return EngineStatus.RECOMPUTING
        if self.accepted:
            return EngineStatus.SWITCHING
        return EngineStatus.WAITING if self.changed else EngineStatus.CURRENT

    @property
    def is_noteworthy(self) -> bool:
        return self.status is not EngineStatus.CURRENT or self.failed > 0

    @property
    def summary(self) -> str:
        match self.status:
            case EngineStatus.CURRENT:
                text = f"The results of engine {self.engine} decide. No comparison waits for it."
            case EngineStatus.RECOMPUTING:
                text = (
                    f"Engine {self.engine} has not computed {self.remaining} of {self.total} comparisons yet. Until"
                    " then, and until changed verdicts are accepted, the former results decide."
                )
            case EngineStatus.WAITING:
                text = (
                    f"Engine {self.engine} changes the verdict of {self.changed} of {self.total} comparisons. The"
                    " former results decide until you accept the new ones."
                )
            case EngineStatus.SWITCHING:
                text = f"{self.accepted} accepted results of engine {self.engine} are taking the place of former ones."
        if self.failed:
            text += f" {self.failed} could not be computed; see the server's log. Their former results stay."
        return text


class Outcome(NamedTuple):
    """The verdict of a comparison by one version of the engine."""

    engine: str
    is_compatible: bool
    is_complete: bool

    def decide(self, *, is_self_verified: bool | None) -> bool | None:
        return decide_pair(
            is_compatible=self.is_compatible, is_complete=self.is_complete, is_self_verified=is_self_verified
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionInUse:
    """A version that is deployed, released, or the head of its main branch."""

    number: str
    environments: tuple[str, ...]
    is_on_main: bool
    is_self_verified: bool | None = None
    """Of provider versions: the outcome of their self-verification."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedComparison:
    """A comparison whose verdict the newer engine would change, with the versions in use that it is about."""

    consumer: str
    provider: str
    sha: str
    profile: str
    before: Outcome
    after: Outcome
    is_accepted: bool
    findings: Sequence[Mapping[str, Any]]
    """The findings of the newer engine that the former one did not have."""
    resolved_findings: Sequence[Mapping[str, Any]]
    """The findings of the former engine that the newer one does not have."""
    consumer_versions: Sequence[VersionInUse]
    provider_versions: Sequence[VersionInUse]

    @property
    def is_in_use(self) -> bool:
        return bool(self.consumer_versions and self.provider_versions)


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineReport:
    """What a newer engine has computed, and which verdicts it would change: those of versions in use first."""

    progress: EngineProgress
    changed_in_use: int
    """Changed comparisons of versions in use."""
    changes: Paged[ChangedComparison]


def list_new_findings(earlier: bytes, later: bytes) -> list[Mapping[str, Any]]:
    """List the findings of the later result of a comparison that the earlier one does not have.

    Findings are the same if code, type and locations are: messages may be worded better.
    """
    earlier_keys = {_key(finding) for finding in _load_findings(earlier)}
    return [finding for finding in _load_findings(later) if _key(finding) not in earlier_keys]


def _load_findings(details: bytes) -> list[Mapping[str, Any]]:
    return cast("list[Mapping[str, Any]]", orjson.loads(details).get("findings") or [])


def _key(finding: Mapping[str, Any]) -> tuple[Any, ...]:
    sides = (finding.get(side) or {} for side in ("mockDetails", "specDetails"))
    return (finding.get("code"), finding.get("type"), *(side.get("location") for side in sides))
