"""Computes the pacts that a provider has to verify slowly and plainly, from the whole history.

It is written from the rules, and shares nothing with the code that it checks.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

MAIN_BRANCHES = ("develop", "main", "master")


@dataclass
class Branch:
    created_at: datetime
    versions: list[str] = field(default_factory=list)
    """In the order in which they were put on it; the last one is its head."""


@dataclass
class Pacticipant:
    versions: dict[str, datetime] = field(default_factory=dict)
    """When each was created, oldest first."""
    branches: dict[str, Branch] = field(default_factory=dict)
    tags: dict[str, dict[str, datetime]] = field(default_factory=dict)
    """When each tag was put on each version."""
    main_branch: str | None = None

    def position(self, version: str) -> int:
        return list(self.versions).index(version)

    def latest(self, versions: Any) -> str | None:
        return max(versions, key=self.position, default=None)


@dataclass
class Pact:
    content: int
    created_at: datetime


@dataclass
class Result:
    consumer: str
    content: int
    version: str
    success: bool
    is_wip: bool
    at: datetime
    tags: set[str]
    """Those of the provider's version when the result came in."""


@dataclass
class Place:
    version: str
    environment: str
    is_production: bool
    instance: str | None = None


@dataclass
class World:
    """All that happened around one provider."""

    provider: Pacticipant = field(default_factory=Pacticipant)
    consumers: dict[str, Pacticipant] = field(default_factory=dict)
    pacts: dict[str, dict[str, Pact]] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    running: dict[str, list[Place]] = field(default_factory=dict)
    supported: dict[str, list[Place]] = field(default_factory=dict)

    # The history

    def add_version(self, pacticipant: Pacticipant, version: str, now: datetime) -> None:
        pacticipant.versions.setdefault(version, now)

    def put_on_branch(self, pacticipant: Pacticipant, branch: str, version: str, now: datetime) -> None:
        self.add_version(pacticipant, version, now)
        pacticipant.branches.setdefault(branch, Branch(now)).versions.append(version)
        self._note_main_branch(pacticipant, branch)

    def put_tag(self, pacticipant: Pacticipant, tag: str, version: str, now: datetime) -> None:
        self.add_version(pacticipant, version, now)
        pacticipant.tags.setdefault(tag, {}).setdefault(version, now)
        self._note_main_branch(pacticipant, tag)

    def _note_main_branch(self, pacticipant: Pacticipant, name: str) -> None:
        if pacticipant.main_branch is None and name in MAIN_BRANCHES:
            pacticipant.main_branch = name

    def publish(self, consumer: str, version: str, content: int, now: datetime) -> None:
        self.add_version(self.consumers[consumer], version, now)
        self.pacts.setdefault(consumer, {})[version] = Pact(content, now)

    def verify(self, result: Result, now: datetime) -> None:
        self.add_version(self.provider, result.version, now)
        result.tags = {tag for tag, versions in self.provider.tags.items() if result.version in versions}
        self.results.append(result)

    def deploy(self, consumer: str, place: Place) -> None:
        where = (place.environment, place.instance)
        places = self.running.setdefault(consumer, [])
        places[:] = [other for other in places if (other.environment, other.instance) != where] + [place]

    def release(self, consumer: str, place: Place) -> None:
        self.supported.setdefault(consumer, []).append(place)


@dataclass(frozen=True)
class Found:
    """A pact, found by a selector that is described so, and stands so among those of one content."""

    consumer: str
    version: str
    content: int
    description: str
    place: tuple[Any, ...]
    latest_tag: str | None = None


@dataclass(frozen=True)
class Expected:
    consumer: str
    version: str
    descriptions: tuple[str, ...]
    is_pending: bool | None
    is_wip: bool


def expected(world: World, request: Mapping[str, Any], *, now: datetime, since: datetime | None) -> list[Expected]:
    """List the expected pacts of a request. Work in progress has its descriptions in alphabetical order."""
    explicit = _merged(world, _explicit(world, request))
    pending = request.get("includePendingStatus", True)
    answer = [
        Expected(
            group[0].consumer,
            _newest(world, group),
            tuple(match.description for match in sorted(group, key=lambda match: match.place)),
            _is_pending(world, group[0].consumer, group[0].content, request) if pending else None,
            is_wip=False,
        )
        for group in sorted(explicit, key=lambda group: (group[0].consumer.lower(), _position(world, group)))
    ]
    contents = {(group[0].consumer, group[0].content) for group in explicit}
    in_progress = [] if since is None else _in_progress(world, request, now=now, since=since)
    groups = _merged(world, [head for head in in_progress if (head.consumer, head.content) not in contents])
    answer += [
        Expected(
            group[0].consumer,
            _newest(world, group),
            tuple(sorted(match.description for match in group)),
            True if pending else None,
            is_wip=True,
        )
        for group in sorted(groups, key=lambda group: (group[0].consumer, _position(world, group)))
    ]
    return answer


def _merged(_world: World, found: list[Found]) -> list[list[Found]]:
    groups: dict[tuple[str, int], list[Found]] = {}
    for match in found:
        groups.setdefault((match.consumer, match.content), []).append(match)
    return list(groups.values())


def _position(world: World, group: list[Found]) -> int:
    return max(world.consumers[match.consumer].position(match.version) for match in group)


def _newest(world: World, group: list[Found]) -> str:
    return max(group, key=lambda pact: world.consumers[pact.consumer].position(pact.version)).version


# Selectors


def _explicit(world: World, request: Mapping[str, Any]) -> list[Found]:
    selectors = request.get("consumerVersionSelectors")
    if not selectors:
        return [
            *(match for consumer in world.pacts for match in _default(world, consumer)),
            *_selected(world, {"deployed": True}, request),
            *_selected(world, {"released": True}, request),
        ]
    matches = [match for selector in selectors for match in _selected(world, selector, request)]
    tags = {match.latest_tag for match in matches}
    for selector in selectors:
        if "fallbackTag" in selector and selector["tag"] not in tags:
            fallback = {**selector, "tag": selector["fallbackTag"]}
            matches += _selected(world, fallback, request, asked_for=selector["tag"])
    return matches


def _default(world: World, consumer: str) -> Iterator[Found]:
    pacticipant = world.consumers[consumer]
    if pacticipant.main_branch in pacticipant.branches:
        return _selected(world, {"mainBranch": True, "consumer": consumer}, {})
    if pacticipant.main_branch in pacticipant.tags:
        return _selected(world, {"tag": pacticipant.main_branch, "latest": True, "consumer": consumer}, {})
    return _selected(world, {"latest": True, "consumer": consumer}, {})


def _selected(
    world: World, selector: Mapping[str, Any], request: Mapping[str, Any], asked_for: str | None = None
) -> Iterator[Found]:
    only = selector.get("consumer")
    for consumer, pacts in world.pacts.items():
        if only in (None, consumer):
            for version, description, place in _versions(world, consumer, selector, request, asked_for):
                if version in pacts:
                    place_ = (*place, world.consumers[consumer].position(version), _tie(world, consumer, description))
                    tag = selector.get("tag") if selector.get("latest") else None
                    yield Found(consumer, version, pacts[version].content, description, place_, tag)


def _tie(world: World, consumer: str, description: str) -> str:
    """Name the branch, the only part by which selectors can still be distinguished."""
    if description == "latest from main branch":
        return world.consumers[consumer].main_branch or ""
    prefix = "latest from branch "
    return description.removeprefix(prefix) if description.startswith(prefix) else ""


def _versions(  # noqa: C901, PLR0912 - the rules in the order of the documentation
    world: World, consumer: str, selector: Mapping[str, Any], request: Mapping[str, Any], asked_for: str | None
) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """List versions of a consumer, with the selector's description and its place."""
    pacticipant = world.consumers[consumer]
    only = selector.get("consumer")
    last = (7, only is None, only or "")
    if selector.get("mainBranch"):
        branch = pacticipant.branches.get(pacticipant.main_branch or "")
        if branch:
            yield branch.versions[-1], "latest from main branch", last
    elif selector.get("branch") is True:
        for name, branch in pacticipant.branches.items():
            yield branch.versions[-1], f"latest from branch {name}", last
    elif "branch" in selector or selector.get("matchingBranch"):
        name = selector.get("branch") or request["providerVersionBranch"]
        if name in pacticipant.branches:
            yield pacticipant.branches[name].versions[-1], f"latest from branch {name}", (2, False, name)
    elif "tag" in selector and selector.get("latest"):
        tag = selector["tag"]
        head = pacticipant.latest(pacticipant.tags.get(tag, ()))
        if head:
            yield head, f"latest with tag {tag}", (3, False, asked_for or tag)
    elif "tag" in selector:
        tag = selector["tag"]
        for version in pacticipant.tags.get(tag, ()):
            yield (
                version,
                f"one of {only} {tag}" if only else f"one of {tag}",
                (4, False, tag, only is None, only or ""),
            )
    elif selector.get("latest"):
        latest = pacticipant.latest(world.pacts[consumer])
        if latest:
            yield latest, "latest", (1, False, "")
    else:
        yield from _placed(world, consumer, selector, last)


def _placed(
    world: World, consumer: str, selector: Mapping[str, Any], last: tuple[Any, ...]
) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    environment = selector.get("environment")
    running = [place for place in world.running.get(consumer, ()) if environment in (None, place.environment)]
    supported = [place for place in world.supported.get(consumer, ()) if environment in (None, place.environment)]
    if selector.keys() <= {"environment", "consumer"}:
        for version in {place.version for place in (*running, *supported)}:
            yield version, f"in environment {environment}", last
    if selector.get("deployed") or selector.get("deployedOrReleased"):
        for place in running:
            yield place.version, f"deployed to {place.environment}", (5, place.is_production, place.environment)
    if selector.get("released") or selector.get("deployedOrReleased"):
        for place in supported:
            yield place.version, f"released in {place.environment}", (6, place.is_production, place.environment)


# Pending and work in progress


def _successes(world: World, consumer: str, content: int) -> list[Result]:
    return [
        result
        for result in world.results
        if result.success and (result.consumer, result.content) == (consumer, content)
    ]


def _is_on(world: World, result: Result, branch: str) -> bool:
    return branch in world.provider.branches and result.version in world.provider.branches[branch].versions


def _is_on_another(world: World, result: Result, branch: str) -> bool:
    return any(_is_on(world, result, name) for name in world.provider.branches if name != branch)


def _first_use(world: World, tag: str) -> datetime | None:
    return min(world.provider.tags.get(tag, {}).values(), default=None)


def _is_pending(world: World, consumer: str, content: int, request: Mapping[str, Any]) -> bool:
    successes = _successes(world, consumer, content)
    branch = request.get("providerVersionBranch")
    if branch is not None:
        record = world.provider.branches.get(branch)
        return not any(
            _is_on(world, result, branch)
            or (_is_on_another(world, result, branch) and (record is None or result.at < record.created_at))
            for result in successes
        )
    tags = request.get("providerVersionTags")
    if not tags:
        return not successes
    return any(_is_pending_for(world, successes, tag) for tag in tags)


def _is_pending_for(world: World, successes: list[Result], tag: str) -> bool:
    first_use = _first_use(world, tag)
    for result in successes:
        tags = {name for name, versions in world.provider.tags.items() if result.version in versions}
        if tag in tags or (tags - {tag} and (first_use is None or result.at < first_use)):
            return False
    return True


def _in_progress(world: World, request: Mapping[str, Any], *, now: datetime, since: datetime) -> list[Found]:
    branch, tags = request.get("providerVersionBranch"), request.get("providerVersionTags") or []
    heads = [head for head in _heads(world) if world.pacts[head.consumer][head.version].created_at > since]
    if branch is not None:
        return [head for head in heads if not _has_succeeded_on(world, head, branch, now)]
    return [head for tag in tags for head in heads if not _has_succeeded_with(world, head, tag)]


def _heads(world: World) -> Iterator[Found]:
    for consumer, pacts in world.pacts.items():
        pacticipant = world.consumers[consumer]
        for name, branch in pacticipant.branches.items():
            version = branch.versions[-1]
            if version in pacts:
                yield Found(consumer, version, pacts[version].content, f"latest from branch {name}", ())
        for name, versions in pacticipant.tags.items():
            head = pacticipant.latest(versions)
            if head in pacts:
                yield Found(consumer, str(head), pacts[str(head)].content, f"latest with tag {name}", ())


def _has_succeeded_on(world: World, head: Found, branch: str, now: datetime) -> bool:
    record = world.provider.branches.get(branch)
    first = min((world.provider.position(version), version) for version in record.versions)[1] if record else None
    for result in _successes(world, head.consumer, head.content):
        if result.is_wip or result.at <= now - timedelta(days=30):
            continue
        if _is_on(world, result, branch):
            return True
        if _is_on_another(world, result, branch) and (first is None or result.at < world.provider.versions[first]):
            return True
    return False


def _has_succeeded_with(world: World, head: Found, tag: str) -> bool:
    first_use = _first_use(world, tag)
    for result in _successes(world, head.consumer, head.content):
        if result.is_wip:
            continue
        if tag in result.tags or (result.tags - {tag} and (first_use is None or result.at < first_use)):
            return True
    return False
