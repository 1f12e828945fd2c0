"""Two nodes behind nginx, on PostgreSQL with a standby, lose no acknowledged write while processes are killed."""

import pytest

from bench import chaos, cluster
from tests import postgres
from tests.absence import unavailable
from tests.whole import proxies


@pytest.mark.slow  # starts six programs, and waits until they have recovered
def test_two_nodes_lose_nothing_and_give_no_wrong_answer_while_parts_are_killed():
    try:
        run = chaos.run(teams=2, pause=0.1, seconds=2, is_short=True)
    except (cluster.MissingProgram, postgres.Unavailable, proxies.Unavailable) as absence:
        unavailable(str(absence))
    assert run.problems == []
    assert run.ledger.expected_deliveries
    assert len(run.report) == 3
