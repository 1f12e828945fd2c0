"""What the broker answers: a schema for each kind of document."""

from typing import Final

from treaty.web.openapi.notation import (
    ANY_OBJECT,
    ANYTHING,
    FLAG,
    NUMBER,
    TEXT,
    TIME,
    UUID,
    Schema,
    array_of,
    closed_object,
    hal,
    links,
    nullable,
    one_of,
    open_object,
    ref,
)

_TOKEN: Final = {
    "uuid": TEXT,
    "description": TEXT,
    "value": TEXT,
    "readOnly": FLAG,
    "expiresAt?": TIME,
    "lastUsedAt?": TIME,
}
_TIMES: Final = {"updatedAt?": TIME, "createdAt": TIME}
_PAGE: Final = {"page?": ref("Page")}
_PAGES: Final = "next? previous?"
_SELF: Final = closed_object({"_links": links("self")})
_NAMED: Final = hal({"name": TEXT}, "self")
_NUMBERED: Final = hal({"number": TEXT}, "self")
_NOTICE: Final = closed_object({"type": TEXT, "text": TEXT})
_VERSION_LINKS: Final = (
    "self pb:pacticipant pb:tag pb:latest-verification-results-where-pacticipant-is-consumer pb:pact-versions*"
    " pb:deployed-environments*? pb:released-environments*? pb:record-deployment*? pb:record-release*? curies*"
)
_PACTICIPANT_LINKS: Final = (
    "self pb:versions pb:branches pb:deployed-environments*? pb:version pb:version-tag pb:branch-version pb:label"
    " versions pb:can-i-deploy-badge pb:can-i-deploy-branch-to-environment-badge curies*"
)
_PACT_LINKS: Final = (
    "self pb:consumer pb:consumer-version pb:consumer-versions*? pb:provider pb:pact-version pb:latest-pact-version"
    " pb:all-pact-versions pb:latest-untagged-pact-version pb:latest-tagged-pact-version pb:previous-distinct"
    " pb:diff-previous-distinct pb:diff pb:pact-webhooks pb:consumer-webhooks pb:tag-prod-version pb:tag-version"
    " pb:publish-verification-results pb:latest-verification-results pb:triggered-webhooks"
    " pb:matrix-for-consumer-version curies*"
)

SHARED_SCHEMAS: Final[dict[str, Schema]] = {
    "Link": open_object({"href": TEXT, "title?": TEXT, "name?": nullable(TEXT), "templated?": FLAG}),
    "Page": closed_object({"number": NUMBER, "size": NUMBER, "totalElements": NUMBER, "totalPages": NUMBER}),
    "Error": {
        "description": "What is wrong: one text, or lists of texts by the member that they are about.",
        "anyOf": [
            closed_object({"error": TEXT, "missingPermission?": TEXT}),
            closed_object({"error": closed_object({"message": TEXT, "reference": TEXT})}),
            closed_object({"errors": {"type": "object", "additionalProperties": array_of(TEXT)}}),
            closed_object({"errors": array_of(TEXT)}),
        ],
    },
    "Problem": {
        **open_object({"type": TEXT, "title": TEXT, "status": NUMBER, "detail?": TEXT, "instance?": TEXT}),
        "description": "What is wrong, as RFC 9457 has it; given to clients that take `application/problem+json`.",
    },
    "RefusedContracts": closed_object(
        {"notices": array_of(_NOTICE), "errors": closed_object({"contracts": array_of(TEXT)})}
    ),
}

_PACTICIPANT: Final = {
    "name": TEXT,
    "displayName?": TEXT,
    "repositoryUrl?": TEXT,
    "repositoryName?": TEXT,
    "repositoryNamespace?": TEXT,
    "mainBranch?": TEXT,
    **_TIMES,
}
_PACTICIPANT_PARTS: Final = {
    "latestVersion?": _NUMBERED,
    "labels": array_of(_NAMED),
    "latest-version?": hal({"number": TEXT, "title": TEXT, "name": TEXT}, "self"),
}

PACTICIPANTS: Final[dict[str, Schema]] = {
    "Pacticipant": hal(_PACTICIPANT, _PACTICIPANT_LINKS, _PACTICIPANT_PARTS),
    "Pacticipants": hal(
        {
            **_PAGE,
            "pacticipants?": array_of(hal({**_PACTICIPANT, "title": TEXT}, _PACTICIPANT_LINKS, _PACTICIPANT_PARTS)),
        },
        f"self {_PAGES} pb:pacticipants-with-label pb:pacticipants* pacticipants*",
        {"pacticipants": array_of(ref("Pacticipant"))},
    ),
    "User": hal(
        {
            "uuid?": TEXT,
            "name?": TEXT,
            "email?": TEXT,
            "active": FLAG,
            "type": NUMBER,
            "typeDescription": TEXT,
            "role": TEXT,
            "createdAt?": TIME,
            "updatedAt?": TIME,
            "lastLogin?": TIME,
        },
        "self",
    ),
    "Token": closed_object(_TOKEN),
    "Tokens": hal({}, "self", {"items": array_of(ref("Token"))}),
    "IssuedToken": hal(_TOKEN, "self"),
    "Label": hal({"name": TEXT, **_TIMES}, "self pacticipant"),
    "Labels": hal(_PAGE, f"self {_PAGES}", {"labels": array_of(closed_object({"name": TEXT}))}),
    "Version": hal(
        {"number": TEXT, "buildUrl?": TEXT, **_TIMES},
        _VERSION_LINKS,
        {"branchVersions": array_of(hal({"name": TEXT, "latest": FLAG}, "self")), "tags": array_of(_NAMED)},
    ),
    "Versions": hal(
        _PAGE,
        f"self {_PAGES} pb:pacticipant pb:versions* pacticipant versions*",
        {"versions": array_of(ref("Version"))},
    ),
    "Branch": hal({"name": TEXT, **_TIMES}, "self pb:latest-version"),
    "Branches": hal(_PAGE, f"self pb:branches* {_PAGES}", {"branches": array_of(ref("Branch"))}),
    "RemovedBranches": closed_object({"notices": array_of(_NOTICE)}),
    "BranchVersion": hal(_TIMES, "self pb:branch pb:version"),
    "Tag": hal({"name": TEXT, **_TIMES}, "self version pacticipant"),
}

_DEPLOYED: Final = {
    "uuid": UUID,
    "currentlyDeployed": FLAG,
    "target?": TEXT,
    "applicationInstance?": TEXT,
    "undeployedAt?": TIME,
    **_TIMES,
}
_RELEASED: Final = {"uuid": UUID, "currentlySupported": FLAG, **_TIMES, "supportEndedAt?": TIME}
_WHOSE: Final = {"pacticipant": _NAMED, "version": _NUMBERED}
_WHERE: Final = {**_WHOSE, "environment": ref("Environment")}

ENVIRONMENTS: Final[dict[str, Schema]] = {
    "Environment": hal(
        {"uuid": UUID, "name": TEXT, "displayName?": TEXT, "production": FLAG, "contacts?": ANYTHING, **_TIMES},
        "self pb:currently-deployed-deployed-versions pb:currently-supported-released-versions pb:environments",
    ),
    "Environments": hal({}, "self pb:environments*", {"environments": array_of(ref("Environment"))}),
    "DeployedVersion": hal(_DEPLOYED, "self", _WHERE),
    "Deployments": hal({}, "self", {"deployedVersions": array_of(hal(_DEPLOYED, "self"))}),
    "CurrentlyDeployed": hal({}, "self", {"deployedVersions": array_of(hal(_DEPLOYED, "self", _WHOSE))}),
    "ReleasedVersion": hal(_RELEASED, "self", _WHERE),
    "Releases": hal({}, "self", {"releasedVersions": array_of(hal(_RELEASED, "self"))}),
    "CurrentlySupported": hal({}, "self", {"releasedVersions": array_of(hal(_RELEASED, "self", _WHOSE))}),
}

_LATEST_PACT: Final = hal(
    {"createdAt": TIME},
    "self*",
    {"consumer": hal({"name": TEXT}, "self", {"version": _NUMBERED}), "provider": _NAMED},
)

PACTS: Final[dict[str, Schema]] = {
    "Pact": {
        **open_object({"createdAt": TIME, "_links": links(_PACT_LINKS)}),
        "description": "The content as it was published, with its time and its links.",
    },
    "ExtendedPact": hal({"createdAt": TIME, "contract": ANY_OBJECT}, _PACT_LINKS, {"tags": array_of(_NAMED)}),
    "PactsOfPair": hal(
        {},
        "self consumer? provider? pact-versions*? pb:consumer? pb:provider? pb:pact-versions*?",
        {"pacts": array_of(hal({"createdAt": TIME, "revision": NUMBER}, "self", {"consumerVersion": _NUMBERED}))},
    ),
    "PactsOfProvider": hal({}, "self pb:provider pb:pacts* provider pacts*"),
    "LatestPacts": hal({"pacts": array_of(_LATEST_PACT)}, "self pb:pacts* pacts* curies*"),
    "DeletedPacts": hal({}, "index pb:latest-pact-version?"),
    "PublishedContracts": hal(
        {
            "logs": array_of(closed_object({"level": TEXT, "message": TEXT, "deprecationWarning": TEXT})),
            "notices": array_of(_NOTICE),
        },
        "pb:pacticipant pb:pacticipant-version pb:pacticipant-version-tags* pb:contracts*",
        {"pacticipant": _NAMED, "version": _NUMBERED},
    ),
    "ProviderStates": closed_object(
        {
            "providerStates": array_of(
                closed_object({"name": nullable(TEXT), "params?": ANYTHING, "consumers": array_of(TEXT)}),
            )
        }
    ),
    "PactsForVerification": hal(
        {"notices?": array_of(closed_object({"when": TEXT, "text": TEXT}))},
        "self",
        {
            "pacts": array_of(
                hal(
                    {
                        "shortDescription": TEXT,
                        "verificationProperties": closed_object(
                            {
                                "pending?": FLAG,
                                "wip?": FLAG,
                                "notices": array_of(closed_object({"when": TEXT, "text": TEXT})),
                            }
                        ),
                    },
                    "self",
                )
            )
        },
    ),
}

_VERIFICATION: Final = {
    "providerName": TEXT,
    "providerApplicationVersion": nullable(TEXT),
    "success": FLAG,
    "verificationDate": TIME,
    "buildUrl?": TEXT,
    "testResults?": ANYTHING,
    "verifiedBy": ANY_OBJECT,
    "workInProgress": FLAG,
}
_VERIFICATION_LINKS: Final = "self pb:pact-version pb:triggered-webhooks"

VERIFICATIONS: Final[dict[str, Schema]] = {
    "Verification": hal(_VERIFICATION, _VERIFICATION_LINKS),
    "ExtendedVerification": hal(
        _VERIFICATION, _VERIFICATION_LINKS, {"tags": array_of(hal({"name": TEXT, "latest": FLAG}, "self"))}
    ),
    "VerificationSummary": hal(
        {
            "success": FLAG,
            "providerSummary": closed_object(
                {"successful": array_of(TEXT), "failed": array_of(TEXT), "unknown": array_of(TEXT)}
            ),
        },
        "self",
        {"verificationResults": array_of(ref("Verification"))},
    ),
}

_LATEST_TAG: Final = closed_object({"name": TEXT, "latest": FLAG, "_links": links("self")})
_ENVIRONMENT_IN_MATRIX: Final = hal(
    {"uuid": UUID, "name": TEXT, "displayName?": TEXT, "production": FLAG, **_TIMES}, "self"
)
_SIDE: Final = closed_object({"name": TEXT, "version": nullable(TEXT)})
_RESULT_IN_MATRIX: Final = hal({"success": FLAG, "verifiedAt": TIME}, "self")

MATRIX: Final[dict[str, Schema]] = {
    "Matrix": closed_object(
        {
            "summary": closed_object(
                {
                    "deployable": nullable(FLAG),
                    "reason": TEXT,
                    "success": NUMBER,
                    "failed": NUMBER,
                    "unknown": NUMBER,
                    "ignored?": NUMBER,
                }
            ),
            "notices": array_of(_NOTICE),
            "matrix": array_of(ref("MatrixRow")),
            "rows": closed_object({"shown": NUMBER, "total": NUMBER}),
            "reasons": array_of(
                closed_object(
                    {
                        "kind": TEXT,
                        "type": TEXT,
                        "text": TEXT,
                        "consumer?": _SIDE,
                        "provider?": _SIDE,
                        "pacticipant?": _SIDE,
                        "next?": ANY_OBJECT,
                    }
                )
            ),
        }
    ),
    "MatrixRow": closed_object(
        {
            "consumer": ref("PacticipantInMatrix"),
            "provider": ref("PacticipantInMatrix"),
            "pact": hal({"createdAt": TIME}, "self"),
            "verificationResult": nullable(_RESULT_IN_MATRIX),
            "ignored?": FLAG,
        }
    ),
    "PacticipantInMatrix": hal({"name": TEXT, "version": nullable(ref("VersionInMatrix"))}, "self"),
    "VersionInMatrix": hal(
        {
            "number": TEXT,
            "branch": nullable(TEXT),
            "branches": array_of(_LATEST_TAG),
            "branchVersions": array_of(_LATEST_TAG),
            "environments": array_of(_ENVIRONMENT_IN_MATRIX),
            "tags": array_of(_LATEST_TAG),
        },
        "self",
    ),
}

_DASHBOARD_VERSION: Final = {"number": TEXT, "branch": nullable(TEXT), "headBranchNames": array_of(TEXT)}

INTEGRATIONS: Final[dict[str, Schema]] = {
    "Integrations": hal(
        _PAGE,
        f"self {_PAGES}",
        {
            "integrations": array_of(
                hal(
                    {"consumer": closed_object({"name": TEXT}), "provider": closed_object({"name": TEXT})},
                    "pb:dashboard pb:matrix pb:group pb:delete_integration",
                )
            )
        },
    ),
    "Dashboard": closed_object({"items": array_of(ref("DashboardItem"))}),
    "DashboardItem": hal(
        {
            "consumer": hal({"name": TEXT, "version": hal(_DASHBOARD_VERSION, "self")}, "self"),
            "provider": hal({"name": TEXT, "version": nullable(closed_object(_DASHBOARD_VERSION))}, "self"),
            "pact": hal({"createdAt": TIME}, "self"),
            "pactTags": array_of(_LATEST_TAG),
            "latestVerificationResult": nullable(_RESULT_IN_MATRIX),
            "latestVerificationResultTags": array_of(_LATEST_TAG),
            "verificationStatus": TEXT,
            "webhookStatus": TEXT,
            "latestWebhookExecution": nullable(ANY_OBJECT),
        },
        "pb:webhook-status",
    ),
}

_WEBHOOK_SIDE: Final = closed_object({"name?": TEXT, "label?": TEXT})

WEBHOOKS: Final[dict[str, Schema]] = {
    "Webhook": hal(
        {
            "uuid": UUID,
            "description": TEXT,
            "consumer?": _WEBHOOK_SIDE,
            "provider?": _WEBHOOK_SIDE,
            "enabled": FLAG,
            "request": closed_object(
                {
                    "method": TEXT,
                    "url": TEXT,
                    "headers?": {"type": "object", "additionalProperties": TEXT},
                    "body?": ANYTHING,
                    "username?": TEXT,
                    "password?": TEXT,
                }
            ),
            "events": array_of(closed_object({"name": TEXT})),
            "consumerBranches?": array_of(TEXT),
            "providerBranches?": array_of(TEXT),
            "tags?": array_of(TEXT),
            "environments?": array_of(TEXT),
            "mainBranchOnly?": FLAG,
            "secret?": TEXT,
            "failing?": FLAG,
            "failingSince?": TIME,
            "pauseWhenFailing?": FLAG,
            "paused?": FLAG,
            **_TIMES,
        },
        "self pb:execute pb:consumer? pb:consumers? pb:provider? pb:providers? pb:pact-webhooks? pb:webhooks",
    ),
    "Webhooks": hal({}, "self pb:create pb:webhooks* curies*"),
    "TriggeredWebhook": hal(
        {
            "name?": TEXT,
            "status": TEXT,
            "attemptsMade": NUMBER,
            "attemptsRemaining": NUMBER,
            "triggerType": TEXT,
            "eventName": TEXT,
            "triggeredAt": TIME,
        },
        "pb:logs logs pb:webhook?",
    ),
    "TriggeredWebhooks": hal({}, "self", {"triggeredWebhooks": array_of(ref("TriggeredWebhook"))}),
    "WebhooksStatus": hal(
        {"summary": closed_object({"successful": NUMBER, "failed": NUMBER, "retrying?": NUMBER, "notRun?": NUMBER})},
        "self pb:error-logs* pb:pact-webhooks pb:pact-version? pb:consumer pb:provider",
        {"triggeredWebhooks": array_of(ref("TriggeredWebhook"))},
    ),
    "WebhookLogs": hal(
        {
            "eventName": TEXT,
            "consumerName": TEXT,
            "providerName": TEXT,
            "executions": array_of(
                closed_object(
                    {
                        "success": FLAG,
                        "logs": TEXT,
                        "responseStatus?": NUMBER,
                        "milliseconds?": NUMBER,
                        "createdAt": TIME,
                    }
                )
            ),
        },
        "self pb:webhook? pb:redeliver?",
        {"triggeredWebhook": closed_object({"uuid": UUID})},
    ),
    "WebhookTrial": hal(
        {
            "error?": closed_object({"message": TEXT}),
            "request": ANY_OBJECT,
            "response?": closed_object({"status": NUMBER, "headers": ANY_OBJECT, "body": ANYTHING}),
            "message?": TEXT,
            "logs": TEXT,
            "success": FLAG,
        },
        "webhook? try-again",
    ),
}

_COUNT: Final = closed_object({"count": NUMBER})
_DISTRIBUTION: Final = closed_object({"distribution": {"type": "object", "additionalProperties": NUMBER}})
_PERIOD: Final = {"first": nullable(TIME), "last": nullable(TIME)}

METRICS: Final[dict[str, Schema]] = {
    "ImportOutcomes": closed_object(
        {
            "outcomes": array_of(
                closed_object(
                    {
                        "outcome": one_of("copied", "present", "removed", "outdated", "absent", "refused"),
                        "reason": nullable(TEXT),
                    }
                )
            )
        }
    ),
    "ImportedFacts": closed_object({"values": array_of(nullable(TEXT))}),
    "AuditEvents": hal({"events": array_of(ref("AuditEvent"))}, "self next? export"),
    "AuditEvent": closed_object(
        {
            "uuid": UUID,
            "timestamp": TIME,
            "type": TEXT,
            "user_email": nullable(TEXT),
            "db_user_id": nullable(TEXT),
            "credential": closed_object({"type": TEXT, "name": nullable(TEXT), "uuid": nullable(TEXT)}),
            "address": nullable(TEXT),
            "requestId": nullable(TEXT),
            "outcome": one_of("done", "refused"),
            "status": nullable(NUMBER),
            "count": NUMBER,
            "resource": nullable(TEXT),
            "relatedResource": nullable(TEXT),
            "before": nullable(ANY_OBJECT),
            "after": nullable(ANY_OBJECT),
            "payload": closed_object(
                {
                    **{name: nullable(TEXT) for name in ("path", "queryString", "method", "userAgent", "referer")},
                    "params": ANY_OBJECT,
                }
            ),
        }
    ),
    "Metrics": closed_object(
        {
            "interactions": closed_object(
                {
                    "latestInteractionsCount": NUMBER,
                    "latestMessagesCount": NUMBER,
                    "latestInteractionsAndMessagesCount": NUMBER,
                }
            ),
            "pacticipants": closed_object({"count": NUMBER, "withMainBranchSetCount": NUMBER}),
            "integrations": _COUNT,
            "pactPublications": closed_object({"count": NUMBER, **_PERIOD}),
            "pactVersions": _COUNT,
            "pactRevisionsPerConsumerVersion": _DISTRIBUTION,
            "verificationResults": closed_object(
                {"count": NUMBER, "successCount": NUMBER, "failureCount": NUMBER, "distinctCount": NUMBER, **_PERIOD}
            ),
            "verificationResultsPerPactVersion": _DISTRIBUTION,
            "pacticipantVersions": closed_object(
                {
                    "count": NUMBER,
                    "withUserCreatedBranchCount": NUMBER,
                    "withBranchCount": NUMBER,
                    "withBranchSetCount": NUMBER,
                }
            ),
            "webhooks": _COUNT,
            "tags": closed_object({"count": NUMBER, "distinctCount": NUMBER, "distinctWithPacticipantCount": NUMBER}),
            "triggeredWebhooks": _COUNT,
            "webhookExecutions": _COUNT,
            "matrix": _COUNT,
            "environments": _COUNT,
            "deployedVersions": closed_object(
                {"count": NUMBER, "userCreatedCount": NUMBER, "currentlyDeployedCount": NUMBER}
            ),
            "releasedVersions": closed_object({"count": NUMBER, "currentlySupportedCount": NUMBER}),
        }
    ),
}

OTHERS: Final[dict[str, Schema]] = {
    "Index": {
        "type": "object",
        "required": ["_links"],
        "properties": {
            "_links": {
                "type": "object",
                "required": ["self", "curies"],
                "properties": {"curies": array_of(ref("Link"))},
                "additionalProperties": ref("Link"),
            }
        },
        "additionalProperties": False,
    },
    "Heartbeat": hal({"ok": one_of(True)}, "self"),  # noqa: FBT003 - a value of JSON
    "Dependencies": hal({"database": closed_object({"ok": one_of(True)})}, "self"),  # noqa: FBT003 - likewise
    "OpenApi": open_object({"openapi": TEXT, "info": ANY_OBJECT, "paths": ANY_OBJECT}),
}

RESPONSE_SCHEMAS: Final[dict[str, Schema]] = {
    **PACTICIPANTS,
    **ENVIRONMENTS,
    **PACTS,
    **VERIFICATIONS,
    **MATRIX,
    **INTEGRATIONS,
    **WEBHOOKS,
    **METRICS,
    **OTHERS,
}
