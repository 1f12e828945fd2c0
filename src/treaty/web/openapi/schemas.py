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
    closed,
    hal,
    links,
    listed,
    one_of,
    open_,
    or_null,
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
_SELF: Final = closed({"_links": links("self")})
_NAMED: Final = hal({"name": TEXT}, "self")
_NUMBERED: Final = hal({"number": TEXT}, "self")
_NOTICE: Final = closed({"type": TEXT, "text": TEXT})
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

SHARED: Final[dict[str, Schema]] = {
    "Link": open_({"href": TEXT, "title?": TEXT, "name?": or_null(TEXT), "templated?": FLAG}),
    "Page": closed({"number": NUMBER, "size": NUMBER, "totalElements": NUMBER, "totalPages": NUMBER}),
    "Error": {
        "description": "What is wrong: one text, or lists of texts by the member that they are about.",
        "anyOf": [
            closed({"error": TEXT, "missingPermission?": TEXT}),
            closed({"error": closed({"message": TEXT, "reference": TEXT})}),
            closed({"errors": {"type": "object", "additionalProperties": listed(TEXT)}}),
            closed({"errors": listed(TEXT)}),
        ],
    },
    "Problem": {
        **open_({"type": TEXT, "title": TEXT, "status": NUMBER, "detail?": TEXT, "instance?": TEXT}),
        "description": "What is wrong, as RFC 9457 has it; given to clients that take `application/problem+json`.",
    },
    "RefusedContracts": closed({"notices": listed(_NOTICE), "errors": closed({"contracts": listed(TEXT)})}),
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
    "labels": listed(_NAMED),
    "latest-version?": hal({"number": TEXT, "title": TEXT, "name": TEXT}, "self"),
}

PACTICIPANTS: Final[dict[str, Schema]] = {
    "Pacticipant": hal(_PACTICIPANT, _PACTICIPANT_LINKS, _PACTICIPANT_PARTS),
    "Pacticipants": hal(
        {
            **_PAGE,
            "pacticipants?": listed(hal({**_PACTICIPANT, "title": TEXT}, _PACTICIPANT_LINKS, _PACTICIPANT_PARTS)),
        },
        f"self {_PAGES} pb:pacticipants-with-label pb:pacticipants* pacticipants*",
        {"pacticipants": listed(ref("Pacticipant"))},
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
    "Token": closed(_TOKEN),
    "Tokens": hal({}, "self", {"items": listed(ref("Token"))}),
    "IssuedToken": hal(_TOKEN, "self"),
    "Label": hal({"name": TEXT, **_TIMES}, "self pacticipant"),
    "Labels": hal(_PAGE, f"self {_PAGES}", {"labels": listed(closed({"name": TEXT}))}),
    "Version": hal(
        {"number": TEXT, "buildUrl?": TEXT, **_TIMES},
        _VERSION_LINKS,
        {"branchVersions": listed(hal({"name": TEXT, "latest": FLAG}, "self")), "tags": listed(_NAMED)},
    ),
    "Versions": hal(
        _PAGE,
        f"self {_PAGES} pb:pacticipant pb:versions* pacticipant versions*",
        {"versions": listed(ref("Version"))},
    ),
    "Branch": hal({"name": TEXT, **_TIMES}, "self pb:latest-version"),
    "Branches": hal(_PAGE, f"self pb:branches* {_PAGES}", {"branches": listed(ref("Branch"))}),
    "RemovedBranches": closed({"notices": listed(_NOTICE)}),
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
    "Environments": hal({}, "self pb:environments*", {"environments": listed(ref("Environment"))}),
    "DeployedVersion": hal(_DEPLOYED, "self", _WHERE),
    "Deployments": hal({}, "self", {"deployedVersions": listed(hal(_DEPLOYED, "self"))}),
    "CurrentlyDeployed": hal({}, "self", {"deployedVersions": listed(hal(_DEPLOYED, "self", _WHOSE))}),
    "ReleasedVersion": hal(_RELEASED, "self", _WHERE),
    "Releases": hal({}, "self", {"releasedVersions": listed(hal(_RELEASED, "self"))}),
    "CurrentlySupported": hal({}, "self", {"releasedVersions": listed(hal(_RELEASED, "self", _WHOSE))}),
}

_LATEST_PACT: Final = hal(
    {"createdAt": TIME},
    "self*",
    {"consumer": hal({"name": TEXT}, "self", {"version": _NUMBERED}), "provider": _NAMED},
)

PACTS: Final[dict[str, Schema]] = {
    "Pact": {
        **open_({"createdAt": TIME, "_links": links(_PACT_LINKS)}),
        "description": "The content as it was published, with its time and its links.",
    },
    "ExtendedPact": hal({"createdAt": TIME, "contract": ANY_OBJECT}, _PACT_LINKS, {"tags": listed(_NAMED)}),
    "PactsOfPair": hal(
        {},
        "self consumer? provider? pact-versions*? pb:consumer? pb:provider? pb:pact-versions*?",
        {"pacts": listed(hal({"createdAt": TIME, "revision": NUMBER}, "self", {"consumerVersion": _NUMBERED}))},
    ),
    "PactsOfProvider": hal({}, "self pb:provider pb:pacts* provider pacts*"),
    "LatestPacts": hal({"pacts": listed(_LATEST_PACT)}, "self pb:pacts* pacts* curies*"),
    "DeletedPacts": hal({}, "index pb:latest-pact-version?"),
    "PublishedContracts": hal(
        {
            "logs": listed(closed({"level": TEXT, "message": TEXT, "deprecationWarning": TEXT})),
            "notices": listed(_NOTICE),
        },
        "pb:pacticipant pb:pacticipant-version pb:pacticipant-version-tags* pb:contracts*",
        {"pacticipant": _NAMED, "version": _NUMBERED},
    ),
    "ProviderStates": closed(
        {
            "providerStates": listed(
                closed({"name": or_null(TEXT), "params?": ANYTHING, "consumers": listed(TEXT)}),
            )
        }
    ),
    "PactsForVerification": hal(
        {"notices?": listed(closed({"when": TEXT, "text": TEXT}))},
        "self",
        {
            "pacts": listed(
                hal(
                    {
                        "shortDescription": TEXT,
                        "verificationProperties": closed(
                            {
                                "pending?": FLAG,
                                "wip?": FLAG,
                                "notices": listed(closed({"when": TEXT, "text": TEXT})),
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
    "providerApplicationVersion": or_null(TEXT),
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
        _VERIFICATION, _VERIFICATION_LINKS, {"tags": listed(hal({"name": TEXT, "latest": FLAG}, "self"))}
    ),
    "VerificationSummary": hal(
        {
            "success": FLAG,
            "providerSummary": closed({"successful": listed(TEXT), "failed": listed(TEXT), "unknown": listed(TEXT)}),
        },
        "self",
        {"verificationResults": listed(ref("Verification"))},
    ),
}

_LATEST_TAG: Final = closed({"name": TEXT, "latest": FLAG, "_links": links("self")})
_ENVIRONMENT_IN_MATRIX: Final = hal(
    {"uuid": UUID, "name": TEXT, "displayName?": TEXT, "production": FLAG, **_TIMES}, "self"
)
_SIDE: Final = closed({"name": TEXT, "version": or_null(TEXT)})
_RESULT_IN_MATRIX: Final = hal({"success": FLAG, "verifiedAt": TIME}, "self")

MATRIX: Final[dict[str, Schema]] = {
    "Matrix": closed(
        {
            "summary": closed(
                {
                    "deployable": or_null(FLAG),
                    "reason": TEXT,
                    "success": NUMBER,
                    "failed": NUMBER,
                    "unknown": NUMBER,
                    "ignored?": NUMBER,
                }
            ),
            "notices": listed(_NOTICE),
            "matrix": listed(ref("MatrixRow")),
            "rows": closed({"shown": NUMBER, "total": NUMBER}),
            "reasons": listed(
                closed(
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
    "MatrixRow": closed(
        {
            "consumer": ref("PacticipantInMatrix"),
            "provider": ref("PacticipantInMatrix"),
            "pact": hal({"createdAt": TIME}, "self"),
            "verificationResult": or_null(_RESULT_IN_MATRIX),
            "ignored?": FLAG,
        }
    ),
    "PacticipantInMatrix": hal({"name": TEXT, "version": or_null(ref("VersionInMatrix"))}, "self"),
    "VersionInMatrix": hal(
        {
            "number": TEXT,
            "branch": or_null(TEXT),
            "branches": listed(_LATEST_TAG),
            "branchVersions": listed(_LATEST_TAG),
            "environments": listed(_ENVIRONMENT_IN_MATRIX),
            "tags": listed(_LATEST_TAG),
        },
        "self",
    ),
}

_DASHBOARD_VERSION: Final = {"number": TEXT, "branch": or_null(TEXT), "headBranchNames": listed(TEXT)}

INTEGRATIONS: Final[dict[str, Schema]] = {
    "Integrations": hal(
        _PAGE,
        f"self {_PAGES}",
        {
            "integrations": listed(
                hal(
                    {"consumer": closed({"name": TEXT}), "provider": closed({"name": TEXT})},
                    "pb:dashboard pb:matrix pb:group pb:delete_integration",
                )
            )
        },
    ),
    "Dashboard": closed({"items": listed(ref("DashboardItem"))}),
    "DashboardItem": hal(
        {
            "consumer": hal({"name": TEXT, "version": hal(_DASHBOARD_VERSION, "self")}, "self"),
            "provider": hal({"name": TEXT, "version": or_null(closed(_DASHBOARD_VERSION))}, "self"),
            "pact": hal({"createdAt": TIME}, "self"),
            "pactTags": listed(_LATEST_TAG),
            "latestVerificationResult": or_null(_RESULT_IN_MATRIX),
            "latestVerificationResultTags": listed(_LATEST_TAG),
            "verificationStatus": TEXT,
            "webhookStatus": TEXT,
            "latestWebhookExecution": or_null(ANY_OBJECT),
        },
        "pb:webhook-status",
    ),
}

_WEBHOOK_SIDE: Final = closed({"name?": TEXT, "label?": TEXT})

WEBHOOKS: Final[dict[str, Schema]] = {
    "Webhook": hal(
        {
            "uuid": UUID,
            "description": TEXT,
            "consumer?": _WEBHOOK_SIDE,
            "provider?": _WEBHOOK_SIDE,
            "enabled": FLAG,
            "request": closed(
                {
                    "method": TEXT,
                    "url": TEXT,
                    "headers?": {"type": "object", "additionalProperties": TEXT},
                    "body?": ANYTHING,
                    "username?": TEXT,
                    "password?": TEXT,
                }
            ),
            "events": listed(closed({"name": TEXT})),
            "consumerBranches?": listed(TEXT),
            "providerBranches?": listed(TEXT),
            "tags?": listed(TEXT),
            "environments?": listed(TEXT),
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
    "TriggeredWebhooks": hal({}, "self", {"triggeredWebhooks": listed(ref("TriggeredWebhook"))}),
    "WebhooksStatus": hal(
        {"summary": closed({"successful": NUMBER, "failed": NUMBER, "retrying?": NUMBER, "notRun?": NUMBER})},
        "self pb:error-logs* pb:pact-webhooks pb:pact-version? pb:consumer pb:provider",
        {"triggeredWebhooks": listed(ref("TriggeredWebhook"))},
    ),
    "WebhookLogs": hal(
        {
            "eventName": TEXT,
            "consumerName": TEXT,
            "providerName": TEXT,
            "executions": listed(
                closed(
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
        {"triggeredWebhook": closed({"uuid": UUID})},
    ),
    "WebhookTrial": hal(
        {
            "error?": closed({"message": TEXT}),
            "request": ANY_OBJECT,
            "response?": closed({"status": NUMBER, "headers": ANY_OBJECT, "body": ANYTHING}),
            "message?": TEXT,
            "logs": TEXT,
            "success": FLAG,
        },
        "webhook? try-again",
    ),
}

_COUNT: Final = closed({"count": NUMBER})
_DISTRIBUTION: Final = closed({"distribution": {"type": "object", "additionalProperties": NUMBER}})
_PERIOD: Final = {"first": or_null(TIME), "last": or_null(TIME)}

METRICS: Final[dict[str, Schema]] = {
    "ImportOutcomes": closed(
        {
            "outcomes": listed(
                closed(
                    {
                        "outcome": one_of("copied", "present", "removed", "outdated", "absent", "refused"),
                        "reason": or_null(TEXT),
                    }
                )
            )
        }
    ),
    "ImportedFacts": closed({"values": listed(or_null(TEXT))}),
    "AuditEvents": hal({"events": listed(ref("AuditEvent"))}, "self next? export"),
    "AuditEvent": closed(
        {
            "uuid": UUID,
            "timestamp": TIME,
            "type": TEXT,
            "user_email": or_null(TEXT),
            "db_user_id": or_null(TEXT),
            "credential": closed({"type": TEXT, "name": or_null(TEXT), "uuid": or_null(TEXT)}),
            "address": or_null(TEXT),
            "requestId": or_null(TEXT),
            "outcome": one_of("done", "refused"),
            "status": or_null(NUMBER),
            "count": NUMBER,
            "resource": or_null(TEXT),
            "relatedResource": or_null(TEXT),
            "before": or_null(ANY_OBJECT),
            "after": or_null(ANY_OBJECT),
            "payload": closed(
                {
                    **{name: or_null(TEXT) for name in ("path", "queryString", "method", "userAgent", "referer")},
                    "params": ANY_OBJECT,
                }
            ),
        }
    ),
    "Metrics": closed(
        {
            "interactions": closed(
                {
                    "latestInteractionsCount": NUMBER,
                    "latestMessagesCount": NUMBER,
                    "latestInteractionsAndMessagesCount": NUMBER,
                }
            ),
            "pacticipants": closed({"count": NUMBER, "withMainBranchSetCount": NUMBER}),
            "integrations": _COUNT,
            "pactPublications": closed({"count": NUMBER, **_PERIOD}),
            "pactVersions": _COUNT,
            "pactRevisionsPerConsumerVersion": _DISTRIBUTION,
            "verificationResults": closed(
                {"count": NUMBER, "successCount": NUMBER, "failureCount": NUMBER, "distinctCount": NUMBER, **_PERIOD}
            ),
            "verificationResultsPerPactVersion": _DISTRIBUTION,
            "pacticipantVersions": closed(
                {
                    "count": NUMBER,
                    "withUserCreatedBranchCount": NUMBER,
                    "withBranchCount": NUMBER,
                    "withBranchSetCount": NUMBER,
                }
            ),
            "webhooks": _COUNT,
            "tags": closed({"count": NUMBER, "distinctCount": NUMBER, "distinctWithPacticipantCount": NUMBER}),
            "triggeredWebhooks": _COUNT,
            "webhookExecutions": _COUNT,
            "matrix": _COUNT,
            "environments": _COUNT,
            "deployedVersions": closed({"count": NUMBER, "userCreatedCount": NUMBER, "currentlyDeployedCount": NUMBER}),
            "releasedVersions": closed({"count": NUMBER, "currentlySupportedCount": NUMBER}),
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
                "properties": {"curies": listed(ref("Link"))},
                "additionalProperties": ref("Link"),
            }
        },
        "additionalProperties": False,
    },
    "Heartbeat": hal({"ok": one_of(True)}, "self"),  # noqa: FBT003 - a value of JSON
    "Dependencies": hal({"database": closed({"ok": one_of(True)})}, "self"),  # noqa: FBT003 - likewise
    "OpenApi": open_({"openapi": TEXT, "info": ANY_OBJECT, "paths": ANY_OBJECT}),
}

ANSWERS: Final[dict[str, Schema]] = {
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
