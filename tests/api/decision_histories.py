"""Random histories of publications, results and deployments, and the questions that are asked about them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from hypothesis import note
from hypothesis import strategies as st

from tests.api.client import Api, Clock, pact
from tests.api.history import History, q
from tests.oracle.matrix_oracle import Publication, World

NAMES = ("Till", "apron", "Zinc")
BRANCHES = ("main", "feat/x")
TAGS = ("dev", "prod")
ENVIRONMENTS = ("test", "live")
CONTENTS = ("a", "b")
START = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SETTINGS = {
    "allow_dangerous_contract_modification": True,
    "use_first_tag_as_branch": False,
    "create_deployed_versions_for_tags": False,
}


@dataclass
class ForgetfulBroker:
    """A broker that forgets everything between two stories."""

    api: Api
    clock: Clock
    forget: Callable[[], None]


@dataclass
class Story:
    """Sends writes to the broker, and records them for the oracle. Impossible steps are left out."""

    broker: ForgetfulBroker
    world: World = field(default_factory=World)
    records: dict[tuple[str, ...], str] = field(default_factory=dict)
    """Paths of deployments and releases, by their names."""

    def __post_init__(self) -> None:
        self.broker.forget()
        self.broker.clock.now = START
        self.api = self.broker.api
        self.history = History(self.api)
        for name in NAMES:
            assert self.api.post("/pacticipants", {"name": name}).status == 201
        for name in ENVIRONMENTS:
            self.history.environment(name)

    def tell(self, happening: tuple[Any, ...]) -> None:
        """Let one thing happen, a second after the last."""
        what, *arguments = happening
        self.world.now += 1
        self.broker.clock.now += timedelta(seconds=1)
        getattr(self, what)(*arguments)

    def publish(self, consumer: str, version: str, provider: str, content: str) -> None:
        path = f"/pacts/provider/{provider}/consumer/{consumer}/version/{version}"
        assert self.api.put(path, pact_of(consumer, provider, content)).status in {200, 201}
        self.world.publish(consumer, version, provider, content)

    def merge(self, which: int, content: str) -> None:
        """Merge interactions into a pact, as other tests of the same consumer's version do."""
        current = self.current()
        if current:
            publication = current[which % len(current)]
            path = (
                f"/pacts/provider/{publication.provider}/consumer/{publication.consumer}/version/{publication.version}"
            )
            body = pact_of(publication.consumer, publication.provider, content)
            assert self.api.patch(path, body, type="application/json").status in {200, 201}
            self.world.publish(
                publication.consumer, publication.version, publication.provider, merged(publication.content, content)
            )

    def many(self, consumer: str, provider: str, outlier: int, success: bool | None, instance: str | None) -> None:  # noqa: FBT001 - as happenings give it
        """Publish and verify so many versions that not all rows are shown; one result is not like the others."""
        numbers = [str(number) for number in range(20, 31)]
        for number in numbers:
            self.tell(("publish", consumer, number, provider, "m"))
            self.tell(("release", consumer, number, "live"))
        pair = (consumer, "20", provider)
        which = [
            (publication.consumer, publication.version, publication.provider) for publication in self.current()
        ].index(pair)
        for at, number in enumerate(numbers):
            if at != outlier or success is not None:
                self.tell(("verify", which, number, at != outlier or bool(success)))
            if at % 2:
                self.tell(("deploy", provider, number, "live", instance and f"{instance}-{number}"))
            else:
                self.tell(("release", provider, number, "live"))

    def current(self) -> list[Publication]:
        return [publication for publication in self.world.publications if self.world.is_current(publication)]

    def delete_version(self, name: str, version: str) -> None:
        if (name, version) in self.world.versions:
            assert self.api.delete(f"/pacticipants/{name}/versions/{version}").status == 204
            self.world.delete_version(name, version)

    def delete_pact(self, which: int) -> None:
        if self.world.publications:
            publication = self.world.publications[which % len(self.world.publications)]
            path = (
                f"/pacts/provider/{publication.provider}/consumer/{publication.consumer}/version/{publication.version}"
            )
            assert self.api.delete(path).status == 200
            self.world.delete_pact(publication.consumer, publication.version, publication.provider)

    def verify(self, which: int, version: str, success: bool) -> None:  # noqa: FBT001 - as happenings give it
        current = self.current()
        if current:
            publication = current[which % len(current)]
            number = self.history.verify(
                publication.consumer, publication.version, publication.provider, version, success=success
            )
            self.world.verify(number, publication, version, success=success)

    def branch(self, name: str, version: str, branch: str) -> None:
        self.history.branch(name, version, branch)
        self.world.put_on_branch(name, version, branch)

    def unbranch(self, name: str, version: str, branch: str) -> None:
        answer = self.api.delete(f"/pacticipants/{name}/branches/{q(branch)}/versions/{version}")
        assert answer.status in {204, 404}
        self.world.take_off_branch(name, version, branch)

    def tag(self, name: str, version: str, tag: str) -> None:
        self.history.tag(name, version, tag)
        self.world.put_tag(name, version, tag)

    def untag(self, name: str, version: str, tag: str) -> None:
        assert self.api.delete(f"/pacticipants/{name}/versions/{version}/tags/{tag}").status in {204, 404}
        self.world.take_tag(name, version, tag)

    def deploy(self, name: str, version: str, environment: str, instance: str | None) -> None:
        if (name, version) in self.world.versions:
            path = self.history.deploy(name, version, environment, instance)
            self.records[name, environment, str(instance)] = path
            self.world.deploy(name, version, environment, instance)

    def undeploy(self, name: str, environment: str, instance: str | None) -> None:
        if (environment, name, instance) in self.world.running:
            path = self.records[name, environment, str(instance)]
            assert self.api.patch(path, {"currentlyDeployed": False}).status == 200
            self.world.undeploy(name, environment, instance)

    def release(self, name: str, version: str, environment: str) -> None:
        if (name, version) in self.world.versions:
            path = self.history.release(name, version, environment)
            self.records[name, version, environment, "released"] = path
            self.world.release(name, version, environment)

    def end_support(self, name: str, version: str, environment: str) -> None:
        if (environment, name, version) in self.world.supported:
            path = self.records[name, version, environment, "released"]
            assert self.api.patch(path, {"currentlySupported": False}).status == 200
            self.world.end_support(name, version, environment)

    def ask(self, question: Mapping[str, Any]) -> Any:
        path = asked_as(question)
        note(path)
        answer, again = self.api.get(path), self.api.get(path)
        assert answer.status == 200, answer.text
        assert again.body == answer.body
        return answer.json()


def pact_of(consumer: str, provider: str, content: str) -> dict[str, object]:
    """A pact with an interaction for each letter."""
    parts = [pact(consumer, provider, letter) for letter in content]
    return {**parts[0], "interactions": [interaction for part in parts for interaction in part["interactions"]]}  # type: ignore[attr-defined]  # lists


def merged(content: str, more: str) -> str:
    return "".join(sorted({*content, *more}))


def asked_as(question: Mapping[str, Any]) -> str:
    """The path that asks a question."""
    ignored = parameters("ignore", question.get("ignore", ()))
    if "can-i-deploy" in question:
        (selector,) = question["selectors"]
        to = "to" if "tag" in question else "environment"
        version_pairs = [(key, selector[key]) for key in ("pacticipant", "version")]
        return "/can-i-deploy?" + urlencode(
            [*version_pairs, (to, question.get("tag") or question["environment"]), *ignored]
        )
    pairs = parameters("q", question["selectors"])
    options = ("tag", "environment", "mainBranch", "latest", "latestby", "limit")
    pairs += [(key, to_text(question[key])) for key in options if key in question]
    pairs += [("success[]", "" if success is None else to_text(success)) for success in question.get("success", ())]
    return "/matrix?" + urlencode(pairs + ignored)


def parameters(name: str, selectors: Iterable[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Write selectors as clients do: a name begins a new one."""
    ordered = (sorted(selector.items(), key=lambda item: item[0] != "pacticipant") for selector in selectors)
    return [(f"{name}[][{key}]", to_text(value)) for members in ordered for key, value in members]


def to_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def one_of(*values: object) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


# Some are drawn more often than others, so that they meet.
NAME, VERSION = one_of("Till", "Till", "apron", "apron", "Zinc"), one_of("1", "1", "2", "2", "3")
BRANCH, TAG = one_of(*BRANCHES), one_of(*TAGS)
SUCCESS = st.sampled_from([True, True, False])
ENVIRONMENT, WHICH = one_of("test", "live", "live"), st.integers(0, 20)
INSTANCE = one_of(None, "blue", "green")

PUBLISHED = st.one_of(
    st.tuples(st.just("publish"), NAME, VERSION, NAME, one_of(*CONTENTS)),
    *[st.tuples(st.just("publish"), st.just("Till"), VERSION, st.just("apron"), one_of(*CONTENTS))] * 2,
    st.tuples(st.just("publish"), st.just("Till"), VERSION, st.just("Till"), one_of(*CONTENTS)),
)
VERIFIED = st.tuples(st.just("verify"), WHICH, VERSION, SUCCESS)
HAPPENINGS = st.one_of(
    PUBLISHED,
    VERIFIED,
    st.tuples(st.just("branch"), NAME, VERSION, BRANCH),
    st.tuples(st.just("tag"), NAME, VERSION, TAG),
    *[st.tuples(st.just("deploy"), NAME, VERSION, ENVIRONMENT, INSTANCE)] * 3,
    *[st.tuples(st.just("release"), NAME, VERSION, ENVIRONMENT)] * 3,
    st.tuples(st.just("undeploy"), NAME, ENVIRONMENT, INSTANCE),
    st.tuples(st.just("end_support"), NAME, VERSION, ENVIRONMENT),
    st.tuples(st.just("merge"), WHICH, one_of(*CONTENTS)),
    st.tuples(st.just("delete_version"), NAME, VERSION),
    st.tuples(st.just("unbranch"), NAME, VERSION, BRANCH),
    st.tuples(st.just("untag"), NAME, VERSION, TAG),
    st.tuples(st.just("delete_pact"), WHICH),
)
TRUE = st.just(True)  # noqa: FBT003 - a value of a query
NUMBER = one_of("1", "1", "1", "2", "2", "2", "3", "9", "20", "25")
MANY = st.tuples(
    st.just("many"),
    NAME,
    NAME,
    st.integers(0, 11),
    st.sampled_from([True, False, None]),
    one_of(None, "green"),
)
BY_NAME = st.fixed_dictionaries({"pacticipant": NAME})
BY_NUMBER = st.fixed_dictionaries({"pacticipant": NAME, "version": NUMBER})
SELECTORS = st.one_of(
    *[BY_NAME] * 3,
    *[BY_NUMBER] * 3,
    st.fixed_dictionaries({"pacticipant": NAME, "latest": TRUE}),
    st.fixed_dictionaries({"pacticipant": NAME, "branch": BRANCH}, optional={"latest": TRUE}),
    st.fixed_dictionaries({"pacticipant": NAME, "tag": TAG}, optional={"latest": TRUE}),
    st.fixed_dictionaries({"pacticipant": NAME, "environment": ENVIRONMENT}),
    st.fixed_dictionaries({"pacticipant": NAME, "mainBranch": TRUE}, optional={"latest": TRUE}),
    st.fixed_dictionaries(
        {"pacticipant": NAME},
        optional={"branch": BRANCH, "tag": TAG, "environment": ENVIRONMENT, "mainBranch": TRUE, "latest": TRUE},
    ),
    st.fixed_dictionaries({"pacticipant": NAME, "version": VERSION}, optional={"branch": BRANCH, "tag": TAG}),
)
IGNORED = st.one_of(SELECTORS, st.just({"pacticipant": "Nobody"}), st.just({"pacticipant": "Nobody", "version": "1"}))
DESTINATIONS = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"latest": TRUE}),
    st.fixed_dictionaries({"tag": TAG}, optional={"latest": TRUE}),
    st.fixed_dictionaries({"mainBranch": TRUE}, optional={"latest": TRUE}),
    st.fixed_dictionaries({"environment": ENVIRONMENT}),
)
RESULTS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=2, unique=True)


@st.composite
def matrix_questions(draw: st.DrawFn) -> dict[str, Any]:
    more = {
        "latestby": one_of("cvpv", "cvp", "cp"),
        "success": RESULTS,
        "ignore": st.lists(IGNORED, min_size=1, max_size=2),
    }
    limit = draw(one_of(100, 100, 1, 2, 3))
    question: dict[str, Any] = {"selectors": draw(st.lists(SELECTORS, min_size=1, max_size=3)), "limit": limit}
    question |= draw(DESTINATIONS)
    question |= draw(st.fixed_dictionaries({}, optional=more))
    return question


@st.composite
def deployment_questions(draw: st.DrawFn) -> dict[str, Any]:
    selector = {"pacticipant": draw(NAME), "version": draw(NUMBER)}
    place: dict[str, Any] = draw(
        st.one_of(
            st.fixed_dictionaries({"tag": TAG, "latest": TRUE, "latestby": st.just("cvp")}),
            st.fixed_dictionaries({"environment": ENVIRONMENT, "latestby": st.just("cvpv")}),
        ),
    )
    ignore = draw(st.fixed_dictionaries({}, optional={"ignore": st.lists(IGNORED, min_size=1, max_size=2)}))
    return {"can-i-deploy": True, "selectors": [selector]} | place | ignore
