"""Several workers count as one server."""

import os
import signal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import eventually
from tests.whole.servers import running


def count(server, name, **labels):
    text = httpx.get(f"{server.address}/metrics/prometheus").text
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return [one.value for one in samples if one.name == name and labels.items() <= one.labels.items()]


def workers(server):
    """List the processes that answer, as the system knows them."""
    tasks = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(tasks, encoding="ascii") as children:  # noqa: PTH123 - a file of the kernel, not of a folder
        return [int(one) for one in children.read().split()]


@pytest.mark.slow  # workers that are not forked take long to start
def test_what_each_worker_counted_is_added_up_also_of_one_that_was_killed(tmp_path):
    # The client library of Prometheus chooses how to count when it is imported, so the workers have to import it anew.
    url = f"sqlite:///{tmp_path}/treaty.sqlite"
    with running(url, "--workers", "2", cwd=tmp_path, is_forked=False) as server:
        for _ in range(30):
            assert httpx.get(f"{server.address}/diagnostic/status/heartbeat").status_code == httpx.codes.OK
        asked = {"name": "treaty_http_request_seconds_count", "route": "/diagnostic/status/heartbeat"}
        assert count(server, **asked) == [30]
        before = workers(server)
        os.kill(before[-1], signal.SIGKILL)
        eventually(lambda: before[-1] not in workers(server) and len(workers(server)) == len(before))
        assert count(server, **asked) == [30]
        assert count(server, "treaty_webhook_deliveries_owed") == [0]
