"""Sends the metrics of this process to an OpenTelemetry collector at an interval."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

import structlog

from treaty.store.engine.database import Database
from treaty.store.engine.health import DATABASE_ERRORS, log_failure
from treaty.store.maintenance.metrics import load_progress
from treaty.telemetry.metric_export import MetricsExport
from treaty.telemetry.metrics import ServerMetrics
from treaty.workers.polling import PollingWorker

log = structlog.get_logger("treaty.workers.metrics")


class MetricsWorker(PollingWorker):
    """Sends the metrics at the export's interval, and once more when the server stops."""

    name = "metrics"

    def __init__(
        self,
        database: Database,
        metrics: ServerMetrics,
        export: MetricsExport,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__()
        self.poll_seconds = export.interval
        self._database = database
        self._metrics = metrics
        self._export = export
        self._clock = clock

    def wake(self) -> None:
        """Do nothing: a change of the data is no reason to send metrics."""

    def step(self) -> None:
        """Send the metrics. Raises the database's errors."""
        progress = self._database.read(partial(load_progress, now=self._clock()))
        self._export.send(self._metrics.collect_own(progress))

    def stop(self, timeout: float | None = None) -> None:
        """Send the last values, which a process that ran shorter than the interval has never sent."""
        super().stop(timeout)
        try:
            self.step()
        except DATABASE_ERRORS as error:
            log_failure(log, "worker", error, name=self.name)
        self._export.close()
