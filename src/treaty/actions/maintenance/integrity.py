"""Looking over the data: is all that is kept on write what a recount says?"""

from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.maintenance import integrity


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """A rule about the data, and how many rows break it."""

    rule: str
    broken: int


def check_integrity(db: Connection) -> list[IntegrityFinding]:
    """Count again, and change nothing."""
    return [IntegrityFinding(check.name, integrity.count_violations(db, check)) for check in integrity.CHECKS]


def repair_integrity(db: Connection) -> list[IntegrityFinding]:
    """Count again and mend what is wrong; say what was."""
    findings = []
    for check in integrity.CHECKS:
        broken = integrity.count_violations(db, check)
        if broken:
            integrity.repair(db, check)
            audit.record(db, Action.REPAIR, params={"rule": check.name, "rows": broken})
        findings.append(IntegrityFinding(check.name, broken))
    return findings
