"""The commands of the example pipelines and of the documentation work as they are written there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml

from tests.cli.services import answer

if TYPE_CHECKING:
    from tests.cli.conftest import OtherBroker, Run

ROOT: Final = Path(__file__).resolve().parents[2]
PIPELINES: Final = ROOT / "examples" / "pipeline"
COMMIT: Final = "6dcb09b5b57875f334f61aebed695e2e4193db5e"
GITHUB: Final = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "octo/shop", "GITHUB_REF": "refs/heads/next"}
BUILDS: Final = {
    "github": {**GITHUB, "GITHUB_SHA": COMMIT},
    "gitlab": {
        "GITLAB_CI": "true",
        "CI_PROJECT_ID": "1",
        "CI_PROJECT_PATH": "octo/shop",
        "CI_OPEN_MERGE_REQUESTS": "octo/shop!3",
        "CI_COMMIT_SHA": COMMIT,
    },
    "bitbucket": {
        "BITBUCKET_BUILD_NUMBER": "1",
        "BITBUCKET_REPO_FULL_NAME": "octo/shop",
        "BITBUCKET_PR_ID": "5",
        "BITBUCKET_COMMIT": COMMIT,
    },
}
"""The variables of a build on each service."""
SUBJECTS: Final = {"github": "check-runs", "gitlab": "merge_requests/3/notes", "bitbucket": "pullrequests/5/comments"}


def list_commands() -> list[tuple[str, str]]:
    """List the reports of the examples and of the documentation, with the service that each is for."""
    commands = []
    for service in ("github", "gitlab"):
        for file in sorted((PIPELINES / service).iterdir()):
            commands += [(service, command) for command in _find_commands(yaml.safe_load(file.read_text("utf-8")))]
    text = (ROOT / "docs" / "pull-requests.md").read_text("utf-8")
    sections = dict(
        re.findall(r"^## (GitHub|GitLab|Bitbucket) ?[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    )
    for name, section in sections.items():
        for block in re.findall(r"^```yaml\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
            commands += [(name.lower(), command) for command in _find_commands(yaml.safe_load(block))]
    return commands


def _find_commands(document: Any) -> list[str]:
    match document:
        case str():
            return [document] if document.startswith("treaty report") else []
        case dict():
            return [command for value in document.values() for command in _find_commands(value)]
        case list():
            return [command for value in document for command in _find_commands(value)]
    return []


COMMANDS: Final = list_commands()


def test_all_services_have_a_pipeline() -> None:
    assert {service for service, _ in COMMANDS} == {"github", "gitlab", "bitbucket"}
    assert len(COMMANDS) == 8


@pytest.mark.parametrize(("service", "command"), COMMANDS, ids=range(len(COMMANDS)))
def test_reports_of_pipelines_are_written(
    run: Run, broker: OtherBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer(broker, deployable=True)
    variables = BUILDS[service] | {"VERSION": COMMIT, "PACTICIPANT": "Shop"}
    words = [re.sub(r"\$(\w+)", lambda name: variables[name[1]], word) for word in shlex.split(command)[1:]]
    result = run(*words, "--dry-run", **variables)
    assert result.exit_code == 0, result.output
    assert re.search(rf"^(POST|PUT) https://\S+{SUBJECTS[service]}$", result.stdout, re.MULTILINE)
