"""The facts of whether versions of a pacticipant can be deployed to an environment, as counts of results.

A table of versions and environments shows yes or no for each. Deciding each on its own would load the rows of the same
consumers for each of them, only to count them. So the database counts them for all versions at once, by the rules of
`matrix_summary`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from treaty.model.decisions.matrix import MatrixFacts, MatrixRowsSummary, ResultCounts
from treaty.model.decisions.queries import LatestBy
from treaty.model.decisions.selectors import select_version
from treaty.store.decisions import matrix_summary, selectors
from treaty.store.decisions.matrix import Partner, TargetIds, list_partners
from treaty.store.decisions.matrix_rows import MatrixScope
from treaty.store.decisions.selectors import NamedIds
from treaty.store.provider_contracts.conditions import has_any_contracts

_NO_RESULTS = ResultCounts(0, 0, 0, 0)


class CountedFacts(NamedTuple):
    """The facts of versions of a pacticipant and an environment."""

    by_number: Mapping[str, MatrixFacts]
    """The facts of each version. They have counts, but no rows, and so no reasons.

    Versions are missing whose answer depends on more than the results of verifiers: those that do not exist, and those
    that lack a comparison. Their facts have to be loaded for each of them.
    """
    partners_elsewhere: Collection[str]
    """Names of the partners of any of the versions of which no version is in the environment."""


def load_by_environment(
    db: Connection, name: str, numbers: Collection[str], environments: Sequence[str], named: NamedIds
) -> Mapping[str, CountedFacts]:
    """Load the facts of versions for each environment, given the ids of the names.

    Empty for a pacticipant that has contracts with itself: which of its versions then count differs between the
    versions to be deployed.
    """
    pacticipant_id = named.pacticipants.get(name)
    version_ids = {
        number: named.versions[pacticipant_id, number]
        for number in numbers
        if pacticipant_id is not None and (pacticipant_id, number) in named.versions
    }
    if pacticipant_id is None or not version_ids:
        return {}
    ids = TargetIds(list(version_ids.values()), [], [pacticipant_id])
    partners = list_partners(db, ids)
    if any(partner.is_itself for partner in partners):
        return {}
    subject = _Subject(name, version_ids, ids, partners, has_contracts=bool(partners) and has_any_contracts(db))
    return {environment: _load(db, subject, environment) for environment in environments}


class _Subject(NamedTuple):
    """The versions to be deployed, and the partners of any of them."""

    name: str
    version_ids: Mapping[str, int]
    ids: TargetIds
    partners: Sequence[Partner]
    has_contracts: bool
    """Whether any provider version has a contract."""


def _load(db: Connection, subject: _Subject, environment: str) -> CountedFacts:
    partner_ids = list(dict.fromkeys(partner.id for partner in subject.partners))
    live = selectors.list_ids_in_environment(db, environment, partner_ids)
    scope = MatrixScope(
        version_ids=[*subject.ids.version_ids, *(version_id for version_id, _ in live)],
        whole_pacticipant_ids=(),
        pacticipant_ids=[*subject.ids.pacticipant_ids, *partner_ids],
        specified_pacticipant_ids=subject.ids.pacticipant_ids,
        is_single_pacticipant=False,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=None,
    )
    counts, uncompared = matrix_summary.count_by_version(db, scope, has_contracts=subject.has_contracts)
    live_ids = {pacticipant_id for _, pacticipant_id in live}
    return CountedFacts(
        {
            number: _build_facts(subject.name, number, counts.get(version_id, _NO_RESULTS))
            for number, version_id in subject.version_ids.items()
            if version_id not in uncompared
        },
        {partner.name for partner in subject.partners if partner.id not in live_ids},
    )


def _build_facts(name: str, number: str, counts: ResultCounts) -> MatrixFacts:
    summary = MatrixRowsSummary(decisive_counts=counts, latest_counts=counts, obstacles=(), shown=(), total=sum(counts))
    return MatrixFacts(specified=[select_version(name, number)], rows_summary=summary)
