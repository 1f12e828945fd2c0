"""`treaty report` on Bitbucket Cloud: a report of Code Insights, and a comment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.services import TOKEN, Service, answer, offer_pact, refuse, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.cli.conftest import OtherBroker, Run
    from tests.http_server import Answer, Request

    Report = Callable[..., Result]

HEAD = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
MARKER = "[//]: # (treaty-report: Shop)"


@pytest.fixture
def bitbucket() -> Iterator[Service]:
    yield from running(Service("bitbucket", prefix="/2.0"))


@pytest.fixture
def proxy() -> Iterator[Service]:
    """The proxy of Pipelines, which adds the credentials."""
    yield from running(Service("bitbucket", prefix="/2.0", token=None))


@pytest.fixture
def report(run: Run, broker: OtherBroker, bitbucket: Service, proxy: Service) -> Report:
    """Call the command as a pipeline of the pull request 5 does."""
    answer(broker, deployable=False)

    def call(*words: str, api: bool = True, **env: str) -> Result:
        variables = {
            "BITBUCKET_BUILD_NUMBER": "1",
            "BITBUCKET_REPO_FULL_NAME": "octo/shop",
            "BITBUCKET_PR_ID": "5",
            "BITBUCKET_COMMIT": HEAD,
        }
        question = ("report", "-a", "Shop", "-e", "1", "--to-environment", "production")
        address = ("--api-url", bitbucket.url + "/2.0") if api else ()
        return run(*question, "--bitbucket-proxy", proxy.url, *address, *words, **(variables | env))

    return call


def test_the_report_needs_no_token_in_pipelines(report: Report, bitbucket: Service, proxy: Service) -> None:
    result = report(api=False)
    assert result.exit_code == 0, result.output
    (document,) = proxy.writes("PUT .*reports")
    assert (document["result"], document["title"]) == ("FAILED", "Contracts of Shop")
    assert document["data"] == [{"type": "TEXT", "title": "production", "value": "no"}]
    assert "no token is given (BITBUCKET_TOKEN)" in result.stdout
    assert bitbucket.calls == []


def test_the_report_of_an_earlier_build_is_replaced_with_its_annotations(report: Report, proxy: Service) -> None:
    report(api=False)
    report(api=False)
    routes = [route.partition(" ")[0] for route, _ in proxy.calls]
    assert routes == ["DELETE", "PUT", "DELETE", "PUT"]


@pytest.mark.parametrize(("deployable", "result"), [(True, "PASSED"), (None, "FAILED")])
def test_an_answer_that_is_not_yes_never_passes(
    report: Report, proxy: Service, broker: OtherBroker, result: str, *, deployable: bool | None
) -> None:
    answer(broker, deployable=deployable)
    report(api=False)
    assert proxy.writes("PUT .*reports")[0]["result"] == result


def test_the_comment_is_created_once_and_updated(report: Report, bitbucket: Service, broker: OtherBroker) -> None:
    for number in range(120):
        bitbucket.add_comment(f"Comment {number}", {"uuid": "{somebody}"})
    assert report(BITBUCKET_TOKEN=TOKEN).exit_code == 0
    answer(broker, deployable=True)
    result = report(BITBUCKET_TOKEN=TOKEN)
    assert result.exit_code == 0, result.output
    (comment,) = [item for item in bitbucket.comments if bitbucket.text(item).startswith(MARKER)]
    assert "✅" in bitbucket.text(comment)
    assert len(bitbucket.writes("POST .*comments$")) == 1


def test_access_tokens_recognize_their_comment_without_reading_their_user(report: Report, bitbucket: Service) -> None:
    def intercept(route: str, _request: Request) -> Answer | None:
        return refuse(403, "Your credentials lack one or more required scopes") if route == "GET /user" else None

    bitbucket.intercept = intercept
    forged = bitbucket.add_comment(f"{MARKER}\n\nAll is good", {"uuid": "{somebody}", "type": "user"})
    own = bitbucket.add_comment(f"{MARKER}\n\nold", {"uuid": "{token}", "type": "app_user"})
    report(BITBUCKET_TOKEN=TOKEN)
    assert "All is good" in bitbucket.text(forged)
    assert "❌" in bitbucket.text(own)
    assert bitbucket.writes("POST .*comments$") == []


def test_a_deleted_comment_is_not_updated(report: Report, bitbucket: Service) -> None:
    bitbucket.add_comment(f"{MARKER}\n\nold", {})["deleted"] = True
    report(BITBUCKET_TOKEN=TOKEN)
    assert len(bitbucket.writes("POST .*comments$")) == 1


def test_a_newer_commit_keeps_its_comment(report: Report, bitbucket: Service, proxy: Service) -> None:
    result = report(BITBUCKET_TOKEN=TOKEN, BITBUCKET_COMMIT="a" * 40)
    assert "has a newer commit" in result.stdout
    assert bitbucket.comments == []
    assert len(proxy.writes("PUT .*reports")) == 1


def test_annotations_are_sent_in_batches_of_a_hundred(
    report: Report, proxy: Service, broker: OtherBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    offer_pact(broker, tmp_path / "shop-stock.json", count=230)
    result = report("shop-stock.json", api=False)
    assert result.exit_code == 0, result.output
    batches = proxy.writes("annotations")
    assert [len(batch) for batch in batches] == [100, 100, 30]
    first = batches[0][0]
    assert (first["path"], first["line"], first["severity"]) == ("shop-stock.json", 9, "HIGH")
    assert "Stock (7) fails this interaction: item 0" in first["details"]
    assert "status: expected 200" in first["details"]
