"""Requests of clients, recorded by their tests. tests/api/test_requests_of_clients.py sends them without a client.

With TREATY_TEST_RECORD=1, a test of a client writes all requests of its run to a file below `requests`. Otherwise its
client may send no requests of a form that the file lacks.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.clients.access import Access
from tests.clients.relay import Exchange
from treaty.settings import Settings
from treaty.web.routers import build_route_table

FOLDER: Final = Path(__file__).parent / "requests"
BASE: Final = "http://localhost"
"""Stands for the broker's URL."""
_RECORD: Final = "TREATY_TEST_RECORD"
_UNRECORDED: Final = re.compile(
    r"host|content-length|connection|authorization|x-forwarded-.*|user-agent|trace.*|transfer-encoding|keep-alive"
)
"""Headers that depend on the connection, the caller or the test run."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Recorded:
    """A request, and the kind of its response."""

    sender: str
    """`client`, or `test` for preparations."""
    method: str
    path: str
    """Below the broker's URL, with the query."""
    headers: Sequence[tuple[str, str]]
    body: str
    status: int
    media_type: str | None


class Uuids:
    """UUIDs that the broker has returned so far. They differ in each run, so that recordings contain placeholders."""

    def __init__(self) -> None:
        self._returned: list[str] = []

    def note(self, response: str) -> None:
        self._returned += [uuid for uuid in dict.fromkeys(_UUID.findall(response)) if uuid not in self._returned]

    def hide(self, text: str) -> str:
        for number, uuid in enumerate(self._returned):
            text = text.replace(uuid, f"{{uuid {number}}}")
        return text

    def reveal(self, text: str) -> str:
        for number, uuid in enumerate(self._returned):
            text = text.replace(f"{{uuid {number}}}", uuid)
        return text


def recorded_files() -> list[Path]:
    """List the files of all recordings."""
    return sorted(FOLDER.glob("*/*.jsonl"))


def read(file: Path) -> list[Recorded]:
    """Read a recording."""
    return [Recorded(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]


def check(item: pytest.Item, broker: Access) -> None:
    """Record the requests of a test, or fail it if its client sent requests of a form that was not recorded."""
    module, _, name = item.nodeid.rpartition("/")[2].partition("[")[0].partition(".py::test_")
    file = FOLDER / module.removeprefix("test_") / f"{name}.jsonl"
    requests = _recorded(broker)
    if not any(request.sender == "client" for request in requests):
        return
    if os.environ.get(_RECORD) == "1":
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"{json.dumps(asdict(each), ensure_ascii=False)}\n" for each in requests), "utf-8")
    elif file.exists():
        new = forms(requests) - forms(read(file))
        assert new == set(), f"no test sends requests of these forms; record them with {_RECORD}=1 and --long"


def _recorded(broker: Access) -> list[Recorded]:
    uuids, prefix, recorded = Uuids(), urlsplit(broker.url).path, []
    # The application that the requests are sent to again requires no credentials.
    for exchange in [exchange for exchange in broker.relay.exchanges if exchange.status != 401]:
        recorded.append(_without_run(exchange, prefix, broker.url, uuids))
        uuids.note(exchange.response.decode(errors="replace"))
    return recorded


def _without_run(exchange: Exchange, prefix: str, url: str, uuids: Uuids) -> Recorded:
    headers = [(name, value) for name, value in exchange.headers if not _UNRECORDED.fullmatch(name)]
    path = exchange.target.removeprefix(prefix)
    return Recorded(
        sender="client" if exchange.is_of_client else "test",
        method=exchange.method,
        path=uuids.hide(path if path.startswith("/") else f"/{path}"),
        headers=headers,
        body=uuids.hide(exchange.body.decode().replace(url, BASE)),
        status=exchange.status,
        media_type=media_type(exchange.response_headers),
    )


def media_type(headers: Mapping[str, str]) -> str | None:
    """Return the media type of a response, without parameters."""
    return headers["content-type"].partition(";")[0] if "content-type" in headers else None


def forms(requests: Iterable[Recorded]) -> set[tuple[Any, ...]]:
    """Return the forms of a client's requests: the parts that matter to a broker, without names and values."""
    return {
        (
            request.method,
            _template(request.path.partition("?")[0]),
            tuple(sorted({name for name, _ in parse_qsl(urlsplit(request.path).query, keep_blank_values=True)})),
            tuple(value for name, value in request.headers if name == "accept"),
            tuple(value for name, value in request.headers if name == "content-type"),
            _members(request.body),
        )
        for request in requests
        if request.sender == "client"
    }


def _template(path: str) -> str:
    return build_route_table(Settings()).match(path).template or path


def _members(body: str) -> tuple[str, ...]:
    try:
        document = json.loads(body) if body else {}
    except ValueError:
        return ("text",)
    return tuple(sorted(document)) if isinstance(document, dict) else ("list",)
