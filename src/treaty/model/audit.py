"""The audit trail: who did what, when, from where, and with which credential.

Nothing in it is a secret. What is hidden elsewhere is not copied here, long values are cut, and of URLs only that stays
which names a place.
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
    """What somebody showed, to be let in."""

    ANONYMOUS = "anonymous"
    BASIC = "basic"
    BEARER = "bearer"
    SESSION = "session"
    SYSTEM = "system"
    """Nothing: it was the server itself, or a command on its machine."""


class Action(StrEnum):
    """What was done."""

    PACT_PUBLICATION = "pact_publication"
    PACT_REMOVAL = "pact_removal"
    VERIFICATION_PUBLICATION = "verification_publication"
    VERIFICATION_REMOVAL = "verification_removal"
    PACTICIPANT_CREATION = "pacticipant_creation"
    PACTICIPANT_CHANGE = "pacticipant_change"
    PACTICIPANT_REMOVAL = "pacticipant_removal"
    LABEL_CREATION = "label_creation"
    LABEL_REMOVAL = "label_removal"
    VERSION_CREATION = "version_creation"
    VERSION_CHANGE = "version_change"
    VERSION_REMOVAL = "version_removal"
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
    INTEGRATION_REMOVAL = "integration_removal"
    REMOVAL_OF_EVERYTHING = "removal_of_everything"
    WEBHOOK_CREATION = "webhook_creation"
    WEBHOOK_CHANGE = "webhook_change"
    WEBHOOK_REMOVAL = "webhook_removal"
    WEBHOOK_TRIAL = "webhook_trial"
    WEBHOOK_FAILING = "webhook_failing"
    WEBHOOK_REDELIVERY = "webhook_redelivery"
    WEBHOOK_CANCELLATION = "webhook_cancellation"
    IMPORT = "import"
    CLEANING = "cleaning"
    REPAIR = "repair"
    KEY_CHANGE = "key_change"
    USER_CREATION = "user_creation"
    USER_CHANGE = "user_change"
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - what was done to it
    TOKEN_CREATION = "token_creation"  # noqa: S105 - what was done to it
    TOKEN_REGENERATION = "token_regeneration"  # noqa: S105 - what was done to it
    TOKEN_REVOCATION = "token_revocation"  # noqa: S105 - what was done to it
    SETUP_LINK_CREATION = "setup_link_creation"
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    SIGN_IN_FAILURE = "sign_in_failure"
    ACCESS_REFUSAL = "access_refusal"


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """Who does something, with what, from where, and with which request."""

    user: str | None = None
    account: str | None = None
    """The UUID of the user, where it has one."""
    credential: ActorCredential = ActorCredential.SYSTEM
    credential_name: str | None = None
    """The name of a token, or of the part of the server that does it; never what is secret about a credential."""
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
    """Something that was done, as the trail has it."""

    id: int
    type: str
    actor: Actor
    resource: str | None
    """What it was done to: an application's or environment's name, a webhook's UUID, a user's name."""
    other: str | None
    """The second one, where there are two: a pact's provider, or the environment of a deployment."""
    details: Mapping[str, Any]
    """`params` say which one it was; `before` and `after` what changed."""
    status: int | None
    """What a request was refused with; None for what was done."""
    count: int
    """How often it was refused alike within a minute."""

    @property
    def uuid(self) -> str:
        return event_uuid(self.id)

    @property
    def at(self) -> datetime:
        return event_time(self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """Which events are wanted. None leaves all."""

    who: str | None = None
    account: str | None = None
    type: str | None = None
    resource: str | None = None
    credential: str | None = None
    """A kind of credential, or the name of one."""
    address: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """The first moment that is no longer wanted."""

    @property
    def is_empty(self) -> bool:
        return self == AuditFilter()


# An event's number is made of its time, and so is its UUID: each says by itself where in the trail the event stands,
# and goes on to say so after the event is gone.

_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_BITS: Final = 21
_MASK: Final = (1 << _BITS) - 1
_SEQUENCE: Final = count(getrandbits(_BITS - 1))


def generate_event_id(at: datetime) -> int:
    """Make up the number of an event. Events of the same moment are told apart by their lowest bits."""
    return first_event_id(at) | next(_SEQUENCE) & _MASK


def first_event_id(at: datetime) -> int:
    """Say from which number on events are not earlier."""
    return (at - _START) // _MILLISECOND << _BITS


def event_time(number: int) -> datetime:
    return _START + (number >> _BITS) * _MILLISECOND


_MARKS: Final = 8 << 76 | 2 << 62
"""What says of an UUID that it is made as its maker likes."""


def event_uuid(number: int) -> str:
    """Name an event. Later ones have greater names."""
    return str(UUID(int=number >> _BITS << 80 | _MARKS | number & _MASK))


def find_event_id(uuid: str) -> int | None:
    """Find the number of the event that has this name; None for what is no such name."""
    try:
        value = UUID(uuid).int
    except ValueError:
        return None
    number = value >> 80 << _BITS | value & _MASK
    return number if number < 1 << 63 and event_uuid(number) == str(UUID(int=value)) else None


# What is told of values

MAX_DETAILS_LENGTH: Final = 8_000
"""Characters that the details of an event may have."""
_LONGEST: Final = 200
_MOST_ITEMS: Final = 20
REDACTED: Final = "(hidden)"
FieldValues = Mapping[str, object]


def encode_details(params: FieldValues, before: FieldValues, after: FieldValues) -> str | None:
    """Write down what is said about an event, cut to what one may have."""
    parts = {"params": params, "before": before, "after": after}
    given = {name: values for name, values in parts.items() if values}
    if not given:
        return None
    text = orjson.dumps(given, default=str)
    if len(text) > _LONGEST:
        text = orjson.dumps(_cut(given), default=str)
    if len(text) > MAX_DETAILS_LENGTH:
        text = orjson.dumps({name: {"names": _cut(list(values))} for name, values in given.items()})
    return text.decode()


def _cut(value: Any) -> Any:
    match value:
        case str():
            return shorten(value, _LONGEST)
        case Mapping():
            return {shorten(str(name), _LONGEST): _cut(one) for name, one in value.items()}
        case Sequence() if len(value) > _MOST_ITEMS:
            return [*map(_cut, value[:_MOST_ITEMS]), f"… and {len(value) - _MOST_ITEMS} more"]
        case Sequence():
            return [_cut(one) for one in value]
        case _:
            return value


def shorten(text: str, longest: int) -> str:
    """Cut a text."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def diff_fields(before: FieldValues, after: FieldValues) -> tuple[FieldValues, FieldValues]:
    """Keep what is not the same in both."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    old = {name: before[name] for name in names if name in before}
    return old, {name: after[name] for name in names if name in after}


def collect_fields(thing: Any, *left_out: str) -> FieldValues:
    """List what is said about a thing by itself: without times, and without what is left out."""
    names = (one.name for one in fields(thing) if one.name not in left_out and not one.name.endswith("_at"))
    return {name: redact_value(name, getattr(thing, name)) for name in names}


def redact_value(name: str, value: Any) -> Any:
    """Say a value so that nothing in it is a secret: an URL may hold one."""
    return redact_url(value) if isinstance(value, str) and name.endswith("url") else value


def redact_url(url: str) -> str:
    """Leave out of an URL who signs in, and what is asked for."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return REDACTED
    if not parts.scheme or not host:
        return url if re.fullmatch(r"[\w./-]*", url) else REDACTED
    return f"{parts.scheme}://{host}{parts.path}"


def diff_webhooks(before: Webhook | None, after: Webhook | None) -> tuple[FieldValues, FieldValues]:
    """Say what is new about a webhook. Of what may hold secrets only that it is new is said."""
    old = _webhook(before, before) if before else {}
    new = _webhook(after, before or after) if after else {}
    return diff_fields(old, new)


def _webhook(one: Webhook, earlier: Webhook) -> FieldValues:
    request, old = one.request, earlier.request
    return {
        "description": one.description,
        "consumer": _side(one.consumer),
        "provider": _side(one.provider),
        "enabled": one.is_enabled,
        "pauses": one.pauses,
        "events": list(one.events),
        "method": request.method,
        "url": f"{_origin(request.url)}/{_hidden(request.url, old.url)}",
        "headers": {name: _hidden(value, old.headers.get(name)) for name, value in request.headers.items()},
        "body": _hidden(request.body, old.body),
        "username": _hidden(request.username, old.username),
        "password": _hidden(request.password, old.password),
        "secret": _hidden(one.secret, earlier.secret),
        "filters": None if one.filters.is_empty else collect_fields(one.filters),
    }


def _hidden(value: object, old: object) -> str | None:
    if value is None:
        return None
    return REDACTED if value == old else "(hidden, changed)"


def _origin(url: str) -> str:
    """Say where a webhook goes. The rest of its URL may be what lets it in there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return REDACTED
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _side(side: PacticipantMatcher | None) -> object:
    return None if side is None else {"name": side.name} if side.name is not None else {"label": side.label}


_SECRET_NAME: Final = re.compile(r"auth|code|credential|key|pass|pwd|secret|sig|token", re.IGNORECASE)


def redact_query(text: str) -> str:
    """Say a query string without the values of what is named like a secret."""
    return "&".join(map(_parameter, text.split("&"))) if "=" in text and _SECRET_NAME.search(text) else text


def _parameter(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={REDACTED}" if equals and _SECRET_NAME.search(name) else pair
