"""Exemptions: what makes an answer yes although results are missing or failed.

An override exempts the version that is to be deployed, and the policy for first deployments exempts pacts with
providers that are deployed nowhere.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from treaty.model.decisions.overrides import Override

Side = tuple[str, str | None]
"""A pacticipant, and its version if there is one."""


class PolicySource(Enum):
    """Where first deployments are allowed. The values are those of the API."""

    ENVIRONMENT = "environment"
    INTEGRATION = "integration"


Exemption = Override | PolicySource


@dataclass(frozen=True, kw_only=True, slots=True)
class Exemptions:
    """The exemptions that apply to a decision about an environment."""

    overrides: Sequence[Override] = ()
    """Active overrides of the versions to be deployed. Those for all counterparts come first, then the latest."""
    first_deployments: Mapping[tuple[str, str], PolicySource] = field(default_factory=dict)
    """Consumers and providers of which the provider is deployed nowhere, and where that is allowed."""

    @property
    def is_empty(self) -> bool:
        return not self.overrides and not self.first_deployments

    def find(self, consumer: Side, provider: Side) -> Exemption | None:
        """Find what exempts a pair whose result is missing or failed."""
        sides = (consumer, provider)
        override = next((override for override in self.overrides if override.covers(sides)), None)
        if override is not None or provider[1] is not None:
            return override
        return self.first_deployments.get((consumer[0], provider[0]))

    def cover_all(self, members: Collection[tuple[str, str]]) -> bool:
        """Whether overrides cover every pair of some versions, whatever the counterpart."""
        covered = {
            (override.pacticipant, override.version) for override in self.overrides if override.counterpart is None
        }
        return bool(members) and covered.issuperset(members)


def choose_policy(*, environment: bool, integration: bool | None) -> PolicySource | None:
    """Return where first deployments are allowed; None if they are not. The policy of an integration wins."""
    if integration is not None:
        return PolicySource.INTEGRATION if integration else None
    return PolicySource.ENVIRONMENT if environment else None
