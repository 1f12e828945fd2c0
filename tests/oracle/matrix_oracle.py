"""Computes the expected matrix slowly and plainly, from the whole history.

It is written from the rules, and shares nothing with the code that it checks.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Selector = Mapping[str, Any]
"""The criteria of a selector: `pacticipant`, and perhaps version, branch, tag, environment, mainBranch and latest."""


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

    # The history

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

    def delete_version(self, pacticipant: str, version: str) -> None:
        """Delete a version with everything that it published and verified, and wherever it is live."""
        key = (pacticipant, version)
        self.versions.pop(key, None)
        self.publications = [
            publication for publication in self.publications if (publication.consumer, publication.version) != key
        ]
        self.results = [result for result in self.results if (result.provider, result.version) != key]
        self.tags = {tag for tag in self.tags if tag[:2] != key}
        self.running = {at: version for at, version in self.running.items() if (at[1], version) != key}
        self.supported = {release for release in self.supported if release[1:] != key}
        for name, branch in list(self.branches):
            if name == pacticipant:
                self.take_off_branch(name, version, branch)

    def undeploy(self, pacticipant: str, environment: str, instance: str | None) -> None:
        self.running.pop((environment, pacticipant, instance), None)

    def end_support(self, pacticipant: str, version: str, environment: str) -> None:
        self.supported.discard((environment, pacticipant, version))

    def delete_pact(self, consumer: str, version: str, provider: str) -> None:
        gone = (consumer, version, provider)
        self.publications = [
            publication
            for publication in self.publications
            if (publication.consumer, publication.version, publication.provider) != gone
        ]

    def verify(self, number: int, pact: Publication, version: str, *, success: bool) -> None:
        self.add_version(pact.provider, version)
        result = Result(number, pact.consumer, pact.provider, pact.content, version, success, self.now)
        self.results.append(result)

    def deploy(self, pacticipant: str, version: str, environment: str, instance: str | None) -> None:
        self.running[environment, pacticipant, instance] = version

    def release(self, pacticipant: str, version: str, environment: str) -> None:
        self.supported.add((environment, pacticipant, version))

    # The state

    def current(self, consumer: str, version: str, provider: str) -> Publication | None:
        same = [
            publication
            for publication in self.publications
            if (publication.consumer, publication.version, publication.provider) == (consumer, version, provider)
        ]
        return max(same, key=lambda publication: publication.revision, default=None)

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
    """A publication, with a result or with the provider version that has none."""

    publication: Publication
    result: Result | None
    missing: str | None = None
    """The provider version that needs a result, and has none."""

    @property
    def pair(self) -> tuple[str, str]:
        return self.publication.consumer, self.publication.provider

    @property
    def success(self) -> bool | None:
        return self.result.success if self.result else None

    @property
    def provider_version(self) -> str | None:
        return self.result.version if self.result else self.missing


@dataclass(frozen=True)
class Expected:
    deployable: bool | None
    counts: tuple[int, int, int]
    ignored: int | None
    rows: list[tuple[object, ...]]
    """All of them, whatever the limit."""
    reasons: list[str]
    obstacles: int
    """How many of the reasons are failures or missing results."""


def expected(world: World, question: Mapping[str, Any]) -> Expected:
    """Compute the expected answer to a question."""
    return Decision(world, question).expected()


class Decision:
    def __init__(self, world: World, question: Mapping[str, Any]) -> None:
        self.world = world
        self.question = question
        self.destination = {
            key: question[key] for key in ("tag", "environment", "mainBranch", "latest") if question.get(key)
        }
        self.ignored = [chosen for selector in question.get("ignore", []) for chosen in self.choose(selector)]
        self.specified = [chosen for selector in question["selectors"] for chosen in self.choose(selector)]
        self.inferred = self.infer()
        self.replaced = self.live_themselves()
        self.chosen = self.specified + self.inferred

    # Selectors

    def choose(self, selector: Selector) -> list[Chosen]:
        criteria, name = tuple(selector.items()), selector["pacticipant"]
        if name == "Nobody":
            return [Chosen(criteria, selector.get("version"), exists=False, has_pacticipant=False)]
        if set(selector) == {"pacticipant"}:
            return [Chosen(criteria, None, exists=False)]
        versions = sorted(
            (version for who, version in self.world.versions if who == name and self.meets(name, version, selector)),
            key=lambda version: -self.world.place(name, version),
        )
        if selector.get("latest"):
            versions = versions[:1]
        if not versions:
            return [Chosen(criteria, selector.get("version"), exists=False)]
        branch = self.world.main_branches.get(name) if selector.get("mainBranch") else None
        return [
            Chosen(criteria, version, exists=True, is_many=len(versions) > 1, branch=branch) for version in versions
        ]

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

    def infer(self) -> list[Chosen]:
        """Versions at the destination of all pacticipants that have a contract with one of the question."""
        if not self.destination:
            return []
        names = {chosen.name for chosen in self.specified}
        providers = {
            publication.provider
            for publication in self.world.publications
            if self.world.is_current(publication) and self.is_asked_about(publication.consumer, publication.version)
        }
        consumers = {consumer for consumer, provider in self.world.pairs if provider in names}
        return [chosen for name in sorted((providers | consumers) - names) for chosen in self.at_destination(name)]

    def at_destination(self, name: str) -> list[Chosen]:
        return self.choose({"pacticipant": name, **self.destination})

    def is_asked_about(self, name: str, version: str) -> bool:
        return any(
            chosen.name == name and (chosen.is_any or (chosen.exists and chosen.number == version))
            for chosen in self.specified
        )

    def live_themselves(self) -> list[Chosen]:
        """Live versions of those asked about: they matter for contracts of these with themselves."""
        if not (self.destination.get("environment") or self.destination.get("tag")):
            return []
        return [
            replacement
            for name in sorted({chosen.name for chosen in self.specified})
            if (name, name) in self.world.pairs
            and any(chosen.exists for chosen in self.specified if chosen.name == name)
            and not any(chosen.is_any for chosen in self.specified if chosen.name == name)
            for replacement in self.at_destination(name)
            if replacement.exists and not self.is_asked_about(name, str(replacement.number))
        ]

    # Rows

    def rows(self) -> list[Row]:
        """All rows, those of the newest action first."""
        by = self.question.get("latestby")
        rows = [
            row
            for publication in self.world.publications
            if not by or self.world.is_current(publication)
            for row in (self.rows_of_one(publication) if self.is_of_one else self.rows_between(publication))
        ]
        return sorted(rows, key=self.last_action, reverse=True)

    @property
    def is_of_one(self) -> bool:
        return self.names_one and not self.destination

    @property
    def names_one(self) -> bool:
        """Whether one pacticipant is asked about; a selector that finds several versions must not stand alone."""
        is_single = len(self.specified) == 1 or len(self.question["selectors"]) > 1
        return is_single and len({chosen.name for chosen in self.specified}) == 1

    def rows_between(self, publication: Publication) -> list[Row]:
        """A row for each version of the provider that was selected, or is live where the consumer goes."""
        consumer, provider = publication.consumer, publication.provider
        is_replaced = consumer == provider and self.is_in(self.replaced, consumer, publication.version)
        is_selected = self.is_in(self.chosen, consumer, publication.version)
        names = {chosen.name for chosen in self.chosen}
        specified_names = {chosen.name for chosen in self.specified}
        if not is_replaced and not (is_selected and provider in names and {consumer, provider} & specified_names):
            return []
        needed = [chosen for chosen in self.chosen if chosen.name == provider and chosen.exists]
        if consumer == provider and is_selected:
            needed += [chosen for chosen in self.replaced if chosen.name == provider]
        numbers = sorted({str(chosen.number) for chosen in needed})
        is_any = any(chosen.name == provider and chosen.is_any for chosen in self.chosen)
        rows = [row for number in numbers for row in self.rows_with(publication, number)]
        rows += [
            Row(publication, result)
            for result in self.results_of(publication)
            if is_any and result.version not in numbers
        ]
        return rows or [Row(publication, None)]

    def rows_with(self, publication: Publication, number: str) -> list[Row]:
        rows = [Row(publication, result) for result in self.results_of(publication) if result.version == number]
        return rows or [Row(publication, None, number)]

    def rows_of_one(self, publication: Publication) -> list[Row]:
        """Whatever a consumer's pacts got as results, and whatever a provider verified."""
        specified = self.specified
        consumer, provider = publication.consumer, publication.provider
        is_consumer = self.is_in(specified, consumer, publication.version)
        of_itself = consumer == provider
        if (
            of_itself
            and is_consumer
            and len({(chosen.number, chosen.exists) for chosen in specified if not chosen.is_missing}) > 1
        ):
            return self.rows_between(publication)
        results = [
            result
            for result in self.results_of(publication)
            if (is_consumer and not of_itself) or self.is_in(specified, provider, result.version)
        ]
        if is_consumer:
            return [Row(publication, result) for result in results] or [Row(publication, None)]
        return [Row(publication, result) for result in results if not of_itself]

    def results_of(self, publication: Publication) -> list[Result]:
        key = (publication.consumer, publication.provider, publication.content)
        return [
            result
            for result in self.world.results
            if (result.consumer, result.provider, result.content) == key
            and (not self.question.get("latestby") or self.world.is_latest(result))
        ]

    @staticmethod
    def is_in(chosen: Iterable[Chosen], name: str, version: str) -> bool:
        return any(
            candidate.name == name and (candidate.is_any or (candidate.exists and candidate.number == version))
            for candidate in chosen
        )

    def consumer_time(self, publication: Publication) -> int:
        if self.question.get("latestby"):
            return self.world.place(publication.consumer, publication.version)
        return publication.at

    def last_action(self, row: Row) -> tuple[int, int, int, int]:
        at = self.consumer_time(row.publication)
        number = row.result.number if row.result else 0
        provider = self.world.place(row.pair[1], row.provider_version) if row.provider_version else 0
        return max(at, row.result.at if row.result else 0), row.publication.number, number, provider

    def latest(self, rows: list[Row]) -> list[Row]:
        match self.question.get("latestby"):
            case "cvp":
                return [self.highest(group) for group in grouped(rows, version_and_provider)]
            case "cp":
                highest = [self.highest(group) for group in grouped(rows, version_and_provider)]
                ordered = sorted(highest, key=self.last_action, reverse=True)
                return [self.newest(group) for group in grouped(ordered, lambda row: row.pair)]
            case _:
                return rows

    def highest(self, group: list[Row]) -> Row:
        """The row of the highest provider version; of several the oldest, as in the original."""
        places = [self.world.place(row.pair[1], row.provider_version) if row.provider_version else 0 for row in group]
        return [row for row, place in zip(group, places, strict=True) if place == max(places)][-1]

    def newest(self, group: list[Row]) -> Row:
        return self.highest([row for row in group if row.result]) if group[0].result else group[0]

    def is_ignored(self, row: Row) -> bool:
        sides = ((row.pair[0], row.publication.version), (row.pair[1], row.provider_version))
        return any(
            chosen.name == name and (chosen.is_any or (chosen.exists and chosen.number == number))
            for chosen in self.ignored
            for name, number in sides
        )

    def in_order(self, row: Row) -> tuple[object, ...]:
        provider = self.world.place(row.pair[1], row.provider_version) if row.provider_version else None
        return (
            row.pair[0],
            -self.world.place(row.pair[0], row.publication.version),
            -row.publication.revision,
            row.pair[1],
            provider is not None,
            -(provider or 0),
            -(row.result.number if row.result else 0),
        )

    def shown(self, row: Row) -> tuple[object, ...]:
        """The compared values of a row. A missing result names its version only if several were selected."""
        several = {
            chosen.number for chosen in self.chosen + self.replaced if chosen.name == row.pair[1] and chosen.exists
        }
        names_version = row.result is not None or len(several) > 1
        return (
            *row.pair,
            row.publication.version,
            row.provider_version if names_version else None,
            row.result.number if row.result else None,
            row.success,
        )

    # Conclusions

    def expected(self) -> Expected:
        rows = self.rows()
        latest = self.latest(rows)
        absent = [
            chosen
            for chosen in self.specified
            if chosen.is_missing and not any(other.is_any and other.name == chosen.name for other in self.ignored)
        ]
        is_of_any = any(chosen.is_any for chosen in self.specified)
        tallied = latest if is_of_any and self.answer(latest) == self.answer(rows) else rows
        counted = self.considered(tallied)
        ignored = len(tallied) - len(counted)
        shown = [row for row in latest if "success" not in self.question or row.success in self.question["success"]]
        ordered = sorted(shown, key=lambda row: (self.is_ignored(row), self.in_order(row)))
        deployable = False if absent else self.answer(rows)
        reasons, obstacles = self.reasons(self.considered(rows), absent)
        return Expected(
            deployable,
            tuple(sum(row.success is success for row in counted) for success in (True, False, None)),  # type: ignore[arg-type]
            ignored if self.question.get("ignore") else None,
            [self.shown(row) for row in ordered],
            reasons,
            obstacles,
        )

    def considered(self, rows: list[Row]) -> list[Row]:
        return [row for row in rows if not self.is_ignored(row)]

    def answer(self, rows: list[Row]) -> bool | None:
        results = [row.success for row in self.considered(rows)]
        return None if None in results else all(results)

    def reasons(self, considered: list[Row], absent: list[Chosen]) -> tuple[list[str], int]:
        texts = [f"WARN: Cannot ignore {described(chosen)}" for chosen in self.ignored if chosen.is_missing]
        has_place = any(key in self.destination for key in ("tag", "environment", "mainBranch"))
        if self.names_one and not has_place:
            texts.append(NO_ENVIRONMENT)
        if not all(chosen.is_any for chosen in self.specified) and not any(
            "version" in chosen.selector for chosen in self.specified
        ):
            texts.append(NO_VERSION)
        if absent:
            return texts + [lost(chosen.selector) for chosen in absent], 0
        ordered = sorted(considered, key=self.in_order)
        errors = [
            f"The verification for the pact between {self.both(row)} failed" for row in ordered if row.success is False
        ]
        errors += [f"There is no verified pact between {self.both(row)}" for row in ordered if row.success is None]
        return texts + (errors or [ALL_VERIFIED if considered else NOTHING_MISSING]), len(errors)

    def both(self, row: Row) -> str:
        consumer = self.side(row.pair[0], row.publication.version)
        return f"{consumer} and {self.side(row.pair[1], row.provider_version)}"

    def side(self, name: str, number: str | None) -> str:
        candidates = [candidate for candidate in self.chosen + self.replaced if candidate.name == name]
        if len(candidates) == 1:
            return described(candidates[0])
        for candidate in candidates:
            if number is not None and candidate.number == number:
                return described(candidate)
        return f"version {number} of {name}" if number else f"any version of {name}"


def grouped(rows: Iterable[Row], key: Callable[[Row], object]) -> list[list[Row]]:
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.values())


def version_and_provider(row: Row) -> object:
    return row.pair, row.publication.version


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
