"""Checks of a soak test: growth of the server's resources, and lost deliveries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

from bench.receiver import Arrival
from bench.soak_clients import Delivery

MAX_MEMORY_GROWTH: Final = 1.10
MAX_DESCRIPTOR_GROWTH: Final = 8
"""Files or connections. Some are open for a short time, such as those of deliveries."""
WARM_UP_SHARE: Final = 0.4
"""Share of the run in which caches fill, so that memory grows."""
COMPARED_SHARE: Final = 0.2
"""Share of the run at its end, which is compared with an equal share after the warm-up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """Resources of a process at a time."""

    seconds: float
    """Time since the start of the run."""
    memory: float
    """Resident memory in MiB."""
    files: int
    connections: int


def take_sample(pid: int, memory: float | None, seconds: float) -> Sample:
    targets = [_target(descriptor) for descriptor in _descriptors(pid)]
    sockets = sum(target.startswith("socket:") for target in targets)
    return Sample(seconds=seconds, memory=memory or 0.0, files=len(targets) - sockets, connections=sockets)


def _descriptors(pid: int) -> list[Path]:
    folder = Path(f"/proc/{pid}/fd")
    return list(folder.iterdir()) if folder.is_dir() else []


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def find_growth(samples: Sequence[Sample], seconds: float) -> Iterator[str]:
    """Yield a message for each resource that has grown between the end of the warm-up and the end of the run."""
    early = [sample for sample in samples if WARM_UP_SHARE <= sample.seconds / seconds < WARM_UP_SHARE + COMPARED_SHARE]
    late = [sample for sample in samples if sample.seconds / seconds >= 1 - COMPARED_SHARE]
    if not early or not late:
        yield "there are too few samples to compare"
        return
    memory_before, memory_after = median(sample.memory for sample in early), median(sample.memory for sample in late)
    if memory_after > memory_before * MAX_MEMORY_GROWTH:
        yield f"memory has grown from {memory_before:.0f} to {memory_after:.0f} MiB"
    for name in ("files", "connections"):
        first_count, last_count = (
            median(getattr(sample, name) for sample in part_samples) for part_samples in (early, late)
        )
        if last_count > first_count + MAX_DESCRIPTOR_GROWTH:
            yield f"open {name} have grown from {first_count:.0f} to {last_count:.0f}"


def find_unacknowledged(expected: Iterable[Delivery], arrivals: Iterable[Arrival]) -> list[Delivery]:
    """List the expected deliveries that the receiver has not acknowledged."""
    acknowledged = {arrival.body for arrival in arrivals if arrival.is_acknowledged}
    return [delivery for delivery in expected if str(delivery) not in acknowledged]


class Fetch(Protocol):
    """Fetches a resource of the server."""

    def __call__(self, path: str, /, *, accept: str) -> Any: ...


def find_lost(deliveries: Iterable[Delivery], paths: Mapping[Delivery, str], fetch: Fetch) -> Iterator[str]:
    """Yield a message for each unacknowledged delivery that is not queued for a retry with a reason in its log."""
    for delivery in deliveries:
        page = fetch(f"{paths[delivery]}/triggered-webhooks", accept="application/hal+json")
        webhooks = [
            webhook for webhook in page["_embedded"]["triggeredWebhooks"] if webhook["eventName"] == delivery.event
        ]
        if not webhooks:
            yield f"{delivery}: the server has no such delivery"
        for webhook in webhooks:
            if webhook["status"] != "retrying" or "503" not in fetch(
                webhook["_links"]["pb:logs"]["href"], accept="text/plain"
            ):
                yield f"{delivery}: the status is {webhook['status']}, but the receiver has not acknowledged it"
