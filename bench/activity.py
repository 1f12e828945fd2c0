"""Decisions, overrides, secrets and the audit trail of a large system, and a contract of one of its providers."""

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, insert, update

from bench import system
from bench.company import Client, Clock
from bench.system import System
from tests.api import contracts
from treaty.model.audit import Actor, ActorCredential
from treaty.settings import Settings
from treaty.store import audit, tables
from treaty.store.engine.database import Database, open_database
from treaty.web.application import build_application

EVENTS: Final = 20_000
DECISIONS: Final = 600
OVERRIDES: Final = 60
SECRETS: Final = 40
PERIOD: Final = timedelta(days=80)
"""Time over which events and decisions are spread."""
USERS: Final = ("grace.hopper", "ada.lovelace", "alan.turing", "pipeline")


def add(path: Path, size: System) -> None:
    """Add the activity of the last days to the database of a system."""
    database = open_database(f"sqlite:///{path}")
    end = datetime.now(UTC)
    database.write(lambda db: _add_events(db, size, end))
    database.write(lambda db: _add_secrets(db, end))
    database.write(lambda db: db.execute(update(tables.environment).values(records_decisions=True)))
    clock = Clock(end - PERIOD)
    with closing(_Client(database, clock)) as client:
        _add_decisions(client, size, clock, end)
        _add_overrides(client, size, clock, end)


def add_contract(path: Path, provider: str, version: str) -> None:
    """Publish a contract of a provider version."""
    with closing(_Client(open_database(f"sqlite:///{path}"), Clock(datetime.now(UTC)))) as client:
        client.send(
            "POST",
            f"/provider-contracts/provider/{provider}/publish",
            contracts.build(version, contract=contracts.document()),
        )


class _Client(Client):
    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(build_application(Settings(open_access=True), database, clock=clock), {})


def _add_events(db: Connection, size: System, end: datetime) -> None:
    chance = random.Random(11)  # noqa: S311 - it is no secret
    for at in range(EVENTS):
        consumer, provider = (system.name(application) for application in chance.choice(size.edges))
        version = {"version": system.number(chance.randrange(size.versions))}
        actor = Actor(
            user=chance.choice(USERS),
            credential=ActorCredential.BEARER,
            credential_name="CI",
            address="10.0.0.7",
            user_agent="pact_broker-client/1.77.0",
        )
        with audit.acting_as(actor, at=end - PERIOD + PERIOD * at / EVENTS):
            match at % 4:
                case 0:
                    after = {"sha": f"{at:040x}", "branch": "main"}
                    audit.record(db, "pact_publication", resource=consumer, other=provider, params=version, after=after)
                case 1:
                    params = {**version, "consumer_version": system.number(0), "sha": f"{at:040x}", "number": at}
                    audit.record(
                        db,
                        "verification_publication",
                        resource=provider,
                        other=consumer,
                        params=params,
                        after={"success": at % 9 != 1},
                    )
                case 2:
                    environment = chance.choice(system.ENVIRONMENTS)
                    audit.record(db, "deployment", resource=consumer, other=environment, params=version)
                case _:
                    params = {**version, "branch": "main"}
                    audit.record(db, "branch_version_creation", resource=consumer, params=params)


def _add_secrets(db: Connection, end: datetime) -> None:
    db.execute(insert(tables.secret), list(_list_secrets(end)))


def _list_secrets(end: datetime) -> Iterator[dict[str, Any]]:
    for index in range(SECRETS):
        yield {
            "uuid": str(UUID(int=(60 << 24) + index)),
            "name": f"CI_TOKEN_{index:02d}",
            "description": f"Token of the pipelines of team {index}",
            "value": "",
            "origins": '["https://ci.example.org"]',
            "created_at": end,
            "updated_at": end,
        }


def _add_decisions(client: Client, size: System, clock: Clock, end: datetime) -> None:
    for at in range(DECISIONS):
        clock.now = end - PERIOD + PERIOD * at / DECISIONS
        version = {
            "pacticipant": system.name(at * 7 % size.applications),
            "version": system.number(size.versions - 1 - at % 5),
        }
        environment = system.ENVIRONMENTS[at % len(system.ENVIRONMENTS)]
        client.send("POST", "/decisions", {"environment": environment, "versions": [version]})


def _add_overrides(client: Client, size: System, clock: Clock, end: datetime) -> None:
    for at in range(OVERRIDES):
        clock.now = end - timedelta(minutes=5 * (OVERRIDES - at))
        body = {
            "pacticipantName": system.name(at * 13 % size.applications),
            "pacticipantVersionNumber": system.number(size.versions - 1),
            "environmentName": "production",
            "reason": f"Fixes the outage INC-{at}. The consumers do not use the field yet.",
        }
        client.send("POST", "/overrides", body)
