"""What a soak looks at: how much a server's process holds while it works, and what is left at the end."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final, Protocol

from bench.receiver import Arrival
from bench.soak_clients import Delivery

MOST_GROWTH: Final = 1.10
MOST_MORE: Final = 8
"""Files or connections that may come and go, such as those of deliveries under way."""
WARM_UP: Final = 0.4
"""The part of a run in which caches fill."""
LAST: Final = 0.2
"""The part at the end, which is compared with as long a part after the warm-up."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a process holds at a moment."""

    seconds: float
    """Since the run began."""
    memory: float
    """MiB."""
    files: int
    connections: int


def sample(pid: int, memory: float | None, seconds: float) -> Sample:
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


def growth(samples: Sequence[Sample], seconds: float) -> Iterator[str]:
    """Say what has grown from after the warm-up to the end of a run."""
    early = [reading for reading in samples if WARM_UP <= reading.seconds / seconds < WARM_UP + LAST]
    late = [reading for reading in samples if reading.seconds / seconds >= 1 - LAST]
    if not early or not late:
        yield "there are too few samples to compare"
        return
    before, after = median(reading.memory for reading in early), median(reading.memory for reading in late)
    if after > before * MOST_GROWTH:
        yield f"memory has grown from {before:.0f} to {after:.0f} MiB"
    for name in ("files", "connections"):
        least, most = (median(getattr(reading, name) for reading in part) for part in (early, late))
        if most > least + MOST_MORE:
            yield f"open {name} have grown from {least:.0f} to {most:.0f}"


def untaken(owed: Iterable[Delivery], arrivals: Iterable[Arrival]) -> list[Delivery]:
    """List what is owed and was not taken by the receiver."""
    taken = {arrival.body for arrival in arrivals if arrival.is_taken}
    return [delivery for delivery in owed if str(delivery) not in taken]


class Asking(Protocol):
    """Asks the server."""

    def __call__(self, path: str, /, *, accept: str) -> Any: ...


def unexplained(waiting: Iterable[Delivery], paths: Mapping[Delivery, str], ask: Asking) -> Iterator[str]:
    """Say which deliveries neither were sent nor wait with a reason that can be read."""
    for delivery in waiting:
        page = ask(f"{paths[delivery]}/triggered-webhooks", accept="application/hal+json")
        mine = [hook for hook in page["_embedded"]["triggeredWebhooks"] if hook["eventName"] == delivery.event]
        if not mine:
            yield f"{delivery}: nothing is known of it"
        for hook in mine:
            if hook["status"] != "retrying" or "503" not in ask(hook["_links"]["pb:logs"]["href"], accept="text/plain"):
                yield f"{delivery}: is {hook['status']}, but it was not taken"
