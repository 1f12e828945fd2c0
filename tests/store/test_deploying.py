"""Deployments that are recorded at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection

from treaty.actions import deployments as deployment_actions
from treaty.actions.versions import versions
from treaty.model.deployments import DeployedVersion, Deployment, EnvironmentDraft, Release
from treaty.settings import Settings
from treaty.store import deployments
from treaty.store.engine.database import Database, open_database

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
NUMBERS = [str(number) for number in range(24)]


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def live(database: Database) -> str:
    """The UUID of an environment; versions of Till are there to go to it."""
    draft = EnvironmentDraft(name="live", display_name=None, is_production=True, contacts=None)

    def prepare(db: Connection) -> str:
        till = versions.ensure_pacticipants(db, ["Till"], now=NOW)["Till"]
        for number in NUMBERS:
            versions.ensure_version(db, till, number, now=NOW, settings=Settings())
        return deployment_actions.add_environment(db, draft, now=NOW).uuid

    return database.write(prepare)


def test_one_version_runs_in_a_place_though_many_were_deployed_at_once(database: Database, live: str) -> None:
    def deploy(number: str) -> DeployedVersion:
        deployment = Deployment(pacticipant="Till", version=number, environment=live)
        return database.write(lambda db: deployment_actions.record_deployment(db, deployment, now=NOW))

    with ThreadPoolExecutor(8) as pool:
        recorded = list(pool.map(deploy, NUMBERS))
    running = database.read(lambda db: deployments.list_running_in_environment(db, live))
    assert len(running) == 1
    assert len({deployment.uuid for deployment in recorded}) == len(NUMBERS)
    assert sum(deployment.is_current for deployment in _every(database)) == 1


def _every(database: Database) -> list[DeployedVersion]:
    def read(db: Connection) -> list[DeployedVersion]:
        return [
            deployment
            for number in NUMBERS
            for deployment in deployments.list_deployments_of_version(db, "Till", number)
        ]

    return database.read(read)


def test_simultaneous_releases_of_a_version_record_one_release(database: Database, live: str) -> None:
    def release(_time: int) -> bool:
        release = Release(pacticipant="Till", version="1", environment=live)
        return database.write(lambda db: deployment_actions.record_release(db, release, now=NOW))[1]

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(release, range(16))) == 1
    assert len(database.read(lambda db: deployments.list_releases_of_version(db, "Till", "1"))) == 1


def test_a_name_is_given_to_one_environment_though_many_ask_at_once(database: Database) -> None:
    draft = EnvironmentDraft(name="test", display_name=None, is_production=False, contacts=None)

    def add(_time: int) -> str:
        try:
            database.write(lambda db: deployment_actions.add_environment(db, draft, now=NOW))
        except Exception as error:  # noqa: BLE001 - the exception is checked below
            return type(error).__name__
        return "added"

    with ThreadPoolExecutor(8) as pool:
        outcomes = sorted(pool.map(add, range(8)))
    assert outcomes == ["Invalid"] * 7 + ["added"]
