"""The findings of `publish --validate`, which are compared with those of the newer client."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.waiting import PATIENCE
from treaty.pact import Consumer, EachLike, Format, Like, MessageConsumer, Provider, get_generated_values
from treaty.testing import pact_files

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

PUBLISH = "POST /contracts/publish"
HTTP: dict[str, Any] = {
    "description": "a",
    "request": {"method": "GET", "path": "/"},
    "response": {"status": 200},
}
V4 = {**HTTP, "type": "Synchronous/HTTP"}
MESSAGE = {"description": "m", "contents": {"a": 1}}


def pact(*interactions: Any, spec: str = "3.0.0", **more: Any) -> dict[str, Any]:
    return {
        "consumer": {"name": "Foo"},
        "provider": {"name": "Bar"},
        "interactions": list(interactions or [HTTP]),
        "metadata": {"pactSpecification": {"version": spec}},
    } | more


def http(**more: Any) -> dict[str, Any]:
    return pact({**HTTP, **more})


def request(**more: Any) -> dict[str, Any]:
    return http(request={**HTTP["request"], **more})


def response(**more: Any) -> dict[str, Any]:
    return http(response={**HTTP["response"], **more})


def v4(**more: Any) -> dict[str, Any]:
    return pact({**V4, **more}, spec="4.0")


def rule(matcher: Any) -> dict[str, Any]:
    return {"matchingRules": {"body": {"$.a": {"matchers": [matcher]}}}}


FIRST = "/interactions/0"
RULE = f"{FIRST}/response/matchingRules/body/$.a/matchers/0"

# Findings of every current client: (document, level, path, message).
OUTER: list[tuple[Any, str, str, str]] = [
    ([1], "ERROR", "/", "Must be an Object, got Array"),
    ("x", "ERROR", "/", "Must be an Object, got String"),
    (3, "ERROR", "/", "Must be an Object, got Number"),
    (pact(consumer="Foo"), "ERROR", "/consumer", "Must be an Object, got String"),
    (pact(consumer={"name": "Foo", "x": 1}), "WARNING", "/consumer", "Unknown attribute 'x'"),
    (pact(extra=1), "WARNING", "/extra", "Unexpected attribute 'extra'"),
    (pact(_links={}), "WARNING", "/_links", "Unexpected attribute '_links'"),
    (pact(metadata=[1]), "ERROR", "/metadata", "Metadata must be an Object, got Array"),
    (pact(interactions=[]), "DATED", "/interactions", "Interactions is empty"),
    (
        pact(spec="9.0.0"),
        "ERROR",
        "/metadata/pactSpecification/version",
        "'9.0.0' is not a valid Pact specification version",
    ),
    (
        pact(metadata={"pactSpecification": {"version": 1}}),
        "ERROR",
        "/metadata/pactSpecification/version",
        "Version must be a String, got Number",
    ),
    (
        pact(metadata={"pactSpecification": {}}),
        "DATED",
        "/metadata/pactSpecification",
        "pactSpecification is missing the version attribute",
    ),
    (
        pact(metadata={"pact-specification": {"version": "2.0.0"}}),
        "DATED",
        "/metadata",
        "'pact-specification' is deprecated, use 'pactSpecification' instead",
    ),
    (http(extra=1), "WARNING", FIRST, "Unexpected attribute 'extra'"),
    (
        pact({name: value for name, value in HTTP.items() if name != "description"}),
        "WARNING",
        FIRST,
        "Missing description",
    ),
    (
        http(provider_state="x"),
        "DATED",
        FIRST,
        "'provider_state' is deprecated, use 'providerStates' instead",
    ),
    (http(providerState="x"), "DATED", FIRST, "'providerState' is deprecated, use 'providerStates' instead"),
    (http(providerStates={"x": 1}), "ERROR", FIRST, "'providerStates' must be an Array, got Object"),
    (
        http(providerStates=[{"params": {}}]),
        "ERROR",
        f"{FIRST}/providerStates/0",
        "Provider state 'name' is required",
    ),
    (http(providerStates=[{"name": "x", "y": 1}]), "WARNING", f"{FIRST}/providerStates/0", "Unknown attribute 'y'"),
]
# Findings of Treaty alone.
INNER: list[tuple[Any, str, str, str]] = [
    (pact(interactions={}), "ERROR", "/interactions", "Must be an Array, got Object"),
    (pact(3), "ERROR", FIRST, "Must be an Object, got Number"),
    (pact(consumer={}), "ERROR", "/consumer/name", "Missing name"),
    (pact(provider={"name": " "}), "ERROR", "/provider/name", "Name is blank"),
    (pact(provider={"name": 1}), "ERROR", "/provider/name", "Must be a String, got Number"),
    ({"consumer": {"name": "Foo"}, "interactions": []}, "ERROR", "/provider", "Missing provider"),
    (http(description=None), "WARNING", f"{FIRST}/description", "Must be a String, got Null"),
    (http(providerState=1), "ERROR", f"{FIRST}/providerState", "Must be a String or Object, got Number"),
    (
        http(providerStates=[{"name": "x", "params": 1}]),
        "ERROR",
        f"{FIRST}/providerStates/0",
        "Provider state 'params' must be an Object, got Number",
    ),
    (pact({"description": "a", "request": HTTP["request"]}), "WARNING", FIRST, "Missing response"),
    (http(request=[]), "WARNING", f"{FIRST}/request", "Must be an Object, got Array"),
    (http(request={"path": "/"}), "WARNING", f"{FIRST}/request", "Missing method"),
    (request(path=True), "WARNING", f"{FIRST}/request/path", "Must be a String, got Boolean"),
    (request(query=1), "WARNING", f"{FIRST}/request/query", "Must be a String or Object, got Number"),
    (
        request(query={"a/b": 1}),
        "WARNING",
        f"{FIRST}/request/query/a~1b",
        "Must be a String, or an Array of them, got Number",
    ),
    (request(headers=[1]), "WARNING", f"{FIRST}/request/headers", "Must be an Object, got Array"),
    (http(response={}), "WARNING", f"{FIRST}/response", "Missing status"),
    (response(status="200"), "WARNING", f"{FIRST}/response/status", "Must be a whole Number, got String"),
    (response(status=99), "WARNING", f"{FIRST}/response/status", "99 is not an HTTP status: they are 100 to 599"),
    (response(generators=[]), "WARNING", f"{FIRST}/response/generators", "Must be an Object, got Array"),
    (response(**rule({"match": "foo"})), "WARNING", f"{RULE}/match", "There is no matcher 'foo'"),
    (response(**rule({"match": ["foo"]})), "WARNING", f"{RULE}/match", "There is no matcher '['foo']'"),
    (response(**rule({"match": "regex"})), "WARNING", RULE, "Missing regex"),
    (response(**rule(1)), "WARNING", RULE, "Must be an Object, got Number"),
    (
        response(matchingRules={"$.body": {"match": "foo"}}),
        "WARNING",
        f"{FIRST}/response/matchingRules/$.body/match",
        "There is no matcher 'foo'",
    ),
    (pact(messages=[{"contents": 1}]), "WARNING", "/messages/0", "Missing description"),
    (pact(HTTP, spec="4.0"), "WARNING", FIRST, "Missing type"),
    (
        v4(type="Foo"),
        "WARNING",
        f"{FIRST}/type",
        "'Foo' is not one of Synchronous/HTTP, Asynchronous/Messages, Synchronous/Messages",
    ),
    (
        v4(response={"status": 200, "body": {"a": 1}}),
        "WARNING",
        f"{FIRST}/response/body",
        "Missing content: since version 4 of the specification, a body is an Object around it",
    ),
]
GOOD: list[dict[str, Any]] = [
    pact(),
    pact(spec="1.0.0"),
    pact({**HTTP, "providerState": "x"}, spec="2.0.0"),
    pact({**HTTP, "_id": "1"}, spec="2.0.0"),
    http(providerStates=[{"name": "x", "params": {"a": 1}}]),
    request(query="a=b", headers={"A": "b"}, body=[1]),
    request(query={"a": ["b", "c"], "d": None}, headers={"A": ["b"]}),
    response(matchingRules={"$.body.a": {"match": "type", "min": 1}}),
    response(**rule({"match": "regex", "regex": "a+"})),
    response(**rule({"min": 1})),
    pact(interactions=[HTTP], messages=[MESSAGE]),
    v4(pending=False, key="k", comments={}, response={"status": 200, "body": {"content": {"a": 1}}}),
    pact({"description": "m", "type": "Asynchronous/Messages", "contents": {"content": "x"}}, spec="4.0"),
    pact({"description": "m", "type": "Synchronous/Messages", "request": {}, "response": []}, spec="4.0"),
]
# Findings of the newer client about members that libraries and brokers write.
GOOD_HERE: list[dict[str, Any]] = [
    response(status=0, matchingRules={"status": {"matchers": [{"match": "statusCode", "status": "clientError"}]}}),
    pact({**HTTP, "_id": "1"}, _links={"self": {"href": "http://broker/pact"}}, createdAt="2026-01-01T00:00:00+00:00"),
]


def level(kind: str, *, strict: bool) -> str:
    """Return the severity of a finding: dated members are always warnings, other warnings depend on `strict`."""
    return {"DATED": "WARNING", "WARNING": "ERROR" if strict else "WARNING"}.get(kind, kind)


def publish_validated(run: Run, broker: OtherBroker, path: Path, *words: str) -> tuple[int, list[str]]:
    """Publish with validation, and return the exit code and the messages about the file."""
    broker.answer(PUBLISH, {})
    result = run("publish", str(path), "-a", "1", *words)
    start = f"{path}: "
    return result.exit_code, [line[len(start) :] for line in result.stderr.splitlines() if line.startswith(start)]


@pytest.mark.parametrize("case", [*OUTER, *INNER])
@pytest.mark.parametrize("word", ["--validate", "--strict"])
def test_errors_are_printed_with_their_position(
    run: Run, broker: OtherBroker, tmp_path: Path, case: tuple[Any, str, str, str], word: str
) -> None:
    document, kind, path, message = case
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(document))
    code, lines = publish_validated(run, broker, file, word)
    grave = level(kind, strict=word == "--strict")
    assert f"{grave.lower()} at {path}: {message}" in lines
    assert (code, PUBLISH in broker.lines) == ((2, False) if grave == "ERROR" else (0, True))


@pytest.mark.parametrize("document", [*GOOD, *GOOD_HERE, pact({**HTTP, "providerState": None}, spec="2.0.0")])
def test_nothing_is_wrong_with_a_good_pact(
    run: Run, broker: OtherBroker, tmp_path: Path, document: dict[str, Any]
) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(document))
    assert publish_validated(run, broker, file, "--strict") == (0, [])


@pytest.mark.parametrize("more", [[], ["--strict"]])
def test_the_newer_client_finds_the_same(tmp_path: Path, run: Run, more: list[str]) -> None:
    documents = [*(case[0] for case in OUTER), *GOOD]
    for number, document in enumerate(documents):
        (tmp_path / f"{number:02}.json").write_text(json.dumps(document))
    words = ["publish", str(tmp_path), "-a", "1", "--validate", *more]
    program = Path(sys.executable).parent / "pact"
    address = {"PACT_BROKER_BASE_URL": "http://127.0.0.1:1", "PACT_DO_NOT_TRACK": "true"}
    theirs = subprocess.run(
        [program, "broker", *words], env=address, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    ours = run(*words, "-o", "json")
    assert (ours.exit_code, theirs.returncode) == (2, 2)
    assert results(ours.stdout) == results(theirs.stdout)


def results(report: str) -> dict[str, list[Any]]:
    return {Path(each["source"]).name: sorted(map(str, each["results"])) for each in json.loads(report)}


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(pact(consumer={})))
    return file


def test_errors_have_a_next_step_and_prevent_the_publication_of_every_file(
    run: Run, broker: OtherBroker, tmp_path: Path, bad: Path
) -> None:
    (tmp_path / "good.json").write_text(json.dumps(pact()))
    result = run("publish", str(tmp_path), "-a", "1", "--validate", FORCE_COLOR="1")
    assert (result.exit_code, result.stdout, broker.requests) == (2, "", [])
    assert result.stderr == (
        f"\x1b[31m{bad}: error at /consumer/name: Missing name\x1b[0m\n"
        "Nothing was published. Fix the pacts where they are generated: in the consumer's tests.\n"
    )


@pytest.mark.parametrize(("form", "indent"), [("json", None), ("pretty", 2)])
def test_programs_get_the_report_as_json(run: Run, bad: Path, form: str, indent: int | None) -> None:
    result = run("publish", str(bad), "-a", "1", "--validate", "-o", form)
    missing = {"path": "/consumer/name", "level": "ERROR", "message": "Missing name"}
    assert result.stdout == json.dumps([{"source": str(bad), "results": [missing]}], indent=indent) + "\n"


def test_warnings_leave_stdout_to_the_answer(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    (tmp_path / "pact.json").write_text(json.dumps(pact(extra=1)))
    broker.answer(PUBLISH, {"a": 1})
    result = run("publish", str(tmp_path), "-a", "1", "--validate", "-o", "json")
    assert (result.exit_code, result.stdout) == (0, '[{"a": 1}]\n')
    assert "warning at /extra" in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a":\n x}', "Not valid JSON: Expecting value, in line 2, column 2"),
        (b"", "Not valid JSON: Expecting value, in line 1, column 1"),
        (b"\xff\xfe\x00", "Not valid JSON: 'utf-8' codec can't decode"),
        (b'{"a":' * 100_000, "Not valid JSON: "),
    ],
)
def test_invalid_json_is_an_error(run: Run, broker: OtherBroker, tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "pact.json"
    file.write_bytes(content)
    code, (line,) = publish_validated(run, broker, file, "--validate")
    assert code == 2
    assert line.startswith(f"error at /: {message}")


def test_a_file_that_cannot_be_read_ends_in_3(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    result = run("publish", str(tmp_path), "-a", "1", "--validate")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Could not read the pact file {tmp_path / 'folder.json'}: ")


def test_without_the_option_no_file_is_validated(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(extra=1)))
    assert publish_validated(run, broker, file) == (0, [])


@pytest.mark.parametrize(
    "metadata",
    [{"pact-specification": {"version": "4.0"}}, {"pactSpecificationVersion": "4.0"}],
    ids=lambda each: str(*each),
)
def test_version_4_may_be_declared_with_an_older_name(
    run: Run, broker: OtherBroker, tmp_path: Path, metadata: dict[str, Any]
) -> None:
    message = {"description": "m", "type": "Asynchronous/Messages", "contents": {"content": "x"}, "pending": False}
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(pact(message, metadata=metadata)))
    code, lines = publish_validated(run, broker, file, "--strict")
    assert (code, len(lines)) == (0, 1)
    assert "is deprecated" in lines[0]


def nested(depth: int) -> str:
    value = "[" * depth + "]" * depth
    return json.dumps(pact()).replace('"interactions"', f'"interactions":\n "x", "y":\n {value}, "interactions"', 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"consumer":\n {"name": NaN}}', "NaN is not a JSON value, in line 2, column 11"),
        ('{"a": "NaN \\" [", "b": [-Infinity]}', "-Infinity is not a JSON value, in line 1, column 25"),
        (nested(50), "nested more than 50 levels deep, which brokers do not accept, in line 3, column 51"),
        (nested(100_000), "nested more than 50 levels deep, which brokers do not accept, in line 3, column 51"),
    ],
    ids=["NaN", "infinity", "51 levels", "100,000 levels"],
)
def test_values_that_only_python_accepts_are_reported_with_their_position(
    run: Run, broker: OtherBroker, tmp_path: Path, text: str, fault: str
) -> None:
    file = tmp_path / "pact.json"
    file.write_text(text)
    code, lines = publish_validated(run, broker, file, "--validate")
    assert code == 2
    assert any(line.endswith(fault) for line in lines), lines


def test_nesting_that_python_cannot_parse_is_an_error_without_validation_too(
    run: Run, broker: OtherBroker, tmp_path: Path
) -> None:
    file = tmp_path / "pact.json"
    file.write_text(nested(100_000))
    broker.answer(PUBLISH, {})
    result = run("publish", str(file), "-a", "1")
    assert result.exit_code == 1
    assert "Could not read the pact file" in result.stderr


@pytest.mark.parametrize("words", [[], ["--validate"], ["--strict"]], ids=str)
def test_an_unpaired_surrogate_is_published_unchanged(
    run: Run, broker: OtherBroker, tmp_path: Path, words: list[str]
) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(http(description="half \ud83d pair", response={"status": 200, "body": "\udc00 🎉"})))
    broker.answer(PUBLISH, {})
    assert run("publish", str(file), "-a", "1", *words).exit_code == 0
    content = base64.b64decode(broker.last.json["contracts"][0]["content"])
    assert json.loads(content)["interactions"][0]["description"] == "half \ud83d pair"


def test_a_problem_with_such_a_surrogate_is_printed(run: Run, broker: OtherBroker, tmp_path: Path) -> None:
    file = tmp_path / "pact.json"
    file.write_text(json.dumps(http(**{"half \ud83d": 1})))
    assert publish_validated(run, broker, file, "--strict") == (
        2,
        [f"error at {FIRST}: Unexpected attribute 'half \\ud83d'"],
    )


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "4.0"])
def test_files_of_the_classic_api_have_no_problems(run: Run, broker: OtherBroker, tmp_path: Path, version: str) -> None:
    write_pacts(tmp_path, version)
    pact_files.reset()  # they are none of this run's pacts
    assert len(list(tmp_path.glob("*.json"))) == (2 if version >= "3" else 1)
    broker.answer(PUBLISH, {})
    result = run("publish", str(tmp_path), "-a", "1", "--strict")
    assert (result.exit_code, "error at" in result.stderr) == (0, False)


def write_pacts(folder: Path, version: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    contract = Consumer("Web").has_pact_with(
        Provider("Api"), port=port, pact_dir=str(folder), log_dir=str(folder), specification_version=version
    )
    contract.given("a state").upon_receiving("a request").with_request(
        "post", "/", body={"ids": EachLike(Format().uuid)}, query={"q": Like("1")}
    ).will_respond_with(200, body=Like({"b": 1}), headers={"X": "y"})
    with contract:
        httpx.post(f"{contract.uri}/?q=2", json={"ids": [get_generated_values(Format().uuid)]})
    if version >= "3":
        messages = MessageConsumer("Mail").has_pact_with(Provider("Api"), pact_dir=str(folder), version=version)
        messages.given("a", {"n": 1}).expects_to_receive("an order").with_content({"a": Like(1)}).with_metadata(
            {"k": "v"}
        )
        with messages:
            pass
