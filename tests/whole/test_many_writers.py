"""Twenty concurrent clients publish the first versions of the same pacticipant, at two server processes."""

from contextlib import ExitStack

import httpx

from tests.whole import writers
from tests.whole.servers import running

CLIENTS, EACH = 20, 5


def test_all_publications_are_accepted_and_stored(database_url, tmp_path):
    with ExitStack() as stack:
        addresses = [stack.enter_context(running(database_url, cwd=tmp_path)).address for _ in range(2)]
        shares = [
            (addresses[client % 2], [f"{client}.{number}" for number in range(EACH)]) for client in range(CLIENTS)
        ]
        outcomes = writers.publish_concurrently(shares, "Shop", "Prices", until=lambda _: False)
        assert (outcomes.rejected, outcomes.interrupted) == ([], [])
        sent = sorted(version for _, versions in shares for version in versions)
        assert sorted(outcomes.acknowledged) == sent
        every = httpx.get(f"{addresses[0]}/pacticipants").json()["_embedded"]["pacticipants"]
        assert [pacticipant["name"] for pacticipant in every] == ["Prices", "Shop"]
        listed = httpx.get(f"{addresses[1]}/pacticipants/Shop/versions").json()["_embedded"]["versions"]
        assert sorted(version["number"] for version in listed) == sent
        heads = [version["number"] for version in listed if version["_embedded"]["branchVersions"][0]["latest"]]
        assert heads == [listed[0]["number"]]
        for version in sent:
            assert writers.stored(addresses[0], "Shop", "Prices", version) == f"/{version}"


def test_two_servers_start_at_once_on_an_empty_database(empty_database_url, tmp_path):
    with ExitStack() as stack:
        servers = [stack.enter_context(running(empty_database_url, cwd=tmp_path)) for _ in range(2)]
        for server in servers:
            assert httpx.get(f"{server.address}/diagnostic/status/heartbeat").json()["ok"] is True
