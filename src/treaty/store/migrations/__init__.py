"""The schema's history, and how a database is brought up to date."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text

from treaty.errors import InvalidSetting
from treaty.store.engine.database import Database

REVISIONS: Final = sorted(
    path.stem.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py")
)
HEAD: Final = REVISIONS[-1]
_LOCK: Final = 7_247_001
"""The number of PostgreSQL's advisory lock; any, but always the same."""


def migrate(database: Database) -> bool:
    """Bring the schema up to date, and say whether it was empty before.

    Several servers may start at once: the first one works, the others wait for it and find it done. Raises WrongSetting
    for a database that a newer Treaty has written.
    """
    before = database.read(revision)
    if before != HEAD:
        database.write(_upgrade)
    return before is None


def revision(db: Connection) -> str | None:
    """Return the revision of a database; None for an empty one."""
    if not inspect(db).has_table("alembic_version"):
        return None
    number: str | None = db.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return number


def _upgrade(db: Connection) -> None:
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _LOCK})
    now = revision(db)
    if now == HEAD:
        return
    if now is None and inspect(db).has_table("schema_info"):
        raise InvalidSetting(
            "database_url: this is the database of another program (it may be the original Pact Broker's)"
        )
    if now is not None and now not in REVISIONS:
        raise InvalidSetting(
            f"database_url: the database has revision {now}, which this Treaty does not know; use a newer Treaty"
        )
    _run(db)


def _run(db: Connection) -> None:
    from alembic import command  # noqa: PLC0415 - slow to load, and needed once in a database's life
    from alembic.config import Config  # noqa: PLC0415 - likewise

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = db
    command.upgrade(config, "head")
