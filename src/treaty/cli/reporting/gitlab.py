"""Reports on GitLab: a note of the merge request, and a file for its code quality report."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from treaty.cli.output_files import write_file
from treaty.cli.reporting.changed_lines import read_git_diff
from treaty.cli.reporting.facts import Level, move_to_change
from treaty.cli.reporting.services import Comment, Outcome, deliver_comment, next_link

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.cli.reporting.facts import Annotation
    from treaty.cli.reporting.services import Delivery, ServiceClient

Json = Any

API_URL: Final = "https://gitlab.com/api/v4"
HINTS: Final = {
    401: "Give a project access token with the scope api as GITLAB_TOKEN. CI_JOB_TOKEN cannot write notes.",
    403: "The token needs the scope api, and the role Reporter or a higher one.",
    404: "Check --repository and --pull-request, and that the token may read the project.",
}
_PAGE_SIZE: Final = 100
_SEVERITIES: Final = {Level.FAILURE: "critical", Level.WARNING: "minor"}


@dataclass(frozen=True, kw_only=True, slots=True)
class GitlabTarget:
    """`project` is an id or a path, and `commit` is empty if it is not known."""

    project: str
    merge_request: str
    commit: str

    @property
    def path(self) -> str:
        return f"projects/{quote(self.project, safe='')}/merge_requests/{quote(self.merge_request, safe='')}"


def publish(client: ServiceClient, target: GitlabTarget, delivery: Delivery) -> Outcome:
    """Write the note."""
    if target.commit and not client.is_dry_run:
        head = str(client.get(target.path).get("sha") or "")
        if head != target.commit:
            text = f"The merge request has a newer commit than {target.commit}, so the note is left to its pipeline."
            return Outcome(lines=(text,))
    return deliver_comment(_Notes(client, target.path), delivery)


@dataclass(frozen=True, slots=True)
class _Notes:
    client: ServiceClient
    path: str

    def list_own(self) -> list[Comment]:
        user = self.client.get("user").get("id")
        path = f"{self.path}/notes?per_page={_PAGE_SIZE}&sort=asc&order_by=created_at"
        notes = self.client.list_pages(path, lambda body: body, next_link)
        return [_read_note(note) for note in notes if (note.get("author") or {}).get("id") == user]

    def create(self, body: str) -> Comment:
        return _read_note(self.client.send("POST", f"{self.path}/notes", {"body": body}).body)

    def update(self, comment: Comment, body: str) -> None:
        self.client.send("PUT", f"{self.path}/notes/{comment.id}", {"body": body})

    def delete(self, comment: Comment) -> None:
        self.client.send("DELETE", f"{self.path}/notes/{comment.id}")


def _read_note(note: Json) -> Comment:
    # Notes have no URL of their own in the API.
    return Comment(id=int(note.get("id") or 0), body=str(note.get("body") or ""), url="")


def write_code_quality(path: str, annotations: Sequence[Annotation]) -> None:
    """Write the file of the artifact `codequality`, with all annotations.

    GitLab compares it with that of the target branch, and shows the issues in changed lines beside the diff.
    """
    base = os.environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", "").strip()
    changed_lines = read_git_diff(base) if base else None
    if changed_lines is not None:
        annotations = [move_to_change(item, changed_lines) or item for item in annotations]
    write_file(Path(path), json.dumps(list(_list_issues(annotations)), indent=2) + "\n")


def _list_issues(annotations: Sequence[Annotation]) -> Iterator[Json]:
    for item in annotations:
        yield {
            "description": f"{item.title}: {item.message}",
            "check_name": "treaty",
            "fingerprint": item.fingerprint,
            "severity": _SEVERITIES[item.level],
            "location": {"path": item.path, "lines": {"begin": item.line}},
        }
