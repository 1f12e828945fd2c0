"""Periodic events and digests are enqueued exactly once, even if the process of the worker is killed."""

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.api.client import Api, build_settings
from tests.api.deliveries import parameters_of_queue
from tests.waiting import PATIENCE
from treaty.store.engine.database import open_database
from treaty.web.application import build_application

# tests/api/test_notices.py and tests/api/test_digests.py let several workers work at the same time, which is quicker.
pytestmark = pytest.mark.slow

PAIRS = 20
KILLS = 2
WORKER = """
import sys
from datetime import UTC, datetime, timedelta
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.workers.notices import NoticeWorker
url, days = sys.argv[1], int(sys.argv[2])
now = datetime.now(UTC) + timedelta(days=days)
worker = NoticeWorker(open_database(url), Settings(database_url=url), clock=lambda: now)
print("ready", flush=True)
worker.step()
print("done", flush=True)
"""


def run_worker(url: str, days: int, *, kill_after: float | None) -> None:
    """Start a step of a worker in another process, and kill it after some seconds."""
    with subprocess.Popen([sys.executable, "-c", WORKER, url, str(days)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        if kill_after is None:
            assert process.stdout.read().endswith("done\n")
            return
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait(PATIENCE)


def test_events_and_digests_survive_sigkill_of_the_worker(database_url: str) -> None:
    database = open_database(database_url)
    api = Api(build_application(build_settings(database_url=database_url), database))
    request = {"method": "POST", "url": "https://example.org/"}
    events = [{"name": name} for name in ("verification_overdue", "contract_unused")]
    for digest in (None, {"every": "1d"}):
        assert api.post("/webhooks", {"request": request, "events": events, "digest": digest}).status == 201
    for number in range(PAIRS):
        api.publish(f"Shop {number}", "1", "Prices")
    for days in (2, 200, 202):
        for attempt in range(KILLS):
            run_worker(database_url, days, kill_after=0.05 * (1 + attempt))
        run_worker(database_url, days, kill_after=None)
    values = parameters_of_queue(database, at=datetime.now(UTC) + timedelta(days=1000))
    single = sorted((each["eventName"], each["consumerName"]) for each in values if each["eventName"] != "digest")
    expected = [(event["name"], f"Shop {number}") for event in events for number in range(PAIRS)]
    assert single == sorted(expected)
    assert sum(int(each["digestCount"]) for each in values if each["eventName"] == "digest") == len(expected)
    api.close()
    database.close()
