"""Representation of the time at which a resource was created and last changed."""

from datetime import datetime
from typing import Protocol

from treaty.web.hal.shapes import Times


class Timestamped(Protocol):
    """A record that knows when it was created and last changed."""

    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...


def timestamps(record: Timestamped) -> Times:
    """Return the members `createdAt` and `updatedAt`.

    Like the original broker, a resource that has not changed since its creation has no `updatedAt`.
    """
    return {
        "updatedAt": record.updated_at if record.updated_at != record.created_at else None,
        "createdAt": record.created_at,
    }
