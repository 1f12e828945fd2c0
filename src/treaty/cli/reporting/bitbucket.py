"""Reports on Bitbucket Cloud: a report of Code Insights with annotations, and a comment of the pull request."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from treaty.cli.reporting import markdown
from treaty.cli.reporting.changed_lines import read_git_diff
from treaty.cli.reporting.facts import Level, Verdict, select_changed
from treaty.cli.reporting.services import Comment, Outcome, Reply, ServiceError, deliver_comment

if TYPE_CHECKING:
    from treaty.cli.reporting.facts import Annotation, Report
    from treaty.cli.reporting.services import Delivery, ServiceClient

Json = Any

API_URL: Final = "https://api.bitbucket.org/2.0"
PIPELINES_URL: Final = "http://api.bitbucket.org/2.0"
"""The address behind the proxy of Pipelines, which adds the credentials and encrypts the requests."""
PIPELINES_PROXY: Final = "http://localhost:29418"
HINTS: Final = {
    401: "Give a repository access token with the scopes pullrequest:write and repository:write as BITBUCKET_TOKEN.",
    403: "The token needs the scopes pullrequest:write and repository:write.",
    404: "Check --repository and --pull-request, and that the token may read the repository.",
}
_PAGE_SIZE: Final = 100
_BATCH: Final = 100
"""Annotations that Bitbucket accepts in a request."""
_MAX_ANNOTATIONS: Final = 1000
_MAX_SUMMARY: Final = 450
_MAX_DETAILS: Final = 2000
_SEVERITIES: Final = {Level.FAILURE: "HIGH", Level.WARNING: "MEDIUM"}


@dataclass(frozen=True, kw_only=True, slots=True)
class BitbucketTarget:
    """`repository` is WORKSPACE/REPOSITORY; `commit` may be empty, and then there is no report."""

    repository: str
    pull_request: str
    commit: str

    @property
    def path(self) -> str:
        return f"repositories/{'/'.join(quote(part, safe='') for part in self.repository.split('/'))}"


def publish(
    insights: ServiceClient | None, comments: ServiceClient | None, target: BitbucketTarget, delivery: Delivery
) -> Outcome:
    """Write the comment and the report, each if there is a client for it."""
    outcome = Outcome()
    if target.pull_request and comments is not None:
        outcome += _deliver_comment(comments, target, delivery)
    elif target.pull_request:
        text = "There is no comment, but only a report, because no token is given (BITBUCKET_TOKEN)."
        outcome += Outcome(lines=(text,))
    if target.commit and insights is not None:
        outcome += _deliver_insights(insights, target, delivery.report)
    return outcome


def _deliver_comment(client: ServiceClient, target: BitbucketTarget, delivery: Delivery) -> Outcome:
    path = f"{target.path}/pullrequests/{quote(target.pull_request, safe='')}"
    if target.commit and not client.is_dry_run:
        source = client.get(path).get("source") or {}
        head = str((source.get("commit") or {}).get("hash") or "")
        # Bitbucket shortens the hash.
        if head and not target.commit.startswith(head):
            text = f"The pull request has a newer commit than {target.commit}, so the comment is left to its build."
            return Outcome(lines=(text,))
    return deliver_comment(_Comments(client, path), delivery)


@dataclass(frozen=True, slots=True)
class _Comments:
    client: ServiceClient
    path: str

    def list_own(self) -> list[Comment]:
        uuid = _find_user(self.client)
        path = f"{self.path}/comments?pagelen={_PAGE_SIZE}&sort=created_on"
        items = self.client.list_pages(path, lambda body: body.get("values"), _next_page)
        return [_read_comment(item) for item in items if not item.get("deleted") and _is_own(item, uuid)]

    def create(self, body: str) -> Comment:
        return _read_comment(self.client.send("POST", f"{self.path}/comments", {"content": {"raw": body}}).body)

    def update(self, comment: Comment, body: str) -> None:
        self.client.send("PUT", f"{self.path}/comments/{comment.id}", {"content": {"raw": body}})

    def delete(self, comment: Comment) -> None:
        self.client.send("DELETE", f"{self.path}/comments/{comment.id}")


def _find_user(client: ServiceClient) -> str | None:
    """Return the UUID of the token's user; None for access tokens, which may not read their own user."""
    try:
        return str(client.get("user").get("uuid") or "") or None
    except ServiceError as error:
        if error.is_denied:
            return None
        raise


def _is_own(item: Json, uuid: str | None) -> bool:
    user = item.get("user") or {}
    # Access tokens write as a user of this type, and people cannot.
    return bool(user.get("uuid") == uuid if uuid else user.get("type") == "app_user")


def _next_page(reply: Reply) -> str | None:
    url = reply.body.get("next")
    return str(url) if url else None


def _read_comment(item: Json) -> Comment:
    url = ((item.get("links") or {}).get("html") or {}).get("href")
    body = (item.get("content") or {}).get("raw")
    return Comment(id=int(item.get("id") or 0), body=str(body or ""), url=str(url or ""))


# Code Insights


def _deliver_insights(client: ServiceClient, target: BitbucketTarget, report: Report) -> Outcome:
    base = os.environ.get("BITBUCKET_PR_DESTINATION_COMMIT", "").strip()
    annotations = select_changed(report.annotations, read_git_diff(base) if base else None)[:_MAX_ANNOTATIONS]
    name = f"treaty-{hashlib.sha256(report.pacticipant.encode()).hexdigest()[:16]}"
    path = f"{target.path}/commit/{quote(target.commit, safe='')}/reports/{name}"
    try:
        # Replacing a report leaves its annotations, deleting it does not. It need not exist.
        client.send("DELETE", path)
        client.send("PUT", path, _build_report(report))
        for start in range(0, len(annotations), _BATCH):
            batch = [_annotate(item, report) for item in annotations[start : start + _BATCH]]
            client.send("POST", f"{path}/annotations", batch)
    except ServiceError as error:
        if not error.is_denied:
            raise
        return Outcome(denied=(error,))
    return Outcome(lines=(f"Wrote the report {_title(report)} (annotations: {len(annotations)})",))


def _title(report: Report) -> str:
    return f"Contracts of {report.pacticipant}"[:_MAX_SUMMARY]


def _build_report(report: Report) -> Json:
    data = [
        {"type": "TEXT", "title": decision.destination.name[:_MAX_SUMMARY], "value": decision.verdict.value}
        for decision in report.decisions[:10]
    ]
    return {
        "title": _title(report),
        "details": markdown.describe_verdict(report)[:_MAX_DETAILS],
        "report_type": "TEST",
        "reporter": "Treaty",
        # PENDING would pass where reports are required.
        "result": "PASSED" if report.verdict is Verdict.YES else "FAILED",
        "data": data,
        **({"link": report.url} if report.url else {}),
    }


def _annotate(annotation: Annotation, report: Report) -> Json:
    return {
        "external_id": annotation.fingerprint[:40],
        "annotation_type": "BUG",
        "path": annotation.path,
        "line": annotation.line,
        "summary": annotation.title[:_MAX_SUMMARY],
        "details": annotation.message[:_MAX_DETAILS],
        "severity": _SEVERITIES[annotation.level],
        **({"link": report.url} if report.url else {}),
    }
