"""Databases of the benchmarks: histories of different lengths with the same response to each request."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, func, insert, select, text

from bench.wire import UNIQUE
from treaty.model.maintenance.backups import ColumnKind, TableLayout
from treaty.model.pacts import content as contents
from treaty.model.pacts import documents
from treaty.store import newest_results, tables
from treaty.store.engine.database import Database, open_database
from treaty.store.maintenance.backup_rows import add_rows, continue_ids
from treaty.store.migrations import migrate
from treaty.workers.usage import IndexingWorker

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
PER_CONTENT: Final = 50
"""Number of consecutive versions that publish the same content."""
PER_FEATURE: Final = 5
"""Number of versions of which one is on a feature branch, and the others on the main branch."""
PER_BRANCH: Final = 20
"""Number of consecutive versions during which a feature branch exists."""
HUBS: Final = (10, 50)
"""Consumers of many providers, by their number of providers, which they share."""
FIRST_HUB: Final = 10_000
"""First id of hubs and their providers, minus 1."""
FIRST_OF_HUBS: Final = 1_000_000
"""First id of their publications and contents."""
ENVIRONMENTS: Final = ("test", "production")


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Size of a history. A pair is a consumer and a provider with pacts between them only."""

    name: str
    pairs: int
    versions: int
    """Versions of each consumer and of each provider. Each provider version has two results."""
    bystanders: int
    """Pacticipants without versions."""

    hub_versions: int = 0
    """Versions of each hub and of each of its providers; 0 for a history without hubs."""

    @property
    def of_hubs(self) -> "History":
        """The history of the hubs only."""
        return replace(self, pairs=0, versions=self.hub_versions, bystanders=0)

    @property
    def in_production(self) -> int:
        """Index of the version in production, whose content is older than the newest one."""
        return self.versions - 55

    @property
    def in_test(self) -> int:
        return self.versions - 13

    @property
    def deployments(self) -> Sequence[tuple[int, int]]:
        """For each environment, the number of versions of which one is deployed, and the index of the last one."""
        return ((25, self.in_test), (50, self.in_production))


SMALL: Final = History(name="small", pairs=1, versions=200, bystanders=0, hub_versions=100)
SHORT: Final = History(name="short", pairs=100, versions=100, bystanders=100, hub_versions=100)
"""With as many pairs as the large history, so that pages of lists have as many entries, but with fewer versions."""
LARGE: Final = History(name="large", pairs=100, versions=1000, bystanders=4800, hub_versions=500)
ALL: Final = (SMALL, SHORT, LARGE)


def consumer(pair: int) -> str:
    return f"consumer-{pair:03d}"


def provider(pair: int) -> str:
    return f"provider-{pair:03d}"


def hub(size: int) -> str:
    return f"hub-{size}"


def spoke(index: int) -> str:
    return f"spoke-{index:03d}"


def start_of_newest_branches(history: History) -> str:
    """Return the time from which five feature branches exist."""
    return _timestamps(history.versions - 5 * PER_BRANCH)["created_at"].isoformat()


def number(version: int) -> str:
    return f"1.0.{version:04d}+{version * 7919:08x}"


def build_pact(pair: int, *, size: int, mark: str) -> bytes:
    """Build a pact of about `size` bytes, with a mark that begins at a multiple of three bytes, as Base64 requires."""
    interactions: list[dict[str, Any]] = []
    document = {
        "consumer": {"name": consumer(pair)},
        "interactions": interactions,
        "metadata": {"pactSpecification": {"version": "2.0.0"}, "pact-js": {"version": "12.1.0"}},
        "provider": {"name": provider(pair)},
    }
    while len(json.dumps(document)) < size:
        interactions.append(_interaction(len(interactions), mark if not interactions else "a usual one"))
    return _align(json.dumps(document).encode(), mark.encode())


def _interaction(index: int, mark: str) -> dict[str, Any]:
    order = {"id": index, "total": 12.5 + index, "items": [{"sku": f"sku-{n}", "count": n} for n in range(6)]}
    return {
        "description": f"a request for order {index}, {mark}",
        "providerState": f"order {index} exists",
        "request": {"method": "GET", "path": f"/orders/{index}", "headers": {"Accept": "application/json"}},
        "response": {
            "status": 200,
            "headers": {"Content-Type": "application/json; charset=utf-8"},
            "body": {"order": order, "self": f"/orders/{index}"},
            "matchingRules": {"$.body.order.total": {"match": "type"}, "$.body.order.items": {"min": 1}},
        },
    }


def _align(text: bytes, mark: bytes) -> bytes:
    return b" " * (-text.index(mark) % 3) + text


def build(history: History, url: str) -> None:
    """Build the database of a history."""
    database = open_database(url)
    migrate(database)
    database.write(partial(fill_fast, history=history))
    if database.engine.dialect.name == "postgresql":
        database.write(continue_all_ids)
        IndexingWorker(database).index_all()  # otherwise the server would do it during the measurements
        analyze(database)
    database.close()


def fill_fast(db: Connection, history: History) -> None:
    """Add a history to an empty database like `fill`, without checks of foreign keys."""
    hurry_postgresql(db)
    fill(db, history)


def hurry_postgresql(db: Connection) -> None:
    """Disable checks of foreign keys and flushes to the disk for this transaction, if the database is PostgreSQL."""
    if db.dialect.name == "postgresql":
        db.execute(text("SET LOCAL session_replication_role = replica"))
        db.execute(text("SET LOCAL synchronous_commit = off"))


def continue_all_ids(db: Connection) -> None:
    """Have PostgreSQL assign ids after those that were inserted."""
    for table in tables.metadata.sorted_tables:
        if "id" in table.c and table.c.id.identity:
            last = db.execute(select(func.max(table.c.id))).scalar()
            continue_ids(db, TableLayout(name=table.name, columns={}, last_id=last))


def analyze(database: Database) -> None:
    """Update the statistics of PostgreSQL. Treaty never does this on SQLite, where it would lead to other plans."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def fill(db: Connection, history: History) -> None:
    """Add a history to an empty database."""
    names = [name for pair in range(history.pairs) for name in (consumer(pair), provider(pair))]
    names += [f"bystander-{index:04d}" for index in range(history.bystanders)]
    _add(db, tables.pacticipant, (_pacticipant(index, name) for index, name in enumerate(names)))
    _add(db, tables.environment, (_environment(index, name) for index, name in enumerate(ENVIRONMENTS)))
    for pair in range(history.pairs):
        for owner in (2 * pair, 2 * pair + 1):
            _add_versions(db, history, owner)
        _add_pacts(db, history, pair)
    if history.hub_versions:
        _add_hubs(db, history.of_hubs)
    newest_results.refresh_all(db)


def _add(db: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    """Add rows. All must have the same columns."""
    row_list = list(rows)
    if row_list and db.dialect.name == "postgresql":
        layout = TableLayout(name=table.name, columns=dict.fromkeys(row_list[0], ColumnKind.TEXT), last_id=None)
        add_rows(db, layout, (list(row.values()) for row in row_list))
    elif row_list:
        db.execute(insert(table), row_list)


def time_of(version: int) -> datetime:
    """Return the time at which the builds of a version ran."""
    return START + timedelta(minutes=10 * version)


def _timestamps(version: int) -> dict[str, datetime]:
    return {"created_at": time_of(version), "updated_at": time_of(version)}


def _uuid(*parts: int) -> str:
    return str(UUID(int=sum(part << 24 * position for position, part in enumerate(parts))))


def _pacticipant(index: int, name: str) -> dict[str, Any]:
    return {"id": index + 1, "name": name, "display_name": name.title(), "main_branch": "main", **_timestamps(0)}


def _environment(index: int, name: str) -> dict[str, Any]:
    return {
        "id": index + 1,
        "uuid": _uuid(index, 1),
        "name": name,
        "display_name": name.title(),
        "is_production": name == "production",
        **_timestamps(0),
    }


def _version_id(history: History, owner: int, version: int) -> int:
    return owner * history.versions + version + 1


def is_on_main(version: int) -> bool:
    """Return whether a version is on the main branch, not on a feature branch."""
    return version % PER_FEATURE != PER_FEATURE - 1


def _add_versions(db: Connection, history: History, owner: int) -> None:
    """Add versions of a pacticipant, on branches, tagged and deployed."""
    versions = range(history.versions)
    ids = [_version_id(history, owner, version) for version in versions]
    owner_columns = {"pacticipant_id": owner + 1}
    _add(
        db,
        tables.version,
        (
            {"id": ids[index], **owner_columns, "number": number(index), "position": index + 1, **_timestamps(index)}
            for index in versions
        ),
    )
    _add_branches(db, history, owner, ids)
    tagged = [index for index in versions if index % 10 == 0]
    _add(
        db,
        tables.tag,
        (
            {"version_id": ids[index], **owner_columns, "name": "dev", "position": index + 1, **_timestamps(index)}
            for index in tagged
        ),
    )
    _add(db, tables.tag_head, iter([{**owner_columns, "name": "dev", "version_id": ids[tagged[-1]]}]))
    _add(db, tables.deployed_version, _deployments(history, owner))
    _add(db, tables.released_version, iter([_release(history, owner)]))


def _add_branches(db: Connection, history: History, owner: int, ids: list[int]) -> None:
    features = -(-history.versions // PER_BRANCH)
    first = owner * (features + 1) + 1

    def branch_of(version: int) -> int:
        return first if is_on_main(version) else first + 1 + version // PER_BRANCH

    heads = {branch_of(version): version for version in range(history.versions)}
    firsts = {branch_of(version): version for version in reversed(range(history.versions))}
    names = {first: "main", **{first + 1 + index: f"feat/{index}" for index in range(features)}}
    _add(
        db,
        tables.branch,
        (
            {
                "id": branch,
                "pacticipant_id": owner + 1,
                "name": names[branch],
                "head_version_id": ids[head],
                "created_at": time_of(firsts[branch]),
                "updated_at": time_of(head),
            }
            for branch, head in heads.items()
        ),
    )
    _add(
        db,
        tables.branch_version,
        (
            {
                "branch_id": branch_of(index),
                "version_id": ids[index],
                "position": index + 1,
                "is_auto_created": False,
                **_timestamps(index),
            }
            for index in range(history.versions)
        ),
    )


def _deployments(history: History, owner: int) -> Iterator[dict[str, Any]]:
    """Yield the rows of consecutive deployments to each environment."""
    for position, (every, last) in enumerate(history.deployments):
        for version in range(last % every, last + 1, every):
            following = None if version == last else _timestamps(version + every)["created_at"]
            yield {
                "uuid": _uuid(version, owner, position + 10),
                "pacticipant_id": owner + 1,
                "version_id": _version_id(history, owner, version),
                "environment_id": position + 1,
                "is_auto_created": False,
                "undeployed_at": following,
                **_timestamps(version),
            }


def _release(history: History, owner: int) -> dict[str, Any]:
    return {
        "uuid": _uuid(owner, 20),
        "pacticipant_id": owner + 1,
        "version_id": _version_id(history, owner, history.in_production),
        "environment_id": ENVIRONMENTS.index("production") + 1,
        **_timestamps(history.in_production),
    }


def _add_pacts(db: Connection, history: History, pair: int) -> None:
    """Add the publications of a consumer and the results of its provider."""
    owner_columns = {"consumer_id": 2 * pair + 1, "provider_id": 2 * pair + 2}
    per_pair = -(-history.versions // PER_CONTENT)
    first = pair * per_pair + 1
    _add(db, tables.content, ({**owner_columns, **_content(pair, first, index)} for index in range(per_pair)))
    _add(
        db,
        tables.publication,
        ({**owner_columns, **_publication(history, pair, first, index)} for index in range(history.versions)),
    )
    integration = {
        "latest_publication_id": (pair + 1) * history.versions,
        "contract_data_updated_at": time_of(history.versions - 1),
        "created_at": START,
    }
    _add(db, tables.integration, iter([{**owner_columns, **integration}]))
    _add(
        db,
        tables.verification,
        ({**owner_columns, **verification} for verification in _verifications(history, pair, first)),
    )


def _content(pair: int, first: int, index: int) -> dict[str, Any]:
    content = contents.build_content(documents.parse_document(build_published_pact(pair, index)))
    return {
        "id": first + index,
        "sha": content.sha,
        "body": content.body,
        "created_at": _timestamps(index * PER_CONTENT)["created_at"],
    }


def _publication(history: History, pair: int, first: int, version: int) -> dict[str, Any]:
    return {
        "id": pair * history.versions + version + 1,
        "consumer_version_id": _version_id(history, 2 * pair, version),
        "content_id": first + version // PER_CONTENT,
        "revision": 1,
        "position": version + 1,
        "is_current": True,
        "created_at": _timestamps(version)["created_at"],
    }


def _verifications(history: History, pair: int, first: int) -> Iterator[dict[str, Any]]:
    """Yield two results of each version: for the newest content, and for the one before it (or the same again)."""
    for version in range(history.versions):
        newest = version // PER_CONTENT
        for position, content in enumerate((newest, newest - 1) if newest else (0, 0)):
            yield {
                "content_id": first + content,
                "provider_version_id": _version_id(history, 2 * pair + 1, version),
                "success": version % 25 != 1,
                "is_latest": newest > 0 or position == 1,
                "is_wip": False,
                "verified_at": _timestamps(version)["created_at"],
                "created_at": _timestamps(version)["created_at"],
                "build_url": f"https://ci.example.org/builds/{version}",
            }


def _add_hubs(db: Connection, history: History) -> None:
    """Add consumers of many providers, with ids that the pairs do not use."""
    first = FIRST_HUB
    spokes = {index: first + len(HUBS) + index for index in range(max(HUBS))}
    names = [*map(hub, HUBS), *map(spoke, spokes)]
    _add(db, tables.pacticipant, (_pacticipant(first + index, name) for index, name in enumerate(names)))
    for owner in range(first, first + len(names)):
        _add_versions(db, history, owner)
    pairs = [(first + position, spokes[index]) for position, size in enumerate(HUBS) for index in range(size)]
    for index, (consumer_owner, provider_owner) in enumerate(pairs):
        _add_integration(db, history, index, consumer_owner, provider_owner)


def _add_integration(db: Connection, history: History, index: int, consumer_owner: int, provider_owner: int) -> None:
    """Add the publications of a hub for one of its providers, and the results of the provider."""
    owner_columns = {"consumer_id": consumer_owner + 1, "provider_id": provider_owner + 1}
    per_pair = -(-history.versions // PER_CONTENT)
    first, first_publication = FIRST_OF_HUBS + index * per_pair, FIRST_OF_HUBS + index * history.versions
    versions = range(history.versions)
    _add(db, tables.content, ({**owner_columns, **_content(0, first, index)} for index in range(per_pair)))
    _add(
        db,
        tables.publication,
        (
            {
                **owner_columns,
                **_publication(history, 0, first, index),
                "id": first_publication + index,
                "consumer_version_id": _version_id(history, consumer_owner, index),
            }
            for index in versions
        ),
    )
    integration = {
        "latest_publication_id": first_publication + history.versions - 1,
        "contract_data_updated_at": time_of(history.versions - 1),
        "created_at": START,
    }
    _add(db, tables.integration, iter([{**owner_columns, **integration}]))
    results = _verifications(history, 0, first)
    provider_versions = {
        _version_id(history, 1, index): _version_id(history, provider_owner, index) for index in versions
    }
    _add(
        db,
        tables.verification,
        (
            {**owner_columns, **result, "provider_version_id": provider_versions[result["provider_version_id"]]}
            for result in results
        ),
    )


@lru_cache(maxsize=100)  # hubs publish the contents of the first pair
def build_published_pact(pair: int, content: int) -> bytes:
    """Build the pact of a content of a pair."""
    return build_pact(pair, size=5600, mark=f"content {content}")


def build_new_pact(pair: int) -> bytes:
    """Build a pact of 6 KB with a placeholder, so that each publication has a new content."""
    return build_pact(pair, size=5600, mark=UNIQUE)
