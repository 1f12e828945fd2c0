"""The newest result for the latest pact of each integration, denormalized for lists of all integrations.

Finding it takes two look-ups in large tables for each integration. The copy in `integration` states by itself whether
it is still valid, so a write that does not refresh it makes a list slower, and never wrong. It is valid while

- its result exists (a foreign key clears it with the result), or there was none,
- the latest publication is the one that it was copied for, and
- the contract data of the pair has not changed since: each write that adds a result sets that time.

So writes of an earlier Treaty, which runs beside this one during a rolling update, invalidate it as well.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select, update

from treaty.model.overview.overview import PactState
from treaty.store.engine.database import execute
from treaty.store.tables import integration, publication, verification

NO_RESULT: Final = "none"
"""The state that is stored if the latest pact has no result; otherwise the state is one of `PactState`."""
HAS_RESULT: Final = integration.c.newest_result_id.is_not(None)
_IS_CURRENT: Final = and_(
    integration.c.newest_result_publication_id == integration.c.latest_publication_id,
    integration.c.newest_result_at == integration.c.contract_data_updated_at,
)
IS_VALID: Final = and_(_IS_CURRENT, or_(HAS_RESULT, integration.c.newest_result_state == NO_RESULT))
"""Whether the copy in an integration is valid. NULL, which is not true either, without a latest publication."""

_latest: Final = publication.alias("latest")
RESULT: Final = verification.alias("newest_result")
"""The results among which `select_newest_of` finds the newest one."""


def state_of(result: Any, success: ColumnElement[Any] | None = None) -> ColumnElement[str]:
    """Build the state that a result alone determines; `result` is the table of results or an alias of it.

    `success` replaces its column of this name, if the result of the other kind matters as well; it must not be NULL.
    """
    return case(
        (result.c.success if success is None else success, PactState.VERIFIED.value),
        (result.c.was_pending, PactState.PENDING.value),
        else_=PactState.FAILED.value,
    )


def select_newest_of(publication_id: ColumnElement[Any], column: ColumnElement[Any]) -> Any:
    """Build a subquery for a column of the newest result for the content of a publication.

    `column` belongs to `RESULT`. Results are ordered by the time at which they were recorded, because an imported
    result keeps its original time.
    """
    # Without `correlate_except`, the inner subquery would join all integrations, instead of referring to that of the
    # statement, which is not directly around it.
    content_id = select(_latest.c.content_id).where(_latest.c.id == publication_id).correlate_except(_latest)
    return (
        select(column)
        .where(RESULT.c.content_id == content_id.scalar_subquery())
        .order_by(RESULT.c.created_at.desc(), RESULT.c.id.desc())
        .limit(1)
        .correlate_except(RESULT)
        .scalar_subquery()
    )


def build_values(publication_id: ColumnElement[Any], changed_at: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """Build the values of the copy, for the new values of `latest_publication_id` and `contract_data_updated_at`.

    The provider must be locked, so that no other write adds a result for the pair at the same time.
    """
    return {
        "newest_result_id": select_newest_of(publication_id, RESULT.c.id),
        "newest_result_state": func.coalesce(select_newest_of(publication_id, state_of(RESULT)), NO_RESULT),
        "newest_result_publication_id": publication_id,
        "newest_result_at": changed_at,
    }


_VALUES: Final = build_values(integration.c.latest_publication_id, integration.c.contract_data_updated_at)
REFRESH: Final = update(integration).values(_VALUES)
"""Copies the newest result into the integrations that a statement adds as its condition."""


def refresh_all(db: Connection) -> None:
    """Copy the newest results of all integrations. No other transaction may add results meanwhile."""
    execute(db, REFRESH, {})


IS_WRONG: Final = and_(
    IS_VALID,
    or_(*(integration.c[name].is_distinct_from(_VALUES[name]) for name in ("newest_result_id", "newest_result_state"))),
)
"""Whether a copy claims to be valid, and differs from the results; for the integrity check."""
