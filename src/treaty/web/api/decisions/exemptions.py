"""Decisions of the matrix with exemptions, which are loaded only where the answer would be no without them."""

from datetime import datetime

from sqlalchemy import Connection

from treaty.model.decisions.matrix import MatrixFacts, Verdict, decide
from treaty.model.decisions.queries import MatrixQuery
from treaty.store.decisions.exemptions import load_for_matrix


def decide_with_exemptions(db: Connection, query: MatrixQuery, facts: MatrixFacts, *, now: datetime) -> Verdict:
    """Decide a query. Overrides and policies exempt deployments to environments only."""
    verdict = decide(query, facts)
    environment_name = query.destination.environment
    if verdict.summary.deployable or environment_name is None:
        return verdict
    exemptions = load_for_matrix(db, facts, environment_name=environment_name, now=now)
    return verdict if exemptions.is_empty else decide(query, facts._replace(exemptions=exemptions))
