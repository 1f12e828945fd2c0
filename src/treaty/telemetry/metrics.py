"""Telemetry: what a server counts about itself, and how Prometheus reads it.

With several workers each counts for itself, in files of a folder that they share, and whoever is asked adds them up:
that is the client library's way, which it takes when `PROMETHEUS_MULTIPROC_DIR` is set before it is loaded.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector
from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from treaty.model.decisions.matrix import Matrix
from treaty.model.maintenance.metrics import DeliveryQueue

MULTIPROCESS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
COUNTED_METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""
_VERDICTS: Final = {True: "yes", False: "no", None: "unknown"}


class ServerMetrics:
    """Counts requests, decisions and connections of this process."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "treaty_http_request_seconds",
            "How long answers took, by method, template of the URL, and status.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "treaty_decisions",
            "Answers of the matrix and of can-i-deploy, by whether it is safe to deploy.",
            ["verdict"],
            registry=self._registry,
        )
        self._observe: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._verdicts = {key: self._decisions.labels(name) for key, name in _VERDICTS.items()}
        self._watch(engine)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = (method, route, status)
        observe = self._observe.get(key)
        if observe is None:
            known = method if method in COUNTED_METHODS else "other"
            observe = self._observe[key] = self._requests.labels(known, route, str(status)).observe
        observe(seconds)

    def decision_counter(self, result: object) -> Callable[[], None] | None:
        """Give what counts a result, if it is a decision."""
        return self._verdicts[result.verdict.summary.deployable].inc if isinstance(result, Matrix) else None

    def render(self, queue: DeliveryQueue) -> bytes:
        """Write everything down, together with what the database says of deliveries."""
        registry = self._registry
        if MULTIPROCESS_DIRECTORY in os.environ:
            _forget_the_dead(Path(os.environ[MULTIPROCESS_DIRECTORY]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types for it
        owed = CollectorRegistry()
        owed.register(_Deliveries(queue))
        return generate_latest(registry) + generate_latest(owed)

    def _watch(self, engine: Engine) -> None:
        """Count the connections to the database that are open, and in use."""
        opened = self._gauge("treaty_database_connections_open", "Connections to the database that are open.")
        used = self._gauge("treaty_database_connections_in_use", "Connections to the database that are in use.")
        if isinstance(engine.pool, QueuePool):
            opened.set(engine.pool.checkedin() + engine.pool.checkedout())
            used.set(engine.pool.checkedout())
        event.listen(engine, "connect", lambda *_: opened.inc())
        event.listen(engine, "close", lambda *_: opened.dec())
        event.listen(engine, "checkout", lambda *_: used.inc())
        event.listen(engine, "checkin", lambda *_: used.dec())

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(name, meaning, registry=self._registry, multiprocess_mode="livesum")


_OF_PROCESS: Final = re.compile(r"gauge_livesum_(\d+)\.db")


def _forget_the_dead(folder: Path) -> None:
    """Leave out the connections of workers that were killed."""
    for path in folder.glob("gauge_livesum_*.db"):
        found = _OF_PROCESS.fullmatch(path.name)
        if found and not _is_alive(int(found[1])):
            with suppress(FileNotFoundError):  # another worker was quicker
                mark_process_dead(int(found[1]))  # type: ignore[no-untyped-call]  # likewise


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Deliveries(Collector):
    """What the database says of deliveries when it is asked; all workers say the same."""

    def __init__(self, queue: DeliveryQueue) -> None:
        self._queue = queue

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily(
            "treaty_webhook_deliveries_owed", "Deliveries still to be made.", value=self._queue.queued
        )
        yield GaugeMetricFamily(
            "treaty_webhook_oldest_owed_seconds",
            "Age of the oldest delivery still to be made; 0 when there is none.",
            value=self._queue.oldest_seconds,
        )
        attempts = GaugeMetricFamily(
            "treaty_webhook_attempts", "Attempts to deliver that are on record, by outcome.", labels=["outcome"]
        )
        attempts.add_metric(["success"], self._queue.succeeded)
        attempts.add_metric(["failure"], self._queue.failed)
        yield attempts
