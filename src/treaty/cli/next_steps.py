"""What would change a negative decision: the command for each of its reasons, and the page of the decision."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from itertools import filterfalse
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import output
from treaty.cli.names import NamedResource, find_missing_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.cli.selectors import VersionSelector
    from treaty.client import BrokerClient, Json

_MAX_STEPS: Final = 5
"""Number of steps to print; the page of the decision has all."""
_PROVIDER_URL: Final = "PROVIDER_URL"
_VERSION: Final = "VERSION"
"""Placeholder for a version that only the user knows."""
_NOT_DEPLOYED: Final = re.compile(
    r"a version of (?P<name>.+?) currently in (?P<environment>.+?) \(no version is currently recorded as"
)
_ABSENT: Final = re.compile(r"No (pacts or verifications have been published|version )")


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """The versions and the destination that a decision is about."""

    command: str
    """Name of the command that asks for the decision."""
    selected: Sequence[VersionSelector]
    ignored: Sequence[VersionSelector] = ()
    environment: str | None = None
    to: str | None = None
    """The destination's tag; for can-i-merge, its branch."""
    is_set: bool = False
    """Whether the versions are to be deployed together."""

    def find_selector(self, name: str) -> VersionSelector | None:
        return next((selector for selector in self.selected if selector.pacticipant == name), None)

    def words(self, *, version: str | None = None, without: Sequence[VersionSelector] = ()) -> tuple[str, ...]:
        """Return the words of the command, with another version or without some of the ignored names."""
        words = [self.command]
        if self.is_set:
            words += [word for item in self.selected for word in ("--set", f"{item.pacticipant}@{item.version}")]
        else:
            words += [word for item in self.selected for word in item.words(version)]
        words += [word for item in self.ignored if item not in without for word in ("--ignore", *item.words()[1:])]
        words += ["--to-environment", self.environment] if self.environment else []
        return (*words, *(("--to", self.to) if self.to else ()))


@dataclass(frozen=True, slots=True)
class NextStep:
    text: str
    command: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """A consumer or provider in a reason. Without a number, no version is selected."""

    name: str
    number: str | None

    def describe(self) -> str:
        return f"{self.name} ({self.number})" if self.number else self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasonRecord:
    """A reason of a decision, as Treaty returns it; for other brokers, it is read from the rows and notices."""

    kind: str
    text: str = ""
    suggestion: str = ""
    """The broker's own suggestion."""
    consumer: Side | None = None
    provider: Side | None = None
    pacticipant: Side | None = None


def describe_next_steps(broker: BrokerClient, url: str | None, body: Json, question: Question) -> str:
    """Describe what would change a negative decision, and give the URL of its page, if any, after a blank line."""
    steps = list(dict.fromkeys(list_steps(broker, body, question)))
    lines = ["To change this answer:"] if steps else []
    for step in steps[:_MAX_STEPS]:
        lines += [f"  * {step.text}", *([f"    {step.command}"] if step.command else [])]
    more = len(steps) - _MAX_STEPS
    lines += [f"  * {more} more: see {'the page' if url else 'the reasons above'}."] if more > 0 else []
    return "\n".join(["", *lines, *([f"See {url}"] if url else [])])


def list_steps(broker: BrokerClient, body: Json, question: Question) -> Iterator[NextStep]:
    """Yield the steps that would change a negative decision, those for warnings last. They may repeat."""
    reasons = list(read_reasons(body, question))
    rows = {_row_key(row): row for row in body.get("matrix") or []}
    # Warnings do not prevent the deployment, so their steps come last.
    for reason in sorted(reasons, key=lambda reason: reason.kind in _WARNINGS):
        yield from _suggest(broker, reason, question, rows)
    if question.is_set:
        yield from suggest_leaving_out(body, question)


def suggest_leaving_out(body: Json, question: Question) -> Iterator[NextStep]:
    """Suggest to deploy the members of a set that work without the others."""
    left_out = {member.get("pacticipant") for member in body.get("leaveOut") or []}
    others = [selector for selector in question.selected if selector.pacticipant not in left_out]
    if left_out and others:
        command = output.format_command(*replace(question, selected=others).words())
        yield NextStep("Deploy the other versions without those to leave out:", command)


_WARNINGS: Final = {"no_environment", "no_version_number", "cannot_ignore"}

RowKey = tuple[str | None, ...]


def is_exempt(reason: Json) -> bool:
    """Whether a reason names an override or a policy, or what one of these covers."""
    return "override" in reason or "allowedBy" in reason


def read_reasons(body: Json, question: Question) -> Iterator[ReasonRecord]:
    """Read the reasons, or derive them from the rows and the notices of a broker that returns none."""
    if body.get("reasons"):
        yield from map(_read_reason, filterfalse(is_exempt, body["reasons"]))
        return
    texts = [str(notice.get("text", "")) for notice in body.get("notices") or []]
    texts = texts or str((body.get("summary") or {}).get("reason") or "").split("\n")
    for text in texts:
        yield from _read_notice(text, question)
    if not any(_ABSENT.match(text) for text in texts):
        undeployed = {match["name"] for text in texts if (match := _NOT_DEPLOYED.search(text))}
        yield from _read_rows(body.get("matrix") or [], undeployed)


def _read_reason(reason: Json) -> ReasonRecord:
    sides = {
        role: Side(name=str(side.get("name", "")), number=side.get("version"))
        for role in ("consumer", "provider", "pacticipant")
        if isinstance(side := reason.get(role), dict)
    }
    suggestion = str((reason.get("next") or {}).get("text") or "")
    return ReasonRecord(kind=str(reason.get("kind")), text=str(reason.get("text", "")), suggestion=suggestion, **sides)


def _read_notice(text: str, question: Question) -> Iterator[ReasonRecord]:
    undeployed = _NOT_DEPLOYED.search(text)
    if undeployed:
        yield ReasonRecord(kind="not_deployed", text=text, provider=Side(name=undeployed["name"], number=None))
    elif _ABSENT.match(text):
        # The text names one of the selected applications.
        named = [
            selector for selector in question.selected if re.search(rf"\b{re.escape(selector.pacticipant)}\b", text)
        ]
        for selector in named[:1]:
            side = Side(name=selector.pacticipant, number=selector.version)
            yield ReasonRecord(kind="no_such_version", text=text, pacticipant=side)
    elif "specify the environment" in text:
        yield ReasonRecord(kind="no_environment", text=text)
    elif "specify the version number" in text:
        yield ReasonRecord(kind="no_version_number", text=text)
    elif "Cannot ignore" in text:
        yield ReasonRecord(kind="cannot_ignore", text=text)


def _read_rows(rows: Sequence[Json], undeployed: set[str]) -> Iterator[ReasonRecord]:
    for row in rows:
        consumer, provider = (_read_side(row.get(role) or {}) for role in ("consumer", "provider"))
        success = (row.get("verificationResult") or {}).get("success")
        if success is True or row.get("ignored") or undeployed & {consumer.name, provider.name}:
            continue
        kind = "failed_verification" if success is False else "missing_verification"
        yield ReasonRecord(kind=kind, consumer=consumer, provider=provider)


def _read_side(pacticipant: Json) -> Side:
    return Side(name=str(pacticipant.get("name", "")), number=(pacticipant.get("version") or {}).get("number"))


def _row_key(row: Json) -> RowKey:
    consumer, provider = (_read_side(row.get(role) or {}) for role in ("consumer", "provider"))
    return consumer.name, consumer.number, provider.name


def _suggest(
    broker: BrokerClient, reason: ReasonRecord, question: Question, rows: Mapping[RowKey, Json]
) -> Iterator[NextStep]:
    match reason:
        case ReasonRecord(kind="not_deployed"):
            yield from _suggest_deployment(reason, question)
        case ReasonRecord(kind="missing_comparison" | "missing_self_verification" | "failed_comparison"):
            yield _suggest_contract(reason, question)
        case ReasonRecord(
            kind="missing_verification" | "failed_verification" | "missing_description",
            consumer=Side(),
            provider=Side(),
        ):
            yield _suggest_verification(broker, reason, question, rows)
        case ReasonRecord(kind="no_such_version", pacticipant=Side(name=name)):
            yield from _suggest_version(broker, name, question)
        case ReasonRecord(kind="no_environment"):
            yield NextStep(
                "Name the environment to deploy to (`pact-broker list-environments` lists them):",
                output.format_command(*question.words(), "--to-environment", "ENVIRONMENT"),
            )
        case ReasonRecord(kind="no_version_number"):
            yield NextStep("Give the version's number:", output.format_command(*question.words(version=_VERSION)))
        case ReasonRecord(kind="cannot_ignore"):
            yield from suggest_ignoring(broker, reason, question)
        case ReasonRecord(kind="more_obstacles"):
            yield NextStep("List all results:", output.format_command(*question.words(), "--output", "json"))
        case ReasonRecord(suggestion=text) if text:
            yield NextStep(text)


def _suggest_deployment(reason: ReasonRecord, question: Question) -> Iterator[NextStep]:
    environment = question.environment or "ENVIRONMENT"
    # The selected versions are to be deployed; those of the other applications have to be there.
    sides = [side for side in (reason.provider, reason.consumer) if side and not side.number]
    for side in [side for side in sides if not question.find_selector(side.name)] or sides:
        words = ("--pacticipant", side.name, "--version", _VERSION, "--environment", environment)
        yield NextStep(
            f"Deploy a version of {side.name} to {environment}, and record its deployment:",
            output.format_command("record-deployment", *words),
        )


def _suggest_contract(reason: ReasonRecord, question: Question) -> NextStep:
    """Suggest to wait, or to publish a contract: of the same version if it only lacks a result, else of a new one."""
    if reason.kind == "missing_comparison":
        text = "Wait until the pact has been compared with the provider's contract:"
        return NextStep(text, output.format_command(*question.words(), "--retry-while-unknown", "12"))
    provider = reason.provider or Side(name="", number=None)
    number = provider.number if reason.kind == "missing_self_verification" else None
    words = ("--provider", provider.name, "--provider-app-version", number or _VERSION)
    result = ("--verification-exit-code", "EXIT_CODE_OF_THE_TESTS")
    text = reason.suggestion.removesuffix(".") or f"Change the contract of {provider.name}, and publish it"
    return NextStep(f"{text}:", output.format_command("publish-provider-contract", "DOCUMENT", *words, *result))


def _suggest_verification(
    broker: BrokerClient, reason: ReasonRecord, question: Question, rows: Mapping[RowKey, Json]
) -> NextStep:
    consumer, provider = reason.consumer or Side(name="", number=None), reason.provider or Side(name="", number=None)
    has_failed = reason.kind == "failed_verification"
    lacks_version = provider.number is None and not question.find_selector(provider.name)
    if lacks_version and not has_failed and (question.to or question.command == "can-i-merge"):
        return _suggest_destination(provider, question)
    row = rows.get((consumer.name, consumer.number, provider.name)) or {}
    pact = f"the pact of {consumer.describe()}"
    text = (
        f"Make {provider.name} honour {pact}, or change what {consumer.name} expects; then verify the new version:"
        if has_failed
        else f"Verify {pact} with {provider.describe()}, and publish the result:"
    )
    number = _VERSION if has_failed else provider.number or _VERSION
    return NextStep(text, _verifier_command(broker, consumer, provider.name, number, _select_consumer(consumer, row)))


def _suggest_destination(provider: Side, question: Question) -> NextStep:
    """Suggest to mark a version of an application that has none with the tag, or on the main branch."""
    words = ("--pacticipant", provider.name, "--version", _VERSION)
    if question.to and question.command != "can-i-merge":
        command = output.format_command("create-version-tag", *words, "--tag", question.to)
        return NextStep(f"Tag the version of {provider.name} that is to have the tag {question.to}:", command)
    branch = question.to or "MAIN_BRANCH"
    command = output.format_command("create-or-update-version", *words, "--branch", branch)
    name = f"the branch {question.to}" if question.to else "its main branch"
    return NextStep(f"Publish a version of {provider.name} from {name}, or add one to it:", command)


def _select_consumer(consumer: Side, row: Json) -> dict[str, Any] | None:
    """Return the consumer version selector of a version: by its branch, environment or tag; None if it has none."""
    version = (row.get("consumer") or {}).get("version") or {}
    by_member = {
        "branch": version.get("branches") or version.get("branchVersions") or [],
        "environment": version.get("environments") or [],
        "tag": version.get("tags") or [],
    }
    for member, items in by_member.items():
        for item in items:
            if member == "environment" or item.get("latest"):
                is_latest = {"latest": True} if member == "tag" else {}
                return {"consumer": consumer.name, member: item["name"], **is_latest}
    return None


def _verifier_command(
    broker: BrokerClient, consumer: Side, provider: str, number: str, selector: dict[str, Any] | None
) -> str:
    names = ("pacts", "provider", provider, "consumer", consumer.name, "version", consumer.number or _VERSION)
    pacts = [broker.url_for(*names)]
    if selector:
        pacts = ["--consumer-version-selector", json.dumps(selector, ensure_ascii=False)]
    words = ["--provider", provider, "--provider-base-url", _PROVIDER_URL, "--pact-broker-url", broker.url, *pacts]
    return output.quote_command(
        "pact-verifier", *words, "--provider-app-version", number, "--publish-verification-results"
    )


def _suggest_version(broker: BrokerClient, name: str, question: Question) -> Iterator[NextStep]:
    selector = question.find_selector(name)
    if selector is None:
        return
    spelling = suggest_spelling(broker, selector)
    if spelling is not None:
        yield NextStep(spelling)
    words = ("--pacticipant", name, "--version", _VERSION)
    if selector.tag:
        command = output.format_command("create-version-tag", *words, "--tag", selector.tag)
        yield NextStep(f"Tag a version of {name}:", command)
    elif selector.branch:
        command = output.format_command("create-or-update-version", *words, "--branch", selector.branch)
        yield NextStep(f"Publish a version of {name} from the branch, or add one to it:", command)
    elif selector.main_branch:
        command = output.format_command("create-or-update-pacticipant", "--name", name, "--main-branch", "BRANCH")
        yield NextStep(f"Set the main branch of {name}, and publish a version from it:", command)
    else:
        command = output.format_command("publish", "PACTS", "--consumer-app-version", selector.version or _VERSION)
        yield NextStep(
            f"Publish the pacts of {name} as a consumer, or its verification results as a provider:", command
        )


def suggest_spelling(broker: BrokerClient, selector: VersionSelector) -> str | None:
    """Suggest existing names that resemble those in a selector; None if there are none."""
    kinds = {"version": selector.version, "branch": selector.branch, "tag": selector.tag}
    names = [NamedResource(kind, value, selector.pacticipant) for kind, value in kinds.items() if value]
    sentence = find_missing_name(broker, names)
    return sentence if "Did you mean" in sentence else None


def suggest_ignoring(broker: BrokerClient, reason: ReasonRecord, question: Question) -> Iterator[NextStep]:
    for selector in question.ignored:
        if selector.pacticipant in reason.text:
            names = [NamedResource("application", selector.pacticipant)]
            names += [NamedResource("version", selector.version, selector.pacticipant)] if selector.version else []
            sentence = find_missing_name(broker, names) or f"{selector.pacticipant} cannot be ignored."
            command = output.format_command(*question.words(without=[selector]))
            yield NextStep(f"{sentence} Correct --ignore, or leave it out:", command)
