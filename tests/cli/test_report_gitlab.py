"""`treaty report` on GitLab: one note, and the code quality report."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.services import MARKER, TOKEN, Service, answer, running

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from click.testing import Result

    from tests.cli.conftest import OtherBroker, Run

    Report = Callable[..., Result]

HEAD = "e82eb4a098e32c796079ca3915e07487fc4db24c"
NOTES = r"POST .*notes$"


@pytest.fixture
def gitlab() -> Iterator[Service]:
    yield from running(Service("gitlab", prefix="/api/v4"))


@pytest.fixture
def report(run: Run, broker: OtherBroker, gitlab: Service) -> Report:
    """Call the command as a pipeline of the merge request 133 does."""
    answer(broker, deployable=False)

    def call(*words: str, **env: str) -> Result:
        variables = {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": gitlab.url + "/api/v4",
            "CI_PROJECT_ID": "999",
            "CI_PROJECT_PATH": "octo/shop",
            "CI_MERGE_REQUEST_PROJECT_ID": "15513260",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "15513260",
            "CI_MERGE_REQUEST_IID": "133",
            "CI_COMMIT_SHA": HEAD,
            "GITLAB_TOKEN": TOKEN,
        }
        question = ("report", "-a", "Shop", "-e", "1", "--to-environment", "production")
        return run(*question, *words, **(variables | env))

    return call


def test_the_note_is_created_once_and_updated(report: Report, gitlab: Service, broker: OtherBroker) -> None:
    assert report().exit_code == 0
    answer(broker, deployable=True)
    assert "Updated the comment" in report().stdout
    (note,) = gitlab.comments
    assert note["body"].startswith(MARKER)
    assert "✅" in note["body"]
    assert len(gitlab.writes(NOTES)) == 1


def test_notes_of_others_are_left_alone_and_own_duplicates_removed(report: Report, gitlab: Service) -> None:
    for number in range(150):
        gitlab.add_comment(f"{MARKER}\n\nforged {number}", {"id": 5})
    own = [gitlab.add_comment(f"{MARKER}\n\nold", {"id": 1}) for _ in range(2)]
    report()
    assert len(gitlab.comments) == 151
    assert "❌" in own[0]["body"]
    assert gitlab.writes(NOTES) == []


def test_a_pipeline_of_a_branch_finds_its_merge_request(report: Report, gitlab: Service) -> None:
    names = ("CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    blank = dict.fromkeys(names, "")
    result = report(**blank)
    assert "This pipeline is not of a merge request" in result.stdout
    result = report(**blank, CI_OPEN_MERGE_REQUESTS="other/fork!3,octo/shop!133")
    assert result.exit_code == 0, result.output
    assert len(gitlab.comments) == 1


def test_a_newer_commit_keeps_its_note(report: Report, gitlab: Service) -> None:
    result = report(CI_COMMIT_SHA="a" * 40)
    assert "has a newer commit" in result.stdout
    assert gitlab.comments == []


@pytest.mark.parametrize("token", ["", "job-token-0123456789"])
def test_without_a_usable_token_the_next_step_is_named(report: Report, token: str) -> None:
    result = report(GITLAB_TOKEN=token)
    assert result.exit_code == 2
    assert "CI_JOB_TOKEN cannot write notes." in result.output


def test_the_pipeline_of_a_fork_prints_the_report(report: Report, gitlab: Service) -> None:
    result = report(GITLAB_TOKEN="", CI_MERGE_REQUEST_SOURCE_PROJECT_ID="42")
    assert result.exit_code == 0, result.output
    assert MARKER in result.stdout
    assert "from forks" in result.stderr
    assert gitlab.comments == []


def test_the_code_quality_report_is_written_even_if_it_is_empty(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "gl-code-quality-report.json"
    report("--code-quality", str(file))
    assert json.loads(file.read_text("utf-8")) == []
