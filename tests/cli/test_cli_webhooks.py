"""Webhooks, against another broker."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from treaty.model.webhooks.events import EVENT_NAMES

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

WEBHOOKS = "/elsewhere/webhooks"
URL = "http://ci.example.org/build"
CREATE = ["create-webhook", URL, "-X", "POST"]
CHANGED = "--contract-content-changed"
BY_UUID = ["create-or-update-webhook", URL, "-X", "POST", "--uuid", "w1", CHANGED]


NUMBERS = '{"price":1.10,"e":1e2,"id":123456789012345678901234567890,"huge":1e400,"zero":-0}'


@pytest.mark.parametrize("from_file", [False, True])
def test_numbers_in_the_body_of_a_webhook_are_sent_as_they_are_written(
    run: Run, broker: OtherBroker, tmp_path: Path, *, from_file: bool
) -> None:
    broker.answer(f"POST {WEBHOOKS}", {}, status=201)
    (tmp_path / "body.json").write_text(NUMBERS)
    assert run(*CREATE, CHANGED, "-d", f"@{tmp_path}/body.json" if from_file else NUMBERS).exit_code == 0
    assert f'"body":{NUMBERS}'.encode() in broker.last.body


@pytest.mark.parametrize("form", ["json", "pretty"])
def test_numbers_in_responses_are_printed_as_they_are_written(run: Run, broker: OtherBroker, form: str) -> None:
    broker.answer(f"POST {WEBHOOKS}", '{"request":{"body":' + NUMBERS + "}}", status=201)
    printed = run(*CREATE, CHANGED, "-o", form).stdout
    assert NUMBERS in "".join(printed.split())


def test_a_webhook_is_created_with_all_its_parts(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {WEBHOOKS}", {"description": "my hook"}, status=201)
    body = '{"a":"${pactbroker.pactUrl}"}'
    headers = ["-H", "Content-Type: application/json", "X-Other: a:b"]
    options = ["--consumer", "Foo", "--provider-label", "web", "--description", "my hook", "--team-uuid", "t1"]
    result = run(*CREATE, *headers, "-d", body, "-u", "bob:p:w", *options, CHANGED)
    assert result.stdout == 'Webhook "my hook" created\n'
    assert broker.last.json == {
        "events": [{"name": "contract_content_changed"}],
        "request": {
            "url": URL,
            "method": "POST",
            "headers": {"Content-Type": "application/json", "X-Other": "a:b"},
            "body": {"a": "${pactbroker.pactUrl}"},
            "username": "bob",
            "password": "p:w",
        },
        "description": "my hook",
        "consumer": {"name": "Foo"},
        "provider": {"label": "web"},
        "teamUuid": "t1",
    }


def test_a_webhook_has_its_events_in_one_order(run: Run, broker: OtherBroker) -> None:
    names = [
        "contract_content_changed",
        "contract_published",
        "provider_verification_published",
        "provider_verification_succeeded",
        "provider_verification_failed",
        "contract_requiring_verification_published",
    ]
    run(*CREATE, *(f"--{name.replace('_', '-')}" for name in reversed(names)))
    assert broker.last.json == {
        "events": [{"name": name} for name in names],
        "request": {"url": URL, "method": "POST", "headers": {}},
    }


@pytest.mark.parametrize(
    ("options", "body"),
    [
        (["--consumer", "Foo", "--consumer", "Bar"], {"consumers": [{"name": "Foo"}, {"name": "Bar"}]}),
        (
            ["--consumer", "A", "--consumer", "B", "--consumer-label", "shop", "--provider", "C"],
            {"consumers": [{"name": "A"}, {"name": "B"}, {"label": "shop"}], "provider": {"name": "C"}},
        ),
        (["--provider-label", "x", "--provider-label", "y"], {"providers": [{"label": "x"}, {"label": "y"}]}),
        (["--digest", "1d"], {"digest": {"every": "1d"}}),
    ],
)
def test_a_webhook_can_be_for_several_applications_and_send_digests(
    run: Run, broker: OtherBroker, options: list[str], body: dict[str, object]
) -> None:
    broker.answer(f"POST {WEBHOOKS}", {"description": "x"}, status=201)
    # The URL comes last: an option takes a single value.
    run("create-webhook", "-X", "POST", CHANGED, *options, URL)
    assert broker.lines[-1] == f"POST {WEBHOOKS}"
    assert {name: value for name, value in broker.last.json.items() if name not in {"events", "request"}} == body


@pytest.mark.parametrize("name", EVENT_NAMES)
@pytest.mark.parametrize("command", [CREATE, BY_UUID[:-1]], ids=["create", "create-or-update"])
def test_each_event_has_an_option(run: Run, broker: OtherBroker, command: list[str], name: str) -> None:
    run(*command, f"--{name.replace('_', '-')}")
    assert broker.last.json["events"] == [{"name": name}]


def test_a_webhook_of_one_integration_is_created_at_its_own_place(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /webhooks/provider/B%2Fr/consumer/Foo", {"description": "x"}, status=201)
    assert run(*CREATE, CHANGED, "--consumer", "Foo", "--provider", "B/r").stdout == 'Webhook "x" created\n'
    assert broker.lines == ["POST /webhooks/provider/B%2Fr/consumer/Foo"]
    assert set(broker.last.json) == {"events", "request"}


def test_data_that_is_not_valid_json_is_sent_as_text_and_can_be_read_from_a_file(
    run: Run, broker: OtherBroker, tmp_path: Path
) -> None:
    run(*CREATE, CHANGED, "--data", "a=1")
    assert broker.last.json["request"]["body"] == "a=1"
    (tmp_path / "body.json").write_text('{"a": 1}')
    run(*CREATE, CHANGED, "--data", f"@{tmp_path / 'body.json'}")
    assert broker.last.json["request"]["body"] == {"a": 1}


def test_a_webhook_without_a_description_is_called_by_its_link(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {WEBHOOKS}", {"_links": {"self": {"href": "x", "title": "POST ci"}}}, status=201)
    assert run(*CREATE, CHANGED).stdout == 'Webhook "POST ci" created\n'


@pytest.mark.parametrize(("status", "done"), [(201, "created"), (200, "updated")])
def test_a_webhook_with_a_uuid_is_created_or_replaced(run: Run, broker: OtherBroker, status: int, done: str) -> None:
    broker.answer(f"PUT {WEBHOOKS}/w1", {"description": "x"}, status=status)
    assert run(*BY_UUID, "--consumer", "Foo", "--provider", "Bar").stdout == f'Webhook "x" {done}\n'
    assert (broker.last.json["consumer"], broker.last.json["provider"]) == ({"name": "Foo"}, {"name": "Bar"})
    assert run(*BY_UUID, "-o", "json").stdout == '{"description": "x"}\n'


def test_a_refused_webhook_shows_the_answer(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"POST {WEBHOOKS}", '{"errors":{"request.url":["is missing"]}}', status=400)
    result = run(*CREATE, CHANGED)
    text = f"Error creating webhook. response status=400 from {broker.url}{WEBHOOKS}: request.url is missing.\n"
    assert (result.exit_code, result.stdout) == (1, text)
    assert run(*CREATE, CHANGED, "-o", "json").stdout == '{"errors":{"request.url":["is missing"]}}\n'


def test_old_brokers_want_both_sides_or_know_no_uuids(run: Run, broker: OtherBroker) -> None:
    broker.answer_index("pb:webhook")
    broker.answer(f"POST {WEBHOOKS}", status=405)
    both = "This version of the Pact Broker requires that both consumer and provider are specified for a webhook."
    assert run(*CREATE, CHANGED).stdout.startswith(both)
    result = run(*BY_UUID)
    assert result.exit_code == 1
    uuid = "This version of the Pact Broker does not support creating webhooks with a specified UUID. Please upgrade"
    assert result.stdout.startswith(uuid)


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (CREATE, "You must specify at least one of --contract-content-changed, --contract-published"),
        ([*CREATE, CHANGED, "--consumer", "A", "--consumer-label", "b"], "Consumer name (--consumer) and label"),
        ([*CREATE, CHANGED, "--provider", "A", "--provider-label", "b"], "Provider name (--provider) and label"),
        ([*CREATE, CHANGED, "-d", "@nope"], 'Couldn\'t read data from file "nope" due to FileNotFoundError'),
        (["create-webhook", URL, CHANGED], "No value provided for required options '--request'"),
        (["create-webhook", CHANGED, "-X", "POST"], "No value provided for required options 'url'"),
    ],
)
def test_wrong_use_is_explained_on_stderr(run: Run, broker: OtherBroker, args: list[str], text: str) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(text)
    assert broker.requests == []


def test_a_webhook_is_tried_and_its_log_shown(run: Run, broker: OtherBroker) -> None:
    broker.answer(f"GET {WEBHOOKS}/w1", {"_links": {"pb:execute": {"href": "/run/w1"}}})
    broker.answer("POST /run/w1", {"success": False, "logs": "one\ntwo"})
    result = run("test-webhook", "--uuid", "w1")
    assert (result.exit_code, result.stdout) == (0, "one\ntwo\n")
    broker.answers["POST /run/w1"].clear()
    broker.answer("POST /run/w1", {"success": True})
    assert json.loads(run("test-webhook", "--uuid", "w1").stdout) == {"success": True}


def test_a_webhook_that_is_missing_cannot_be_tried(run: Run) -> None:
    result = run("test-webhook", "--uuid", "w1")
    assert result.exit_code == 1
    assert "/elsewhere/webhooks/w1 status=404" in result.stdout


def test_a_webhook_is_deleted_once(run: Run, broker: OtherBroker) -> None:
    assert run("delete-webhook", "--uuid", "w1").stdout == "Webhook with UUID w1 was not found\n"
    broker.answer(f"GET {WEBHOOKS}/w1", {})
    broker.answer(f"DELETE {WEBHOOKS}/w1", status=204)
    result = run("delete-webhook", "--uuid", "w1")
    assert (result.exit_code, result.stdout) == (0, "Webhook with UUID w1 successfully deleted\n")
    assert broker.last.line == f"DELETE {WEBHOOKS}/w1"
