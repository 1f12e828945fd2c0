"""Copying of another broker's data to a Treaty, with its original times. Newer data in the target is not changed."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from treaty.cli.import_contracts import copy_contracts
from treaty.cli.import_exports import copy_exported
from treaty.cli.import_reports import CopyReport
from treaty.cli.import_sources import (
    ImportSource,
    Request,
    pact_fact,
    pact_links,
    recorded_times,
    select_members,
    select_times,
)
from treaty.cli.import_targets import ImportTarget
from treaty.cli.progress import Progress
from treaty.errors import Refused
from treaty.exact_json import parse_json, serialize

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treaty.cli.import_sources import ContentKey, PactLink, ResultLink
    from treaty.client import BrokerClient, HalResource, Json

_FATAL_STATUSES: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
_READ_ONLY_MEMBERS: Final = ("_links", "_embedded", "createdAt", "updatedAt", "uuid")
_HIDDEN_VALUE: Final = "**********"
_STEPS: Final = 6


def copy_all(
    source_broker: BrokerClient, target_broker: BrokerClient, *, is_dry: bool, parallel: int = 4
) -> CopyReport:
    """Copy everything. Raises ClientError if one of the brokers cannot be used."""
    report = CopyReport(is_exported=source_broker.index.has_link("pb:export"))
    target = ImportTarget(target_broker, source_broker.url, is_dry, report)
    target.begin()
    try:
        with ImportSource(source_broker, report.refuse, target.renew_claim, parallel) as source:
            if report.is_exported:
                copy_exported(source, target)
            else:
                _copy_resources(source, target)
            _copy_webhooks(source, target)
        target.finish()
    except KeyboardInterrupt:
        target.release_claim()
        raise
    return report


def _copy_resources(source: ImportSource, target: ImportTarget) -> None:
    """Copy the data of a broker without an export, such as the original, resource by resource."""
    has_contracts = source.broker.index.has_link("pf:publish-provider-contract")
    progress = Progress(_STEPS + has_contracts)
    names = _copy_pacticipants(source, target)
    versions = _list_versions(source, progress, names)
    links = _copy_versions(source, target, progress, versions)
    pacts = _copy_pacts(source, target, progress, source.with_revisions(links))
    _copy_results(source, target, progress, pacts)
    if has_contracts:
        copy_contracts(source, target, progress, {name: _list_times(of_one) for name, of_one in versions.items()})
    _copy_environments(source, target)
    progress.end()


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


class _Version(NamedTuple):
    """What is copied of a version: lists of them are kept in memory."""

    number: str
    build_url: str | None
    times: Mapping[str, Any]
    labels: Sequence[_Label]
    pacts: Sequence[PactLink]


class _Label(NamedTuple):
    """A branch or tag of a version."""

    kind: str
    name: str
    is_head: bool
    href: str

    def key(self, pacticipant: str, number: str) -> list[str]:
        """Return the key of the label in the target's memory."""
        if self.kind == "branch":
            return [self.kind, pacticipant, self.name, number]
        return [self.kind, pacticipant, number, self.name]


_Neighbours = tuple[str | None, str | None]


def _copy_versions(
    source: ImportSource, target: ImportTarget, progress: Progress, versions: Mapping[str, Sequence[_Version]]
) -> list[PactLink]:
    """Copy the versions of pacticipants with their branches and tags; return their pacts, the oldest first.

    Lists do not have the times of branches and tags, so each of them has to be fetched, unless an earlier import stored
    its time in the target.
    """
    progress.begin("versions", sum(map(len, versions.values())))
    branches = source.branches([name for name in versions if any(map(_has_branches, versions[name]))])
    neighbours: dict[str, dict[str, _Neighbours]] = {}
    for (name, version, stored_times), resources in source.find_all("versions", _label_jobs(target, versions)):
        if name not in neighbours:
            numbers = [version.number for version in versions[name]]
            neighbours[name] = _neighbours(numbers, _list_numbers(target.broker, name))
        labels = _label_facts(version, stored_times, iter(resources), branches.get(name, {}))
        fact = _version_fact(name, version, neighbours[name][version.number]) | labels
        target.add("versions", f"version {version.number} of {name}", fact)
        progress.advance()
    target.flush()
    return [link for of_pacticipant in versions.values() for version in of_pacticipant for link in version.pacts]


def _list_versions(source: ImportSource, progress: Progress, names: Sequence[str]) -> dict[str, list[_Version]]:
    progress.begin("lists of versions", len(names))
    versions = {}
    for name, listed in source.versions(names):
        versions[name] = [_parse_version(name, version) for version in listed]
        progress.advance()
    return versions


def _list_times(versions: Sequence[_Version]) -> dict[str, str]:
    """Return when each version was created, by its number."""
    return {version.number: str(version.times["createdAt"]) for version in versions}


def _version_fact(pacticipant: str, version: _Version, neighbours: _Neighbours) -> Json:
    above, below = neighbours
    fact = {"kind": "version", "pacticipant": pacticipant, "number": version.number, "buildUrl": version.build_url}
    return {**fact, **version.times, "above": above, "below": below}


def _parse_version(pacticipant: str, version: Json) -> _Version:
    labels = [
        _Label(kind, label["name"], bool(label.get("latest")), label["_links"]["self"]["href"])
        for kind, embedded in (("branch", "branchVersions"), ("tag", "tags"))
        for label in (version.get("_embedded") or {}).get(embedded) or []
    ]
    pacts = pact_links(pacticipant, version)
    return _Version(version["number"], version.get("buildUrl"), select_times(version), labels, pacts)


def _has_branches(version: _Version) -> bool:
    return any(label.kind == "branch" for label in version.labels)


def _list_numbers(broker: BrokerClient, pacticipant: str) -> set[str]:
    resource = broker.find(broker.url_for("pacticipants", pacticipant, "versions"))
    return {version["number"] for version in resource.embedded("versions")} if resource else set()


def _neighbours(numbers: Sequence[str], existing_numbers: set[str]) -> dict[str, _Neighbours]:
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


_LabelJob = tuple[tuple[str, _Version, "list[str | None]"], "list[Request]"]


def _label_jobs(target: ImportTarget, versions: Mapping[str, Sequence[_Version]]) -> Iterator[_LabelJob]:
    """Yield each version with the stored times of its branches and tags, and requests for those without one."""
    for name, of_pacticipant in versions.items():
        keys = [label.key(name, version.number) for version in of_pacticipant for label in version.labels]
        times = iter(target.find_markers(keys))
        for version in of_pacticipant:
            stored_times = [next(times) for _ in version.labels]
            requests = [
                Request(f"{label.kind} {label.name} of version {version.number}", label.href)
                for label, time in zip(version.labels, stored_times, strict=True)
                if time is None
            ]
            yield (name, version, stored_times), requests


def _label_facts(
    version: _Version,
    stored_times: Sequence[str | None],
    resources: Iterator[HalResource | None],
    branches: Mapping[str, Json],
) -> Json:
    """Return the branches and tags of a version with their times, those without a stored one from the resources."""
    facts: dict[str, list[Json]] = {"branches": [], "tags": []}
    for label, stored_time in zip(version.labels, stored_times, strict=True):
        resource = next(resources) if stored_time is None else None
        created_at = (resource.body.get("createdAt") if resource else stored_time) or version.times["createdAt"]
        fact = {"name": label.name, "createdAt": created_at}
        if label.kind == "branch":
            branch = select_times(branches.get(label.name) or {"createdAt": created_at})
            times = {"branchCreatedAt": branch["createdAt"], "branchUpdatedAt": branch["updatedAt"]}
            facts["branches"].append({**fact, "isHead": label.is_head, **times})
        else:
            facts["tags"].append(fact)
    return facts


# Pacts and results


def _copy_pacts(
    source: ImportSource, target: ImportTarget, progress: Progress, links: Sequence[PactLink]
) -> list[PactLink]:
    """Copy the pacts, and return those whose results have to be listed.

    These are one pact for each content, because results belong to a content, and all pacts with several revisions.
    """
    keys = [["pact", link.consumer, link.provider, link.version, link.marker] for link in links]
    stored_shas = dict(zip(links, target.find_markers(keys), strict=True))
    new = [link for link in links if not stored_shas[link]]
    shas: dict[PactLink, str] = {link: sha for link, sha in stored_shas.items() if sha}
    target.report.existing["pacts"] += len(shas)
    progress.begin("pacts", len(new))
    for link, (pact,) in source.find_all("pacts", [(link, [Request(link.name, link.href)]) for link in new]):
        if pact:
            fact = pact_fact(link, pact, is_current=True)
            target.add("pacts", link.name, fact)
            shas[link] = fact["sha"]
        progress.advance()
    target.flush()
    by_content = {(link.consumer, link.provider, sha): link for link, sha in shas.items()}
    rewritten = [link for link in shas if link.revisions > 1]
    return list(dict.fromkeys([*by_content.values(), *rewritten]))


def _copy_results(source: ImportSource, target: ImportTarget, progress: Progress, pacts: Sequence[PactLink]) -> None:
    """Copy the results of all contents in the order in which the source numbered them, and overwritten revisions."""
    progress.begin("lists of results", len(pacts))
    links: dict[tuple[ContentKey, int], ResultLink] = {}
    overwritten: dict[tuple[PactLink, str], ResultLink] = {}
    for pact, rows in source.list_results(pacts):
        links |= {(row.content, row.number): row for row in rows}
        overwritten |= {(pact, row.content.sha): row for row in rows if pact.revisions > 1}
        progress.advance()
    _copy_overwritten(source, target, progress, overwritten)
    recorded = recorded_times(links.values())
    markers = dict(zip(links, target.find_markers([_result_key(link) for link in links.values()]), strict=True))
    # In the order of their numbers, so that the target numbers them in the same order.
    new = sorted((link for key, link in links.items() if markers[key] is None), key=lambda link: link.number)
    target.report.existing["results"] += len(links) - len(new)
    progress.begin("verification results", len(new))
    for link, (result,) in source.find_all("results", [(link, [Request(link.name, link.href)]) for link in new]):
        if result:
            target.add("results", link.name, _result_fact(link, result, recorded[link]))
        progress.advance()
    target.flush()


def _copy_overwritten(
    source: ImportSource,
    target: ImportTarget,
    progress: Progress,
    revisions: Mapping[tuple[PactLink, str], ResultLink],
) -> None:
    """Copy the overwritten contents that have results; the source has no link to those without."""
    keys = [["publication", pact.consumer, pact.provider, pact.version, sha] for pact, sha in revisions]
    markers = dict(zip(revisions, target.find_markers(keys), strict=True))
    new = [(pact, row) for (pact, sha), row in revisions.items() if markers[pact, sha] is None]
    progress.begin("overwritten pacts", len(new))
    for pact, fact in source.find_overwritten(sorted(new, key=lambda revision: revision[1].pact_created_at)):
        if fact:
            target.add("pacts", f"an overwritten revision of {pact.name}", fact)
        progress.advance()
    target.flush()


def _result_key(link: ResultLink) -> list[str]:
    return ["result", *link.content, str(link.number)]


def _result_fact(link: ResultLink, resource: HalResource, recorded_at: str) -> Json:
    # Parsed again, because numbers in test results are copied as they are written.
    result, _ = parse_json(resource.text)
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
    return None if value is None else serialize(value)


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
    jobs = [(None, [Request(f"webhook {link.title or link.name}", link.href)]) for link in links]
    for _, (webhook,) in source.find_all("webhooks", jobs):
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
    # Parsed again, because numbers in the body of its requests are copied as they are written.
    properties, _ = parse_json(webhook.text)
    body = {member: value for member, value in properties.items() if member not in _READ_ONLY_MEMBERS}
    for side in ("consumer", "provider"):
        if side in body:
            body[side] = select_members(body[side], "name", "label")
        if f"{side}s" in body:
            body[f"{side}s"] = [select_members(member, "name", "label") for member in body[f"{side}s"]]
    if _has_hidden_value(body["request"]):
        body |= {"enabled": False, "request": _remove_hidden_values(body["request"])}
        target.report.notes.append(f"{name} is disabled: its secrets are hidden. Add them, and enable it.")
    target.put_webhook(name, webhook_uuid, serialize(body), fact)


def _has_hidden_value(request: Json) -> bool:
    return _remove_hidden_values(request) != {**request, "headers": request.get("headers") or {}}


def _remove_hidden_values(request: Json) -> Json:
    """Remove masks. Treaty also hides the path of the URL, the user and the body from tokens that only read."""
    headers = {name: value for name, value in (request.get("headers") or {}).items() if value != _HIDDEN_VALUE}
    visible = {name: value for name, value in request.items() if value != _HIDDEN_VALUE}
    return visible | {"headers": headers, "url": str(request.get("url")).removesuffix(_HIDDEN_VALUE)}
