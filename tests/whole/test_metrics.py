"""Metrics of several worker processes are those of one server."""

import os
import signal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import eventually
from tests.whole.servers import list_workers, running


def count(server, name, **labels):
    text = httpx.get(f"{server.address}/metrics/prometheus").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return [sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items()]


@pytest.mark.slow
def test_counts_of_all_workers_are_added_including_those_of_a_killed_one(tmp_path):
    url = f"sqlite:///{tmp_path}/treaty.sqlite"
    with running(url, "--workers", "2", cwd=tmp_path) as server:
        for _ in range(30):
            assert httpx.get(f"{server.address}/diagnostic/status/heartbeat").status_code == httpx.codes.OK
        series = {"name": "treaty_http_request_seconds_count", "route": "/diagnostic/status/heartbeat"}
        assert count(server, **series) == [30]
        before = list_workers(server.process.pid)
        os.kill(before[-1], signal.SIGKILL)
        eventually(lambda: before[-1] not in (after := list_workers(server.process.pid)) and len(after) == len(before))
        assert count(server, **series) == [30]
        assert count(server, "treaty_webhook_deliveries_owed") == [0]
