"""All routes and commands that answer a question return the same, expected answer."""

from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.api.client import Api
from tests.api.decision_histories import (
    BRANCHES,
    ENVIRONMENT,
    HAPPENINGS,
    MANY,
    NAME,
    NUMBER,
    PUBLISHED,
    TAG,
    VERIFIED,
    ForgetfulBroker,
    Story,
)
from tests.api.history import q
from tests.histories import history_settings
from tests.oracle.matrix_oracle import World, expected
from tests.scale import choose
from treaty.cli import PACT_BROKER, TREATY

Verdicts = dict[str, bool | None]
HTML = "text/html,application/xhtml+xml"
LATEST_BY = ("cvpv", "cvp", "cp")
EXAMPLES = choose(4, slow=8, long=100)


@pytest.fixture
def url(forgetful_broker: ForgetfulBroker) -> Iterator[str]:
    """The URL at which the application of this process is served to the command line."""
    api = forgetful_broker.api

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = api.get(self.path, accept=self.headers["Accept"])
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
            """Log nothing, because requests are not failures."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def matrix_doors(api: Api, selector: Mapping[str, str], destination: Mapping[str, str]) -> Verdicts:
    """The verdicts of the matrix, as JSON and as a page, whatever chooses and cuts the rows that it shows."""
    pairs = [*((f"q[][{key}]", value) for key, value in selector.items()), *destination.items()]
    verdicts: Verdicts = {}
    for more in ({"latestby": by} | cut for by in LATEST_BY for cut in ({}, {"limit": "1"}, {"success[]": "true"})):
        path = "/matrix?" + urlencode([*pairs, *more.items()])
        answer = api.get(path).json()
        verdicts[path] = answer["summary"]["deployable"]
        assert len(answer["matrix"]) == answer["rows"]["shown"] <= answer["rows"]["total"]
    for more in ({}, {"limit": "1"}, {"latestby": "cp"}, {"latestby": "cvp", "limit": "2"}):
        path = "/matrix?" + urlencode([*pairs, *more.items()])
        verdicts[f"page {path}"] = on_page(api, path)
    return verdicts


def on_page(api: Api, path: str) -> bool | None:
    answer = api.get(path, accept=HTML)
    assert answer.status == 200, answer.text
    words = {"Yes": True, "No": False, "Not yet": None}
    (verdict,) = [word for word in words if f"<strong>{word}</strong></p>" in answer.text]
    return words[verdict]


def says_that_there_is_no_version(api: Api, path: str, version: str) -> None:
    """A page decides about no version that does not exist: a misspelt number is more likely than a new one."""
    text = api.get(path, accept=HTML).text
    assert f"No version {version}" in text
    assert "</strong></p>" not in text


def in_text(api: Api, path: str) -> bool | None:
    (line,) = [line for line in api.get(path, accept="text/plain").text.splitlines() if line.startswith("Deployable: ")]
    return {"true": True, "false": False, "nil": None}[line.removeprefix("Deployable: ")]


def says_yes_on_badge(api: Api, path: str) -> bool:
    answer = api.get(path, accept="image/svg+xml")
    assert answer.status == 307, answer.text
    return "-brightgreen.svg" in answer.headers["location"]


def says_yes_on_command_line(url: str, *args: str) -> Iterator[tuple[str, bool]]:
    for name, program in (("pact-broker", PACT_BROKER), ("treaty", TREATY)):
        result = CliRunner().invoke(program, [*args, "-b", url], catch_exceptions=False)
        assert result.exit_code in {0, 1}, result.output
        assert ("Computer says yes" in result.output) is (result.exit_code == 0)
        yield f"{name} {' '.join(args)}", result.exit_code == 0


def check(answer: bool | None, verdicts: Verdicts, yes: Mapping[str, bool]) -> None:  # noqa: FBT001 - the compared value
    assert {door: verdict for door, verdict in verdicts.items() if verdict is not answer} == {}
    assert {door: verdict for door, verdict in yes.items() if verdict is not (answer is True)} == {}


def ask_about_environment(story: Story, url: str, name: str, version: str, environment: str) -> None:
    api, selector = story.api, {"pacticipant": name, "version": version}
    verdicts = matrix_doors(api, selector, {"environment": environment})
    path = "/can-i-deploy?" + urlencode({**selector, "environment": environment})
    verdicts |= {path: api.get(path).json()["summary"]["deployable"], f"text {path}": in_text(api, path)}
    page = f"/pacticipants/{name}?" + urlencode({"version": version, "to": environment})
    if (name, version) in story.world.versions:
        verdicts[page] = on_page(api, page)
    elif any(who == name for who, _ in story.world.versions):  # else its page has nothing to ask about
        says_that_there_is_no_version(api, page, version)
    yes = dict(
        says_yes_on_command_line(url, "can-i-deploy", "-a", name, "-e", version, "--to-environment", environment)
    )
    for branch in BRANCHES:
        if story.world.heads.get((name, branch)) == version:
            way = f"/pacticipants/{name}/branches/{q(branch)}/latest-version/can-i-deploy/to-environment/{environment}"
            verdicts[way] = api.get(way).json()["summary"]["deployable"]
            yes[f"{way}/badge"] = says_yes_on_badge(api, f"{way}/badge")
            args = ("can-i-deploy", "-a", name, "--branch", branch, "--to-environment", environment)
            yes |= dict(says_yes_on_command_line(url, *args))
    question = {"selectors": [selector], "environment": environment, "latestby": "cvpv"}
    check(expected(story.world, question).deployable, verdicts, yes)


def ask_about_tag(story: Story, url: str, name: str, version: str, to: str) -> None:
    api, selector = story.api, {"pacticipant": name, "version": version}
    verdicts = matrix_doors(api, selector, {"latest": "true", "tag": to})
    path = "/can-i-deploy?" + urlencode({**selector, "to": to})
    verdicts |= {path: api.get(path).json()["summary"]["deployable"], f"text {path}": in_text(api, path)}
    yes = dict(says_yes_on_command_line(url, "can-i-deploy", "-a", name, "-e", version, "--to", to))
    for tag in newest_tags(story.world, name, version):
        way = f"/pacticipants/{name}/latest-version/{tag}/can-i-deploy/to/{to}"
        verdicts[way] = api.get(way).json()["summary"]["deployable"]
        yes[f"{way}/badge"] = says_yes_on_badge(api, f"{way}/badge")
    question = {"selectors": [selector], "tag": to, "latest": True, "latestby": "cvpv"}
    check(expected(story.world, question).deployable, verdicts, yes)


def newest_tags(world: World, name: str, version: str) -> list[str]:
    """The tags of which a version is the newest."""
    tags = {tag for who, _, tag in world.tags if who == name}
    return [
        tag
        for tag in tags
        if world.newest(name, [version for who, version, it in world.tags if (who, it) == (name, tag)]) == version
    ]


def ask_about_merging(story: Story, url: str, name: str, version: str) -> None:
    api, selector = story.api, {"pacticipant": name, "version": version}
    verdicts = matrix_doors(api, selector, {"latest": "true", "mainBranch": "true"})
    yes = dict(says_yes_on_command_line(url, "can-i-merge", "-a", name, "-e", version))
    if version == story.world.heads.get((name, story.world.main_branches.get(name, ""))):
        badge = f"/pacticipants/{name}/main-branch/can-i-merge/badge"
        yes[badge] = says_yes_on_badge(api, badge)
    question = {"selectors": [selector], "mainBranch": True, "latest": True, "latestby": "cvpv"}
    check(expected(story.world, question).deployable, verdicts, yes)


@pytest.mark.long_on_postgresql  # the matrix, which decides, runs random histories on both databases
@history_settings(EXAMPLES)
@given(
    first=st.tuples(st.lists(PUBLISHED, min_size=2, max_size=6), st.lists(VERIFIED, min_size=1, max_size=6)),
    more=st.lists(HAPPENINGS, max_size=16),
    many=st.one_of(*[st.just([])] * 4, st.lists(MANY, min_size=1, max_size=1)),
    asked=st.tuples(NAME, NUMBER, ENVIRONMENT, TAG),
)
def test_every_way_of_asking_gives_the_right_answer(
    forgetful_broker: ForgetfulBroker,
    url: str,
    first: tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]],
    more: list[tuple[Any, ...]],
    many: list[tuple[Any, ...]],
    asked: tuple[str, str, str, str],
) -> None:
    story = Story(forgetful_broker)
    for happening in (*first[0], *first[1], *many, *more):
        story.tell(happening)
    name, version, environment, tag = asked
    ask_about_environment(story, url, name, version, environment)
    ask_about_tag(story, url, name, version, tag)
    ask_about_merging(story, url, name, version)
