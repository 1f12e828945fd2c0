"""publish merges files of the same consumer and provider, and sends all numbers as they are in the files."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

PUBLISH = "POST /contracts/publish"
OLD = "/pacts/provider/Grpc/consumer/Mix/version/1"
NUMBERS = '{"price":1.10,"e":1e2,"rate":0.12345678901234567890123,"huge":1e400,"zero":-0}'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broker: OtherBroker) -> Path:
    monkeypatch.chdir(tmp_path)
    broker.answer(PUBLISH, {})
    return tmp_path


def pact(*interactions: object, version: str = "4.0", **metadata: object) -> dict[str, Any]:
    return {
        "consumer": {"name": "Mix"},
        "provider": {"name": "Grpc"},
        "interactions": list(interactions),
        "metadata": {"pactSpecification": {"version": version}, **metadata},
    }


def http(description: str, **more: object) -> dict[str, object]:
    return {"description": description, "request": {"path": "/"}, "response": {"status": 200}, **more}


def write(folder: Path, **contents: object) -> None:
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))


def published(broker: OtherBroker) -> str:
    return base64.b64decode(broker.last.json["contracts"][0]["content"]).decode()


def test_metadata_and_plugins_of_all_files_are_published(run: Run, broker: OtherBroker, folder: Path) -> None:
    rpc = {"type": "Synchronous/Messages", "description": "rpc", "response": []}
    plugin = {"name": "protobuf", "version": "0.3", "configuration": {"abc": {"protoDescriptors": "Cg=="}}}
    plain = http("plain", type="Synchronous/HTTP")
    write(folder, a=pact(plain, client="x"), b=pact(rpc, plugins=[plugin]))
    assert run("publish", ".", "-a", "1").exit_code == 0
    assert json.loads(published(broker)) == pact(plain, rpc, client="x", plugins=[plugin])


def test_files_of_different_specification_versions_become_one_pact(run: Run, broker: OtherBroker, folder: Path) -> None:
    new = http("new", type="Synchronous/HTTP")
    write(folder, spec2=pact(http("old"), version="2.0.0"), spec4=pact(new))
    assert run("publish", ".", "-a", "1").exit_code == 0
    assert json.loads(published(broker)) == pact({"type": "Synchronous/HTTP", **http("old")}, new)


def test_versions_that_cannot_be_united_are_refused_with_both_files(
    run: Run, broker: OtherBroker, folder: Path
) -> None:
    image = {"headers": {"Content-Type": "image/png"}, "body": "aGk="}
    write(folder, a=pact(version="2.0.0"), b=pact(http("b", response=image), version="2.0.0"), c=pact())
    result = run("publish", "a.json", "b.json", "c.json", "-a", "1")
    assert (result.exit_code, broker.requests) == (1, [])
    assert result.stderr.endswith(
        'Cannot merge b.json and c.json: the interaction "b" cannot be upgraded from specification version 2.0.0 to '
        "4.0 without a loss: its response body is a text of the type image/png, which the versions read differently.\n"
        "Write all pacts of a consumer and a provider with the same version of the Pact specification.\n"
    )


def test_a_contradiction_names_the_files_and_the_difference(run: Run, broker: OtherBroker, folder: Path) -> None:
    first, second = (http("a", providerStates=[{"name": "s"}], response={"status": status}) for status in (200, 500))
    write(folder, a=pact(), b=pact(first), c=pact(second))
    result = run("publish", "a.json", "b.json", "c.json", "-a", "1")
    assert (result.exit_code, broker.requests) == (1, [])
    assert 'same description ("a") and provider state ("s") but a different request or response' in result.stderr
    difference = result.stderr.partition("The difference between b.json and c.json:\n")[2]
    assert [line for line in difference.splitlines() if line[0] in "-+"] == ['-    "status": 200', '+    "status": 500']


@pytest.mark.parametrize("others", [[], [pact(http("b"))]])
def test_numbers_are_published_character_for_character(
    run: Run, broker: OtherBroker, folder: Path, others: list[object]
) -> None:
    text = json.dumps(pact(http("a", response={"status": 200, "body": "N"}))).replace('"N"', NUMBERS)
    write(folder, a=text, **{f"b{number}": content for number, content in enumerate(others)})
    assert run("publish", ".", "-a", "1").exit_code == 0
    assert f'"body":{NUMBERS}' in published(broker)


@pytest.mark.parametrize(("option", "method"), [("--no-merge", "PUT"), ("--merge", "PATCH")])
def test_old_brokers_get_the_numbers_as_they_are_too(
    run: Run, broker: OtherBroker, folder: Path, option: str, method: str
) -> None:
    broker.answer_index("pb:publish-contracts")
    del broker.answers["POST /contracts/publish"]
    broker.answer(f"{method} {OLD}", {})
    write(folder, a=json.dumps(pact(http("a", response={"body": "N"}))).replace('"N"', NUMBERS))
    assert run("publish", ".", "-a", "1", option).exit_code == 0
    assert f'"body":{NUMBERS}'.encode() in broker.last.body


def test_numbers_of_downloaded_pacts_are_those_that_were_published(run: Run, broker: OtherBroker, folder: Path) -> None:
    links = {f"pb:{name}": {"name": name, "href": "/x"} for name in ("consumer", "provider", "consumer-version")}
    broker.answer("GET /pacts/provider/Grpc/branch", {"_links": {"pb:pacts": [{"href": "/one"}]}})
    broker.answer("GET /one", json.dumps({"n": "N", "_links": links}).replace('"N"', NUMBERS))
    assert run("get-pacts", "--provider", "Grpc", "--download").exit_code == 0
    (file,) = (folder / "pacts").iterdir()
    assert "".join(file.read_text().split()).startswith('{"n":' + NUMBERS)
    assert file.read_text().splitlines()[2] == '    "price": 1.10,'


@pytest.mark.parametrize("content", ["[" * 100_000, '{"n": NaN}'])
def test_a_file_that_cannot_be_read_is_named(run: Run, folder: Path, content: str) -> None:
    write(folder, a=content)
    result = run("publish", ".", "-a", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Could not read the pact file a.json: ")
