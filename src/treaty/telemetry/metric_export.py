"""Export of the metrics to an OpenTelemetry collector. Imported only if the environment enables it.

The metrics are those that Prometheus fetches, under the same names. Each process exports its own, and its resource has
an instance id, because the collector would otherwise mix up the counters of several processes.
"""

import os
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from treaty.errors import InvalidSetting
from treaty.telemetry import tracing
from treaty.telemetry.spans import resource_attributes

DEFAULT_INTERVAL_SECONDS: Final = 60.0
_SCOPE: Final = InstrumentationScope("treaty")
_Labels = tuple[tuple[str, str], ...]


class MetricsExport:
    """Sends the metrics of this process with OpenTelemetry's exporter."""

    def __init__(self, exporter: MetricExporter, environ: Mapping[str, str]) -> None:
        self.interval = _interval_seconds(environ)
        self._exporter = exporter
        self._resource = Resource.create({"service.instance.id": str(uuid.uuid4()), **resource_attributes(environ)})
        self._started = time.time_ns()

    def send(self, families: Iterable[Family]) -> None:
        """Send the current values. A collector that does not respond costs these values, but no later ones."""
        now = time.time_ns()
        metrics = [self._convert(family, now) for family in families if family.samples]
        scope = ScopeMetrics(_SCOPE, metrics, schema_url="")
        self._exporter.export(MetricsData([ResourceMetrics(self._resource, [scope], schema_url="")]))

    def close(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def _convert(self, family: Family, now: int) -> Metric:
        cumulative = AggregationTemporality.CUMULATIVE
        data: Gauge | Histogram | Sum
        match family.type:
            case "histogram":
                data = Histogram(list(self._histogram_points(family, now)), cumulative)
            case "counter":
                data = Sum(self._number_points(family, "_total", now), cumulative, is_monotonic=True)
            case _:
                data = Gauge(self._number_points(family, "", now))
        return Metric(family.name, family.documentation, unit=family.unit, data=data)

    def _number_points(self, family: Family, suffix: str, now: int) -> list[NumberDataPoint]:
        return [
            NumberDataPoint(sample.labels, self._started, now, sample.value)
            for sample in family.samples
            if sample.name == family.name + suffix
        ]

    def _histogram_points(self, family: Family, now: int) -> Iterator[HistogramDataPoint]:
        sums = {_labels(sample): sample.value for sample in family.samples if sample.name.endswith("_sum")}
        for labels, buckets in _buckets(family).items():
            counts = [int(bucket.value) for bucket in buckets]
            yield HistogramDataPoint(
                dict(labels),
                self._started,
                now,
                count=counts[-1],
                sum=sums[labels],
                # Prometheus's buckets contain all smaller values; OpenTelemetry's only those above the bound before.
                bucket_counts=[counts[0], *(upper - lower for lower, upper in pairwise(counts))],
                explicit_bounds=[float(bucket.labels["le"]) for bucket in buckets[:-1]],
                min=float("nan"),
                max=float("nan"),
                exemplars=_exemplars(buckets),
            )


def create_metrics_export(environ: Mapping[str, str] = os.environ) -> MetricsExport:
    """Create the export that the environment selects. Raises InvalidSetting if it is not supported."""
    name = tracing.exporter_name(environ, tracing.METRICS) or "none"
    tracing.check_exporter(environ, tracing.METRICS, name)
    exporter = ConsoleMetricExporter(out=sys.stderr) if name == "console" else OTLPMetricExporter()
    return MetricsExport(exporter, environ)


def _interval_seconds(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_METRIC_EXPORT_INTERVAL")
    if not text:
        return DEFAULT_INTERVAL_SECONDS
    if not text.isdecimal() or int(text) == 0:
        raise InvalidSetting(f"OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds, but is '{text}'")
    return int(text) / 1000


def _labels(sample: Sample) -> _Labels:
    """Return the labels that tell the series of a histogram apart."""
    return tuple(sorted((name, value) for name, value in sample.labels.items() if name != "le"))


def _buckets(family: Family) -> Mapping[_Labels, Sequence[Sample]]:
    """Return the buckets of each series, with ascending bounds, as Prometheus's library lists them."""
    buckets: dict[_Labels, list[Sample]] = {}
    for sample in family.samples:
        if sample.name.endswith("_bucket"):
            buckets.setdefault(_labels(sample), []).append(sample)
    return buckets


def _exemplars(buckets: Iterable[Sample]) -> list[Exemplar]:
    return [
        Exemplar(
            filtered_attributes={},
            value=bucket.exemplar.value,
            time_unix_nano=int(float(bucket.exemplar.timestamp or 0) * 1e9),
            span_id=int(bucket.exemplar.labels["span_id"], 16),
            trace_id=int(bucket.exemplar.labels["trace_id"], 16),
        )
        for bucket in buckets
        if bucket.exemplar is not None
    ]
