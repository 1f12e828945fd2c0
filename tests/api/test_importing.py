"""`treaty import`: later imports never overwrite newer data, and results keep to the content that they verified."""

import json
import re
from datetime import timedelta
from urllib.parse import unquote

import httpx
import pytest

from tests.api.client import pact
from tests.api.history import History, q
from tests.api.imports import broker, import_from
from treaty.cli import import_copying, import_targets
from treaty.client import BrokerClient, BrokerConnection, RetryPolicy
from treaty.errors import Refused

PAIR = "/pacts/provider/Prices/consumer/Shop"


@pytest.fixture
def source(make_separate_api):
    return make_separate_api("source")


@pytest.fixture
def target(make_api):
    return make_api()


@pytest.fixture
def later(clock):
    """Lets a minute pass."""

    def later():
        clock.now += timedelta(minutes=1)

    return later


def may_deploy(api, version="1", to="&environment=test"):
    query = f"pacticipant=Shop&version={version}{to}"
    return api.get(f"/can-i-deploy?{query}").json()["summary"]["deployable"]


def running(api):
    (environment,) = api.get("/environments").json()["_embedded"]["environments"]
    listed = api.get(environment["_links"]["pb:currently-deployed-deployed-versions"]["href"]).json()
    return [
        deployed_version["_embedded"]["version"]["number"]
        for deployed_version in listed["_embedded"]["deployedVersions"]
    ]


def deployed_pair(api):
    history = History(api)
    history.publish("Shop", "1", "Prices", "first")
    history.verify("Shop", "1", "Prices", "9", success=True)
    history.deploy("Prices", "9", "test")
    return history


def test_a_result_for_an_overwritten_pact_does_not_count_for_the_current_one(source, target, later):
    deployed_pair(source)
    later()
    assert source.put(f"{PAIR}/version/1", pact("Shop", "Prices", "second")).status == 200
    tally = import_from(source, target)
    assert (tally.refused, tally.copied["pacts"], tally.copied["results"]) == ([], 2, 1)
    assert (may_deploy(source), may_deploy(target)) == (None, None)
    assert target.get(f"{PAIR}/version/1").json()["interactions"][0]["description"] == "a request for second"
    later()
    History(source).publish("Shop", "2", "Prices", "first")
    import_from(source, target)
    assert (may_deploy(source, "2"), may_deploy(target, "2")) == (True, True)


def test_an_older_success_does_not_become_the_newest_result(source, target, later):
    history = deployed_pair(source)
    import_from(source, target)
    later()
    history.verify("Shop", "1", "Prices", "9", success=True)
    later()
    History(target).verify("Shop", "1", "Prices", "9", success=False)
    assert may_deploy(target) is False
    later()
    assert import_from(source, target).copied["results"] == 1
    assert may_deploy(target) is False
    newest = target.get(f"{PAIR}/version/1/verification-results/latest").json()
    assert (newest["success"], newest["verificationDate"]) == (False, "2024-05-06T07:10:09+00:00")


def test_results_of_the_same_second_are_all_copied(source, target):
    history = deployed_pair(source)
    for success in (False, True, False):
        history.verify("Shop", "1", "Prices", "9", success=success)
    assert import_from(source, target).copied["results"] == 4
    assert (may_deploy(source), may_deploy(target)) == (False, False)
    assert import_from(source, target).copied["results"] == 0


def test_a_result_that_was_published_to_both_brokers_is_not_copied(source, target):
    for api in (source, target):
        deployed_pair(api)
    tally = import_from(source, target)
    assert (tally.copied["results"], tally.existing["results"]) == (0, 1)


def test_a_version_that_was_replaced_is_not_deployed_again(source, target, later):
    deployed_pair(source)
    import_from(source, target)
    later()
    history = History(target, environments={"test": uuid_of(target)})
    history.version("Prices", "10")
    history.deploy("Prices", "10", "test")
    tally = import_from(source, target)
    assert (running(target), tally.refused) == (["10"], [])


def test_a_version_that_is_deployed_in_both_brokers_is_not_deployed_again(source, target):
    for api in (source, target):
        deployed_pair(api)
    tally = import_from(source, target)
    assert (running(target), tally.copied["deployments"], tally.existing["deployments"]) == (["9"], 0, 1)


def test_a_result_for_a_content_that_was_not_imported_is_refused(target):
    deployed_pair(target)
    fact = {
        "kind": "result",
        "consumer": "Shop",
        "provider": "Prices",
        "sha": "a" * 40,
        "number": 1,
        "providerVersion": "9",
        "success": True,
        "verifiedAt": "2024-01-01T00:00:00Z",
        "recordedAt": "2024-01-01T00:00:00Z",
    }
    body = {"source": "https://other.example.org", "run": "1", "facts": [fact]}
    (outcome,) = done(target.post("/import", body)).json()["outcomes"]
    assert outcome["outcome"] == "refused"
    assert outcome["reason"] == f"The content {'a' * 40} that the result is about was not copied"


def uuid_of(api):
    return api.get("/environments").json()["_embedded"]["environments"][0]["uuid"]


def test_support_that_was_ended_is_not_renewed(source, target, later):
    deployed_pair(source).release("Prices", "9", "test")
    import_from(source, target)
    later()
    listed = target.get(f"/environments/{uuid_of(target)}/released-versions/currently-supported").json()
    (released,) = listed["_embedded"]["releasedVersions"]
    target.patch(released["_links"]["self"]["href"], {"currentlySupported": False})
    tally = import_from(source, target)
    assert tally.left == ["version 9 of Prices in test: support was ended here later"]
    listed = target.get(f"/environments/{uuid_of(target)}/released-versions/currently-supported").json()
    assert listed["_embedded"]["releasedVersions"] == []


def test_a_property_that_was_removed_in_the_target_stays_so_until_the_source_changes(source, target, later):
    deployed_pair(source)
    url = {"repositoryUrl": "https://git.example.org/shop"}
    done(source.patch("/pacticipants/Shop", url))
    import_from(source, target)
    assert target.get("/pacticipants/Shop").json()["repositoryUrl"] == url["repositoryUrl"]
    later()
    done(target.patch("/pacticipants/Shop", {"repositoryUrl": None}))
    import_from(source, target)
    assert "repositoryUrl" not in target.get("/pacticipants/Shop").json()
    later()
    done(source.patch("/pacticipants/Shop", url))
    import_from(source, target)
    assert target.get("/pacticipants/Shop").json()["repositoryUrl"] == url["repositoryUrl"]


def test_removals_and_changes_in_the_target_survive_a_later_import(source, target, later):
    history = deployed_pair(source)
    history.tag("Shop", "1", "prod")
    history.branch("Shop", "1", "main")
    history.publish("Shop", "2", "Prices", "second", branch="main")
    done(source.put("/pacticipants/Shop/versions/1", {"buildUrl": "https://ci.example.org/1"}))
    import_from(source, target)
    later()
    done(target.delete("/pacticipants/Shop/versions/1/tags/prod"))
    done(target.put("/pacticipants/Shop/versions/1", {"buildUrl": "https://ci.example.org/mine"}))
    done(target.delete("/pacticipants/Shop/versions/2"))
    History(target).publish("Shop", "3", "Prices", "third", branch="main")
    tally = import_from(source, target)
    assert (+tally.copied, tally.refused) == ({}, [])
    version = target.get("/pacticipants/Shop/versions/1").json()
    assert (version["buildUrl"], version["_embedded"]["tags"]) == ("https://ci.example.org/mine", [])
    assert target.get("/pacticipants/Shop/versions/2").status == 404
    assert target.get("/pacticipants/Shop/branches/main/latest-version").json()["number"] == "3"
    assert sorted(tally.left) == [
        "version 1 of Shop: a branch or tag of the version was removed here after an earlier import",
        "version 2 of Shop: the version was removed here after an earlier import",
    ]


def done(answer):
    assert answer.status < 300, answer.text
    return answer


def test_the_targets_webhooks_are_not_called_and_no_branch_is_made_of_a_tag(source, target):
    history = deployed_pair(source)
    history.tag("Shop", "1", "main")
    done(source.delete("/pacticipants/Shop/branches/main"))
    done(source.put("/pacticipants/Shop", {"mainBranch": None}))
    done(target.post("/pacticipants", {"name": "Shop"}))
    webhook = {
        "events": [{"name": "contract_published"}, {"name": "provider_verification_published"}],
        "request": {"method": "POST", "url": "https://ci.example.org/build"},
    }
    done(target.post("/webhooks", webhook))
    import_from(source, target)
    triggered = target.get(f"{PAIR}/version/1/triggered-webhooks").json()
    assert triggered["_embedded"]["triggeredWebhooks"] == []
    version = target.get("/pacticipants/Shop/versions/1").json()["_embedded"]
    assert ([tag["name"] for tag in version["tags"]], version["branchVersions"]) == (["main"], [])
    assert "mainBranch" not in target.get("/pacticipants/Shop").json()


def test_pacts_keep_their_bytes(source, target):
    body = (
        b'{"consumer":{"name":"Shop"},"provider":{"name":"Prices"},"interactions":[{"description":"odd numbers",'
        b'"request":{"method":"GET","path":"/"},"response":{"status":200,"body":[1.10,1e2,1234567890123456789012,-0]}}]}'
    )
    done(source.put(f"{PAIR}/version/1", body))
    import_from(source, target)
    theirs, ours = (api.get(f"{PAIR}/version/1").text.partition(',"createdAt"')[0] for api in (source, target))
    assert "[1.10,1e2,1234567890123456789012,-0]" in ours
    assert ours == theirs


def test_a_name_of_dots_does_not_end_an_import(source, target):
    history = History(source)
    for name in ("..", "."):
        history.publish(name, "..", "Prices", "dots")
        history.verify(name, "..", "Prices", "1")
    deployed_pair(source)
    tally = import_from(source, target)
    assert (tally.refused, tally.copied["pacts"], tally.copied["results"]) == ([], 3, 3)
    assert target.get("/pacts/provider/Prices/consumer/%2E%2E/version/%2E%2E").status == 200


def test_a_second_import_at_the_same_time_is_refused(target, monkeypatch):
    monkeypatch.setattr(import_targets, "_CLAIM_TIMEOUT", 0)
    other = {"source": "https://other.example.org", "run": "another", "facts": []}
    done(target.post("/import", other))
    with pytest.raises(Refused, match="Another import is running"):
        import_from(target, target)
    done(target.post("/import", {**other, "finished": True}))
    import_from(target, target)


def test_versions_that_arrive_together_stay_below_the_newer_neighbour_that_the_target_has(target, clock):
    """Only the newest of them names that neighbour; the order of the request places the others below it."""
    History(target).version("Shop", "known")
    facts = [
        {"kind": "version", "pacticipant": "Shop", "number": number, "above": above, "below": below}
        for number, above, below in (("1", None, None), ("2", "1", None), ("3", "2", "known"))
    ]
    moment = (clock.now + timedelta(days=1)).isoformat()  # so that their times alone would place them on top
    dated = [{**fact, "createdAt": moment, "updatedAt": moment} for fact in facts]
    outcomes = done(target.post("/import", {"source": "https://other.example.org", "run": "1", "facts": dated})).json()
    assert [outcome["outcome"] for outcome in outcomes["outcomes"]] == ["copied"] * 3
    versions = target.get("/pacticipants/Shop/versions").json()["_embedded"]["versions"]
    assert [version["number"] for version in versions] == ["known", "3", "2", "1"]


def test_facts_that_cannot_be_read_are_refused_one_by_one(target):
    facts = [
        {"kind": "pacticipant", "name": "Shop", "createdAt": "2024-01-01T00:00:00Z", "updatedAt": "2024-01-01"},
        {"kind": "spaceship"},
        {"kind": "pacticipant", "name": 1},
        {"kind": "pact", "consumer": "Shop", "provider": "Nobody", "version": "1", "sha": "", "content": "{}"},
    ]
    body = {"source": "https://other.example.org", "run": "1", "facts": facts}
    outcomes = done(target.post("/import", body)).json()["outcomes"]
    assert [outcome["outcome"] for outcome in outcomes] == ["copied", "refused", "refused", "refused"]
    assert "must be one of: pacticipant, version" in outcomes[1]["reason"]


# The original's responses


class Original:
    """Answers as the original broker does, for one pact that was overwritten: in the shapes of its recordings."""

    def __init__(self):
        self.old, self.new = "a" * 40, "b" * 40
        pact_href = self.href("pacts", "provider", "Prices", "consumer", "Shop", "version", "1/a")
        self.documents = {
            "": {"_links": self.links(**{"pb:pacticipants": "pacticipants", "pb:webhooks": "webhooks"})},
            "pacticipants": self.embedded("pacticipants", [self.pacticipant("Prices"), self.pacticipant("Shop")]),
            "pacticipants/Shop/versions": self.embedded(
                "versions",
                [
                    {
                        "number": "1/a",
                        "createdAt": self.at(1),
                        "_embedded": {
                            "branchVersions": [{"name": "feat/x", "latest": True, "_links": self.links(self="bv")}],
                            "tags": [{"name": "prod", "_links": self.links(self="tag")}],
                        },
                        "_links": {"pb:pact-versions": [{"href": pact_href}, {"href": pact_href}]},
                    }
                ],
            ),
            "pacticipants/Shop/branches": self.embedded("branches", [{"name": "feat/x", "createdAt": self.at(1)}]),
            "bv": {"createdAt": self.at(2)},
            "tag": {"createdAt": self.at(3)},
            "pacticipants/Prices/versions": self.embedded("versions", [{"number": "9", "createdAt": self.at(1)}]),
            "pacts/provider/Prices/consumer/Shop/versions": self.embedded(
                "pacts", [{"createdAt": self.at(5), "_embedded": {"consumerVersion": {"number": "1/a"}}}]
            ),
            "pacts/provider/Prices/consumer/Shop/version/1/a": self.pact("second", self.new, self.at(5)),
            self.content_path(self.old): self.pact("first", self.old, self.at(1)),
            "matrix": {"matrix": [self.row(7, self.at(1)), self.unverified()]},
            self.result_path(7): {
                "providerName": "Prices",
                "providerApplicationVersion": "9",
                "success": True,
                "verificationDate": self.at(4),
                "testResults": {"a": 1},
                "verifiedBy": {"implementation": "pact-ruby", "client_implementation": "ruby"},
            },
            "webhooks": {"_links": {"pb:webhooks": []}},
        }

    def pacticipant(self, name):
        return {"name": name, "displayName": name, "createdAt": self.at(0), "_embedded": {"labels": []}}

    def __call__(self, request):
        path = unquote(request.url.raw_path.decode().partition("?")[0]).strip("/")
        document = self.documents.get(path)
        if document is None:
            return httpx.Response(
                404, json={"error": "The requested document was not found on this server."}, request=request
            )
        return httpx.Response(200, json=document, headers={"content-type": "application/hal+json"}, request=request)

    @staticmethod
    def at(minute):
        return f"2024-05-01T07:{minute:02}:00+00:00"

    @staticmethod
    def href(*segments):
        return "/".join(["http://original.test", *(q(segment) for segment in segments)])

    @staticmethod
    def links(**paths):
        return {name: {"href": f"http://original.test/{path}"} for name, path in paths.items()}

    @staticmethod
    def embedded(name, listed):
        return {"_embedded": {name: listed}, "_links": {}}

    def pact(self, content, sha, created_at):
        body = json.loads(json.dumps(pact("Shop", "Prices", content)))
        interactions = [{"_id": "f" * 40, **interaction} for interaction in body["interactions"]]
        return {
            **body,
            "interactions": interactions,
            "createdAt": created_at,
            "_links": {"pb:pact-version": {"href": "x", "name": sha}},
        }

    @staticmethod
    def content_path(sha):
        return f"pacts/provider/Prices/consumer/Shop/pact-version/{sha}"

    def result_path(self, number):
        return f"{self.content_path(self.old)}/metadata/Y3ZuPTE/verification-results/{number}"

    def row(self, number, published_at):
        result = {"success": True, "verifiedAt": self.at(4), "_links": self.links(self=self.result_path(number))}
        return {**self.unverified(), "pact": {"createdAt": published_at}, "verificationResult": result}

    def unverified(self):
        shop = {"name": "Shop", "version": {"number": "1/a"}}
        pact = {"createdAt": self.at(5)}
        return {
            "consumer": shop,
            "provider": {"name": "Prices", "version": None},
            "pact": pact,
            "verificationResult": None,
        }


def from_original(target):
    connection = BrokerConnection(base_url="http://original.test", retry_policy=RetryPolicy(attempts=1))
    return import_copying.copy_all(
        BrokerClient(connection, wrap_send=lambda _: Original()), broker(target), is_dry=False, parallel=1
    )


def test_the_originals_responses_are_read(target):
    tally = from_original(target)
    assert (tally.refused, tally.left) == ([], [])
    assert +tally.copied == {"pacticipants": 2, "versions": 2, "pacts": 2, "results": 1}
    version = target.get("/pacticipants/Shop/versions/1%2Fa").json()
    assert (version["createdAt"], version["_embedded"]["branchVersions"][0]["latest"]) == (Original.at(1), True)
    assert target.get("/pacticipants/Shop/versions/1%2Fa/tags/prod").json()["createdAt"] == Original.at(3)
    assert target.get("/pacticipants/Shop/branches/feat%2Fx").json()["createdAt"] == Original.at(1)
    current = target.get(f"{PAIR}/version/1%2Fa")
    assert (current.json()["interactions"][0]["description"], current.json()["createdAt"]) == (
        "a request for second",
        Original.at(5),
    )
    assert target.get(f"{PAIR}/version/1%2Fa/verification-results/latest").status == 404
    rows = target.get("/matrix?q[][pacticipant]=Shop&q[][pacticipant]=Prices").json()["matrix"]
    (href,) = [row["verificationResult"]["_links"]["self"]["href"] for row in rows if row["verificationResult"]]
    result = target.get(re.sub("/metadata/[^/]*", "", href)).json()
    assert (result["verificationDate"], result["verifiedBy"]["client_implementation"]) == (Original.at(4), "ruby")
    summary = target.get("/matrix?q[][pacticipant]=Shop&q[][pacticipant]=Prices&latestby=cvp").json()["summary"]
    assert (summary["deployable"], summary["success"], summary["unknown"]) == (None, 0, 1)


def test_importing_from_the_original_again_copies_nothing(target):
    from_original(target)
    tally = from_original(target)
    assert (+tally.copied, tally.refused) == ({}, [])
    assert tally.existing["results"] == 1


def test_a_dry_run_reports_the_same_and_writes_nothing(source, target):
    deployed_pair(source)
    before = import_from(source, target, is_dry=True)
    assert json.loads(target.get("/pacticipants").body)["_embedded"]["pacticipants"] == []
    assert import_from(source, target).copied == before.copied


@pytest.mark.parametrize(
    ("sent", "most", "seconds", "expected"),
    [
        (200, 200, 5.0, 20),
        (200, 200, 500.0, 1),
        (20, 20, 0.5, 20),
        (20, 20, 0.1, 40),
        (1, 20, 0.001, 40),
        (3, 20, 1.0, 1),
        (200, 200, 0.0, 200),
    ],
)
def test_a_slow_target_gets_smaller_parts_so_that_others_can_write(sent, most, seconds, expected):
    assert import_targets.next_batch_size(sent, most, seconds=seconds) == expected


def test_former_deployments_and_overwritten_pacts_of_a_treaty_are_copied(source, target, later):
    history = deployed_pair(source)
    for number in ("10", "11"):
        later()
        history.version("Prices", number)
        history.deploy("Prices", number, "test")
    released = history.release("Prices", "10", "test")
    later()
    done(source.patch(released, {"currentlySupported": False}))
    done(source.put(f"{PAIR}/version/1", pact("Shop", "Prices", "second")))
    done(source.put(f"{PAIR}/version/1", pact("Shop", "Prices", "third")))
    tally = import_from(source, target)
    assert (tally.refused, tally.left, tally.copied["pacts"]) == ([], [], 3)
    assert (tally.copied["deployments"], tally.copied["releases"]) == (3, 1)
    path = "/pacticipants/Prices/deployed-or-released/versions"
    assert lives(target, path) == lives(source, path)
    assert len(lives(target, path)) == 3
    assert running(target) == ["11"]
    assert target.get(f"{PAIR}/version/1").json()["interactions"][0]["description"] == "a request for third"
    assert +import_from(source, target).copied == {}


def lives(api, path):
    versions = done(api.get(path)).json()["_embedded"]["versions"]
    return [{name: value for name, value in version.items() if not name.startswith("_")} for version in versions]


def test_statistics_of_postgresql_are_renewed_at_the_end_of_an_import(source, target, database):
    deployed_pair(source)
    import_from(source, target)
    if database.engine.dialect.name == "postgresql":
        rows = "SELECT reltuples FROM pg_class WHERE relname = 'version'"
        assert database.read(lambda db: db.exec_driver_sql(rows).scalar_one()) == 2


def test_numbers_in_test_results_and_webhooks_are_copied_as_they_are_written(source, target):
    history = deployed_pair(source)
    history.publish("Shop", "2", "Prices", "other")
    path = source.get(f"{PAIR}/version/2").link("pb:publish-verification-results")
    done(source.post(path, b'{"success":true,"providerApplicationVersion":"9","testResults":{"a":[1.10,1e2,-0]}}'))
    webhook = (
        b'{"events":[{"name":"contract_published"}],'
        b'"request":{"method":"POST","url":"https://ci.example.org/build","body":{"a":[1.10,1e2,-0]}}}'
    )
    done(source.post("/webhooks", webhook))
    for hides_export in (False, True):
        import_from(source, target, hides_export=hides_export)
        assert numbers(target) == numbers(source)


def numbers(api):
    (link,) = api.get("/webhooks").json()["_links"]["pb:webhooks"]
    texts = api.get(link["href"]).text, api.get(f"{PAIR}/version/2/verification-results/latest").text
    return [re.findall(r"\[1[^\]]*\]", text) for text in texts]
