"""If a server is killed while it indexes pacts, another one completes the index without duplicates."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.api.client import Api
from tests.api.usage import PROVIDER, count_rows, interaction, publish
from tests.databases import open_kept
from tests.waiting import eventually
from tests.whole.servers import Server, running, start
from treaty.actions.usage import MAX_INLINE_BYTES
from treaty.model.usage.expectations import index_tree
from treaty.settings import Settings
from treaty.web.application import build_application

PACTS, INTERACTIONS = 24, 60


def build_pact(number: int) -> list[dict[str, Any]]:
    """Build the interactions of a pact, too many to be indexed within the publication. Most are in no other pact."""
    padding = {"note": "x" * (2 * MAX_INLINE_BYTES // INTERACTIONS)}
    own = [interaction(f"/orders/{at}/a{number}", {f"f{at}": number, **padding}) for at in range(INTERACTIONS)]
    return [interaction("/shared", {"shared": 1}), *own]


def fill(url: str) -> dict[str, int]:
    """Publish pacts without a worker, and return the expected numbers of rows in the index."""
    contents = [index_tree({"interactions": build_pact(number)}) for number in range(PACTS)]
    with closing(Api(build_application(Settings(database_url=url, log_level="error"), open_kept(url)))) as api:
        for number in range(PACTS):
            publish(api, f"Consumer {number}", "1", *build_pact(number))
    interactions = [interaction for content in contents for interaction in content.interactions.values()]
    return {
        "usage_term": len({term for interaction in interactions for term in interaction.expectations}),
        "usage_interaction": len(interactions),
        "usage_expectation": sum(len(interaction.expectations) for interaction in interactions),
        "usage_occurrence": len(interactions),
        "usage_content": PACTS,
    }


def ask(server: Server, **criteria: str) -> Any:
    return httpx.get(f"{server.address}/usage", params={"provider": PROVIDER, **criteria}, timeout=60).json()


def check_unused(server: Server) -> int:
    """Query a field that no pact has, and return the number of indexed contents."""
    answer = ask(server, field="nothing")
    indexed: int = answer["basis"]["indexedContents"]
    assert answer["verdict"] == ("unused" if indexed == PACTS else "unknown"), answer["summary"]
    return indexed


# `tests/api/test_usage_indexing.py` continues the work of a killed process, without a process.
@pytest.mark.slow
@pytest.mark.long_on_postgresql
def test_the_index_is_completed_after_sigkill(database_url: str) -> None:
    expected = fill(database_url)
    with closing(open_kept(database_url, connections=2)) as database:
        assert count_rows(database)["usage_content"] == 0
        server = start(database_url)
        try:
            eventually(lambda: check_unused(server) > 0)
        finally:
            server.kill()
        begun = count_rows(database)
        assert 0 < begun["usage_content"] < PACTS, "it was killed before or after it indexed"
        with running(database_url) as again:
            eventually(lambda: check_unused(again) == PACTS, lambda: json.dumps(count_rows(database)))
            assert count_rows(database) == expected
            assert ask(again, field="shared")["verdict"] == "used"
            assert ask(again, field="shared")["page"]["totalElements"] == PACTS
