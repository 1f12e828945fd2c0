"""Earlier comparisons of contents, which a new version of a provider's documents may not change."""

from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

from sqlalchemy import Connection, and_, bindparam, func, select

from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_first
from treaty.store.pacts.pacts import CONSUMER, PROVIDER_ID
from treaty.store.provider_contracts import contracts
from treaty.store.provider_contracts.contracts import DocumentBody
from treaty.store.tables import comparison, content, version


class EarlierDocuments(NamedTuple):
    """Documents that contents were compared with before."""

    documents_sha: str
    documents: Sequence[DocumentBody]


class EarlierComparison(NamedTuple):
    """The comparison of a content with earlier documents."""

    content_id: int
    is_compatible: bool
    is_complete: bool
    details: bytes


_IDS: Final = (
    select(content.c.id, CONSUMER.c.name.label("consumer"), content.c.sha)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .where(content.c.provider_id == PROVIDER_ID, content.c.sha.in_(bindparam("shas", expanding=True)))
)
_IS_CURRENT: Final = and_(
    comparison.c.content_id.in_(bindparam("ids", expanding=True)),
    comparison.c.profile == bindparam("profile"),
    comparison.c.engine == ENGINE_VERSION,
)
_COUNTS: Final = (
    select(comparison.c.documents_sha, func.count().label("number"), func.max(comparison.c.id).label("newest"))
    .where(_IS_CURRENT)
    .group_by(comparison.c.documents_sha)
)
_VERSION: Final = (
    select(version.c.number)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.documents_sha == bindparam("documents_sha"))
    .order_by(version.c.position.desc())
    .limit(1)
)
_COMPARISONS: Final = select(
    comparison.c.content_id, comparison.c.is_compatible, comparison.c.is_complete, comparison.c.details
).where(_IS_CURRENT, comparison.c.documents_sha == bindparam("documents_sha"))


def find_content_ids(db: Connection, provider: str, pairs: Iterable[PairKey]) -> dict[PairKey, int]:
    """Find the ids of the contents of pairs with one provider version."""
    by_content = {(pair.consumer, pair.sha): pair for pair in pairs}
    shas = {sha for _, sha in by_content}
    rows = fetch_in_batches(db, _IDS, shas, {"provider": provider}, parameter="shas")
    return {by_content[row.consumer, row.sha]: row.id for row in rows if (row.consumer, row.sha) in by_content}


def find_compared(db: Connection, ids: Collection[int], documents_sha: str, profile: str) -> set[int]:
    """Find the contents that have been compared with a set of documents."""
    return {earlier.content_id for earlier in list_comparisons(db, ids, documents_sha, profile)}


def find_earlier_documents(
    db: Connection, provider: str, ids: Collection[int], *, documents_sha: str, profile: str
) -> EarlierDocuments | None:
    """Find the documents, other than the given ones, that most of the contents were compared with; the latest ones."""
    totals: dict[str, tuple[int, int]] = {}
    for row in fetch_in_batches(db, _COUNTS, ids, {"profile": profile}):
        number, newest = totals.get(row.documents_sha, (0, 0))
        totals[row.documents_sha] = number + row.number, max(newest, row.newest)
    totals.pop(documents_sha, None)
    for sha in sorted(totals, key=lambda sha: totals[sha], reverse=True):
        row = fetch_first(db, _VERSION, {"provider": provider, "documents_sha": sha})
        if row is not None:
            return EarlierDocuments(sha, contracts.load_bodies(db, provider, row.number))
    return None


def list_comparisons(db: Connection, ids: Collection[int], documents_sha: str, profile: str) -> list[EarlierComparison]:
    """List the comparisons of contents with a set of documents."""
    params = {"profile": profile, "documents_sha": documents_sha}
    return [EarlierComparison(*row) for row in fetch_in_batches(db, _COMPARISONS, ids, params)]
