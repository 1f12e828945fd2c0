"""What can be asked next, with something of an answer: OpenAPI's links, by the name of the operation that answers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

_UUID: Final = {"uuid": "$response.body#/uuid"}
_PAIR: Final = {"provider": "$request.path.provider", "consumer": "$request.path.consumer"}
_PACTICIPANT: Final = {"pacticipant": "$request.path.pacticipant"}
_VERSION: Final = {**_PACTICIPANT, "version": "$request.path.version"}
_CONTENT: Final = {**_PAIR, "sha": "$response.body#/_links/pb:pact-version/name"}
_PUBLISHED: Final = {
    "provider": "$request.body#/contracts/0/providerName",
    "consumer": "$request.body#/pacticipantName",
    "version": "$request.body#/pacticipantVersionNumber",
}
_NEW: Final = {"pacticipant": "$response.body#/name"}
_OF_VERSION: Final = ("show_version", "change_version", "put_tag", "put_on_branch", "remove_version")
_OF_PACT: Final = ("get_pact", "patch_pact", "get_previous_distinct_pact", "compare_with_previous", "delete_pact")
_OF_CONTENT: Final = ("get_pact_version", "publish_verification", "get_latest_verification")
_OF_ENVIRONMENT: Final = (
    "show_environment",
    "change_environment",
    "list_currently_deployed",
    "list_currently_supported",
    "remove_environment",
)

Parameters = Mapping[str, str]

_NEXT: Final[Mapping[str, Iterable[tuple[Parameters, Iterable[str]]]]] = {
    "create_pacticipant": (
        (_NEW, ("show_pacticipant", "replace_pacticipant", "list_versions", "list_branches", "remove_pacticipant")),
        (_NEW, ("show_latest_version", "add_label", "replace_version", "show_group")),
    ),
    "add_label": (({**_PACTICIPANT, "label": "$request.path.label"}, ("show_label", "remove_label")),),
    "replace_version": ((_VERSION, _OF_VERSION),),
    "put_tag": (
        ({**_VERSION, "tag": "$request.path.tag"}, ("show_tag", "remove_tag")),
        (
            {**_PACTICIPANT, "tag": "$request.path.tag"},
            ("show_latest_version_with_tag", "list_versions_with_tag"),
        ),
    ),
    "put_on_branch": (
        (
            {**_PACTICIPANT, "branch": "$request.path.branch"},
            ("show_branch", "list_versions_on_branch", "show_latest_version_on_branch", "remove_branch"),
        ),
        ({**_VERSION, "branch": "$request.path.branch"}, ("show_branch_version", "take_off_branch")),
    ),
    "add_environment": (
        (_UUID, _OF_ENVIRONMENT),
        (
            {"environment": "$response.body#/uuid"},
            ("record_deployment", "record_release", "list_deployments", "list_versions_in_environment"),
        ),
    ),
    "record_deployment": ((_UUID, ("show_deployed_version", "change_deployed_version")),),
    "record_release": ((_UUID, ("show_released_version", "change_released_version")),),
    "publish_contracts": (
        (_PUBLISHED, (*_OF_PACT, "put_pact")),
        ({name: _PUBLISHED[name] for name in ("provider", "consumer")}, ("get_latest_pact", "get_pacts")),
        ({"provider": _PUBLISHED["provider"]}, ("select_pacts_for_verification", "get_provider_pacts")),
    ),
    "put_pact": (
        ({**_PAIR, "version": "$request.path.version"}, _OF_PACT),
        (_CONTENT, _OF_CONTENT),
        (_PAIR, ("get_latest_pact", "get_pacts", "show_matrix_of_pair", "create_webhook_of_pair")),
    ),
    "get_latest_pact": ((_CONTENT, _OF_CONTENT),),
    "create_webhook": ((_UUID, ("get_webhook", "put_webhook", "delete_webhook")),),
}


def list_links(operation: str) -> dict[str, Any]:
    """List where an operation's answer leads."""
    return {
        name: {"operationId": name, "parameters": dict(parameters)}
        for parameters, names in _NEXT.get(operation, ())
        for name in names
    }
