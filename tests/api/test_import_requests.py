"""The requests of an import to both brokers: several at a time, none twice, and one import after the other."""

import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.api.client import Api
from tests.api.history import History
from tests.api.imports import broker
from tests.waiting import PATIENCE
from treaty.cli import import_copying, import_sources, import_targets
from treaty.cli.import_reports import CopyReport
from treaty.errors import Refused

PARALLEL = 3
RESULTS = 12
DETAILS = ("/tags/dev", "/branches/main/versions/", "/provider/Prices/consumer/Shop/version/")
"""Parts of the paths that are requested for each version before the results."""


@pytest.fixture
def source(make_separate_api: Any, clock: Any) -> Api:
    api: Api = make_separate_api("source")
    history = History(api)
    for number in range(RESULTS):
        clock.now += timedelta(seconds=1)
        history.publish("Shop", str(number), "Prices", number // 2, branch="main", tags=["dev"])
        history.verify("Shop", str(number), "Prices", f"p{number}")
    history.deploy("Shop", "3", "test")
    return api


@pytest.fixture
def target(make_separate_api: Any) -> Api:
    api: Api = make_separate_api("target")
    return api


def copy(source: Any, target: Any) -> CopyReport:
    return import_copying.copy_all(source, target, is_dry=False, parallel=PARALLEL)


def line(request: httpx.Request) -> str:
    return f"{request.method} {request.url.raw_path.decode()}"


def is_result(request: httpx.Request) -> bool:
    return "/verification-results/" in request.url.path


@pytest.mark.parametrize("hides_export", [False, True], ids=["by export", "by resources"])
def test_nothing_is_requested_twice(source: Api, target: Api, *, hides_export: bool) -> None:
    requests: list[str] = []
    source_broker = broker(source, hides_export=hides_export, before=lambda request: requests.append(line(request)))
    assert copy(source_broker, broker(target)).copied["results"] == RESULTS
    assert [request for request, count in Counter(requests).items() if count > 1] == []
    assert (len(requests) > 5 * RESULTS) is hides_export


def test_an_interrupted_import_continues_at_once_and_fetches_only_missing_facts(source: Api, target: Api) -> None:
    requests: list[str] = []

    def interrupt(request: httpx.Request) -> None:
        requests.append(line(request))
        if is_result(request):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(broker(source, hides_export=True, before=interrupt), broker(target))
    assert [detail for detail in DETAILS if not any(detail in request for request in requests)] == []
    requests.clear()
    again = broker(source, hides_export=True, before=lambda request: requests.append(line(request)))
    report = copy(again, broker(target))
    assert (report.existing["pacts"], report.copied["results"], report.refused) == (RESULTS, RESULTS, [])
    assert [request for request in requests if any(detail in request for detail in DETAILS)] == []


def test_the_option_limits_the_number_of_simultaneous_requests(source: Api, target: Api) -> None:
    together = threading.Barrier(PARALLEL)
    lock = threading.Lock()
    in_flight, peak, waited = 0, 0, 0

    def wait(request: httpx.Request) -> None:
        nonlocal in_flight, peak, waited
        if not is_result(request):
            return
        with lock:
            in_flight += 1
            peak = max(peak, in_flight)
            waited += 1
        together.wait(PATIENCE)
        with lock:
            in_flight -= 1

    copy(broker(source, hides_export=True, before=wait), broker(target))
    assert (waited, peak) == (RESULTS, PARALLEL)


def test_the_source_is_read_ahead_of_the_writes_to_the_target(source: Api, target: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(import_targets, "MAX_CHARACTERS", 0)  # each pact and each result is a request to the target
    monkeypatch.setattr(import_sources, "_MAX_READ_AHEAD", PARALLEL + 1)
    changed = threading.Condition()
    requested, written = 0, 0

    def count(request: httpx.Request) -> None:
        nonlocal requested
        with changed:
            requested += is_result(request)
            changed.notify_all()

    def wait(request: httpx.Request) -> None:
        nonlocal written
        if b'"kind":"result"' in request.content:
            written += 1
            with changed:
                is_ahead = changed.wait_for(lambda: requested >= min(written + PARALLEL, RESULTS), PATIENCE)
            assert is_ahead, f"{requested} were requested when {written} had been written"

    copy(broker(source, hides_export=True, before=count), broker(target, before=wait))
    assert (requested, written) == (RESULTS, RESULTS)


def test_an_import_is_refused_at_once_while_another_one_is_active(
    source: Api, target: Api, clock: Any, monkeypatch: Any
) -> None:
    other = {"source": "https://other.example.org", "run": "another", "facts": []}
    pauses = 0

    def continue_the_other(_: float) -> None:
        nonlocal pauses
        pauses += 1
        clock.now += timedelta(seconds=2)
        assert target.post("/import", other).status == 200

    monkeypatch.setattr("treaty.cli.import_targets.time.sleep", continue_the_other)
    assert target.post("/import", other).status == 200
    with pytest.raises(Refused, match="Another import is running") as refused:
        copy(broker(source), broker(target))
    assert pauses == 1
    assert f"its last request was at {clock.now:%H:%M:%S}" in str(refused.value)
    assert target.get("/pacticipants").json()["_embedded"]["pacticipants"] == []


def test_an_import_waits_for_the_claim_of_one_that_was_killed(
    source: Api, target: Api, clock: Any, monkeypatch: Any
) -> None:
    def pass_time(_: float) -> None:
        clock.now += timedelta(seconds=16)

    monkeypatch.setattr("treaty.cli.import_targets.time.sleep", pass_time)
    assert target.post("/import", {"source": "x", "run": "killed", "facts": []}).status == 200
    assert copy(broker(source), broker(target)).copied["results"] == RESULTS
