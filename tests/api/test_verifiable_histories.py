"""For random histories, a provider gets exactly the pacts that follow from the rules."""

import base64
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.oracle.verifiable_oracle import Expected, Pacticipant, Place, Result, World, expected
from tests.scale import choose

CONSUMERS = ("apron", "Till")
VERSIONS = ("1", "2", "3")
BRANCHES = ("main", "feat/x")
TAGS = ("dev", "prod")
ENVIRONMENTS = {"test": False, "live": True}
STORIES = itertools.count()
START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
EXAMPLES = choose(7, slow=15, long=1000)
WIP = base64.urlsafe_b64encode(b"w=true").decode().rstrip("=")


@dataclass
class Story:
    """Sends writes to the broker, and records them for the oracle. Steps without an effect are left out."""

    api: Any
    clock: Any
    environments: Mapping[str, str]
    number: int = field(default_factory=lambda: next(STORIES))
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.clock.now = START
        self.world.consumers = {self.named(name): Pacticipant() for name in CONSUMERS}

    def named(self, name: str) -> str:
        return f"{name}-{self.number}"

    def who(self, name: str) -> Pacticipant:
        return self.world.provider if name == "Ledger" else self.world.consumers[self.named(name)]

    def publish(self, consumer: str, version: str, content: int, branch: str | None, tag: str | None) -> None:
        name, who = self.named(consumer), self.who(consumer)
        if version in self.world.pacts.get(name, {}):
            return
        is_new = branch is not None and not self.is_on(who, branch, version)
        more = {**({"branch": branch} if is_new else {}), **({"tags": [tag]} if tag else {})}
        assert self.api.publish(name, version, self.named("Ledger"), content, **more).status == 200
        self.world.publish(name, version, content, self.clock.now)
        if is_new:
            self.world.put_on_branch(who, str(branch), version, self.clock.now)
        if tag:
            self.world.put_tag(who, tag, version, self.clock.now)

    @staticmethod
    def is_on(who: Pacticipant, branch: str, version: str) -> bool:
        return branch in who.branches and version in who.branches[branch].versions

    def branch(self, name: str, branch: str, version: str) -> None:
        if not self.is_on(self.who(name), branch, version):
            path = branch.replace("/", "%2F")
            assert self.put(f"/pacticipants/{self.named(name)}/branches/{path}/versions/{version}") in {200, 201}
            self.world.put_on_branch(self.who(name), branch, version, self.clock.now)

    def tag(self, name: str, tag: str, version: str) -> None:
        assert self.put(f"/pacticipants/{self.named(name)}/versions/{version}/tags/{tag}") in {200, 201}
        self.world.put_tag(self.who(name), tag, version, self.clock.now)

    def put(self, path: str) -> int:
        return int(self.api.put(path, {}).status)

    def deploy(self, consumer: str, version: str, environment: str, instance: str | None) -> None:
        if version in self.who(consumer).versions:
            body = {"applicationInstance": instance} if instance else {}
            assert self.api.post(self.recording(consumer, version, "deployed", environment), body).status == 201
            place = Place(version, environment, ENVIRONMENTS[environment], instance)
            self.world.deploy(self.named(consumer), place)

    def release(self, consumer: str, version: str, environment: str) -> None:
        place = Place(version, environment, ENVIRONMENTS[environment])
        is_new = place not in self.world.supported.get(self.named(consumer), ())
        if is_new and version in self.who(consumer).versions:
            assert self.api.post(self.recording(consumer, version, "released", environment), {}).status == 201
            self.world.release(self.named(consumer), place)

    def recording(self, consumer: str, version: str, how: str, environment: str) -> str:
        uuid = self.environments[environment]
        return f"/pacticipants/{self.named(consumer)}/versions/{version}/{how}-versions/environment/{uuid}"

    def verify(self, which: int, provider_version: str, *, success: bool, is_wip: bool) -> None:
        published = [
            (name, pact, version) for name, pacts in self.world.pacts.items() for version, pact in pacts.items()
        ]
        name, pact, version = published[which % len(published)]
        url = f"/pacts/provider/{self.named('Ledger')}/consumer/{name}/version/{version}"
        path = self.api.get(url).link("pb:pact-version")
        results = f"{path}/metadata/{WIP}/verification-results" if is_wip else f"{path}/verification-results"
        body = {"success": success, "providerApplicationVersion": provider_version}
        assert self.api.post(results, body).status == 201
        result = Result(name, pact.content, provider_version, success, is_wip, self.clock.now, set())
        self.world.verify(result, self.clock.now)

    def wait(self, time: timedelta) -> None:
        self.clock.now += time

    def answer(self, request: Mapping[str, Any]) -> list[Expected]:
        path = f"/pacts/provider/{self.named('Ledger')}/for-verification"
        answer, again = self.api.post(path, request), self.api.post(path, request)
        assert answer.status == 200, answer.text
        assert again.body == answer.body
        return [seen(pact) for pact in answer.json()["_embedded"]["pacts"]]

    def expected(self, request: Mapping[str, Any]) -> list[Expected]:
        given_ = request.get("includeWipPactsSince")
        since = None if given_ is None else datetime.fromisoformat(given_)
        return expected(self.world, request, now=self.clock.now, since=since)


def seen(pact: Mapping[str, Any]) -> Expected:
    consumer, version = re.findall(r"^Pact between (.+) \((.+)\) and ", pact["_links"]["self"]["name"])[0]
    properties = pact["verificationProperties"]
    descriptions = pact["shortDescription"].split(", ")
    is_wip = properties.get("wip", False)
    return Expected(
        consumer,
        version,
        tuple(sorted(descriptions) if is_wip else descriptions),
        properties.get("pending"),
        is_wip=is_wip,
    )


consumers = st.sampled_from(("apron", "apron", "Till"))
versions = st.sampled_from(VERSIONS)
contents = st.integers(1, 2)
branches = st.sampled_from(BRANCHES)
tags = st.sampled_from(TAGS)
environments = st.sampled_from(list(ENVIRONMENTS))


def deed(name: str, *args: st.SearchStrategy[Any], **more: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(st.just(name), st.tuples(*args), st.fixed_dictionaries(more))


publishing = deed("publish", consumers, versions, contents, st.none() | branches, st.none() | tags)
verifying = deed(
    "verify",
    st.integers(0, 5),
    versions,
    success=st.sampled_from((True, True, False)),
    is_wip=st.sampled_from((False, False, True)),
)
deeds = st.one_of(
    publishing,
    verifying,
    verifying,
    deed("branch", st.sampled_from((*CONSUMERS, "Ledger", "Ledger")), branches, versions),
    deed("tag", st.sampled_from((*CONSUMERS, "Ledger", "Ledger")), tags, versions),
    deed("deploy", consumers, versions, environments, st.none() | st.just("a")),
    deed("release", consumers, versions, environments),
    deed("wait", st.sampled_from([timedelta(minutes=1), timedelta(days=1), timedelta(days=31)])),
)
selectors = st.one_of(
    st.just({"mainBranch": True}),
    st.just({"branch": True}),
    st.just({"latest": True}),
    st.builds(lambda name: {"branch": name}, branches),
    st.builds(lambda name: {"tag": name}, tags),
    st.builds(lambda name: {"tag": name, "latest": True}, tags),
    st.builds(lambda name, other: {"tag": name, "latest": True, "fallbackTag": other}, tags | st.just("none"), tags),
    st.builds(lambda kind: {kind: True}, st.sampled_from(("deployed", "released", "deployedOrReleased"))),
    st.builds(lambda kind, name: {kind: True, "environment": name}, st.just("deployed"), environments),
    st.builds(lambda name: {"environment": name}, environments),
    st.just({"matchingBranch": True}),
)


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    request: dict[str, Any] = {"consumerVersionSelectors": draw(st.lists(selectors, max_size=3))}
    request |= draw(
        st.fixed_dictionaries(
            {},
            optional={
                "providerVersionBranch": st.sampled_from((*BRANCHES, "new")),
                "providerVersionTags": st.lists(st.sampled_from((*TAGS, "new")), max_size=2, unique=True),
                "includePendingStatus": st.booleans(),
                "includeWipPactsSince": st.sampled_from(
                    ["2020-01-01T00:00:00+00:00", (START + timedelta(hours=1)).isoformat()]
                ),
            },
        )
    )
    if "providerVersionBranch" not in request:
        request["consumerVersionSelectors"] = [
            selector for selector in request["consumerVersionSelectors"] if "matchingBranch" not in selector
        ]
    return request


SIDES: list[dict[str, Any]] = [
    {},
    *({"providerVersionBranch": name} for name in (*BRANCHES, "new")),
    *({"providerVersionTags": [name]} for name in (*TAGS, "new")),
]
ALWAYS: list[dict[str, Any]] = [
    {**side, **rest}
    for side in SIDES
    for rest in (
        {"consumerVersionSelectors": [{"branch": True}, {"latest": True}]},
        {"consumerVersionSelectors": [{"tag": "none"}], "includeWipPactsSince": "2020-01-01T00:00:00+00:00"},
    )
]
"""Requests after each story: for pending pacts and for work in progress, from each side."""


@pytest.fixture
def plain_api(make_api):
    """An application in which tags are tags only."""
    return make_api(use_first_tag_as_branch=False, create_deployed_versions_for_tags=False)


@pytest.fixture
def uuids(plain_api):
    answers = {
        name: plain_api.post("/environments", {"name": name, "production": is_production})
        for name, is_production in ENVIRONMENTS.items()
    }
    return {name: answer.json()["uuid"] for name, answer in answers.items()}


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
    ],  # each story has names of its own
    phases=[Phase.reuse, Phase.generate, Phase.shrink],
)
@given(first=publishing, more=st.lists(deeds, min_size=5, max_size=30), queries=st.lists(requests(), max_size=4))
def test_pacts_for_verification_follow_the_rules_in_random_histories(plain_api, clock, uuids, first, more, queries):
    story = Story(plain_api, clock, uuids)
    for name, args, kwargs in [first, *more]:
        note(f"{name}{args}{kwargs or ''}")
        getattr(story, name)(*args, **kwargs)
    for request in [*queries, *ALWAYS]:
        note(f"{request}")
        assert story.answer(request) == story.expected(request)
