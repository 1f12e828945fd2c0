"""Webhooks that teams use, ready to be filled in: for build servers, commit statuses and chat rooms."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from treaty.model.webhooks.events import (
    CONTRACT_PUBLISHED,
    CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
    PROVIDER_VERIFICATION_FAILED,
    PROVIDER_VERIFICATION_PUBLISHED,
)

VERIFICATION_EVENTS: Final = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,)
"""When a provider's build has something to verify."""
STATUS_EVENTS: Final = (CONTRACT_PUBLISHED, PROVIDER_VERIFICATION_PUBLISHED)
"""When what is known of a consumer's version has changed."""
NOTIFICATION_EVENTS: Final = (CONTRACT_REQUIRING_VERIFICATION_PUBLISHED, PROVIDER_VERIFICATION_FAILED)
"""When people want to know."""

_GAP: Final = re.compile(r"<[A-Z][A-Z-]*>")


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookPreset:
    """A webhook with gaps, such as <OWNER>, for what only its owner knows."""

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
    """What is to be done on the other side."""

    @property
    def request_headers(self) -> dict[str, str]:
        return {**({"Content-Type": "application/json"} if self.body else {}), **self.headers}

    @property
    def blanks(self) -> frozenset[str]:
        texts = (self.url, self.username, *self.headers.values(), json.dumps(self.body))
        return frozenset(gap for text in texts for gap in _GAP.findall(text))


_COMMIT: Final = "Versions of the consumer must be numbered by their commits, in full."
_PACT: Final = "${pactbroker.pactUrl}"
_CONSUMER: Final = "${pactbroker.consumerName}"
_PROVIDER: Final = "${pactbroker.providerName}"
_RESULT: Final = "${pactbroker.verificationResultUrl}"
_SAID: Final = f"Pact with {_PROVIDER}"

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
            "The workflow begins with: on: repository_dispatch: types: [pact_requires_verification]",
            "The token is a fine-grained one with write access to the repository's contents.",
        ),
    ),
    WebhookPreset(
        key="github-status",
        service="GitHub",
        purpose="Set a commit status",
        description="GitHub: tell the consumer's commit how its pact fares",
        url="https://api.github.com/repos/<OWNER>/<REPOSITORY>/statuses/${pactbroker.consumerVersionNumber}",
        headers={
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": "Bearer <TOKEN>",
        },
        body={
            "state": "${pactbroker.githubVerificationStatus}",
            "context": _SAID,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "target_url": _RESULT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT, "The token is a fine-grained one with write access to commit statuses."),
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
                "The token is a project access token with the scope api. A trigger token would stand in the body, where"
                " everybody who sees the webhook sees it, so this does not use one."
            ),
            "The project's settings say who may set variables of a pipeline; the token's role must be among them.",
        ),
    ),
    WebhookPreset(
        key="gitlab-status",
        service="GitLab",
        purpose="Set a commit status",
        description="GitLab: tell the consumer's commit how its pact fares",
        url="https://gitlab.com/api/v4/projects/<PROJECT-ID>/statuses/${pactbroker.consumerVersionNumber}",
        headers={"PRIVATE-TOKEN": "<TOKEN>"},
        body={
            "state": "${pactbroker.gitlabVerificationStatus}",
            "name": _SAID,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "target_url": _PACT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT, "The token is a project access token with the scope api."),
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
            "bitbucket-pipelines.yml has a custom pipeline called verify-pact, with the variable PACT_URL.",
            "The token is a repository access token that may write pipelines.",
        ),
    ),
    WebhookPreset(
        key="bitbucket-status",
        service="Bitbucket",
        purpose="Set a build status",
        description="Bitbucket: tell the consumer's commit how its pact fares",
        url="https://api.bitbucket.org/2.0/repositories/<WORKSPACE>/<REPOSITORY>/commit/"
        "${pactbroker.consumerVersionNumber}/statuses/build",
        headers={"Authorization": "Bearer <TOKEN>"},
        body={
            "key": _SAID,
            "state": "${pactbroker.bitbucketVerificationStatus}",
            "name": _SAID,
            "description": "Verification by ${pactbroker.providerVersionNumber}",
            "url": _PACT,
        },
        events=STATUS_EVENTS,
        hints=(_COMMIT, "The token is a repository access token that may write repositories."),
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
            "The pipeline declares the parameter pactUrl, a string.",
            (
                "The password is a personal access token that may read and execute builds; the user's name does not"
                " matter."
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
            "The configuration declares the pipeline parameter pact_url, a string.",
            (
                "The token is a personal API token. For a project that is not on GitHub, gh is another word, as its"
                " address at CircleCI shows."
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
            "The job has the string parameter PACT_URL.",
            "The password is an API token of the user; with one, Jenkins asks for no crumb.",
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
        hints=("The token is an access token of a user who may run the build configuration.",),
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
        hints=("The token is an API access token with the scope write_builds.",),
    ),
    WebhookPreset(
        key="slack",
        service="Slack",
        purpose="Write a message",
        description="Slack: tell of new pacts and failures",
        url="https://hooks.slack.com/services/<PATH-OF-THE-HOOK>",
        body={
            "text": "A pact needs attention",
            # Plain text, so that names cannot mention people, or link to other places.
            "blocks": [
                {
                    "type": "section",
                    "text": {
                        "type": "plain_text",
                        "text": f"{_CONSUMER} and {_PROVIDER}: ${{pactbroker.eventName}} for version"
                        " ${pactbroker.consumerVersionNumber}",
                        "emoji": False,
                    },
                },
                {
                    "type": "actions",
                    "elements": [
                        {
                            "type": "button",
                            "text": {"type": "plain_text", "text": "Show the pact"},
                            "url": _PACT,
                        }
                    ],
                },
            ],
        },
        events=NOTIFICATION_EVENTS,
        hints=(
            (
                "The address is that of an incoming webhook. Whoever has it can write to the channel, and whoever may"
                " read webhooks here sees it."
            ),
        ),
    ),
    WebhookPreset(
        key="teams",
        service="Microsoft Teams",
        purpose="Post a card",
        description="Teams: tell of new pacts and failures",
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
                                    {"type": "TextRun", "text": f"{_CONSUMER} and {_PROVIDER}", "weight": "Bolder"},
                                ],
                            },
                            {
                                "type": "RichTextBlock",
                                "inlines": [
                                    {
                                        "type": "TextRun",
                                        "text": "${pactbroker.eventName} for version"
                                        " ${pactbroker.consumerVersionNumber}",
                                    },
                                ],
                            },
                        ],
                        "actions": [{"type": "Action.OpenUrl", "title": "Show the pact", "url": _PACT}],
                    },
                }
            ],
        },
        events=NOTIFICATION_EVENTS,
        hints=(
            (
                "The address is that of a workflow which begins with “When a Teams webhook request is received”."
                " Whoever may read webhooks here sees it."
            ),
        ),
    ),
)
BLANKS: Final = frozenset(gap for one in PRESETS for gap in one.blanks)


def find_preset(key: str | None) -> WebhookPreset | None:
    return next((one for one in PRESETS if one.key == key), None)


def list_blanks(text: str) -> list[str]:
    """List the gaps that were left open, in their order."""
    return [gap for gap in dict.fromkeys(_GAP.findall(text)) if gap in BLANKS]
