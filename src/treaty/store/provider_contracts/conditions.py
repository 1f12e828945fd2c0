"""SQL conditions about provider versions with contracts, for statements of several domains."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Text,
    and_,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    null,
    select,
)

from treaty.store.engine.database import fetch_scalar
from treaty.store.provider_contracts.comparisons import DEFAULT_PROFILE
from treaty.store.tables import comparison, pacticipant, verification, version

# Part of the text: PostgreSQL takes expressions with different parameters for different expressions, and statements
# have this condition in their ORDER BY, too.
_DEFAULT_PROFILE: Final = literal_column(f"'{DEFAULT_PROFILE}'", Text)
_HAS_CONTRACTS: Final = select(version.c.id).where(version.c.documents_sha.is_not(None)).limit(1)


def has_any_contracts(db: Connection) -> bool:
    """Whether any provider version has a contract: without any, statements need no conditions about them."""
    return fetch_scalar(db, _HAS_CONTRACTS, {}) is not None


def _profile_of(provider_version: FromClause) -> ColumnElement[str]:
    """Return the profile by which the contracts of a provider version are compared."""
    provider = pacticipant.alias("provider_of_contract")
    own = select(provider.c.comparison_profile).where(provider.c.id == provider_version.c.pacticipant_id)
    return func.coalesce(own.correlate(provider_version).scalar_subquery(), _DEFAULT_PROFILE)


def is_uncompared(content_id: ColumnElement[Any], version_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a provider version has a contract, and nothing shows yet that it is compatible with a content.

    It is not needed where the contract does not describe all of the content: then the result of a verifier counts.
    """
    provider_version = version.alias("version_with_contract")
    compared = verification.alias("compared_result")
    # Without `correlate_except`, a condition refers only to tables of the query directly around it, and would join all
    # rows of the others: any comparison of any pair would then count.
    is_compared = (
        exists()
        .where(
            compared.c.content_id == content_id,
            compared.c.provider_version_id == version_id,
            compared.c.is_latest,
            compared.c.comparison_id.is_not(None),
        )
        .correlate_except(compared)
    )
    is_partial = and_(
        provider_version.c.is_self_verified,
        exists()
        .where(
            comparison.c.content_id == content_id,
            comparison.c.documents_sha == provider_version.c.documents_sha,
            comparison.c.profile == _profile_of(provider_version),
            comparison.c.is_compatible,
            not_(comparison.c.is_complete),
        )
        .correlate_except(comparison),
    )
    return (
        exists()
        .where(
            provider_version.c.id == version_id,
            provider_version.c.documents_sha.is_not(None),
            not_(is_compared),
            # A missing self-verification is NULL, which is not true either.
            is_partial.is_not(True),
        )
        .correlate_except(provider_version)
    )


def decisive_success(result: FromClause) -> ColumnElement[Any]:
    """Whether a latest result, together with that of the other kind, verifies its content and provider version.

    False if the latest result of either kind is a failure, and NULL while a success of a verifier lacks the comparison,
    as in decisions. `result` is the table of results or an alias of it.
    """
    other = verification.alias("result_of_other_kind")
    has_failed = (
        exists()
        .where(
            other.c.content_id == result.c.content_id,
            other.c.provider_version_id == result.c.provider_version_id,
            other.c.is_latest,
            not_(other.c.success),
        )
        .correlate_except(other)
    )
    return case(
        (and_(result.c.success, has_failed), false()),
        (and_(result.c.success, is_uncompared(result.c.content_id, result.c.provider_version_id)), null()),
        else_=result.c.success,
    )
