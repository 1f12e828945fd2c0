"""The pacts of a provider that are in use.

These are the pacts of versions that are deployed or supported, those on main branches, and the latest of each pair.
"""

from collections.abc import Iterable, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, exists, func, select, union_all

from treaty.model.usage.formats import CONTENT_FORMAT
from treaty.model.usage.usage import PactInUse, UsageBasis
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_first, fetch_rows
from treaty.store.pacticipants.integrations import select_pact_of_member
from treaty.store.pacticipants.pacticipants import select_pacticipant_id
from treaty.store.tables import (
    branch,
    branch_version,
    content,
    deployed_version,
    environment,
    integration,
    pacticipant,
    publication,
    released_version,
    usage_content,
    version,
)

PROVIDER_ID: Final = select_pacticipant_id("provider")
_CONSUMER_IDS: Final = select(integration.c.consumer_id).where(integration.c.provider_id == PROVIDER_ID)
_PACT_OF_VERSION: Final = select_pact_of_member(branch_version)
# The newest version on the main branch that has a pact: the build of the head may not have published its pact yet.
_ON_MAIN: Final = (
    select(_PACT_OF_VERSION)
    .select_from(branch_version.join(branch, branch.c.id == branch_version.c.branch_id))
    .where(
        branch.c.pacticipant_id == integration.c.consumer_id,
        branch.c.name == pacticipant.c.main_branch,
        _PACT_OF_VERSION.is_not(None),
    )
    .order_by(branch_version.c.position.desc())
    .limit(1)
    .correlate(integration, pacticipant)
    .scalar_subquery()
)
_HEADS: Final = (
    select(
        pacticipant.c.id.label("consumer_id"),
        pacticipant.c.name.label("consumer"),
        integration.c.latest_publication_id,
        _ON_MAIN.label("main_publication_id"),
    )
    .join_from(integration, pacticipant, pacticipant.c.id == integration.c.consumer_id)
    .where(integration.c.provider_id == PROVIDER_ID)
    .order_by(func.lower(pacticipant.c.name), pacticipant.c.name)
)
_INDEX_OF_CONTENT: Final = and_(
    usage_content.c.content_id == publication.c.content_id, usage_content.c.format == CONTENT_FORMAT
)
_PUBLICATIONS: Final = (
    select(
        publication.c.id,
        publication.c.consumer_id,
        publication.c.content_id,
        version.c.number,
        usage_content.c.is_truncated,
    )
    .join_from(publication, version, version.c.id == publication.c.consumer_version_id)
    .outerjoin(usage_content, _INDEX_OF_CONTENT)
    .where(publication.c.id.in_(bindparam("ids", expanding=True)))
)


def _select_running(table: Any, ended_at: Any) -> Any:
    return (
        select(publication.c.id, environment.c.name)
        .select_from(table)
        .join(environment, environment.c.id == table.c.environment_id)
        .join(
            publication,
            and_(
                publication.c.consumer_version_id == table.c.version_id,
                publication.c.provider_id == PROVIDER_ID,
                publication.c.is_current,
            ),
        )
        .where(table.c.pacticipant_id.in_(_CONSUMER_IDS), ended_at.is_(None))
    )


_RUNNING: Final = union_all(
    _select_running(deployed_version, deployed_version.c.undeployed_at),
    _select_running(released_version, released_version.c.support_ended_at),
)


@dataclass(slots=True)
class _Reasons:
    """Why a publication is in use."""

    environments: set[str] = field(default_factory=set)
    is_on_main: bool = False
    is_latest: bool = False


@dataclass(frozen=True, slots=True)
class PactsOfProvider:
    """The pacts of a provider that are in use, by consumer, and its consumers without a pact."""

    pacts: Sequence[PactInUse]
    consumer_ids: KeysView[int]
    """The ids of all consumers."""
    consumers_without_pacts: tuple[str, ...]
    is_truncated: Mapping[int, bool]
    """Whether the index of each content is incomplete; contents that are not indexed are absent."""

    @property
    def content_ids(self) -> list[int]:
        return list({pact.content_id for pact in self.pacts})


def list_in_use(db: Connection, provider: str) -> PactsOfProvider:
    """List the pacts of a provider that are in use, by consumer."""
    heads = fetch_rows(db, _HEADS, {"provider": provider})
    reasons: dict[int, _Reasons] = {}
    for publication_id, environment_name in fetch_rows(db, _RUNNING, {"provider": provider}):
        reasons.setdefault(publication_id, _Reasons()).environments.add(environment_name)
    for head in heads:
        if head.main_publication_id is not None:
            reasons.setdefault(head.main_publication_id, _Reasons()).is_on_main = True
        if head.latest_publication_id is not None:
            reasons.setdefault(head.latest_publication_id, _Reasons()).is_latest = True
    names = {head.consumer_id: head.consumer for head in heads}
    rows = [row for row in fetch_in_batches(db, _PUBLICATIONS, reasons) if row.consumer_id in names]
    return PactsOfProvider(
        pacts=_build_pacts(rows, names, reasons),
        consumer_ids=names.keys(),
        is_truncated={row.content_id: bool(row.is_truncated) for row in rows if row.is_truncated is not None},
        consumers_without_pacts=tuple(head.consumer for head in heads if head.latest_publication_id is None),
    )


def _build_pacts(rows: Iterable[Any], names: Mapping[int, str], reasons: Mapping[int, _Reasons]) -> list[PactInUse]:
    order = {consumer_id: rank for rank, consumer_id in enumerate(names)}
    return [
        PactInUse(
            consumer=names[row.consumer_id],
            consumer_id=row.consumer_id,
            version=row.number,
            content_id=row.content_id,
            environments=tuple(sorted(reasons[row.id].environments)),
            is_on_main=reasons[row.id].is_on_main,
            is_latest=reasons[row.id].is_latest,
        )
        for row in sorted(rows, key=lambda row: (order[row.consumer_id], row.id))
    ]


_OF_PROVIDER: Final = content.c.provider_id == PROVIDER_ID
_IS_INDEXED: Final = exists().where(
    usage_content.c.content_id == content.c.id, usage_content.c.format == CONTENT_FORMAT
)
_COUNTS: Final = select(
    select(func.count()).select_from(content).where(_OF_PROVIDER).scalar_subquery(),
    select(func.count()).select_from(content).where(_OF_PROVIDER, _IS_INDEXED).scalar_subquery(),
)


def load_basis(
    db: Connection, provider: str, in_use: PactsOfProvider, *, is_search_truncated: bool = False
) -> UsageBasis:
    """Load what an answer about a provider rests on."""
    total, indexed = fetch_first(db, _COUNTS, {"provider": provider})
    return UsageBasis(
        pacts_in_use=len(in_use.pacts),
        contents=total,
        indexed_contents=indexed,
        waiting_pacts=tuple(pact for pact in in_use.pacts if pact.content_id not in in_use.is_truncated),
        truncated_pacts=tuple(pact for pact in in_use.pacts if in_use.is_truncated.get(pact.content_id)),
        consumers_without_pacts=in_use.consumers_without_pacts,
        is_search_truncated=is_search_truncated,
    )
