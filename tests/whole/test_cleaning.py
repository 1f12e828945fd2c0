"""Old data goes while the server works, by the command and by schedule."""

import json
import threading
import time

import httpx
import pytest

from bench.histories import History, build
from tests.whole import writers
from tests.whole.servers import run, running

HISTORY = History(name="old", pairs=2, versions=500, bystanders=0)
"""Two thousand versions with pacts, results, branches, tags and deployments, all of them years old."""
LONGEST = 0.5
"""Seconds that a request may take while others run their tests on this machine, too."""


@pytest.fixture
def old_database(tmp_path):
    path = tmp_path / "treaty.sqlite"
    build(HISTORY, path)
    return f"sqlite:///{path}"


def publish_until(done, address, times):
    with httpx.Client(base_url=address, timeout=60) as client:
        for number in range(100_000):
            if done.is_set():
                return
            started = time.perf_counter()
            answer = client.post("/contracts/publish", json=writers.body("consumer-000", f"9.{number}", "provider-000"))
            assert answer.status_code == httpx.codes.OK, answer.text
            client.get("/pacts/provider/provider-000/consumer/consumer-000/latest")
            times.append(time.perf_counter() - started)
            time.sleep(0.005)


def test_publishing_goes_on_while_old_data_goes(old_database, tmp_path):
    done = threading.Event()
    times: list[float] = []
    with running(old_database, cwd=tmp_path) as server:
        publisher = threading.Thread(target=publish_until, args=(done, server.address, times))
        publisher.start()
        cleaned = run(
            "treaty", "clean", "--database-url", old_database, "--limit", "2000", "--output", "json", cwd=tmp_path
        )
        done.set()
        publisher.join()
        listed = httpx.get(f"{server.address}/pacticipants/consumer-000/versions?size=5000").json()
    assert cleaned.returncode == 0, cleaned.stderr
    result = json.loads(cleaned.stdout)["clean"]
    assert result["versions"]["deleted"] > 1500
    assert result["branches"]["deleted"] == 4 * HISTORY.versions // 20
    published = [one["number"] for one in listed["_embedded"]["versions"] if one["number"].startswith("9.")]
    assert len(published) == len(times) > 0
    assert max(times) < LONGEST, sorted(times)[-5:]
    examined = run("treaty", "doctor", "--database-url", old_database, cwd=tmp_path)
    assert examined.returncode == 0, examined.stdout


def test_a_dry_run_shows_what_would_go_and_changes_nothing(old_database, tmp_path):
    def clean(*options):
        return run(
            "treaty", "clean", "--database-url", old_database, "--keep", '{"latest": true}', *options, cwd=tmp_path
        )

    planned = json.loads(clean("--dry-run", "--output", "json").stdout)
    assert planned["counts"]["totalVersions"] == 2000
    assert planned["counts"]["versionsToDelete"] == 500
    assert planned["versionSummary"]["consumer-000"]["toDelete"]["fromVersion"]["number"].startswith("1.0.0001")
    told = clean("--dry-run").stdout
    assert told.startswith("Of 2000 versions 500 would be removed now, and ")
    assert json.loads(clean("--output", "json").stdout)["clean"]["versions"] == {"deleted": 500, "kept": 1500}


@pytest.mark.parametrize("keep", ["[", "[]", '{"lastest": true}'])
def test_selectors_that_make_no_sense_are_refused(keep, tmp_path):
    refused = run("treaty", "clean", "--database-url", f"sqlite:///{tmp_path}/x.sqlite", "--keep", keep, cwd=tmp_path)
    assert refused.returncode in {1, 2}
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("PACT_BROKER_DATABASE_CLEAN_CRON_SCHEDULE", "every night", "is no cron expression"),
        ("PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS", "[{", "is no JSON"),
    ],
)
def test_a_server_with_a_schedule_that_cannot_work_does_not_start(setting, value, text, tmp_path):
    environ = {"PACT_BROKER_DATABASE_CLEAN_ENABLED": "true", setting: value}
    refused = run("treaty", "serve", "--port", "0", cwd=tmp_path, **environ)
    assert refused.returncode == 1
    assert text in refused.stderr


def test_a_server_cleans_by_its_schedule(database_url, tmp_path):
    environ = {
        "PACT_BROKER_DATABASE_CLEAN_ENABLED": "true",
        "PACT_BROKER_DATABASE_CLEAN_CRON_SCHEDULE": "* * * * * */1",
        "PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS": '[{"latest": true}]',
    }
    with running(database_url, cwd=tmp_path, environ=environ) as server:
        for number in ("1", "2", "3"):
            httpx.put(f"{server.address}/pacticipants/Till/versions/{number}", json={})
        until = time.monotonic() + 20
        while len(versions(server)) > 1 and time.monotonic() < until:
            time.sleep(0.1)
        assert versions(server) == ["3"]


def versions(server):
    listed = httpx.get(f"{server.address}/pacticipants/Till/versions").json()
    return [one["number"] for one in listed["_embedded"]["versions"]]
