"""The modules that server processes import until the first heartbeat."""

import os
import re
import signal
from pathlib import Path

import httpx
import pytest

from tests import databases
from tests.waiting import PATIENCE, eventually
from tests.whole import servers

PROFILED = {"PYTHONPROFILEIMPORTTIME": "1"}
"""Makes each Python process write a line for each module that an import statement loads."""
NOT_NEEDED = {
    "alembic": "only an empty or outdated database has migrations to run",
    "argon2": "many servers have no users with passwords",
    "cryptography": "takes 6 MiB; many servers have no secrets to encrypt",
    "defusedxml": "few servers get reports of self-verifications in XML",
    "h11": "of httpcore",
    "httpcore": "takes 1 MiB; only servers with webhooks send requests",
    "httpx": "the client of the command line; webhooks are sent with httpcore",
    "jinja2": "only pages are rendered from templates",
    "jsonschema_rs": "takes 3 MiB; only servers with documents of providers compare pacts with them",
    "markdown_it": "only the pages of the guide are rendered from Markdown",
    "mdit_py_plugins": "likewise",
    "networkx": "only drawings of the network need it, and it takes 13 MiB",
    "psycopg": "this server's database is a SQLite file",
    "pydantic": "takes 6 MiB; only requests with bodies, and modules of such routes, need it",
    "pydantic_core": "likewise",
    "pyotp": "few servers have users with a second factor",
    "pytest": "for tests",
    "pygments": "only rich needs it",
    "rich.console": "for the command line; structlog would load it for tracebacks that servers do not write",
    "segno": "only the page on which users set up a second factor shows a QR code",
    "sqlalchemy.dialects.postgresql": "takes 2 MiB; this server's database is a SQLite file",
    "treaty.actions.maintenance": "for scheduled clean-ups, and for commands",
    "treaty.actions.pacts": "only publishing needs it",
    "treaty.actions.provider_contracts": "only servers with documents of providers compare pacts with them",
    "treaty.actions.webhooks.deliveries": "takes 1 MiB; only servers with webhooks have deliveries",
    "treaty.client": "of the command line",
    "treaty.example_data": "most servers never have example data",
    "treaty.model.compare.engine": "takes 3 MiB; only servers with documents of providers compare pacts with them",
    "treaty.model.decisions.matrix": "takes 1 MiB; only decisions need it",
    "treaty.model.provider_contracts": "only servers with documents of providers compare pacts with them",
    "treaty.model.usage.expectations": "only new contents are indexed",
    "treaty.model.webhooks.deliveries": "only servers with webhooks have deliveries",
    "treaty.outgoing": "only servers with webhooks send requests",
    "treaty.pact": "for test suites",
    "treaty.testing": "likewise",
    "treaty.store.overview": "only pages and the API of the overview need it",
    "treaty.store.pacts.publications": "only publishing needs it",
    "treaty.store.versions": "only requests about versions need it",
    "treaty.web.api.decisions": "routes are loaded when a request first matches them",
    "treaty.web.api.overview": "likewise",
    "treaty.web.api.pacts": "likewise",
    "treaty.web.api.versions": "likewise",
    "treaty.web.api.webhooks": "likewise",
    "treaty.web.pages.overview": "likewise",
    "treaty.workers.audit_forwarding": "few servers forward the audit trail",
    "treaty.workers.backups": "of the command line",
    "treaty.workers.cleanup": "takes 2 MiB; not needed until the scheduled time",
    "treaty.workers.key_rotation": "likewise",
    "yaml": "few servers get documents in YAML",
    "zxcvbn": "its lists of words take 12 MiB, and are needed when a password is chosen",
}
"""Modules that a server must not import before the first request that needs them, each with the reason."""
_IMPORTED = re.compile(r"^import time: +\d+ \| +\d+ \| +([\w.]+)$", re.MULTILINE)


def list_imports(database: Path, *options: str) -> list[str]:
    """Run a server until its first heartbeat, and list the imports of each of its processes."""
    url = f"sqlite:///{database}"
    databases.create_missing_file(url)
    with servers.running(
        url, "--public-heartbeat", *options, cwd=database.parent, environ=PROFILED, is_forked=False
    ) as server:
        for _ in range(20):  # several workers share the port
            response = httpx.get(f"{server.address}/diagnostic/status/heartbeat", timeout=PATIENCE)
            assert response.status_code == 200, response.text
    return _IMPORTED.findall(server.log)


@pytest.fixture(scope="module")
def imports(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return list_imports(tmp_path_factory.mktemp("start") / "treaty.sqlite")


@pytest.mark.parametrize("module", sorted(NOT_NEEDED))
def test_a_server_does_not_load_modules_for_other_requests_before_the_first_heartbeat(
    module: str, imports: list[str]
) -> None:
    assert "treaty.web.application" in imports
    modules = {each for each in imports if f"{each}.".startswith(f"{module}.")}
    assert not modules, f"{module}: {NOT_NEEDED[module]}"


def test_further_worker_processes_load_nothing_again(tmp_path: Path) -> None:
    imports = list_imports(tmp_path / "treaty.sqlite", "--workers", "3")

    # The first process, which prepares the database, and the one that the workers are forked from.
    assert imports.count("treaty.web.application") == 2
    assert imports.count("treaty.web.api.overview.network_drawing") == 1, "only modules of routes import it"


@pytest.mark.slow
def test_the_process_that_workers_are_forked_from_survives_a_signal_to_all_processes(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with servers.running(url, "--workers", "2", cwd=tmp_path) as server:
        eventually(lambda: len(servers.list_workers(server.process.pid)) == 2)
        killed, other = servers.list_workers(server.process.pid)

        os.kill(find_parent(killed), signal.SIGTERM)
        os.kill(killed, signal.SIGKILL)

        eventually(lambda: is_replaced(killed, other, servers.list_workers(server.process.pid)))


def is_replaced(killed: int, other: int, workers: list[int]) -> bool:
    return len(workers) == 2 and other in workers and killed not in workers


def find_parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[1])
