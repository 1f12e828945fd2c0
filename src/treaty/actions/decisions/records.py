"""Recording of decisions."""

from dataclasses import asdict
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.model.decisions.records import DecisionDraft, RecordedDecision
from treaty.store import audit
from treaty.store.decisions import records


def record_decision(db: Connection, draft: DecisionDraft, *, now: datetime) -> RecordedDecision:
    """Record a decision, in the transaction in which it was made. Every recorded decision passes through here."""
    fields = {**asdict(draft), "versions": tuple(draft.versions), "causes": tuple(draft.causes)}
    recorded = RecordedDecision(uuid=str(uuid4()), created_at=now, **fields)
    records.add(db, recorded)
    audit.record(
        db,
        Action.DECISION,
        resource=recorded.environment,
        params={
            "decision": recorded.uuid,
            "versions": [f"{name} ({number})" for name, number in recorded.versions],
            "deployable": recorded.deployable,
        },
    )
    return recorded
