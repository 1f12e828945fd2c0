"""Whatever happened, a decision for a set is that of trying every subset and every order."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.api.decision_histories import ForgetfulBroker, Story
from tests.histories import SHARDS, history_settings, share
from tests.oracle.matrix_oracle import World
from tests.oracle.sets_oracle import Ignored, Member, broken_pairs, expected_set
from tests.scale import choose

NAMES = ("a", "b", "c", "d", "e", "f")
VERSIONS = ("1", "2")
HISTORIES, QUESTIONS = choose((6, 4), slow=(20, 4), long=(20_000, 4))
EXAMPLES = share(HISTORIES)


class Pact(NamedTuple):
    """A pact, and the results that versions 1 and 2 of its provider have for it."""

    consumer: str
    version: str
    provider: str
    content: str
    results: Sequence[bool | None]


class Place(NamedTuple):
    """Where a version is."""

    name: str
    version: str
    kind: str
    """`deploy`, `instance` or `release`."""


class Exemptions(NamedTuple):
    """The overrides and policies that make an answer yes although results are missing."""

    overridden: Sequence[Member]
    allows_first_deployments: bool


RESULT = st.sampled_from([*[True] * 8, False, None])
NAME = st.sampled_from(NAMES)
PACTS = st.builds(
    Pact,
    NAME,
    st.sampled_from(["1", "2", "2"]),
    NAME,
    st.sampled_from(["x", "y", "z"]),
    st.tuples(RESULT, RESULT),
)
PLACES = st.builds(
    Place,
    NAME,
    st.sampled_from(["1", "1", "2"]),
    st.sampled_from([*["deploy"] * 6, "instance", "release"]),
)
COUPLED = st.tuples(NAME, NAME).filter(lambda pair: pair[0] != pair[1])
"""A consumer and a provider whose versions 1, and whose versions 2, work only with each other."""
SETS = st.lists(
    st.tuples(NAME, st.sampled_from([*["2"] * 14, "1", "3"])),
    min_size=1,
    max_size=6,
    unique_by=lambda member: member[0],
)
NO_VERSIONS: list[Ignored] = []
IGNORED = st.one_of(
    st.just(NO_VERSIONS),
    st.lists(st.tuples(NAME, st.sampled_from(["1", "2", "3", None])), min_size=1, max_size=2),
)


EXEMPTIONS = st.builds(
    Exemptions,
    st.lists(st.tuples(NAME, st.sampled_from(VERSIONS)), max_size=2, unique=True),
    st.booleans(),
)


def couple(consumer: str, provider: str) -> list[Pact]:
    return [
        Pact(consumer, "1", provider, f"{consumer}-old", (True, False)),
        Pact(consumer, "2", provider, f"{consumer}-new", (False, True)),
    ]


def tell(story: Story, pacts: Sequence[Pact], places: Sequence[Place]) -> None:
    for name in NAMES:
        for version in VERSIONS:
            story.history.version(name, version)
            story.world.add_version(name, version)
    for pact in pacts:
        story.publish(pact.consumer, pact.version, pact.provider, pact.content)
        publication = story.world.current(pact.consumer, pact.version, pact.provider)
        assert publication is not None
        for by, success in zip(VERSIONS, pact.results, strict=True):
            if success is not None:
                number = story.history.verify(pact.consumer, pact.version, pact.provider, by, success=success)
                story.world.verify(number, publication, by, success=success)
    for place in places:
        if place.kind == "release":
            story.release(place.name, place.version, "live")
        else:
            story.deploy(place.name, place.version, "live", "blue" if place.kind == "instance" else None)


def ask(story: Story, members: Sequence[Member], ignored: Sequence[Ignored]) -> Any:
    versions = [{"pacticipant": name, "version": version} for name, version in members]
    ignore = [{"pacticipant": name} | ({"version": version} if version else {}) for name, version in ignored]
    answer = story.api.post("/decisions", {"environment": "live", "versions": versions, "ignore": ignore})
    assert answer.status == 200, answer.text
    return answer.json()


def override(story: Story, members: Sequence[Member]) -> None:
    for name, version in members:
        body = {"pacticipantName": name, "pacticipantVersionNumber": version, "environmentName": "live"}
        assert story.api.post("/overrides", {**body, "reason": "An outage."}).status == 201


def allow_first_deployments(story: Story) -> None:
    path = f"/environments/{story.history.environment('live')}"
    body = {"name": "live", "production": False, "firstDeployments": "allow"}
    assert story.api.put(path, body).status == 200


def read(members: Sequence[dict[str, str]]) -> list[Member]:
    return [(member["pacticipant"], member["version"]) for member in members]


@pytest.mark.slow_on_postgresql  # examples of both run there
@pytest.mark.parametrize("shard", SHARDS)
@history_settings(EXAMPLES)
@given(
    pacts=st.lists(PACTS, min_size=3, max_size=12),
    coupled=st.lists(COUPLED, max_size=2),
    places=st.lists(PLACES, max_size=9),
    sets=st.lists(st.tuples(SETS, IGNORED), min_size=QUESTIONS, max_size=QUESTIONS),
    exemptions=EXEMPTIONS,
)
def test_a_decision_for_a_set_is_that_of_trying_everything(  # noqa: PLR0913, PLR0917 - what Hypothesis draws
    forgetful_broker: ForgetfulBroker,
    shard: int,
    pacts: list[Pact],
    coupled: list[tuple[str, str]],
    places: list[Place],
    sets: list[tuple[list[Member], list[Ignored]]],
    exemptions: Exemptions,
) -> None:
    del shard
    story = Story(forgetful_broker)
    coupled_pacts = [pact for pair in coupled for pact in couple(*pair)]
    coupled_places = [Place(name, "1", "deploy") for pair in coupled for name in pair]
    tell(story, [*pacts, *coupled_pacts], [*coupled_places, *places])
    override(story, exemptions.overridden)
    if exemptions.allows_first_deployments:
        allow_first_deployments(story)
    for members, ignored in sets:
        answer = ask(story, members, ignored)
        right = expected_set(story.world, "live", members, ignored, **exemptions._asdict())
        order = answer["order"] and tuple(read(answer["order"]))
        event(f"{answer['deployable']}, {'an order' if order else 'no order'}, {len(right.leave_out)} left out")
        assert answer["deployable"] is right.deployable
        assert read(answer["leaveOut"]) == right.leave_out
        assert answer["leaveOutIsSmallest"] is True
        assert order in right.orders if right.orders else order is None
        assert answer["reasons"]
        if len(members) == 1:
            ((name, version),) = members
            query = "".join(
                f"&ignore[][pacticipant]={name}" + (f"&ignore[][version]={number}" if number else "")
                for name, number in ignored
            )
            path = f"/can-i-deploy?pacticipant={name}&version={version}&environment=live{query}"
            single = story.api.get(path).json()
            assert len(answer.get("ignored", ())) == single["summary"].get("ignored", 0)
            assert answer["deployable"] is single["summary"]["deployable"]
            reasons = [_describe(reason) for reason in answer["reasons"] if reason["kind"] != "leave_out"]
            assert reasons == [_describe(reason) for reason in single["reasons"]]


def _describe(reason: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parts of a reason that do not depend on the cause."""
    return {name: value for name, value in reason.items() if name in {"kind", "text", "consumer", "provider"}}


CHANGES = st.lists(
    st.one_of(
        *[st.tuples(st.just("deploy"), NAME, st.sampled_from(VERSIONS))] * 3,
        st.tuples(st.just("undeploy"), NAME, st.none()),
        st.tuples(st.just("retire"), NAME, st.none()),
        st.tuples(st.just("endSupport"), NAME, st.sampled_from(VERSIONS)),
    ),
    min_size=1,
    max_size=3,
)
Change = tuple[str, str, str | None]


def apply(world: World, changes: Sequence[Change]) -> bool:
    """Apply changes, and return whether all of them are possible."""
    for kind, name, version in changes:
        here = [place for place in world.running if place[:2] == ("live", name)]
        supported = [release for release in world.supported if release[:2] == ("live", name)]
        match kind:
            case "deploy":
                world.deploy(name, str(version), "live", None)
            case "undeploy" if ("live", name, None) in here:
                world.undeploy(name, "live", None)
            case "endSupport" if ("live", name, version) in supported:
                world.end_support(name, str(version), "live")
            case "retire" if here or supported:
                for place in here:
                    del world.running[place]
                world.supported -= set(supported)
            case _:
                return False
    return True


@pytest.mark.slow_on_postgresql  # examples of both run there
@pytest.mark.parametrize("shard", SHARDS)
@history_settings(EXAMPLES)
@given(
    pacts=st.lists(PACTS, min_size=3, max_size=12),
    places=st.lists(PLACES, min_size=2, max_size=9),
    questions=st.lists(CHANGES, min_size=QUESTIONS, max_size=QUESTIONS),
)
def test_the_effect_of_changes_is_that_of_making_them(
    forgetful_broker: ForgetfulBroker,
    shard: int,
    pacts: list[Pact],
    places: list[Place],
    questions: list[list[Change]],
) -> None:
    del shard
    story = Story(forgetful_broker)
    tell(story, pacts, places)
    before = broken_pairs(story.world, "live")
    for changes in questions:
        changed = deepcopy(story.world)
        is_possible = apply(changed, changes)
        described = [
            {"change": kind, "pacticipant": name, **({"version": version} if version else {})}
            for kind, name, version in changes
        ]
        answer = story.api.post("/decisions/what-if", {"environment": "live", "changes": described})
        assert answer.status == (200 if is_possible else 400), answer.text
        if is_possible:
            after, names = broken_pairs(changed, "live"), {name for _, name, _ in changes}
            near = {pair for pair in before | after if names & set(pair)}
            assert read_pairs(answer.json()["breaks"]) == (after - before) & near
            assert read_pairs(answer.json()["repairs"]) == (before - after) & near
            assert read_pairs(answer.json()["stillBroken"]) == before & after & near


def read_pairs(pairs: Sequence[Any]) -> set[tuple[str, str]]:
    assert all(pair["reasons"] for pair in pairs)
    return {(pair["consumer"], pair["provider"]) for pair in pairs}
