"""Reading pacts and provider states, and publishing to PactFlow, against another broker."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

LATEST = "/elsewhere/pacts/latest"


def test_latest_pacts_are_listed_with_complete_names(run: Run, broker: OtherBroker) -> None:
    consumer = {"name": "C" * 31, "_embedded": {"version": {"number": "1"}}}
    pact = {"createdAt": "2026-01-02", "_embedded": {"consumer": consumer, "provider": {"name": "Bar"}}}
    broker.answer(f"GET {LATEST}", {"pacts": [pact]})
    assert run("list-latest-pact-versions").stdout == (
        "CONSUMER                        | CONSUMER_VERSION | PROVIDER | CREATED_AT\n"
        "--------------------------------|------------------|----------|-----------\n"
        "CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC | 1                | Bar      | 2026-01-02\n"
    )


def test_latest_pacts_are_printed_as_they_came(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {LATEST}", '{"pacts": [],  "x":1}')
    assert run("list-latest-pact-versions", "-o", "json").stdout == '{"pacts": [],  "x":1}\n'
    assert run("list-latest-pact-versions").stdout == ""


def test_a_missing_relation_is_explained(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:latest-pact-versions")
    text = (
        f"Could not find relation 'pb:latest-pact-versions' in resource at {broker.url}. The most likely reason for "
        "this is that you are on an old version of the Pact Broker and you need to upgrade, or you are using PactFlow "
        "and you don't have the permissions required for this action."
    )
    result = run("list-latest-pact-versions")
    assert (result.exit_code, result.stdout) == (1, f"{text}\n")
    assert json.loads(run("list-latest-pact-versions", "-o", "json").stdout) == {"error": {"message": text}}


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ([], "/pacts/provider/Bar/branch"),
        (["--latest"], "/pacts/provider/Bar/branch/latest"),
        (["--branch", "f/x"], "/pacts/provider/Bar/branch/f%2Fx"),
        (["--consumer", "Foo", "--branch", "b", "--latest"], "/pacts/provider/Bar/consumer/Foo/branch/b/latest"),
    ],
)
def test_pacts_of_a_provider_are_listed(run: Run, broker: OtherBroker, options: list[str], path: str) -> None:
    links = [{"name": "Foo", "title": "A pact", "href": "http://broker/pact"}]
    broker.answer(f"GET {path}", {"_links": {"pb:pacts": links}})
    assert run("get-pacts", "--provider", "Bar", *options).stdout == (
        "CONSUMER | TITLE  | LINK              \n"
        "---------|--------|-------------------\n"
        "Foo      | A pact | http://broker/pact\n"
    )
    assert json.loads(run("get-pacts", "--provider", "Bar", *options, "-o", "json").stdout) == {
        "pacts": [{"href": "http://broker/pact", "name": "Foo", "title": "A pact"}]
    }


def test_pacts_are_downloaded(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    broker.answer("GET /pacts/provider/Bar/branch", {"_links": {"pb:pacts": [{"href": "/one"}]}})
    names = {"pb:consumer": "Foo", "pb:provider": "Bar", "pb:consumer-version": "feat/../1"}
    pact = {"interactions": [], "_links": {rel: {"name": name, "href": "/x"} for rel, name in names.items()}}
    broker.answer("GET /one", pact)
    result = run("get-pacts", "--provider", "Bar", "--download", "--download-dir", str(tmp_path / "new"))
    file = tmp_path / "new" / "Foo-Bar-feat_.._1.json"
    assert result.stdout.splitlines()[0] == f"  → {file}"
    assert json.loads(file.read_text()) == pact


STATES = "/pacts/provider/Bar/provider-states"


@pytest.mark.parametrize(
    ("options", "path", "scope"),
    [
        ([], STATES, "Scope: Main branch"),
        (["--branch", "f/x"], f"{STATES}/branch/f%2Fx", "Branch: f/x"),
        (["--environment", "test"], f"{STATES}/environment/test", "Environment: test"),
    ],
)
def test_provider_states_are_listed(run: Run, broker: OtherBroker, options: list[str], path: str, scope: str) -> None:
    states = [{"name": "a till exists", "params": {"id": 1}, "consumers": ["Foo", "Zoo"]}]
    broker.answer(f"GET {path}", {"providerStates": states})
    assert run("provider-states", "list", "-r", "Bar", *options).stdout == (
        f"Provider States for Provider: Bar\n{scope}\n\n"
        "Provider State Name | Consumers | Parameters\n"
        "--------------------|-----------|-----------\n"
        'a till exists       | Foo, Zoo  | {"id": 1} \n'
    )
    assert (
        json.loads(run("provider-states", "list", "-r", "Bar", *options, "--json").stdout)["providerStates"] == states
    )


def test_a_provider_state_may_have_an_empty_name(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {STATES}", {"providerStates": [{"name": "", "consumers": ["Foo"]}]})
    assert "\n(empty name)        | Foo       |" in run("provider-states", "list", "-r", "Bar").stdout


def test_a_provider_may_have_no_states(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {STATES}", {"providerStates": []})
    assert run("provider-states", "list", "--provider", "Bar").stdout.endswith("\n\nNo provider states found.\n")


def test_provider_states_are_of_a_branch_or_an_environment(run: Run) -> None:
    result = run("provider-states", "list", "-r", "Bar", "--branch", "a", "--environment", "b")
    assert (result.exit_code, result.stderr.split(",")[0]) == (1, "Give either --branch or --environment")


PUBLISH = ["pactflow", "publish-provider-contract", "oas.yml", "--provider", "Bar", "-a", "1"]
PATH = "/publish/Bar"
RESULTS = [
    "--verification-exit-code",
    "0",
    "--verification-results",
    "results.txt",
    "--verification-results-content-type",
    "text/plain",
    "--verification-results-format",
    "text",
    "--verifier",
    "tool",
    "--verifier-version",
    "1.0",
]
VERIFIED = {
    "success": True,
    "content": base64.b64encode(b"fine").decode(),
    "contentType": "text/plain",
    "format": "text",
    "verifier": "tool",
    "verifierVersion": "1.0",
}
CONTENT = base64.b64encode(b"openapi: 3").decode()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "oas.yml").write_text("openapi: 3")
    (tmp_path / "results.txt").write_text("fine")
    return tmp_path


@pytest.fixture
def pactflow(broker: OtherBroker) -> None:
    link = {"href": f"{broker.url}/publish/{{provider}}", "templated": True}
    broker.answers.clear()
    broker.answer("GET /", {"_links": {"pf:publish-provider-contract": link}})


@pytest.mark.usefixtures("files", "pactflow")
def test_a_provider_publishes_its_contract_to_pactflow(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {PATH}", {"notices": [{"type": "success", "text": "Published"}]})
    options = ["--branch", "main", "-t", "dev", "--build-url", "http://ci/1", *RESULTS]
    result = run(*PUBLISH, *options, FORCE_COLOR="1")
    assert result.stdout == "\x1b[32mPublished\x1b[0m\n"
    assert broker.last.headers["accept"] == "application/hal+json,application/problem+json"
    assert broker.last.json == {
        "pacticipantVersionNumber": "1",
        "tags": ["dev"],
        "branch": "main",
        "buildUrl": "http://ci/1",
        "contract": {
            "content": CONTENT,
            "specification": "oas",
            "contentType": "application/yaml",
            "selfVerificationResults": VERIFIED,
        },
    }


@pytest.mark.usefixtures("files", "pactflow")
@pytest.mark.parametrize(
    ("options", "success"),
    [
        (["--verification-exit-code", "0"], True),
        (["--verification-exit-code", "2"], False),
        (["--verification-success"], True),
        (["--no-verification-success"], False),
    ],
)
def test_success_is_given_or_derived_from_an_exit_code(
    run: Run, broker: OtherBroker, options: list[str], success: object
) -> None:
    run(*PUBLISH, *options)
    assert broker.last.json["contract"]["selfVerificationResults"] == {"success": success}


@pytest.mark.usefixtures("files", "pactflow")
def test_without_a_verification_no_results_are_sent(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {PATH}", {"a": 1})
    assert run(*PUBLISH, "-o", "json").stdout == '{"a": 1}\n'
    assert "selfVerificationResults" not in broker.last.json["contract"]


@pytest.mark.usefixtures("files", "pactflow")
def test_a_provider_contract_that_is_refused_shows_why(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {PATH}", {"notices": [{"type": "error", "text": "No"}]}, status=400)
    result = run(*PUBLISH)
    assert (result.exit_code, result.stdout) == (1, "No\n")


@pytest.mark.usefixtures("files", "pactflow")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            ["--verification-success", "--verification-exit-code", "0"],
            "Cannot use both --verification-success|--no-verification-success and --verification-exit-code",
        ),
        (["--verification-results", "nope"], "Could not read nope: No such file or directory"),
        (["-a", " "], "--provider-app-version cannot be blank"),
    ],
)
def test_wrong_use_of_pactflow_is_explained(run: Run, options: list[str], text: str) -> None:
    result = run(*PUBLISH, *options)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, text)


@pytest.mark.usefixtures("files")
def test_an_old_pactflow_gets_the_version_and_then_the_contract(run: Run, broker: OtherBroker) -> None:
    version = "/elsewhere/pacticipants/Bar"
    lines = [
        f"PUT {version}/branches/main/versions/1",
        f"PUT {version}/versions/1/tags/dev",
        f"GET {version}/versions/1",
        "PUT /contracts/provider/Bar/version/1",
    ]
    for line in lines:
        broker.answer(line, {"_links": {"pf:ui": {"href": "http://ui"}}})
    result = run(*PUBLISH, "--branch", "main", "-t", "dev", *RESULTS)
    assert broker.lines[1:] == lines
    assert broker.last.json == {
        "content": CONTENT,
        "contractType": "oas",
        "contentType": "application/yaml",
        "verificationResults": VERIFIED,
    }
    assert result.stdout.startswith(
        "Successfully published provider contract for Bar version 1 to PactFlow\n"
        "View the uploaded contract at http://ui\nNext steps:\n"
    )


def test_a_folder_for_pacts_that_cannot_be_created_is_reported(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    broker.answer("GET /pacts/provider/Bar/branch", {"_links": {}})
    result = run("get-pacts", "--provider", "Bar", "--download", "--download-dir", str(tmp_path / "file"))
    assert result.exit_code == 1
    assert result.stderr == f"{tmp_path / 'file'}: File exists\nCheck the path, and the permissions of its folder.\n"


SEVERAL_PATH = "/publish-several/Bar"
ASYNCAPI_CONTENT = base64.b64encode(b"asyncapi: 3.0.0").decode()


@pytest.fixture
def broker_for_several(broker: OtherBroker, files: Path) -> None:
    (files / "events.yaml").write_text("asyncapi: 3.0.0")
    link = {"href": f"{broker.url}/publish-several/{{provider}}", "templated": True}
    broker.answers.clear()
    broker.answer("GET /", {"_links": {"pf:publish-provider-contracts": link}})


@pytest.mark.usefixtures("broker_for_several")
def test_several_contracts_of_a_version_are_published_together(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {SEVERAL_PATH}", {"notices": [{"type": "success", "text": "Published"}]})
    result = run("publish-provider-contract", "oas.yml", "events.yaml", "--provider", "Bar", "-a", "1")
    assert (result.exit_code, result.stdout) == (0, "Published\n")
    assert broker.last.json["contracts"] == [
        {"name": "oas", "content": CONTENT, "specification": "oas", "contentType": "application/yaml"},
        {
            "name": "events",
            "content": ASYNCAPI_CONTENT,
            "specification": "asyncapi",
            "contentType": "application/yaml",
        },
    ]


@pytest.mark.usefixtures("files", "pactflow")
def test_a_broker_without_several_contracts_is_named_as_the_reason(run: Run) -> None:
    result = run("publish-provider-contract", "oas.yml", "results.txt", "--provider", "Bar", "-a", "1")
    assert (result.exit_code, "one contract of a provider version only" in result.stderr) == (1, True)


@pytest.mark.usefixtures("broker_for_several")
def test_files_with_the_same_name_are_refused(run: Run, files: Path) -> None:
    (files / "oas.json").write_text("{}")
    result = run("publish-provider-contract", "oas.yml", "oas.json", "--provider", "Bar", "-a", "1")
    assert (result.exit_code, "Several files have the name 'oas'" in result.stderr) == (1, True)
