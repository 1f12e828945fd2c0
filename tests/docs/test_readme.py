"""The commands of the tour in the README print what it shows."""

import pytest

from tests.docs import tour
from tests.docs.tour import ADDRESS, Step, settled
from tests.whole.servers import running


@pytest.fixture(scope="module")
def announced_and_taken(tmp_path_factory) -> tuple[str, list[Step]]:
    folder = tmp_path_factory.mktemp("tour")
    start, *rest = tour.steps()
    assert start.commands == "./run serve\n"
    with running(f"sqlite:///{folder / 'treaty.sqlite'}", "--example-data", cwd=folder) as server:
        taken = tour.take([each.commands for each in rest], server.address, folder)
        return server.log.replace(server.address, ADDRESS), taken


def test_the_server_announces_itself_as_shown(announced_and_taken):
    announced, _ = announced_and_taken
    assert settled(announced) == settled(tour.steps()[0].printed or "")


@pytest.mark.parametrize("number", range(1, len(tour.steps())))
def test_a_step_prints_what_is_shown(announced_and_taken, number):
    shown, seen = tour.steps()[number], announced_and_taken[1][number - 1]
    assert settled(seen.printed) == settled(shown.printed or "")


def test_only_the_no_ends_badly(announced_and_taken):
    _, taken = announced_and_taken
    refused = [each for each in taken if each.status]
    assert [each.status for each in refused] == [1]
    assert refused[0].printed.startswith("Computer says no")
