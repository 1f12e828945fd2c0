"""`treaty report` on GitHub: one comment, a check with annotations, and the results without permissions."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cli.services import MARKER, TOKEN, Service, answer, offer_pact, refuse, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.cli.conftest import OtherBroker, Run
    from tests.http_server import Answer, Request

    Report = Callable[..., Result]

HEAD = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
COMMENTS = r"POST .*comments$"
BOT = {"login": "github-actions[bot]", "type": "Bot"}
NO_USER = "Resource not accessible by integration"


@pytest.fixture
def github() -> Iterator[Service]:
    yield from running(Service("github", prefix="/api/v3", intercept=hide_user))


def hide_user(route: str, _request: Request) -> Answer | None:
    """Refuse the requests that GitHub refuses for tokens of workflows and Apps."""
    return refuse(403, NO_USER) if route == "GET /user" else None


@pytest.fixture
def report(run: Run, broker: OtherBroker, github: Service, tmp_path: Path) -> Report:
    """Call the command as a workflow for the pull request 7 does."""
    answer(broker, deployable=True)

    def call(*words: str, head: str = HEAD, fork: bool = False, **env: str) -> Result:
        pull_request = {
            "number": 7,
            "head": {"sha": head, "repo": {"full_name": "other/shop" if fork else "octo/shop"}},
            "base": {"sha": "0" * 40, "repo": {"full_name": "octo/shop"}},
        }
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"pull_request": pull_request}))
        variables = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": github.url + "/api/v3",
            "GITHUB_REPOSITORY": "octo/shop",
            "GITHUB_EVENT_PATH": str(event),
            "GITHUB_REF": "refs/pull/7/merge",
            "GITHUB_SHA": "f" * 40,
            "GITHUB_TOKEN": TOKEN,
        }
        question = ("report", "-a", "Shop", "-e", "1", "--to-environment", "production")
        return run(*question, *words, **(variables | env))

    return call


def test_the_first_report_creates_a_comment_and_a_check(report: Report, github: Service, broker: OtherBroker) -> None:
    answer(broker, deployable=False)
    result = report()
    assert result.exit_code == 0, result.output
    (comment,) = github.comments
    assert comment["body"].startswith(MARKER)
    for text in ("❌", "Nothing has requested the verification", "Since 2024", "pact-verifier --provider Stock"):
        assert text in comment["body"]
    (check,) = github.writes("POST .*check-runs")
    assert check["head_sha"] == HEAD
    assert check["conclusion"] == "failure"
    assert check["details_url"].startswith(f"{broker.url}/matrix?")
    assert result.stdout.splitlines() == [
        "Shop (1) to production: no (causes: 1)",
        "Created the comment https://github.com/octocat/Hello-World/issues/1347#issuecomment-1",
        "Created the check Contracts of Shop (failure; annotations: 0) https://github.com/github/hello-world/runs/4",
    ]


def test_a_later_report_updates_the_comment_until_all_is_good(
    report: Report, github: Service, broker: OtherBroker
) -> None:
    answer(broker, deployable=False)
    report()
    answer(broker, deployable=True)
    assert "Updated the comment" in report().stdout
    report()
    (comment,) = github.comments
    assert "✅" in comment["body"]
    assert "❌" not in comment["body"]
    assert len(github.writes(COMMENTS)) == 1
    assert len(github.writes("PATCH .*comments")) == 1  # the third report has the same text
    assert [check["conclusion"] for check in github.writes("POST .*check-runs")] == ["failure", "success", "success"]


@pytest.mark.parametrize(
    ("deployable", "conclusion", "exit_code"),
    [(True, "success", 0), (False, "failure", 1), (None, "action_required", 1)],
)
def test_an_answer_that_is_not_yes_never_passes_a_required_check(
    report: Report, github: Service, broker: OtherBroker, conclusion: str, exit_code: int, *, deployable: bool | None
) -> None:
    answer(broker, deployable=deployable)
    assert report("--fail-unless-yes").exit_code == exit_code
    assert [check["conclusion"] for check in github.writes("POST .*check-runs")] == [conclusion]


def test_two_jobs_at_once_leave_one_comment(report: Report, github: Service) -> None:
    def other_job() -> None:
        github.add_comment(f"{MARKER}\n\nof the other job", BOT, at=5)

    github.after_create = other_job
    result = report()
    assert result.exit_code == 0, result.output
    (comment,) = github.comments
    assert comment["id"] == 5
    assert "✅" in comment["body"]


def test_a_comment_of_another_user_with_the_marker_is_not_changed(report: Report, github: Service) -> None:
    forged = f"{MARKER}\n\nAll is good."
    github.add_comment(forged, {"login": "mallory", "type": "User"})
    report()
    assert [comment["body"] == forged for comment in github.comments] == [True, False]


def test_the_comment_is_found_behind_hundreds_of_others(report: Report, github: Service) -> None:
    for number in range(230):
        github.add_comment(f"Comment {number}", {"login": "octocat", "type": "User"})
    github.add_comment(f"{MARKER}\n\nold", BOT)
    report()
    assert github.writes(COMMENTS) == []
    assert "✅" in github.comments[-1]["body"]


def test_applications_have_comments_of_their_own(report: Report, github: Service) -> None:
    report()
    report("--pacticipant", "Shop--> x")
    assert len(github.comments) == 2


def test_a_user_is_recognized_by_name(report: Report, github: Service) -> None:
    github.intercept = lambda _route, _request: None
    github.overrides["GET /user"] = {"login": "treaty"}
    github.add_comment(f"{MARKER}\n\nof a bot", BOT)
    own = github.add_comment(f"{MARKER}\n\nold", {"login": "treaty", "type": "User"})
    report()
    assert "✅" in own["body"]
    assert github.writes(COMMENTS) == []


def test_a_build_of_an_older_commit_leaves_the_comment_to_the_newer(report: Report, github: Service) -> None:
    result = report(head="a" * 40)
    assert github.comments == []
    assert "has a newer commit" in result.stdout
    assert [check["head_sha"] for check in github.writes("POST .*check-runs")] == ["a" * 40]


def test_only_problems_starts_no_comment_while_all_is_good(
    report: Report, github: Service, broker: OtherBroker
) -> None:
    report("--only-problems")
    assert github.comments == []
    answer(broker, deployable=False)
    report("--only-problems")
    answer(broker, deployable=True)
    report("--only-problems")
    (comment,) = github.comments
    assert "✅" in comment["body"]


@pytest.mark.parametrize("fork", [True, False])
def test_a_read_only_token_writes_the_summary_of_the_job(
    report: Report, github: Service, tmp_path: Path, *, fork: bool
) -> None:
    def read_only(route: str, request: Request) -> Answer | None:
        return hide_user(route, request) if request.method == "GET" else refuse(403, NO_USER)

    github.intercept = read_only
    summary = tmp_path / "summary.md"
    result = report(fork=fork, GITHUB_STEP_SUMMARY=str(summary))
    assert result.exit_code == 0, result.output
    assert MARKER in summary.read_text("utf-8")
    assert "permissions: {pull-requests: write, checks: write}" in result.stderr
    assert ("from forks" in result.stderr) is fork
    assert "The report is in the summary of this job instead." in result.stdout


@pytest.mark.parametrize("headers", [{"retry_after": "0"}, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": "1"}])
@pytest.mark.parametrize("status", [403, 429])
def test_a_short_rate_limit_is_waited_for(
    report: Report, github: Service, status: int, headers: dict[str, str]
) -> None:
    refused: list[str] = []

    def limit_once(route: str, request: Request) -> Answer | None:
        if request.method == "GET" or route in refused:
            return hide_user(route, request)
        refused.append(route)
        return refuse(status, "API rate limit exceeded", **headers)

    github.intercept = limit_once
    result = report("--retries", "3")
    assert result.exit_code == 0, result.output
    assert len(refused) == 2
    assert len(github.comments) == 1


def test_a_long_rate_limit_is_an_error_with_the_time(report: Report, github: Service) -> None:
    reset = str(int(time.time()) + 3600)
    github.intercept = lambda *_: refuse(
        403, "API rate limit exceeded", x_ratelimit_remaining="0", x_ratelimit_reset=reset
    )
    result = report("--retries", "3")
    assert result.exit_code == 2
    assert "GitHub limits requests, and would accept the next one in 60 minutes." in result.output
    assert "Run the command again then" in result.output


def test_the_token_stays_at_the_origin_of_the_api(report: Report, github: Service, broker: OtherBroker) -> None:
    def lead_away(route: str, request: Request) -> Answer | None:
        if route.startswith("GET") and route.endswith("comments"):
            answer = refuse(200, "", link=f'<{broker.url}/elsewhere>; rel="next"')
            return type(answer)(200, b"[]", answer.headers)
        return hide_user(route, request)

    github.intercept = lead_away
    result = report()
    assert result.exit_code == 2
    assert "It was not sent there." in result.output
    assert not any("/elsewhere" in line for line in broker.lines)
    assert not any(TOKEN in str(request.headers) for request in broker.requests)


def test_a_renamed_repository_is_followed_within_the_api(report: Report, github: Service) -> None:
    def renamed(route: str, request: Request) -> Answer | None:
        if "/octo/shop/" in request.path:
            return refuse(307, "", location=request.path.replace("octo/shop", "octo/store"))
        return hide_user(route, request)

    github.intercept = renamed
    result = report()
    assert result.exit_code == 0, result.output
    assert len(github.comments) == 1


def test_an_invalid_token_is_an_error_with_a_next_step(report: Report) -> None:
    result = report(GITHUB_TOKEN="another-token-0123456789")  # noqa: S106 - not a secret
    assert result.exit_code == 2
    assert "GitHub refused GET" in result.output
    assert "give another one as GITHUB_TOKEN" in result.output
    assert "another-token" not in result.output


def test_a_workflow_without_a_token_fails_with_the_expression_to_use(report: Report) -> None:
    result = report(GITHUB_TOKEN="")
    assert result.exit_code == 2
    assert "${{ github.token }}" in result.output


def test_without_an_answer_the_comment_no_longer_shows_an_earlier_yes(
    report: Report, github: Service, broker: OtherBroker
) -> None:
    report()
    broker.answers_by_path = {}
    result = report()
    assert result.exit_code == 2
    (comment,) = github.comments
    assert "✅" not in comment["body"]
    assert "No answer" in comment["body"]
    assert github.writes("POST .*check-runs")[-1]["conclusion"] == "action_required"


def test_something_else_than_a_decision_is_never_a_yes(report: Report, github: Service, broker: OtherBroker) -> None:
    for summary in ({}, {"deployable": "true"}, {"deployable": 1}):
        broker.answer_all("/matrix?", {"summary": summary, "matrix": []})
        report()
        assert github.writes("POST .*check-runs")[-1]["conclusion"] == "action_required"


def test_a_push_without_a_pull_request_has_a_check_and_no_comment(
    report: Report, github: Service, tmp_path: Path
) -> None:
    empty = tmp_path / "push.json"
    empty.write_text("{}")
    push = {"GITHUB_EVENT_PATH": str(empty), "GITHUB_REF": "refs/heads/next", "GITHUB_SHA": HEAD}
    result = report(**push)
    assert result.exit_code == 0, result.output
    assert github.comments == []
    assert [check["head_sha"] for check in github.writes("POST .*check-runs")] == [HEAD]


def test_the_build_of_a_push_finds_its_pull_request(report: Report, github: Service, tmp_path: Path) -> None:
    empty = tmp_path / "push.json"
    empty.write_text("{}")
    pull_request = github.exchanges[PULLS]["response"]
    github.lists["pulls"] += [pull_request | {"number": 6, "state": "closed"}, pull_request]
    push = {"GITHUB_EVENT_PATH": str(empty), "GITHUB_REF": "refs/heads/next", "GITHUB_SHA": HEAD}
    result = report(**push)
    assert result.exit_code == 0, result.output
    assert len(github.comments) == 1
    assert len(github.writes("POST .*check-runs")) == 1


def test_a_dry_run_prints_the_requests_and_sends_none(report: Report, github: Service) -> None:
    result = report("--dry-run")
    assert result.exit_code == 0, result.output
    assert f"POST {github.url}/api/v3/repos/octo/shop/issues/7/comments" in result.stdout
    assert f"POST {github.url}/api/v3/repos/octo/shop/check-runs" in result.stdout
    assert TOKEN not in result.output
    assert github.calls == []


def test_json_has_the_addresses_of_the_comment_and_the_check(report: Report) -> None:
    body = json.loads(report("--output", "json").stdout)
    assert body["verdict"] == "yes"
    assert body["comment"].endswith("#issuecomment-1")
    assert body["check"].endswith("/runs/4")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--repository", "octo/../../user"), "is not the name of a repository"),
        (("--pull-request", "7/files"), "is not a number"),
        (("--commit", "main"), "is not the hash of a commit"),
        (("--to", "bitbucket", "--repository", "octo/shop"), "The pull request is not known."),
        (("--branch", "main"), "Give either --version or --branch."),
        (("--to", "production"), "'github', 'gitlab', 'bitbucket', 'stdout'"),
    ],
)
def test_unusable_options_are_explained(report: Report, github: Service, words: tuple[str, ...], text: str) -> None:
    result = report(*words)
    assert result.exit_code == 2
    assert text in result.output
    assert github.calls == []


# Apps


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


APP_TOKEN = "ghs_installation-example"  # noqa: S105 - not a secret


def check_assertion(github: Service, key: rsa.RSAPrivateKey) -> None:
    """Require the App's assertion for tokens, and its token for everything else."""

    def intercept(route: str, request: Request) -> Answer | None:
        if "installation" not in route:
            github.token = APP_TOKEN
            return hide_user(route, request)
        assertion = request.headers["authorization"].removeprefix("Bearer ")
        github.token = assertion
        try:
            claims = jwt.decode(assertion, key.public_key(), algorithms=["RS256"], issuer="12345")
        except jwt.InvalidSignatureError:
            return refuse(401, "A JSON web token could not be decoded")
        return None if claims["exp"] - time.time() <= 600 else refuse(401, "'Expiration time' claim is too far away")

    github.intercept = intercept


@pytest.mark.parametrize("place", ["file", "variable", "escaped variable"])
def test_an_app_gets_a_token_for_the_repository_only(
    report: Report, github: Service, key: rsa.RSAPrivateKey, tmp_path: Path, place: str
) -> None:
    check_assertion(github, key)
    file = tmp_path / "app.pem"
    file.write_text(pem(key))
    text = pem(key).replace("\n", "\\n") if place == "escaped variable" else pem(key)
    words = ("--github-app-key", str(file)) if place == "file" else ()
    result = report("--github-app-id", "12345", *words, GITHUB_APP_PRIVATE_KEY="" if place == "file" else text)
    assert result.exit_code == 0, result.output
    assert github.writes("access_tokens") == [
        {"repositories": ["shop"], "permissions": {"checks": "write", "pull_requests": "write"}}
    ]
    assert len(github.comments) == 1
    assert APP_TOKEN not in result.output


def test_a_key_that_the_app_no_longer_has_is_explained(report: Report, github: Service, key: rsa.RSAPrivateKey) -> None:
    check_assertion(github, key)
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    result = report("--github-app-id", "12345", GITHUB_APP_PRIVATE_KEY=pem(other))
    assert result.exit_code == 2
    assert "A JSON web token could not be decoded" in result.output
    assert "it may have been deleted in the App's settings" in result.output


@pytest.mark.parametrize("text", ["no key", ""])
def test_an_unusable_key_is_explained_without_repeating_it(report: Report, text: str) -> None:
    result = report("--github-app-id", "12345", GITHUB_APP_PRIVATE_KEY=text)
    assert result.exit_code == 2
    assert ("cannot be read" if text else "needs the App's private key") in result.output
    assert "no key" not in result.output


# Annotations


@pytest.fixture
def pact(broker: OtherBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A pact file of 120 interactions, all of which fail."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacts").mkdir()
    offer_pact(broker, tmp_path / "pacts" / "shop-stock.json", count=120)
    return "pacts/shop-stock.json"


def change(github: Service, path: str, patch: str | None) -> None:
    github.lists["files"].append(github.exchanges[FILES]["response"] | {"filename": path, "patch": patch})


PULLS = "GET /repos/{owner}/{repo}/commits/{sha}/pulls"
FILES = "GET /repos/{owner}/{repo}/pulls/{number}/files"


def list_annotations(github: Service) -> list[list[Any]]:
    return [body["output"]["annotations"] for body in github.writes("check-runs")]


def test_annotations_are_sent_in_batches_of_fifty(report: Report, github: Service, pact: str) -> None:
    change(github, pact, "@@ -0,0 +1,2000 @@\n" + "\n".join(["+line"] * 2000))
    result = report(pact)
    assert result.exit_code == 0, result.output
    batches = list_annotations(github)
    assert [len(batch) for batch in batches] == [50, 50, 20]
    assert len({item["start_line"] for batch in batches for item in batch}) == 120
    assert batches[0][0] == {
        "path": pact,
        "start_line": 9,
        "end_line": 9,
        "annotation_level": "failure",
        "title": "Stock (7): verification failed",
        "message": "Stock (7) fails this interaction: item 0\n- status: expected 200",
    }


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ("@@ -19,0 +19,10 @@\n" + "\n".join(["+line"] * 10), [(19, "item 1")]),
        # The interaction begins in line 19; its status is in line 26.
        ("@@ -25,3 +25,3 @@\n     {\n-      a\n+      b\n     }", [(26, "item 1")]),
        ("@@ -20,4 +20,2 @@\n  a\n-  b\n-  c\n  d", [(20, "item 1")]),
        ("@@ -1 +1 @@\n-a\n+b\n@@ -5000 +5000 @@\n-a\n+b\n\\ No newline at end of file", []),
        (None, []),
    ],
)
def test_only_changed_interactions_are_annotated(
    report: Report, github: Service, pact: str, patch: str | None, expected: list[tuple[int, str]]
) -> None:
    for number in range(130):
        change(github, f"src/file{number}.py", None)
    change(github, pact, patch)
    report(pact)
    (annotations,) = list_annotations(github)
    messages = [(item["start_line"], item["message"].splitlines()[0].partition(": ")[2]) for item in annotations]
    assert messages == expected


def test_a_read_only_token_annotates_by_commands_to_the_runner(
    report: Report, github: Service, tmp_path: Path, pact: str
) -> None:
    change(github, pact, None)

    def read_only(route: str, request: Request) -> Answer | None:
        return hide_user(route, request) if request.method == "GET" else refuse(403, NO_USER)

    github.intercept = read_only
    result = report(pact, GITHUB_STEP_SUMMARY=str(tmp_path / "summary.md"))
    command = f"::error file={pact},line=9,title=Stock (7)%3A verification failed::Stock (7) fails this"
    assert any(line.startswith(command) for line in result.stdout.splitlines())
