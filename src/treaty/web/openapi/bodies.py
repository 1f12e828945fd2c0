"""What requests may hold: schemas of their bodies with an example each, and parameters of paths and queries."""

from typing import Any, Final

from pydantic.json_schema import models_json_schema

from treaty.model.overview.overview import PactState
from treaty.model.webhooks.events import EVENT_NAMES
from treaty.web.api.deployments import EnvironmentBody
from treaty.web.api.maintenance.imports import ImportBody, ImportLookupBody
from treaty.web.api.pacticipants.pacticipants import NewPacticipantBody, PacticipantBody
from treaty.web.api.pacts.contracts import PublishBody
from treaty.web.api.verifications import VerificationBody
from treaty.web.api.versions.versions import VersionBody
from treaty.web.openapi.notation import (
    ANY_OBJECT,
    ANYTHING,
    FLAG,
    NAME,
    NUMBER,
    TEXT,
    UUID,
    Schema,
    array_of,
    nullable,
    one_of,
    open_object,
    ref,
)

_CHECKED: Final = (
    PublishBody,
    EnvironmentBody,
    ImportBody,
    ImportLookupBody,
    NewPacticipantBody,
    PacticipantBody,
    VerificationBody,
    VersionBody,
)
"""Bodies that are checked by models, from which their schemas are made."""


def build_body_schemas() -> dict[str, Schema]:
    """Make schemas of the models, and of what they hold."""
    _, made = models_json_schema(
        [(model, "validation") for model in _CHECKED], ref_template="#/components/schemas/{model}"
    )
    schemas: dict[str, Schema] = made["$defs"]
    schemas["VerificationBody"]["properties"]["testResults"] = {"description": "Results in any form."}
    return schemas


_PACT_SIDE: Final = open_object({"name": TEXT})
_SELECTOR: Final = open_object(
    {
        "mainBranch?": one_of(True),  # noqa: FBT003 - a value of JSON
        "matchingBranch?": one_of(True),  # noqa: FBT003 - likewise
        "branch?": {"anyOf": [NAME, one_of(True)]},  # noqa: FBT003 - likewise
        "fallbackBranch?": NAME,
        "tag?": NAME,
        "fallbackTag?": NAME,
        "latest?": FLAG,
        "consumer?": NAME,
        "deployed?": one_of(True),  # noqa: FBT003 - likewise
        "released?": one_of(True),  # noqa: FBT003 - likewise
        "deployedOrReleased?": one_of(True),  # noqa: FBT003 - likewise
        "environment?": NAME,
    }
)
_WEBHOOK_SIDE: Final = open_object({"name?": TEXT, "label?": TEXT})

UNTYPED_BODIES: Final[dict[str, Schema]] = {
    "NothingBody": {**ANY_OBJECT, "description": "Nothing needs to be said; an empty object will do."},
    "DeploymentBody": open_object({"applicationInstance?": nullable(TEXT), "target?": nullable(TEXT)}),
    "UndeploymentBody": open_object({"currentlyDeployed?": FLAG}),
    "EndOfSupportBody": open_object({"currentlySupported?": FLAG}),
    "PactBody": {
        **open_object({"consumer?": _PACT_SIDE, "provider?": _PACT_SIDE, "interactions?": array_of(ANY_OBJECT)}),
        "description": "A pact as Pact libraries write it, of any version of the specification.",
    },
    "PactsForVerificationBody": open_object(
        {
            "providerVersionBranch?": nullable(TEXT),
            "providerVersionTags?": nullable(array_of(TEXT)),
            "includePendingStatus?": FLAG,
            "includeWipPactsSince?": {**TEXT, "description": "A date, or a date and time."},
            "consumerVersionSelectors?": array_of(ref("ConsumerVersionSelector")),
        }
    ),
    "ConsumerVersionSelector": _SELECTOR,
    "WebhookBody": open_object(
        {
            "description?": nullable(TEXT),
            "consumer?": _WEBHOOK_SIDE,
            "provider?": _WEBHOOK_SIDE,
            "enabled?": FLAG,
            "events?": {**array_of(open_object({"name": one_of(*EVENT_NAMES)})), "minItems": 1},
            "request": open_object(
                {
                    "method": TEXT,
                    "url": TEXT,
                    "headers?": ANY_OBJECT,
                    "body?": ANYTHING,
                    "username?": nullable(TEXT),
                    "password?": nullable(TEXT),
                }
            ),
            "consumerBranches?": nullable(array_of(TEXT)),
            "providerBranches?": nullable(array_of(TEXT)),
            "tags?": nullable(array_of(TEXT)),
            "environments?": nullable(array_of(TEXT)),
            "mainBranchOnly?": nullable(FLAG),
            "pauseWhenFailing?": nullable(FLAG),
            "secret?": nullable(TEXT),
        }
    ),
}

_PACTICIPANT: Final = {
    "name": "Example App",
    "displayName": "Example App",
    "repositoryUrl": "https://git.example.org/shop/example-app",
    "mainBranch": "main",
}

EXAMPLES: Final[dict[str, Any]] = {
    "NothingBody": {},
    "NewPacticipantBody": _PACTICIPANT,
    "PacticipantBody": _PACTICIPANT,
    "VersionBody": {"buildUrl": "https://ci.example.org/builds/17", "tags": [{"name": "main"}]},
    "EnvironmentBody": {
        "name": "production",
        "displayName": "Production",
        "production": True,
        "contacts": [{"name": "Platform", "details": {"emailAddress": "platform@example.org"}}],
    },
    "DeploymentBody": {"applicationInstance": "blue"},
    "UndeploymentBody": {"currentlyDeployed": False},
    "EndOfSupportBody": {"currentlySupported": False},
    "PactBody": {
        "consumer": {"name": "Example App"},
        "provider": {"name": "Example API"},
        "interactions": [
            {
                "description": "a request for a product",
                "providerState": "product 7 exists",
                "request": {"method": "GET", "path": "/products/7"},
                "response": {"status": 200, "body": {"id": 7}},
            }
        ],
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    },
    "PublishBody": {
        "pacticipantName": "Example App",
        "pacticipantVersionNumber": "1.0.0",
        "branch": "main",
        "tags": ["main"],
        "buildUrl": "https://ci.example.org/builds/17",
        "contracts": [
            {
                "consumerName": "Example App",
                "providerName": "Example API",
                "specification": "pact",
                "contentType": "application/json",
                "content": "eyJpbnRlcmFjdGlvbnMiOiBbXX0=",
            }
        ],
    },
    "PactsForVerificationBody": {
        "providerVersionBranch": "main",
        "includePendingStatus": True,
        "includeWipPactsSince": "2024-01-01",
        "consumerVersionSelectors": [{"mainBranch": True}, {"matchingBranch": True}, {"deployedOrReleased": True}],
    },
    "VerificationBody": {
        "success": True,
        "providerApplicationVersion": "2.0.0",
        "buildUrl": "https://ci.example.org/builds/18",
        "verifiedBy": {"implementation": "pact-python", "version": "4.0.0"},
    },
    "ImportBody": {
        "source": "https://old-broker.example.org",
        "run": "5a4a2c1e",
        "dryRun": False,
        "finished": True,
        "facts": [
            {
                "kind": "version",
                "pacticipant": "Example App",
                "number": "0.9.0",
                "createdAt": "2024-01-31T09:00:00Z",
                "updatedAt": "2024-01-31T09:00:00Z",
                "below": "1.0.0",
                "tags": [{"name": "old", "createdAt": "2024-01-31T09:00:00Z"}],
            }
        ],
    },
    "ImportLookupBody": {
        "source": "https://old-broker.example.org",
        "facts": [["version", "Example App", "0.9.0"]],
    },
    "WebhookBody": {
        "description": "Verify what changed",
        "provider": {"name": "Example API"},
        "events": [{"name": "contract_requiring_verification_published"}],
        "request": {
            "method": "POST",
            "url": "https://ci.example.org/verify",
            "headers": {"Content-Type": "application/json"},
            "body": {"pact": "${pactbroker.pactUrl}", "commit": "${pactbroker.providerVersionNumber}"},
        },
    },
}

PATH_PARAMETERS: Final[dict[str, tuple[str, str]]] = {
    "pacticipant": ("The name of a pacticipant.", "Example App"),
    "consumer": ("The name of the consumer.", "Example App"),
    "provider": ("The name of the provider.", "Example API"),
    "version": ("The number of a version.", "1.0.0"),
    "branch": ("The name of a branch. A slash in it is written `%2F`.", "main"),
    "tag": ("The name of a tag.", "main"),
    "providerTag": ("The name of a tag of the provider's versions.", "main"),
    "environmentTag": ("The tag of the versions that are where the version is to go.", "production"),
    "environment": ("The UUID of an environment, or its name where versions are asked about.", "production"),
    "label": ("The name of a label.", "shop"),
    "uuid": ("What the broker gave as `uuid`.", "3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    "sha": ("The digest of a pact's content.", "4ac05b5b4b5bd6ae6a1d0a7d3b4dc4a1b1dd2f36"),
    "pactVersion": ("The digest of other content of the same pair.", "9a3f1d5ebb1b3c1f3f0cfb8fd1e5f2a7c8b0f8d1"),
    "comparison": ("The number of the version to compare with.", "1.1.0"),
    "metadata": (
        "What a list of pacts for verification put into the URL: why the pact was chosen.",
        "dz10cnVl",
    ),
    "number": ("The number of a verification result.", "1"),
    "name": ("The name of a file.", "documentation.css"),
}
"""What stands in paths, with an example each."""

_FLAG_TEXT: Final = one_of("true", "false")

QUERY_PARAMETERS: Final[dict[str, tuple[str, Schema]]] = {
    "q": ("A part of the name, in small or capital letters.", TEXT),
    "page": ("Which page is wanted. Without this and `size` the whole list is given.", {**NUMBER, "minimum": 1}),
    "size": ("How many a page has.", {**NUMBER, "minimum": 1}),
    "pageNumber": ("Which page is wanted.", {**NUMBER, "minimum": 1, "maximum": 1_000_000}),
    "pageSize": ("How many a page has.", {**NUMBER, "minimum": 1, "maximum": 100}),
    "user": ("The name of who did it.", TEXT),
    "userUuid": ("The UUID of who did it.", TEXT),
    "type": ("What was done.", TEXT),
    "resource": ("To what: an application, an environment, a webhook's UUID, a user.", TEXT),
    "credential": ("The kind of a credential, or the name or UUID of one.", TEXT),
    "address": ("The address from which it was done.", TEXT),
    "since": ("The first moment that counts.", {**TEXT, "examples": ["2026-01-31T09:00:00Z"]}),
    "until": ("The first moment that no longer counts.", {**TEXT, "examples": ["2026-02-01"]}),
    "sort": ("The order; the oldest comes first without it.", one_of("+timestamp", "timestamp", "-timestamp")),
    "from": ("The UUID of the event to begin with.", UUID),
    "name": ("The name.", TEXT),
    "pacticipant": ("The name of a pacticipant.", TEXT),
    "version": ("The number of a version.", TEXT),
    "to": ("The tag of the versions that are where the version is to go.", TEXT),
    "environment": ("The name of an environment.", TEXT),
    "applicationInstance": ("The name of an application instance; blank for what has none.", TEXT),
    "exclude[]": ("Branches that are to stay.", array_of(TEXT)),
    "label": ("Of a badge: a text for the left side, instead of the names. Else a label that applications have.", TEXT),
    "focus": ("The name of an application, around which others are shown.", TEXT),
    "depth": (
        "How many steps around it; without this, as many as fit.",
        one_of("1", "2", "3", "all"),
    ),
    "branch": ("A branch of consumers, whose latest pact counts.", TEXT),
    "state": ("How pacts stand.", one_of(*(one.value for one in PactState))),
    "initials": ("Whether names are cut to their initials.", _FLAG_TEXT),
    "maxPacticipants": ("How many pacticipants to show at most.", {**NUMBER, "minimum": 0}),
    "tag": ("Only what works with versions that have this tag.", TEXT),
    "mainBranch": ("Only what works with versions of main branches.", _FLAG_TEXT),
    "latest": ("Of the versions with the tag or on the branch, only the latest.", _FLAG_TEXT),
    "latestby": ("Leave out results that later ones replace: `cvp` or `cvpv`.", one_of("cvp", "cvpv")),
    "success[]": ("Only rows with these results; an empty one stands for none.", array_of(one_of("true", "false", ""))),
    "limit": ("How many rows to show at most.", {**NUMBER, "minimum": 1}),
    "ignore[]": ("Names of pacticipants whose results do not count.", array_of(TEXT)),
    "q[][pacticipant]": ("The name of a selector's pacticipant; each begins a selector.", array_of(TEXT)),
    "q[][version]": ("The number of its version.", array_of(TEXT)),
    "q[][branch]": ("A branch of its versions.", array_of(TEXT)),
    "q[][tag]": ("A tag of its versions.", array_of(TEXT)),
    "q[][environment]": ("The environment where its versions are.", array_of(TEXT)),
    "q[][mainBranch]": ("Whether its versions are those of its main branch.", array_of(_FLAG_TEXT)),
    "q[][latest]": ("Whether only the latest of its versions counts.", array_of(_FLAG_TEXT)),
    "provider_version_branch": ("The branch of the version that verifies.", TEXT),
    "provider_version_tags[]": ("The tags of the version that verifies.", array_of(TEXT)),
    "consumer_version_selectors[][tag]": ("The tag of a selector; each begins a selector.", array_of(TEXT)),
    "consumer_version_selectors[][latest]": ("Whether only the latest version counts.", array_of(_FLAG_TEXT)),
    "consumer_version_selectors[][consumer]": ("The name of the consumer.", array_of(TEXT)),
    "include_pending_status": ("Whether to say which pacts are pending.", _FLAG_TEXT),
    "include_wip_pacts_since": ("Also give works in progress since this date.", TEXT),
}
"""Parameters of queries, in Rack's notation."""
