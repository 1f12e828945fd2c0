"""Whatever a broker answers, a command reports it in a sentence with the status, the URL and the next step."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from .commands import WORDS, call

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

HTML = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
REFERENCE = '{"error":{"message":"An error has occurred. The details have been logged","reference":"a1b2c3d4e5"}}'
PROBLEM = (
    '{"title":"Validation errors","status":400,"errors":[{"title":"Invalid body parameter",'
    '"detail":"is missing","pointer":"/name"}]}'
)
VERBOSE = "--verbose shows the whole response."
FAILED = "The broker failed: try again later, or look into its log"
FAILED_BY_HEADER = f"{FAILED} for the request id-of-header."
JSON = "application/json"
CHECK_NAMES = "Check the names, and the path of --broker-base-url."

REFUSALS: list[tuple[int, str, str, str, str]] = [
    (
        400,
        '{"errors":{"name":["is missing","is too long"]}}',
        JSON,
        "name is missing. name is too long.",
        "",
    ),
    (400, '{"errors":["Pacticipant Foo not found"]}', JSON, "Pacticipant Foo not found.", ""),
    (400, PROBLEM, "application/problem+json", "name is missing.", ""),
    (401, '{"error":"Wrong password."}', JSON, "Wrong password.", "Check the credentials:"),
    (
        403,
        '{"title":"Forbidden","detail":"ada may not write"}',
        "application/problem+json",
        "ada may not write.",
        "lack the perm",
    ),
    (404, "", JSON, "The response is empty.", CHECK_NAMES),
    (404, HTML, "text/html", 'The response is an HTML page ("502 Bad Gateway"), probably of a proxy', VERBOSE),
    (409, '{"message":"There is one"}', JSON, "There is one.", "its response gives the reason."),
    (
        409,
        '{"notices":[{"type":"error","text":"Changed"},{"type":"info","text":"x"}]}',
        JSON,
        "Changed.",
        "",
    ),
    (409, "Similar names", "text/plain", "Similar names.", VERBOSE),
    (418, '{"a":1}', JSON, 'The response gives no reason that this command understands: {"a":1}.', ""),
    (500, REFERENCE, JSON, "The details have been logged.", f"{FAILED} for the request a1b2c3d4e5."),
    (
        500,
        '{"error":',
        JSON,
        'The response is not valid JSON: {"error":.',
        FAILED_BY_HEADER,
    ),
    (
        502,
        HTML,
        "text/html",
        'The response is an HTML page ("502 Bad Gateway")',
        FAILED_BY_HEADER,
    ),
    (503, "", JSON, "The response is empty.", FAILED_BY_HEADER),
    (599, "[" * 100_000, JSON, "The response is not valid JSON: [[[", VERBOSE),
]
"""Status, body and type of a response, and parts of the sentence and of the next step."""


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: f"{refusal[0]} {refusal[3]}"[:40])
def test_a_refusal_is_a_sentence_with_the_status_the_url_and_the_next_step(
    run: Run, broker: OtherBroker, refusal: tuple[int, str, str, str, str]
) -> None:
    status, body, content_type, reason, hint = refusal
    headers = {"Content-Type": content_type, "X-Request-Id": "id-of-header"}
    broker.answer("GET /elsewhere/environments", body, status=status, headers=headers)
    result = run("list-environments")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"Error making request to {broker.url}/elsewhere/environments status={status}: ")
    assert reason in result.stdout
    assert len(result.stdout.splitlines()) == 1
    assert hint in result.stderr


ODD_SUCCESSES = [
    ("", "json", "the response is empty."),
    (HTML, "html", 'the response is an HTML page ("502 Bad Gateway")'),
    ('{"a":', "json", 'the response is not valid JSON: {"a":.'),
    ("[1]", "json", "the response gives no reason that this command understands: [1]."),
    ("OK", "plain", "the response is a text: OK."),
    ('{"_links":[]}', "json", "_links has another form"),
    ('{"_links":{"pb:environments":"/e"}}', "json", "the link pb:environments has another form"),
]


@pytest.mark.parametrize(("body", "kind", "reason"), ODD_SUCCESSES)
def test_a_success_that_no_broker_sends_is_a_sentence_with_the_status_the_url_and_the_next_step(
    run: Run, broker: OtherBroker, body: str, kind: str, reason: str
) -> None:
    broker.answers.clear()
    broker.answer("GET /", body, headers={"Content-Type": f"application/{kind}"})
    result = run("list-environments")
    assert result.exit_code == 1
    if body != '{"_links":[]}':  # an empty list has the same links as no links
        assert result.stdout.startswith(f"Did not get a valid HAL response body from {broker.url}, ")
        assert "status=200: " in result.stdout
        assert reason in result.stdout
        assert result.stderr.startswith("Is --broker-base-url the address of a Pact Broker")


STRANGE = [
    "{}",
    '{"_links":{},"_embedded":{}}',
    '{"_embedded":{"environments":[1],"pacticipants":"x","deployedVersions":[{}],"releasedVersions":[{}]},"matrix":[7]}',
    '{"pacts":[{}],"matrix":[{"consumer":3}],"summary":[],"notices":[1],"logs":[{}],"providerStates":[{"x":1}]}',
    '{"_links":{"self":{},"pb:pacts":[{}],"pb:environments":[{"name":"test"}]},"notices":7,"reasons":[7]}',
    "[]",
    "null",
    "",
    HTML,
]


@pytest.mark.parametrize("body", STRANGE)
@pytest.mark.parametrize("name", WORDS)
def test_no_response_causes_a_traceback(run: Run, broker: OtherBroker, tmp_path: Path, name: str, body: str) -> None:
    """The index leads to every resource, and each of them is strange."""
    file = tmp_path / "pact.json"
    file.write_text(json.dumps({"consumer": {"name": "Foo"}, "provider": {"name": "Bar"}, "interactions": []}))
    broker.answer_all("", body)
    result = run(*call(name, str(file)))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    if result.exit_code:
        assert result.output.strip()


def test_json_stays_json_whatever_the_broker_answers(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /elsewhere/environments", HTML, status=502, headers={"Content-Type": "text/html"})
    assert "502 Bad Gateway" in json.loads(run("list-environments", "-o", "json").stdout)["error"]["message"]
    broker.answers.pop("GET /elsewhere/environments")
    broker.answer("GET /elsewhere/environments", '{"errors":["no"]}', status=400)
    assert run("list-environments", "-o", "json").stdout == '{"errors":["no"]}\n'


def test_verbose_shows_the_raw_response_without_credentials(run: Run, broker: OtherBroker) -> None:
    token = "treaty_0123456789abcdef"  # noqa: S105 - of no user
    headers = {"Set-Cookie": "session=abc", "X-Api-Key": "k", "X-Kept": f"is kept, but not {token}"}
    broker.answer("GET /elsewhere/environments", f'{{"error":  "{token} is unknown"}}', status=401, headers=headers)
    result = run("list-environments", "--verbose", "-k", token)
    assert "<- 401 Unauthorized\n" in result.stderr
    assert "Set-Cookie: [redacted]\n".lower() in result.stderr.lower()
    assert "x-api-key: [redacted]\n" in result.stderr.lower()
    assert "is kept, but not [redacted]\n" in result.stderr
    assert '\n\n{"error":  "[redacted] is unknown"}\n' in result.stderr
    assert token not in result.stderr


def test_verbose_hides_the_password_of_a_webhook(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /elsewhere/webhooks", {"description": "x"}, status=201)
    words = ["-X", "POST", "--contract-published", "-u", 'bob:pa"ss', "-H", "Authorization: Bearer abc"]
    result = run("create-webhook", "https://ci.example.org", *words, "-v")
    assert broker.last.json["request"]["password"] == 'pa"ss'  # noqa: S105 - of no user
    assert '"password":"[redacted]"' in result.stderr
    assert '"Authorization":"[redacted]"' in result.stderr
    assert 'ss"' not in result.stderr.replace('process"', "")


def test_each_attempt_and_each_redirect_is_shown_by_verbose(run: Run, broker: OtherBroker) -> None:
    broker.answer("GET /elsewhere/environments", "no", status=503)
    broker.answer("GET /elsewhere/environments", status=302, headers={"Location": "/e"})
    broker.answer("GET /e", {})
    result = run("list-environments", "-v", "--retries", "2")
    statuses = [line for line in result.stderr.splitlines() if line.startswith("<- ")]
    assert statuses == ["<- 200 OK", "<- 503 Service Unavailable", "<- 302 Found", "<- 200 OK"]
