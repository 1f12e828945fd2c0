"""Random histories of pacts with a provider and its contracts, and the plain rules of their comparisons."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import text

from tests.api.client import Api, pact
from tests.api.contracts import OPENAPI, RESULT, build, document
from tests.api.history import History
from treaty.store.engine.database import Database
from treaty.workers.comparisons import ComparisonWorker

CONSUMERS, PROVIDER = ("Shop", "Till"), "Prices"
VERSIONS = ("1", "2")
PATHS = ("prices", "orders")
"""Paths that pacts request; each document describes one of them."""
MESSAGE = "message"
DOCUMENTS = {path: OPENAPI.replace("/prices", f"/{path}") for path in PATHS}
UNUSABLE = "some: contract\n"


@dataclass
class Contract:
    """The contracts of a provider version by name: the paths that their documents describe, and the results."""

    paths: dict[str, str] = field(default_factory=dict)
    results: dict[str, bool | None] = field(default_factory=dict)

    @property
    def is_self_verified(self) -> bool | None:
        if False in self.results.values():
            return False
        return None if None in self.results.values() else True


@dataclass
class World:
    """All that happened."""

    pacts: dict[tuple[str, str], str] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    results: dict[tuple[str, str, str], bool] = field(default_factory=dict)
    """The latest result of a verifier, by consumer, content and provider version."""
    versions: set[str] = field(default_factory=set)
    """The versions of the provider."""

    def decide(self, consumer: str, version: str, provider_version: str) -> bool | None:
        """Return whether a pair is compatible, from the whole history."""
        content = self.pacts[consumer, version]
        verified = self.results.get((consumer, content, provider_version))
        contract = self.contracts.get(provider_version)
        if contract is None:
            return verified
        is_message = content == MESSAGE
        is_usable = UNUSABLE not in contract.paths.values()
        is_compatible = is_usable and (is_message or content in contract.paths.values())
        if not is_compatible or contract.is_self_verified is False:
            return False
        if contract.is_self_verified is None or (is_message and verified is None):
            return None
        return verified is not False


def combine(verdicts: list[bool | None]) -> bool | None:
    return None if None in verdicts else all(verdicts)


steps = st.one_of(
    st.tuples(
        st.just("pact"), st.sampled_from(CONSUMERS), st.sampled_from(VERSIONS), st.sampled_from((*PATHS, MESSAGE))
    ),
    st.tuples(
        st.just("contract"),
        st.sampled_from(VERSIONS),
        st.sampled_from(("", "a", "b")),
        st.sampled_from((*PATHS, *PATHS, UNUSABLE)),
        st.sampled_from((True, True, False, None)),
    ),
    st.tuples(
        st.just("verify"),
        st.sampled_from(CONSUMERS),
        st.sampled_from(VERSIONS),
        st.sampled_from(VERSIONS),
        st.booleans(),
    ),
    st.tuples(st.just("remove"), st.sampled_from((*CONSUMERS, PROVIDER)), st.sampled_from(VERSIONS)),
    st.tuples(st.just("work")),
    st.tuples(st.just("ask"), st.sampled_from(CONSUMERS), st.sampled_from(VERSIONS), st.sampled_from(VERSIONS)),
)


@dataclass
class ComparisonBroker:
    """Two servers on one database, of which one has no time to compare within requests."""

    api: Api
    hurried: Api
    worker: ComparisonWorker
    database: Database
    world: World = field(default_factory=World)

    def forget(self) -> None:
        self.world = World()
        with self.database.engine.begin() as connection:
            connection.execute(text("DELETE FROM pacticipant"))
        for name in (*CONSUMERS, PROVIDER):
            assert self.api.post("/pacticipants", {"name": name}).status == 201

    def act(self, step: tuple[Any, ...]) -> None:
        name, *arguments = step
        getattr(self, name)(*arguments)

    def pact(self, consumer: str, version: str, content: str) -> None:
        body = pact(consumer, PROVIDER, content)
        if content == MESSAGE:
            body = {**{name: body[name] for name in ("consumer", "provider")}, "messages": [{"description": "a"}]}
        answer = self.api.put(f"/pacts/provider/{PROVIDER}/consumer/{consumer}/version/{version}", body)
        assert answer.status in {200, 201}, answer.text
        self.world.pacts[consumer, version] = content

    def contract(self, version: str, name: str, path: str, result: bool | None) -> None:  # noqa: FBT001 - drawn
        source = DOCUMENTS.get(path, path)
        published = document(source)
        if result is None:
            del published["selfVerificationResults"]
        else:
            published["selfVerificationResults"] = {**RESULT, "success": result}
        contract = self.world.contracts.get(version, Contract())
        if name:
            body = build(version, contracts=[{"name": name, **published}])
            answer = self.api.post(f"/provider-contracts/provider/{PROVIDER}/publish-contracts", body)
        else:
            body = build(version, contract=published)
            answer = self.api.post(f"/provider-contracts/provider/{PROVIDER}/publish", body)
        is_changed = contract.paths.get(name, path) != path
        assert answer.status == (409 if is_changed else 200), answer.text
        if not is_changed:
            contract.paths[name] = path
            contract.results[name] = contract.results.get(name) if result is None else result
            self.world.contracts[version] = contract
            self.world.versions.add(version)

    def verify(self, consumer: str, version: str, provider_version: str, success: bool) -> None:  # noqa: FBT001 - drawn
        content = self.world.pacts.get((consumer, version))
        if content is not None:
            History(self.api).verify(consumer, version, PROVIDER, provider_version, success=success)
            self.world.results[consumer, content, provider_version] = success
            self.world.versions.add(provider_version)

    def remove(self, pacticipant: str, version: str) -> None:
        self.api.delete(f"/pacticipants/{pacticipant}/versions/{version}")
        self.world.pacts.pop((pacticipant, version), None)
        if pacticipant == PROVIDER:
            self.world.versions.discard(version)
            self.world.contracts.pop(version, None)
            for key in [key for key in self.world.results if key[2] == version]:
                del self.world.results[key]

    def work(self) -> None:
        while self.worker.work_once():
            pass

    def ask(self, consumer: str, version: str, provider_version: str) -> None:
        """Query a pair, also on the server without time for comparisons, which may only return an unknown result."""
        if (consumer, version) in self.world.pacts and provider_version in self.world.versions:
            expected = self.world.decide(consumer, version, provider_version)
            pair = {"expected": expected, "consumer": consumer, "version": version, "provider": provider_version}
            query = _query((consumer, version), (PROVIDER, provider_version))
            assert _ask(self.hurried, query) in {expected, None}, pair
            assert _ask(self.api, query) is expected, pair
            assert _ask(self.api, query) is expected, pair

    def check(self) -> None:
        """Ask for everything at the end, after the worker has or has not compared everything."""
        for provider_version in sorted(self.world.versions):
            for consumer, version in sorted(self.world.pacts):
                self.ask(consumer, version, provider_version)
                expected = self.world.decide(consumer, version, provider_version)
                query = _query((consumer, version), (PROVIDER, provider_version))
                for latest_by in ("cvp", "cp"):
                    assert _ask(self.api, query.replace("cvpv", latest_by)) is expected, (query, latest_by)
            for consumer in CONSUMERS:
                self._check_whole(consumer, provider_version)

    def _check_whole(self, consumer: str, provider_version: str) -> None:
        """Ask for all versions of a consumer, once with all rows, and once with fewer rows than there are."""
        versions = [version for name, version in self.world.pacts if name == consumer]
        if versions:
            expected = combine([self.world.decide(consumer, version, provider_version) for version in versions])
            query = _query((consumer, None), (PROVIDER, provider_version))
            assert _ask(self.hurried, f"{query}&limit=1") in {expected, None}, (consumer, provider_version)
            assert _ask(self.api, f"{query}&limit=1") is expected, (consumer, provider_version)
            assert _ask(self.api, query) is expected, (consumer, provider_version)


def _query(*selectors: tuple[str, str | None]) -> str:
    parts = [
        f"q[][pacticipant]={name}" + ("" if version is None else f"&q[][version]={version}")
        for name, version in selectors
    ]
    return f"/matrix?{'&'.join(parts)}&latestby=cvpv"


def _ask(api: Api, query: str) -> bool | None:
    answer = api.get(query)
    assert answer.status == 200, answer.text
    deployable: bool | None = answer.json()["summary"]["deployable"]
    return deployable
