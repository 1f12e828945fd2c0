"""The versions of the engine that have computed the stored comparisons. Workers poll with this query."""

from typing import Final

from sqlalchemy import Connection, select

from treaty.model.compare.engine_version import ENGINE_VERSION
from treaty.store.engine.database import fetch_column
from treaty.store.tables import comparison

_ALL_ENGINES: Final = select(comparison.c.engine).distinct()


def list_former_engines(db: Connection) -> list[str]:
    """List the versions before the server's among those of the stored comparisons."""
    return [engine for engine in fetch_column(db, _ALL_ENGINES, {}) if _rank(engine) < _rank(ENGINE_VERSION)]


def _rank(engine: str) -> int:
    return int(engine) if engine.isdecimal() else 0
