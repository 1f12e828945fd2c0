"""The audit trail: who did what, when, from where, and with which credential.

Events contain no secrets, because more people can read them than may know the secrets, and for longer. Secret values
are replaced by a mark, URLs are reduced to host and path, and long values are truncated.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from enum import Enum, StrEnum
from itertools import count
from random import getrandbits
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import UUID

import orjson

from treaty.model.webhooks.webhooks import PacticipantMatcher, Webhook


class ActorCredential(Enum):
    """The kind of credential with which an actor was authenticated."""

    ANONYMOUS = "anonymous"
    BASIC = "basic"
    BEARER = "bearer"
    SESSION = "session"
    SYSTEM = "system"
    """No credential: the actor is the server itself, or a command on its machine."""


class Action(StrEnum):
    """The type of an event. The values are public: clients filter by them."""

    PACT_PUBLICATION = "pact_publication"
    PACT_REMOVAL = "pact_removal"
    VERIFICATION_PUBLICATION = "verification_publication"
    VERIFICATION_REMOVAL = "verification_removal"
    PROVIDER_CONTRACT_PUBLICATION = "provider_contract_publication"
    COMPARISON = "comparison"
    ENGINE_ACCEPTANCE = "engine_acceptance"
    PACTICIPANT_CREATION = "pacticipant_creation"
    PACTICIPANT_CHANGE = "pacticipant_change"
    PACTICIPANT_RENAME = "pacticipant_rename"
    PACTICIPANT_REMOVAL = "pacticipant_removal"
    LABEL_CREATION = "label_creation"
    LABEL_REMOVAL = "label_removal"
    VERSION_CREATION = "version_creation"
    VERSION_CHANGE = "version_change"
    VERSION_REMOVAL = "version_removal"
    ALIAS_CREATION = "alias_creation"
    ALIAS_REMOVAL = "alias_removal"
    TAG_CREATION = "tag_creation"
    TAG_REMOVAL = "tag_removal"
    BRANCH_VERSION_CREATION = "branch_version_creation"
    BRANCH_VERSION_REMOVAL = "branch_version_removal"
    BRANCH_REMOVAL = "branch_removal"
    ENVIRONMENT_CREATION = "environment_creation"
    ENVIRONMENT_CHANGE = "environment_change"
    ENVIRONMENT_REMOVAL = "environment_removal"
    DEPLOYMENT = "deployment"
    DEPLOYMENT_END = "deployment_end"
    RELEASE = "release"
    RELEASE_END = "release_end"
    DECISION = "decision"
    OVERRIDE_CREATION = "override_creation"
    OVERRIDE_REVOCATION = "override_revocation"
    INTEGRATION_CHANGE = "integration_change"
    INTEGRATION_REMOVAL = "integration_removal"
    REMOVAL_OF_EVERYTHING = "removal_of_everything"
    WEBHOOK_CREATION = "webhook_creation"
    WEBHOOK_CHANGE = "webhook_change"
    WEBHOOK_REMOVAL = "webhook_removal"
    WEBHOOK_TRIAL = "webhook_trial"
    WEBHOOK_FAILING = "webhook_failing"
    WEBHOOK_REDELIVERY = "webhook_redelivery"
    WEBHOOK_CANCELLATION = "webhook_cancellation"
    SECRET_CREATION = "secret_creation"  # noqa: S105 - the name of an action
    SECRET_CHANGE = "secret_change"  # noqa: S105 - the name of an action
    SECRET_REMOVAL = "secret_removal"  # noqa: S105 - the name of an action
    IMPORT = "import"
    CLEANING = "cleaning"
    REPAIR = "repair"
    KEY_CHANGE = "key_change"
    BACKUP = "backup"
    RESTORATION = "restoration"
    USER_CREATION = "user_creation"
    USER_CHANGE = "user_change"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - the name of an action
    TOKEN_CREATION = "token_creation"  # noqa: S105 - the name of an action
    TOKEN_REGENERATION = "token_regeneration"  # noqa: S105 - the name of an action
    TOKEN_REVOCATION = "token_revocation"  # noqa: S105 - the name of an action
    SETUP_LINK_CREATION = "setup_link_creation"
    SECOND_FACTOR_SETUP = "second_factor_setup"
    SECOND_FACTOR_REMOVAL = "second_factor_removal"
    RECOVERY_CODES_CREATION = "recovery_codes_creation"
    RECOVERY_CODE_USE = "recovery_code_use"
    SIGN_IN = "sign_in"
    REAUTHENTICATION = "reauthentication"
    SIGN_OUT = "sign_out"
    SIGN_IN_FAILURE = "sign_in_failure"
    ACCESS_REFUSAL = "access_refusal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who acts, with which credential, from where, and by which request."""

    user: str | None = None
    account: str | None = None
    """The UUID of the user's account; None for users of the settings."""
    credential: ActorCredential = ActorCredential.SYSTEM
    credential_name: str | None = None
    """The name of a token, or of the part of the server that acts. It is not secret."""
    credential_id: str | None = None
    """The UUID of a token or session."""
    address: str | None = None
    request_id: str | None = None
    method: str | None = None
    path: str | None = None
    query: str | None = None
    user_agent: str | None = None
    referer: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEvent:
    """An event of the audit trail: an action, or denied requests."""

    id: int
    type: str
    actor: Actor
    resource: str | None
    """The object of the action: the name of a pacticipant, environment or user, or the UUID of a webhook."""
    other: str | None
    """The second object, if there are two: the provider of a pact, or the environment of a deployment."""
    details: Mapping[str, Any]
    """`params` identify the object further; `before` and `after` contain the changed fields."""
    status: int | None
    """The status of denied requests; None for actions."""
    count: int
    """The number of denied requests of the same kind within a minute; 1 for actions."""

    @property
    def uuid(self) -> str:
        return event_uuid(self.id)

    @property
    def at(self) -> datetime:
        return event_time(self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """The properties that events must have to be listed. None stands for any value."""

    who: str | None = None
    account: str | None = None
    type: str | None = None
    resource: str | None = None
    credential: str | None = None
    """A kind of credential, or the name or UUID of one."""
    address: str | None = None
    version: str | None = None
    """The number of a version of the pacticipant `resource`."""
    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""

    @property
    def is_empty(self) -> bool:
        return self == AuditFilter()


# The id of an event contains its time in milliseconds (upper bits) and a sequence number (lower bits), and its UUID
# contains the same. So the primary key is in the order of time, and a page that starts at a UUID still starts at the
# right position after retention has removed that event.

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_SEQUENCE_BITS: Final = 21
_SEQUENCE_MASK: Final = (1 << _SEQUENCE_BITS) - 1
# Each process starts at a random number, so that events of several processes in the same millisecond rarely collide.
_SEQUENCE: Final = count(getrandbits(_SEQUENCE_BITS - 1))


def generate_event_id(at: datetime) -> int:
    """Generate the id of an event. The sequence number distinguishes events of the same millisecond."""
    return first_event_id(at) | next(_SEQUENCE) & _SEQUENCE_MASK


def first_event_id(at: datetime) -> int:
    """Return the lowest id of events at this time or later."""
    return (at - _EPOCH) // _MILLISECOND << _SEQUENCE_BITS


def event_time(event_id: int) -> datetime:
    return _EPOCH + (event_id >> _SEQUENCE_BITS) * _MILLISECOND


_UUID_VERSION_AND_VARIANT: Final = 8 << 76 | 2 << 62
"""Version 8 of RFC 9562: a UUID with a layout of its own."""


def event_uuid(event_id: int) -> str:
    """Return the UUID of an event. UUIDs are in the order of ids."""
    timestamp, sequence = event_id >> _SEQUENCE_BITS, event_id & _SEQUENCE_MASK
    return str(UUID(int=timestamp << 80 | _UUID_VERSION_AND_VARIANT | sequence))


def find_event_id(uuid: str) -> int | None:
    """Return the id of the event with this UUID, which need not exist; None for a UUID of another kind."""
    try:
        value = UUID(uuid).int
    except ValueError:
        return None
    event_id = value >> 80 << _SEQUENCE_BITS | value & _SEQUENCE_MASK
    # Ids are signed 64-bit integers in the database.
    is_event_id = event_id < 1 << 63 and event_uuid(event_id) == str(UUID(int=value))
    return event_id if is_event_id else None


# Details: redacted and truncated values

MAX_DETAILS_LENGTH: Final = 8_000
"""Characters of the details of an event, as JSON."""
_MAX_VALUE_LENGTH: Final = 200
_MAX_ITEMS: Final = 20
REDACTED: Final = "(hidden)"
REDACTED_CHANGE: Final = "(hidden, changed)"
FieldValues = Mapping[str, object]


def encode_details(params: FieldValues, before: FieldValues, after: FieldValues) -> str | None:
    """Encode the details of an event as JSON, truncated to MAX_DETAILS_LENGTH; None if there are none."""
    parts = {"params": params, "before": before, "after": after}
    details = {name: values for name, values in parts.items() if values}
    if not details:
        return None
    text = orjson.dumps(details, default=str)
    # Usually the whole text is shorter than one value may be, and nothing has to be truncated.
    if len(text) > _MAX_VALUE_LENGTH:
        text = orjson.dumps(_truncate(details), default=str)
    if len(text) > MAX_DETAILS_LENGTH:
        text = orjson.dumps({name: {"names": _truncate(list(values))} for name, values in details.items()})
    return text.decode()


def _truncate(value: Any) -> Any:
    match value:
        case str():
            return shorten(value, _MAX_VALUE_LENGTH)
        case Mapping():
            return {shorten(str(name), _MAX_VALUE_LENGTH): _truncate(member) for name, member in value.items()}
        case Sequence() if len(value) > _MAX_ITEMS:
            return [*map(_truncate, value[:_MAX_ITEMS]), f"… and {len(value) - _MAX_ITEMS} more"]
        case Sequence():
            return [_truncate(item) for item in value]
        case _:
            return value


def shorten(text: str, max_length: int) -> str:
    """Truncate a text to a number of characters, with an ellipsis as the last one."""
    return text if len(text) <= max_length else text[: max_length - 1] + "…"


def diff_fields(before: FieldValues, after: FieldValues) -> tuple[FieldValues, FieldValues]:
    """Return the fields of both sides that differ."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    old = {name: before[name] for name in names if name in before}
    return old, {name: after[name] for name in names if name in after}


def collect_fields(instance: Any, *excluded: str) -> FieldValues:
    """Return the fields of a dataclass instance, redacted, without times and without the excluded ones.

    The event itself has the time. A field with a secret must be excluded: only URLs are redacted.
    """
    names = [field.name for field in fields(instance)]
    included = (name for name in names if name not in excluded and not name.endswith("_at"))
    return {name: redact_value(name, getattr(instance, name)) for name in included}


def redact_value(name: str, value: Any) -> Any:
    """Redact the value of a field whose name says that it is a URL; return any other value."""
    return redact_url(value) if isinstance(value, str) and name.endswith("url") else value


def redact_url(url: str) -> str:
    """Reduce a URL to scheme, host and path: credentials and queries may contain secrets."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return REDACTED
    if not parts.scheme or not host:
        # A relative path, such as a referer may be. Anything else that is not a URL could be a secret.
        return url if re.fullmatch(r"[\w./-]*", url) else REDACTED
    return f"{parts.scheme}://{host}{parts.path}"


def diff_webhooks(before: Webhook | None, after: Webhook | None) -> tuple[FieldValues, FieldValues]:
    """Return the fields of both sides that differ; fields that may contain secrets only show that they changed."""
    old = _describe_webhook(before, before) if before else {}
    new = _describe_webhook(after, before or after) if after else {}
    return diff_fields(old, new)


def _describe_webhook(webhook: Webhook, earlier: Webhook) -> FieldValues:
    request, earlier_request = webhook.request, earlier.request
    return {
        "description": webhook.description,
        "consumer": _describe_matcher(webhook.consumer),
        "provider": _describe_matcher(webhook.provider),
        **_describe_additions(webhook),
        "enabled": webhook.is_enabled,
        "pauses": webhook.pauses,
        "events": list(webhook.events),
        "method": request.method,
        # Services such as Slack authenticate webhooks by the path of their URL, so it is redacted, too.
        "url": f"{_read_origin(request.url)}/{_redact(request.url, earlier_request.url)}",
        "headers": {name: _redact(value, earlier_request.headers.get(name)) for name, value in request.headers.items()},
        "body": _redact(request.body, earlier_request.body),
        "username": _redact(request.username, earlier_request.username),
        "password": _redact(request.password, earlier_request.password),
        "secret": _redact(webhook.secret, earlier.secret),
        "filters": None if webhook.filters.is_empty else collect_fields(webhook.filters),
    }


def _redact(value: object, earlier_value: object) -> str | None:
    if value is None:
        return None
    return REDACTED if value == earlier_value else REDACTED_CHANGE


def _read_origin(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return REDACTED
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _describe_additions(webhook: Webhook) -> FieldValues:
    """Describe the properties that most webhooks do not have."""
    lists = {"consumers": webhook.consumers, "providers": webhook.providers}
    values: dict[str, Any] = {
        role: [_describe_matcher(member) for member in members]
        for role, members in lists.items()
        if members is not None
    }
    if webhook.digest is not None:
        values["digest"] = webhook.digest
    return values


def _describe_matcher(matcher: PacticipantMatcher | None) -> object:
    if matcher is None:
        return None
    return {"name": matcher.name} if matcher.name is not None else {"label": matcher.label}


_SECRET_NAME: Final = re.compile(r"auth|code|credential|key|pass|pwd|secret|sig|token", re.IGNORECASE)
"""Names of parameters that are likely to contain secrets."""


def redact_query(text: str) -> str:
    """Redact the values of parameters in a query string whose names suggest secrets."""
    # Searching the whole text first is faster than splitting it; most queries contain no such name.
    has_secret_name = "=" in text and _SECRET_NAME.search(text)
    return "&".join(map(_redact_parameter, text.split("&"))) if has_secret_name else text


def _redact_parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={REDACTED}" if equals and _SECRET_NAME.search(name) else pair
