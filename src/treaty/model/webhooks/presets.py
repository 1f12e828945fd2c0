"""Presets for webhooks: build servers, commit statuses and chat messages."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from treaty.model.webhooks.events import (
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    CONTRACT_UNUSED,
    DEPLOYMENT_BLOCKED,
    PROVIDER_VERIFICATION_FAILED,
    PROVIDER_VERIFICATION_PUBLISHED,
    VERIFICATION_OVERDUE,
    WEBHOOK_FAILING,
)

VERIFICATION_EVENTS: Final = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,)
"""For starting a provider's build."""
STATUS_EVENTS: Final = (CONTRACT_PUBLISHED, PROVIDER_VERIFICATION_PUBLISHED)
"""For the status of a consumer's commit: pending at first, then the result."""
REPORT_EVENTS: Final = (PROVIDER_VERIFICATION_PUBLISHED,)
"""For the report in a consumer's pull request, whose build may have ended before the result."""
NOTIFICATION_EVENTS: Final = (
    PROVIDER_VERIFICATION_FAILED,
    VERIFICATION_OVERDUE,
    DEPLOYMENT_BLOCKED,
    WEBHOOK_FAILING,
    CONTRACT_UNUSED,
)
"""For messages to people: what requires an action."""
ISSUE_EVENTS: Final = (VERIFICATION_OVERDUE, WEBHOOK_FAILING, CONTRACT_UNUSED)
"""For issues, which happen once until they are solved."""

_BLANK: Final = re.compile(r"<[A-Z][A-Z-]*>")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookPreset:
    """A webhook with blanks, such as <OWNER>, that users replace with their own values."""

    key: str
    service: str
    purpose: str
    description: str
    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    username: str = ""
    has_password: bool = False
    events: tuple[str, ...]
    hints: tuple[str, ...]
    """What to configure at the service."""

    @property
    def request_headers(self) -> dict[str, str]:
        return {**({"Content-Type": "application/json"} if self.body else {}), **self.headers}

    @property
    def blanks(self) -> frozenset[str]:
        texts = (self.url, self.username, *self.headers.values(), json.dumps(self.body))
        return frozenset(blank for text in texts for blank in _BLANK.findall(text))


_COMMIT_HINT: Final = "The consumer's version numbers must be complete commit hashes."
_PACT: Final = "${pactbroker.pactUrl}"
_CONSUMER: Final = "${pactbroker.consumerName}"
_PROVIDER: Final = "${pactbroker.providerName}"
_RESULT: Final = "${pactbroker.verificationResultUrl}"
_SUMMARY: Final = "${pactbroker.summary}"
_PAGE: Final = "${pactbroker.pageUrl}"
_DIGEST_HINT: Final = "To get one message a day instead of one for each event, collect the events into a digest: 1d."
_STATUS_NAME: Final = f"Pact with {_PROVIDER}"

PRESETS: Final = (
    WebhookPreset(
        key="github",
        service="GitHub",
        purpose="Start a workflow",
        description="GitHub: verify the pact of a consumer",
        url="https://api.github.com/repos/<OWNER>/<REPOSITORY>/dispatches",
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": "Bearer <TOKEN>",
        },
        body={
            "event_type": "pact_requires_verification",
            "client_payload": {
                "pact_url": _PACT,
                "consumer": _CONSUMER,
                "consumer_version": "${pactbroker.consumerVersionNumber}",
                "consumer_branch": "${pactbroker.consumerVersionBranch}",
                "provider_version": "${pactbroker.providerVersionNumber}",
                "provider_branch": "${pactbroker.providerVersionBranch}",
            },
        },
        events=VERIFICATION_EVENTS,
        hints=(
            "The workflow starts with: on: repository_dispatch: types: [pact_requires_verification]",
            "Use a fine-grained token with write access to the repository's contents.",
        ),
    ),
    WebhookPreset(
        key="github-status",
        service="GitHub",
        purpose="Set a commit status",
        description="GitHub: set the status of the consumer's commit",
        url="https://api.github.com/repos/<OWNER>/<REPOSITORY>/statuses/${pactbroker.consumerVersionNumber}",
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": "Bearer <TOKEN>",
        },
        body={
            "state": "${pactbroker.githubVerificationStatus}",
            "context": _STATUS_NAME,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "target_url": _RESULT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT_HINT, "Use a fine-grained token with write access to commit statuses."),
    ),
    WebhookPreset(
        key="github-report",
        service="GitHub",
        purpose="Update the report of a pull request",
        description="GitHub: report a result in the consumer's pull request",
        url="https://api.github.com/repos/<OWNER>/<REPOSITORY>/dispatches",
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": "Bearer <TOKEN>",
        },
        body={
            "event_type": "pact_result_published",
            "client_payload": {
                "pacticipant": _CONSUMER,
                "version": "${pactbroker.consumerVersionNumber}",
                "result_url": _RESULT,
            },
        },
        events=REPORT_EVENTS,
        hints=(
            "The workflow starts with: on: repository_dispatch: types: [pact_result_published]; it runs treaty report.",
            _COMMIT_HINT,
            "Use a fine-grained token with write access to the repository's contents.",
        ),
    ),
    WebhookPreset(
        key="github-issue",
        service="GitHub",
        purpose="Open an issue",
        description="GitHub: open an issue about overdue verifications, failing webhooks and unused contracts",
        url="https://api.github.com/repos/<OWNER>/<REPOSITORY>/issues",
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": "Bearer <TOKEN>",
        },
        body={
            "title": "Contract tests: ${pactbroker.eventName}",
            # A code block, so that names cannot mention people, or link to other places.
            "body": f"~~~~~~~~text\n{_SUMMARY}\n~~~~~~~~\n\n{_PAGE}",
        },
        events=ISSUE_EVENTS,
        hints=("Use a fine-grained token with write access to issues.", _DIGEST_HINT),
    ),
    WebhookPreset(
        key="gitlab",
        service="GitLab",
        purpose="Start a pipeline",
        description="GitLab: verify the pact of a consumer",
        url="https://gitlab.com/api/v4/projects/<PROJECT-ID>/pipeline",
        headers={"PRIVATE-TOKEN": "<TOKEN>"},
        body={
            "ref": "main",
            "variables": [
                {"key": "PACT_URL", "value": _PACT},
                {"key": "PACT_PROVIDER_BRANCH", "value": "${pactbroker.providerVersionBranch}"},
                {"key": "PACT_PROVIDER_VERSION", "value": "${pactbroker.providerVersionNumber}"},
            ],
        },
        events=VERIFICATION_EVENTS,
        hints=(
            (
                "Use a project access token with the scope api. A trigger token would be part of the body, which"
                " everyone who can read webhooks sees, so this preset does not use one."
            ),
            "The project's settings restrict who may set pipeline variables; the token's role must be allowed to.",
        ),
    ),
    WebhookPreset(
        key="gitlab-status",
        service="GitLab",
        purpose="Set a commit status",
        description="GitLab: set the status of the consumer's commit",
        url="https://gitlab.com/api/v4/projects/<PROJECT-ID>/statuses/${pactbroker.consumerVersionNumber}",
        headers={"PRIVATE-TOKEN": "<TOKEN>"},
        body={
            "state": "${pactbroker.gitlabVerificationStatus}",
            "name": _STATUS_NAME,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "target_url": _PACT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT_HINT, "Use a project access token with the scope api."),
    ),
    WebhookPreset(
        key="bitbucket",
        service="Bitbucket",
        purpose="Start a pipeline",
        description="Bitbucket: verify the pact of a consumer",
        url="https://api.bitbucket.org/2.0/repositories/<WORKSPACE>/<REPOSITORY>/pipelines/",
        headers={"Authorization": "Bearer <TOKEN>"},
        body={
            "target": {
                "type": "pipeline_ref_target",
                "ref_type": "branch",
                "ref_name": "main",
                "selector": {"type": "custom", "pattern": "verify-pact"},
            },
            "variables": [{"key": "PACT_URL", "value": _PACT}],
        },
        events=VERIFICATION_EVENTS,
        hints=(
            "bitbucket-pipelines.yml needs a custom pipeline named verify-pact with the variable PACT_URL.",
            "Use a repository access token with write access to pipelines.",
        ),
    ),
    WebhookPreset(
        key="bitbucket-status",
        service="Bitbucket",
        purpose="Set a build status",
        description="Bitbucket: set the status of the consumer's commit",
        url="https://api.bitbucket.org/2.0/repositories/<WORKSPACE>/<REPOSITORY>/commit/"
        "${pactbroker.consumerVersionNumber}/statuses/build",
        headers={"Authorization": "Bearer <TOKEN>"},
        body={
            "key": _STATUS_NAME,
            "state": "${pactbroker.bitbucketVerificationStatus}",
            "name": _STATUS_NAME,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "url": _PACT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT_HINT, "Use a repository access token with write access to repositories."),
    ),
    WebhookPreset(
        key="azure-devops",
        service="Azure DevOps",
        purpose="Run a pipeline",
        description="Azure DevOps: verify the pact of a consumer",
        url="https://dev.azure.com/<ORGANIZATION>/<PROJECT>/_apis/pipelines/<PIPELINE-ID>/runs?api-version=7.1",
        body={
            "resources": {"repositories": {"self": {"refName": "refs/heads/main"}}},
            "templateParameters": {"pactUrl": _PACT},
        },
        username="treaty",
        has_password=True,
        events=VERIFICATION_EVENTS,
        hints=(
            "The pipeline must declare the string parameter pactUrl.",
            (
                "The password is a personal access token that may read and execute builds. Azure DevOps ignores the"
                " user name."
            ),
        ),
    ),
    WebhookPreset(
        key="circleci",
        service="CircleCI",
        purpose="Start a pipeline",
        description="CircleCI: verify the pact of a consumer",
        url="https://circleci.com/api/v2/project/gh/<OWNER>/<REPOSITORY>/pipeline",
        headers={"Circle-Token": "<TOKEN>"},
        body={"branch": "main", "parameters": {"pact_url": _PACT}},
        events=VERIFICATION_EVENTS,
        hints=(
            "The configuration must declare the string pipeline parameter pact_url.",
            (
                "Use a personal API token. For a project that is not on GitHub, replace gh by the prefix in the"
                " project's CircleCI URL."
            ),
        ),
    ),
    WebhookPreset(
        key="jenkins",
        service="Jenkins",
        purpose="Build a job",
        description="Jenkins: verify the pact of a consumer",
        url=f"https://<JENKINS-HOST>/job/<JOB>/buildWithParameters?PACT_URL={_PACT}",
        body={},
        username="<USER>",
        has_password=True,
        events=VERIFICATION_EVENTS,
        hints=(
            "The job must have the string parameter PACT_URL.",
            "The password is an API token of the user; with a token, Jenkins requires no CSRF crumb.",
        ),
    ),
    WebhookPreset(
        key="teamcity",
        service="TeamCity",
        purpose="Queue a build",
        description="TeamCity: verify the pact of a consumer",
        url="https://<TEAMCITY-HOST>/app/rest/buildQueue",
        headers={"Accept": "application/json", "Authorization": "Bearer <TOKEN>"},
        body={
            "buildType": {"id": "<BUILD-CONFIGURATION-ID>"},
            "properties": {"property": [{"name": "env.PACT_URL", "value": _PACT}]},
        },
        events=VERIFICATION_EVENTS,
        hints=("Use an access token of a user who may run the build configuration.",),
    ),
    WebhookPreset(
        key="buildkite",
        service="Buildkite",
        purpose="Create a build",
        description="Buildkite: verify the pact of a consumer",
        url="https://api.buildkite.com/v2/organizations/<ORGANIZATION>/pipelines/<PIPELINE>/builds",
        headers={"Authorization": "Bearer <TOKEN>"},
        body={
            "commit": "HEAD",
            "branch": "main",
            "message": f"Verify the pact of {_CONSUMER}",
            "env": {"PACT_URL": _PACT},
        },
        events=VERIFICATION_EVENTS,
        hints=("Use an API access token with the scope write_builds.",),
    ),
    WebhookPreset(
        key="slack",
        service="Slack",
        purpose="Write a message",
        description="Slack: report what needs attention",
        url="https://hooks.slack.com/services/<PATH-OF-THE-HOOK>",
        body={
            "text": "Contract tests need attention",
            # Plain text, so that names cannot mention people, or link to other places.
            "blocks": [
                {
                    "type": "section",
                    "text": {
                        "type": "plain_text",
                        "text": _SUMMARY,
                        "emoji": False,
                    },
                },
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "text": {"type": "plain_text", "text": "Show more"},
                            "url": _PAGE,
                        }
                    ],
                },
            ],
        },
        events=NOTIFICATION_EVENTS,
        hints=(
            (
                "The URL is that of an incoming webhook in Slack. Everyone who can read webhooks here sees it, and"
                " everyone who has it can write to the channel."
            ),
            _DIGEST_HINT,
        ),
    ),
    WebhookPreset(
        key="teams",
        service="Microsoft Teams",
        purpose="Post a card",
        description="Teams: report what needs attention",
        url="https://<ADDRESS-OF-THE-WORKFLOW>",
        body={
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "body": [
                            # Unlike a TextBlock, a TextRun has no Markdown, so names cannot contain links.
                            {
                                "type": "RichTextBlock",
                                "inlines": [
                                    {"type": "TextRun", "text": "Contract tests need attention", "weight": "Bolder"},
                                ],
                            },
                            {
                                "type": "RichTextBlock",
                                "inlines": [
                                    {
                                        "type": "TextRun",
                                        "text": _SUMMARY,
                                    },
                                ],
                            },
                        ],
                        "actions": [{"type": "Action.OpenUrl", "title": "Show more", "url": _PAGE}],
                    },
                }
            ],
        },
        events=NOTIFICATION_EVENTS,
        hints=(
            (
                "The URL is that of a workflow that starts with “When a Teams webhook request is received”."
                " Everyone who can read webhooks here sees it."
            ),
            _DIGEST_HINT,
        ),
    ),
)
BLANKS: Final = frozenset(blank for preset in PRESETS for blank in preset.blanks)


def find_preset(key: str | None) -> WebhookPreset | None:
    return next((preset for preset in PRESETS if preset.key == key), None)


def list_blanks(text: str) -> list[str]:
    """List the blanks that have not been replaced, in their order.

    Other texts in angle brackets, such as HTML, are not blanks.
    """
    return [blank for blank in dict.fromkeys(_BLANK.findall(text)) if blank in BLANKS]
