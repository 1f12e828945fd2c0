"""Sentences about events of the audit trail: what an actor did, with the names of the things it concerns.

A template is a text with placeholders. `{application}` is the object of the event, `{other}` its second object, and
other placeholders are details of the event. A part in brackets is left out if the event lacks one of its details, as
events from before an upgrade do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from treaty.model.audit import Action, AuditEvent


class ThingKind(Enum):
    """The kind of a thing that a sentence names."""

    APPLICATION = "application"
    VERSION = "version"
    PACT = "pact"
    RESULT = "result"
    ENVIRONMENT = "environment"
    WEBHOOK = "webhook"
    DELIVERY = "delivery"
    DECISION = "decision"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SentencePart:
    """A piece of a sentence: plain text, or the name of a thing with what its address needs."""

    text: str
    kind: ThingKind = ThingKind.TEXT
    names: tuple[str, ...] = ()


_TEMPLATES: Final[Mapping[str, str]] = {
    Action.PACT_PUBLICATION: (
        "published the pact of {application}[ {pact}] with {provider}[ from branch {after.branch}]"
    ),
    Action.PACT_REMOVAL: "deleted[ {before.pacts} of] the pacts of {application}[ {version}] with {provider}",
    Action.VERIFICATION_PUBLICATION: (
        "published a {result} of {application}[ {version}] for {consumer}[ {consumer_version}]"
    ),
    Action.VERIFICATION_REMOVAL: "deleted a {outcome} result of {application}[ {version}] for {consumer}",
    Action.PROVIDER_CONTRACT_PUBLICATION: (
        "published the contract[ {contract}] of {application}[ {version}][ from branch {after.branch}]"
    ),
    Action.COMPARISON: "compared the contract of {application}[ {version}] with a pact of {consumer}: {result}",
    Action.ENGINE_ACCEPTANCE: "accepted the results of version {name} of the comparison engine",
    Action.PACTICIPANT_CREATION: "created the application {application}",
    Action.PACTICIPANT_CHANGE: "changed {application}[: {changes}]",
    Action.PACTICIPANT_RENAME: "renamed[ {other}] to {application}",
    Action.PACTICIPANT_REMOVAL: "deleted the application {name}",
    Action.LABEL_CREATION: "added the label[ {label}] to {application}",
    Action.LABEL_REMOVAL: "removed the label[ {label}] from {application}",
    Action.VERSION_CREATION: "created {application}[ {version}]",
    Action.VERSION_CHANGE: "changed {application}[ {version}][: {changes}]",
    Action.VERSION_REMOVAL: "deleted[ version {plain_version} of] {application}",
    Action.ALIAS_CREATION: "gave {application}[ {version}] the alias[ {alias}]",
    Action.ALIAS_REMOVAL: "removed the alias[ {alias}] of {application}[ {version}]",
    Action.TAG_CREATION: "tagged {application}[ {version}][ as {tag}]",
    Action.TAG_REMOVAL: "removed the tag[ {tag}] from {application}[ {version}]",
    Action.BRANCH_VERSION_CREATION: "added {application}[ {version}] to[ branch {branch}]",
    Action.BRANCH_VERSION_REMOVAL: "removed {application}[ {version}] from[ branch {branch}]",
    Action.BRANCH_REMOVAL: "deleted[ the branch {branch}][ the branches {before.branches}] of {application}",
    Action.ENVIRONMENT_CREATION: "created the environment {name}",
    Action.ENVIRONMENT_CHANGE: "changed the environment {name}[: {changes}]",
    Action.ENVIRONMENT_REMOVAL: "deleted the environment {name}",
    Action.DEPLOYMENT: "recorded the deployment of {application}[ {version}] to {other}[ as {application_instance}]",
    Action.DEPLOYMENT_END: "recorded the end of the deployment of {application}[ {version}] to {other}",
    Action.RELEASE: "recorded the release of {application}[ {version}] to {other}",
    Action.RELEASE_END: "recorded the end of support of {application}[ {version}] in {other}",
    Action.DECISION: "recorded the {answer} about[ {versions}] for {name}",
    Action.OVERRIDE_CREATION: "permitted {application}[ {version}] in {other} by an override",
    Action.OVERRIDE_REVOCATION: "revoked the override of {application}[ {version}] in {other}",
    Action.INTEGRATION_CHANGE: "changed the policy of {application} with {provider}",
    Action.INTEGRATION_REMOVAL: "deleted everything between {application} and {provider}",
    Action.REMOVAL_OF_EVERYTHING: "deleted all applications",
    Action.WEBHOOK_CREATION: "created {webhook}",
    Action.WEBHOOK_CHANGE: "changed {webhook}[: {changes}]",
    Action.WEBHOOK_REMOVAL: "deleted {deleted_webhook}",
    Action.WEBHOOK_TRIAL: "tested {webhook}[, sending {sends_to}]",
    Action.WEBHOOK_FAILING: "marked {webhook} as failing[ after {delivery}]",
    Action.WEBHOOK_REDELIVERY: "sent {redelivery} again",
    Action.WEBHOOK_CANCELLATION: "cancelled a delivery of {webhook}[: {reason}]",
    Action.SECRET_CREATION: "created the secret {name}",
    Action.SECRET_CHANGE: "changed the secret {name}[: {changes}]",
    Action.SECRET_REMOVAL: "deleted the secret {name}",
    Action.IMPORT: "imported data[ from {name}]",
    Action.CLEANING: "removed old data[ of {application}][ and {other}]",
    Action.REPAIR: "repaired the data[: {rows} rows, by the check {rule}]",
    Action.KEY_CHANGE: "encrypted[ {secrets}] secrets with another key",
    Action.USER_CREATION: "created the user {name}",
    Action.USER_CHANGE: "changed the user {name}[: {changes}]",
    Action.PASSWORD_CHANGE: "changed the password of {name}",
    Action.TOKEN_CREATION: "created a token[ {description}] of {name}",
    Action.TOKEN_REGENERATION: "regenerated a token[ {description}] of {name}",
    Action.TOKEN_REVOCATION: "revoked[ a token of {name}][ {before.tokens} tokens]",
    Action.SETUP_LINK_CREATION: "created a link for the first administrator",
    Action.SECOND_FACTOR_SETUP: "set up a second factor[ of {name}]",
    Action.SECOND_FACTOR_REMOVAL: "removed the second factor[ of {name}]",
    Action.RECOVERY_CODES_CREATION: "created recovery codes[ of {name}]",
    Action.RECOVERY_CODE_USE: "used a recovery code[ of {name}]",
    Action.SIGN_IN: "signed in",
    Action.REAUTHENTICATION: "confirmed the password again",
    Action.SIGN_OUT: "signed out",
    Action.SIGN_IN_FAILURE: "failed to sign in",
    Action.ACCESS_REFUSAL: "was refused access",
}
_PLACEHOLDER: Final = re.compile(r"\{([a-z_.]+)\}")
_OPTION: Final = re.compile(r"\[([^\]]*)\]")


def describe_event(event: AuditEvent, webhook_titles: Mapping[str, str] | None = None) -> list[SentencePart]:
    """Describe what the actor of an event did, without the actor: a verb and its objects.

    `webhook_titles` has the titles of existing webhooks by their UUIDs, since events name webhooks by these.
    """
    template = _TEMPLATES.get(event.type)
    if template is None:
        return [SentencePart(event.type.replace("_", " ")), *_name_resources(event)]
    things = _collect_things(event, webhook_titles or {})
    parts: list[SentencePart] = []
    for is_optional, piece in _split(template):
        if is_optional and not all(things.get(name) for name in piece[1::2]):
            continue
        parts += _fill(piece, things)
    return [part for part in parts if part.text]


@lru_cache(maxsize=256)
def _split(template: str) -> Sequence[tuple[bool, Sequence[str]]]:
    """Split a template into pieces, each of texts and placeholders in turn; those in brackets are optional."""
    return [
        (bool(index % 2), _PLACEHOLDER.split(piece)) for index, piece in enumerate(_OPTION.split(template)) if piece
    ]


_Things = Mapping[str, SentencePart | Sequence[SentencePart] | None]
"""The parts for each placeholder."""


def _fill(piece: Sequence[str], things: _Things) -> list[SentencePart]:
    parts: list[SentencePart] = []
    for index, text in enumerate(piece):
        thing = (things.get(text) or SentencePart("something")) if index % 2 else SentencePart(text)
        parts += [thing] if isinstance(thing, SentencePart) else thing
    return parts


def _name_resources(event: AuditEvent) -> list[SentencePart]:
    return [SentencePart(f" {name}") for name in (event.resource, event.other) if name]


def _collect_things(event: AuditEvent, webhook_titles: Mapping[str, str]) -> _Things:
    details: Mapping[str, Any] = event.details
    params = details.get("params") or {}
    before, after = details.get("before") or {}, details.get("after") or {}
    name, other, version = event.resource, event.other, _text(params.get("version"))
    webhook_title = webhook_titles.get(name or "") or _text(after.get("description") or before.get("description"))
    things: dict[str, SentencePart | Sequence[SentencePart] | None] = {
        **{key: _plain(value) for key, value in params.items()},
        **{f"before.{key}": _plain(value) for key, value in before.items()},
        **{f"after.{key}": _plain(value) for key, value in after.items()},
        "name": _thing(ThingKind.TEXT, name),
        "application": _thing(ThingKind.APPLICATION, name, name),
        "provider": _thing(ThingKind.APPLICATION, other, other),
        "consumer": _thing(ThingKind.APPLICATION, other, other),
        "other": _thing(ThingKind.TEXT, other),
        "version": _thing(ThingKind.VERSION, version, name, version),
        "plain_version": _thing(ThingKind.TEXT, version),
        "pact": _thing(ThingKind.PACT, version, name, version, other),
        "webhook": _name_webhook(webhook_title, name),
        "deleted_webhook": _plain(f"the webhook {webhook_title}" if webhook_title else "a webhook"),
        "delivery": _thing(ThingKind.DELIVERY, "a delivery", _text(params.get("delivery"))),
        "redelivery": _thing(ThingKind.DELIVERY, "a delivery", name),
        "versions": _name_versions(params.get("versions")),
        "changes": _plain(", ".join(key.replace("_", " ") for key in {**before, **after})),
        "answer": _thing(ThingKind.DECISION, _describe_answer(params), _text(params.get("decision"))),
        "outcome": _plain(_describe_success(before)),
    }
    consumer_version = _text(params.get("consumer_version"))
    things["consumer_version"] = _thing(ThingKind.PACT, consumer_version, other, consumer_version, name)
    result_names = (name, other, _text(params.get("sha")), _text(params.get("number")))
    things["result"] = _thing(ThingKind.RESULT, f"{_describe_success(after)} result", *result_names)
    return things


def _name_webhook(title: str | None, uuid: str | None) -> Sequence[SentencePart]:
    article, text = ("the webhook ", title) if title else ("a ", "webhook")
    return (SentencePart(article), SentencePart(text, ThingKind.WEBHOOK, (uuid,)) if uuid else SentencePart(text))


def _name_versions(values: object) -> Sequence[SentencePart]:
    """Name the versions of a decision, which the event has as `name (number)`, with commas between them."""
    parts: list[SentencePart] = []
    for value in values if isinstance(values, list) else ():
        name, _, number = str(value).removesuffix(")").rpartition(" (")
        parts += [SentencePart(", ")] if parts else []
        # Without a number, the decision was about all versions.
        if not name or number == "None":
            parts += [SentencePart(name or str(value))]
        else:
            application = SentencePart(name, ThingKind.APPLICATION, (name,))
            parts += [application, SentencePart(" "), SentencePart(number, ThingKind.VERSION, (name, number))]
    return parts


def _describe_success(values: Mapping[str, Any]) -> str:
    return {True: "successful", False: "failed"}.get(values.get("success"), "verification")  # type: ignore[arg-type]


def _describe_answer(params: Mapping[str, Any]) -> str:
    return {True: "answer yes", False: "answer no"}.get(params.get("deployable"), "answer not yet")  # type: ignore[arg-type]


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _plain(value: object) -> SentencePart | None:
    texts = [str(each) for each in value] if isinstance(value, list) else [_text(value) or ""]
    return _thing(ThingKind.TEXT, ", ".join(texts))


def _thing(kind: ThingKind, text: str | None, *names: str | None) -> SentencePart | None:
    """Return the name of a thing; without an address if a part of that is unknown, and None without a text."""
    if not text:
        return None
    address = tuple(name for name in names if name)
    return SentencePart(text, kind, address) if len(address) == len(names) else SentencePart(text)
