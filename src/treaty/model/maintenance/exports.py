"""Exports: everything that an import into another Treaty needs, in pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from treaty.model.maintenance.imports import Fact


class ExportKind(StrEnum):
    """Kinds of facts, in the order in which an import needs them."""

    PACTICIPANTS = "pacticipants"
    VERSIONS = "versions"
    PACTS = "pacts"
    OVERWRITTEN_PACTS = "overwritten-pacts"
    RESULTS = "results"
    PROVIDER_CONTRACTS = "provider-contracts"
    ENVIRONMENTS = "environments"
    DEPLOYMENTS = "deployments"
    RELEASES = "releases"


@dataclass(frozen=True, slots=True)
class ExportExtent:
    """The number of facts of a kind, and the id of the newest one."""

    count: int
    last: int


@dataclass(frozen=True, slots=True)
class ExportPage:
    """Facts of a kind, and the cursor of the next page; None after the last page."""

    kind: ExportKind
    facts: Sequence[Fact]
    next: str | None
