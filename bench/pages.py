"""Processor time and size of each page of a system with 1,000 applications.

A write precedes each request, as in a company that publishes all day: then nothing is cached.
"""

import argparse
import asyncio
import gc
import gzip
import json
import sqlite3
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import quote, urlencode

import structlog
from starlette.types import ASGIApp, Message

from bench import system
from bench.system import System
from treaty.loading import prepare_collections
from treaty.model.overview.attention import AttentionKind
from treaty.model.overview.history import PairView
from treaty.model.overview.overview import OverviewSorting, PactState
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.web.application import build_application
from treaty.web.pages.overview.trends import TrendRows

NAME: Final = "pages"
ROUNDS: Final = 25
MAX_MS: Final = 50.0
MAX_GRAPH_MS: Final = 2000.0
MAX_KIB: Final = 150.0
MAX_GRAPH_KIB: Final = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PageResult:
    """Measurements of a page: processor times in milliseconds, of which the first is that of a cold server."""

    page: str
    first: float
    p50: float
    p95: float
    kib: float
    """Size of the compressed response."""
    html: float
    """Size of the page in KiB."""
    is_graph: bool

    @property
    def is_met(self) -> bool:
        if self.is_graph:
            return max(self.first, self.p95) <= MAX_GRAPH_MS and self.kib <= MAX_GRAPH_KIB
        return self.p95 <= MAX_MS and self.kib <= MAX_KIB


def measure(folder: Path, size: System, *, only: Sequence[str] = (), rounds: int = ROUNDS) -> list[PageResult]:
    """Build a system, and measure each page in several rounds."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    path = folder / "system.sqlite"
    start = time.monotonic()
    system.build(size, path)
    print(f"system: {path.stat().st_size / 2**20:.0f} MiB, built in {time.monotonic() - start:.1f} s", flush=True)
    app = build_application(Settings(), open_database(f"sqlite:///{path}"))
    # As a server does when it starts: otherwise some requests would pay for going through all modules.
    gc.collect()
    prepare_collections()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        return [
            _measure_page(app, name, page, rounds, writer)
            for name, page in list_pages(size).items()
            if not only or any(part in name for part in only)
        ]


def list_pages(size: System) -> Mapping[str, str]:
    """Return the paths of the pages by name, with each order and each filter that they offer."""
    (consumer, provider), newest = (
        (system.name(application) for application in size.edges[0]),
        system.number(size.versions - 1),
    )
    pair = f"provider/{provider}/consumer/{consumer}"
    busiest = system.name(
        max(range(size.applications), key=[application for _, application in size.edges].count),
    )
    question = {"q[][pacticipant]": consumer, "q[][version]": newest, "environment": "production"}
    production = f"/environments/{system.environment_uuid(len(system.ENVIRONMENTS) - 1)}"
    webhook = f"/webhooks/{system.webhook_uuid(0)}"
    return {
        **_overviews(size),
        "application": f"/pacticipants/{consumer}",
        "application, busiest": f"/pacticipants/{busiest}",
        "application, asked": f"/pacticipants/{consumer}?version={quote(newest)}&to=production",
        "application, branches": f"/pacticipants/{consumer}?heads=all",
        "application, on main": f"/pacticipants/{busiest}?branch=main",
        "application, tagged": f"/pacticipants/{busiest}?tag=dev",
        "application, all": f"/pacticipants/{busiest}?integrations=all",
        "version": f"/pacticipants/{consumer}/versions/{quote(newest, safe='')}",
        "version, busiest": f"/pacticipants/{busiest}/versions/{quote(newest, safe='')}",
        "provider states": f"/pacticipants/{provider}?show=states",
        "pair": f"/dashboard/{pair}",
        **{f"pair, {view.value}": f"/dashboard/{pair}?view={view.value}" for view in PairView},
        "pair, grid": f"/dashboard/{pair}?view=grid",
        "matrix, empty": "/matrix",
        "matrix of a pair": f"/matrix/{pair}",
        "matrix, asked": f"/matrix?{urlencode(question)}",
        "matrix, busiest": f"/matrix?{urlencode({**question, 'q[][pacticipant]': busiest})}",
        "pact, 200 interactions": f"/pacts/{pair}/latest",
        "difference": f"/pacts/{pair}/version/{quote(newest, safe='')}/diff/previous-distinct",
        "environments": "/environments",
        "environments, by name": "/environments?q=service-01",
        "environment": production,
        "environment, history": f"{production}/history/{consumer}",
        "what if": f"{production}/what-if",
        "webhooks": "/webhooks",
        "webhook": webhook,
        "webhook, form": f"{webhook}/edit",
        "secrets": "/secrets",
        "audit trail": "/settings/audit",
        "decisions": "/decisions",
        "trends of decisions": "/decisions/trends",
        "overrides": "/overrides",
        "usage": f"/pacticipants/{provider}/usage",
        "interactions": f"/pacticipants/{provider}/interactions",
        "search": "/search?q=service",
        "search, suggestions": "/search?q=service&suggest=true",
        "search, version": f"/search?q={quote(newest[:7], safe='')}",
        "search, branch": "/search?q=main",
        "attention": "/attention",
        **{f"attention, {kind.value}": f"/attention?kind={kind.value}" for kind in AttentionKind},
        "pending": "/pending",
        "pending, by name": "/pending?q=service-01",
        "work in progress": "/pending?wip=1000",
        "stale": "/pending?stale=30",
        "trends": "/trends",
        "trends, by pair": "/trends?by=pair",
        "trends, a pair's": f"/trends?{urlencode({'consumer': consumer, 'provider': provider})}",
        **{f"trends, {rows.value}": f"/trends/rows?show={rows.value}" for rows in TrendRows},
        "network around one": f"/pacticipants/{consumer}/network",
        "network": "/network",
        "network in production": "/network?environment=production",
    }


def _overviews(size: System) -> Mapping[str, str]:
    """Return the paths of the overview: each selection of pacts in each order and state, and the other filters."""
    selections = {"": "", " in production": "environment=production", " on main": "branch=main"}
    orders = {
        f"overview{name}, {sign}{sorting.value}": f"/?sort={sign}{sorting.value}&{selection}"
        for name, selection in selections.items()
        for sorting in OverviewSorting
        for sign in ("", "-")
    }
    states = {
        f"overview{name}, {state.value}": f"/?state={state.value}&{selection}"
        for name, selection in selections.items()
        for state in PactState
    }
    return {
        "overview": "/",
        "overview, last page": f"/?page={-(-size.integrations // 50)}",
        "overview, by name": "/?q=service-01",
        "overview, all names": "/?q=service",
        "overview, a team's": "/?label=team-07",
        "overview in production on main": "/?environment=production&branch=main",
        "overview in production, all names": "/?environment=production&q=service",
        "overview on main, all names": "/?branch=main&q=service",
        **orders,
        **states,
        "overview by tag": "/?tags=true",
        "overview by tag, one tag": "/?tags=true&tag=dev",
        "overview by tag, all names": "/?tags=true&q=service",
        "overview by tag, a team's": "/?tags=true&label=team-07",
    }


def _measure_page(app: ASGIApp, name: str, path: str, rounds: int, writer: sqlite3.Connection) -> PageResult:
    times, bodies = zip(*(_fetch_after_write(app, path, writer) for _ in range(rounds + 1)), strict=True)
    first, later = times[0], sorted(times[1:])
    return PageResult(
        page=name,
        first=first,
        p50=median(later),
        p95=later[min(len(later) - 1, len(later) * 95 // 100)],
        kib=len(bodies[-1]) / 1024,
        html=len(gzip.decompress(bodies[-1])) / 1024 if bodies[-1][:2] == b"\x1f\x8b" else len(bodies[-1]) / 1024,
        is_graph=name.startswith("network"),
    )


def _fetch_after_write(app: ASGIApp, path: str, writer: sqlite3.Connection) -> tuple[float, bytes]:
    writer.execute("UPDATE pacticipant SET repository_name = ? WHERE id = 1", (str(time.monotonic_ns()),))
    return _fetch(app, path)


def _fetch(app: ASGIApp, path: str) -> tuple[float, bytes]:
    """Fetch a page, and return the processor time in milliseconds and the body."""
    raw, _, query = path.partition("?")
    headers = [(b"host", b"localhost"), (b"accept", b"text/html"), (b"accept-encoding", b"gzip")]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": raw,
        "raw_path": raw.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    messages: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        messages.append(message)

    async def measure_response() -> float:
        start = time.process_time()
        await app(scope, receive, send)
        return (time.process_time() - start) * 1000

    milliseconds = asyncio.run(measure_response())
    if messages[0]["status"] != 200:  # noqa: PLR2004 - OK
        raise RuntimeError(f"{path} answered {messages[0]['status']}")
    return milliseconds, b"".join(message.get("body", b"") for message in messages[1:])


COLUMNS: Final = ("page", "first CPU ms", "p50 CPU ms", "p95 CPU ms", "KiB sent", "KiB", "target")


def main(options: argparse.Namespace) -> None:
    """Measure the pages, and print a table."""
    with tempfile.TemporaryDirectory(prefix="treaty-bench-") as folder:
        results = measure(Path(folder), System(), only=options.only or (), rounds=5 if options.quick else ROUNDS)
    print("\n" + _line(COLUMNS))
    for result in results:
        numbers = (f"{number:.1f}" for number in (result.first, result.p50, result.p95, result.kib, result.html))
        print(_line((result.page, *numbers, "met" if result.is_met else "MISSED")))
    if options.json:
        options.json.write_text(json.dumps({NAME: [asdict(result) for result in results]}, indent=1) + "\n", "utf-8")


def _line(cells: Sequence[str]) -> str:
    first, *numbers, last = cells
    return "  ".join((first.ljust(36), *(number.rjust(12) for number in numbers), last))
