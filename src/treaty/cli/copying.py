"""Copy what one broker has to another, through the links of both. What is there already is left as it is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import output
from treaty.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from treaty.client import Broker, Json, Resource

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
_ALL: Final = "1000000"
"""More results than a pact has: the matrix gives a hundred unless it is asked for more."""
_DEPLOYMENT: Final = ("pb:record-deployment", "pb:currently-deployed-deployed-versions", "deployedVersions")
_RELEASE: Final = ("pb:record-release", "pb:currently-supported-released-versions", "releasedVersions")


@dataclass(frozen=True, slots=True)
class Tally:
    """What was copied, what was there already, and what has to be seen to by people."""

    copied: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Copy:
    """Where from and where to. A dry one only reads."""

    source: Broker
    target: Broker
    is_dry: bool
    tally: Tally = field(default_factory=Tally)

    def write(self, kind: str, name: str, send: Callable[[], object]) -> None:
        """Write something, and count it. What the target will not have is told of; that it lets nobody in is raised."""
        try:
            if not self.is_dry:
                send()
        except Refused as refused:
            if refused.status in _STOPS or refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.tally.refused.append(f"{name}: {refused}")
        else:
            self.tally.copied[kind] += 1

    def is_there(self, kind: str) -> None:
        self.tally.found[kind] += 1


def copy(source: Broker, target: Broker, *, is_dry: bool) -> Tally:
    """Copy everything. Webhooks come last, so that the copying itself calls none of them."""
    work = Copy(source, target, is_dry)
    pacticipants = _embedded(source.get(source.link("pb:pacticipants")), "pacticipants")
    versions = {each["name"]: _pacticipant(work, each) for each in pacticipants}
    for name, known in versions.items():
        with output.progress(f"Copying the pacts of {name}"):
            _pacts(work, known)
        output.complain(f"{name}: {len(known)} versions")
    _environments(work)
    _webhooks(work)
    return work.tally


def _embedded(resource: Resource | None, name: str) -> list[Json]:
    return resource.embedded(name) if resource else []


def _given(body: Json, *names: str) -> Json:
    return {name: body[name] for name in names if body.get(name) is not None}


# Pacticipants and their versions


def _pacticipant(work: Copy, pacticipant: Json) -> list[Json]:
    """Copy a pacticipant, its labels and its versions; give these, the oldest first."""
    name = pacticipant["name"]
    ours = work.target.find(work.target.link("pb:pacticipant", pacticipant=name))
    if ours is None:
        body = _given(pacticipant, "name", "displayName", "mainBranch", "repositoryUrl")
        work.write("pacticipants", name, lambda: work.target.post(work.target.link("pb:pacticipants"), body))
    else:
        work.is_there("pacticipants")
    _labels(work, pacticipant, ours)
    known = work.source.get(work.source.link("pb:pacticipant", pacticipant=name))
    with output.progress(f"Copying the versions of {name}"):
        versions = work.source.get(known.link("pb:versions", "versions").href).embedded("versions")[::-1]
        there = _versions_there(work, ours)
        for version in versions:
            _version(work, name, version, there.get(version["number"]))
    return versions


def _labels(work: Copy, pacticipant: Json, ours: Resource | None) -> None:
    there = {label["name"] for label in _embedded(ours, "labels")}
    for label in (pacticipant.get("_embedded") or {}).get("labels") or []:
        if label["name"] not in there and not work.is_dry:
            named = work.target.get(work.target.link("pb:pacticipant", pacticipant=pacticipant["name"]))
            work.target.put(named.link("pb:label").fill(label=label["name"]))


def _versions_there(work: Copy, ours: Resource | None) -> dict[str, Json]:
    listed = work.target.get(ours.link("pb:versions").href) if ours else None
    return {version["number"]: version for version in _embedded(listed, "versions")}


def _version(work: Copy, name: str, version: Json, ours: Json | None) -> None:
    number = version["number"]
    missing = [each for each in _marks(version) if each not in list(_marks(ours or {}))]
    if ours and not missing:
        work.is_there("versions")
        return

    def send() -> None:
        named = {"pacticipant": name, "version": number}
        work.target.put(work.target.link("pb:pacticipant-version", **named), _given(version, "buildUrl"))
        for relation, kind, mark in missing:
            work.target.put(work.target.link(relation, **named, **{kind: mark}))

    work.write("versions", f"version {number} of {name}", send)


def _marks(version: Json) -> Iterator[tuple[str, str, str]]:
    """Give the branches and tags of a version, each with its relation and what that has in its place."""
    embedded = version.get("_embedded") or {}
    for branch in embedded.get("branchVersions") or []:
        yield "pb:pacticipant-branch-version", "branch", branch["name"]
    for tag in embedded.get("tags") or []:
        yield "pb:pacticipant-version-tag", "tag", tag["name"]


# Pacts and their results


def _pacts(work: Copy, versions: Iterable[Json]) -> None:
    """Copy the pacts of a consumer, the oldest first, and the results of each content once."""
    known: set[str] = set()  # a content names consumer and provider
    for version in versions:
        links = (version.get("_links") or {}).get("pb:pact-versions") or []
        for href in dict.fromkeys(link["href"] for link in links):
            pact = work.source.get(href)
            ours = _pact(work, pact)
            content = json.dumps(_content(pact.body), sort_keys=True)
            if content not in known:
                known.add(content)
                _results(work, pact, ours)


def _pact(work: Copy, pact: Resource) -> Resource | None:
    """Copy a pact; give that of the target, unless there is none yet as nothing is to be changed."""
    provider, consumer, version = (
        pact.link(f"pb:{part}").name for part in ("provider", "consumer", "consumer-version")
    )
    named = {"provider": provider, "consumer": consumer, "consumerApplicationVersion": version}
    url = work.target.link("pb:publish-pact", **named)
    ours = work.target.find(url)
    if ours is None:
        name = f"the pact of {consumer} {version} with {provider}"
        work.write("pacts", name, lambda: work.target.put(url, _content(pact.body)))
        return None if work.is_dry else work.target.find(url)
    work.is_there("pacts")
    if _content(ours.body) != _content(pact.body):
        work.tally.refused.append(f"the pact of {consumer} {version} with {provider}: there is another one already")
        return None
    return ours


def _content(body: Json) -> Json:
    """Take away what a broker adds to a pact."""
    content = {name: value for name, value in body.items() if name not in {"_links", "createdAt"}}
    for kind in ("interactions", "messages"):
        if isinstance(content.get(kind), list):
            content[kind] = [_without_id(each) for each in content[kind]]
    return content


def _without_id(interaction: Any) -> Any:
    is_marked = isinstance(interaction, dict) and "_id" in interaction
    return {name: value for name, value in interaction.items() if name != "_id"} if is_marked else interaction


def _results(work: Copy, pact: Resource, ours: Resource | None) -> None:
    """Copy the results of a content in their order, less those that are there."""
    there = Counter(_sign(result) for result in _every_result(work.target, ours)) if ours else Counter()
    for result in _every_result(work.source, pact):
        if there[_sign(result)]:
            there[_sign(result)] -= 1
            work.is_there("results")
        elif ours or work.is_dry:
            _result(work, result, ours)


def _sign(result: Resource) -> tuple[Any, ...]:
    return tuple(str(result.body.get(name)) for name in ("providerApplicationVersion", "success", "buildUrl"))


def _result(work: Copy, result: Resource, ours: Resource | None) -> None:
    body = _given(result.body, "success", "providerApplicationVersion", "buildUrl", "testResults", "verifiedBy")

    def send() -> None:
        if ours:
            work.target.post(ours.link("pb:publish-verification-results").href, body)

    name = f"a result of {body.get('providerApplicationVersion')} for {_pact_name(result)}"
    work.write("results", name, send)


def _pact_name(result: Resource) -> str:
    links = result.links("pb:pact-version")
    return links[0].name if links else result.url


def _every_result(broker: Broker, pact: Resource) -> Iterator[Resource]:
    """Go through the results of a pact's content, the oldest first. Only the matrix knows all of them."""
    provider, consumer, version = (
        pact.link(f"pb:{part}").name for part in ("provider", "consumer", "consumer-version")
    )
    asked = [("pacticipant", consumer), ("version", version), ("pacticipant", provider)]
    query = [*((f"q[][{name}]", value) for name, value in asked), ("limit", _ALL)]
    rows = broker.get(broker.at("matrix", query=query)).body.get("matrix") or []
    hrefs = {row["verificationResult"]["_links"]["self"]["href"] for row in rows if row.get("verificationResult")}
    yield from (broker.get(href) for href in sorted(hrefs, key=_number))


def _number(href: str) -> int:
    return int(href.rpartition("/")[2])


# Environments, and what is in them


def _environments(work: Copy) -> None:
    if not work.source.index.has("pb:environments"):
        return
    ours = {each["name"]: each for each in _listed_environments(work.target)}
    for environment in _listed_environments(work.source):
        name = environment["name"]
        if name in ours:
            work.is_there("environments")
        else:
            _environment(work, environment)
    there = {each["name"]: each for each in _listed_environments(work.target)}
    for environment in _listed_environments(work.source):
        _present(work, "deployments", _DEPLOYMENT, environment, there.get(environment["name"]))
        _present(work, "releases", _RELEASE, environment, there.get(environment["name"]))


def _listed_environments(broker: Broker) -> list[Json]:
    return broker.get(broker.link("pb:environments")).embedded("environments")


def _environment(work: Copy, environment: Json) -> None:
    body = {name: value for name, value in environment.items() if name not in _OF_THE_BROKER}
    name = f"the environment {environment['name']}"
    work.write("environments", name, lambda: work.target.post(work.target.link("pb:environments"), body))


def _present(work: Copy, kind: str, relations: tuple[str, str, str], environment: Json, ours: Json | None) -> None:
    """Record what is in an environment now, the oldest first."""
    record, listing, embedded = relations
    there = {_place(each) for each in _inside(work.target, ours, listing, embedded)} if ours else set()
    inside = _inside(work.source, environment, listing, embedded)
    for deployed in sorted(inside, key=lambda each: str(each.get("createdAt"))):
        if _place(deployed) in there:
            work.is_there(kind)
        else:
            _record(work, kind, record, deployed, environment["name"])


def _inside(broker: Broker, environment: Json, listing: str, embedded: str) -> list[Json]:
    link = (environment.get("_links") or {}).get(listing)
    return broker.get(link["href"]).embedded(embedded) if link else []


def _place(deployed: Json) -> tuple[str, ...]:
    within = deployed["_embedded"]
    return within["pacticipant"]["name"], within["version"]["number"], str(deployed.get("applicationInstance") or "")


def _record(work: Copy, kind: str, relation: str, deployed: Json, environment: str) -> None:
    pacticipant, version, _ = _place(deployed)

    def send() -> None:
        url = work.target.link("pb:pacticipant-version", pacticipant=pacticipant, version=version)
        link = next(each for each in work.target.get(url).links(relation) if each.name == environment)
        work.target.post(link.href, _given(deployed, "applicationInstance"))

    work.write(kind, f"version {version} of {pacticipant} in {environment}", send)


# Webhooks


def _webhooks(work: Copy) -> None:
    for link in work.source.get(work.source.link("pb:webhooks")).links("pb:webhooks"):
        webhook = work.source.get(link.href)
        uuid = webhook.link("self").href.rpartition("/")[2]
        url = work.target.link("pb:webhook", uuid=uuid)
        if work.target.find(url):
            work.is_there("webhooks")
        else:
            _webhook(work, webhook, url)


def _webhook(work: Copy, webhook: Resource, url: str) -> None:
    """Copy a webhook. One whose secrets are hidden would do harm without them, so it waits until somebody adds them."""
    body = {name: value for name, value in webhook.body.items() if name not in _OF_THE_BROKER}
    for side in ("consumer", "provider"):
        if side in body:
            body[side] = _given(body[side], "name", "label")
    name = f"The webhook {webhook.body.get('description') or url.rpartition('/')[2]}"
    if _is_secret(body["request"]):
        body |= {"enabled": False, "request": _without_secrets(body["request"])}
        work.tally.notes.append(f"{name} is disabled: its secrets are hidden. Add them, and enable it.")
    work.write("webhooks", name, lambda: work.target.put(url, body))


def _is_secret(request: Json) -> bool:
    return _HIDDEN in {request.get("password"), *(request.get("headers") or {}).values()}


def _without_secrets(request: Json) -> Json:
    headers = {name: value for name, value in (request.get("headers") or {}).items() if value != _HIDDEN}
    return {name: value for name, value in request.items() if value != _HIDDEN} | {"headers": headers}
