"""Schemathesis sends requests that the OpenAPI document allows, and others: responses are as described, without errors.

With --long it also makes requests up for ten minutes, and follows the document's links to created resources.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.api.example_history import add_example_history
from tests.api.examples import enrich
from tests.scale import IS_LONG
from tests.waiting import PATIENCE
from tests.whole.servers import running
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.store.migrations import migrate

EXTENT: Final = ("--max-time", "600") if IS_LONG else ("--phases", "examples,coverage", "--seed", "1")
"""The short form sends the same requests on every machine: examples, and every limit of every parameter."""
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
    "ignored_auth",
)
LEFT_OUT: Final = {
    "fail": "it fails on purpose",
    "fail-get-test-error": "likewise",
    "list_events": "it waits for events, up to a minute",
    "remove_everything": "little would be left to ask about",
}
# 501 is the original's status for methods that do not exist.
CONFIGURATION: Final = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 501]
"""
# Generated requests must not be sent anywhere: this host does not exist.
ENVIRON: Final = {"TREATY_WEBHOOK_HOST_WHITELIST": "ci.example.org"}

databases = pytest.mark.parametrize(
    "empty_database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True
)


@pytest.mark.slow  # tests/api/described.py compares the responses to all other tests, too
@databases
def test_nothing_fails_and_answers_are_as_described(empty_database_url, tmp_path, capsys):
    add_history(empty_database_url)
    with running(empty_database_url, environ=ENVIRON, cwd=tmp_path) as server:
        with httpx.Client(base_url=server.address, headers={"accept": "application/hal+json"}) as client:
            enrich(lambda method, path, body: client.request(method, path, json=body).json())
        report, output = schemathesis(f"{server.address}/openapi.json", tmp_path)
    cases, operations = report["test_cases"], report["operations"]
    with capsys.disabled():
        print(f"\nSchemathesis sent {cases['generated']} requests to {operations['tested']} operations.")  # noqa: T201 - asked for
    assert report["exit_code"] == 0, output
    assert "Traceback" not in server.log, server.log
    assert cases["generated"] > 2000
    assert operations["tested"] > 150


def add_history(url: str) -> None:
    """Add the data that the examples of the OpenAPI document refer to."""
    database = open_database(url, connections=1)
    migrate(database)
    database.write(lambda db: add_example_history(db, now=datetime.now(UTC), settings=Settings(database_url=url)))
    database.close()


def schemathesis(url: str, folder: Path) -> tuple[dict[str, Any], str]:
    """Run it, and read its report."""
    configuration, report = folder / "schemathesis.toml", folder / "report.json"
    configuration.write_text(CONFIGURATION)
    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "schemathesis"),
            *("--config-file", str(configuration), "run", url),
            *("--checks", ",".join(CHECKS)),
            *(word for name in LEFT_OUT for word in ("--exclude-operation-id", name)),
            *EXTENT,
            *("--no-shrink", "--request-timeout", str(PATIENCE)),
            *("--report", "json", "--report-json-path", str(report), "--no-color"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600 + 2 * PATIENCE,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    results: dict[str, Any] = json.loads(report.read_text())
    return results, done.stdout.partition(" FAILURES ")[2].partition(" WARNINGS ")[0]
