"""Right after many versions were added, PostgreSQL does not know how many there are. Removals do not depend on it."""

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, insert

from tests.databases import Lender, open_kept
from treaty.actions.pacticipants.integrations import remove_integration
from treaty.store.tables import pacticipant

COUNT: Final = 6000
MAX_READS: Final = 45
"""Reads of each version: one for each batch that scans the table, not one for each statement that compares numbers."""
FILL: Final = (
    "ANALYZE",
    """INSERT INTO version (pacticipant_id, number, position, created_at, updated_at)
    SELECT p.id, i::text, i, now(), now() FROM pacticipant p, generate_series(1, 6000) i""",
    """INSERT INTO content (consumer_id, provider_id, sha, created_at, body)
    SELECT c.id, p.id, 'x', now(), '{}' FROM pacticipant c, pacticipant p WHERE c.name = 'C' AND p.name <> 'C'""",
    """INSERT INTO publication
    (consumer_id, provider_id, consumer_version_id, content_id, revision, position, is_current, created_at)
    SELECT v.pacticipant_id, k.provider_id, v.id, k.id, 1, v.position, true, now()
    FROM version v JOIN content k ON k.consumer_id = v.pacticipant_id JOIN pacticipant p ON p.id = k.provider_id
    WHERE p.name = 'P' OR v.position <= 10""",
    """INSERT INTO integration (consumer_id, provider_id, created_at)
    SELECT consumer_id, provider_id, now() FROM content""",
    """INSERT INTO webhook (uuid, is_enabled, method, url, headers, failures, created_at, updated_at)
    VALUES ('w', true, 'POST', 'http://x', '{}', 0, now(), now())""",
    """INSERT INTO triggered_webhook
    (uuid, webhook_id, consumer_id, provider_id, publication_id, event, context, status, attempts, due_at, created_at)
    SELECT 'u' || t.id, w.id, t.consumer_id, t.provider_id, t.id, 'contract_published', '{}', 'not_run', 0, now(), now()
    FROM publication t JOIN pacticipant p ON p.id = t.provider_id CROSS JOIN webhook w WHERE p.name = 'Q'""",
)
_READ: Final = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'version'"
NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


def test_removing_an_integration_reads_each_version_a_few_times_whatever_the_statistics(
    postgres_lender: Lender,
) -> None:
    with postgres_lender.database() as url:
        database = open_kept(url, connections=1)
        database.write(_fill)
        read = database.write(_remove)
        database.close()
    assert read < MAX_READS * 2 * COUNT


def _fill(db: Connection) -> None:
    for name in ("C", "P", "Q"):
        db.execute(insert(pacticipant).values(name=name, display_name=name, created_at=NOW, updated_at=NOW))
    for statement in FILL:
        db.exec_driver_sql(statement)


def _remove(db: Connection) -> int:
    remove_integration(db, consumer="C", provider="P")
    read: int = db.exec_driver_sql(_READ).scalar_one()
    return read
