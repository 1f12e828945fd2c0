"""The README is short, and the commands of its tour print the output that it shows."""

import pytest

from tests.docs import readme, tour
from tests.docs.tour import ADDRESS, Step, is_shown, settled
from tests.whole.servers import running


@pytest.fixture(scope="module")
def announced_and_taken(tmp_path_factory) -> tuple[str, list[Step]]:
    folder = tmp_path_factory.mktemp("tour")
    with running(f"sqlite:///{folder / 'treaty.sqlite'}", "--example-data", cwd=folder) as server:
        announced = server.log
        taken = tour.take([each.commands for each in tour.steps()], server.address, folder)
        return announced.replace(server.address, ADDRESS).replace(str(folder), "/srv"), taken


def test_the_first_screens_are_short():
    assert readme.count_words() <= readme.MAX_WORDS


def test_the_server_announces_its_address_first_and_the_link_for_the_first_user_last(announced_and_taken):
    announced, _ = announced_and_taken
    *lines, link = announced.splitlines()
    publish = "pact-broker publish ./pacts --consumer-app-version 1 --branch main"
    assert lines == [
        f"Treaty is at {ADDRESS}",
        "  Its data is in /srv/treaty.sqlite",
        f"  Publish a pact: {publish} --broker-base-url {ADDRESS}",
        "  Until there is a user, everyone on this machine may read and write.",
    ]
    text = "  Create the first user, an administrator (the link works once, within 24 hours): "
    assert link.startswith(f"{text}{ADDRESS}/setup#")


@pytest.mark.parametrize("number", range(len(tour.steps())))
def test_a_step_prints_the_output_of_the_readme(announced_and_taken, number):
    shown, outcome = tour.steps()[number], announced_and_taken[1][number]
    assert shown.printed is None or is_shown(shown.printed, outcome.printed), settled(outcome.printed)


def test_the_first_answers_are_no_and_everything_else_succeeds(announced_and_taken):
    _, taken = announced_and_taken
    refused = [each for each in taken if each.status]
    assert [each.status for each in refused] == [1, 1]
    assert all(each.printed.startswith("Computer says no") for each in refused)
    assert "Orders (e03d7f8): This version fails the pact of Web Shop (8e2f4a1)" in refused[0].printed
    assert "Computer says yes" in taken[-1].printed


@pytest.mark.parametrize(
    ("shown", "printed", "is_equal"),
    [
        ("one\ntwo\n", "one\ntwo\n", True),
        ("one\n", "one\ntwo\n", False),
        ("one\n\N{HORIZONTAL ELLIPSIS}\n", "one\ntwo\nthree\n", True),
        ("\N{HORIZONTAL ELLIPSIS}\nthree\n", "one\ntwo\nthree\n", True),
        ("one\n\N{HORIZONTAL ELLIPSIS}\nthree\n", "one\ntwo\nthree\n", True),
        ("one\n\N{HORIZONTAL ELLIPSIS}\nfour\n", "one\ntwo\nthree\n", False),
    ],
)
def test_an_ellipsis_matches_omitted_lines(shown, printed, is_equal):
    assert is_shown(shown, printed) is is_equal
