"""The target of an import: a Treaty that receives facts in batches, and remembers them.

An interrupted import continues where it stopped, because the target returns which facts it has.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from treaty.cli import output
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.cli.import_reports import CopyReport
    from treaty.client import BrokerClient, Json

_FATAL_STATUSES: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
MAX_FACTS: Final = 200
"""Facts in one request to the target."""
REQUEST_GOAL_SECONDS: Final = 0.5
"""Seconds that a request to the target should take: on SQLite, other writes wait for it."""
MAX_CHARACTERS: Final = 2_000_000
"""Characters of pacts and test results in one request to the target."""
MAX_LOOKUPS: Final = 5000
"""Facts in one lookup of what earlier imports copied."""
_HEARTBEAT_INTERVAL: Final = 10.0
"""Seconds after which the claim is renewed, well before it expires (after 30)."""
_CLAIM_TIMEOUT: Final = 40.0
"""Seconds to wait for another import: the claim of one that was killed expires after 30."""


@dataclass(slots=True)
class ImportTarget:
    """The Treaty that receives the facts, in batches."""

    broker: BrokerClient
    source_url: str
    is_dry: bool
    report: CopyReport
    _run: str = field(default_factory=lambda: str(uuid.uuid4()))
    _facts: list[tuple[str, str, Json]] = field(default_factory=list)
    _size: int = 0
    _batch_size: int = MAX_FACTS
    """Number of facts in the next request, adapted to the duration of the last one."""
    _sent_at: float = 0

    @property
    def url(self) -> str:
        """The URL for facts. Raises ClientError for a broker that cannot import."""
        if not self.broker.index.has_link("pb:import"):
            raise ClientError(
                f"{self.broker.url} cannot import.",
                hint="It must be a Treaty of this version, and the credentials need the permission to write.",
            )
        return self.broker.link("pb:import")

    def begin(self) -> None:
        """Claim the import, and wait for the claim of one that was killed. Raises Refused if another one is running."""
        deadline = time.monotonic() + _CLAIM_TIMEOUT
        first_reason = ""
        while True:
            try:
                self._post([])
            except Refused as refused:
                # The reason contains the time of the other import's last request: if it changes, that one is alive.
                is_alive = first_reason not in {"", refused.body}
                if refused.status != HTTPStatus.CONFLICT or is_alive or time.monotonic() > deadline:
                    raise
                first_reason = refused.body
                output.print_error("Another import is running or has just been interrupted. Waiting …")
                time.sleep(2)
            else:
                return

    def find_markers(self, facts: Sequence[Sequence[str]]) -> list[str | None]:
        """Return the markers that earlier imports stored for facts; None for new facts."""
        markers: list[str | None] = []
        for start in range(0, len(facts), MAX_LOOKUPS):
            batch = [list(fact) for fact in facts[start : start + MAX_LOOKUPS]]
            body = {"source": self.source_url, "facts": batch}
            markers += self.broker.post(f"{self.url}/known", body).body["values"]
        return markers

    def add(self, kind: str, name: str, fact: Json) -> None:
        """Queue a fact, and send the batch when it is full."""
        self._facts.append((kind, name, fact))
        self._size += len(fact.get("content") or "") + len(fact.get("testResults") or "")
        if len(self._facts) >= self._batch_size or self._size >= MAX_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        facts, self._facts, self._size = self._facts, [], 0
        if facts:
            began = time.monotonic()
            outcomes = self._post([fact for *_, fact in facts])
            self._batch_size = next_batch_size(len(facts), self._batch_size, seconds=time.monotonic() - began)
            for (kind, name, _), imported in zip(facts, outcomes, strict=True):
                self._count(kind, name, imported)

    def send_one(self, kind: str, name: str, fact: Json) -> str:
        """Send a single fact, and return its outcome: `absent`, which is not counted, asks to create the webhook."""
        (imported,) = self._post([fact])
        if imported["outcome"] != "absent":
            self._count(kind, name, imported)
        return str(imported["outcome"])

    def put_webhook(self, name: str, webhook_uuid: str, body: str, fact: Json) -> None:
        """Create a webhook, and record it as copied."""
        try:
            if not self.is_dry:
                self.broker.put(self.broker.link("pb:webhook", uuid=webhook_uuid), body)
                self._post([fact])
        except Refused as refused:
            if refused.status in _FATAL_STATUSES or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.report.refuse("webhooks", name, str(refused))
        else:
            self.report.copied["webhooks"] += 1

    def renew_claim(self) -> None:
        """Renew the claim if it is about to expire, because the source is slow."""
        if time.monotonic() - self._sent_at > _HEARTBEAT_INTERVAL:
            self._post([])

    def release_claim(self) -> None:
        """Let the next import start at once, if the target can be reached."""
        with contextlib.suppress(ClientError):
            self._post([], finished=True)

    def finish(self) -> None:
        self.flush()
        self._post([], finished=True)

    def _post(self, facts: list[Json], *, finished: bool = False) -> list[Json]:
        body = {"source": self.source_url, "run": self._run, "dryRun": self.is_dry, "finished": finished}
        outcomes: list[Json] = self.broker.post(self.url, {**body, "facts": facts}).body["outcomes"]
        self._sent_at = time.monotonic()
        return outcomes

    def _count(self, kind: str, name: str, imported: Json) -> None:
        match imported["outcome"]:
            case "copied":
                self.report.copied[kind] += 1
            case "refused":
                self.report.refuse(kind, name, imported["reason"])
            case "removed" | "outdated":
                self.report.leave(kind, name, imported["reason"])
            case _:
                self.report.existing[kind] += 1


def next_batch_size(sent: int, batch_size: int, *, seconds: float) -> int:
    """Return the size of the next batch, given the duration of a request with `sent` facts.

    It shrinks at once after a slow request, and at most doubles after a fast one.
    """
    fitting = max(1, int(sent * REQUEST_GOAL_SECONDS / max(seconds, 0.001)))
    if seconds > REQUEST_GOAL_SECONDS:
        return min(fitting, batch_size)
    return min(max(batch_size, fitting), batch_size * 2, MAX_FACTS)
