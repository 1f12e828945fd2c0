"""Traces: the spans of a request, its statements and its deliveries have one trace, which is exported as configured."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.api.client import publication
from tests.waiting import eventually
from tests.whole.servers import running, start

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OPEN = {"TREATY_WEBHOOK_SCHEME_WHITELIST": "http", "TREATY_WEBHOOK_HOST_WHITELIST": "127.0.0.1"}


class _Collector(BaseHTTPRequestHandler):
    spans: ClassVar[list[Any]] = []
    services: ClassVar[set[str]] = set()
    metrics: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/v1/metrics":
            self.metrics.append(ExportMetricsServiceRequest.FromString(body))
        else:
            self._keep_spans(body)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def _keep_spans(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.update(
                attribute.value.string_value
                for attribute in resource.resource.attributes
                if attribute.key == "service.name"
            )
            self.spans.extend(span for scope in resource.scope_spans for span in scope.spans)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Do not log requests."""


@pytest.fixture
def collector() -> Iterator[str]:
    """A collector of traces."""
    _Collector.spans.clear()
    _Collector.metrics.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def _until(name: str, ready: Callable[[Any], bool] = lambda _span: True) -> Any:
    def find() -> Any:
        return next((span for span in list(_Collector.spans) if span.name == name and ready(span)), None)

    return eventually(find, lambda: [span.name for span in _Collector.spans])


def _read_attributes(span: Any) -> dict[str, object]:
    return {
        attribute.key: attribute.value.string_value
        if attribute.value.HasField("string_value")
        else attribute.value.int_value
        for attribute in span.attributes
    }


def test_a_request_its_statements_and_its_deliveries_are_one_trace(collector, receiver, database_url):
    environ = {**OPEN, "OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running(database_url, environ=environ) as server, httpx.Client(base_url=server.address) as client:
        request = {"method": "POST", "url": f"{receiver.url}/a/secret", "body": "hello"}
        client.post("/webhooks", json={"events": [{"name": "contract_published"}], "request": request})
        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        body = publication("Secret Till", "1", "Ledger")
        assert client.post("/contracts/publish", json=body, headers=headers).status_code == 200
        arrival = receiver.wait(1)[0]
        request_span = _until("POST /contracts/publish")
        sent = _until("POST webhook")

    assert (request_span.trace_id.hex(), request_span.parent_span_id.hex()) == (TRACE, PARENT)
    assert _read_attributes(request_span) == {
        "http.request.method": "POST",
        "http.route": "/contracts/publish",
        "http.response.status_code": 200,
    }
    statements = [span for span in _Collector.spans if span.parent_span_id == request_span.span_id and span is not sent]
    assert any(span.name.startswith("INSERT") for span in statements)
    assert "INSERT publication" in {span.name for span in statements}
    assert (sent.trace_id.hex(), sent.parent_span_id) == (TRACE, request_span.span_id)
    assert _read_attributes(sent) == {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }
    assert arrival.headers["traceparent"] == f"00-{TRACE}-{sent.span_id.hex()}-01"
    assert _Collector.services == {"treaty"}
    text = " ".join(str(span) for span in _Collector.spans)
    assert "Secret" not in text
    assert "secret" not in text


def test_spans_have_failures_but_no_names_from_paths(collector, tmp_path):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ) as server:
        httpx.get(f"{server.address}/pacticipants/Secret%20Till")
        httpx.get(f"{server.address}/test/error")
    missing = _until("GET /pacticipants/{pacticipant}")
    assert _read_attributes(missing)["http.response.status_code"] == 404
    assert missing.status.code == 0
    assert _until("GET /test/error").status.code == 2


def test_pending_spans_are_sent_when_the_server_ends(collector, tmp_path):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_BSP_SCHEDULE_DELAY": "60000", "OTEL_SERVICE_NAME": "it"}
    server = start(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ)
    httpx.get(server.address)
    assert _Collector.spans == []
    server.end()
    _until("GET /")
    assert "it" in _Collector.services


def test_an_unknown_way_to_send_traces_is_refused(tmp_path):
    with pytest.raises(AssertionError, match="OTEL_TRACES_EXPORTER: must be one of otlp, console, none, but is 'fax'"):
        start(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ={"OTEL_TRACES_EXPORTER": "fax"})


def _points(name: str) -> dict[tuple[str, ...], Any]:
    """Return the last points of a metric, by the values of their attributes."""
    resources = _Collector.metrics[-1].resource_metrics
    metrics = {
        metric.name: metric for resource in resources for scope in resource.scope_metrics for metric in scope.metrics
    }
    data = getattr(metrics[name], metrics[name].WhichOneof("data"))
    return {tuple(attribute.value.string_value for attribute in point.attributes): point for point in data.data_points}


def test_metrics_are_sent_to_a_collector_with_the_trace_of_a_request_in_each_bucket(collector, tmp_path):
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector, "OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
    server = start(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ)
    with httpx.Client(base_url=server.address) as client:
        for _ in range(3):
            client.get("/pacticipants/Till", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        body = publication("Till", "1", "Ledger")
        assert client.post("/contracts/publish", json=body).status_code == 200
        decision = client.get("/can-i-deploy?pacticipant=Till&version=1&to=production")
        assert decision.status_code == 200, decision.text
        text = client.get("/metrics/prometheus", headers={"accept": "application/openmetrics-text"}).text
    server.end()  # sends the last values, long before the interval has passed

    requests = _points("treaty_http_request_seconds")["GET", "/pacticipants/{pacticipant}", "404"]
    assert requests.count == sum(requests.bucket_counts) == 3
    assert len(requests.bucket_counts) == len(requests.explicit_bounds) + 1
    assert 0 < requests.sum < 3 * 60
    assert {exemplar.trace_id.hex() for exemplar in requests.exemplars} == {TRACE}
    assert f'trace_id="{TRACE}"' in text
    assert sum(point.as_double for point in _points("treaty_decisions").values()) == 1
    assert _points("treaty_webhook_deliveries_owed")[()].as_double == 0
    (resource,) = _Collector.metrics[-1].resource_metrics
    assert {"service.name", "service.instance.id"} <= {attribute.key for attribute in resource.resource.attributes}


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"OTEL_METRICS_EXPORTER": "fax"}, "OTEL_METRICS_EXPORTER: must be one of otlp, console, none, but is 'fax'"),
        (
            {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, but is 'grpc'",
        ),
        (
            {"OTEL_METRICS_EXPORTER": "console", "OTEL_METRIC_EXPORT_INTERVAL": "1m"},
            "OTEL_METRIC_EXPORT_INTERVAL: must be a number of milliseconds, but is '1m'",
        ),
    ],
)
def test_an_unknown_way_to_send_metrics_is_refused(environ, message, tmp_path):
    with pytest.raises(AssertionError, match=message):
        start(f"sqlite:///{tmp_path / 'treaty.sqlite'}", environ=environ)


WITHOUT_TRACES: Final[tuple[dict[str, str], ...]] = (
    {},
    {"OTEL_TRACES_EXPORTER": "none"},
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"},
)


def test_opentelemetry_is_not_loaded_when_no_traces_are_configured(tmp_path: Path):
    # One process, since it takes seconds to start: it loads the modules of all environments together.
    program = f"""
import os, sys
from treaty import app
from treaty.settings import Settings
for number, environ in enumerate({WITHOUT_TRACES}):
    os.environ.clear()
    os.environ.update(environ)
    app.create_application(Settings(database_url=f"sqlite:///{{number}}.sqlite"))
    if any(name.startswith("opentelemetry") for name in sys.modules):
        sys.exit(f"loaded with {{environ}}")
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, env={}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
