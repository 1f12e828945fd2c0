"""Whatever happened, an imported broker answers as its source does; and later imports turn nothing back.

After changes on both sides, a second import must leave the target as if everything had happened in one broker, in the
order of time.
"""

import base64
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest

from tests.api.client import Api, Clock, pact
from tests.api.history import q
from tests.api.imports import differences, everything, import_from
from tests.scale import choose
from treaty.store.maintenance import integrity

SEEDS = range(choose(1, slow=2, long=100))
CONSUMERS, PROVIDER = ("..", "Till/2 ü"), "Ledger"
ALL = (*CONSUMERS, PROVIDER)
BRANCHES, TAGS = ("main", "feat/x"), ("dev", "prod")
ENVIRONMENTS = ("test", "live")
NUMBERS = ("1.10", "1e2", "-0", "1234567890123456789012", "1.1", "100.0", "0")
"""The last three are equal to others, so that their contents have the same SHA."""
WIP = base64.urlsafe_b64encode(b"w=true").decode().rstrip("=")


Change = Callable[[Api], object]


@dataclass
class Side:
    """A broker with a random history, and the steps of the history."""

    api: Api
    mark: str
    versions: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in ALL})
    pacts: set[tuple[str, str]] = field(default_factory=set)
    running: dict[tuple[str, str, str], str] = field(default_factory=dict)
    released: set[tuple[str, str, str]] = field(default_factory=set)
    marks: set[tuple[str, str, str, str]] = field(default_factory=set)


@dataclass
class Story:
    """Lets things happen at one side, and in the reference broker, where everything happens."""

    random: random.Random
    clock: Clock
    reference: Api
    has_fractions: bool = False
    """Whether things may happen in the same second: not all brokers return fractions of one."""
    is_second: bool = False
    """Whether the first import is over, so that some things would leave no trace that a second one can see."""
    numbers: int = 0
    initial: set[tuple[str, str, str]] = field(default_factory=set)

    def happen(self, side: Side) -> None:
        seconds = self.random.choice((0.1, 0.6, 40)) if self.has_fractions else self.random.randint(1, 90)
        self.clock.now += timedelta(seconds=seconds)
        often = (self._publish, self._verify, self._deploy) * 2
        others = (self._verify, self._overwrite, self._branch, self._tag, self._undeploy, self._release)
        rarely = (self._version, self._end_support, self._untag)
        change = self.random.choice((*often, *others, *rarely))(side)
        if change:
            change(side.api)
            change(self.reference)

    def _new_version(self, side: Side, name: str) -> str:
        self.numbers += 1
        number = f"{side.mark}{self.numbers}"
        side.versions[name].append(number)
        return number

    def _some_version(self, side: Side, name: str) -> str | None:
        return self.random.choice(side.versions[name]) if side.versions[name] else None

    def _version(self, side: Side) -> Change:
        name = self.random.choice(ALL)
        path = f"/pacticipants/{q(name)}/versions/{self._new_version(side, name)}"
        body = {"buildUrl": f"https://ci.example.org/{self.numbers}"}
        return lambda api: done(api.put(path, body))

    def _publish(self, side: Side) -> Change:
        consumer = self.random.choice(CONSUMERS)
        number = self._new_version(side, consumer)
        side.pacts.add((consumer, number))
        branch, tag = self.random.choice((None, *BRANCHES)), self.random.choice((None, *TAGS))
        side.marks |= {("branches", consumer, number, branch or ""), ("tags", consumer, number, tag or "")}
        more = {**({"branch": branch} if branch else {}), **({"tags": [tag]} if tag else {})}
        content = self.random.randint(1, 4)
        return lambda api: done(api.publish(consumer, number, PROVIDER, content, **more))

    def _overwrite(self, side: Side) -> Change | None:
        if not side.pacts or (self.is_second and side.mark == "t"):
            return None
        consumer, number = self.random.choice(sorted(side.pacts))
        # Only the first of two equal contents is stored, and which one that is depends on when it is imported.
        numbers = NUMBERS[:4] if self.is_second else NUMBERS
        text = json.dumps(pact(consumer, PROVIDER)).replace('"status": 200', f'"status": {self.random.choice(numbers)}')
        body = self.random.choice((pact(consumer, PROVIDER, self.random.randint(1, 4)), text.encode()))
        path = f"/pacts/provider/{PROVIDER}/consumer/{q(consumer)}/version/{number}"
        return lambda api: done(api.put(path, body))

    def _verify(self, side: Side) -> Change | None:
        if not side.pacts:
            return None
        consumer, number = self.random.choice(sorted(side.pacts))
        is_new = self.random.random() < 0.4 or not side.versions[PROVIDER]
        version = self._new_version(side, PROVIDER) if is_new else self._some_version(side, PROVIDER)
        body = {
            "success": self.random.random() < 0.6,
            "providerApplicationVersion": version,
            "testResults": {"tests": [1, "ü"]},
            "verifiedBy": {"implementation": "pact", "version": "1", "clientLanguage": {"name": "Python"}},
        }
        is_wip = self.random.random() < 0.3
        pact_path = f"/pacts/provider/{PROVIDER}/consumer/{q(consumer)}/version/{number}"
        # In the reference, the other side may have overwritten the pact meanwhile: the content is this side's.
        path = done(side.api.get(pact_path)).link("pb:publish-verification-results")
        if is_wip:
            path = path.replace("/verification-results", f"/metadata/{WIP}/verification-results")
        return lambda api: done(api.post(path, body))

    def _branch(self, side: Side) -> Change | None:
        return self._mark(side, "branches", BRANCHES, ALL)

    def _tag(self, side: Side) -> Change | None:
        # Which tags a provider's version has when a result comes in counts later. Only its own broker knows that.
        return self._mark(side, "tags", TAGS, CONSUMERS if self.is_second else ALL)

    def _mark(self, side: Side, kind: str, marks: tuple[str, ...], names: tuple[str, ...]) -> Change | None:
        name, mark = self.random.choice(names), self.random.choice(marks)
        number = self._some_version(side, name)
        if number is None or (kind, name, number, mark) in side.marks:
            return None
        side.marks.add((kind, name, number, mark))
        versions = f"/pacticipants/{q(name)}"
        tail = f"branches/{q(mark)}/versions/{number}" if kind == "branches" else f"versions/{number}/tags/{q(mark)}"
        return lambda api: done(api.put(f"{versions}/{tail}", {}))

    def _untag(self, side: Side) -> Change | None:
        tagged = sorted(entry for entry in side.marks if entry[0] == "tags" and entry[3] and entry[1] != PROVIDER)
        if not tagged or side.mark != "t":
            return None
        _, name, number, tag = self.random.choice(tagged)
        path = f"/pacticipants/{q(name)}/versions/{number}/tags/{tag}"
        if side.api.get(path).status != 200:
            return None
        return lambda api: done(api.delete(path))

    def _deploy(self, side: Side) -> Change | None:
        name, environment = self.random.choice(ALL), self.random.choice(ENVIRONMENTS)
        instance = self.random.choice(("", "blue"))
        number, slot = self._some_version(side, name), (name, environment, instance)
        if number is None or side.running.get(slot) == number:
            return None
        side.running[slot] = number
        body = {"applicationInstance": instance} if instance else {}
        path = f"/pacticipants/{q(name)}/versions/{number}/deployed-versions/environment/"
        return lambda api: done(api.post(path + uuid_of(api, environment), body))

    def _undeploy(self, side: Side) -> Change | None:
        slots = sorted(slot for slot in side.running if not self.is_second or (*slot,) in self.initial)
        if not slots:
            return None
        slot = self.random.choice(slots)
        self.initial.discard(slot)
        number = side.running.pop(slot)
        return lambda api: undeploy(api, slot, number)

    def _release(self, side: Side) -> Change | None:
        name, environment = self.random.choice(ALL), self.random.choice(ENVIRONMENTS)
        number = self._some_version(side, name)
        if number is None or (name, number, environment) in side.released:
            return None
        side.released.add((name, number, environment))
        path = f"/pacticipants/{q(name)}/versions/{number}/released-versions/environment/"
        return lambda api: done(api.post(path + uuid_of(api, environment), {}))

    def _end_support(self, side: Side) -> Change | None:
        if not side.released:
            return None
        name, number, environment = self.random.choice(sorted(side.released))
        return lambda api: end_support(api, environment, name, number)


def done(answer):
    assert answer.status in {200, 201, 204}, answer.text
    return answer


def uuid_of(api: Api, environment: str) -> str:
    listed = api.get(f"/environments?name={environment}").json()["_embedded"]["environments"]
    return str(listed[0]["uuid"])


def undeploy(api: Api, slot: tuple[str, str, str], number: str) -> None:
    name, environment, instance = slot
    listed = api.get(
        f"/environments/{uuid_of(api, environment)}/deployed-versions/currently-deployed?pacticipant={q(name)}"
    )
    for deployed_version in listed.json()["_embedded"]["deployedVersions"]:
        is_it = (
            deployed_version["_embedded"]["version"]["number"] == number
            and (deployed_version.get("applicationInstance") or "") == instance
        )
        if is_it:
            done(api.patch(deployed_version["_links"]["self"]["href"], {"currentlyDeployed": False}))


def end_support(api: Api, environment: str, name: str, number: str) -> None:
    path = f"/environments/{uuid_of(api, environment)}/released-versions/currently-supported"
    listed = api.get(f"{path}?pacticipant={q(name)}&version={number}").json()["_embedded"]["releasedVersions"]
    for release in listed:
        done(api.patch(release["_links"]["self"]["href"], {"currentlySupported": False}))


def is_history(question: str) -> bool:
    """Whether a question is about overwritten revisions, which the source only shows if it has results for them."""
    return question in {f"matrix of {consumer}" for consumer in CONSUMERS}


@pytest.mark.parametrize(
    "seed", [SEEDS[0], *(pytest.param(seed, marks=pytest.mark.long_on_postgresql) for seed in SEEDS[1:])]
)
def test_answers_are_the_same_after_an_import_and_as_in_one_broker_after_changes_and_another(
    seed, make_api, make_separate_api, clock, database
):
    hides_export = seed % 2 == 1  # an import reads resource by resource then, as from the original
    target = make_api(allow_dangerous_contract_modification=True, create_deployed_versions_for_tags=False)
    source, reference = make_separate_api("source"), make_separate_api("reference")
    story = Story(random.Random(seed), clock, reference, has_fractions=not hides_export)  # noqa: S311 - histories, no secrets
    for api in (source, reference):
        for name in ALL:
            has_main_branch = name != CONSUMERS[seed // 2 % 2]
            done(api.post("/pacticipants", {"name": name, **({"mainBranch": "main"} if has_main_branch else {})}))
        for environment in ENVIRONMENTS:
            done(api.post("/environments", {"name": environment, "production": False}))
    before = Side(source, "s")
    for _ in range(50):
        story.happen(before)
    assert differences(everything(source), everything(reference)) == []

    tally = import_from(source, target, hides_export=hides_export)
    assert tally.refused == []
    assert differences(everything(source), everything(target)) == []

    again = import_from(source, target, hides_export=hides_export)
    assert (+again.copied, again.refused, again.left) == ({}, [], [])

    after = Side(
        target,
        "t",
        versions={name: list(numbers) for name, numbers in before.versions.items()},
        pacts=set(before.pacts),
        running=dict(before.running),
        released=set(before.released),
        marks=set(before.marks),
    )
    story.is_second = True
    story.initial = set(before.running)
    for _ in range(40):
        story.happen(story.random.choice((before, after)))
    clock.now += timedelta(seconds=1)
    assert import_from(source, target, hides_export=hides_export).refused == []
    assert differences(everything(target), everything(reference), allowed=is_history) == []
    final = everything(target)
    again = import_from(source, target, hides_export=hides_export)
    assert (+again.copied, again.refused) == ({}, [])
    assert differences(everything(target), final) == []
    assert [
        check.name for check in integrity.CHECKS if database.read(partial(integrity.count_violations, check=check))
    ] == []
