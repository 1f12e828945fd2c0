"""Integrity check: compares denormalized columns with the rows that they are derived from, and repairs them."""

from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.maintenance import integrity


@dataclass(frozen=True, slots=True)
class IntegrityFinding:
    """A rule of the integrity check, and the number of rows that violate it."""

    rule: str
    broken: int


def check_integrity(db: Connection) -> list[IntegrityFinding]:
    """Count the violations of all rules without changing anything."""
    return [IntegrityFinding(check.name, integrity.count_violations(db, check)) for check in integrity.CHECKS]


def repair_integrity(db: Connection) -> list[IntegrityFinding]:
    """Repair all violations in one transaction, and return their numbers from before.

    In the order of the rules, because later ones are derived from columns that earlier ones repair.
    """
    findings = []
    for check in integrity.CHECKS:
        broken = integrity.count_violations(db, check)
        if broken:
            integrity.repair(db, check)
            audit.record(db, Action.REPAIR, params={"rule": check.name, "rows": broken})
        findings.append(IntegrityFinding(check.name, broken))
    return findings
