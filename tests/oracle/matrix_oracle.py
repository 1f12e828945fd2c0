"""Says what the matrix must answer, slowly and plainly: by looking at everything that ever happened.

It is written from the rules, and shares nothing with the code that it checks.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Selector = Mapping[str, Any]
"""What a selector asks for: `pacticipant`, and perhaps version, branch, tag, environment, mainBranch and latest."""


@dataclass(frozen=True)
class Publication:
    number: int
    consumer: str
    version: str
    provider: str
    content: str
    revision: int
    at: int


@dataclass(frozen=True)
class Result:
    number: int
    consumer: str
    provider: str
    content: str
    version: str
    success: bool
    at: int


@dataclass
class World:
    """All that happened. `now` counts the things that did."""

    now: int = 0
    versions: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each version was made, which is also its place in the order."""
    branches: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    """The versions on each branch, in the order in which they were put there."""
    heads: dict[tuple[str, str], str] = field(default_factory=dict)
    tags: set[tuple[str, str, str]] = field(default_factory=set)
    main_branches: dict[str, str] = field(default_factory=dict)
    publications: list[Publication] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    pairs: set[tuple[str, str]] = field(default_factory=set)
    running: dict[tuple[str, str, str | None], str] = field(default_factory=dict)
    supported: set[tuple[str, str, str]] = field(default_factory=set)
    published: int = 0

    # What happens

    def add_version(self, pacticipant: str, version: str) -> None:
        self.versions.setdefault((pacticipant, version), self.now)

    def put_on_branch(self, pacticipant: str, version: str, branch: str) -> None:
        self.add_version(pacticipant, version)
        there = self.branches.setdefault((pacticipant, branch), [])
        if version not in there:
            there.append(version)
            self.heads[pacticipant, branch] = version
        if branch == "main":
            self.main_branches.setdefault(pacticipant, branch)

    def take_off_branch(self, pacticipant: str, version: str, branch: str) -> None:
        there = self.branches.get((pacticipant, branch), [])
        if version in there:
            there.remove(version)
            if self.heads.get((pacticipant, branch)) == version:
                del self.heads[pacticipant, branch]
                if there:
                    self.heads[pacticipant, branch] = self.newest(pacticipant, there)

    def put_tag(self, pacticipant: str, version: str, tag: str) -> None:
        self.add_version(pacticipant, version)
        self.tags.add((pacticipant, version, tag))

    def take_tag(self, pacticipant: str, version: str, tag: str) -> None:
        self.tags.discard((pacticipant, version, tag))

    def publish(self, consumer: str, version: str, provider: str, content: str) -> None:
        self.add_version(consumer, version)
        self.pairs.add((consumer, provider))
        current = self.current(consumer, version, provider)
        if current is None or current.content != content:
            revision = 1 if current is None else current.revision + 1
            self.published += 1
            new = Publication(self.published, consumer, version, provider, content, revision, self.now)
            self.publications.append(new)

    def delete_pact(self, consumer: str, version: str, provider: str) -> None:
        gone = (consumer, version, provider)
        self.publications = [one for one in self.publications if (one.consumer, one.version, one.provider) != gone]

    def verify(self, number: int, pact: Publication, version: str, *, success: bool) -> None:
        self.add_version(pact.provider, version)
        result = Result(number, pact.consumer, pact.provider, pact.content, version, success, self.now)
        self.results.append(result)

    def deploy(self, pacticipant: str, version: str, environment: str, instance: str | None) -> None:
        self.running[environment, pacticipant, instance] = version

    def release(self, pacticipant: str, version: str, environment: str) -> None:
        self.supported.add((environment, pacticipant, version))

    # What is there

    def current(self, consumer: str, version: str, provider: str) -> Publication | None:
        same = [
            one
            for one in self.publications
            if (one.consumer, one.version, one.provider) == (consumer, version, provider)
        ]
        return max(same, key=lambda one: one.revision, default=None)

    def is_current(self, publication: Publication) -> bool:
        return self.current(publication.consumer, publication.version, publication.provider) == publication

    def is_latest(self, result: Result) -> bool:
        def key(one: Result) -> tuple[str, str, str, str]:
            return (one.consumer, one.provider, one.content, one.version)

        return not any(key(other) == key(result) and other.number > result.number for other in self.results)

    def place(self, pacticipant: str, version: str) -> int:
        return self.versions[pacticipant, version]

    def newest(self, pacticipant: str, versions: Iterable[str]) -> str:
        return max(versions, key=lambda version: self.place(pacticipant, version))

    def live(self, pacticipant: str, environment: str) -> set[str]:
        running = {
            version for (where, who, _), version in self.running.items() if (where, who) == (environment, pacticipant)
        }
        return running | {
            version for where, who, version in self.supported if (where, who) == (environment, pacticipant)
        }


@dataclass(frozen=True)
class Chosen:
    """A selector and the version that it turned out to be; neither any nor none is a version."""

    asked: tuple[tuple[str, Any], ...]
    number: str | None
    exists: bool
    is_many: bool = False
    branch: str | None = None
    has_pacticipant: bool = True

    @property
    def selector(self) -> dict[str, Any]:
        return dict(self.asked)

    @property
    def name(self) -> str:
        return str(self.selector["pacticipant"])

    @property
    def is_any(self) -> bool:
        return set(self.selector) == {"pacticipant"} and self.has_pacticipant

    @property
    def is_missing(self) -> bool:
        return not self.is_any and not self.exists


@dataclass(frozen=True)
class Row:
    publication: Publication
    result: Result | None

    @property
    def pair(self) -> tuple[str, str]:
        return self.publication.consumer, self.publication.provider

    @property
    def success(self) -> bool | None:
        return self.result.success if self.result else None

    @property
    def provider_version(self) -> str | None:
        return self.result.version if self.result else None


@dataclass(frozen=True)
class Expected:
    deployable: bool | None
    counts: tuple[int, int, int]
    ignored: int | None
    rows: list[tuple[object, ...]]
    reasons: list[str]


def expected(world: World, question: Mapping[str, Any]) -> Expected:
    """Say what a question must be answered with."""
    return _Answer(world, question).expected()


class _Answer:
    def __init__(self, world: World, question: Mapping[str, Any]) -> None:
        self.world = world
        self.question = question
        self.destination = {
            key: question[key] for key in ("tag", "environment", "mainBranch", "latest") if question.get(key)
        }
        self.ignored = [chosen for one in question.get("ignore", []) for chosen in self.choose(one)]
        self.specified = [chosen for one in question["selectors"] for chosen in self.choose(one)]
        self.required, self.optional = self.integrations()
        self.inferred = self.infer()
        self.chosen = self.specified + self.inferred

    # Selectors

    def choose(self, selector: Selector) -> list[Chosen]:
        asked, name = tuple(selector.items()), selector["pacticipant"]
        if name == "Nobody":
            return [Chosen(asked, selector.get("version"), exists=False, has_pacticipant=False)]
        if set(selector) == {"pacticipant"}:
            return [Chosen(asked, None, exists=False)]
        found = sorted(
            (version for who, version in self.world.versions if who == name and self.meets(name, version, selector)),
            key=lambda version: -self.world.place(name, version),
        )
        if selector.get("latest"):
            found = found[:1]
        if not found:
            return [Chosen(asked, selector.get("version"), exists=False)]
        branch = self.world.main_branches.get(name) if selector.get("mainBranch") else None
        return [Chosen(asked, one, exists=True, is_many=len(found) > 1, branch=branch) for one in found]

    def meets(self, name: str, version: str, selector: Selector) -> bool:
        tests = []
        if "version" in selector:
            tests.append(version == selector["version"])
        if "environment" in selector:
            tests.append(version in self.world.live(name, selector["environment"]))
        if "tag" in selector:
            tests.append((name, version, selector["tag"]) in self.world.tags)
        branches = [selector["branch"]] if "branch" in selector else []
        if selector.get("mainBranch"):
            branches.append(self.world.main_branches.get(name))
        for branch in branches:
            if selector.get("latest"):
                tests.append(self.world.heads.get((name, branch)) == version)
            else:
                tests.append(version in self.world.branches.get((name, branch), []))
        return all(tests)

    def integrations(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        names = {one.name for one in self.specified}
        required = {
            (one.consumer, one.provider)
            for one in self.world.publications
            if self.world.is_current(one)
            for chosen in self.specified
            if chosen.name == one.consumer and (chosen.is_any or (chosen.exists and chosen.number == one.version))
        }
        if self.destination or len(self.specified) == 1:
            return required, {pair for pair in self.world.pairs if pair[1] in names}
        return {pair for pair in required if pair[1] in names}, set()

    def infer(self) -> list[Chosen]:
        if not self.destination:
            return []
        names = {name for pair in self.required | self.optional for name in pair}
        others = names - {one.name for one in self.specified}
        return [chosen for name in sorted(others) for chosen in self.choose({"pacticipant": name, **self.destination})]

    # Rows

    def selects(self, name: str, version: str) -> bool:
        return any(one.name == name and (one.is_any or (one.exists and one.number == version)) for one in self.chosen)

    def consumer_time(self, publication: Publication) -> int:
        if self.question.get("latestby"):
            return self.world.place(publication.consumer, publication.version)
        return publication.at

    def recent(self, publications: Iterable[Publication]) -> list[Publication]:
        newest = sorted(publications, key=lambda one: (self.consumer_time(one), one.number), reverse=True)
        return newest[: self.question.get("limit")]

    def rows(self) -> list[Row]:
        by = self.question.get("latestby")
        publications = [one for one in self.world.publications if not by or self.world.is_current(one)]
        results = [one for one in self.world.results if not by or self.world.is_latest(one)]
        rows = (
            self.rows_of_one(publications, results)
            if len(self.chosen) == 1
            else self.general_rows(publications, results)
        )
        rows.sort(key=self.last_action, reverse=True)
        return rows[: self.question.get("limit")]

    def last_action(self, row: Row) -> tuple[int, int, int]:
        at = self.consumer_time(row.publication)
        if row.result:
            return max(at, row.result.at), row.publication.number, row.result.number
        return at, row.publication.number, 0

    def general_rows(self, publications: list[Publication], results: list[Result]) -> list[Row]:
        everyone = {one.name for one in self.chosen}
        asked = {one.name for one in self.specified}
        between = [one for one in publications if one.provider in everyone]
        plain = {one.name for one in self.chosen if one.is_any}
        exact = {(one.name, one.number) for one in self.chosen if one.exists}
        wanted = self.recent(one for one in between if one.consumer in plain)
        wanted += self.recent(one for one in between if (one.consumer, one.version) in exact)
        results = [one for one in results if self.selects(one.provider, one.version)]
        return [
            row
            for publication in dict.fromkeys(wanted)
            for row in joined(publication, results)
            if set(row.pair) & asked
        ]

    def rows_of_one(self, publications: list[Publication], results: list[Result]) -> list[Row]:
        recent = self.recent(publications)
        rows = [row for one in recent if self.selects(one.consumer, one.version) for row in joined(one, results)]
        rows += [
            row
            for one in recent
            for row in joined(one, results)
            if row.result and self.selects(row.result.provider, row.result.version)
        ]
        return list(dict.fromkeys(rows))

    def latest(self, rows: list[Row]) -> list[Row]:
        by = self.question.get("latestby")
        if not by:
            return rows
        groups: dict[tuple[object, ...], list[Row]] = {}
        for row in rows:
            whole = (row.pair, row.publication.version, row.provider_version)
            groups.setdefault({"cvpv": whole, "cvp": whole[:2], "cp": whole[:1]}[by], []).append(row)
        return [self.newest_of(group) for group in groups.values()]

    def newest_of(self, group: list[Row]) -> Row:
        if group[0].result is None:
            return group[0]
        verified = [row for row in group if row.result]
        places = [self.world.place(row.pair[1], str(row.provider_version)) for row in verified]
        return [row for row, place in zip(verified, places, strict=True) if place == max(places)][-1]

    def is_ignored(self, row: Row) -> bool:
        sides = ((row.pair[0], row.publication.version), (row.pair[1], row.provider_version))
        return any(
            one.name == name and (one.is_any or (one.exists and one.number == number))
            for one in self.ignored
            for name, number in sides
        )

    def in_order(self, row: Row) -> tuple[object, ...]:
        provider = self.world.place(row.pair[1], row.result.version) if row.result else None
        return (
            row.pair[0],
            -self.world.place(row.pair[0], row.publication.version),
            -row.publication.revision,
            row.pair[1],
            provider is not None,
            -(provider or 0),
            -(row.result.number if row.result else 0),
        )

    # What follows

    def expected(self) -> Expected:
        rows = self.latest(self.rows())
        if "success" in self.question:
            rows = [row for row in rows if row.success in self.question["success"]]
        considered = sorted((row for row in rows if not self.is_ignored(row)), key=self.in_order)
        ignored = sorted((row for row in rows if self.is_ignored(row)), key=self.in_order)
        missing = sorted(self.required - {row.pair for row in rows})
        unverified = [row for row in considered if row.success is None]
        failed = [row for row in considered if row.success is False]
        absent = [
            one
            for one in self.specified
            if one.is_missing and not any(other.is_any and other.name == one.name for other in self.ignored)
        ]
        deployable: bool | None = not failed
        if absent:
            deployable = False
        elif unverified or missing:
            deployable = None
        return Expected(
            deployable,
            (sum(row.success is True for row in considered), len(failed), len(missing) + len(unverified)),
            len(ignored) if self.question.get("ignore") else None,
            [shown(row) for row in considered + ignored],
            self.reasons(considered, missing, absent),
        )

    def reasons(self, considered: list[Row], missing: list[tuple[str, str]], absent: list[Chosen]) -> list[str]:
        texts = [f"WARN: Cannot ignore {described(one)}" for one in self.ignored if one.is_missing]
        has_place = any(key in self.destination for key in ("tag", "environment", "mainBranch"))
        if len(self.specified) == 1 and not has_place:
            texts.append(NO_ENVIRONMENT)
        if not all(one.is_any for one in self.specified) and not any(
            "version" in one.selector for one in self.specified
        ):
            texts.append(NO_VERSION)
        if absent:
            return texts + [lost(one.selector) for one in absent]
        errors = [
            f"There is no verified pact between {self.side(c, None, considered)} and {self.side(p, None, considered)}"
            for c, p in missing
        ]
        errors += [
            f"The verification for the pact between {self.both(row, considered)} failed"
            for row in considered
            if row.success is False
        ]
        errors += [
            f"There is no verified pact between {self.both(row, considered)}"
            for row in considered
            if row.success is None
        ]
        if errors:
            return texts + errors
        return [*texts, ALL_VERIFIED if considered else NOTHING_MISSING]

    def both(self, row: Row, considered: list[Row]) -> str:
        consumer = self.side(row.pair[0], row.publication.version, considered)
        return f"{consumer} and {self.side(row.pair[1], row.provider_version, considered)}"

    def side(self, name: str, number: str | None, considered: list[Row]) -> str:
        found = [one for one in self.chosen if one.name == name]
        if len(found) == 1:
            return described(found[0])
        for one in found:
            if number is not None and one.number == number:
                return described(one)
        for row in considered:
            if row.pair[0] == name:
                return f"version {row.publication.version} of {name}"
            if row.pair[1] == name:
                return f"version {row.provider_version} of {name}" if row.result else f"any version of {name}"
        return f"any version of {name}"


def joined(publication: Publication, results: list[Result]) -> list[Row]:
    """A publication with each result for its content, or alone."""
    key = (publication.consumer, publication.provider, publication.content)
    found = [one for one in results if (one.consumer, one.provider, one.content) == key]
    return [Row(publication, one) for one in found] or [Row(publication, None)]


def shown(row: Row) -> tuple[object, ...]:
    """What is compared of a row."""
    return (
        *row.pair,
        row.publication.version,
        row.provider_version,
        row.result.number if row.result else None,
        row.success,
    )


NO_ENVIRONMENT = (
    "WARN: It is recommended to specify the environment into which you are deploying. "
    "Without the environment, this result will not be reliable."
)
NO_VERSION = (
    "WARN: It is recommended to specify the version number (rather than the tag or branch) of the pacticipant you wish "
    "to deploy to avoid race conditions. Without a version number, this result will not be reliable."
)
ALL_VERIFIED = "All required verification results are published and successful"
NOTHING_MISSING = "There are no missing dependencies"


def lost(selector: Selector) -> str:
    name = selector["pacticipant"]
    if "tag" in selector:
        return f"No version with tag {selector['tag']} exists for {name}"
    if "branch" in selector:
        return f"No version of {name} from branch {selector['branch']} exists"
    if selector.get("mainBranch"):
        return f"No version of {name} from the main branch exists"
    if "environment" in selector:
        where = f"environment {selector['environment']}"
        return f"No version of {name} is currently recorded as deployed or released in {where}"
    of = f"version {selector['version']} of {name}" if "version" in selector else name
    return f"No pacts or verifications have been published for {of}"


def described(one: Chosen) -> str:  # noqa: PLR0911 - the table, as it stands
    selector, name, number = one.selector, one.name, one.number
    latest, tag, environment = selector.get("latest"), selector.get("tag"), selector.get("environment")
    branch = selector.get("branch") or one.branch
    nothing = "(no such version exists)"
    a_version = "one of the versions" if one.is_many else "the version"
    if latest and tag:
        return f"the latest version of {name} with tag {tag} {f'({number})' if number else nothing}"
    if selector.get("mainBranch") and not number:
        which = "the latest version" if latest else "any version"
        return f"{which} of {name} from the main branch (no versions exist for this branch)"
    if latest and branch:
        return f"the latest version of {name} from branch {branch} {f'({number})' if number else nothing}"
    if branch:
        return (
            f"{a_version} of {name} from branch {branch} ({number})"
            if number
            else f"a version of {name} from branch {branch} {nothing}"
        )
    if latest:
        return f"the latest version of {name} {f'({number})' if number else nothing}"
    if tag:
        return f"a version of {name} with tag {tag} {f'({number})' if number else nothing}"
    if environment and number:
        return f"{a_version} of {name} currently in {environment} ({number})"
    if environment:
        nowhere = "(no version is currently recorded as deployed/released in this environment)"
        return f"a version of {name} currently in {environment} {nowhere}"
    if number:
        return f"version {number} of {name}" if one.exists else f"version {number} of {name} {nothing}"
    return f"any version of {name}" if one.has_pacticipant else f"any version of {name} (no such pacticipant exists)"
