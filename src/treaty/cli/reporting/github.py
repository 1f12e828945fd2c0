"""Reports on GitHub: a comment of the pull request, and a check run with annotations."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from treaty.cli.reporting import markdown
from treaty.cli.reporting.changed_lines import read_patch
from treaty.cli.reporting.facts import Level, Verdict, select_changed
from treaty.cli.reporting.services import (
    Comment,
    Outcome,
    ServiceError,
    deliver_comment,
    next_link,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.cli.reporting.facts import Annotation, Report
    from treaty.cli.reporting.services import Delivery, ServiceClient

Json = Any

API_URL: Final = "https://api.github.com"
HEADERS: Final = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28"}
HINTS: Final = {
    401: "The token is not valid any more: give another one as GITHUB_TOKEN.",
    403: "The workflow needs `permissions: {pull-requests: write, checks: write}`, and an App the same permissions.",
    404: "Check --repository and --pull-request, and that the token may read the repository.",
    410: "Pull requests or comments are disabled in this repository.",
    422: "GitHub does not accept the values: is the commit in this repository?",
}
_PAGE_SIZE: Final = 100
_MAX_ANNOTATIONS: Final = 50
"""Annotations that GitHub accepts in a request."""
_CONCLUSIONS: Final = {
    Verdict.YES: "success",
    Verdict.NO: "failure",
    # A neutral check would pass where the check is required.
    Verdict.UNKNOWN: "action_required",
}
_LEVELS: Final = {Level.FAILURE: "error", Level.WARNING: "warning"}
_MAX_MESSAGE: Final = 60_000
"""Bytes; GitHub accepts 64 KiB."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GithubTarget:
    """Where to write. One of `commit` and `pull_request` may be empty, if only GitHub knows it."""

    repository: str
    pull_request: str
    commit: str


def publish(client: ServiceClient, target: GithubTarget, delivery: Delivery) -> Outcome:
    """Write the comment and the check. What the token may not write is left out, and named in the outcome."""
    if not target.pull_request:
        target = replace(target, pull_request=_find_pull_request(client, target))
    head = _fetch_head(client, target) if target.pull_request else ""
    commit = target.commit or head
    if not target.pull_request:
        text = f"There is no open pull request with the commit {commit}, so there is a check, but no comment."
        comment = Outcome(lines=(text,))
    elif commit != head and not client.is_dry_run:
        text = f"The pull request has a newer commit than {commit}, so the comment is left to the build of that commit."
        comment = Outcome(lines=(text,))
    else:
        comments = _Comments(client, f"repos/{target.repository}/issues", target.pull_request)
        comment = deliver_comment(comments, delivery)
    return comment + _deliver_check(client, target, commit, delivery.report)


def _find_pull_request(client: ServiceClient, target: GithubTarget) -> str:
    """Return the number of the open pull request that ends with the commit, or an empty text."""
    path = f"repos/{target.repository}/commits/{target.commit}/pulls?per_page={_PAGE_SIZE}"
    for item in client.list_pages(path, lambda body: body, next_link):
        if item.get("state") == "open" and (item.get("head") or {}).get("sha") == target.commit:
            return str(item["number"])
    return ""


def _fetch_head(client: ServiceClient, target: GithubTarget) -> str:
    body = client.get(f"repos/{target.repository}/pulls/{target.pull_request}")
    return str((body.get("head") or {}).get("sha") or "")


def _deliver_check(client: ServiceClient, target: GithubTarget, commit: str, report: Report) -> Outcome:
    try:
        annotations = select_changed(report.annotations, _fetch_changed_lines(client, target, report))
        url = _create_check(client, target, commit, report, annotations)
    except ServiceError as error:
        if not error.is_denied:
            raise
        return Outcome(denied=(error,))
    conclusion = _CONCLUSIONS[report.verdict].replace("_", " ")
    line = f"Created the check {_name(report)} ({conclusion}; annotations: {len(annotations)}) {url}"
    return Outcome(lines=(line.rstrip(),), check_url=url)


# Comments


@dataclass(frozen=True, slots=True)
class _Comments:
    """The comments of a pull request, which are those of an issue in GitHub's API."""

    client: ServiceClient
    path: str
    number: str

    def list_own(self) -> list[Comment]:
        path = f"{self.path}/{self.number}/comments?per_page={_PAGE_SIZE}"
        login = _find_login(self.client)
        return [
            _read_comment(item)
            for item in self.client.list_pages(path, lambda body: body, next_link)
            if _is_own(item.get("user") or {}, login)
        ]

    def create(self, body: str) -> Comment:
        reply = self.client.send("POST", f"{self.path}/{self.number}/comments", {"body": body})
        return _read_comment(reply.body)

    def update(self, comment: Comment, body: str) -> None:
        self.client.send("PATCH", f"{self.path}/comments/{comment.id}", {"body": body})

    def delete(self, comment: Comment) -> None:
        self.client.send("DELETE", f"{self.path}/comments/{comment.id}")


def _find_login(client: ServiceClient) -> str | None:
    """Return the name of the token's user; None for tokens of workflows and Apps, which have none."""
    try:
        return str(client.get("user").get("login") or "") or None
    except ServiceError as error:
        if error.is_denied:
            return None
        raise


def _is_own(user: Json, login: str | None) -> bool:
    # People cannot write comments as a bot.
    return bool(user.get("login") == login if login else user.get("type") == "Bot")


def _read_comment(item: Json) -> Comment:
    return Comment(id=int(item.get("id") or 0), body=str(item.get("body") or ""), url=str(item.get("html_url") or ""))


# Checks


def _fetch_changed_lines(
    client: ServiceClient, target: GithubTarget, report: Report
) -> Mapping[str, frozenset[int]] | None:
    """Fetch the changed lines; None without annotations, or without a pull request."""
    if not report.annotations or not target.pull_request or client.is_dry_run:
        return None
    path = f"repos/{target.repository}/pulls/{target.pull_request}/files?per_page={_PAGE_SIZE}"
    files = client.list_pages(path, lambda body: body, next_link)
    # GitHub leaves out the patch of large files.
    return {str(item.get("filename")): read_patch(str(item.get("patch") or "")) for item in files}


def _name(report: Report) -> str:
    return f"Contracts of {report.pacticipant}"


def _create_check(
    client: ServiceClient, target: GithubTarget, commit: str, report: Report, annotations: Sequence[Annotation]
) -> str:
    """Create a completed check run, add the annotations in batches, and return its URL."""
    # Annotations are only ever added to a check run, so an earlier one of the commit is replaced by a new one.
    first, *others = _split(annotations)
    path = f"repos/{target.repository}/check-runs"
    output = {
        "title": markdown.describe_verdict(report),
        "summary": markdown.render_summary(report, markdown.GITHUB),
    }
    body = {
        "name": _name(report),
        "head_sha": commit,
        "status": "completed",
        "conclusion": _CONCLUSIONS[report.verdict],
        "output": output | {"annotations": first},
        **({"details_url": report.url} if report.url else {}),
    }
    check = client.send("POST", path, body).body
    for batch in others:
        client.send("PATCH", f"{path}/{check.get('id', 'ID')}", {"output": output | {"annotations": batch}})
    return str(check.get("html_url") or "")


def _split(annotations: Sequence[Annotation]) -> list[list[Json]]:
    documents = [_annotate(item) for item in annotations]
    return [documents[start : start + _MAX_ANNOTATIONS] for start in range(0, max(len(documents), 1), _MAX_ANNOTATIONS)]


def _annotate(annotation: Annotation) -> Json:
    return {
        "path": annotation.path,
        "start_line": annotation.line,
        "end_line": annotation.line,
        "annotation_level": annotation.level.value,
        "title": annotation.title[:255],
        "message": annotation.message.encode()[:_MAX_MESSAGE].decode(errors="ignore"),
    }


# Without permissions


def write_fallback(comment: str) -> str | None:
    """Add a comment to the summary of the job, and return its path; None outside of a workflow."""
    path = os.environ.get("GITHUB_STEP_SUMMARY", "").strip()
    if not path:
        return None
    with Path(path).open("a", encoding="utf-8") as stream:
        stream.write(f"\n{comment}\n")
    return path


def list_workflow_commands(report: Report) -> Iterator[str]:
    """Yield commands to the runner that annotate lines without any permission."""
    for item in report.annotations:
        title = _escape(item.title).replace(":", "%3A").replace(",", "%2C")
        path = _escape(item.path).replace(":", "%3A").replace(",", "%2C")
        yield f"::{_LEVELS[item.level]} file={path},line={item.line},title={title}::{_escape(item.message)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
