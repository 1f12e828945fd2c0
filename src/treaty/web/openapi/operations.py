"""What each operation takes and gives beyond what its route says; a line an operation, by the name of its handler."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Operation:
    """A schema that is answered, a schema that a body must fit, and parameters of the query."""

    response_schema: str | None = None
    body_schema: str | None = None
    query: tuple[str, ...] = ()
    conflict: str | None = None
    """How it is refused if it contradicts what is there."""


_PAGE: Final = ("page", "size")
_SEARCH: Final = ("q", *_PAGE)
_BADGE: Final = ("label", "initials")
_NETWORK: Final = ("focus", "depth", "label", "environment", "branch", "state")
_AUDIT: Final = ("user", "userUuid", "type", "resource", "credential", "address", "since", "until", "sort", "from")
_DESTINATION: Final = ("tag", "environment", "mainBranch", "latest", "latestby", "success[]", "limit", "ignore[]")
_SELECTOR: Final = (
    "q[][pacticipant]",
    "q[][version]",
    "q[][branch]",
    "q[][tag]",
    "q[][environment]",
    "q[][mainBranch]",
    "q[][latest]",
)
_OLD_SELECTOR: Final = (
    "provider_version_branch",
    "provider_version_tags[]",
    "consumer_version_selectors[][tag]",
    "consumer_version_selectors[][latest]",
    "consumer_version_selectors[][consumer]",
    "include_pending_status",
    "include_wip_pacts_since",
)

OPERATIONS: Final[Mapping[str, Operation]] = {
    # Who asks
    "get_user": Operation("User"),
    "list_tokens": Operation("Tokens"),
    "regenerate_token": Operation("IssuedToken"),
    "get_index": Operation("Index"),
    "get_openapi": Operation("OpenApi"),
    "show_heartbeat": Operation("Heartbeat"),
    "show_dependencies": Operation("Dependencies"),
    "show_metrics": Operation("Metrics"),
    "show_prometheus": Operation(),
    "fail": Operation(),
    "get_static": Operation(),
    # Pacticipants
    "list_pacticipants": Operation("Pacticipants", query=_SEARCH),
    "create_pacticipant": Operation("Pacticipant", "NewPacticipantBody", conflict="409"),
    "list_pacticipants_with_label": Operation("Pacticipants", query=_SEARCH),
    "show_pacticipant": Operation("Pacticipant"),
    "replace_pacticipant": Operation("Pacticipant", "PacticipantBody"),
    "change_pacticipant": Operation("Pacticipant", "PacticipantBody"),
    "remove_pacticipant": Operation(),
    "list_labels": Operation("Labels", query=_PAGE),
    "show_label": Operation("Label"),
    "add_label": Operation("Label", "NothingBody"),
    "remove_label": Operation(),
    # Versions, branches and tags
    "list_versions": Operation("Versions", query=_PAGE),
    "list_versions_on_branch": Operation("Versions", query=_PAGE),
    "list_versions_with_tag": Operation("Versions", query=_PAGE),
    "list_versions_in_environment": Operation("Versions", query=_PAGE),
    "show_latest_version": Operation("Version"),
    "show_latest_version_with_tag": Operation("Version"),
    "show_latest_version_on_branch": Operation("Version"),
    "show_version": Operation("Version"),
    "replace_version": Operation("Version", "VersionBody"),
    "change_version": Operation("Version", "VersionBody"),
    "remove_version": Operation(),
    "list_branches": Operation("Branches", query=_SEARCH),
    "remove_branches": Operation("RemovedBranches", query=("exclude[]",)),
    "show_branch": Operation("Branch"),
    "remove_branch": Operation(),
    "show_branch_version": Operation("BranchVersion"),
    "put_on_branch": Operation("BranchVersion", "NothingBody"),
    "take_off_branch": Operation(),
    "show_tag": Operation("Tag"),
    "put_tag": Operation("Tag", "NothingBody"),
    "remove_tag": Operation(),
    # Environments
    "list_environments": Operation("Environments", query=("name",)),
    "add_environment": Operation("Environment", "EnvironmentBody"),
    "show_environment": Operation("Environment"),
    "change_environment": Operation("Environment", "EnvironmentBody"),
    "remove_environment": Operation(),
    "list_currently_deployed": Operation("CurrentlyDeployed", query=("pacticipant", "applicationInstance")),
    "list_currently_supported": Operation("CurrentlySupported", query=("pacticipant", "version")),
    "list_deployments": Operation("Deployments"),
    "record_deployment": Operation("DeployedVersion", "DeploymentBody"),
    "list_releases": Operation("Releases"),
    "record_release": Operation("ReleasedVersion", "NothingBody"),
    "show_deployed_version": Operation("DeployedVersion"),
    "change_deployed_version": Operation("DeployedVersion", "UndeploymentBody"),
    "show_released_version": Operation("ReleasedVersion"),
    "change_released_version": Operation("ReleasedVersion", "EndOfSupportBody"),
    # Pacts
    "publish_contracts": Operation("PublishedContracts", "PublishBody", conflict="409"),
    "get_pact": Operation("Pact"),
    "put_pact": Operation("Pact", "PactBody", conflict="409"),
    "patch_pact": Operation("Pact", "PactBody", conflict="409-without-words"),
    "delete_pact": Operation("DeletedPacts"),
    "get_pact_version": Operation("Pact"),
    "get_pact_version_with_metadata": Operation("Pact"),
    "get_latest_pact": Operation("Pact"),
    "get_latest_tagged_pact": Operation("Pact"),
    "get_latest_untagged_pact": Operation("Pact"),
    "get_latest_branch_pact": Operation("Pact"),
    "get_previous_distinct_pact": Operation("Pact"),
    "compare_with_previous": Operation(),
    "compare_with_version": Operation(),
    "compare_with_content": Operation(),
    "get_pacts": Operation("PactsOfPair"),
    "get_tagged_pacts": Operation("PactsOfPair"),
    "get_branch_pacts": Operation("PactsOfPair"),
    "get_main_branch_pacts": Operation("PactsOfPair"),
    "get_pacts_of_branch_head": Operation("PactsOfPair"),
    "get_pacts_of_main_branch_head": Operation("PactsOfPair"),
    "delete_pacts": Operation(),
    "delete_tagged_pacts": Operation("DeletedPacts"),
    "delete_branch_pacts": Operation("DeletedPacts"),
    "delete_main_branch_pacts": Operation("DeletedPacts", conflict="409"),
    "get_provider_pacts": Operation("PactsOfProvider"),
    "get_provider_pacts_with_tag": Operation("PactsOfProvider"),
    "get_branch_provider_pacts": Operation("PactsOfProvider"),
    "get_main_branch_provider_pacts": Operation("PactsOfProvider"),
    "get_latest_branch_provider_pacts": Operation("PactsOfProvider"),
    "get_latest_main_branch_provider_pacts": Operation("PactsOfProvider"),
    "get_latest_provider_pacts": Operation("PactsOfProvider"),
    "get_latest_provider_pacts_with_tag": Operation("PactsOfProvider"),
    "get_latest_pacts": Operation("LatestPacts"),
    "get_provider_states": Operation("ProviderStates"),
    "get_branch_provider_states": Operation("ProviderStates"),
    "get_environment_provider_states": Operation("ProviderStates"),
    # Verification
    "list_pacts_for_verification": Operation("PactsForVerification", query=_OLD_SELECTOR),
    "select_pacts_for_verification": Operation("PactsForVerification", "PactsForVerificationBody"),
    "publish_verification": Operation("Verification", "VerificationBody"),
    "publish_verification_with_metadata": Operation("Verification", "VerificationBody"),
    "get_verification": Operation("Verification"),
    "get_verification_with_metadata": Operation("Verification"),
    "get_latest_verification": Operation("Verification"),
    "delete_verification": Operation(),
    "delete_verification_with_metadata": Operation(),
    "delete_latest_verification": Operation(),
    "get_summary": Operation("VerificationSummary"),
    # The matrix, and whether something can be deployed
    "show_matrix": Operation("Matrix", query=(*_SELECTOR, *_DESTINATION)),
    "show_matrix_of_pair": Operation("Matrix", query=_DESTINATION),
    "can_i_deploy": Operation("Matrix", query=("pacticipant", "version", "to", "environment", "ignore[]")),
    "can_i_deploy_tag": Operation("Matrix"),
    "can_i_deploy_branch": Operation("Matrix"),
    "pact_badge": Operation(query=_BADGE),
    "tagged_pact_badge": Operation(query=_BADGE),
    "untagged_pact_badge": Operation(query=_BADGE),
    "matrix_badge": Operation(query=_BADGE),
    "can_i_deploy_tag_badge": Operation(query=("label",)),
    "can_i_deploy_branch_badge": Operation(query=("label",)),
    "can_i_merge_badge": Operation(query=("label",)),
    # Integrations
    "list_integrations": Operation("Integrations", query=_SEARCH),
    "remove_everything": Operation(),
    "remove_integration": Operation(),
    "show_group": Operation(query=("maxPacticipants",)),
    "show_relationships": Operation(),
    "draw_network": Operation(query=_NETWORK),
    "list_network_as_dot": Operation(query=_NETWORK),
    "list_network_as_mermaid": Operation(query=_NETWORK),
    "show_dashboard": Operation("Dashboard", query=_PAGE),
    "show_dashboard_of_pair": Operation("Dashboard", query=_PAGE),
    # The audit trail
    "list_audit": Operation("AuditEvents", query=(*_AUDIT, "pageNumber", "pageSize")),
    "export_audit": Operation(query=_AUDIT),
    # Importing
    "import_facts": Operation("ImportOutcomes", "ImportBody", conflict="409"),
    "look_up_imported_facts": Operation("ImportedFacts", "ImportLookupBody"),
    # Webhooks
    "list_webhooks": Operation("Webhooks"),
    "create_webhook": Operation("Webhook", "WebhookBody"),
    "list_webhooks_of_pair": Operation("Webhooks"),
    "create_webhook_of_pair": Operation("Webhook", "WebhookBody"),
    "list_webhooks_of_pact": Operation("Webhooks"),
    "create_webhook_of_pact": Operation("Webhook", "WebhookBody"),
    "list_webhooks_of_provider": Operation("Webhooks"),
    "create_webhook_of_provider": Operation("Webhook", "WebhookBody"),
    "list_webhooks_of_consumer": Operation("Webhooks"),
    "create_webhook_of_consumer": Operation("Webhook", "WebhookBody"),
    "get_webhook": Operation("Webhook"),
    "put_webhook": Operation("Webhook", "WebhookBody"),
    "delete_webhook": Operation(),
    "execute_webhook": Operation("WebhookTrial"),
    "execute_unsaved_webhook": Operation("WebhookTrial", "WebhookBody"),
    "list_triggered_webhooks_of_pact": Operation("TriggeredWebhooks"),
    "list_triggered_webhooks_of_verification": Operation("TriggeredWebhooks"),
    "show_webhooks_status": Operation("WebhooksStatus"),
    "get_logs": Operation("WebhookLogs"),
    "redeliver": Operation("TriggeredWebhook", conflict="409"),
}
