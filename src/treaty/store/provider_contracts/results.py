"""Retrieval of what is known about a provider version's contracts and its pairs with consumers."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, case, select

from treaty.model.pacts.pacts import PactKey
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.model.provider_contracts.results import ComparedContent, ProviderVersionResults, VerifiedPair
from treaty.store.engine.batches import fetch_in_batches
from treaty.store.engine.database import fetch_rows, fetch_scalar
from treaty.store.pacts import pacts
from treaty.store.pacts.pacts import CONSUMER, CONTENT_ID, PROVIDER_ID
from treaty.store.provider_contracts import comparisons, contracts
from treaty.store.tables import comparison, content, verification, version

_LATEST: Final = select(
    verification.c.id, verification.c.comparison_id, verification.c.success, verification.c.verified_at
).where(
    verification.c.content_id == CONTENT_ID,
    verification.c.provider_version_id
    == select(version.c.id)
    .where(version.c.pacticipant_id == PROVIDER_ID, version.c.number == bindparam("provider_version"))
    .scalar_subquery(),
    verification.c.is_latest,
)

_COMPARISON: Final = select(verification.c.comparison_id).where(verification.c.id == bindparam("number"))


def is_of_comparison(db: Connection, number: int) -> bool:
    """Whether a result is that of a comparison, instead of a verifier's."""
    return fetch_scalar(db, _COMPARISON, {"number": number}) is not None


_COMPARED: Final = (
    select(
        content.c.id,
        CONSUMER.c.name.label("consumer"),
        content.c.sha,
        comparison.c.is_compatible,
        # The details of a comparison without errors explain nothing, and may be large.
        case((comparison.c.is_compatible, None), else_=comparison.c.details).label("details"),
    )
    .select_from(content)
    .join(CONSUMER, CONSUMER.c.id == content.c.consumer_id)
    .join(version, version.c.pacticipant_id == content.c.provider_id)
    .outerjoin(
        comparison,
        and_(
            comparison.c.content_id == content.c.id,
            comparison.c.documents_sha == version.c.documents_sha,
            comparison.c.profile == bindparam("profile"),
        ),
    )
    .where(
        content.c.id.in_(bindparam("ids", expanding=True)),
        content.c.provider_id == PROVIDER_ID,
        version.c.number == bindparam("version"),
    )
    # The newest of several engines counts: later rows replace earlier ones.
    .order_by(comparison.c.id)
)


def list_contents(
    db: Connection, provider: str, version: str, content_ids: Collection[int]
) -> dict[int, ComparedContent]:
    """List contents, by their ids, with their comparisons with a provider version."""
    params = {"provider": provider, "version": version, "profile": comparisons.load_profile(db, provider)}
    rows = fetch_in_batches(db, _COMPARED, content_ids, params)
    return {row.id: ComparedContent(*row[1:]) for row in rows}


def load_of_version(db: Connection, provider: str, version: str) -> ProviderVersionResults | None:
    """Load the contracts of a provider version, with all pairs that were compared; None if it has no contract."""
    keys = comparisons.list_compared(db, provider, version)
    latest = [(key, newest.pact.version) for key in keys if (newest := _find_pact(db, key)) is not None]
    return _load(db, provider, version, latest)


def _find_pact(db: Connection, key: PairKey) -> Any:
    return pacts.find_by_sha(db, key.consumer, key.provider, key.sha)


def load_of_pair(db: Connection, provider: str, version: str, pact: PactKey) -> ProviderVersionResults | None:
    """Load the contracts of a provider version, with its pair with a consumer version.

    None if the provider version has no contract, or the consumer version no pact with the provider.
    """
    current = pacts.find(db, pact)
    if current is None:
        return None
    key = PairKey(pact.consumer, provider, current.pact.sha, version)
    return _load(db, provider, version, [(key, pact.version)])


def load_of_content(db: Connection, key: PairKey) -> ProviderVersionResults | None:
    """Load the contracts of a provider version, with its pair with a pact's content; None as for `load_of_pair`."""
    newest = _find_pact(db, key)
    return None if newest is None else _load(db, key.provider, key.provider_version, [(key, newest.pact.version)])


def _load(
    db: Connection, provider: str, version: str, keys: Sequence[tuple[PairKey, str]]
) -> ProviderVersionResults | None:
    published = contracts.list_of_version(db, provider, version)
    if not published:
        return None
    pairs = [_load_pair(db, key, consumer_version) for key, consumer_version in keys]
    return ProviderVersionResults(provider=provider, version=version, contracts=published, pairs=pairs)


def _load_pair(db: Connection, key: PairKey, consumer_version: str) -> VerifiedPair:
    rows = fetch_rows(db, _LATEST, key._asdict())
    compared = next((row for row in rows if row.comparison_id is not None), None)
    verified = next((row for row in rows if row.comparison_id is None), None)
    return VerifiedPair(
        key=key,
        consumer_version=consumer_version,
        comparison=comparisons.find_details(db, key),
        compared_success=None if compared is None else compared.success,
        verified_success=None if verified is None else verified.success,
        verified_at=None if verified is None else verified.verified_at,
        verified_number=None if verified is None else verified.id,
    )
