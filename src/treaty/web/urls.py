"""Every URL of the broker, defined once. Routes, links and the OpenAPI document use these templates."""

from collections.abc import Mapping
from functools import cached_property, lru_cache
from secrets import token_hex
from typing import Final
from urllib.parse import quote as _quote

PLACEHOLDER_MARK: Final = f"\x00{token_hex(6)}"
"""Begins placeholders that are replaced when a response is rendered. Input of clients cannot contain this character."""
BASE_URL_PLACEHOLDER: Final = f"{PLACEHOLDER_MARK}base"
"""Placeholder for the base URL."""
URL_PLACEHOLDER: Final = f"{PLACEHOLDER_MARK}here"
"""Placeholder for the URL of the request, for links to the requested page itself."""
URL_WITH_QUERY_PLACEHOLDER: Final = f"{PLACEHOLDER_MARK}asked"
"""Placeholder for the URL of the request with its query string."""


def _encode(text: str) -> str:
    # Clients remove dot segments from URLs. Browsers also remove those that are percent-encoded, most libraries do not.
    return text.replace(".", "%2E") if text in {".", ".."} else _quote(text, safe="~")


quote: Final = lru_cache(maxsize=8192)(_encode)
"""Percent-encode a name: all but the unreserved characters of RFC 3986, and the dots of `.` and `..`."""


class EncodedSegment(str):
    """A segment that is already encoded for a URL."""

    __slots__ = ()


def encode_minimally(text: str) -> EncodedSegment:
    """Encode only characters that a segment cannot contain, so that a client's value is returned unchanged."""
    return EncodedSegment(_quote(text, safe="~!$&'()*+,;=:@"))


def encode_header(text: str) -> str:
    """Encode a name for a header, which can contain only printable ASCII characters."""
    return text if text.isascii() and text.isprintable() else quote(text)


def _segment(value: str) -> str:
    return value if isinstance(value, EncodedSegment) else quote(value)


PACTICIPANT_PLACEHOLDERS: Final = frozenset({"pacticipant", "consumer", "provider"})
"""Placeholders that are names of pacticipants."""


_VERSION_PLACEHOLDERS: Final = frozenset({"version", "consumerVersion", "comparison"})
"""Placeholders that are numbers of versions, of the pacticipant that the path names before them."""


class Url:
    """A path with named segments: `/pacticipants/{pacticipant}`."""

    def __init__(self, template: str) -> None:
        self.template = template
        pieces = template.replace("}", "{").split("{")
        self.first, *fixed = pieces[0::2]
        self.names = tuple(pieces[1::2])
        self.rest = tuple(zip(self.names, fixed, strict=True))

    def fill(self, **names: str) -> str:
        """Fill in names, percent-encoded. A segment left out remains a variable, which makes the link templated."""
        return _filled(self, **names)

    @property
    def has_pacticipant(self) -> bool:
        return not PACTICIPANT_PLACEHOLDERS.isdisjoint(self.names)

    @cached_property
    def owners_of_versions(self) -> Mapping[int, int]:
        """Map the index of each placeholder of a version to that of its pacticipant."""
        owners: dict[int, int] = {}
        owner = None
        for index, name in enumerate(self.names):
            if name in PACTICIPANT_PLACEHOLDERS:
                owner = index
            elif name in _VERSION_PLACEHOLDERS and owner is not None:
                owners[index] = owner
        return owners

    def __add__(self, more: str) -> "Url":
        return Url(self.template + more)

    def __repr__(self) -> str:
        return f"Url({self.template!r})"


@lru_cache(maxsize=16384, typed=True)  # an Encoded name is another one than its equal that is a plain text
def _filled(url: Url, /, **names: str) -> str:
    text = url.first
    for name, fixed in url.rest:
        value = names.get(name)
        text += (f"{{{name}}}" if value is None else _segment(value)) + fixed
    return text


INDEX: Final = Url("/")
HEARTBEAT: Final = Url("/diagnostic/status/heartbeat")
DEPENDENCIES: Final = Url("/diagnostic/status/dependencies")
READINESS: Final = Url("/diagnostic/status/ready")
DOC: Final = Url("/doc/{rel}")
DOCS: Final = Url("/docs")
PROXIES: Final = DOCS + "/proxies"
REASONS: Final = DOCS + "/reasons"
GUIDE: Final = DOCS + "/guide"
GUIDE_PAGE: Final = GUIDE + "/{page}"
GUIDE_SUBPAGE: Final = GUIDE + "/{folder}/{page}"
GUIDE_IMAGE: Final = GUIDE + "/images/{name}"
OPENAPI: Final = Url("/openapi.json")
EXPLORER: Final = Url("/explorer")
HAL_BROWSER: Final = Url("/hal-browser")
HAL_BROWSER_PAGE: Final = HAL_BROWSER + "/browser.html"
STATIC: Final = Url("/static/{name}")
SEARCH: Final = Url("/search")
ATTENTION: Final = Url("/attention")
PENDING: Final = Url("/pending")
TRENDS: Final = Url("/trends")
TREND_ROWS: Final = TRENDS + "/rows"
SYSTEM: Final = Url("/network")
SYSTEM_SVG: Final = SYSTEM + "/svg"
SYSTEM_DOT: Final = SYSTEM + "/dot"
SYSTEM_MERMAID: Final = SYSTEM + "/mermaid"
RELATIONSHIPS_PAGE: Final = Url("/ui/relationships")
ERROR_TEST: Final = Url("/test/error")
SECURITY_TXT: Final = Url("/.well-known/security.txt")
METRICS: Final = Url("/metrics")
PROMETHEUS: Final = METRICS + "/prometheus"

PACTICIPANTS: Final = Url("/pacticipants")
PACTICIPANTS_WITH_LABEL: Final = PACTICIPANTS + "/label/{label}"
PACTICIPANT: Final = PACTICIPANTS + "/{pacticipant}"
NETWORK: Final = PACTICIPANT + "/network"
CONNECTED_INTEGRATIONS: Final = Url("/pacticipant/{pacticipant}/network")
"""The original's spelling, with `pacticipant` in the singular. The page of the network has the plural."""
RENAME_PACTICIPANT: Final = PACTICIPANT + "/rename"
EDIT_PACTICIPANT: Final = PACTICIPANT + "/edit"
DELETE_PACTICIPANT: Final = PACTICIPANT + "/delete"
PACTICIPANT_LABEL: Final = PACTICIPANT + "/labels/{label}"
LABELS: Final = Url("/labels")

VERSIONS: Final = PACTICIPANT + "/versions"
DEPLOYED_OR_RELEASED_VERSIONS: Final = PACTICIPANT + "/deployed-or-released/versions"
VERSION: Final = VERSIONS + "/{version}"
LATEST_VERSION: Final = PACTICIPANT + "/latest-version"
LATEST_TAGGED_VERSION: Final = LATEST_VERSION + "/{tag}"
VERSIONS_IN_ENVIRONMENT: Final = PACTICIPANT + "/environments/{environment}/versions"
TAG_VERSIONS: Final = PACTICIPANT + "/tags/{tag}/versions"
VERSION_LOOKUP: Final = PACTICIPANT + "/version-lookup"
VERSION_TAG: Final = VERSION + "/tags/{tag}"
VERSION_ALIASES: Final = VERSION + "/aliases"
VERSION_ALIAS: Final = VERSION_ALIASES + "/{alias}"

BRANCHES: Final = PACTICIPANT + "/branches"
BRANCH: Final = BRANCHES + "/{branch}"
LATEST_BRANCH_VERSION: Final = BRANCH + "/latest-version"
BRANCH_VERSIONS: Final = BRANCH + "/versions"
BRANCH_VERSION: Final = BRANCH_VERSIONS + "/{version}"

ENVIRONMENTS: Final = Url("/environments")
ENVIRONMENT: Final = ENVIRONMENTS + "/{uuid}"
NEW_ENVIRONMENT: Final = ENVIRONMENTS + "/new"
EDIT_ENVIRONMENT: Final = ENVIRONMENT + "/edit"
DELETE_ENVIRONMENT: Final = ENVIRONMENT + "/delete"
ENVIRONMENT_HISTORY: Final = ENVIRONMENT + "/history/{pacticipant}"
ENVIRONMENT_WHAT_IF: Final = ENVIRONMENT + "/what-if"
CURRENTLY_DEPLOYED: Final = ENVIRONMENT + "/deployed-versions/currently-deployed"
CURRENTLY_SUPPORTED: Final = ENVIRONMENT + "/released-versions/currently-supported"
DEPLOYMENTS: Final = VERSION + "/deployed-versions/environment/{environment}"
RELEASES: Final = VERSION + "/released-versions/environment/{environment}"
DEPLOYED_VERSION: Final = Url("/deployed-versions/{uuid}")
RELEASED_VERSION: Final = Url("/released-versions/{uuid}")

PROVIDER_PACTS: Final = Url("/pacts/provider/{provider}")
PROVIDER_PACTS_WITH_TAG: Final = PROVIDER_PACTS + "/tag/{tag}"
LATEST_PROVIDER_PACTS: Final = PROVIDER_PACTS + "/latest"
LATEST_PROVIDER_PACTS_WITH_TAG: Final = LATEST_PROVIDER_PACTS + "/{tag}"
MAIN_BRANCH_PROVIDER_PACTS: Final = PROVIDER_PACTS + "/branch"
LATEST_MAIN_BRANCH_PROVIDER_PACTS: Final = MAIN_BRANCH_PROVIDER_PACTS + "/latest"
BRANCH_PROVIDER_PACTS: Final = MAIN_BRANCH_PROVIDER_PACTS + "/{branch}"
LATEST_BRANCH_PROVIDER_PACTS: Final = BRANCH_PROVIDER_PACTS + "/latest"
LATEST_PACTS: Final = Url("/pacts/latest")
PROVIDER_STATES: Final = PROVIDER_PACTS + "/provider-states"
BRANCH_PROVIDER_STATES: Final = PROVIDER_STATES + "/branch/{branch}"
ENVIRONMENT_PROVIDER_STATES: Final = PROVIDER_STATES + "/environment/{environment}"
PACTS_FOR_VERIFICATION: Final = PROVIDER_PACTS + "/for-verification"

PAIR: Final = PROVIDER_PACTS + "/consumer/{consumer}"
PACT: Final = PAIR + "/version/{version}"
PACT_ALIASES: Final = (
    PAIR + "/versions/{version}",
    Url("/pact/provider/{provider}/consumer/{consumer}/version/{version}"),
)
PREVIOUS_DISTINCT_PACT: Final = PACT + "/previous-distinct"
DIFF_WITH_PREVIOUS: Final = PACT + "/diff/previous-distinct"
DIFF_WITH_VERSION: Final = PACT + "/diff/version/{comparison}"
PACT_TRIGGERED_WEBHOOKS: Final = PACT + "/triggered-webhooks"
PACT_VERSION: Final = PAIR + "/pact-version/{sha}"
DIFF_WITH_PACT_VERSION: Final = PACT_VERSION + "/diff/pact-version/{pactVersion}"
PACT_VERSION_WITH_METADATA: Final = PACT_VERSION + "/metadata/{metadata}"
LATEST_PACT: Final = PAIR + "/latest"
LATEST_PACT_ALIAS: Final = Url("/pact/provider/{provider}/consumer/{consumer}/latest")
LATEST_TAGGED_PACT: Final = LATEST_PACT + "/{tag}"
LATEST_UNTAGGED_PACT: Final = PAIR + "/latest-untagged"
LATEST_BRANCH_PACT: Final = PAIR + "/branch/{branch}/latest"
PACTS: Final = PAIR + "/versions"
TAGGED_PACTS: Final = PAIR + "/tag/{tag}"
MAIN_BRANCH_PACTS: Final = PAIR + "/branch/versions"
BRANCH_PACTS: Final = PAIR + "/branch/{branch}"
LATEST_MAIN_BRANCH_PACTS: Final = PAIR + "/branch/latest/versions"
LATEST_BRANCH_PACTS: Final = BRANCH_PACTS + "/latest/versions"

PUBLISH_CONTRACTS: Final = Url("/contracts/publish")
COMPARE_CONTRACTS: Final = Url("/contracts/compare")

PROVIDER_CONTRACTS: Final = Url("/provider-contracts/provider/{provider}")
PUBLISH_PROVIDER_CONTRACT: Final = PROVIDER_CONTRACTS + "/publish"
PUBLISH_PROVIDER_CONTRACTS: Final = PROVIDER_CONTRACTS + "/publish-contracts"
COMPARISON_PROFILE: Final = PROVIDER_CONTRACTS + "/profile"
COMPARISON_ENGINE: Final = Url("/provider-contracts/engine")
ACCEPTED_ENGINE: Final = COMPARISON_ENGINE + "/accepted"
COMPARISON_ENGINE_PAGE: Final = Url("/settings/comparisons")
PROVIDER_CONTRACT: Final = Url("/contracts/provider/{provider}/version/{version}")
"""The address to which clients put contracts if the index does not link to `PUBLISH_PROVIDER_CONTRACT`."""
BIDIRECTIONAL: Final = Url("/contracts/bi-directional/provider/{provider}/version/{version}")
BIDIRECTIONAL_PAIR: Final = BIDIRECTIONAL + "/consumer/{consumer}/version/{consumerVersion}"
COVERAGE: Final = BIDIRECTIONAL + "/coverage"
COMPARISON: Final = PROVIDER_CONTRACT + "/consumer/{consumer}/pact-version/{sha}/verification-results"
"""The comparison of a pact with the contract of a provider version: for clients, and as a page for browsers."""
COMPARISON_OF_VERSIONS: Final = BIDIRECTIONAL_PAIR + "/cross-contract-verification-results"
"""The comparison by the version of the consumer instead of its content, with the same page."""
CONTRACT: Final = BIDIRECTIONAL + "/provider-contract"
"""The contract of a provider version: for clients, and as a page for browsers."""
CONTRACT_TEXT: Final = CONTRACT + "/document"
"""The page with the text of a document; `name` is its name, and `line` a line to show."""
CONTRACT_DOWNLOAD: Final = CONTRACT_TEXT + "/download"
NEWEST_CONTRACT: Final = PACTICIPANT + "/provider-contract"
"""The page of the newest contract of a provider."""

VERIFICATIONS: Final = PACT_VERSION + "/verification-results"
VERIFICATIONS_WITH_METADATA: Final = PACT_VERSION_WITH_METADATA + "/verification-results"
VERIFICATION: Final = VERIFICATIONS + "/{number}"
VERIFICATION_WITH_METADATA: Final = VERIFICATIONS_WITH_METADATA + "/{number}"
VERIFICATION_TRIGGERED_WEBHOOKS: Final = VERIFICATION + "/triggered-webhooks"
LATEST_VERIFICATION: Final = VERIFICATIONS + "/latest"
LATEST_VERIFICATION_OF_PACT: Final = PACT + "/verification-results/latest"
LATEST_VERIFICATION_OF_LATEST_PACT: Final = LATEST_PACT + "/verification-results/latest"
LATEST_VERIFICATION_OF_LATEST_TAGGED_PACT: Final = LATEST_TAGGED_PACT + "/verification-results/latest"
VERIFICATIONS_OF_CONSUMER_VERSION: Final = Url("/verification-results/consumer/{consumer}/version/{version}/latest")

INTEGRATIONS: Final = Url("/integrations")
INTEGRATION: Final = INTEGRATIONS + "/provider/{provider}/consumer/{consumer}"
# The original's answer to OPTIONS names the methods of an integration, so its properties have a URL of their own.
FIRST_DEPLOYMENTS: Final = INTEGRATION + "/first-deployments"
EDIT_FIRST_DEPLOYMENTS: Final = FIRST_DEPLOYMENTS + "/edit"
GROUP: Final = Url("/groups/{pacticipant}")
RELATIONSHIPS: Final = Url("/relationships")
DASHBOARD: Final = Url("/dashboard")
PAIR_DASHBOARD: Final = DASHBOARD + "/provider/{provider}/consumer/{consumer}"

MATRIX: Final = Url("/matrix")
PAIR_MATRIX: Final = MATRIX + "/provider/{provider}/consumer/{consumer}"
CAN_I_DEPLOY: Final = Url("/can-i-deploy")
DECISIONS: Final = Url("/decisions")
DECISION: Final = DECISIONS + "/{uuid}"
DECISION_TRENDS: Final = DECISIONS + "/trends"
WHAT_IF: Final = DECISIONS + "/what-if"
OVERRIDES: Final = Url("/overrides")
OVERRIDE: Final = OVERRIDES + "/{uuid}"
NEW_OVERRIDE: Final = OVERRIDES + "/new"
REVOKE_OVERRIDE: Final = OVERRIDE + "/revoke"
CAN_I_DEPLOY_TAG: Final = LATEST_TAGGED_VERSION + "/can-i-deploy/to/{environmentTag}"
CAN_I_DEPLOY_TAG_BADGE: Final = CAN_I_DEPLOY_TAG + "/badge"
CAN_I_DEPLOY_BRANCH: Final = LATEST_BRANCH_VERSION + "/can-i-deploy/to-environment/{environment}"
CAN_I_DEPLOY_BRANCH_BADGE: Final = CAN_I_DEPLOY_BRANCH + "/badge"
CAN_I_MERGE_BADGE: Final = PACTICIPANT + "/main-branch/can-i-merge/badge"
PACT_BADGE: Final = LATEST_PACT + "/badge"
TAGGED_PACT_BADGE: Final = LATEST_TAGGED_PACT + "/badge"
UNTAGGED_PACT_BADGE: Final = LATEST_UNTAGGED_PACT + "/badge"
MATRIX_BADGE: Final = Url("/matrix/provider/{provider}/latest/{providerTag}/consumer/{consumer}/latest/{tag}/badge")

REVISION: Final = Url("/revision")
USAGE: Final = Url("/usage")
USAGE_OPERATIONS: Final = USAGE + "/operations"
USAGE_PAGE: Final = PACTICIPANT + "/usage"
INTERACTIONS_PAGE: Final = PACTICIPANT + "/interactions"

IMPORT: Final = Url("/import")
IMPORT_LOOKUP: Final = IMPORT + "/known"
EXPORT: Final = Url("/export")
EXPORT_PAGE: Final = EXPORT + "/{kind}"

EVENTS: Final = Url("/events")

AUDIT: Final = Url("/audit")
AUDIT_EXPORT: Final = AUDIT + "/export"
AUDIT_PAGE: Final = Url("/settings/audit")

WEBHOOKS: Final = Url("/webhooks")
WEBHOOK: Final = WEBHOOKS + "/{uuid}"
NEW_WEBHOOK: Final = WEBHOOKS + "/new"
EDIT_WEBHOOK: Final = WEBHOOK + "/edit"
DELETE_WEBHOOK: Final = WEBHOOK + "/delete"
TEST_WEBHOOK: Final = WEBHOOK + "/try"
EXECUTE_WEBHOOK: Final = WEBHOOK + "/execute"
EXECUTE_UNSAVED_WEBHOOK: Final = WEBHOOKS + "/execute"
PROVIDER_WEBHOOKS: Final = WEBHOOKS + "/provider/{provider}"
CONSUMER_WEBHOOKS: Final = WEBHOOKS + "/consumer/{consumer}"
PAIR_WEBHOOKS: Final = PROVIDER_WEBHOOKS + "/consumer/{consumer}"
PACT_WEBHOOKS: Final = PAIR + "/webhooks"
PACT_WEBHOOKS_STATUS: Final = PACT_WEBHOOKS + "/status"
TRIGGERED_WEBHOOK_LOGS: Final = Url("/triggered-webhooks/{uuid}/logs")
REDELIVER: Final = Url("/triggered-webhooks/{uuid}/redeliver")
REDELIVER_PAGE: Final = Url("/triggered-webhooks/{uuid}/again")

SECRETS: Final = Url("/secrets")
SECRET: Final = SECRETS + "/{uuid}"
NEW_SECRET: Final = SECRETS + "/new"
EDIT_SECRET: Final = SECRET + "/edit"
DELETE_SECRET: Final = SECRET + "/delete"

SIGN_IN: Final = Url("/sign-in")
SIGN_IN_CODE: Final = SIGN_IN + "/code"
REAUTHENTICATE: Final = SIGN_IN + "/again"
SIGN_OUT: Final = Url("/sign-out")
SETUP: Final = Url("/setup")
USER: Final = Url("/user")
SETTINGS: Final = Url("/settings")
ACCOUNT: Final = SETTINGS + "/account"
SECOND_FACTOR: Final = ACCOUNT + "/second-factor"
SET_UP_SECOND_FACTOR: Final = SECOND_FACTOR + "/set-up"
CONFIRM_SECOND_FACTOR: Final = SECOND_FACTOR + "/confirm"
REMOVE_SECOND_FACTOR: Final = SECOND_FACTOR + "/remove"
RECOVERY_CODES: Final = SECOND_FACTOR + "/recovery-codes"
END_SESSIONS: Final = SETTINGS + "/sessions/end"
TOKENS: Final = SETTINGS + "/tokens"
NEW_TOKEN: Final = TOKENS + "/new"
TOKEN: Final = TOKENS + "/{uuid}"
REGENERATE_TOKEN: Final = TOKEN + "/regenerate"
RENEW_TOKEN: Final = TOKEN + "/renew"
REVOKE_TOKEN: Final = TOKEN + "/revoke"
USERS: Final = SETTINGS + "/users"
NEW_USER: Final = USERS + "/new"
USER_PAGE: Final = USERS + "/{uuid}"

PATH_PARAMETERS: Final = {
    "pacticipant": ("The name of a pacticipant.", "Example App"),
    "consumer": ("The name of the consumer.", "Example App"),
    "provider": ("The name of the provider.", "Example API"),
    "version": ("The number of a version.", "1.0.0"),
    "branch": ("The name of a branch. A slash in it is encoded as `%2F`.", "main"),
    "alias": ("Another name of a version.", "c0ffee1"),
    "tag": ("The name of a tag.", "main"),
    "providerTag": ("The name of a tag of the provider's versions.", "main"),
    "consumerVersion": ("The version number of the consumer.", "1.0.0"),
    "environmentTag": ("The tag of the versions at the destination.", "production"),
    "environment": ("The UUID of an environment, or its name in paths of decisions.", "production"),
    "label": ("The name of a label.", "shop"),
    "uuid": ("The `uuid` that the broker returned.", "3fa85f64-5717-4562-b3fc-2c963f66afa6"),
    "sha": ("The hash of a pact's content.", "4ac05b5b4b5bd6ae6a1d0a7d3b4dc4a1b1dd2f36"),
    "pactVersion": ("The hash of other content of the same pair.", "9a3f1d5ebb1b3c1f3f0cfb8fd1e5f2a7c8b0f8d1"),
    "comparison": ("The number of the version to compare with.", "1.1.0"),
    "metadata": ("The reason why a pact was selected, from its URL in a list of pacts for verification.", "dz10cnVl"),
    "number": ("The number of a verification result.", "1"),
    "kind": ("The kind of the facts.", "versions"),
    "name": ("The name of a file.", "documentation.css"),
}
"""Description and example of each name in the paths of the API, for the OpenAPI document."""
