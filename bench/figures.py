"""From times to figures, and from figures to the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Final

from bench.load import Result

LEAST_OF_FLOOR: Final = 0.40
MOST_OF_SMALL: Final = 1.3
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

    @classmethod
    def of(cls, result: Result) -> "Round":
        times = sorted(result.times)
        p99 = times[min(len(times) - 1, len(times) * 99 // 100)]
        return cls(len(times) / result.elapsed, median(times) * 1000, p99 * 1000)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What is known of an operation on a history, with some clients."""

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
    of_small: float | None
    """How long an answer takes, compared with the small history; None where that is not asked."""
    statements: int
    size: float

    @property
    def unmet(self) -> list[str]:
        found = []
        if self.of_floor < LEAST_OF_FLOOR:
            found.append("floor")
        if self.clients > 1 and self.p99 > MOST_OF_P50 * self.p50:
            found.append("p99")
        if self.of_small is not None and self.of_small > MOST_OF_SMALL:
            found.append("history")
        return found

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "unmet": self.unmet}


def ratios(real: Sequence[Round], floor: Sequence[Round]) -> list[float]:
    """Compare rounds that were run one after the other."""
    return [one.per_second / other.per_second for one, other in zip(real, floor, strict=True)]


def costs(large: Sequence[Round], small: Sequence[Round]) -> float:
    return median(one.p50 / other.p50 for one, other in zip(large, small, strict=True))


HEAD: Final = (
    "Operation                   History  Clients  Statements   Bytes     req/s   p50 ms   p99 ms  of floor   (min-max)     of small  Target"
)


def table(figures: Iterable[Figures]) -> Iterable[str]:
    yield HEAD
    for one in figures:
        yield row(one)


def row(one: Figures) -> str:
    of_small = "" if one.of_small is None else f"{one.of_small:.2f}"
    return (
        f"{one.title:<27} {one.history:<8} {one.clients:>7} {one.statements:>11} {one.size:>7.0f} {one.per_second:>9.0f}"
        f" {one.p50:>8.2f} {one.p99:>8.2f} {one.of_floor:>8.0%}   {one.least_of_floor:>4.0%}-{one.most_of_floor:<4.0%}"
        f" {of_small:>10}  {'met' if not one.unmet else 'not met: ' + ', '.join(one.unmet)}"
    )


def summary(startup: Mapping[str, float | None]) -> Iterable[str]:
    """Say what is not one operation's."""
    targets = {"seconds to the first heartbeat": MOST_SECONDS_TO_START, "MiB when idle": MOST_MEMORY}
    for name, value in startup.items():
        if value is not None:
            verdict = f", target {targets[name]:g}: {'met' if value <= targets[name] else 'not met'}" if name in targets else ""
            yield f"{name}: {value:.2f}{verdict}"
