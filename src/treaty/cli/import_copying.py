"""Copying of another broker's data to a Treaty, with its original times. Newer data in the target is not changed.

Facts are sent in batches, and the target remembers them: an interrupted import continues where it stopped.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import output
from treaty.cli.import_sources import ImportSource, pact_fact, pact_links, recorded_times, select_members, select_times
from treaty.errors import ClientError, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treaty.cli.import_sources import ContentKey, PactLink, ResultLink
    from treaty.client import BrokerClient, HalResource, Json

KINDS: Final = {
    "pacticipants": "applications",
    "versions": "versions",
    "environments": "environments",
    "pacts": "pacts",
    "results": "verification results",
    "deployments": "deployments",
    "releases": "releases",
    "webhooks": "webhooks",
}
_FATAL_STATUSES: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_READ_ONLY_MEMBERS: Final = ("_links", "_embedded", "createdAt", "updatedAt", "uuid")
_HIDDEN_VALUE: Final = "**********"
MAX_FACTS: Final = 200
"""Facts in one request to the target."""
REQUEST_GOAL_SECONDS: Final = 0.5
"""Seconds that a request to the target should take: on SQLite, other writes wait for it."""
MAX_CHARACTERS: Final = 2_000_000
"""Characters of pacts and test results in one request to the target."""
MAX_LOOKUPS: Final = 5000
"""Facts in one lookup of what earlier imports copied."""
_HEARTBEAT_INTERVAL: Final = 10.0
"""Seconds after which the claim is renewed, well before it expires (after 30)."""
_CLAIM_TIMEOUT: Final = 40.0
"""Seconds to wait for another import: the claim of one that was killed expires after 30."""
_PROGRESS_INTERVAL: Final = 5.0
"""Seconds between two progress lines."""


@dataclass(slots=True)
class CopyReport:
    """Counts and messages for the final report. `found` counts what the target already had."""

    copied: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """Facts left out because the target's data was changed or removed since an earlier import."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ImportTarget:
    """The Treaty that receives the facts, in batches."""

    broker: BrokerClient
    source_url: str
    is_dry: bool
    report: CopyReport
    _run: str = field(default_factory=lambda: str(uuid.uuid4()))
    _facts: list[tuple[str, str, Json]] = field(default_factory=list)
    _size: int = 0
    _batch_size: int = MAX_FACTS
    """Number of facts in the next request, adapted to the duration of the last one."""
    _sent_at: float = 0

    @property
    def url(self) -> str:
        """The URL for facts. Raises ClientError for a broker that cannot import."""
        if not self.broker.index.has_link("pb:import"):
            raise ClientError(
                f"{self.broker.url} cannot import.",
                hint="It must be a Treaty of this version, and the credentials need the permission to write.",
            )
        return self.broker.link("pb:import")

    def begin(self) -> None:
        """Claim the import, and wait for the claim of one that was killed. Raises Refused if another one is running."""
        deadline = time.monotonic() + _CLAIM_TIMEOUT
        while True:
            try:
                self._post([])
            except Refused as refused:
                if refused.status != HTTPStatus.CONFLICT or time.monotonic() > deadline:
                    raise
                output.print_error("Another import is running or has just been interrupted. Waiting …")
                time.sleep(2)
            else:
                return

    def find_markers(self, facts: Sequence[Sequence[str]]) -> list[str | None]:
        """Return the markers that earlier imports stored for facts; None for new facts."""
        markers: list[str | None] = []
        for start in range(0, len(facts), MAX_LOOKUPS):
            batch = [list(fact) for fact in facts[start : start + MAX_LOOKUPS]]
            body = {"source": self.source_url, "facts": batch}
            markers += self.broker.post(f"{self.url}/known", body).body["values"]
        return markers

    def add(self, kind: str, name: str, fact: Json) -> None:
        """Queue a fact, and send the batch when it is full."""
        self._facts.append((kind, name, fact))
        self._size += len(fact.get("content") or "") + len(fact.get("testResults") or "")
        if len(self._facts) >= self._batch_size or self._size >= MAX_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        facts, self._facts, self._size = self._facts, [], 0
        if facts:
            began = time.monotonic()
            outcomes = self._post([fact for *_, fact in facts])
            self._batch_size = next_batch_size(len(facts), self._batch_size, seconds=time.monotonic() - began)
            for (kind, name, _), imported in zip(facts, outcomes, strict=True):
                self._count(kind, name, imported)

    def send_one(self, kind: str, name: str, fact: Json) -> str:
        """Send a single fact, and return its outcome: `absent`, which is not counted, asks to create the webhook."""
        (imported,) = self._post([fact])
        if imported["outcome"] != "absent":
            self._count(kind, name, imported)
        return str(imported["outcome"])

    def put_webhook(self, name: str, webhook_uuid: str, body: Json, fact: Json) -> None:
        """Create a webhook, and record it as copied."""
        try:
            if not self.is_dry:
                self.broker.put(self.broker.link("pb:webhook", uuid=webhook_uuid), body)
                self._post([fact])
        except Refused as refused:
            if refused.status in _FATAL_STATUSES or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.report.refused.append(f"{name}: {refused}")
        else:
            self.report.copied["webhooks"] += 1

    def renew_claim(self) -> None:
        """Renew the claim if it is about to expire, because the source is slow."""
        if time.monotonic() - self._sent_at > _HEARTBEAT_INTERVAL:
            self._post([])

    def finish(self) -> None:
        self.flush()
        self._post([], finished=True)

    def _post(self, facts: list[Json], *, finished: bool = False) -> list[Json]:
        body = {"source": self.source_url, "run": self._run, "dryRun": self.is_dry, "finished": finished}
        outcomes: list[Json] = self.broker.post(self.url, {**body, "facts": facts}).body["outcomes"]
        self._sent_at = time.monotonic()
        return outcomes

    def _count(self, kind: str, name: str, imported: Json) -> None:
        match imported["outcome"]:
            case "copied":
                self.report.copied[kind] += 1
            case "refused":
                self.report.refused.append(f"{name}: {imported['reason']}")
            case "removed" | "outdated":
                self.report.left.append(f"{name}: {imported['reason']}")
            case _:
                self.report.found[kind] += 1


def next_batch_size(sent: int, batch_size: int, *, seconds: float) -> int:
    """Return the size of the next batch, given the duration of a request with `sent` facts.

    It shrinks at once after a slow request, and at most doubles after a fast one.
    """
    fitting = max(1, int(sent * REQUEST_GOAL_SECONDS / max(seconds, 0.001)))
    if seconds > REQUEST_GOAL_SECONDS:
        return min(fitting, batch_size)
    return min(max(batch_size, fitting), batch_size * 2, MAX_FACTS)


def copy_all(
    source_broker: BrokerClient, target_broker: BrokerClient, *, is_dry: bool, parallel: int = 4
) -> CopyReport:
    """Copy everything. Raises ClientError if one of the brokers cannot be used."""
    report = CopyReport()
    target = ImportTarget(target_broker, source_broker.url, is_dry, report)
    target.begin()
    with ImportSource(source_broker, report.refused.append, target.renew_claim, parallel) as source:
        names = _copy_pacticipants(source, target)
        links = [link for name in names for link in _copy_versions(source, target, name)]
        _copy_results(source, target, _copy_pacts(source, target, source.with_revisions(links)))
        _copy_environments(source, target)
        _copy_webhooks(source, target)
    target.finish()
    return report


class _Progress:
    """Prints the progress of a long step every few seconds."""

    def __init__(self, subject: str, total: int) -> None:
        self._subject, self._total, self._done = subject, total, 0
        self._started_at = self._printed_at = time.monotonic()

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._printed_at < _PROGRESS_INTERVAL:
            return
        self._printed_at = now
        rate = self._done / (now - self._started_at)
        remaining = round((self._total - self._done) / rate)
        progress = f"{self._done} of {self._total}, {rate:.0f} per second, about {remaining} s left"
        output.print_error(f"{self._subject}: {progress}")


# Pacticipants and their versions


def _copy_pacticipants(source: ImportSource, target: ImportTarget) -> list[str]:
    """Copy the pacticipants, and return their names."""
    pacticipants = source.pacticipants()
    members = ("name", "displayName", "mainBranch", "repositoryUrl", "repositoryName", "repositoryNamespace")
    for pacticipant in pacticipants:
        labels = (pacticipant.get("_embedded") or {}).get("labels") or []
        fact = {
            "kind": "pacticipant",
            **select_members(pacticipant, *members),
            **select_times(pacticipant),
            "contacts": _contacts_to_json(pacticipant.get("contacts")),
            "labels": [label["name"] for label in labels],
        }
        target.add("pacticipants", f"application {pacticipant['name']}", fact)
    target.flush()
    return [pacticipant["name"] for pacticipant in pacticipants]


def _copy_versions(source: ImportSource, target: ImportTarget, pacticipant: str) -> list[PactLink]:
    """Copy the versions of a pacticipant with their branches and tags; return their pacts, the oldest first."""
    versions = source.versions(pacticipant)
    branches = (
        source.branches(pacticipant) if any(_get_embedded(version, "branchVersions") for version in versions) else {}
    )
    existing_numbers = _list_numbers(target.broker, pacticipant)
    neighbours = _neighbours([version["number"] for version in versions], existing_numbers)
    progress = _Progress(f"Versions of {pacticipant}", len(versions))
    for version, markers in zip(versions, _label_facts(source, target, pacticipant, versions, branches), strict=True):
        above, below = neighbours[version["number"]]
        fact = {
            "kind": "version",
            "pacticipant": pacticipant,
            **select_members(version, "number", "buildUrl"),
            **select_times(version),
            "above": above,
            "below": below,
            **markers,
        }
        target.add("versions", f"version {version['number']} of {pacticipant}", fact)
        progress.step()
    target.flush()
    output.print_error(f"{pacticipant}: {len(versions)} versions")
    return [link for version in versions for link in pact_links(pacticipant, version)]


def _list_numbers(broker: BrokerClient, pacticipant: str) -> set[str]:
    resource = broker.find(broker.url_for("pacticipants", pacticipant, "versions"))
    return {version["number"] for version in resource.embedded("versions")} if resource else set()


def _neighbours(numbers: Sequence[str], existing_numbers: set[str]) -> dict[str, tuple[str | None, str | None]]:
    """Return, for each version, the number above which and the number below which the target inserts it.

    `numbers` begin with the oldest. A version is inserted above the one before it, which the target has by then, and
    below the next one that the target already has.
    """
    below: str | None = None
    next_existing: dict[str, str | None] = {}
    for number in reversed(numbers):
        next_existing[number] = below
        below = number if number in existing_numbers else below
    previous = [None, *numbers[:-1]] if numbers else []
    return {number: (above, next_existing[number]) for number, above in zip(numbers, previous, strict=True)}


def _get_embedded(version: Json, kind: str) -> list[Json]:
    return (version.get("_embedded") or {}).get(kind) or []


def _label_facts(
    source: ImportSource, target: ImportTarget, pacticipant: str, versions: Sequence[Json], branches: dict[str, Json]
) -> Iterator[Json]:
    """Yield the branches and tags of each version with their times.

    Lists do not have these times, so each branch version and tag has to be fetched, unless an earlier import stored its
    time in the target.
    """
    labels = [
        (kind, label, version)
        for version in versions
        for kind, embedded in (("branch", "branchVersions"), ("tag", "tags"))
        for label in _get_embedded(version, embedded)
    ]
    stored_times = target.find_markers([_label_key(pacticipant, *label) for label in labels])
    fetched = source.find_all(
        [_label_link(*label) for label, time in zip(labels, stored_times, strict=True) if time is None]
    )
    facts: dict[str, Json] = defaultdict(lambda: {"branches": [], "tags": []})
    for (kind, label, version), stored_time in zip(labels, stored_times, strict=True):
        resource = next(fetched) if stored_time is None else None
        created_at = (resource.body.get("createdAt") if resource else stored_time) or version["createdAt"]
        fact = {"name": label["name"], "createdAt": created_at}
        if kind == "branch":
            branch = select_times(branches.get(label["name"]) or {"createdAt": created_at})
            times = {"branchCreatedAt": branch["createdAt"], "branchUpdatedAt": branch["updatedAt"]}
            facts[version["number"]]["branches"].append({**fact, "isHead": bool(label.get("latest")), **times})
        else:
            facts[version["number"]]["tags"].append(fact)
    yield from (facts[version["number"]] for version in versions)


def _label_link(kind: str, label: Json, version: Json) -> tuple[str, str]:
    return f"{kind} {label['name']} of version {version['number']}", label["_links"]["self"]["href"]


def _label_key(pacticipant: str, kind: str, label: Json, version: Json) -> list[str]:
    if kind == "branch":
        return [kind, pacticipant, label["name"], version["number"]]
    return [kind, pacticipant, version["number"], label["name"]]


# Pacts and results


def _copy_pacts(source: ImportSource, target: ImportTarget, links: Sequence[PactLink]) -> list[PactLink]:
    """Copy the pacts, and return those whose results have to be listed.

    These are one pact for each content, because results belong to a content, and all pacts with several revisions.
    """
    keys = [["pact", link.consumer, link.provider, link.version, link.marker] for link in links]
    stored_shas = dict(zip(links, target.find_markers(keys), strict=True))
    new = [link for link in links if not stored_shas[link]]
    shas: dict[PactLink, str] = {link: sha for link, sha in stored_shas.items() if sha}
    target.report.found["pacts"] += len(shas)
    progress = _Progress("Pacts", len(new))
    for link, pact in zip(new, source.find_all([(link.name, link.href) for link in new]), strict=True):
        if pact:
            fact = pact_fact(link, pact, is_current=True)
            target.add("pacts", link.name, fact)
            shas[link] = fact["sha"]
        progress.step()
    target.flush()
    by_content = {(link.consumer, link.provider, sha): link for link, sha in shas.items()}
    rewritten = [link for link in shas if link.revisions > 1]
    return list(dict.fromkeys([*by_content.values(), *rewritten]))


def _copy_results(source: ImportSource, target: ImportTarget, pacts: Sequence[PactLink]) -> None:
    """Copy the results of all contents in the order in which the source numbered them, and overwritten revisions."""
    progress = _Progress("Results of pacts", len(pacts))
    links: dict[tuple[ContentKey, int], ResultLink] = {}
    overwritten: dict[tuple[PactLink, str], ResultLink] = {}
    for pact, rows in zip(pacts, source.list_results(pacts), strict=True):
        links |= {(row.content, row.number): row for row in rows}
        overwritten |= {(pact, row.content.sha): row for row in rows if pact.revisions > 1}
        progress.step()
    _copy_overwritten(source, target, overwritten)
    recorded = recorded_times(links.values())
    markers = dict(zip(links, target.find_markers([_result_key(link) for link in links.values()]), strict=True))
    # In the order of their numbers, so that the target numbers them in the same order.
    new = sorted((link for key, link in links.items() if markers[key] is None), key=lambda link: link.number)
    target.report.found["results"] += len(links) - len(new)
    progress = _Progress("Results", len(new))
    for link, result in zip(new, source.find_all([(link.name, link.href) for link in new]), strict=True):
        if result:
            target.add("results", link.name, _result_fact(link, result.body, recorded[link]))
        progress.step()
    target.flush()


def _copy_overwritten(
    source: ImportSource, target: ImportTarget, revisions: dict[tuple[PactLink, str], ResultLink]
) -> None:
    """Copy the overwritten contents that have results; the source has no link to those without."""
    keys = [["publication", pact.consumer, pact.provider, pact.version, sha] for pact, sha in revisions]
    markers = dict(zip(revisions, target.find_markers(keys), strict=True))
    new = sorted((key for key in revisions if markers[key] is None), key=lambda key: revisions[key].pact_created_at)
    for pact, sha in new:
        fact = source.find_overwritten(pact, revisions[pact, sha])
        if fact:
            target.add("pacts", f"an overwritten revision of {pact.name}", fact)
    target.flush()


def _result_key(link: ResultLink) -> list[str]:
    return ["result", *link.content, str(link.number)]


def _result_fact(link: ResultLink, result: Json, recorded_at: str) -> Json:
    return {
        "kind": "result",
        "consumer": link.content.consumer,
        "provider": link.content.provider,
        "sha": link.content.sha,
        "number": link.number,
        "providerVersion": result.get("providerApplicationVersion"),
        "success": result.get("success"),
        "verifiedAt": result.get("verificationDate") or link.verified_at,
        "recordedAt": recorded_at,
        "buildUrl": result.get("buildUrl"),
        "testResults": _to_json(result.get("testResults")),
        "verifiedBy": _to_json(result.get("verifiedBy") or None),
        "isWip": bool(result.get("workInProgress")),
    }


def _to_json(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


def _contacts_to_json(contacts: Any) -> str | None:
    """Write the contacts of a pacticipant, of which other brokers have none, or have something else."""
    has_names = isinstance(contacts, list) and all(isinstance(item, dict) and item.get("name") for item in contacts)
    return _to_json(contacts) if has_names else None


# Environments, and what is in them


def _copy_environments(source: ImportSource, target: ImportTarget) -> None:
    if not source.broker.index.has_link("pb:environments"):
        return
    environments = _list_environments(source.broker)
    for environment in environments:
        fact = {
            "kind": "environment",
            **select_members(environment, "uuid", "name", "displayName"),
            **select_times(environment),
            "isProduction": environment["production"],
            "contacts": _to_json(environment.get("contacts")),
        }
        target.add("environments", f"environment {environment['name']}", fact)
    target.flush()
    target_environments = {
        key: environment
        for environment in _list_environments(target.broker)
        for key in (environment["name"], environment["uuid"])
    }
    for environment in environments:
        # The target may have an environment with the same name and another UUID.
        counterpart = target_environments.get(environment["uuid"]) or target_environments.get(environment["name"])
        _copy_periods(source, target, _DEPLOYMENTS, environment, counterpart)
        _copy_periods(source, target, _RELEASES, environment, counterpart)
    target.flush()


def _list_environments(broker: BrokerClient) -> list[Json]:
    return broker.get(broker.link("pb:environments")).embedded("environments")


@dataclass(frozen=True, kw_only=True, slots=True)
class _PeriodKind:
    """Names for deployments or releases in facts, paths, links and bodies."""

    kind: str
    fact: str
    path: str
    listing: str
    embedded: str
    ended_at: str


_DEPLOYMENTS: Final = _PeriodKind(
    kind="deployments",
    fact="deployment",
    path="deployed-versions",
    listing="pb:currently-deployed-deployed-versions",
    embedded="deployedVersions",
    ended_at="undeployedAt",
)
_RELEASES: Final = _PeriodKind(
    kind="releases",
    fact="release",
    path="released-versions",
    listing="pb:currently-supported-released-versions",
    embedded="releasedVersions",
    ended_at="supportEndedAt",
)


def _copy_periods(
    source: ImportSource, target: ImportTarget, names: _PeriodKind, environment: Json, counterpart: Json | None
) -> None:
    """Copy the ends of periods that were copied earlier, then the current periods, the oldest first."""
    current = _list_current(source.broker, names, environment)
    current_uuids = {period["uuid"] for period in current}
    target_periods = _list_current(target.broker, names, counterpart) if counterpart else []
    for uuid_ in (period["uuid"] for period in target_periods if period["uuid"] not in current_uuids):
        ended = source.broker.find(source.broker.url_for(names.path, uuid_))
        if ended and ended.body.get(names.ended_at):
            _add_period(target, names, environment, ended.body)
    for period in sorted(current, key=lambda period: str(period.get("createdAt"))):
        _add_period(target, names, environment, period)


def _list_current(broker: BrokerClient, names: _PeriodKind, environment: Json) -> list[Json]:
    link = (environment.get("_links") or {}).get(names.listing)
    return broker.get(link["href"]).embedded(names.embedded) if link else []


def _add_period(target: ImportTarget, names: _PeriodKind, environment: Json, period: Json) -> None:
    pacticipant, version = (period["_embedded"][part] for part in ("pacticipant", "version"))
    fact = {
        "kind": names.fact,
        "pacticipant": pacticipant["name"],
        "version": version["number"],
        "environment": environment["uuid"],
        "environmentName": environment["name"],
        **select_members(period, "uuid", "applicationInstance", names.ended_at),
        **select_times(period),
    }
    name = f"version {version['number']} of {pacticipant['name']} in {environment['name']}"
    target.add(names.kind, name, fact)


# Webhooks


def _copy_webhooks(source: ImportSource, target: ImportTarget) -> None:
    try:
        links = source.broker.get(source.broker.link("pb:webhooks")).links("pb:webhooks")
    except Refused as refused:
        if refused.status not in _FATAL_STATUSES:
            raise
        # Public reading of another Treaty does not include webhooks.
        target.report.notes.append(f"Webhooks were not copied: the source shows them to known users only. ({refused})")
        return
    for webhook in source.find_all([(f"webhook {link.title or link.name}", link.href) for link in links]):
        if webhook:
            _copy_webhook(target, webhook)


def _copy_webhook(target: ImportTarget, webhook: HalResource) -> None:
    """Copy a webhook. If the source hides its secrets, it is disabled: without them, its requests would be wrong."""
    webhook_uuid = webhook.link("self").href.rpartition("/")[2]
    name = f"The webhook {webhook.body.get('description') or webhook_uuid}"
    fact = {"kind": "webhook", "uuid": webhook_uuid}
    outcome = target.send_one("webhooks", name, fact)
    if outcome != "absent":
        return
    body = {member: value for member, value in webhook.body.items() if member not in _READ_ONLY_MEMBERS}
    for side in ("consumer", "provider"):
        if side in body:
            body[side] = select_members(body[side], "name", "label")
    if _has_hidden_value(body["request"]):
        body |= {"enabled": False, "request": _remove_hidden_values(body["request"])}
        target.report.notes.append(f"{name} is disabled: its secrets are hidden. Add them, and enable it.")
    target.put_webhook(name, webhook_uuid, body, fact)


def _has_hidden_value(request: Json) -> bool:
    return _remove_hidden_values(request) != {**request, "headers": request.get("headers") or {}}


def _remove_hidden_values(request: Json) -> Json:
    """Remove masks. Treaty also hides the path of the URL, the user and the body from tokens that only read."""
    headers = {name: value for name, value in (request.get("headers") or {}).items() if value != _HIDDEN_VALUE}
    visible = {name: value for name, value in request.items() if value != _HIDDEN_VALUE}
    return visible | {"headers": headers, "url": str(request.get("url")).removesuffix(_HIDDEN_VALUE)}
