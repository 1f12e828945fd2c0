"""Telemetry of commands, if their options request it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import treaty.cli

if TYPE_CHECKING:
    from .conftest import OtherBroker, Run

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LIST = "GET /elsewhere/environments"
SECRET = ("--user", "bob:hidden")


@pytest.fixture(autouse=True)
def collector(broker: OtherBroker) -> OtherBroker:
    """Let the broker be a collector too."""
    for signal in ("traces", "logs"):
        broker.answer(f"POST /v1/{signal}", headers={"Content-Type": "application/x-protobuf"})
    broker.answer(LIST, {})
    return broker


def spans(broker: OtherBroker) -> dict[str, list[Any]]:
    """Return the spans by name, in the order of their starts."""
    spans_by_name: dict[str, list[Any]] = {}
    for request in broker.requests:
        if request.line == "POST /v1/traces":
            for resource in ExportTraceServiceRequest.FromString(request.body).resource_spans:
                for span in resource.scope_spans[0].spans:
                    spans_by_name.setdefault(span.name, []).append(span)
    return {name: sorted(each, key=lambda span: span.start_time_unix_nano) for name, each in spans_by_name.items()}


def logged(broker: OtherBroker) -> list[tuple[str, str]]:
    sent = [
        ExportLogsServiceRequest.FromString(request.body)
        for request in broker.requests
        if request.line == "POST /v1/logs"
    ]
    records = [
        record
        for each in sent
        for resource in each.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]
    return [(record.severity_text, record.body.string_value) for record in records]


def read_attributes(span: Any) -> dict[str, object]:
    return {
        attribute.key: attribute.value.string_value
        if attribute.value.HasField("string_value")
        else attribute.value.int_value
        for attribute in span.attributes
    }


def to(broker: OtherBroker) -> tuple[str, str]:
    return ("--otel-exporter-endpoint", broker.url)


@pytest.mark.parametrize("switch", ["--enable-otel", "--enable-otel-traces"])
def test_a_command_and_its_requests_are_one_trace(run: Run, broker: OtherBroker, switch: str) -> None:
    assert run("list-environments", switch, "--otel-exporter", "otlp", *to(broker)).exit_code == 0
    (command,), (index, request_span) = (spans(broker)[name] for name in ("pact-broker list-environments", "GET"))
    assert {index.parent_span_id, request_span.parent_span_id} == {command.span_id}
    assert request_span.trace_id == command.trace_id
    port = int(broker.url.rpartition(":")[2])
    assert read_attributes(request_span) == {
        "http.request.method": "GET",
        "url.full": f"{broker.url}/elsewhere/environments",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
    }
    handed_on = next(request for request in broker.requests if request.line == LIST).headers["traceparent"]
    assert handed_on.startswith(f"00-{command.trace_id.hex()}-{request_span.span_id.hex()}-")


def test_options_may_stand_before_the_command_or_in_the_environment(run: Run, broker: OtherBroker) -> None:
    run("--enable-otel", *to(broker), "--otel-exporter", "otlp", "provider-states", "list", "-r", "Bar")
    run("list-environments", "--enable-otel", OTEL_EXPORTER_OTLP_ENDPOINT=broker.url, OTEL_TRACES_EXPORTER="otlp")
    assert {"pact-broker provider-states list", "pact-broker list-environments"} <= spans(broker).keys()


def test_without_the_switch_no_telemetry_is_sent(run: Run, broker: OtherBroker) -> None:
    run("list-environments", OTEL_EXPORTER_OTLP_ENDPOINT=broker.url, OTEL_TRACES_EXPORTER="otlp")
    assert broker.lines == ["GET /", LIST]
    assert "traceparent" not in broker.last.headers


def test_a_command_belongs_to_the_trace_of_its_build(
    run: Run, broker: OtherBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", f"00-{TRACE}-{PARENT}-01")
    run("list-environments", "--enable-otel", *to(broker))
    (command,) = spans(broker)["pact-broker list-environments"]
    assert (command.trace_id.hex(), command.parent_span_id.hex()) == (TRACE, PARENT)


def test_each_attempt_has_a_span_and_a_refusal_has_an_error(run: Run, broker: OtherBroker) -> None:
    del broker.answers[LIST]
    broker.answer(LIST, status=500)
    broker.answer(LIST, status=403)
    result = run("list-environments", "--enable-otel", "--retries", "2", *to(broker))
    (command,), (_, first, second) = (spans(broker)[name] for name in ("pact-broker list-environments", "GET"))
    assert [read_attributes(span)["http.response.status_code"] for span in (first, second)] == [500, 403]
    assert [span.status.code for span in (first, second, command)] == [2, 2, 2]
    assert read_attributes(command) == {"error.type": "Refused"}
    assert result.exit_code == 1


def test_the_span_of_a_command_has_its_exit_code(run: Run, broker: OtherBroker) -> None:
    matrix = "GET /matrix?q[][pacticipant]=Foo&q[][version]=1&latestby=cvp&latest=true"
    broker.answer(matrix, {"summary": {"deployable": False}, "matrix": [], "notices": []})
    assert run("can-i-deploy", "-a", "Foo", "-e", "1", "--enable-otel", *to(broker)).exit_code == 1
    (command,) = spans(broker)["pact-broker can-i-deploy"]
    assert (read_attributes(command), command.status.code) == ({"process.exit.code": 1}, 2)


def test_log_lines_are_sent_as_log_records_without_bodies(run: Run, broker: OtherBroker) -> None:
    broker.answer("POST /elsewhere/webhooks", {}, status=201)
    words = ("http://hook", "-X", "POST", "--contract-published", *SECRET)
    run("create-webhook", *words, "--enable-otel-logs", *to(broker))
    assert logged(broker) == [
        ("INFO", f"-> GET {broker.url}"),
        ("INFO", "<- 200 OK"),
        ("INFO", f"-> POST {broker.url}/elsewhere/webhooks"),
        ("INFO", "<- 201 Created"),
    ]
    assert not any(b"hidden" in request.body for request in broker.requests if request.path.startswith("/v1/"))
    assert not spans(broker)


@pytest.mark.parametrize(("exporter", "stream"), [("stdout", "stdout"), ("console", "stderr")])
def test_spans_and_lines_may_be_printed(run: Run, broker: OtherBroker, exporter: str, stream: str) -> None:
    words = ("--enable-otel", "--enable-otel-logs", "--otel-exporter", exporter)
    printed = getattr(run("list-environments", *words), stream)
    assert '"name": "pact-broker list-environments"' in printed
    assert f'"body": "-> GET {broker.url}"' in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--otel-exporter", "zipkin"], "Invalid --otel-exporter 'zipkin' (OTEL_TRACES_EXPORTER)."),
        (
            ["--otel-exporter-protocol", "grpc"],
            "Invalid --otel-exporter-protocol 'grpc' (OTEL_EXPORTER_OTLP_PROTOCOL).",
        ),
    ],
)
def test_unsupported_exporters_and_protocols_are_refused_with_a_message(
    run: Run, broker: OtherBroker, words: list[str], message: str
) -> None:
    result = run("list-environments", "--enable-otel", *words)
    assert (result.exit_code, broker.requests) == (1, [])
    assert result.stderr.startswith(message)


def test_a_collector_that_does_not_answer_fails_nothing(run: Run) -> None:
    words = ("--enable-otel", "--otel-exporter-endpoint", "http://127.0.0.1:1", "-o", "json")
    result = run("list-environments", *words)
    assert (result.exit_code, json.loads(result.stdout)) == (0, {})
    assert result.stderr == (
        "WARN: The traces could not be sent to the OpenTelemetry collector; the command itself is not affected. "
        "Check --otel-exporter-endpoint.\n"
    )


def test_without_opentelemetry_a_command_works_and_prints_how_to_install_it(
    run: Run, broker: OtherBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(treaty.cli, "command_spans", raising=False)
    monkeypatch.delitem(sys.modules, "treaty.cli.command_spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry._logs", None)
    result = run("list-environments", "--enable-otel", *to(broker))
    assert (result.exit_code, broker.lines) == (0, ["GET /", LIST])
    assert "pip install '.[otel]'" in result.stderr
