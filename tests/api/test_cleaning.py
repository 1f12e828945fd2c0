"""Old data is removed; data that answers depend on stays."""

import itertools
from datetime import timedelta
from threading import Event

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from tests.api.history import History
from tests.databases import open_kept
from tests.scale import choose
from treaty.actions.maintenance import cleanup, integrity
from treaty.model.maintenance.retention import (
    DEFAULT_VERSION_SELECTORS,
    KeepBranches,
    KeepVersions,
    Retention,
    add_in_use_selectors,
)
from treaty.store.maintenance import retention as store
from treaty.store.tables import metadata, pacticipant, version
from treaty.workers.cleanup import Cleaner, CleanupInProgress, CleanupStopped

LONG = timedelta(days=100)


@pytest.fixture
def history(api):
    return History(api)


@pytest.fixture
def database(api, database_url):  # noqa: ARG001 - the client has brought the schema up to date
    database = open_kept(database_url, connections=2)
    yield database
    database.close()


@pytest.fixture
def clean(database, clock):
    def run(*keep, branches=(), **more):
        retention = Retention(
            versions=add_in_use_selectors(keep or DEFAULT_VERSION_SELECTORS), branches=branches, **more
        )
        cleaner = Cleaner(database, retention, clock=clock, pause=lambda _: False)
        planned = cleaner.plan()
        done = cleaner.clean()
        assert done["clean"]["versions"].gone == len(planned.versions)
        assert done["clean"]["branches"].gone == len(planned.branches)
        assert {"clean": planned.removed, "overwritten": planned.overwritten} == {
            part: done[part] for part in ("clean", "overwritten")
        }
        return done

    return run


def numbers(api, name):
    listed = api.get(f"/pacticipants/{name}/versions?size=1000").json()["_embedded"]["versions"]
    return sorted(version["number"] for version in listed)


# Which versions stay


def test_by_default_heads_versions_in_use_and_young_versions_stay(history, clock, clean, api):
    for number in ("1", "2", "3", "4", "5", "6", "7"):
        history.version("Till", number)
    history.tag("Till", "2", "prod")
    history.branch("Till", "3", "main")
    history.branch("Till", "4", "main")
    history.deploy("Till", "5", "test")
    history.release("Till", "6", "shops")
    clock.now += LONG
    history.version("Till", "8")
    history.version("Till", "9")
    clean()
    assert numbers(api, "Till") == ["2", "3", "4", "5", "6", "8", "9"]  # 3 began its branch


def test_a_version_that_is_no_longer_deployed_is_removed(history, clean, api):
    for number in ("1", "2", "3"):
        history.version("Till", number)
    history.deploy("Till", "1", "test")
    history.deploy("Till", "2", "test")
    clean(KeepVersions(latest=True))
    assert numbers(api, "Till") == ["2", "3"]


@pytest.mark.parametrize(
    ("selector", "kept"),
    [
        (KeepVersions(latest=True), {"Till 4", "Shop 1"}),
        (KeepVersions(pacticipant="Till"), {"Till 1", "Till 2", "Till 3", "Till 4"}),
        (KeepVersions(pacticipant="Nobody"), set()),
        (KeepVersions(tag=True), {"Till 1", "Till 2", "Till 3"}),
        (KeepVersions(tag=True, latest=True), {"Till 2", "Till 3"}),
        (KeepVersions(tag="dev"), {"Till 1", "Till 2"}),
        (KeepVersions(tag="dev", latest=True), {"Till 2"}),
        (KeepVersions(branch=True), {"Till 1", "Till 3", "Till 4"}),
        (KeepVersions(branch=True, latest=True), {"Till 3", "Till 4"}),
        (KeepVersions(branch="feat/x"), {"Till 4"}),
        (KeepVersions(branch="main", latest=True), {"Till 3"}),
        (KeepVersions(main_branch=True), {"Till 1", "Till 3"}),
        (KeepVersions(main_branch=True, latest=True), {"Till 3"}),
        (KeepVersions(main_branch=True, tag="dev"), {"Till 1"}),
        (KeepVersions(deployed=True), {"Till 2", "Till 3"}),
        (KeepVersions(deployed=True, environment="test"), {"Till 2"}),
        (KeepVersions(released=True), {"Till 4"}),
        (KeepVersions(environment="shops"), {"Till 3", "Till 4"}),
        (KeepVersions(max_age=0), {"Till 4", "Shop 1"}),
        (KeepVersions(max_age=100), {"Till 1", "Till 2", "Till 3", "Till 4", "Shop 1"}),
        (KeepVersions(max_age=99), {"Till 4", "Shop 1"}),
    ],
)
def test_a_selector_keeps_versions_that_match_all_of_its_criteria(history, clock, database, selector, kept):
    for number in ("1", "2", "3"):
        history.version("Till", number)
    clock.now += LONG
    history.version("Till", "4")
    history.version("Shop", "1")
    for number, tag in (("1", "dev"), ("2", "dev"), ("3", "prod")):
        history.tag("Till", number, tag)
    for number, branch in (("1", "main"), ("3", "main"), ("4", "feat/x")):
        history.branch("Till", number, branch)
    history.deploy("Till", "1", "test")
    history.deploy("Till", "2", "test")
    history.deploy("Till", "3", "shops")
    history.release("Till", "4", "shops")
    # Tags stand for branches for a while after a version is new; the branch of the first tag is not asked for here.
    assert kept_by(database, Retention(versions=(selector,)), clock.now) == kept


def kept_by(database, retention, now):
    statement = select(pacticipant.c.name, version.c.number).where(
        version.c.pacticipant_id == pacticipant.c.id, store.is_kept(retention, now)
    )
    return database.read(lambda db: {f"{row.name} {row.number}" for row in db.execute(statement)})


def test_a_clean_up_removes_at_most_the_limit_and_the_oldest_first(history, clean, api):
    for number in ("1", "2", "3", "4"):
        history.version("Till", number)
    clean(KeepVersions(latest=True), limit=2)
    assert numbers(api, "Till") == ["3", "4"]


def test_a_plan_changes_nothing_and_counts_versions_by_the_selector_that_keeps_them(history, clock, database, api):
    for number in ("1", "2", "3"):
        history.version("Till", number)
    history.tag("Till", "1", "dev")
    history.deploy("Till", "2", "test")
    retention = Retention(versions=add_in_use_selectors([KeepVersions(latest=True)]), branches=(), limit=1)
    planned = Cleaner(database, retention, clock=clock).plan()
    assert [(entry.selector.to_dict(), entry.count) for entry in planned.kept] == [
        ({"latest": True}, 1),
        ({"deployed": True}, 1),
        ({"released": True}, 0),
    ]
    assert (planned.total, planned.not_kept, planned.kept_for_decisions) == (3, 0, 1)  # 1 was the first with its tag
    assert numbers(api, "Till") == ["1", "2", "3"]


def test_versions_deployed_or_supported_anywhere_stay_and_the_plan_names_them(history, clock, clean, database, api):
    for number in ("1", "2", "3", "4", "5"):
        history.version("Till", number)
    history.deploy("Till", "1", "prod")
    history.deploy("Till", "2", "stage")
    history.release("Till", "3", "shops")
    history.deploy("Till", "3", "stage", instance="blue")
    keep = (KeepVersions(deployed=True, environment="prod"), KeepVersions(latest=True))
    planned = Cleaner(database, Retention(versions=keep, branches=()), clock=clock).plan()
    assert [(version.number, version.deployed_to, version.released_to) for version in planned.in_use] == [
        ("2", ("stage",), ()),
        ("3", ("stage",), ("shops",)),
    ]
    clean(*keep)
    assert numbers(api, "Till") == ["1", "2", "3", "5"]


@pytest.mark.parametrize(
    "keep", [KeepVersions(released=True, environment="prod"), KeepVersions(deployed=True, pacticipant="Shop")]
)
def test_no_selector_replaces_the_rule_for_versions_in_use(keep, history, clean, api):
    for number in ("1", "2", "3", "4"):
        history.version("Till", number)
    history.deploy("Till", "1", "stage")
    history.release("Till", "2", "shops")
    clean(keep, KeepVersions(latest=True))
    assert numbers(api, "Till") == ["1", "2", "4"]


# Branches


def pending(api, branch):
    request = {
        "consumerVersionSelectors": [{"latest": True}],
        "includePendingStatus": True,
        "providerVersionBranch": branch,
    }
    return [answer[1] for answer in verifiable(api.post("/pacts/provider/Ledger/for-verification", request))]


def test_a_stale_branch_that_verified_a_pact_stays_until_another_has_verified_it(history, clock, clean, api):
    history.publish("Till", "1", "Ledger", "a")
    for number, branch in (("0", "main"), ("1", "feat/y"), ("2", "feat/unused")):
        history.version("Ledger", number)
        history.branch("Ledger", number, branch)
    history.verify("Till", "1", "Ledger", "1")
    clock.now += LONG
    assert pending(api, "feat/new") == [False]
    clean(branches=(KeepBranches(max_age=90),))
    assert pending(api, "feat/new") == [False]
    left = api.get("/pacticipants/Ledger/branches").json()["_embedded"]["branches"]
    assert {branch["name"] for branch in left} == {"main", "feat/y"}


def test_stale_branches_go_but_main_and_named_ones_stay(history, clock, clean, api):
    for number, branch in enumerate(("main", "feat/old", "develop")):
        history.version("Till", str(number))
        history.branch("Till", str(number), branch)
    api.patch("/pacticipants/Till", {"mainBranch": "main"})
    clock.now += LONG
    history.version("Till", "9")
    history.branch("Till", "9", "feat/new")
    done = clean(branches=(KeepBranches(max_age=90), KeepBranches(branches=("develop",))))
    left = api.get("/pacticipants/Till/branches").json()["_embedded"]["branches"]
    assert {branch["name"] for branch in left} == {"main", "develop", "feat/new"}
    assert (done["clean"]["branches"].gone, done["clean"]["branches"].kept) == (1, 3)
    assert numbers(api, "Till") == ["0", "2", "9"]  # 1 was kept as the head of a branch


# Other data that is removed


def test_pacts_results_and_contents_go_with_their_versions(history, clean, api):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    history.publish("Till", "3", "Ledger", "c")
    history.verify("Till", "3", "Ledger", "9")
    done = clean(KeepVersions(latest=True))
    amounts = {what: amount.gone for what, amount in done["clean"].items()}
    assert amounts == {
        "versions": 2,
        "pact_publications": 2,
        "pact_versions": 2,
        "verifications": 0,
        "triggered_webhooks": 0,
        "webhook_executions": 0,
        "branches": 0,
        "branch_versions": 0,
        "tags": 0,
        "deployed_versions": 0,
        "released_versions": 0,
    }
    assert api.get("/pacts/provider/Ledger/consumer/Till/version/1").status == 404
    assert api.get("/pacts/provider/Ledger/consumer/Till/version/3").status == 200


def test_overwritten_pacts_and_results_go_when_they_are_old_enough(make_api, clock, database, clean):
    api = make_api(allow_dangerous_contract_modification=True)
    history = History(api)
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "1", "Ledger", "b")
    for success in (False, True, True, True, False):
        history.verify("Till", "1", "Ledger", "9", success=success)
    assert count_removed(clean(overwritten_max_age=timedelta(days=7))) == (0, 0, 0)
    clock.now += timedelta(days=9)
    assert count_removed(clean(overwritten_max_age=timedelta(days=7))) == (
        1,
        2,
        0,
    )  # the first and the last success stay
    assert api.get("/metrics").json()["pactVersions"] == {"count": 1}
    assert database.read(lambda db: [check.broken for check in integrity.check_integrity(db) if check.broken]) == []


def count_removed(done):
    amounts = done["overwritten"]
    return tuple(amounts[what].gone for what in ("pact_publications", "verification_results", "triggered_webhooks"))


# While others work


def test_a_version_that_is_needed_again_after_the_plan_stays(history, clock, database, api):
    for number in ("1", "2", "3", "4"):
        history.version("Till", number)
    history.publish("Shop", "1", "Till", "a")
    retention = Retention(versions=add_in_use_selectors([KeepVersions(latest=True)]), branches=())
    old_versions = database.read(lambda db: cleanup.list_old_versions(db, retention, now=clock.now))
    assert [version.number for version in old_versions["Till"]] == ["1", "2", "3"]
    batch = store_batch("Till", ["1", "2", "3"], clock.now)
    clock.now += timedelta(seconds=5)
    history.deploy("Till", "1", "test")
    history.verify("Shop", "1", "Till", "2")
    database.write(lambda db: cleanup.remove_versions(db, retention, batch, now=clock.now))
    assert numbers(api, "Till") == ["1", "2", "4"]


def store_batch(name, removed, at):
    from treaty.store.maintenance.removal import VersionBatch  # noqa: PLC0415 - reads well where it is used

    return VersionBatch(pacticipant=name, numbers=removed, planned_at=at)


def test_one_cleaner_works_at_a_time_and_one_that_was_killed_is_replaced(database, clock, clean):
    database.write(lambda db: cleanup.claim_cleanup(db, owner="another", now=clock.now))
    with pytest.raises(CleanupInProgress):
        clean()
    clock.now += cleanup.LEASE_DURATION + timedelta(seconds=1)
    clean()
    clean()


def test_a_cleaner_stops_when_its_event_is_set(history, database, clock, api):
    for name in ("Till", "Shop"):
        for number in ("1", "2"):
            history.version(name, number)
    stopping = Event()
    stopping.set()
    retention = Retention(versions=add_in_use_selectors([KeepVersions(latest=True)]), branches=())
    with pytest.raises(CleanupStopped):
        Cleaner(database, retention, clock=clock, pause=stopping.wait).clean()
    assert len(numbers(api, "Till")) + len(numbers(api, "Shop")) == 3
    Cleaner(database, retention, clock=clock, pause=lambda _: False).clean()
    assert len(numbers(api, "Till")) + len(numbers(api, "Shop")) == 2


# Decisions


def verified_once(history):
    history.publish("Till", "1", "Ledger", "a")
    history.verify("Till", "1", "Ledger", "2")
    history.version("Ledger", "3")
    return {"Till 1", "Ledger 2", "Ledger 3"}


def verified_by_several(history):
    history.publish("Till", "1", "Ledger", "a")
    for number in ("1", "2", "3", "4", "5"):
        history.version("Ledger", number)
    for number in ("1", "2", "4", "3"):
        history.verify("Till", "1", "Ledger", number)
    return {"Till 1", "Ledger 1", "Ledger 3", "Ledger 4", "Ledger 5"}  # the first, the last, the highest


def verified_on_a_branch(history):
    history.publish("Till", "1", "Ledger", "a")
    for number in ("1", "2", "3", "4", "5", "6", "7"):
        history.version("Ledger", number)
    for number in ("2", "3", "4", "5"):
        history.branch("Ledger", number, "main")
    for number, success in (("1", True), ("3", False), ("4", True), ("5", True), ("6", False)):
        history.verify("Till", "1", "Ledger", number, success=success)
    return {"Till 1", "Ledger 1", "Ledger 2", "Ledger 4", "Ledger 6", "Ledger 7"}  # 2 began the branch


def verified_with_a_tag(history):
    history.publish("Till", "1", "Ledger", "a")
    for number in ("1", "2", "3", "4", "5", "6"):
        history.version("Ledger", number)
    history.tag("Ledger", "2", "dev")
    for number in ("1", "3", "4", "5"):
        history.verify("Till", "1", "Ledger", number)
    history.tag("Ledger", "3", "dev")
    history.tag("Ledger", "4", "dev")
    return {"Till 1", "Ledger 1", "Ledger 2", "Ledger 3", "Ledger 5", "Ledger 6"}  # 2 began the tag


def verified_with_a_tag_that_was_taken_off(history):
    history.publish("Till", "1", "Ledger", "a")
    for number in ("1", "2", "3", "4", "5"):
        history.version("Ledger", number)
    history.tag("Ledger", "2", "dev")
    for number in ("1", "2", "3"):
        history.verify("Till", "1", "Ledger", number)
    history.verify("Till", "1", "Ledger", "4")
    assert history.api.delete("/pacticipants/Ledger/versions/2/tags/dev").status == 204
    return {"Till 1", "Ledger 1", "Ledger 2", "Ledger 4", "Ledger 5"}


def verified_with_an_older_consumer(history):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    history.publish("Till", "3", "Ledger", "c")
    history.verify("Till", "1", "Ledger", "1")
    history.verify("Till", "2", "Ledger", "1")
    return {"Till 2", "Till 3", "Ledger 1"}


def published_by_an_older_version(history):
    history.publish("Till", "1", "Ledger", "a")
    history.publish("Till", "2", "Ledger", "b")
    history.version("Till", "3")
    return {"Till 2", "Till 3"}


@pytest.mark.parametrize(
    "story",
    [
        verified_once,
        verified_by_several,
        verified_on_a_branch,
        verified_with_a_tag,
        verified_with_a_tag_that_was_taken_off,
        verified_with_an_older_consumer,
        published_by_an_older_version,
    ],
)
def test_versions_that_answers_depend_on_stay(story, make_api, clean, clock):
    api = make_api(use_first_tag_as_branch=False)
    staying = story(History(api))
    clock.now += LONG
    clean(KeepVersions(latest=True))
    names = {version.partition(" ")[0] for version in staying}
    assert {f"{name} {number}" for name in names for number in numbers(api, name)} == staying


def test_the_latest_pact_of_a_kept_branch_stays(history, clean, clock, api):
    for number in ("1", "2"):
        history.publish("Till", number, "Ledger", number, branch="feat/x")
    history.publish("Till", "3", "Ledger", "3", branch="main")
    history.version("Till", "4")
    history.branch("Till", "4", "feat/x")
    clock.now += LONG
    clean(KeepVersions(branch=True, latest=True))
    assert numbers(api, "Till") == ["1", "2", "3", "4"]  # 1 began the branch, 2 has its latest pact


def test_recent_successes_stay_as_long_as_work_in_progress_looks_at_them(history, clean, clock, api):
    history.publish("Till", "1", "Ledger", "a")
    for number in ("1", "2", "3", "4"):
        history.version("Ledger", number)
        history.verify("Till", "1", "Ledger", number)
    clock.now += timedelta(days=20)
    clean(KeepVersions(latest=True), success_max_age=timedelta(days=30))
    assert numbers(api, "Ledger") == ["1", "2", "3", "4"]
    clock.now += timedelta(days=20)
    clean(KeepVersions(latest=True), success_max_age=timedelta(days=30))
    assert numbers(api, "Ledger") == ["1", "4"]


STORIES = itertools.count()
EXAMPLES = choose(4, slow=6, long=600)
CONSUMERS, PROVIDER = ("Till", "Shop"), "Ledger"
BRANCHES, TAGS, ENVIRONMENTS = ("main", "feat/x"), ("dev", "prod"), ("test", "live")
DESTINATIONS = (
    "cvp",
    "cvp&environment=test",
    "cvp&environment=live",
    "cvp&latest=true",
    "cvp&latest=true&tag=prod",
    "cvp&latest=true&mainBranch=true",
)
"""To any version, as `can-i-deploy` asks without a destination; and to where versions are."""


def deed(name, *args, **more):
    return st.tuples(st.just(name), st.tuples(*args), st.fixed_dictionaries(more))


consumers, versions = st.sampled_from(CONSUMERS), st.sampled_from([str(number) for number in range(1, 6)])
anybody = st.sampled_from((*CONSUMERS, PROVIDER, PROVIDER))
deeds = st.one_of(
    deed("publish", consumers, versions, st.integers(1, 3), branch=st.none() | st.sampled_from(BRANCHES)),
    deed("publish", consumers, versions, st.integers(1, 3), branch=st.none() | st.sampled_from(BRANCHES)),
    deed("verify", st.integers(0, 9), versions, success=st.sampled_from((True, True, False))),
    deed("verify", st.integers(0, 9), versions, success=st.sampled_from((True, True, False))),
    deed("tag", anybody, versions, st.sampled_from(TAGS)),
    deed("branch", anybody, versions, st.sampled_from(BRANCHES)),
    deed("deploy", anybody, versions, st.sampled_from(ENVIRONMENTS)),
    deed("release", anybody, versions, st.sampled_from(ENVIRONMENTS)),
    deed("wait", st.sampled_from((1, 20, 60))),
)


class Story:
    """Does things to pacticipants of its own."""

    def __init__(self, history, clock):
        self.number, self.history, self.clock = next(STORIES), history, clock
        self.pacts = {}

    def named(self, name):
        return f"{name}-{self.number}"

    def publish(self, consumer, number, content, branch):
        if (consumer, number) not in self.pacts:
            more = {"branch": branch} if branch else {}
            self.history.publish(self.named(consumer), number, self.named(PROVIDER), content, **more)
            self.pacts[consumer, number] = content

    def verify(self, which, number, *, success):
        if self.pacts:
            consumer, published = list(self.pacts)[which % len(self.pacts)]
            self.history.verify(self.named(consumer), published, self.named(PROVIDER), number, success=success)

    def tag(self, name, number, tag):
        self.history.tag(self.named(name), number, tag)

    def branch(self, name, number, branch):
        self.history.branch(self.named(name), number, branch)

    def deploy(self, name, number, environment):
        self.history.version(self.named(name), number)
        self.history.deploy(self.named(name), number, environment)

    def release(self, name, number, environment):
        self.history.version(self.named(name), number)
        self.history.release(self.named(name), number, environment)

    def wait(self, days):
        self.clock.now += timedelta(days=days)

    def answers(self, kept, gone=()):
        """All possible questions about kept versions, and by providers, except about removed branches."""
        api, answers = self.history.api, {}
        for name in (*CONSUMERS, PROVIDER):
            mine = self.named(name)
            for number in (
                kept_version.partition(" ")[2] for kept_version in kept if kept_version.startswith(f"{mine} ")
            ):
                for to in DESTINATIONS if name != PROVIDER else DESTINATIONS[1:]:
                    path = f"/matrix?q[][pacticipant]={mine}&q[][version]={number}&latestby={to}"
                    # Without a destination the verdict is about all provider versions, of which some are removed.
                    answers[path] = newest(api.get(path)) if to == "cvp" else deployable(api.get(path))
        for request in self.questions(gone):
            answers[str(request)] = verifiable(
                api.post(f"/pacts/provider/{self.named(PROVIDER)}/for-verification", request)
            )
        for name in CONSUMERS:
            path = (
                f"/pacts/provider/{self.named(PROVIDER)}/consumer/{self.named(name)}/latest/verification-results/latest"
            )
            answers[path] = api.get(path).text
        return answers

    def decided(self, kept):
        """The provider's versions of which it is known whether they go with the consumers' versions that there are."""
        mine = self.named(PROVIDER)
        provider_numbers = [
            kept_version.partition(" ")[2] for kept_version in kept if kept_version.startswith(f"{mine} ")
        ]
        path = f"/matrix?q[][pacticipant]={mine}&latestby=cvp&q[][version]="
        return {
            number
            for number in provider_numbers
            if deployable(self.history.api.get(path + number))["deployable"] is not None
        }

    @staticmethod
    def questions(gone):
        """Questions of a provider. Pacts of a removed branch are not selected any more, nor is it asked by one."""
        selectors: list[dict[str, object]] = [{"mainBranch": True}, {"deployedOrReleased": True}, {"latest": True}]
        if "feat/x" not in gone:
            selectors.append({"branch": "feat/x"})
        request = {"consumerVersionSelectors": selectors, "includePendingStatus": True}
        for who in (
            {"providerVersionBranch": "main"},
            {"providerVersionBranch": "feat/x"},
            {"providerVersionBranch": "feat/new"},
            {"providerVersionTags": ["dev", "new"]},
        ):
            if who.get("providerVersionBranch") in gone:
                continue
            yield {**request, **who}
            if not gone:  # the heads of removed branches are in progress no more
                yield {**request, **who, "includeWipPactsSince": "2020-01-01"}


def newest(answer):
    """The newest result of each consumer version, with the provider's version."""
    sides = [(row["consumer"]["version"], row["provider"]["version"], row) for row in answer.json()["matrix"]]
    return [
        (consumer["number"], provider and provider["number"], (row["verificationResult"] or {}).get("success"))
        for consumer, provider, row in sides
    ]


def deployable(answer):
    assert answer.status in {200, 400}  # 400 for an environment that is not there yet
    return answer.json().get("summary", answer.text)


def verifiable(answer):
    return [
        (
            pact["_links"]["self"]["name"],
            pact["verificationProperties"].get("pending"),
            pact["verificationProperties"].get("wip"),
        )
        for pact in answer.json()["_embedded"]["pacts"]
    ]


branch_selectors = st.sampled_from([(), (KeepBranches(max_age=15),), (KeepBranches(branches=("main",), max_age=40),)])
HEADS = DEFAULT_VERSION_SELECTORS[:3]
"""Without these a clean-up removes what "the latest version from the main branch" means."""
version_selectors = st.lists(
    st.sampled_from(
        [
            KeepVersions(max_age=5),
            KeepVersions(max_age=25),
            KeepVersions(branch="main"),
            KeepVersions(main_branch=True, latest=True),
            KeepVersions(tag="prod", latest=True, max_age=30),
            KeepVersions(deployed=True, environment="test"),
        ]
    ),
    max_size=3,
)


@given(
    done=st.lists(deeds, min_size=4, max_size=30),
    keep=version_selectors.map(lambda more: (*HEADS, *more)),
    branches=branch_selectors,
)
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_answers_about_kept_versions_stay_as_they_were(api, database, clock, done, keep, branches):
    story = Story(History(api), clock)
    story.history.environments = {environment["name"]: environment["uuid"] for environment in known_environments(api)}
    story.publish("Till", "1", 1, "main")
    for name, args, more in done:
        getattr(story, name)(*args, **more)
    # A limit that is reached would keep versions of earlier stories from being removed now.
    retention = Retention(versions=add_in_use_selectors(keep), branches=branches, limit=100_000, branch_limit=100_000)
    cleaner = Cleaner(database, retention, audit_max_age=timedelta(days=30), clock=clock, pause=lambda _: False)
    planned = cleaner.plan()
    # Selectors keep versions while the branches exist; a version may be removed with its branch.
    kept = kept_by(database, retention, clock.now) - {
        f"{version.pacticipant} {version.number}" for version in planned.versions
    }
    removed_branches = {branch.name for branch in planned.branches if branch.pacticipant.endswith(f"-{story.number}")}
    before, decided = story.answers(kept, removed_branches), story.decided(kept)
    amounts = count_rows(database)
    removed = cleaner.clean()
    note(str(removed))
    assert story.answers(kept, removed_branches) == before
    assert story.decided(kept) >= decided
    assert removed["clean"] == planned.removed
    assert removed["overwritten"] == planned.overwritten
    assert removed["audit"]["audit_events"].gone == planned.audit_events.gone
    assert count_rows(database) == {name: amounts[name] - gone_of(planned, name) for name in amounts}
    assert database.read(lambda db: [check for check in integrity.check_integrity(db) if check.broken]) == []


COUNTED = {
    "version": "versions",
    "publication": "pact_publications",
    "content": "pact_versions",
    "verification": "verifications",
    "triggered_webhook": "triggered_webhooks",
    "webhook_execution": "webhook_executions",
    "branch": "branches",
    "branch_version": "branch_versions",
    "tag": "tags",
    "deployed_version": "deployed_versions",
    "released_version": "released_versions",
}
"""The name in a plan of each table with data that grows."""


def count_rows(database):
    counted = {name: select(func.count()).select_from(metadata.tables[name]) for name in COUNTED}
    return database.read(lambda db: {name: db.execute(statement).scalar_one() for name, statement in counted.items()})


def gone_of(planned, table):
    name = COUNTED[table]
    overwritten = "verification_results" if name == "verifications" else name
    return sum(amount.gone for amount in (planned.removed[name], planned.overwritten.get(overwritten)) if amount)


def known_environments(api):
    return api.get("/environments").json()["_embedded"]["environments"]
