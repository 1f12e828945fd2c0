"""publish, against another broker."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

VERIFICATION = "https://docs.pact.io/go/provider_verification"
PUBLISH = "POST /contracts/publish"
NOTICES = [
    {"type": "debug", "text": "Created Foo version 1 with branch main"},
    {"type": "success", "text": "Pact successfully published for Foo version 1 and provider Bar."},
    {"type": "debug", "text": "  View the published pact at http://broker/pacts/1"},
    {"type": "prompt", "text": "  Next steps:"},
    {"type": "prompt", "text": f"    * Add Pact verification tests. See {VERIFICATION}"},
    {"type": "warning", "text": "Careful"},
    {"type": "danger", "text": "Stop"},
]


def pact(consumer: str = "Foo", provider: str = "Bar", *interactions: object) -> dict[str, object]:
    return {
        "provider": {"name": provider},
        "consumer": {"name": consumer},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }


def interaction(description: str = "a request", state: str | None = "s", status: int = 200) -> dict[str, object]:
    members: dict[str, object] = {"description": description, "request": {"path": "/"}, "response": {"status": status}}
    return members | ({"providerState": state} if state else {})


@pytest.fixture
def pacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacts").mkdir()
    write(tmp_path / "pacts" / "foo-bar.json", pact())
    return tmp_path / "pacts"


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2))


def test_a_pact_is_published_with_the_content_of_its_file(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": []})
    run("publish", str(pacts), "-a", "1", "-h", "main", "--tag", "dev", "--build-url", "http://ci/1")
    assert broker.lines == ["GET /", PUBLISH]
    sent = broker.last.json
    content = base64.b64decode(sent["contracts"][0].pop("content")).decode()
    assert content == json.dumps(pact(), separators=(",", ":"))
    assert sent == {
        "pacticipantName": "Foo",
        "pacticipantVersionNumber": "1",
        "tags": ["dev"],
        "branch": "main",
        "buildUrl": "http://ci/1",
        "contracts": [
            {
                "consumerName": "Foo",
                "providerName": "Bar",
                "specification": "pact",
                "contentType": "application/json",
            }
        ],
    }


def test_unknown_fields_are_left_out_but_tags_are_always_sent(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": []})
    run("publish", str(pacts), "-a", " 1 ")
    sent = broker.last.json
    assert set(sent) == {"pacticipantName", "pacticipantVersionNumber", "tags", "contracts"}
    assert (sent["tags"], sent["pacticipantVersionNumber"]) == ([], "1")
    assert "onConflict" not in sent["contracts"][0]


def test_notices_are_printed_plainly_where_no_terminal_is(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": NOTICES})
    result = run("publish", str(pacts), "-a", "1")
    assert result.stdout == "\n".join(notice["text"] for notice in NOTICES) + "\n"
    assert result.exit_code == 0


def test_notices_have_their_colours_and_urls_theirs_within(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": NOTICES})
    lines = run("publish", str(pacts), "-a", "1", FORCE_COLOR="1").stdout.splitlines()
    assert lines == [
        "Created Foo version 1 with branch main",
        "\x1b[32mPact successfully published for Foo version 1 and provider Bar.\x1b[0m",
        "  View the published pact at \x1b[35mhttp://broker/pacts/1\x1b[0m",
        "\x1b[33m  Next steps:\x1b[0m",
        f"\x1b[33m    * Add Pact verification tests. See \x1b[35m{VERIFICATION}\x1b[0m\x1b[0m",
        "\x1b[33mCareful\x1b[0m",
        "\x1b[31mStop\x1b[0m",
    ]


def test_without_notices_the_logs_of_older_brokers_are_printed(run: Run, broker: OtherBroker, pacts: Path) -> None:
    logs = [
        {"level": "info", "message": "Done"},
        {"level": "warn", "message": "Hm"},
        {"level": "debug", "message": "x"},
    ]
    broker.answer(PUBLISH, {"logs": logs})
    assert (
        run("publish", str(pacts), "-a", "1", FORCE_COLOR="1").stdout == "\x1b[32mDone\x1b[0m\n\x1b[33mHm\x1b[0m\nx\n"
    )


def test_success_is_printed_if_the_response_has_no_notices(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {})
    assert run("publish", str(pacts), "-a", "1").stdout == "Successfully published pacts\n"


def test_json_is_an_array_of_the_answers(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"a": 1})
    assert run("publish", str(pacts), "-a", "1", "-o", "json").stdout == '[{"a": 1}]\n'
    assert run("publish", str(pacts), "-a", "1", "-o", "pretty").stdout == '[\n  {\n    "a": 1\n  }\n]\n'


def test_each_consumer_has_one_publication_with_all_its_providers(run: Run, broker: OtherBroker, pacts: Path) -> None:
    write(pacts / "foo-baz.json", pact("Foo", "Baz"))
    write(pacts / "zoo-bar.json", pact("Zoo", "Bar"))
    broker.answer(PUBLISH, {})
    run("publish", "pacts", "-a", "1")
    sent = [request.json for request in broker.requests if request.method == "POST"]
    assert [each["pacticipantName"] for each in sent] == ["Foo", "Zoo"]
    assert [each["providerName"] for each in sent[0]["contracts"]] == ["Bar", "Baz"]


@pytest.mark.usefixtures("pacts")
def test_a_refusal_shows_its_notices_and_fails(run: Run, broker: OtherBroker) -> None:
    notices = [{"type": "error", "text": "Cannot change the content"}, {"type": "info", "text": "a diff"}]
    broker.answer(PUBLISH, {"notices": notices, "errors": {"contracts": ["x"]}}, status=409)
    result = run("publish", "pacts", "-a", "1")
    assert (result.exit_code, result.stdout) == (1, "Cannot change the content\na diff\n")


@pytest.mark.usefixtures("pacts")
def test_a_refusal_without_notices_shows_its_reason(run: Run, broker: OtherBroker) -> None:
    broker.answer(PUBLISH, '{"errors":{"tags":["no"]}}', status=400)
    result = run("publish", "pacts", "-a", "1", FORCE_COLOR="1")
    text = f"Error making request to {broker.url}{PUBLISH.removeprefix('POST ')} status=400: tags no."
    assert (result.exit_code, result.stdout) == (1, f"\x1b[31m{text}\x1b[0m\n")


def test_one_refusal_does_not_keep_other_consumers_from_publishing(run: Run, broker: OtherBroker, pacts: Path) -> None:
    write(pacts / "zoo-bar.json", pact("Zoo", "Bar"))
    broker.answer(PUBLISH, {"error": "no"}, status=400)
    broker.answer(PUBLISH, {})
    result = run("publish", "pacts", "-a", "1")
    assert result.exit_code == 1
    assert [line.rpartition(": ")[2] for line in result.stdout.splitlines()] == ["no.", "Successfully published pacts"]


@pytest.mark.parametrize("tags", [["-t", "a", "-t", "b"], ["-t", "a", "b"], ["--tag=a", "b"], ["--tag", "a,b,a"]])
@pytest.mark.usefixtures("pacts")
def test_tags_are_repeated_listed_or_separated_by_commas(run: Run, broker: OtherBroker, tags: list[str]) -> None:
    broker.answer(PUBLISH, {})
    assert run("publish", "-a", "1", *tags, "pacts").exit_code == 0
    assert broker.last.json["tags"] == ["a", "b"]


@pytest.mark.usefixtures("pacts")
def test_the_merge_option_is_sent_as_the_conflict_strategy(run: Run, broker: OtherBroker) -> None:
    broker.answer(PUBLISH, {})
    run("publish", "pacts", "-a", "1", "--merge")
    assert broker.last.json["contracts"][0]["onConflict"] == "merge"


@pytest.mark.usefixtures("pacts")
def test_similar_names_may_be_allowed_for_one_publication(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"{PUBLISH}?allowSimilarNames=true", {})
    assert run("publish", "pacts", "-a", "1", "--allow-similar-names").exit_code == 0
    old = f"{OLD}?allowSimilarNames=true"
    for method, options in (("PUT", []), ("PATCH", ["--merge"])):
        broker.answer(f"{method} {old}", {})
        env = {"PACT_BROKER_FEATURES": "publish_pacts_using_old_api"}
        assert run("publish", "pacts", "-a", "1", "--allow-similar-names", *options, **env).exit_code == 0
        assert broker.last.line == f"{method} {old}"


@pytest.mark.usefixtures("pacts")
def test_an_event_of_a_version_without_tags_is_described_without_a_gap(run: Run, broker: OtherBroker) -> None:
    comment = "pact content is the same as previous versions with tags  and no new tags were applied"
    text = f"  Events detected: contract_published ({comment})"
    broker.answer(PUBLISH, {"notices": [{"type": "debug", "text": text}]})
    assert run("publish", "pacts", "-a", "1").stdout == (
        "  Events detected: contract_published (pact content is the same as that of the previous untagged version)\n"
    )


@pytest.mark.parametrize("given", ["pacts", "pacts/foo-bar.json", "pacts/*.json", "pacts\\foo-*.json"])
def test_files_directories_and_patterns_are_found(run: Run, broker: OtherBroker, pacts: Path, given: str) -> None:
    (pacts / "deeper").mkdir()
    write(pacts / "deeper" / "other.json", pact("Other"))
    broker.answer(PUBLISH, {})
    assert run("publish", given, "-a", "1").exit_code == 0
    assert len(broker.last.json["contracts"]) == 1


def test_files_of_the_same_two_are_merged(run: Run, broker: OtherBroker, pacts: Path) -> None:
    first, second, stateless = interaction("one"), interaction("two"), interaction("one", None)
    write(pacts / "foo-bar.json", pact("Foo", "Bar", first, stateless))
    write(pacts / "more.json", pact("Foo", "Bar", first, second) | {"metadata": {}})
    broker.answer(PUBLISH, {})
    result = run("publish", "pacts", "-a", "1")
    assert result.stderr == "Merging foo-bar.json, more.json\n"
    content = json.loads(base64.b64decode(broker.last.json["contracts"][0]["content"]))
    assert content == pact("Foo", "Bar", first, stateless, second)


def test_interactions_that_contradict_each_other_stop_everything(run: Run, broker: OtherBroker, pacts: Path) -> None:
    write(pacts / "foo-bar.json", pact("Foo", "Bar", interaction(status=200)))
    write(pacts / "more.json", pact("Foo", "Bar", interaction(status=500)))
    result = run("publish", "pacts", "-a", "1")
    assert result.exit_code == 1
    assert (
        'Two interactions have been found with same description ("a request") and provider state ("s") but a different '
        "request or response. Please use a different description or provider state, or hard-code any random data.\n\n"
        + json.dumps(interaction(status=200), separators=(",", ":"))
        + "\n\n"
        + json.dumps(interaction(status=500), separators=(",", ":"))
    ) in result.stderr
    assert broker.requests == []


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["pacts"], "No value provided for required option --consumer-app-version"),
        (["-a", "1"], "No value provided for required pact_files"),
        (["nowhere", "-a", "1"], "Specified pact file 'nowhere' does not exist. This sometimes indicates"),
        (["pacts", "-a", "1", "-x"], 'ERROR: pact-broker publish was called with invalid arguments ["-x"]'),
        (["empty", "-a", "1"], "No pact files found"),
        (["no-*.json", "-a", "1"], "No pact files found"),
        (["text.json", "-a", "1"], "Could not read the pact file text.json"),
        (["list.json", "-a", "1"], "list.json is not a pact: it does not name a consumer and a provider"),
        (["pacts", "-a", "1", "--branch", " "], "Branch cannot be blank"),
    ],
)
def test_wrong_use_is_explained_on_stderr(run: Run, pacts: Path, args: list[str], text: str) -> None:
    (pacts.parent / "empty").mkdir()
    (pacts.parent / "text.json").write_text("hello")
    write(pacts.parent / "list.json", [1])
    result = run("publish", *args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(text)


@pytest.mark.usefixtures("pacts")
def test_a_failure_of_the_index_is_printed_on_stderr(run: Run, broker: OtherBroker) -> None:
    broker.answers.clear()
    broker.answer("GET /", status=401)
    result = run("publish", "pacts", "-a", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        f"Error making request to {broker.url} status=401: The response is empty.",
        "Check the credentials: --broker-token, or --broker-username and --broker-password.",
    ]


OLD = "/pacts/provider/Bar/consumer/Foo/version/1"


@pytest.mark.usefixtures("pacts")
def test_an_old_broker_gets_tags_and_then_each_pact(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:publish-contracts")
    broker.answer("PUT /pacticipants/Foo/versions/1/tags/feat%2Fx", {}, status=201)
    latest = {"pb:latest-pact-version": {"href": "http://broker/latest"}, "self": {"href": "http://broker/self"}}
    broker.answer(f"PUT {OLD}", {"_links": latest}, status=201)
    result = run("publish", "pacts", "-a", "1", "-t", "feat/x", "-h", "main")
    assert result.stdout == (
        "\nWARN: This version of the Pact Broker does not support versions with branches or build URLs. Please upgrade "
        "your broker to 2.86.0 or later.\n"
        'Tagged version 1 of Foo as "feat/x"\n'
        f"Publishing Foo/Bar pact to pact broker at {broker.url}\n"
        "The latest version of this pact can be accessed at the following URL:\nhttp://broker/latest\n"
    )
    assert broker.last.json == pact()


@pytest.mark.usefixtures("pacts")
def test_an_old_broker_can_overwrite_or_merge_an_existing_pact(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {OLD}", {})
    broker.answer(f"PUT {OLD}", {})
    broker.answer(f"PATCH {OLD}", {})
    old = {"PACT_BROKER_FEATURES": "publish_pacts_using_old_api"}
    assert "already published. Overwriting. (Note: " in run("publish", "pacts", "-a", "1", **old).stdout
    assert "already published. Merging contents.\n" in run("publish", "pacts", "-a", "1", "--merge", **old).stdout
    assert broker.last.line == f"PATCH {OLD}"
    assert broker.last.headers["content-type"] == "application/json"


@pytest.mark.usefixtures("pacts")
def test_an_old_broker_that_refuses_makes_the_command_fail(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:publish-contracts")
    broker.answer(f"PUT {OLD}", {"error": "no"}, status=409)
    result = run("publish", "pacts", "-a", "1")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        f"Failed to publish Foo/Bar pact due to error: Error making request to {broker.url}{OLD} status=409: no.",
        "One or more pacts failed to be published",
    ]
