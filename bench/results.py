"""The results of a run: statistics of the rounds, targets, and the rows of the printed table."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from bench.load import Result
from bench.operations import Operation

MIN_FLOOR_RATIO: Final = 0.40
"""Target: minimum throughput compared with the floor."""
MAX_P99_RATIO: Final = 5.0
"""Target: maximum p99 of several clients, compared with the p50."""
MAX_STARTUP_SECONDS: Final = 1.5
MAX_MEMORY: Final = 65.0
"""MiB of resident memory of an idle server."""


@dataclass(frozen=True, slots=True)
class Round:
    """Statistics of one round with a server. Times are in milliseconds."""

    per_second: float
    p50: float
    p99: float
    size: float
    """Bytes of a response's body."""
    cpu_ms: float | None
    """Processor time for each request, as `Store.read_processor_seconds` defines it; None without `/proc`."""

    @classmethod
    def from_result(cls, result: Result, cpu_seconds: float | None) -> "Round":
        """Compute the statistics of a result and the server's processor time."""
        times = sorted(result.latencies)
        p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
        cpu_ms = None if cpu_seconds is None else cpu_seconds / len(times) * 1000
        return cls(len(times) / result.elapsed, median(times) * 1000, p99 * 1000, result.size, cpu_ms)


@dataclass(frozen=True, kw_only=True, slots=True)
class OperationResult:
    """Statistics of an operation on a history with a number of clients. Times are in milliseconds."""

    database: str
    """SQLite or PostgreSQL."""
    operation: str
    title: str
    history: str
    clients: int
    per_second: float
    p50: float
    p99: float
    floor_ratio: float
    min_floor_ratio: float
    max_floor_ratio: float
    floor_per_second: float
    cpu_ms: float | None
    cpu_floor_ratio: float | None
    """The ratio of the processor times, which other work on the machine hardly affects."""
    history_ratio: float | None
    """Latency compared with the baseline history of the operation; None for the other histories."""
    max_history_ratio: float
    statements: int
    size: float

    @property
    def missed_targets(self) -> list[str]:
        """List the targets that were not met: floor, p99, history."""
        missed_targets = []
        if self.floor_ratio < MIN_FLOOR_RATIO:
            missed_targets.append("floor")
        if self.clients > 1 and self.p99 > MAX_P99_RATIO * self.p50:
            missed_targets.append("p99")
        if self.history_ratio is not None and self.history_ratio > self.max_history_ratio:
            missed_targets.append("history")
        return missed_targets

    def as_json(self) -> dict[str, Any]:
        fields = {_JSON_KEYS.get(name, name): value for name, value in asdict(self).items()}
        return {**fields, "unmet": self.missed_targets}


_JSON_KEYS: Final = {
    "floor_ratio": "of_floor",
    "min_floor_ratio": "least_of_floor",
    "max_floor_ratio": "most_of_floor",
    "cpu_floor_ratio": "of_floor_by_processor",
    "cpu_ms": "processor",
    "history_ratio": "of_shorter",
    "max_history_ratio": "most_of_shorter",
}
"""Keys of the JSON output that differ from the names of fields. They are stable, so that runs can be compared."""


@dataclass(frozen=True, slots=True)
class Measurements:
    """The rounds of an operation, which alternate between the real server and the floor."""

    real: list[Round] = field(default_factory=list)
    floor: list[Round] = field(default_factory=list)

    def aggregate(
        self,
        operation: Operation,
        history: str,
        *,
        database: str,
        clients: int,
        statements: int,
        baseline: "Measurements | None",
    ) -> OperationResult:
        """Aggregate the rounds: medians, and medians of the ratios of consecutive rounds.

        A ratio of consecutive rounds does not depend on how busy the machine was, unlike a ratio of medians.
        """
        size, floor_size = self.real[0].size, self.floor[0].size
        assert abs(size - floor_size) <= size / 50, f"{operation.name}: {floor_size:.0f} bytes, not {size:.0f}"
        floor_ratios = [real.per_second / floor.per_second for real, floor in zip(self.real, self.floor, strict=True)]
        return OperationResult(
            database=database,
            operation=operation.name,
            title=operation.title,
            history=history,
            clients=clients,
            per_second=median(sample.per_second for sample in self.real),
            p50=median(sample.p50 for sample in self.real),
            p99=median(sample.p99 for sample in self.real),
            floor_ratio=median(floor_ratios),
            min_floor_ratio=min(floor_ratios),
            max_floor_ratio=max(floor_ratios),
            floor_per_second=median(sample.per_second for sample in self.floor),
            cpu_ms=_median_cpu_ms(self.real),
            cpu_floor_ratio=_divide(_median_cpu_ms(self.floor), _median_cpu_ms(self.real)),
            history_ratio=None if baseline is None else _median_latency_ratio(self.real, baseline.real),
            max_history_ratio=operation.max_ratio,
            statements=statements,
            size=size,
        )


def _median_cpu_ms(rounds: Iterable[Round]) -> float | None:
    times = [sample.cpu_ms for sample in rounds if sample.cpu_ms is not None]
    return median(times) if times else None


def _divide(dividend: float | None, divisor: float | None) -> float | None:
    return dividend / divisor if dividend is not None and divisor else None


def _median_latency_ratio(large: Iterable[Round], baseline: Iterable[Round]) -> float:
    return median(
        large_sample.p50 / baseline_sample.p50 for large_sample, baseline_sample in zip(large, baseline, strict=True)
    )


COLUMNS: Final = {
    "operation": 28,
    "history": 7,
    "clients": -7,
    "statements": -10,
    "bytes": -7,
    "req/s": -6,
    "p50 ms": -7,
    "p99 ms": -7,
    "floor ratio": -11,
    "(min-max)": -11,
    "cpu ms": -6,
    "cpu ratio": -9,
    "history ratio": -13,
    "target": 1,
}
"""Columns of the table, with their widths. Negative ones are aligned to the right."""


def format_row(cells: Iterable[str]) -> str:
    """Return a row of the table."""
    pairs = zip(cells, COLUMNS.values(), strict=True)
    return "  ".join(cell.rjust(-width) if width < 0 else cell.ljust(width) for cell, width in pairs)


def format_cells(result: OperationResult) -> Iterable[str]:
    """Yield the cells of the row of a result."""
    yield from (result.title, result.history, str(result.clients), str(result.statements), f"{result.size:.0f}")
    yield from (f"{result.per_second:.0f}", f"{result.p50:.2f}", f"{result.p99:.2f}")
    yield from (f"{result.floor_ratio:.0%}", f"({result.min_floor_ratio:.0%}-{result.max_floor_ratio:.0%})")
    yield "" if result.cpu_ms is None else f"{result.cpu_ms:.2f}"
    yield "" if result.cpu_floor_ratio is None else f"{result.cpu_floor_ratio:.0%}"
    yield "" if result.history_ratio is None else f"{result.history_ratio:.2f}"
    yield f"not met: {', '.join(result.missed_targets)}" if result.missed_targets else "met"


HEARTBEAT: Final = "seconds to the first heartbeat"
IDLE: Final = "MiB when idle"
_MAXIMA: Final = {HEARTBEAT: MAX_STARTUP_SECONDS, IDLE: MAX_MEMORY}


def format_server(measurements: Mapping[str, float | None]) -> Iterable[str]:
    """Yield a line for each figure of the server itself."""
    for name, value in measurements.items():
        if value is not None:
            maximum = _MAXIMA.get(name, value)
            verdict = f" (target {maximum:g}: {'met' if value <= maximum else 'not met'})" if name in _MAXIMA else ""
            yield f"{name}: {value:.2f}{verdict}"
