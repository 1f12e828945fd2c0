"""Webhook events: the table of all event types, and the events that a publication causes.

`EVENT_TYPES` is the only list of events. The API, the forms, the options of `create-webhook`, the OpenAPI document, the
previews and the documentation are derived from it. A new event needs a row here and the code that fires it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from treaty.model.wording import choose_form

CONTRACT_PUBLISHED: Final = "contract_published"
CONTRACT_REQUIRING_VERIFICATION_PUBLISHED: Final = "contract_requiring_verification_published"
CONTRACT_CONTENT_CHANGED: Final = "contract_content_changed"
PROVIDER_VERIFICATION_PUBLISHED: Final = "provider_verification_published"
PROVIDER_VERIFICATION_SUCCEEDED: Final = "provider_verification_succeeded"
PROVIDER_VERIFICATION_FAILED: Final = "provider_verification_failed"
VERIFICATION_OVERDUE: Final = "verification_overdue"
DEPLOYMENT_BLOCKED: Final = "deployment_blocked"
WEBHOOK_FAILING: Final = "webhook_failing"
CONTRACT_UNUSED: Final = "contract_unused"
NOTICES: Final = (VERIFICATION_OVERDUE, DEPLOYMENT_BLOCKED, WEBHOOK_FAILING, CONTRACT_UNUSED)
"""Events that no publication causes. The original broker does not have them."""
DIGEST: Final = "digest"
"""The name of the event in requests that contain a digest of several events. Webhooks cannot subscribe to it."""

# Event types


class EventSubject(Enum):
    """What an event is about. It decides which provider version and which result a request describes."""

    PACT = "pact"
    """A published pact. Requests describe the result on the provider's main branch, else the latest result."""
    REQUIRED_VERIFICATION = "required verification"
    """A pact that one provider version has to verify. Requests describe that version."""
    RESULT = "result"
    """A verification result. Requests describe it and its provider version."""
    DEPLOYMENT = "deployment"
    """A version of an application that must not be deployed. Requests describe no pact."""


_COMMON_PARAMETERS: Final = (
    "eventName",
    "summary",
    "pageUrl",
    "digestCount",
    "githubVerificationStatus",
    "gitlabVerificationStatus",
    "bitbucketVerificationStatus",
    "azureDevOpsVerificationStatus",
)
_PACT_PARAMETERS: Final = (
    *_COMMON_PARAMETERS,
    "pactUrl",
    "consumerName",
    "consumerVersionNumber",
    "consumerVersionBranch",
    "consumerVersionTags",
    "consumerLabels",
    "providerName",
    "providerLabels",
    "buildUrl",
)
_PROVIDER_VERSION_PARAMETERS: Final = ("providerVersionNumber", "providerVersionBranch", "providerVersionTags")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventType:
    """A kind of event that webhooks can subscribe to."""

    name: str
    """Part of the API, as the original broker names it, if it has the event."""
    label: str
    """Shown in forms and previews."""
    meaning: str
    """One sentence, for the command line's help and the documentation."""
    fires: str
    """When it fires, for the form and the documentation."""
    subject: EventSubject
    parameters: tuple[str, ...]
    """Parameters that have a value whenever the versions have such a property (a branch, tags, a build URL…)."""
    form_position: int | None
    """Position in the form. None: the form offers the event only for webhooks that subscribe to it already."""
    option_position: int
    """Position among the options of `create-webhook`, which sends the events of a webhook in this order."""


# The original broker's events in the order of its error message, and then those that only Treaty has.
EVENT_TYPES: Final = (
    EventType(
        name=CONTRACT_PUBLISHED,
        label="A pact is published",
        meaning="A pact was published, with new content or not.",
        fires="Each time, whether its content has changed or not",
        subject=EventSubject.PACT,
        parameters=_PACT_PARAMETERS,
        form_position=3,
        option_position=2,
    ),
    EventType(
        name=CONTRACT_CONTENT_CHANGED,
        label="A pact has changed",
        meaning="A pact was published with new content.",
        fires="When its content is new for one of the version's tags, or for versions without tags",
        subject=EventSubject.PACT,
        parameters=_PACT_PARAMETERS,
        form_position=2,
        option_position=1,
    ),
    EventType(
        name=PROVIDER_VERIFICATION_PUBLISHED,
        label="A result is published",
        meaning="A provider published a verification result, successful or not.",
        fires="Each time, whether the verification succeeded or failed",
        subject=EventSubject.RESULT,
        parameters=(*_PACT_PARAMETERS, *_PROVIDER_VERSION_PARAMETERS, "verificationResultUrl"),
        form_position=4,
        option_position=3,
    ),
    EventType(
        name=PROVIDER_VERIFICATION_SUCCEEDED,
        label="A verification succeeded",
        meaning="A provider published a successful verification result.",
        fires="Each time the result is successful",
        subject=EventSubject.RESULT,
        parameters=(*_PACT_PARAMETERS, *_PROVIDER_VERSION_PARAMETERS, "verificationResultUrl"),
        form_position=5,
        option_position=4,
    ),
    EventType(
        name=PROVIDER_VERIFICATION_FAILED,
        label="A verification failed",
        meaning="A provider published a failed verification result.",
        fires="Each time the result is a failure",
        subject=EventSubject.RESULT,
        parameters=(*_PACT_PARAMETERS, *_PROVIDER_VERSION_PARAMETERS, "verificationResultUrl"),
        form_position=6,
        option_position=5,
    ),
    EventType(
        name=CONTRACT_REQUIRING_VERIFICATION_PUBLISHED,
        label="A pact needs verification",
        meaning="A pact was published whose content a provider version still has to verify.",
        fires="Once for each provider version on the main branch, deployed or released, that has not verified it",
        subject=EventSubject.REQUIRED_VERIFICATION,
        parameters=(*_PACT_PARAMETERS, *_PROVIDER_VERSION_PARAMETERS, "providerVersionDescriptions"),
        form_position=1,
        option_position=6,
    ),
    EventType(
        name=VERIFICATION_OVERDUE,
        label="A verification is overdue",
        meaning="A provider has published no result for a pact that it has to verify, for a set time.",
        fires="Once for each content of a pact, when its result has been missing for `verification_overdue_after`",
        subject=EventSubject.REQUIRED_VERIFICATION,
        parameters=(
            *(name for name in _PACT_PARAMETERS if name != "buildUrl"),
            *_PROVIDER_VERSION_PARAMETERS,
            "providerVersionDescriptions",
            "reason",
            "since",
        ),
        form_position=7,
        option_position=7,
    ),
    EventType(
        name=DEPLOYMENT_BLOCKED,
        label="A deployment is blocked",
        meaning="A recorded decision does not allow a version to be deployed to a production environment.",
        fires="Each time such a decision is recorded, for each version in its question",
        subject=EventSubject.DEPLOYMENT,
        parameters=(
            *_COMMON_PARAMETERS,
            "applicationName",
            "applicationVersionNumber",
            "environmentName",
            "decisionUrl",
            "reason",
        ),
        form_position=8,
        option_position=8,
    ),
    EventType(
        name=WEBHOOK_FAILING,
        label="A webhook is failing",
        meaning="Attempts to deliver another webhook have failed many times in a row.",
        fires="Once after `webhook_failures_until_failing` failed attempts in a row, until a delivery succeeds again",
        subject=EventSubject.PACT,
        parameters=(
            *(name for name in _PACT_PARAMETERS if name != "buildUrl"),
            "failingWebhookName",
            "failingWebhookUrl",
            "reason",
            "since",
        ),
        form_position=9,
        option_position=9,
    ),
    EventType(
        name=CONTRACT_UNUSED,
        label="A contract is unused",
        meaning="A consumer has published no pact with a provider for a set time, and no version with one is in use.",
        fires="Once, when the latest pact is older than `contract_unused_after`, until the contract is in use again",
        subject=EventSubject.PACT,
        parameters=(*(name for name in _PACT_PARAMETERS if name != "buildUrl"), "reason", "since"),
        form_position=10,
        option_position=10,
    ),
)
EVENT_TYPES_BY_NAME: Final[Mapping[str, EventType]] = MappingProxyType(
    {event_type.name: event_type for event_type in EVENT_TYPES}
)
EVENT_NAMES: Final = tuple(EVENT_TYPES_BY_NAME)


def get_subject(event: str | None) -> EventSubject | None:
    """Return what an event is about, or None for a test and for names that are in no table."""
    event_type = EVENT_TYPES_BY_NAME.get(event or "")
    return event_type.subject if event_type else None


def list_form_event_types(
    selected: Sequence[str], event_types: Sequence[EventType] = EVENT_TYPES
) -> tuple[EventType, ...]:
    """List what a form offers, in its order.

    A selected event that forms do not offer comes last, because saving the form would otherwise drop it.
    """
    offered = [event_type for event_type in event_types if event_type.form_position is not None]
    selected_only = [
        event_type for event_type in event_types if event_type.form_position is None and event_type.name in selected
    ]
    return (*sorted(offered, key=lambda event_type: event_type.form_position or 0), *selected_only)


# Events of a publication


@dataclass(frozen=True, slots=True)
class Event:
    """An event that has happened. Clients see the comment, which says why it counts as this event."""

    name: str
    comment: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PreviousContent:
    """Content of the latest earlier pact with a tag, or of the latest earlier untagged version."""

    tag: str | None
    """None for the latest untagged version."""
    sha: str | None
    """None if there is no earlier pact."""


def list_first_publication_events(
    sha: str, previous: Sequence[PreviousContent], *, requires_verification: bool
) -> list[Event]:
    """List the events of a version's first pact with a provider.

    As in the original broker, content counts as changed if it is new for any of the version's tags.
    """
    comments = [comment for content in previous if (comment := _describe_change(content, sha))]
    required = [Event(CONTRACT_REQUIRING_VERIFICATION_PUBLISHED)] if requires_verification else []
    if comments:
        return [Event(CONTRACT_PUBLISHED), *required, Event(CONTRACT_CONTENT_CHANGED, ", ".join(comments))]
    return [Event(CONTRACT_PUBLISHED, _describe_unchanged(previous)), *required]


# These comments are the original broker's, word for word.


def _describe_change(previous: PreviousContent, sha: str) -> str | None:
    """Return why content is new compared with an earlier pact, or None if it is the same."""
    if previous.sha == sha:
        return None
    if previous.tag is None:
        return (
            "first time untagged pact published"
            if previous.sha is None
            else "pact content has changed since previous untagged version"
        )
    if previous.sha is None:
        return f"first time any pact published for this consumer with consumer version tagged {previous.tag}"
    return f"pact content has changed since the last consumer version tagged with {previous.tag}"


def _describe_unchanged(previous: Sequence[PreviousContent]) -> str:
    tags = [content.tag for content in previous if content.tag is not None]
    versions = choose_form(len(tags), "version with tag", "versions with tags")
    return f"pact content is the same as previous {versions} {', '.join(tags)} and no new tags were applied"


def list_republication_events(
    consumer: str, version: str, *, is_changed: bool, requires_verification: bool
) -> list[Event]:
    """List the events of publishing a version's pact again."""
    required = [Event(CONTRACT_REQUIRING_VERIFICATION_PUBLISHED)] if requires_verification else []
    comment = f"pact content modified since previous publication for {consumer} version {version}"
    changed = [Event(CONTRACT_CONTENT_CHANGED, comment)] if is_changed else []
    return [Event(CONTRACT_PUBLISHED), *required, *changed]


@dataclass(frozen=True, kw_only=True, slots=True)
class RequiredVerification:
    """A provider version that has to verify new content, with the reasons."""

    version: str
    main_branch: str | None
    """The provider's main branch, if the version is its head."""
    descriptions: tuple[str, ...]


def group_by_version(requirements: Iterable[tuple[str, str, str | None]]) -> list[RequiredVerification]:
    """Group requirements by version.

    Each is a version number, a reason (main, deployed or released), and the branch or environment.
    """
    reasons_by_version: dict[str, list[tuple[str, str | None]]] = {}
    for version, reason, place in requirements:
        reasons_by_version.setdefault(version, []).append((reason, place))
    return [_build_requirement(version, reasons) for version, reasons in reasons_by_version.items()]


def _build_requirement(version: str, reasons: Sequence[tuple[str, str | None]]) -> RequiredVerification:
    texts = ("latest from main branch" if reason == "main" else f"{reason} in {place}" for reason, place in reasons)
    return RequiredVerification(
        version=version,
        main_branch=next((place for reason, place in reasons if reason == "main"), None),
        descriptions=tuple(dict.fromkeys(texts)),
    )


# Events of a result


def list_verification_events(*, success: bool) -> list[str]:
    """List the names of the events that publishing a result fires."""
    return [
        PROVIDER_VERIFICATION_PUBLISHED,
        PROVIDER_VERIFICATION_SUCCEEDED if success else PROVIDER_VERIFICATION_FAILED,
    ]
