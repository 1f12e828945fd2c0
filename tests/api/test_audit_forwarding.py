"""Audit events reach a collector: each one, in spite of outages, other processes, and transactions that end late."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from tests.api.client import build_settings
from tests.databases import on_sqlite
from tests.receiver import Receiver, Reply, receiving
from tests.waiting import eventually
from treaty.model.audit import Action, Actor
from treaty.store import audit
from treaty.web.api.audit import render_event
from treaty.workers.audit_forwarding import LEASE_DURATION, AuditForwarder


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def forwarder(database, database_url, collector, clock):
    """Make forwarders for the collector, as processes of their own would be."""

    def make(url: str = collector.url, **settings: Any) -> AuditForwarder:
        forwarder_settings = build_settings(database_url=database_url, audit_forward_url=url, **settings)
        return AuditForwarder(database, forwarder_settings, url, render_event, clock=clock)

    return make


def names(receiver: Receiver) -> list[str]:
    """Return the applications of the events that arrived, in order."""
    return [json.loads(line)["resource"] for arrival in receiver.arrivals for line in arrival.body.splitlines()]


def test_new_events_are_forwarded_once_as_they_are_exported(api, forwarder, collector, clock):
    api.patch("/pacticipants/Before", {})
    clock.now += timedelta(seconds=1)
    worker = forwarder(audit_forward_token="t0ken")  # noqa: S106 - of the test
    worker.step()
    assert collector.arrivals == []
    api.patch("/pacticipants/First", {})
    api.patch("/pacticipants/Second", {})
    worker.step()
    worker.step()
    (arrival,) = collector.arrivals
    assert (arrival.method, arrival.headers["content-type"]) == ("POST", "application/x-ndjson")
    assert arrival.headers["authorization"] == "Bearer t0ken"
    exported = api.get("/audit/export", accept="*/*").body.splitlines()
    assert arrival.body.splitlines() == exported[1:]
    assert names(collector) == ["First", "Second"]


@pytest.mark.parametrize("reply", [Reply(500), Reply(301, headers={"location": "/"}), Reply(401), Reply(404)])
def test_events_that_were_refused_are_forwarded_later_in_their_order(api, forwarder, collector, reply):
    worker = forwarder()
    worker.step()
    collector.replies = [reply, reply, Reply()]
    for name in ("First", "Second", "Third"):
        api.patch(f"/pacticipants/{name}", {})
        worker.step()
    assert names(collector) == ["First", "First", "Second", "First", "Second", "Third"]
    worker.step()
    assert len(collector.arrivals) == 3


def test_another_process_continues_where_one_was_killed(api, forwarder, collector, clock):
    first, second = forwarder(), forwarder()
    first.step()
    api.patch("/pacticipants/First", {})
    first.step()
    api.patch("/pacticipants/Second", {})
    second.step()  # the first still has the lease
    assert names(collector) == ["First"]
    clock.now += LEASE_DURATION
    second.step()
    assert names(collector) == ["First", "Second"]


def test_an_event_of_a_transaction_that_ends_late_is_not_missed(api, database, forwarder, collector, clock):
    worker = forwarder()
    worker.step()
    began = clock.now + timedelta(seconds=1)
    clock.now += timedelta(hours=20)
    api.patch("/pacticipants/Quick", {})
    worker.step()
    with audit.acting_as(Actor(credential_name="import"), at=began):
        database.write(lambda db: audit.record(db, Action.PACTICIPANT_CREATION, resource="Slow"))
    worker.step()
    assert names(collector) == ["Quick", "Slow"]


def test_many_events_are_forwarded_in_batches_and_days_later_none_is_repeated(database, forwarder, collector, clock):
    worker = forwarder()
    worker.step()

    def add(db):
        for number in range(450):
            audit.record(db, Action.PACTICIPANT_CREATION, resource=str(number))

    for _ in range(3):
        clock.now += timedelta(days=2)
        with audit.acting_as(Actor(), at=clock.now):
            database.write(add)
        worker.step()
    assert [len(arrival.body.splitlines()) for arrival in collector.arrivals] == [200, 200, 50] * 3
    assert names(collector) == [str(number) for number in range(450)] * 3


@on_sqlite
def test_the_rows_of_a_batch_are_read_once(database, forwarder, collector):
    worker = forwarder()
    worker.step()

    def add(db):
        for number in range(250):
            audit.record(db, Action.PACTICIPANT_CREATION, resource=str(number))

    with audit.acting_as(Actor()):
        database.write(add)
    statements: list[str] = []
    database.read(lambda db: db.connection.dbapi_connection.set_trace_callback(statements.append))
    worker.step()
    listed = [statement for statement in statements if statement.startswith("SELECT audit.")]
    assert [len(arrival.body.splitlines()) for arrival in collector.arrivals] == [200, 50]
    assert len(listed) == 3  # a row, to see whether there are any, and each batch


def test_a_collector_that_cannot_be_reached_loses_nothing(api, forwarder, collector):
    with receiving() as gone:
        pass
    worker = forwarder(gone.url)
    worker.step()
    api.patch("/pacticipants/First", {})
    worker.step()
    forwarder().step()
    assert names(collector) == []  # the other process has the lease until it stops or its time is over
    worker.stop()


class _Syslog(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    received = b""


class _SyslogHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.server.received += self.rfile.read()  # type: ignore[attr-defined]


@contextmanager
def syslog() -> Iterator[_Syslog]:
    with _Syslog(("127.0.0.1", 0), _SyslogHandler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_syslog_gets_each_event_as_a_message_with_its_length(api, forwarder):
    with syslog() as server:
        worker = forwarder(f"syslog+tcp://127.0.0.1:{server.server_address[1]}")
        worker.step()
        api.patch("/pacticipants/First", {})
        api.patch("/pacticipants/Zweite \u00fc", {})
        worker.step()
        exported = api.get("/audit/export", accept="*/*").body.splitlines()
        eventually(lambda: server.received.endswith(exported[1]))
        rest = server.received
    for line in exported:
        length, _, rest = rest.partition(b" ")
        message, rest = rest[: int(length)], rest[int(length) :]
        head, _, text = message.partition(b" - {")
        event = json.loads(line)
        assert text == line[1:]
        assert head.startswith(b"<109>1 ")
        assert head.endswith(f" treaty - {event['uuid']}".encode())
    assert rest == b""
