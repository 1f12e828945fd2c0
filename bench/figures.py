"""From times to figures, and from figures to the table."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Final

from bench.load import Result
from bench.operations import Operation

LEAST_OF_FLOOR: Final = 0.40
MOST_OF_P50: Final = 5.0
MOST_SECONDS_TO_START: Final = 1.5
MOST_MEMORY: Final = 100.0
"""In MiB."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one short round with a server came to. Times are in milliseconds."""

    per_second: float
    p50: float
    p99: float
    size: float
    """Bytes of an answer's body."""
    processor: float | None
    """How long the server's thread ran for a request, or all its threads and PostgreSQL's processes; None where the
    system does not tell."""

    @classmethod
    def of(cls, result: Result, seconds: float | None) -> "Round":
        times = sorted(result.times)
        p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
        processor = None if seconds is None else seconds / len(times) * 1000
        return cls(len(times) / result.elapsed, median(times) * 1000, p99 * 1000, result.size, processor)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What is known of an operation on a history, with some clients."""

    database: str
    """SQLite or PostgreSQL."""
    operation: str
    title: str
    history: str
    clients: int
    per_second: float
    p50: float
    p99: float
    of_floor: float
    least_of_floor: float
    most_of_floor: float
    floor_per_second: float
    processor: float | None
    of_floor_by_processor: float | None
    """The same ratio by the time that the servers' threads ran, which other work on the machine hardly changes."""
    of_shorter: float | None
    """How long an answer takes, compared with a shorter history; None where that is not asked."""
    most_of_shorter: float
    statements: int
    size: float

    @property
    def unmet(self) -> list[str]:
        missed_targets = []
        if self.of_floor < LEAST_OF_FLOOR:
            missed_targets.append("floor")
        if self.clients > 1 and self.p99 > MOST_OF_P50 * self.p50:
            missed_targets.append("p99")
        if self.of_shorter is not None and self.of_shorter > self.most_of_shorter:
            missed_targets.append("history")
        return missed_targets

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "unmet": self.unmet}


@dataclass(frozen=True, slots=True)
class Measured:
    """What the rounds came to, in turn with the real server and with the floor."""

    real: list[Round] = field(default_factory=list)
    floor: list[Round] = field(default_factory=list)

    def figures(
        self,
        operation: Operation,
        history: str,
        *,
        database: str,
        clients: int,
        statements: int,
        shorter: "Measured | None",
    ) -> Figures:
        """Sum up the rounds: the median of each figure, and of the ratios of rounds one after the other."""
        size, replayed = self.real[0].size, self.floor[0].size
        assert abs(size - replayed) <= size / 50, f"{operation.name}: {replayed:.0f} bytes, not {size:.0f}"
        of_floor = [real.per_second / floor.per_second for real, floor in zip(self.real, self.floor, strict=True)]
        return Figures(
            database=database,
            operation=operation.name,
            title=operation.title,
            history=history,
            clients=clients,
            per_second=median(measured_round.per_second for measured_round in self.real),
            p50=median(measured_round.p50 for measured_round in self.real),
            p99=median(measured_round.p99 for measured_round in self.real),
            of_floor=median(of_floor),
            least_of_floor=min(of_floor),
            most_of_floor=max(of_floor),
            floor_per_second=median(measured_round.per_second for measured_round in self.floor),
            processor=_processor(self.real),
            of_floor_by_processor=_quotient(_processor(self.floor), _processor(self.real)),
            of_shorter=None if shorter is None else _cost(self.real, shorter.real),
            most_of_shorter=operation.most_of_shorter,
            statements=statements,
            size=size,
        )


def _processor(rounds: Iterable[Round]) -> float | None:
    times = [measured_round.processor for measured_round in rounds if measured_round.processor is not None]
    return median(times) if times else None


def _quotient(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _cost(large: Iterable[Round], shorter: Iterable[Round]) -> float:
    return median(
        large_round.p50 / shorter_round.p50 for large_round, shorter_round in zip(large, shorter, strict=True)
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
    "of floor": -8,
    "(min-max)": -11,
    "cpu ms": -6,
    "by cpu": -6,
    "of shorter": -10,
    "target": 1,
}
"""The table's columns and their widths; those of numbers are negative."""


def line(cells: Iterable[str]) -> str:
    """Write a row of the table."""
    pairs = zip(cells, COLUMNS.values(), strict=True)
    return "  ".join(cell.rjust(-width) if width < 0 else cell.ljust(width) for cell, width in pairs)


def cells(one: Figures) -> Iterable[str]:
    """Write figures, column by column."""
    yield from (one.title, one.history, str(one.clients), str(one.statements), f"{one.size:.0f}")
    yield from (f"{one.per_second:.0f}", f"{one.p50:.2f}", f"{one.p99:.2f}")
    yield from (f"{one.of_floor:.0%}", f"({one.least_of_floor:.0%}-{one.most_of_floor:.0%})")
    yield "" if one.processor is None else f"{one.processor:.2f}"
    yield "" if one.of_floor_by_processor is None else f"{one.of_floor_by_processor:.0%}"
    yield "" if one.of_shorter is None else f"{one.of_shorter:.2f}"
    yield f"not met: {', '.join(one.unmet)}" if one.unmet else "met"


HEARTBEAT: Final = "seconds to the first heartbeat"
IDLE: Final = "MiB when idle"
_MOST: Final = {HEARTBEAT: MOST_SECONDS_TO_START, IDLE: MOST_MEMORY}


def summary(server: Mapping[str, float | None]) -> Iterable[str]:
    """Say what is not one operation's."""
    for name, value in server.items():
        if value is not None:
            most = _MOST.get(name, value)
            verdict = f" (target {most:g}: {'met' if value <= most else 'not met'})" if name in _MOST else ""
            yield f"{name}: {value:.2f}{verdict}"
