"""Looking over the data: is all that is kept on write what a recount says?"""

from dataclasses import dataclass

from sqlalchemy import Connection

from treaty.model.audit import Action
from treaty.store import audit
from treaty.store.maintenance import integrity


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule about the data, and how many rows break it."""

    rule: str
    broken: int


def examine(db: Connection) -> list[Finding]:
    """Count again, and change nothing."""
    return [Finding(check.name, integrity.count(db, check)) for check in integrity.CHECKS]


def mend(db: Connection) -> list[Finding]:
    """Count again and mend what is wrong; say what was."""
    findings = []
    for check in integrity.CHECKS:
        broken = integrity.count(db, check)
        if broken:
            integrity.mend(db, check)
            audit.note(db, Action.REPAIR, params={"rule": check.name, "rows": broken})
        findings.append(Finding(check.name, broken))
    return findings
