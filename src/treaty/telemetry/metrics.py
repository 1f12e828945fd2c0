"""Metrics of the server: requests, decisions, database connections and webhook deliveries.

Prometheus fetches them, and `treaty.workers.metrics` sends them to an OpenTelemetry collector.

With several worker processes, each counts in its own files in a shared folder, and the process that serves a scrape
adds them up. The client library does so if `PROMETHEUS_MULTIPROC_DIR` is set before it is imported.
"""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from sqlalchemy import Engine, event
from sqlalchemy.pool import QueuePool

from treaty.model.decisions.decision import Decision
from treaty.telemetry import KNOWN_METHODS, tracing

if TYPE_CHECKING:
    from treaty.model.maintenance.metrics import DeliveryQueue, IndexProgress, Progress
    from treaty.model.provider_contracts.recomparisons import EngineProgress

MULTIPROCESS_DIRECTORY: Final = "PROMETHEUS_MULTIPROC_DIR"
# Clients can send any method. A label value for each would make memory grow without limit.
LATENCY_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""
_VERDICTS: Final = {True: "yes", False: "no", None: "unknown"}


class ServerMetrics:
    """Counts requests, decisions and connections of this process."""

    def __init__(self, engine: Engine) -> None:
        self._registry = CollectorRegistry()
        self._requests = Histogram(
            "treaty_http_request_seconds",
            "Duration of requests in seconds, by method, URL template and status.",
            ["method", "route", "status"],
            buckets=LATENCY_BUCKETS,
            registry=self._registry,
        )
        self._decisions = Counter(
            "treaty_decisions",
            "Responses of the matrix and of can-i-deploy, by whether it is safe to deploy.",
            ["verdict"],
            registry=self._registry,
        )
        # Bound methods of the labelled children, because looking a child up costs more than observing.
        self._observe: dict[tuple[str, str, int], Callable[[float, dict[str, str] | None], None]] = {}
        self._verdicts = {key: self._decisions.labels(name) for key, name in _VERDICTS.items()}
        self._watch_connections(engine)

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        observe = self._observe.get(key)
        if observe is None:
            label = method if method in KNOWN_METHODS else "other"
            observe = self._observe[key] = self._requests.labels(label, route, str(status)).observe
        observe(seconds, tracing.current_exemplar())

    def decision_counter(self, result: object) -> Callable[[], None] | None:
        """Return the function that counts a result; None if it is not a decision."""
        return self._verdicts[result.is_deployable()].inc if isinstance(result, Decision) else None

    def render(self, progress: "Progress", *, is_open_metrics: bool) -> bytes:
        """Render the metrics of all worker processes for Prometheus: in its text format, or as OpenMetrics.

        OpenMetrics has exemplars: the trace of a request in each bucket of durations, unless there are several workers.
        """
        registry = self._registry
        if MULTIPROCESS_DIRECTORY in os.environ:
            _remove_dead_processes(Path(os.environ[MULTIPROCESS_DIRECTORY]))
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types for it
        collectors = _Collectors([registry, *_collectors(progress)])
        if is_open_metrics:
            return bytes(openmetrics.generate_latest(collectors))  # type: ignore[no-untyped-call]  # likewise
        return generate_latest(collectors)

    def collect_own(self, progress: "Progress") -> list[Metric]:
        """Collect the metrics of this process, and those of the database."""
        return list(_Collectors([self._registry, *_collectors(progress)]).collect())

    def _watch_connections(self, engine: Engine) -> None:
        """Track the open database connections and those in use by events of the connection pool."""
        opened = self._gauge("treaty_database_connections_open", "Open connections to the database.")
        used = self._gauge("treaty_database_connections_in_use", "Connections to the database that are in use.")
        if isinstance(engine.pool, QueuePool):
            # Connections from before this point, for instance from the upgrade of the schema.
            opened.set(engine.pool.checkedin() + engine.pool.checkedout())
            used.set(engine.pool.checkedout())
        event.listen(engine, "connect", lambda *_: opened.inc())
        event.listen(engine, "close", lambda *_: opened.dec())
        event.listen(engine, "checkout", lambda *_: used.inc())
        event.listen(engine, "checkin", lambda *_: used.dec())

    def _gauge(self, name: str, description: str) -> Gauge:
        return Gauge(name, description, registry=self._registry, multiprocess_mode="livesum")


_GAUGE_FILE: Final = re.compile(r"gauge_livesum_(\d+)\.db")


def _remove_dead_processes(folder: Path) -> None:
    """Remove the gauges of killed workers: their connections are closed, but their files remain."""
    for path in folder.glob("gauge_livesum_*.db"):
        match = _GAUGE_FILE.fullmatch(path.name)
        if match and not _is_alive(int(match[1])):
            with suppress(FileNotFoundError):  # another worker has just removed it
                mark_process_dead(int(match[1]))  # type: ignore[no-untyped-call]  # likewise


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


class _Collectors(CollectorRegistry):
    """Several collectors as one. The metrics of the database are the same for all workers, so they are not added up."""

    def __init__(self, collectors: Sequence[Collector]) -> None:
        super().__init__()
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


def _collectors(progress: "Progress") -> list[Collector]:
    return [
        _DeliveryCollector(progress.queue),
        _IndexCollector(progress.index),
        _EngineCollector(progress.engine),
        _BackupCollector(progress.backed_up_at),
    ]


class _DeliveryCollector(Collector):
    """Metrics of webhook deliveries, read from the database at each scrape."""

    def __init__(self, queue: "DeliveryQueue") -> None:
        self._queue = queue

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily("treaty_webhook_deliveries_owed", "Deliveries in the queue.", value=self._queue.queued)
        yield GaugeMetricFamily(
            "treaty_webhook_oldest_owed_seconds",
            "Age of the oldest delivery in the queue in seconds; 0 if the queue is empty.",
            value=self._queue.oldest_seconds,
        )
        attempts = GaugeMetricFamily(
            "treaty_webhook_attempts", "Recorded attempts to deliver, by outcome.", labels=["outcome"]
        )
        attempts.add_metric(["success"], self._queue.succeeded)
        attempts.add_metric(["failure"], self._queue.failed)
        yield attempts


class _IndexCollector(Collector):
    """Metrics of the usage index, read from the database at each scrape."""

    def __init__(self, index: "IndexProgress") -> None:
        self._index = index

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily("treaty_usage_contents", "Contents of pacts.", value=self._index.contents)
        yield GaugeMetricFamily(
            "treaty_usage_indexed_contents", "Contents that the usage index covers.", value=self._index.indexed
        )


class _EngineCollector(Collector):
    """Metrics of comparisons by former versions of the engine, read from the database at each scrape."""

    def __init__(self, progress: "EngineProgress") -> None:
        self._progress = progress

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily(
            "treaty_comparisons_to_recompute",
            "Comparisons that a newer engine has not computed again yet.",
            value=self._progress.remaining,
        )
        yield GaugeMetricFamily(
            "treaty_comparisons_to_accept",
            "Comparisons whose verdict a newer engine would change, once it is accepted.",
            value=self._progress.changed,
        )


class _BackupCollector(Collector):
    """The age of the latest backup, read from the database at each scrape."""

    def __init__(self, backed_up_at: datetime | None) -> None:
        self._backed_up_at = backed_up_at

    def collect(self) -> Iterator[Any]:
        yield GaugeMetricFamily(
            "treaty_backup_timestamp_seconds",
            "Time of the state that the latest backup by `treaty backup` contains; 0 if there is none.",
            value=0 if self._backed_up_at is None else self._backed_up_at.timestamp(),
        )
