"""A system of 1,000 applications in layers, with 3,000 integrations and a long history, for the benchmarks of pages."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, insert

from treaty.model.pacts import content as contents
from treaty.model.pacts import documents
from treaty.store import newest_results, tables
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate

START: Final = datetime(2024, 1, 1, tzinfo=UTC)
LAYERS: Final = 5
ENVIRONMENTS: Final = ("test", "staging", "production")
BEHIND: Final = (1, 4, 12)
"""Versions by which each environment is behind the newest one."""
PER_CONTENT: Final = 25
"""Consecutive versions that publish the same content."""
PER_FEATURE: Final = 10
"""One of so many consecutive versions is on a feature branch, and the others on the main branch."""
TEAMS: Final = 40
LARGE_PACT: Final = 200
"""Interactions in the pact of the first integration."""


@dataclass(frozen=True)
class System:
    """Size of a system."""

    applications: int = 1000
    integrations: int = 3000
    versions: int = 100
    """Versions of each application."""
    webhooks: int = 50

    @cached_property
    def edges(self) -> Sequence[tuple[int, int]]:
        """Pairs of consumer and provider. Applications consume later layers, and a few are consumed by many."""
        chance = random.Random(7)  # noqa: S311 - it is no secret
        layer_of = [at * LAYERS // self.applications for at in range(self.applications)]
        pairs: dict[tuple[int, int], None] = {}
        while len(pairs) < self.integrations:
            consumer = chance.randrange(self.applications)
            layer = min(layer_of[consumer] + 1 + int(chance.random() ** 3 * LAYERS), LAYERS - 1)
            first = layer * self.applications // LAYERS
            provider = first + int(chance.random() ** 2 * self.applications / LAYERS)
            pair = (provider, consumer) if chance.random() < 0.005 else (consumer, provider)  # noqa: PLR2004 - a few
            if consumer != provider:
                pairs[pair] = None
        return list(pairs)


def name(application: int) -> str:
    return f"team-{application % TEAMS:02d}-service-{application:04d}"


def number(version: int) -> str:
    return f"1.{version}.0+{version * 7919:08x}"


def build(system: System, path: Path) -> None:
    """Create the database of a system, without statistics: Treaty never lets SQLite collect them."""
    database = open_database(f"sqlite:///{path}")
    migrate(database)
    database.write(lambda db: fill(db, system))
    database.close()


def fill(db: Connection, system: System) -> None:
    """Add a system to an empty database."""
    _add(db, tables.pacticipant, (_pacticipant(at) for at in range(system.applications)))
    _add(db, tables.label, (_label(at) for at in range(system.applications)))
    _add(db, tables.environment, (_environment(at, title) for at, title in enumerate(ENVIRONMENTS)))
    for at in range(system.applications):
        _add_versions(db, system, at)
    for at, (consumer, provider) in enumerate(system.edges):
        _add_pacts(db, system, at, consumer, provider)
    _add_webhooks(db, system)
    newest_results.refresh_all(db)


def _add(db: Connection, table: Table, rows: Iterator[dict[str, Any]]) -> None:
    batch = list(rows)
    if batch:
        db.execute(insert(table), batch)


def _at(version: int) -> dict[str, datetime]:
    time = START + timedelta(hours=8 * version)
    return {"created_at": time, "updated_at": time}


def _uuid(*parts: int) -> str:
    return str(UUID(int=sum(part << 24 * place for place, part in enumerate(parts))))


def _pacticipant(at: int) -> dict[str, Any]:
    return {"id": at + 1, "name": name(at), "display_name": name(at), "main_branch": "main", **_at(0)}


def _label(at: int) -> dict[str, Any]:
    return {"pacticipant_id": at + 1, "name": f"team-{at % TEAMS:02d}", **_at(0)}


def environment_uuid(at: int) -> str:
    return _uuid(at, 1)


def webhook_uuid(index: int) -> str:
    return _uuid(index, 40)


def _environment(at: int, its_name: str) -> dict[str, Any]:
    shown = {"name": its_name, "display_name": its_name.title(), "is_production": its_name == "production"}
    return {"id": at + 1, "uuid": environment_uuid(at), **shown, **_at(0)}


def _id(system: System, application: int, version: int) -> int:
    return application * system.versions + version + 1


def _add_versions(db: Connection, system: System, application: int) -> None:
    """Add versions with their branches, tags and deployments."""
    mine = {"pacticipant_id": application + 1}
    ids = [_id(system, application, index) for index in range(system.versions)]
    numbered = [{"id": id_, **mine, "number": number(at), "position": at + 1, **_at(at)} for at, id_ in enumerate(ids)]
    _add(db, tables.version, iter(numbered))
    features = system.versions // PER_FEATURE
    first = application * (features + 1) + 1

    def branch_of(version: int) -> int:
        return first + 1 + version // PER_FEATURE if version % PER_FEATURE == PER_FEATURE - 1 else first

    heads = {branch_of(index): index for index in range(system.versions)}
    names = {first: "main", **{first + 1 + index: f"feat/{index}" for index in range(features)}}
    _add(
        db,
        tables.branch,
        (
            {"id": branch, **mine, "name": names[branch], "head_version_id": ids[at], **_at(at)}
            for branch, at in heads.items()
        ),
    )
    on_branches = (
        {"branch_id": branch_of(at), "version_id": id_, "position": at + 1, "is_auto_created": False, **_at(at)}
        for at, id_ in enumerate(ids)
    )
    _add(db, tables.branch_version, on_branches)
    tagged = range(0, system.versions, 10)
    _add(
        db,
        tables.tag,
        ({"version_id": ids[at], **mine, "name": "dev", "position": at + 1, **_at(at)} for at in tagged),
    )
    _add(db, tables.tag_head, iter([{**mine, "name": "dev", "version_id": ids[tagged[-1]]}]))
    _add(db, tables.deployed_version, _deployments(system, application))


def _deployments(system: System, application: int) -> Iterator[dict[str, Any]]:
    for place, behind in enumerate(BEHIND):
        last = system.versions - 1 - behind
        for version in range(last % 5, last + 1, 5):
            yield {
                "uuid": _uuid(version, application, place + 10),
                "pacticipant_id": application + 1,
                "version_id": _id(system, application, version),
                "environment_id": place + 1,
                "is_auto_created": False,
                "undeployed_at": None if version == last else _at(version + 5)["created_at"],
                **_at(version),
            }


def _add_pacts(db: Connection, system: System, at: int, consumer: int, provider: int) -> None:
    """Add the publications of each consumer version, and the results of each provider version."""
    mine = {"consumer_id": consumer + 1, "provider_id": provider + 1}
    per_pair = -(-system.versions // PER_CONTENT)
    first = at * per_pair + 1
    _add(db, tables.content, ({**mine, **_content(at, first, index, consumer, provider)} for index in range(per_pair)))
    _add(
        db, tables.publication, ({**mine, **publication} for publication in _publications(system, at, first, consumer))
    )
    integration = {
        "latest_publication_id": (at + 1) * system.versions,
        "contract_data_updated_at": _at(system.versions)["created_at"],
        "created_at": START,
    }
    _add(db, tables.integration, iter([{**mine, **integration}]))
    _add(
        db,
        tables.verification,
        ({**mine, **verification} for verification in _verifications(system, at, first, provider)),
    )


def _publications(system: System, at: int, first: int, consumer: int) -> Iterator[dict[str, Any]]:
    for version in range(system.versions):
        yield {
            "id": at * system.versions + version + 1,
            "consumer_version_id": _id(system, consumer, version),
            "content_id": first + version // PER_CONTENT,
            "revision": 1,
            "position": version + 1,
            "is_current": True,
            "created_at": _at(version)["created_at"],
        }


def _content(at: int, first: int, index: int, consumer: int, provider: int) -> dict[str, Any]:
    interactions = [_interaction(position, index) for position in range(LARGE_PACT if at == 0 else 3)]
    document = {
        "consumer": {"name": name(consumer)},
        "provider": {"name": name(provider)},
        "interactions": interactions,
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }
    content = contents.build_content(documents.parse_document(json.dumps(document).encode()))
    created = {"created_at": _at(index * PER_CONTENT)["created_at"]}
    return {"id": first + index, "sha": content.sha, "body": content.body, **created}


def _interaction(index: int, content: int) -> dict[str, Any]:
    items = [{"sku": f"sku-{count}", "count": count} for count in range(6)]
    return {
        "description": f"a request for order {index} in shape {content}",
        "providerState": f"order {index} exists",
        "request": {"method": "GET", "path": f"/orders/{index}", "headers": {"Accept": "application/json"}},
        "response": {
            "status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": {"order": {"id": index, "total": 12.5 + index, "items": items}},
            "matchingRules": {"$.body.order.total": {"match": "type"}, "$.body.order.items": {"min": 1}},
        },
    }


def _verifications(system: System, at: int, first: int, provider: int) -> Iterator[dict[str, Any]]:
    """Return a result of each provider version for the newest pact of its time. Some pacts have none yet."""
    last = system.versions - (PER_CONTENT if at % 11 == 0 else 0)
    for version in range(last if at % 17 else 0):
        yield {
            "content_id": first + version // PER_CONTENT,
            "provider_version_id": _id(system, provider, version),
            "success": (version + at) % 33 != 1,
            "is_latest": True,
            "is_wip": False,
            "was_pending": False,
            "verified_at": _at(version)["created_at"],
            "created_at": _at(version)["created_at"],
        }


def _add_webhooks(db: Connection, system: System) -> None:
    """Add webhooks, and some deliveries of each integration to one of them."""
    for index in range(system.webhooks):
        webhook = {"id": index + 1, "uuid": webhook_uuid(index), "description": f"Build {index}", "is_enabled": True}
        request = {"method": "POST", "url": "https://ci.example.org/build", "headers": "{}"}
        failing = {"failures": int(index == 0), "failing_since": START if index == 0 else None}
        _add(db, tables.webhook, iter([{**webhook, **request, **failing, **_at(0)}]))
        _add(db, tables.webhook_event, iter([{"webhook_id": index + 1, "name": "contract_published"}]))
    _add(db, tables.triggered_webhook, _deliveries(system))


def _deliveries(system: System) -> Iterator[dict[str, Any]]:
    for at, (consumer, provider) in enumerate(system.edges):
        for turn in range(10):
            yield {
                "uuid": _uuid(turn, at, 50),
                "webhook_id": at % system.webhooks + 1,
                "consumer_id": consumer + 1,
                "provider_id": provider + 1,
                "publication_id": at * system.versions + system.versions - 10 + turn,
                "event": "contract_published",
                "context": "{}",
                "status": "failure" if at % 97 == 0 else "success",
                "attempts": 1,
                "created_at": _at(system.versions - 10 + turn)["created_at"],
            }
