"""The schema's history, and how a database is brought up to date."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from treaty.errors import NewerDatabase, NotReady, UnusableDatabase
from treaty.store.engine.database import BUSY_TIMEOUT_SECONDS, Busy, Database, Postgresql
from treaty.store.engine.database_faults import RESTORE, name_database
from treaty.store.engine.file_checks import SIGNATURE_TABLES, TABLES_ON_SQLITE, VERSION_TABLE
from treaty.store.tables import metadata

if TYPE_CHECKING:
    from alembic.config import Config

    from treaty.store.migrations.online import LargeIndex

REVISIONS: Final = sorted(
    path.stem.partition("_")[0] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py")
)
HEAD: Final = REVISIONS[-1]
_LOCK: Final = 7_247_001
"""The number of PostgreSQL's advisory lock; any, but always the same."""
LOCK_TIMEOUT_SECONDS: Final = 1
"""Seconds for which a migration waits for a lock of a table, and thereby blocks other statements on this table."""
_LOCK_FAILURES: Final = {"55P03", "40P01"}
"""SQLSTATEs of a lock that was not available in time, and of a deadlock."""


def migrate(database: Database) -> bool:
    """Bring the schema up to date, and return whether it was empty before.

    Several servers may start at once: the first one migrates, and for the others this raises a temporary
    UnusableDatabase, so that they can report that they wait. Raises another UnusableDatabase for a schema that is not
    Treaty's, is incomplete, or was written by a newer Treaty.
    """
    before = database.read(revision)
    if before is not None and isinstance(database, Postgresql):
        _upgrade_online(database, before)
    elif before != HEAD:
        with _reporting_locks(database):
            database.write(upgrade)
    return before is None


def _upgrade_online(database: Postgresql, before: str) -> None:
    """Upgrade tables that other servers use: each revision in a transaction, which is short.

    Indexes of large tables are built before it, and new columns are filled in batches. A transaction that changes a
    table waits for all others that use it, and blocks those that come later meanwhile, so it gives up after
    LOCK_TIMEOUT_SECONDS.
    """
    for target in REVISIONS[REVISIONS.index(before) + 1 :]:
        try:
            with database.engine.begin() as db:
                _lock_or_raise(db)
                if str(revision(db)) >= target:  # another server was faster
                    continue
                # This statement has to be the last one before the indexes: a prepared query keeps its snapshot until
                # the next statement, and an index waits for all snapshots.
                db.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'"))
                _prepare(database, target)
                run_migrations(db, target)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _LOCK_FAILURES:
                raise
            place = name_database(database.engine.url)
            raise UnusableDatabase(
                f"the tables of {place} cannot be upgraded while a long transaction, such as a backup, uses them.",
                "Try again when it has ended, or increase database_startup_timeout.",
                is_temporary=True,
            ) from error


def _prepare(database: Postgresql, target: str) -> None:
    """Do what a revision does beside other servers: see `online`."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 - slow to load, and needed once in a database's life

    from treaty.store.migrations import online  # noqa: PLC0415 - loads alembic

    script = ScriptDirectory.from_config(_configure_alembic()).get_revision(target)
    indexes: Sequence[LargeIndex] = getattr(script.module, "INDEXES", ())
    prepare: Callable[[Connection], None] | None = getattr(script.module, "prepare", None)
    if indexes or prepare:
        # A connection of its own: `CREATE INDEX` cannot run in a transaction, and the other one holds the lock.
        with database.connect_separately() as db:
            if prepare:
                prepare(db)
            for index in indexes:
                online.build(db, index)


@contextmanager
def _reporting_locks(database: Database) -> Iterator[None]:
    """Have SQLite report the write lock of another process at once, instead of waiting for it silently."""
    if database.engine.dialect.name != "sqlite":
        yield
        return
    _set_busy_timeout(database, 0)
    try:
        yield
    except Busy as error:
        place = name_database(database.engine.url)
        raise UnusableDatabase(
            f"{place} is locked by another process, such as a server that is creating or upgrading its tables.",
            "Try again when that server has started, or end the other process.",
            is_temporary=True,
        ) from error
    finally:
        _set_busy_timeout(database, BUSY_TIMEOUT_SECONDS)


def _set_busy_timeout(database: Database, seconds: int) -> None:
    database.read_once(lambda db: db.exec_driver_sql(f"PRAGMA busy_timeout = {seconds * 1000}").close())


def revision(db: Connection) -> str | None:
    """Return the revision of a database, or None if it has no tables. Raises UnusableDatabase, as `migrate` does."""
    names = _list_tables(db)
    if not names:
        return None
    place = name_database(db.engine.url)
    if VERSION_TABLE not in names:
        raise _foreign_schema(place, names)
    revisions = [number for (number,) in db.execute(text(f"SELECT version_num FROM {VERSION_TABLE}"))]  # noqa: S608 - a constant
    if not revisions:
        raise UnusableDatabase(
            f"{place} has an empty table {VERSION_TABLE}, so that the version of its schema is unknown.", RESTORE
        )
    _check_revision(place, revisions, names)
    return str(revisions[0])


def _list_tables(db: Connection) -> set[str]:
    """List the tables of the schema in which Treaty creates its own, without those of PostgreSQL's extensions."""
    statement = TABLES_ON_SQLITE if db.dialect.name == "sqlite" else _TABLES_ON_POSTGRESQL
    return {name for (name,) in db.execute(text(statement))}


def check_is_current(db: Connection) -> None:
    """Raise NotReady unless the tables are those of this Treaty or, during a rolling upgrade, of a newer one."""
    try:
        number = revision(db)
    except NewerDatabase:
        return
    except UnusableDatabase as error:
        raise NotReady(str(error)) from error
    if number != HEAD:
        raise NotReady(
            f"The tables of the database have revision {number or 'none'}, but this server needs {HEAD}. Its log says "
            "whether an upgrade is running; after a backup was restored, restart the server."
        )


_TABLES_ON_POSTGRESQL: Final = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e'
    )
"""


def _check_revision(place: str, revisions: list[str], names: set[str]) -> None:
    """Raise UnusableDatabase unless the tables are those of a revision that this Treaty knows."""
    number = revisions[0]
    is_own = len(revisions) == 1 and names >= SIGNATURE_TABLES and _NUMBER.fullmatch(number)
    if not is_own:
        raise _foreign_schema(place, names)
    if number not in REVISIONS:
        raise NewerDatabase(
            f"{place} was upgraded to revision {number} by a newer Treaty; this one knows revisions up to {HEAD}.",
            "Use that version or a later one, or restore a backup from before the upgrade.",
        )
    missing = sorted(metadata.tables.keys() - names) if number == HEAD else []
    if missing:
        raise UnusableDatabase(f"{place} lacks tables of Treaty: {', '.join(missing)}.", RESTORE)


_NUMBER: Final = re.compile(r"\d{4}")


def _foreign_schema(place: str, names: set[str]) -> UnusableDatabase:
    shown = ", ".join(sorted(names)[:3])
    remedy = _MOVE if "schema_info" in names else "Give Treaty a database, or on PostgreSQL a schema, of its own."
    return UnusableDatabase(f"{place} has the tables of another program ({shown}).", remedy)


_MOVE: Final = (
    "It seems to be the original Pact Broker's: give Treaty a database of its own, and copy the data from the running "
    "broker with `treaty import`."
)


def upgrade(db: Connection) -> None:
    """Bring the schema up to date in an open transaction. Raises UnusableDatabase, as `migrate` does."""
    if db.dialect.name == "postgresql":
        _lock_or_raise(db)
    if revision(db) != HEAD:  # another server may have migrated it meanwhile
        run_migrations(db, "head")


def _lock_or_raise(db: Connection) -> None:
    """Take PostgreSQL's advisory lock until the end of the transaction. Raises UnusableDatabase if it is taken."""
    if not db.execute(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": _LOCK}).scalar():
        raise UnusableDatabase(
            f"another server is creating or upgrading the tables of {name_database(db.engine.url)}.",
            "Try again when that server has started; if its upgrade takes long, increase database_startup_timeout.",
            is_temporary=True,
        )


def run_migrations(db: Connection, target: str) -> None:
    """Upgrade the schema to a revision, or to `head`, in an open transaction."""
    from alembic import command  # noqa: PLC0415 - slow to load, and needed once in a database's life

    config = _configure_alembic()
    config.attributes["connection"] = db
    command.upgrade(config, target)


def _configure_alembic() -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - slow to load, and needed once in a database's life

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
