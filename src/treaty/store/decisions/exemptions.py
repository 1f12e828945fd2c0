"""Loads the exemptions of decisions: active overrides, and first deployments that a policy allows."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, bindparam, exists, select

from treaty.model.decisions.exemptions import Exemptions, PolicySource, choose_policy
from treaty.model.decisions.matrix import MatrixFacts, VersionKey
from treaty.model.decisions.selectors import AnyVersion, FoundVersion, NoVersion
from treaty.store.decisions import overrides
from treaty.store.engine.batches import split
from treaty.store.engine.database import fetch_rows
from treaty.store.tables import deployed_version, environment, integration, pacticipant, released_version


def load_for_matrix(db: Connection, facts: MatrixFacts, *, environment_name: str, now: datetime) -> Exemptions:
    """Load the exemptions of a decision of the matrix that would be no without them."""
    specified = [resolved for resolved in facts.specified if isinstance(resolved, FoundVersion | AnyVersion)]
    return load_exemptions(
        db,
        facts.members,
        consumers={resolved.selector.pacticipant for resolved in specified},
        providers={resolved.selector.pacticipant for resolved in facts.inferred if isinstance(resolved, NoVersion)},
        environment_name=environment_name,
        now=now,
    )


def load_exemptions(
    db: Connection,
    members: Collection[VersionKey],
    *,
    consumers: Collection[str],
    providers: Collection[str],
    environment_name: str,
    now: datetime,
) -> Exemptions:
    """Load the exemptions of versions to be deployed.

    `providers` are those of which no version is in the environment, and `consumers` the pacticipants to be deployed.
    """
    return Exemptions(
        overrides=overrides.list_active(db, members, environment_name=environment_name, now=now) if members else (),
        first_deployments=_load_first_deployments(db, consumers, providers, environment_name=environment_name),
    )


_CONSUMER: Final = pacticipant.alias("consumer")
_PROVIDER: Final = pacticipant.alias("provider")


def _is_live(table: Table, ended_at: str) -> ColumnElement[bool]:
    return exists().where(table.c.pacticipant_id == _PROVIDER.c.id, table.c[ended_at].is_(None))


_FIRST_DEPLOYMENTS: Final = (
    select(
        _CONSUMER.c.name.label("consumer"),
        _PROVIDER.c.name.label("provider"),
        environment.c.allows_first_deployments.label("of_environment"),
        integration.c.allows_first_deployments.label("of_integration"),
    )
    .join_from(integration, _CONSUMER, _CONSUMER.c.id == integration.c.consumer_id)
    .join(_PROVIDER, _PROVIDER.c.id == integration.c.provider_id)
    .join(environment, environment.c.name == bindparam("environment"))
    .where(
        _CONSUMER.c.name.in_(bindparam("consumers", expanding=True)),
        _PROVIDER.c.name.in_(bindparam("providers", expanding=True)),
        integration.c.consumer_id != integration.c.provider_id,
        and_(~_is_live(deployed_version, "undeployed_at"), ~_is_live(released_version, "support_ended_at")),
    )
)


def _load_first_deployments(
    db: Connection, consumers: Collection[str], providers: Collection[str], *, environment_name: str
) -> dict[tuple[str, str], PolicySource]:
    """Map the pairs whose provider is deployed nowhere, and may be, to where that is allowed."""
    rows: list[Any] = []
    for names in split(sorted(providers)):
        params = {"consumers": sorted(consumers), "providers": names, "environment": environment_name}
        rows += fetch_rows(db, _FIRST_DEPLOYMENTS, params)
    policies = (
        ((row.consumer, row.provider), choose_policy(environment=row.of_environment, integration=row.of_integration))
        for row in rows
    )
    return {pair: policy for pair, policy in policies if policy is not None}
