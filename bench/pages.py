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
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Final
from urllib.parse import quote, urlencode

import structlog
from starlette.types import ASGIApp, Message

from bench import activity, system
from bench.system import System
from treaty.loading import prepare_collections
from treaty.model.overview.attention import AttentionKind
from treaty.model.overview.history import PairView
from treaty.model.overview.overview import OverviewSorting, PactState
from treaty.settings import Settings
from treaty.store.engine.database import open_database
from treaty.web.application import build_application
from treaty.web.pages.overview.trends import TrendRows
from treaty.web.routers import build_route_table, list_routers

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
    activity.add(path, size)
    print(f"system: {path.stat().st_size / 2**20:.0f} MiB, built in {time.monotonic() - start:.1f} s", flush=True)
    app = build_application(Settings(), open_database(f"sqlite:///{path}"))
    # As a server does when it starts: otherwise some requests would pay for going through all modules.
    gc.collect()
    prepare_collections()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:

        def find(query: str, *values: object) -> str:
            (value,) = writer.execute(query, values).fetchone()
            return str(value)

        listed, about_contracts = list_pages(size, find), list_contract_pages(size, find)
        if unmeasured := list_unmeasured([*listed.values(), *about_contracts.values()]):
            raise RuntimeError(f"pages that are not measured: {', '.join(sorted(unmeasured))}")

        def measure_all(paths: Mapping[str, str]) -> list[PageResult]:
            chosen = {name: path for name, path in paths.items() if not only or any(part in name for part in only)}
            return [_measure_page(app, name, path, rounds, writer) for name, path in chosen.items()]

        results = measure_all(listed)
        # Last, since statements have more conditions once any provider has a contract.
        activity.add_contract(path, system.name(find_busiest(size)), system.number(size.versions - 1))
        return [*results, *measure_all(about_contracts)]


CONTENTS: Final = "SELECT sha FROM content WHERE consumer_id = ? AND provider_id = ? ORDER BY id"
"""Selects the contents of a pair, the oldest first."""
_NO_ACCOUNTS: Final = "is about accounts, of which the system has none"
_NEEDS_USER: Final = "is a form that a broker without users does not permit"
_NO_ROWS: Final = "is a form, or a document of the program, without any rows of the database"
_SAME_PAGE: Final = "is the page of another URL"
WITHOUT_MEASUREMENT: Final[Mapping[str, str]] = {
    "/settings": _NO_ROWS,
    "/settings/account": _NO_ACCOUNTS,
    "/settings/account/second-factor": _NO_ACCOUNTS,
    "/settings/tokens": _NO_ACCOUNTS,
    "/settings/users": _NO_ACCOUNTS,
    "/settings/users/{uuid}": _NO_ACCOUNTS,
    "/setup": _NO_ACCOUNTS,
    "/secrets/{uuid}/edit": _NEEDS_USER,
    "/secrets/{uuid}/delete": _NEEDS_USER,
    "/secrets/new": _NEEDS_USER,
    "/sign-in": _NO_ROWS,
    "/sign-in/again": _NO_ACCOUNTS,
    "/sign-in/code": _NO_ACCOUNTS,
    "/doc/{rel}": _NO_ROWS,
    "/docs/guide/images/{name}": _NO_ROWS,
    "/hal-browser": _SAME_PAGE,
    "/hal-browser/browser.html": _SAME_PAGE,
    "/ui/relationships": _SAME_PAGE,
    "/pact/provider/{provider}/consumer/{consumer}/latest": _SAME_PAGE,
    "/pact/provider/{provider}/consumer/{consumer}/version/{version}": _SAME_PAGE,
    "/pacts/provider/{provider}/consumer/{consumer}/versions/{version}": _SAME_PAGE,
    "/pacts/provider/{provider}/consumer/{consumer}/pact-version/{sha}/metadata/{metadata}": _SAME_PAGE,
    "/pacts/provider/{provider}/consumer/{consumer}/pact-version/{sha}/metadata/{metadata}"
    "/verification-results/{number}": _SAME_PAGE,
    "/pacticipants/{pacticipant}/provider-contract": "redirects to another page",
    "/contracts/bi-directional/provider/{provider}/version/{version}/provider-contract/document/download": (
        "is the file of the page before it"
    ),
}
"""Templates of the URLs of pages that are not measured, each with the reason."""


def list_unmeasured(paths: Collection[str], *, exceptions: Collection[str] = WITHOUT_MEASUREMENT) -> Collection[str]:
    """List the templates of the URLs of pages that neither these paths nor the exceptions contain."""
    routes = build_route_table(Settings())
    measured = {routes.match(path.partition("?")[0]).template for path in paths}
    templates = {
        template
        for router in list_routers(Settings())
        for template, endpoint in router.endpoints.items()
        if endpoint.page is not None
    }
    return templates - measured - set(exceptions)


def list_pages(size: System, find: Callable[..., str]) -> Mapping[str, str]:
    """Return the paths of the pages by name, with each order and each filter that they offer.

    `find` returns the first value that a query, with its parameters, selects from the database.
    """
    (consumer, provider), newest = (
        (system.name(application) for application in size.edges[0]),
        system.number(size.versions - 1),
    )
    pair = f"provider/{provider}/consumer/{consumer}"
    busiest = system.name(find_busiest(size))
    question = {"q[][pacticipant]": consumer, "q[][version]": newest, "environment": "production"}
    production = f"/environments/{system.environment_uuid(len(system.ENVIRONMENTS) - 1)}"
    webhook = f"/webhooks/{system.webhook_uuid(0)}"
    ids = [application + 1 for application in size.edges[0]]
    older_sha, sha = find(CONTENTS, *ids), find(f"{CONTENTS} DESC", *ids)
    pact, content = f"/pacts/{pair}/version/{quote(newest, safe='')}", f"/pacts/{pair}/pact-version/{sha}"
    older = quote(system.number(0), safe="")
    decision = find("SELECT uuid FROM decision WHERE deployable IS NOT TRUE ORDER BY id DESC")
    delivery = find("SELECT uuid FROM triggered_webhook WHERE status = 'failure' ORDER BY id DESC")
    new_override = {"pacticipantName": consumer, "pacticipantVersionNumber": newest, "environmentName": "production"}
    return {
        **_overviews(size),
        "application": f"/pacticipants/{consumer}",
        "application, busiest": f"/pacticipants/{busiest}",
        "application, asked": f"/pacticipants/{consumer}?version={quote(newest)}&to=production",
        "application, branches": f"/pacticipants/{consumer}?heads=all",
        "application, busiest, branches": f"/pacticipants/{busiest}?heads=all",
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
        "application, form": f"/pacticipants/{consumer}/edit",
        "application, removal": f"/pacticipants/{busiest}/delete",
        "pact, 200 interactions": f"/pacts/{pair}/latest",
        "pact, of a version": pact,
        "pact, of a content": content,
        "pact, tagged": f"/pacts/{pair}/latest/dev",
        "pact, untagged": f"/pacts/{pair}/latest-untagged",
        "pact, of a branch": f"/pacts/{pair}/branch/main/latest",
        "difference": f"{pact}/diff/previous-distinct",
        "difference, of versions": f"{pact}/diff/version/{older}",
        "difference, of contents": f"{content}/diff/pact-version/{older_sha}",
        **_list_results(size, find),
        "environments": "/environments",
        "environments, by name": "/environments?q=service-01",
        "environment": production,
        "environment, history": f"{production}/history/{consumer}",
        "environment, form": f"{production}/edit",
        "environment, new": "/environments/new",
        "environment, removal": f"{production}/delete",
        "what if": f"{production}/what-if",
        "webhooks": "/webhooks",
        "webhook": webhook,
        "webhook, form": f"{webhook}/edit",
        "webhook, new": "/webhooks/new",
        "webhook, removal": f"{webhook}/delete",
        "webhook, test": f"{webhook}/try",
        "delivery": f"/triggered-webhooks/{delivery}/logs",
        "secrets": "/secrets",
        "audit trail": "/settings/audit",
        "audit trail, oldest": "/settings/audit?sort=timestamp",
        "audit trail, of an application": f"/settings/audit?resource={busiest}",
        "audit trail, of an unknown one": "/settings/audit?resource=nothing-has-this-name",
        "audit trail, of a user": f"/settings/audit?user={activity.USERS[0]}",
        "audit trail, of a type": "/settings/audit?type=deployment",
        "audit trail, rare type": "/settings/audit?type=override_creation",
        "audit trail, by credential": "/settings/audit?credential=session",
        "decisions": "/decisions",
        "decisions, last page": f"/decisions?page={activity.DECISIONS // 50}",
        "decisions, no": "/decisions?deployable=no",
        "decisions, of an application": f"/decisions?pacticipant={system.name(7)}&environment=staging",
        "decision": f"/decisions/{decision}",
        "trends of decisions": "/decisions/trends",
        "overrides": "/overrides",
        "override, new": f"/overrides/new?{urlencode(new_override)}",
        "comparisons": "/settings/comparisons",
        "documentation": "/docs",
        "documentation of proxies": "/docs/proxies",
        "documentation of reasons": "/docs/reasons",
        "guide": "/docs/guide",
        "guide, a page": "/docs/guide/webhooks",
        "guide, a decision": "/docs/guide/decisions/0001-reads-and-writes-are-synchronous",
        "explorer": "/explorer",
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
        "network around the busiest one": f"/pacticipants/{busiest}/network",
        "network around the busiest one, two steps": f"/pacticipants/{busiest}/network?depth=2",
        "network": "/network",
        "network in production": "/network?environment=production",
    }


def find_busiest(size: System) -> int:
    """Find the application with the most consumers."""
    return max(range(size.applications), key=[provider for _, provider in size.edges].count)


def list_contract_pages(size: System, find: Callable[..., str]) -> Mapping[str, str]:
    """Return the paths of pages about a contract of the application with the most consumers."""
    index, version = find_busiest(size), quote(system.number(size.versions - 1), safe="")
    provider = system.name(index)
    consumer = next(consumer for consumer, application in size.edges if application == index)
    sha = find(
        "SELECT sha FROM content WHERE consumer_id = ? AND provider_id = ? ORDER BY id DESC", consumer + 1, index + 1
    )
    of_version = f"/contracts/bi-directional/provider/{provider}/version/{version}"
    pair = f"{of_version}/consumer/{system.name(consumer)}/version/{version}"
    content = f"/contracts/provider/{provider}/version/{version}/consumer/{system.name(consumer)}/pact-version/{sha}"
    return {
        "contract": f"{of_version}/provider-contract",
        "contract, text": f"{of_version}/provider-contract/document",
        "coverage": f"{of_version}/coverage",
        "comparison of versions": f"{pair}/cross-contract-verification-results",
        "comparison of a content": f"{content}/verification-results",
        "application with a contract": f"/pacticipants/{provider}",
        "application with a contract, branches": f"/pacticipants/{provider}?heads=all",
        "version with a contract": f"/pacticipants/{provider}/versions/{version}",
        "overview with a contract": "/",
    }


def _list_results(size: System, find: Callable[..., str]) -> Mapping[str, str]:
    """Return the paths of the pages of results of the second integration; the first one has none."""
    consumer, provider = size.edges[1]
    results = "FROM verification JOIN content ON content.id = content_id "
    results += "WHERE content.consumer_id = ? AND content.provider_id = ? ORDER BY verification.id DESC"
    ids = (consumer + 1, provider + 1)
    sha, number = (find(f"SELECT {column} {results}", *ids) for column in ("sha", "verification.id"))
    pair = f"/pacts/provider/{system.name(provider)}/consumer/{system.name(consumer)}"
    content, latest = f"{pair}/pact-version/{sha}", "verification-results/latest"
    return {
        "result": f"{content}/verification-results/{number}",
        "result, of a content": f"{content}/{latest}",
        "result, of a version": f"{pair}/version/{quote(system.number(size.versions - 1), safe='')}/{latest}",
        "result, of the latest pact": f"{pair}/latest/{latest}",
        "result, tagged": f"{pair}/latest/dev/{latest}",
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
        is_graph=name in {"network", "network in production"},
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
