"""Scopes: what a token or a system account is limited to, and the applications that it may write for."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypedDict

from treaty.errors import Invalid
from treaty.model.names import check_name, check_not_blank

MAX_APPLICATIONS: Final = 100
"""Applications that one token can be limited to: they are read with every request."""
_MAX_NAMED: Final = 6
"""Applications that a sentence names."""


class Scope(StrEnum):
    """A part of what builds do. Its value is also a phrase: "the token may not publish-pacts"."""

    READ = "read"
    PUBLISH_PACTS = "publish-pacts"
    PUBLISH_RESULTS = "publish-verification-results"
    RECORD_DEPLOYMENTS = "record-deployments"
    OVERRIDE_DECISIONS = "override-decisions"


DEFAULT_SCOPES: Final = frozenset(Scope) - {Scope.OVERRIDE_DECISIONS}
"""What all builds of an application need together. Nothing else opens overrides than their own scope."""
WRITE_SCOPES: Final = DEFAULT_SCOPES - {Scope.READ}
"""The scopes of builds that write."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The scopes of a token or system account, and the applications for which it may write."""

    scopes: frozenset[Scope]
    applications: frozenset[str] | None = None
    """None for all applications. Names rather than ids: a token is often older than the first pact of its application.
    Reads are not limited by application, since a decision about one application reads the data of its partners."""

    @property
    def is_read_only(self) -> bool:
        return self.scopes <= {Scope.READ}

    def covers(self, applications: Iterable[str]) -> bool:
        return self.applications is None or self.applications.issuperset(applications)

    def describe(self) -> str:
        """Describe the limits for people: `read, publish-pacts for Shop and Prices`."""
        scopes = ", ".join(scope.value for scope in Scope if scope in self.scopes) or "no scope"
        return scopes if self.applications is None else f"{scopes} for {join_names(self.applications)}"


def join_names(names: Iterable[str]) -> str:
    """List names in a sentence, in alphabetical order. Of many, only the first are named."""
    listed = sorted(names) or ["no application"]
    if len(listed) > _MAX_NAMED:
        listed[_MAX_NAMED - 1 :] = [f"{len(listed) - _MAX_NAMED + 1} others"]
    *others, last = listed
    return f"{', '.join(others)} and {last}" if others else last


def combine_limits(first: Limits | None, second: Limits | None) -> Limits | None:
    """Return the limits of a token whose account is limited, too: what both of them permit. None is unlimited."""
    if first is None or second is None:
        return first or second
    applications = first.applications
    if second.applications is not None:
        applications = second.applications if applications is None else applications & second.applications
    return Limits(first.scopes & second.scopes, applications)


class BuildKind(StrEnum):
    """The kinds of builds for which the page and the command line offer the scopes."""

    CONSUMER = "consumer-build"
    PROVIDER = "provider-build"


# Both kinds read: a build asks `can-i-deploy` and selects the pacts to verify.
SCOPES_BY_BUILD: Final = {
    BuildKind.CONSUMER: frozenset({Scope.READ, Scope.PUBLISH_PACTS}),
    BuildKind.PROVIDER: frozenset({Scope.READ, Scope.PUBLISH_RESULTS}),
}


def build_limits(scopes: Iterable[Scope], applications: Iterable[str] = ()) -> Limits | None:
    """Build limits from what a form or command line has; None if it limits nothing.

    Applications without scopes permit all scopes of builds for these applications. Raises Invalid.
    """
    chosen, named = frozenset(scopes), frozenset(applications)
    if not chosen and not named:
        return None
    limits = Limits(chosen or DEFAULT_SCOPES, named or None)
    if named and limits.is_read_only:
        raise Invalid.member("applications", "limit writes only: choose a scope that writes, or name no applications")
    if len(named) > MAX_APPLICATIONS:
        raise Invalid.member("applications", f"must have {MAX_APPLICATIONS} names at most")
    for name in named:
        check_not_blank("applications", check_name("applications", name))
    return limits


class LimitLists(TypedDict):
    """Limits as they appear in documents and the audit trail."""

    scopes: list[str] | None
    applications: list[str] | None


def list_limits(limits: Limits | None) -> LimitLists:
    if limits is None:
        return {"scopes": None, "applications": None}
    applications = None if limits.applications is None else sorted(limits.applications)
    return {"scopes": [scope.value for scope in Scope if scope in limits.scopes], "applications": applications}
