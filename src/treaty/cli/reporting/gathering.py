"""Asks the broker for what a report contains: decisions, pacts and verification results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from treaty.cli import causes, matrix, names, next_steps, output, selectors
from treaty.cli.next_steps import Question, is_exempt
from treaty.cli.reporting.facts import Decision, InteractionChange, Obstacle, PactChange, Verdict
from treaty.cli.selectors import SelectorOptions
from treaty.cli.verdicts import merge_target
from treaty.errors import ClientError, Refused
from treaty.exact_json import serialize
from treaty.model.pacts.documents import Document
from treaty.model.pacts.interaction_diff import ChangeKind, diff_interactions
from treaty.model.pacts.interactions import Interaction, read_interactions
from treaty.model.verifications.interaction_results import match_results, parse_results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.cli.reporting.facts import Destination, InteractionName
    from treaty.cli.selectors import VersionSelector
    from treaty.client import BrokerClient, HalResource, Json, Query

_MAX_CHANGES: Final = 200
"""Changed interactions of a pact that are described; the others are counted."""
_KINDS: Final = {ChangeKind.NEW: "added", ChangeKind.CHANGED: "changed", ChangeKind.GONE: "removed"}
_NO_DECISION: Final = "The response has no decision. Is --broker-base-url the address of a Pact Broker?"


def name_interaction(interaction: Interaction) -> InteractionName:
    return interaction.description, tuple(state.title for state in interaction.states)


# Decisions


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A decision, and the rows of the matrix it was made from; or the error because of which there is none."""

    decision: Decision
    rows: Sequence[Json] = ()
    error: ClientError | None = None


def ask(broker: BrokerClient, selector: VersionSelector, destination: Destination) -> Answer:
    """Ask for one decision. A failure is a part of the answer, since a report must not show an earlier yes instead."""
    try:
        query = _build_query(broker, selector, destination)
        body = broker.get(broker.url_for("matrix", query=query)).body
    except ClientError as error:
        names.explain(broker, error)
        return fail(destination, error)
    # The page has the same path and query as the matrix.
    url = broker.url_for("matrix", query=query).replace("[", "%5B").replace("]", "%5D")
    return Answer(decision=_read_decision(broker, body, selector, destination, url), rows=body.get("matrix") or [])


def fail(destination: Destination, error: ClientError) -> Answer:
    """Return the answer for a destination about which the broker could not be asked."""
    text = output.describe_failure(error)
    failure = text if error.hint in text else f"{text} {error.hint}"
    return Answer(decision=Decision(destination=destination, verdict=Verdict.UNKNOWN, failure=failure), error=error)


def _build_query(broker: BrokerClient, selector: VersionSelector, destination: Destination) -> Query:
    options = SelectorOptions(selected=[selector], ignored=[])
    if destination.environment:
        target = [("environment", destination.environment)]
        return selectors.build_query(options, latest_by="cvpv", target=target)
    target = [("latest", "true"), merge_target(broker, destination.branch, option="--to-branch")]
    return selectors.build_query(options, latest_by="cvp", target=target)


def _read_decision(
    broker: BrokerClient, body: Json, selector: VersionSelector, destination: Destination, url: str
) -> Decision:
    if not isinstance(body.get("summary"), dict) or "deployable" not in body["summary"]:
        return Decision(destination=destination, verdict=Verdict.UNKNOWN, failure=_NO_DECISION)
    # Compared by identity, so that a 1 or a text of another server is no yes.
    is_no = body["summary"]["deployable"] is False
    verdict = Verdict.YES if matrix.is_deployable(body) else Verdict.NO if is_no else Verdict.UNKNOWN
    reasons = [reason for reason in body.get("reasons") or [] if "cause" in reason]
    obstacles: list[Obstacle] = []
    if verdict is not Verdict.YES:
        question = _question(selector, destination)
        read = (_read_obstacle(broker, reason, question) for reason in reasons if not is_exempt(reason))
        obstacles = list(read) if reasons else list(_derive_obstacles(broker, body, question))
    return Decision(
        destination=destination,
        verdict=verdict,
        obstacles=tuple(dict.fromkeys(obstacles)),
        hidden=causes.count_unnamed(body, reasons) if body.get("reasons") else 0,
        remarks=tuple(_list_remarks(body)),
        is_exempt=any(map(is_exempt, body.get("reasons") or [])),
        url=url,
    )


def _question(selector: VersionSelector, destination: Destination) -> Question:
    command = "can-i-merge" if destination.is_merge else "can-i-deploy"
    return Question(command=command, selected=[selector], environment=destination.environment, to=destination.branch)


def _read_obstacle(broker: BrokerClient, reason: Json, question: Question) -> Obstacle:
    step = reason.get("next") or {}
    named = question.find_selector(str((reason.get("pacticipant") or {}).get("name")))
    spelling = next_steps.suggest_spelling(broker, named) if named else None
    step = {"text": spelling} if spelling else step
    return Obstacle(
        subject=causes.describe_subject(reason),
        problem=str(reason.get("problem", "")),
        details=tuple(causes.list_details(reason)),
        step=str(step.get("text", "")),
        command=str(step.get("command") or ""),
        url="" if step.get("command") else str(step.get("href") or ""),
    )


def _derive_obstacles(broker: BrokerClient, body: Json, question: Question) -> Iterator[Obstacle]:
    """Yield the notices and the next steps of a broker that names no causes."""
    notices = body.get("notices") or [{"type": "error", "text": (body.get("summary") or {}).get("reason") or ""}]
    for notice in notices:
        if notice.get("type") != "success" and notice.get("text"):
            yield Obstacle(subject="", problem=str(notice["text"]))
    for step in dict.fromkeys(next_steps.list_steps(broker, body, question)):
        yield Obstacle(subject="", problem="To change this answer:", step=step.text, command=step.command)


def _list_remarks(body: Json) -> Iterator[str]:
    """Yield the texts of warnings and information: what an answer depends on, but is no obstacle."""
    reasons = body.get("reasons") or body.get("notices")
    for reason in reasons or []:
        if reason.get("type") not in {"success", "error", "danger"} and "cause" not in reason and reason.get("text"):
            yield str(reason["text"])


# Pacts


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionPact:
    """The pact of a version with a provider."""

    provider: str
    interactions: Sequence[Interaction]
    url: str


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionPacts:
    """The pacts of a version, and their changes since the main branch. `changes` is None if these are not known."""

    number: str
    pacts: Mapping[str, VersionPact]
    changes: Sequence[PactChange] | None
    note: str = ""
    """Why the changes are not known."""

    def list_changed(self, provider: str) -> frozenset[InteractionName]:
        """Return the interactions with a provider that are new or differ from those of the main branch."""
        return self._changed.get(provider, frozenset())

    @property
    def _changed(self) -> Mapping[str, frozenset[InteractionName]]:
        return {
            change.provider: frozenset(item.name for item in change.changes if item.kind != "removed")
            for change in self.changes or ()
        }


def fetch_pacts(broker: BrokerClient, selector: VersionSelector) -> VersionPacts:
    """Fetch the pacts of a version, and compare them with those of the main branch's latest version."""
    name = selector.pacticipant
    path = ("branches", selector.branch, "latest-version") if selector.branch else ("versions", selector.version)
    version = broker.find(broker.url_for("pacticipants", name, *(str(part) for part in path)))
    number = str(version.body.get("number")) if version else str(selector.version or selector.branch)
    pacts = _fetch_pacts_of(broker, version) if version else {}
    main_branch = _find_main_branch(broker, name)
    if not main_branch:
        note = f"{name} has no main branch in the broker, so changes of pacts are not listed. " if pacts else ""
        command = output.format_command("create-or-update-pacticipant", "--name", name, "--main-branch", "BRANCH")
        return VersionPacts(number=number, pacts=pacts, changes=None, note=note and f"{note}Set it: {command}")
    main = broker.find(broker.url_for("pacticipants", name, "branches", main_branch, "latest-version"))
    earlier = _fetch_pacts_of(broker, main) if main else {}
    return VersionPacts(number=number, pacts=pacts, changes=[*_compare(earlier, pacts)] if version else [])


def _find_main_branch(broker: BrokerClient, name: str) -> str:
    pacticipant = broker.find(broker.url_for("pacticipants", name))
    return str((pacticipant.body.get("mainBranch") if pacticipant else None) or "")


def _fetch_pacts_of(broker: BrokerClient, version: HalResource) -> dict[str, VersionPact]:
    pacts = (_fetch_pact(broker, link.fill()) for link in version.links("pb:pact-versions"))
    return {pact.provider: pact for pact in pacts}


def _fetch_pact(broker: BrokerClient, url: str) -> VersionPact:
    body = broker.get(url).body
    interactions = read_interactions(Document(body, is_plain=False)) or []
    return VersionPact(provider=str((body.get("provider") or {}).get("name")), interactions=interactions, url=url)


def _compare(earlier: Mapping[str, VersionPact], later: Mapping[str, VersionPact]) -> Iterator[PactChange]:
    for provider in sorted({*earlier, *later}):
        before, after = earlier.get(provider), later.get(provider)
        sides = (pact.interactions if pact else [] for pact in (before, after))
        changes = diff_interactions(*sides, limit=_MAX_CHANGES)
        if changes.total or before is None or after is None:
            yield PactChange(
                provider=provider,
                changes=tuple(
                    InteractionChange(kind=_KINDS[change.kind], name=(change.description, change.states))
                    for change in changes.shown
                ),
                counts={_KINDS[kind]: count for kind, count in changes.counts.items()},
                is_new=before is None,
                is_removed=after is None,
                url=(after or before or _NO_PACT).url,
            )


_NO_PACT: Final = VersionPact(provider="", interactions=(), url="")


def list_failed(broker: BrokerClient, row: Json, pact: VersionPact) -> dict[InteractionName, tuple[str, ...]]:
    """Return the problems of each interaction that failed in a row of the matrix, as far as its verifier reports them.

    Empty if the result has no details, or may not be read.
    """
    href = (((row.get("verificationResult") or {}).get("_links") or {}).get("self") or {}).get("href")
    if not href:
        return {}
    try:
        results = broker.get(str(href)).body.get("testResults")
    except Refused:
        return {}
    matched = match_results(pact.interactions, parse_results(serialize(results)))
    return {
        name_interaction(interaction): matched[interaction.id].problems
        for interaction in pact.interactions
        if interaction.id in matched and not matched[interaction.id].success
    }
