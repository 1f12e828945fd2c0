"""Notices for clients that publish pacts.

The texts are the original broker's unless they explain an error: clients print them as they are, and scripts may match
them.
"""

import json
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from treaty.model.webhooks.events import Event


@dataclass(frozen=True, slots=True)
class Notice:
    """One or more lines for a user; `type` is debug, info, success, prompt, warning or error."""

    type: str
    text: str


class PublicationOutcome(Enum):
    """How a published contract relates to the pact that its version had before."""

    NEW = "new"
    SAME = "same"
    CHANGED = "changed"
    MERGED = "merged"


@dataclass(frozen=True, kw_only=True, slots=True)
class WebhookTrigger:
    """A webhook that an event has triggered."""

    webhook: str
    """UUID of the webhook."""
    description: str | None
    event: str
    uuid: str
    """UUID of the triggered webhook."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedContract:
    """Result of publishing one contract, from which its notices are built."""

    consumer: str
    version: str
    provider: str
    outcome: PublicationOutcome
    events: tuple[Event, ...]
    triggered: tuple[WebhookTrigger, ...]
    has_webhooks: bool
    is_verified: bool
    """Whether any content of the pair has ever been verified."""
    is_indexed: bool = True
    """Whether the usage index covers the content already."""
    is_compared: bool = False
    """Whether the provider has contracts with which the pact is being compared."""

    @property
    def has_background_work(self) -> bool:
        """Whether background workers have something to do: deliveries, a content to index, or a comparison."""
        return bool(self.triggered) or not self.is_indexed or self.is_compared


_VERSIONING: Final = "For more information see https://docs.pact.io/go/versioning"


def build_version_notices(
    name: str, number: str, *, is_new: bool, branch: str | None, tags: Sequence[str]
) -> list[Notice]:
    """Build the notices about the consumer version."""
    text = f"{'Created' if is_new else 'Updated'} {name} version {number}"
    if branch is not None:
        text += f" with branch {branch}"
    if tags:
        text += f" {'and' if branch is not None else 'with'} tags {', '.join(tags)}"
    notices = [Notice("debug", text)]
    if branch is None:
        step = "  Next steps:\n    Configure the version branch to be the value of your repository branch."
        notices.append(Notice("prompt", step))
    return notices


def build_contract_notices(contract: PublishedContract, *, pact_url: str, logs_url: str) -> list[Notice]:
    """Build the notices about a contract. `logs_url` has the placeholder `{uuid}` for the triggered webhook."""
    return [
        _describe_outcome(contract),
        Notice("debug", f"  View the published pact at {pact_url}"),
        Notice("debug", "  Events detected: " + ", ".join(map(_describe_event, contract.events))),
        *_describe_webhooks(contract, logs_url),
        *_suggest_next_steps(contract),
    ]


def _describe_outcome(contract: PublishedContract) -> Notice:
    pact = f"for {contract.consumer} version {contract.version} and provider {contract.provider}"
    match contract.outcome:
        case PublicationOutcome.NEW:
            return Notice("success", f"Pact successfully published {pact}.")
        case PublicationOutcome.SAME:
            return Notice("success", f"Pact successfully republished {pact} with no content changes.")
        case PublicationOutcome.MERGED:
            return Notice("success", f"Pact content merged with existing content {pact}.")
        case PublicationOutcome.CHANGED:
            text = (
                f"Pact with changed content published over existing content {pact}. This is not recommended in normal"
                " circumstances and may indicate that you have not configured your Pact pipeline correctly."
                f" {_VERSIONING}"
            )
            return Notice("warning", text)


def _describe_event(event: Event) -> str:
    return f"{event.name} ({event.comment})" if event.comment else event.name


def _describe_webhooks(contract: PublishedContract, logs_url: str) -> Iterable[Notice]:
    for trigger in contract.triggered:
        name = json.dumps(trigger.description, ensure_ascii=False) if trigger.description else trigger.webhook
        logs = logs_url.replace("{uuid}", trigger.uuid)
        yield Notice("debug", f"  Webhook {name} triggered for event {trigger.event}.\n    View logs at {logs}")
    if not contract.triggered and contract.has_webhooks:
        yield Notice("debug", "  No enabled webhooks found for the detected events")


def _suggest_next_steps(contract: PublishedContract) -> list[Notice]:
    steps = []
    if not contract.is_verified:
        text = f"    * Add Pact verification tests to the {contract.provider} build."
        steps.append(Notice("prompt", f"{text} See https://docs.pact.io/go/provider_verification"))
    if not contract.has_webhooks:
        text = f"    * Configure separate {contract.provider} pact verification build and webhook to trigger it"
        steps.append(Notice("prompt", f"{text} when the pact content changes. See https://docs.pact.io/go/webhooks"))
    return [Notice("prompt", "  Next steps:"), *steps] if steps else []


def describe_changed_content(consumer: str, version: str, provider: str) -> str:
    """Explain why the content of a published pact cannot be changed, and how to avoid it."""
    return (
        f"Cannot change the content of the pact for {consumer} version {version} and provider {provider},"
        " as race conditions will cause unreliable results for can-i-deploy. Each pact must be published with a"
        " consumer version number of its own. A Pact library that makes up values where a type matcher has no example"
        " changes the content each time: give every type matcher an example. Jobs that each publish a part of the"
        f" version's pact have to merge them: `publish --merge`, or `onConflict: merge`. {_VERSIONING}"
    )


def describe_merge_conflict(consumer: str, version: str, provider: str, reason: str) -> str:
    """Explain why a pact cannot be merged into the one that its version has published, and what to do."""
    return (
        f"Cannot merge the pact for {consumer} version {version} and provider {provider} with the one that was already"
        f" published: {reason}. Nothing was published. Use another description or provider state for a different"
        " interaction, hard-code random data, and write all pacts of a version with the same Pact library."
    )


def describe_similar_names(new: str, existing: Sequence[str], base_url: str) -> str:
    """Explain that a new name is probably a misspelling of an existing one, and what to do in either case."""
    return "\n".join(
        (
            f'This is the first time a pact has been published for "{new}".',
            f'The name "{new}" is very similar to the following existing pacticipants:',
            *(f"* {name}" for name in existing),
            "If one of these is meant, put its name into the pact and publish it again.",
            "If it is a new consumer or provider, create it with this command and publish the pact again:",
            "",
            f"pact-broker create-or-update-pacticipant --name {_quoted(new)} --broker-base-url {shlex.quote(base_url)}",
            "",
            "The command line is described at https://docs.pact.io/go/pbc-cli",
            "To allow the name in this publication only, add `--allow-similar-names` to the command `publish`,",
            "or `allowSimilarNames=true` to the query of the request.",
            "To switch this check off, set `check_for_potential_duplicate_pacticipant_names` to false.",
            "",
        )
    )


_PLAIN_NAME: Final = re.compile(r"[\w .,:/@+-]+")


def _quoted(name: str) -> str:
    """Quote a name for a shell: if possible with double quotes, which Windows shells understand too."""
    return f'"{name}"' if _PLAIN_NAME.fullmatch(name) else shlex.quote(name)
