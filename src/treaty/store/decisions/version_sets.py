"""The facts of decisions for sets of versions, in one transaction and a fixed number of statements."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, Text, bindparam, cast, false, null, select, true, union_all

from treaty.model.decisions.queries import LatestBy
from treaty.model.decisions.selectors import FoundVersion, NoVersion, ResolvedSelector, Selector
from treaty.model.decisions.version_sets import LiveVersion, SetFacts
from treaty.store.decisions import matrix_rows, selectors
from treaty.store.decisions.comparison_gaps import CompletedRows, complete_rows
from treaty.store.decisions.exemptions import load_exemptions
from treaty.store.decisions.matrix import TargetIds, list_partners
from treaty.store.decisions.matrix_rows import MatrixScope
from treaty.store.decisions.selectors import NamedIds, SelectorTarget
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.tables import deployed_version, environment, pacticipant, released_version, version


class LiveVersionWithIds(NamedTuple):
    """A live version, with the ids of its pacticipant and of itself."""

    live: LiveVersion
    pacticipant_id: int
    version_id: int


def load_facts(
    db: Connection,
    members: Sequence[Selector],
    named: NamedIds,
    *,
    environment_name: str,
    ignore: Sequence[Selector] = (),
) -> SetFacts:
    """Load the facts of a decision about members, in order of their names, given the ids of the names in it."""
    ignored = [target.resolved for target in selectors.resolve(db, ignore, named)]
    targets = selectors.resolve(db, members, named)
    ids = TargetIds.collect(targets)
    partners = list_partners(db, ids)
    pacticipant_ids = {*ids.pacticipant_ids, *(partner.id for partner in partners)}
    live = list_live(db, pacticipant_ids, environment_name=environment_name)
    version_ids = {*ids.version_ids, *(version.version_id for version in live)}
    rows = load_rows(db, version_ids, pacticipant_ids, about=ids.pacticipant_ids, ignored=ignored)
    return SetFacts(
        environment=environment_name,
        members=list(_list_resolved(targets)),
        partners=[partner.name for partner in partners],
        live=[version.live for version in live],
        rows=rows.rows,
        gaps=rows.gaps,
        ignored=ignored,
        aliases=named.aliases,
    )


def add_exemptions(db: Connection, facts: SetFacts, *, now: datetime) -> SetFacts:
    """Add the overrides of members, and the providers of members that may be deployed after them."""
    members = {
        (member.selector.pacticipant, member.number) for member in facts.members if isinstance(member, FoundVersion)
    }
    live = {version.pacticipant for version in facts.live}
    exemptions = load_exemptions(
        db,
        members,
        consumers={name for name, _ in members},
        providers={row.provider for row in facts.rows} - live,
        environment_name=facts.environment,
        now=now,
    )
    return replace(facts, exemptions=exemptions)


def _list_resolved(targets: Iterable[SelectorTarget]) -> Iterable[FoundVersion | NoVersion]:
    """Yield the resolved selectors of members, which have version numbers and existing pacticipants."""
    return (target.resolved for target in targets if isinstance(target.resolved, FoundVersion | NoVersion))


def load_rows(
    db: Connection,
    version_ids: Collection[int],
    pacticipant_ids: Collection[int],
    *,
    about: Collection[int],
    ignored: Sequence[ResolvedSelector] = (),
) -> CompletedRows:
    """Load the rows between versions: the current pacts, with the latest results.

    One side of each row is one of the pacticipants `about`. A pact without a version of its provider has a row, too.
    """
    scope = MatrixScope(
        version_ids=sorted(version_ids),
        whole_pacticipant_ids=(),
        pacticipant_ids=sorted(pacticipant_ids),
        specified_pacticipant_ids=sorted(about),
        is_single_pacticipant=False,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=None,
    )
    return complete_rows(db, matrix_rows.list_rows(db, scope), ignored)


# Live versions


def _select_live(table: Any, ended_at: str, instance: Any, *, is_released: bool) -> Select[*tuple[Any, ...]]:
    return (
        select(
            pacticipant.c.name,
            version.c.number,
            instance.label("application_instance"),
            (true() if is_released else false()).label("is_released"),
            pacticipant.c.id.label("pacticipant_id"),
            version.c.id.label("version_id"),
            version.c.position,
        )
        .join_from(table, version, version.c.id == table.c.version_id)
        .join(pacticipant, pacticipant.c.id == table.c.pacticipant_id)
        .join(environment, environment.c.id == table.c.environment_id)
        .where(
            table.c.pacticipant_id.in_(bindparam("ids", expanding=True)),
            environment.c.name == bindparam("environment"),
            table.c[ended_at].is_(None),
        )
    )


_LIVE: Final = union_all(
    _select_live(deployed_version, "undeployed_at", deployed_version.c.application_instance, is_released=False),
    _select_live(released_version, "support_ended_at", cast(null(), Text), is_released=True),
)


def list_live(db: Connection, pacticipant_ids: Collection[int], *, environment_name: str) -> list[LiveVersionWithIds]:
    """List the live versions of pacticipants in an environment, by name and the newest first.

    A version that is both deployed and released, or deployed to several application instances, is listed repeatedly.
    """
    rows = fetch_in_batches(db, _LIVE, pacticipant_ids, {"environment": environment_name})
    return [
        LiveVersionWithIds(
            LiveVersion(row.name, row.number, row.application_instance, bool(row.is_released)),
            row.pacticipant_id,
            row.version_id,
        )
        for row in sorted(rows, key=lambda row: (row.name, -row.position))
    ]
