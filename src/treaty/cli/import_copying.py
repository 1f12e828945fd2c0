"""Copy what another broker has to a Treaty, with its original times. What is newer in the target stays as it is."""

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
_STOPS: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_OF_THE_BROKER: Final = ("_links", "_embedded", "createdAt", "updatedAt", "uuid")
_HIDDEN: Final = "**********"
MAX_FACTS: Final = 200
"""Facts in one request to the target."""
REQUEST_GOAL_SECONDS: Final = 0.5
"""Seconds that a request to the target may take. Nobody else can write to a SQLite database meanwhile."""
MAX_CHARACTERS: Final = 2_000_000
"""Characters of pacts and test results in one request to the target."""
MAX_LOOKUPS: Final = 5000
_BEAT: Final = 10.0
"""Seconds after which the target is told that the import is still running."""
_WAIT: Final = 40.0
"""Seconds to wait for another import: one that was killed blocks the next for 30."""
_PROGRESS: Final = 5.0
"""Seconds between two lines of progress."""


@dataclass(slots=True)
class CopyReport:
    """Counts for the final report, and what people have to know."""

    copied: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What was left out because of what happened in the target since."""
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ImportTarget:
    """The Treaty that facts are sent to, in parts."""

    broker: BrokerClient
    source_url: str
    is_dry: bool
    tally: CopyReport
    _run: str = field(default_factory=lambda: str(uuid.uuid4()))
    _facts: list[tuple[str, str, Json]] = field(default_factory=list)
    _size: int = 0
    _most: int = MAX_FACTS
    """Facts in the next request, by how long the last one took."""
    _sent_at: float = 0

    @property
    def url(self) -> str:
        """Raises ClientError for a broker that cannot import."""
        if not self.broker.index.has_link("pb:import"):
            raise ClientError(
                f"{self.broker.url} cannot import.",
                hint="It must be a Treaty of this version, and the credentials need the permission to write.",
            )
        return self.broker.link("pb:import")

    def begin(self) -> None:
        """Claim the import, waiting for one that was killed. Raises Refused while another one is running."""
        until = time.monotonic() + _WAIT
        while True:
            try:
                self._post([])
            except Refused as refused:
                if refused.status != HTTPStatus.CONFLICT or time.monotonic() > until:
                    raise
                output.print_error("Another import is running or has just been interrupted. Waiting …")
                time.sleep(2)
            else:
                return

    def find_markers(self, facts: Sequence[Sequence[str]]) -> list[str | None]:
        """Return what earlier imports remembered of facts; None for the new ones."""
        values: list[str | None] = []
        for start in range(0, len(facts), MAX_LOOKUPS):
            part = [list(fact) for fact in facts[start : start + MAX_LOOKUPS]]
            values += self.broker.post(f"{self.url}/known", {"source": self.source_url, "facts": part}).body["values"]
        return values

    def add(self, kind: str, name: str, fact: Json) -> None:
        """Send a fact, now or with the next ones."""
        self._facts.append((kind, name, fact))
        self._size += len(fact.get("content") or "") + len(fact.get("testResults") or "")
        if len(self._facts) >= self._most or self._size >= MAX_CHARACTERS:
            self.flush()

    def flush(self) -> None:
        facts, self._facts, self._size = self._facts, [], 0
        if facts:
            began = time.monotonic()
            outcomes = self._post([fact for *_, fact in facts])
            self._most = next_batch_size(len(facts), self._most, seconds=time.monotonic() - began)
            for (kind, name, _), imported in zip(facts, outcomes, strict=True):
                self._count(kind, name, imported)

    def send_one(self, kind: str, name: str, fact: Json) -> str:
        """Send one fact, and return its outcome, which is counted unless the client has to create something."""
        (imported,) = self._post([fact])
        if imported["outcome"] != "absent":
            self._count(kind, name, imported)
        return str(imported["outcome"])

    def put_webhook(self, name: str, uuid_of_webhook: str, body: Json, fact: Json) -> None:
        """Create a webhook, and have it remembered as copied."""
        try:
            if not self.is_dry:
                self.broker.put(self.broker.link("pb:webhook", uuid=uuid_of_webhook), body)
                self._post([fact])
        except Refused as refused:
            if refused.status in _STOPS or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.tally.refused.append(f"{name}: {refused}")
        else:
            self.tally.copied["webhooks"] += 1

    def renew_claim(self) -> None:
        """Keep the claim while the source is slow."""
        if time.monotonic() - self._sent_at > _BEAT:
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
                self.tally.copied[kind] += 1
            case "refused":
                self.tally.refused.append(f"{name}: {imported['reason']}")
            case "removed" | "outdated":
                self.tally.left.append(f"{name}: {imported['reason']}")
            case _:
                self.tally.found[kind] += 1


def next_batch_size(sent: int, most: int, *, seconds: float) -> int:
    """Return how many facts to send next if the last request took so long; never many more than before."""
    fitting = max(1, int(sent * REQUEST_GOAL_SECONDS / max(seconds, 0.001)))
    return min(fitting, most) if seconds > REQUEST_GOAL_SECONDS else min(max(most, fitting), most * 2, MAX_FACTS)


def copy_all(source: BrokerClient, target: BrokerClient, *, is_dry: bool, parallel: int = 4) -> CopyReport:
    """Copy everything. Raises ClientError if one of the brokers cannot be used."""
    tally = CopyReport()
    to = ImportTarget(target, source.url, is_dry, tally)
    to.begin()
    with ImportSource(source, tally.refused.append, to.renew_claim, parallel) as origin:
        names = _pacticipants(origin, to)
        links = [link for name in names for link in _versions(origin, to, name)]
        _results(origin, to, _pacts(origin, to, origin.with_revisions(links)))
        _environments(origin, to)
        _webhooks(origin, to)
    to.finish()
    return tally


class _Progress:
    """Says from time to time how much of a long step is done."""

    def __init__(self, what: str, total: int) -> None:
        self._what, self._total, self._done = what, total, 0
        self._began = self._said = time.monotonic()

    def step(self) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said < _PROGRESS:
            return
        self._said = now
        rate = self._done / (now - self._began)
        left = round((self._total - self._done) / rate)
        output.print_error(f"{self._what}: {self._done} of {self._total}, {rate:.0f} a second, about {left} s left")


# Pacticipants and their versions


def _pacticipants(origin: ImportSource, to: ImportTarget) -> list[str]:
    """Copy the pacticipants, and return their names."""
    listed = origin.pacticipants()
    said = ("name", "displayName", "mainBranch", "repositoryUrl", "repositoryName", "repositoryNamespace")
    for pacticipant in listed:
        labels = (pacticipant.get("_embedded") or {}).get("labels") or []
        fact = {
            "kind": "pacticipant",
            **select_members(pacticipant, *said),
            **select_times(pacticipant),
            "labels": [label["name"] for label in labels],
        }
        to.add("pacticipants", f"application {pacticipant['name']}", fact)
    to.flush()
    return [pacticipant["name"] for pacticipant in listed]


def _versions(origin: ImportSource, to: ImportTarget, pacticipant: str) -> list[PactLink]:
    """Copy the versions of a pacticipant with their branches and tags; return their pacts, the oldest first."""
    versions = origin.versions(pacticipant)
    branches = origin.branches(pacticipant) if any(_marks(version, "branchVersions") for version in versions) else {}
    here = _numbers(to.broker, pacticipant)
    neighbours = _neighbours([version["number"] for version in versions], here)
    progress = _Progress(f"Versions of {pacticipant}", len(versions))
    for version, places in zip(versions, _places(origin, to, pacticipant, versions, branches), strict=True):
        above, below = neighbours[version["number"]]
        fact = {
            "kind": "version",
            "pacticipant": pacticipant,
            **select_members(version, "number", "buildUrl"),
            **select_times(version),
            "above": above,
            "below": below,
            **places,
        }
        to.add("versions", f"version {version['number']} of {pacticipant}", fact)
        progress.step()
    to.flush()
    output.print_error(f"{pacticipant}: {len(versions)} versions")
    return [link for version in versions for link in pact_links(pacticipant, version)]


def _numbers(target: BrokerClient, pacticipant: str) -> set[str]:
    listed = target.find(target.url_for("pacticipants", pacticipant, "versions"))
    return {version["number"] for version in listed.embedded("versions")} if listed else set()


def _neighbours(numbers: Sequence[str], here: set[str]) -> dict[str, tuple[str | None, str | None]]:
    """Find for each version the one below which, and the one above which, the target is to place it."""
    below: str | None = None
    following: dict[str, str | None] = {}
    for number in reversed(numbers):
        following[number] = below
        below = number if number in here else below
    before = [None, *numbers[:-1]] if numbers else []
    return {number: (above, following[number]) for number, above in zip(numbers, before, strict=True)}


def _marks(version: Json, kind: str) -> list[Json]:
    return (version.get("_embedded") or {}).get(kind) or []


def _places(
    origin: ImportSource, to: ImportTarget, pacticipant: str, versions: Sequence[Json], branches: dict[str, Json]
) -> Iterator[Json]:
    """Return the branches and tags of each version, with the time of each that the target does not know yet."""
    marks = [
        (kind, mark, version)
        for version in versions
        for kind, embedded in (("branch", "branchVersions"), ("tag", "tags"))
        for mark in _marks(version, embedded)
    ]
    keys = [_mark_key(pacticipant, *mark) for mark in marks]
    known = to.find_markers(keys)
    is_new = [value is None for value in known]
    fetched = origin.find_all([_mark_link(*mark) for mark, is_missing in zip(marks, is_new, strict=True) if is_missing])
    places: dict[str, Json] = defaultdict(lambda: {"branches": [], "tags": []})
    for (kind, mark, version), value in zip(marks, known, strict=True):
        resource = next(fetched) if value is None else None
        created = (resource.body.get("createdAt") if resource else value) or version["createdAt"]
        place = {"name": mark["name"], "createdAt": created}
        if kind == "branch":
            branch = select_times(branches.get(mark["name"]) or {"createdAt": created})
            times = {"branchCreatedAt": branch["createdAt"], "branchUpdatedAt": branch["updatedAt"]}
            places[version["number"]]["branches"].append({**place, "isHead": bool(mark.get("latest")), **times})
        else:
            places[version["number"]]["tags"].append(place)
    yield from (places[version["number"]] for version in versions)


def _mark_link(kind: str, mark: Json, version: Json) -> tuple[str, str]:
    return f"{kind} {mark['name']} of version {version['number']}", mark["_links"]["self"]["href"]


def _mark_key(pacticipant: str, kind: str, mark: Json, version: Json) -> list[str]:
    if kind == "branch":
        return [kind, pacticipant, mark["name"], version["number"]]
    return [kind, pacticipant, version["number"], mark["name"]]


# Pacts and results


def _pacts(origin: ImportSource, to: ImportTarget, links: Sequence[PactLink]) -> list[PactLink]:
    """Copy the pacts; return one for each content, by which its results are found, and all with several revisions."""
    keys = [["pact", link.consumer, link.provider, link.version, link.marker] for link in links]
    known = dict(zip(links, to.find_markers(keys), strict=True))
    new = [link for link in links if not known[link]]
    shas: dict[PactLink, str] = {link: sha for link, sha in known.items() if sha}
    to.tally.found["pacts"] += len(shas)
    progress = _Progress("Pacts", len(new))
    for link, pact in zip(new, origin.find_all([(link.name, link.href) for link in new]), strict=True):
        if pact:
            fact = pact_fact(link, pact, is_current=True)
            to.add("pacts", link.name, fact)
            shas[link] = fact["sha"]
        progress.step()
    to.flush()
    by_content = {(link.consumer, link.provider, sha): link for link, sha in shas.items()}
    rewritten = [link for link in shas if link.revisions > 1]
    return list(dict.fromkeys([*by_content.values(), *rewritten]))


def _results(origin: ImportSource, to: ImportTarget, pacts: Sequence[PactLink]) -> None:
    """Copy the results of all contents in the order in which the source numbered them, and overwritten revisions."""
    progress = _Progress("Results of pacts", len(pacts))
    links: dict[tuple[ContentKey, int], ResultLink] = {}
    overwritten: dict[tuple[PactLink, str], ResultLink] = {}
    for pact, rows in zip(pacts, origin.list_results(pacts), strict=True):
        links |= {(row.content, row.number): row for row in rows}
        overwritten |= {(pact, row.content.sha): row for row in rows if pact.revisions > 1}
        progress.step()
    _overwritten(origin, to, overwritten)
    recorded = recorded_times(links.values())
    known = dict(zip(links, to.find_markers([_result_key(link) for link in links.values()]), strict=True))
    new = sorted((link for key, link in links.items() if known[key] is None), key=lambda link: link.number)
    to.tally.found["results"] += len(links) - len(new)
    progress = _Progress("Results", len(new))
    for link, result in zip(new, origin.find_all([(link.name, link.href) for link in new]), strict=True):
        if result:
            to.add("results", link.name, _result(link, result.body, recorded[link]))
        progress.step()
    to.flush()


def _overwritten(origin: ImportSource, to: ImportTarget, revisions: dict[tuple[PactLink, str], ResultLink]) -> None:
    """Copy the contents that results are about and that are no longer the newest of their version."""
    keys = [["publication", pact.consumer, pact.provider, pact.version, sha] for pact, sha in revisions]
    known = dict(zip(revisions, to.find_markers(keys), strict=True))
    new = sorted((key for key in revisions if known[key] is None), key=lambda key: revisions[key].pact_created_at)
    for key in new:
        fact = origin.find_overwritten(key[0], revisions[key])
        if fact:
            to.add("pacts", f"an overwritten revision of {key[0].name}", fact)
    to.flush()


def _result_key(link: ResultLink) -> list[str]:
    return ["result", *link.content, str(link.number)]


def _result(link: ResultLink, result: Json, recorded_at: str) -> Json:
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
        "testResults": _text(result.get("testResults")),
        "verifiedBy": _text(result.get("verifiedBy") or None),
        "isWip": bool(result.get("workInProgress")),
    }


def _text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False)


# Environments, and what is in them


def _environments(origin: ImportSource, to: ImportTarget) -> None:
    if not origin.broker.index.has_link("pb:environments"):
        return
    environments = _listed(origin.broker)
    for environment in environments:
        fact = {
            "kind": "environment",
            **select_members(environment, "uuid", "name", "displayName"),
            **select_times(environment),
            "isProduction": environment["production"],
            "contacts": _text(environment.get("contacts")),
        }
        to.add("environments", f"environment {environment['name']}", fact)
    to.flush()
    here = {name: each for each in _listed(to.broker) for name in (each["name"], each["uuid"])}
    for environment in environments:
        ours = here.get(environment["uuid"]) or here.get(environment["name"])
        _inside(origin, to, _DEPLOYMENTS, environment, ours)
        _inside(origin, to, _RELEASES, environment, ours)
    to.flush()


def _listed(broker: BrokerClient) -> list[Json]:
    return broker.get(broker.link("pb:environments")).embedded("environments")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Inside:
    """Names of what is recorded about versions in environments."""

    kind: str
    fact: str
    path: str
    listing: str
    embedded: str
    ended_at: str


_DEPLOYMENTS: Final = _Inside(
    kind="deployments",
    fact="deployment",
    path="deployed-versions",
    listing="pb:currently-deployed-deployed-versions",
    embedded="deployedVersions",
    ended_at="undeployedAt",
)
_RELEASES: Final = _Inside(
    kind="releases",
    fact="release",
    path="released-versions",
    listing="pb:currently-supported-released-versions",
    embedded="releasedVersions",
    ended_at="supportEndedAt",
)


def _inside(origin: ImportSource, to: ImportTarget, names: _Inside, environment: Json, ours: Json | None) -> None:
    """Copy that something copied earlier is no longer in an environment; then what is in it now, the oldest first."""
    current = _current(origin.broker, names, environment)
    uuids = {one["uuid"] for one in current}
    here = _current(to.broker, names, ours) if ours else []
    for uuid_here in (one["uuid"] for one in here if one["uuid"] not in uuids):
        ended = origin.broker.find(origin.broker.url_for(names.path, uuid_here))
        if ended and ended.body.get(names.ended_at):
            _add_inside(to, names, environment, ended.body)
    for one in sorted(current, key=lambda each: str(each.get("createdAt"))):
        _add_inside(to, names, environment, one)


def _current(broker: BrokerClient, names: _Inside, environment: Json) -> list[Json]:
    link = (environment.get("_links") or {}).get(names.listing)
    return broker.get(link["href"]).embedded(names.embedded) if link else []


def _add_inside(to: ImportTarget, names: _Inside, environment: Json, one: Json) -> None:
    pacticipant, version = (one["_embedded"][part] for part in ("pacticipant", "version"))
    fact = {
        "kind": names.fact,
        "pacticipant": pacticipant["name"],
        "version": version["number"],
        "environment": environment["uuid"],
        "environmentName": environment["name"],
        **select_members(one, "uuid", "applicationInstance", names.ended_at),
        **select_times(one),
    }
    name = f"version {version['number']} of {pacticipant['name']} in {environment['name']}"
    to.add(names.kind, name, fact)


# Webhooks


def _webhooks(origin: ImportSource, to: ImportTarget) -> None:
    listed = origin.broker.get(origin.broker.link("pb:webhooks")).links("pb:webhooks")
    for webhook in origin.find_all([(f"webhook {link.title or link.name}", link.href) for link in listed]):
        if webhook:
            _webhook(to, webhook)


def _webhook(to: ImportTarget, webhook: HalResource) -> None:
    """Copy a webhook. One whose secrets are hidden would do harm without them, so it waits until somebody adds them."""
    uuid_of_webhook = webhook.link("self").href.rpartition("/")[2]
    name = f"The webhook {webhook.body.get('description') or uuid_of_webhook}"
    fact = {"kind": "webhook", "uuid": uuid_of_webhook}
    outcome = to.send_one("webhooks", name, fact)
    if outcome != "absent":
        return
    body = {member: value for member, value in webhook.body.items() if member not in _OF_THE_BROKER}
    for side in ("consumer", "provider"):
        if side in body:
            body[side] = select_members(body[side], "name", "label")
    if _is_secret(body["request"]):
        body |= {"enabled": False, "request": _without_secrets(body["request"])}
        to.tally.notes.append(f"{name} is disabled: its secrets are hidden. Add them, and enable it.")
    to.put_webhook(name, uuid_of_webhook, body, fact)


def _is_secret(request: Json) -> bool:
    return _HIDDEN in {request.get("password"), *(request.get("headers") or {}).values()}


def _without_secrets(request: Json) -> Json:
    headers = {name: value for name, value in (request.get("headers") or {}).items() if value != _HIDDEN}
    return {name: value for name, value in request.items() if value != _HIDDEN} | {"headers": headers}
