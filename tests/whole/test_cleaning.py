"""The clean-up removes old data by command and by schedule, while the server handles requests."""

import json
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime

import httpx
import pytest

from bench.histories import History, build
from tests import databases
from tests.waiting import PATIENCE, eventually
from tests.whole import writers
from tests.whole.servers import BIN, run, running
from treaty.actions.maintenance import cleanup
from treaty.store.engine.database import open_database
from treaty.workers.batch_sizes import BatchSizer

HISTORY = History(name="old", pairs=2, versions=500, bystanders=0)
"""Two thousand versions with pacts, results, branches, tags and deployments, all several years old."""


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    path = tmp_path_factory.mktemp("original") / "treaty.sqlite"
    build(HISTORY, f"sqlite:///{path}")
    return path


@pytest.fixture
def old_database(original, tmp_path):
    return databases.copy(original, tmp_path / "treaty.sqlite")


def publish_until(done, address, times, major=9, then=lambda: None):
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        for number in range(100_000):
            if done.is_set():
                return
            started = time.perf_counter()
            body = writers.body("consumer-000", f"{major}.{number}", "provider-000")
            response = client.post("/contracts/publish", json=body)
            assert response.status_code == httpx.codes.OK, response.text
            client.get("/pacts/provider/provider-000/consumer/consumer-000/latest")
            times.append(time.perf_counter() - started)
            then()
            time.sleep(0.005)


@pytest.mark.slow  # tests/api/test_cleaning_races.py has each race
def test_publishing_continues_while_old_data_is_removed(old_database, tmp_path):
    done = threading.Event()
    times: list[float] = []
    left: list[int] = []
    with (
        running(old_database, cwd=tmp_path) as server,
        closing(sqlite3.connect(tmp_path / "treaty.sqlite", check_same_thread=False)) as file,
    ):
        count = "SELECT count(*) FROM version WHERE created_at < '2025'"

        def look():
            left.append(file.execute(count).fetchone()[0])

        publisher = threading.Thread(target=publish_until, args=(done, server.address, times), kwargs={"then": look})
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
    published = [version["number"] for version in listed["_embedded"]["versions"] if version["number"].startswith("9.")]
    assert len(published) == len(times) > 0
    assert len(set(left)) > 10, "the clean-up did not let publications in between its transactions"
    examined = run("treaty", "doctor", "--database-url", old_database, cwd=tmp_path)
    assert examined.returncode == 0, examined.stdout


LONG_HISTORY = History(name="long", pairs=50, versions=1000, bystanders=0)
SLOW = 0.2
"""Maximum duration of a request during the clean-up, in seconds."""


@pytest.mark.long
def test_a_hundred_thousand_versions_go_and_no_request_is_slower_for_it(tmp_path):
    build(LONG_HISTORY, f"sqlite:///{tmp_path / 'treaty.sqlite'}")
    url = f"sqlite:///{tmp_path / 'treaty.sqlite'}"
    with running(url, cwd=tmp_path) as server:
        usual = times_while(server, 8, lambda: time.sleep(60))
        command = [str(BIN / "treaty"), "clean", "--database-url", url, "--limit", "200000", "--output", "json"]
        cleaned: list[str] = []
        cleaning = times_while(server, 9, lambda: cleaned.append(subprocess.check_output(command, text=True)))
    assert json.loads(cleaned[0])["clean"]["versions"]["deleted"] > 85_000
    print(f"\nwithout cleaning: {describe_times(usual)}\nwhile cleaning:   {describe_times(cleaning)}")  # noqa: T201 - the purpose of the script
    assert slow(cleaning) <= 2 * slow(usual) + 0.001, "that much more is what the machine may be to blame for"


def times_while(server, major, work):
    """Return the sorted durations of requests that are sent while `work` runs."""
    done = threading.Event()
    times: list[float] = []
    publisher = threading.Thread(target=publish_until, args=(done, server.address, times, major))
    publisher.start()
    try:
        work()
    finally:
        done.set()
        publisher.join()
    return sorted(times)


def slow(times):
    """Return the share of requests that exceeded the maximum duration."""
    return sum(seconds > SLOW for seconds in times) / len(times)


def describe_times(times):
    at = {
        name: 1000 * times[int((len(times) - 1) * part)] for name, part in {"p50": 0.5, "p99": 0.99, "max": 1}.items()
    }
    figures = ", ".join(f"{name} {value:.1f} ms" for name, value in at.items())
    return f"{len(times)} requests, {figures}, {100 * slow(times):.2f} % over {1000 * SLOW:.0f} ms"


PACES = {
    "grows while there is time": ([0.001] * 4, [5, 8, 13, 20, 31]),
    "shrinks at once": ([0.001] * 4 + [0.31], [5, 8, 13, 20, 31, 3]),
    "takes one at least": ([0.9] * 3, [5, 1, 1, 1]),
    "stays where it fits": ([0.001, 0.03, 0.03], [5, 8, 8, 8]),
}


@pytest.mark.parametrize(("took", "sizes"), PACES.values(), ids=PACES)
def test_the_batch_size_follows_the_duration_of_batches(took, sizes):
    pace = BatchSizer()
    parts = pace.batches(range(1000))
    batch_sizes = [len(next(parts))]
    for seconds in took:
        pace.record_duration(seconds)
        batch_sizes.append(len(next(parts)))
    assert batch_sizes == sizes


def test_a_dry_run_shows_the_versions_to_remove_and_changes_nothing(old_database, tmp_path):
    def clean(*options):
        return run(
            "treaty", "clean", "--database-url", old_database, "--keep", '{"latest": true}', *options, cwd=tmp_path
        )

    planned = json.loads(clean("--dry-run", "--output", "json").stdout)
    assert planned["counts"]["totalVersions"] == 2000
    assert planned["counts"]["versionsToDelete"] == 500
    assert planned["versionSummary"]["consumer-000"]["toDelete"]["fromVersion"]["number"].startswith("1.0.0001")
    text = clean("--dry-run").stdout
    assert text.startswith("Of 2000 versions 500 would be removed now, and ")
    assert json.loads(clean("--output", "json").stdout)["clean"]["versions"] == {"deleted": 500, "kept": 1500}


@pytest.mark.slow  # tests/api/test_cleaning.py compares plans with removals
def test_a_dry_run_names_versions_that_stay_because_they_are_in_use_and_counts_everything(old_database, tmp_path):
    def clean(*options):
        return run(
            *("treaty", "clean", "--database-url", old_database, "--limit", "2000"),
            *("--keep", '{"deployed": true, "environment": "nowhere"}', "--keep", '{"latest": true}', *options),
            cwd=tmp_path,
        )

    planned = json.loads(clean("--dry-run", "--output", "json").stdout)
    in_use = planned["versionsInUse"]
    assert in_use
    assert all(version["deployedTo"] or version["releasedTo"] for version in in_use)
    assert planned["counts"]["versionsToKeepInUse"] == len(in_use)
    text = clean("--dry-run").stdout
    for version in in_use:
        assert f"  {version['pacticipant']} {version['number']} (deployed to " in text
    done = json.loads(clean("--output", "json").stdout)
    for part, name in (("clean", "data"), ("overwritten", "overwrittenData")):
        removed = {kind: amount["deleted"] for kind, amount in done[part].items()}
        assert removed == {kind: amount["toDelete"] for kind, amount in planned[name].items()}
        assert "audit_events" in done["audit"]


def test_a_clean_up_beside_another_one_has_an_exit_code_of_its_own(old_database, tmp_path):
    database = open_database(old_database)
    now = datetime.now(UTC)
    database.write(lambda db: cleanup.claim_cleanup(db, owner="another", now=now))
    database.close()
    refused = run("treaty", "clean", "--database-url", old_database, cwd=tmp_path)
    assert refused.returncode == 3
    assert refused.stderr.strip() == "Clean was not performed as a clean is already in progress. Exiting."
    assert "3 if another clean-up is running" in run("treaty", "clean", "--help", cwd=tmp_path).stdout.replace(
        "\n", " "
    )


@pytest.mark.parametrize("keep", ["[", "[]", '{"lastest": true}'])
def test_selectors_that_make_no_sense_are_refused(keep, tmp_path):
    refused = run("treaty", "clean", "--database-url", f"sqlite:///{tmp_path}/x.sqlite", "--keep", keep, cwd=tmp_path)
    assert refused.returncode in {1, 2}
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("PACT_BROKER_DATABASE_CLEAN_CRON_SCHEDULE", "every night", "is not a valid cron expression"),
        ("PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS", "[{", "is not valid JSON"),
    ],
)
def test_a_server_with_a_schedule_that_cannot_work_does_not_start(setting, value, text, tmp_path):
    environ = {"PACT_BROKER_DATABASE_CLEAN_ENABLED": "true", setting: value}
    refused = run("treaty", "serve", "--port", "0", cwd=tmp_path, **environ)
    assert refused.returncode == 1
    assert text in refused.stderr


@pytest.mark.slow_on_postgresql
def test_a_server_cleans_by_its_schedule(database_url, tmp_path):
    environ = {
        "PACT_BROKER_DATABASE_CLEAN_ENABLED": "true",
        "PACT_BROKER_DATABASE_CLEAN_CRON_SCHEDULE": "* * * * * */1",
        "PACT_BROKER_DATABASE_CLEAN_KEEP_VERSION_SELECTORS": '[{"latest": true}]',
    }
    with running(database_url, cwd=tmp_path, environ=environ) as server:
        for number in ("1", "2", "3"):
            httpx.put(f"{server.address}/pacticipants/Till/versions/{number}", json={})
        eventually(lambda: len(versions(server)) == 1, lambda: server.log)
        assert versions(server) == ["3"]


def versions(server):
    listed = httpx.get(f"{server.address}/pacticipants/Till/versions").json()
    return [version["number"] for version in listed["_embedded"]["versions"]]
