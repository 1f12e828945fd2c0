"""Profiles: how strictly documents and pacts are compared."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final


class Profile(StrEnum):
    """Named set of switches; a provider has one."""

    STRICT = "strict"
    REFERENCE = "reference"
    PACTFLOW = "pactflow"


@dataclass(frozen=True, kw_only=True, slots=True)
class Switches:
    """What a comparison overlooks. The first group can be set within a document, as `info.x-opc-config-<name>`.

    The second group distinguishes `strict` from `reference`.
    """

    cast_objects_in_pact: bool = False
    case_insensitive: bool = False
    disable_multipart_formdata: bool = False
    ignore_duplicate_slashes: bool = False
    ignore_trailing_slash: bool = False
    legacy_parser: bool = False
    no_authorization_schema: bool = False
    no_percent_encoding: bool = False
    no_transform_non_nullable_response_schema: bool = False
    no_validate_complex_parameters: bool = False
    no_validate_request_body_unless_application_json: bool = False
    base_path: str | None = None

    requires_all_schemes: bool = False
    allows_overlapping_branches: bool = False
    uses_server_paths: bool = False
    uses_matching_rules: bool = False
    separates_read_only: bool = False
    unites_all_of: bool = False
    """All `required`, `enum` and limits within `allOf` apply, instead of replacing each other."""
    follows_declarations: bool = False
    """Parameters are read by their declared types, and parts are compared that the reference engine overlooks."""
    follows_asyncapi: bool = False
    """Messages of the channel where an operation lists none, payloads in other formats, and pacts of version 3."""


_PREFIX: Final = "x-opc-config-"

_OF_DOCUMENTS: Final = frozenset(
    {
        "cast_objects_in_pact",
        "case_insensitive",
        "disable_multipart_formdata",
        "ignore_duplicate_slashes",
        "ignore_trailing_slash",
        "legacy_parser",
        "no_authorization_schema",
        "no_percent_encoding",
        "no_transform_non_nullable_response_schema",
        "no_validate_complex_parameters",
        "no_validate_request_body_unless_application_json",
    }
)

_REFERENCE: Final = Switches()

_PACTFLOW: Final = Switches(
    cast_objects_in_pact=True,
    disable_multipart_formdata=True,
    ignore_duplicate_slashes=True,
    ignore_trailing_slash=True,
    legacy_parser=True,
    no_authorization_schema=True,
    no_percent_encoding=True,
    no_transform_non_nullable_response_schema=True,
    no_validate_complex_parameters=True,
    no_validate_request_body_unless_application_json=True,
)

_STRICT: Final = Switches(
    requires_all_schemes=True,
    allows_overlapping_branches=True,
    uses_server_paths=True,
    uses_matching_rules=True,
    separates_read_only=True,
    unites_all_of=True,
    follows_declarations=True,
    follows_asyncapi=True,
)

SWITCHES: Final = {Profile.STRICT: _STRICT, Profile.REFERENCE: _REFERENCE, Profile.PACTFLOW: _PACTFLOW}


def switches_for(profile: Profile, content: Mapping[str, Any]) -> Switches:
    """Return the switches of a profile, overridden by those that the document sets in its `info`."""
    info = content.get("info")
    if not isinstance(info, Mapping):
        return SWITCHES[profile]
    settings: dict[str, Any] = {}
    for key, value in info.items():
        name = str(key).removeprefix(_PREFIX).replace("-", "_") if str(key).startswith(_PREFIX) else ""
        if name in _OF_DOCUMENTS:
            settings[name] = _is_on(value)
        elif name == "base_path" and isinstance(value, str):
            settings[name] = value
    return replace(SWITCHES[profile], **settings)


def _is_on(value: Any) -> bool:
    return value.strip().lower() not in {"", "false", "no", "off"} if isinstance(value, str) else bool(value)
