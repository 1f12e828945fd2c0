"""The cases of reports: the operations, outcomes and details that are read from small reports of each kind."""

import json
from typing import Any

import pytest

from treaty.model.provider_contracts.outline import outline_document
from treaty.model.provider_contracts.reports import cases, json_reports, texts, xml_reports
from treaty.model.provider_contracts.reports import reading as report_reading
from treaty.model.provider_contracts.reports.cases import MAX_DETAIL_LENGTH, Report, shorten
from treaty.model.provider_contracts.reports.reading import read_report
from treaty.model.provider_contracts.shown_operations import MAX_UNMATCHED, ShownOperations, load_shown, read_shown

GET, POST, HEALTH = "GET /orders", "POST /orders", "GET /health"


def read(content: str, *hints: str) -> Report:
    return read_report(content.encode(), hints=hints)


def summarize(content: str) -> list[tuple[str | None, str]]:
    """Return the operation and the outcome of each case."""
    return [(str(case.target) if case.target else None, case.outcome.value) for case in read(content).cases]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("pass: GET (200) /orders", "passed"),
        ("fail: GET (200) /orders", "failed"),
        ("skip: GET (200) /orders", "skipped"),
        ("## Fail: GET (200) /orders", "failed"),
        ("ok 1 - GET /orders", "passed"),
        ("not ok 1 - GET /orders", "failed"),
        ("  ✓ GET /orders", "passed"),
        ("✗ GET /orders", "failed"),
        ("○ GET /orders", "skipped"),
        ("  12) GET /orders", "failed"),
        ("12)GET /orders", None),
        ("--- PASS: Test/GET_/orders (0.0s)", "passed"),
        ("--- SKIP: Test/GET_/orders (0.0s)", "skipped"),
        ("test_a.py::test[GET /orders] PASSED  [ 50%]", "passed"),
        ("[gw0] [ 50%] FAILED test_a.py::test[GET /orders]", "failed"),
        ("test_a.py::test[GET /orders] XFAIL", "skipped"),
        ("test_a.py::test[GET /orders] XPASS", "passed"),
        ("GET /orders ... ok", "passed"),
        ("GET /orders ... ERROR", "failed"),
        ("GET /orders .. skipped", "skipped"),
        ("GET /orders .   [ 50%]", "passed"),
        ("GET /orders .F  [ 50%]", "failed"),
        ("GET /orders E   [100%]", "failed"),
        ("GET /orders SS  [  9%]", "skipped"),
        ("GET /orders S.  [  9%]", "passed"),
        ("GET /orders .FES  [  9%]", "failed"),
        ("GET /orders x   [  9%]", None),
        ("GET /orders .   [ 50]", None),
        ("[ 50%]", None),
        ("____ GET /orders ____", "failed"),
        ("____ GET /orders", None),
        ("GET /orders ____", None),
        ("password for GET /orders", None),
        ("pass: nothing", None),
    ],
)
def test_a_line_has_an_operation_and_an_outcome(line: str, outcome: str | None) -> None:
    assert summarize(line) == ([(GET, outcome)] if outcome else [])


@pytest.mark.parametrize(("surplus", "count"), [(-1, 1), (0, 1), (1, 0)])
def test_very_long_lines_are_left_out(surplus: int, count: int) -> None:
    assert len(summarize("ok 1 - GET /orders ".ljust(2000 + surplus, "x"))) == count


def test_sections_about_failures_repeat_cases() -> None:
    lines = ["____ GET /health ____", "GET /orders F [ 50%]", "____ GET /orders ____", "____ POST /orders ____"]
    summary = ["=== short test summary info ===", "FAILED x[POST /orders]"]
    assert summarize("\n".join(lines + summary)) == [(HEALTH, "failed"), (GET, "failed"), (POST, "failed")]


def test_a_case_that_passed_may_fail_in_a_section_below() -> None:
    assert summarize("GET /orders . [ 50%]\n____ GET /orders ____") == [(GET, "passed"), (GET, "failed")]


@pytest.mark.parametrize(
    ("lines", "tested", "is_text"),
    [
        (["Selected: 3/3", "Tested: 3"], 3, True),
        (["Selected: 2/3", "Tested: 2"], None, True),
        (["Selected: 2/3", "Tested: 3"], None, True),
        (["Selected: 3/3", "Tested: 2"], None, True),
        (["Selected: 3/3", "Tested: 4"], None, True),
        (["Selected: 4/3", "Tested: 3"], None, True),
        (["Selected: 3/3"], None, False),
        (["Tested: 3"], None, False),
    ],
)
def test_all_operations_were_tested_if_none_was_left_out(
    lines: list[str], tested: int | None, *, is_text: bool
) -> None:
    report = read("\n".join(lines))
    assert (report.tested_operations, report.format == "text") == (tested, is_text)


@pytest.mark.parametrize(
    ("text", "is_partial"),
    [("ok 1 - GET /a\nnot ok 2 - GET /b", False), ("not ok 1 - GET /a", True), ("Selected: 1/1\nTested: 1", True)],
)
def test_a_text_without_a_passed_case_names_failures_only(text: str, *, is_partial: bool) -> None:
    assert read(text).names_failures_only is is_partial


DRIFT = """\
│ Testcase ┆ Operation ┆ Target ┆ Result │
│ a ┆ b ┆ api:getOrder ┆ OK │
│ a ┆ b ┆ api:get:/orders ┆ boom │
│ a ┆ b ┆ none ┆ OK │
│ a ┆ b ┆ api:x ┆ OK ┆ more │
│ a ┆ b ┆ api:y │
"""


def test_the_rows_of_a_table_are_cases() -> None:
    report = read(DRIFT)
    assert (report.format, report.has_scenario_names) == ("Drift", True)
    assert [(case.name, case.outcome.value) for case in report.cases] == [
        ("getOrder", "passed"),
        ("get:/orders", "failed"),
    ]


def newman(*executions: dict[str, Any]) -> str:
    return json.dumps({"run": {"executions": list(executions)}})


REQUEST = {"method": "GET", "url": {"path": ["orders", "7"], "raw": "http://h/other"}}


@pytest.mark.parametrize(
    ("execution", "expected"),
    [
        ({"request": REQUEST}, ("GET /orders/7", "GET /orders/7", "exercised", "", 1)),
        ({"request": {**REQUEST, "url": "http://h/health"}}, ("GET /health", "GET /health", "exercised", "", 1)),
        (
            {"request": {**REQUEST, "url": {"raw": "http://h/health"}}},
            ("GET /health", "GET /health", "exercised", "", 1),
        ),
        (
            {"request": REQUEST, "item": {"name": "an order"}, "assertions": [{}, {}]},
            ("an order", "GET /orders/7", "passed", "", 2),
        ),
        (
            {"request": REQUEST, "assertions": [{}, {"error": {"message": "a"}}, {"error": {"message": "b"}}]},
            ("GET /orders/7", "GET /orders/7", "failed", "a", 3),
        ),
        ({"request": REQUEST, "requestError": {"message": "x"}}, ("GET /orders/7", "GET /orders/7", "failed", "x", 1)),
        ({"item": {"name": "POST /orders"}, "assertions": [{}]}, ("POST /orders", "POST /orders", "passed", "", 1)),
    ],
)
def test_executions_of_newman_are_cases(execution: dict[str, Any], expected: tuple[object, ...]) -> None:
    (case,) = read(newman(execution)).cases
    assert (case.name, str(case.target), case.outcome.value, case.detail, case.count) == expected


@pytest.mark.parametrize(
    "entry",
    [
        {"request": {"method": "GET", "url": "http://h/a"}, "response": {"status": "200"}},
        {"request": {"method": "GET"}, "response": {"status": 200}},
        {"response": {"status": 200}},
        {},
    ],
)
def test_a_recorded_exchange_without_an_operation_or_a_status_is_ignored(entry: dict[str, Any]) -> None:
    assert not read(json.dumps({"log": {"entries": [entry]}})).cases


def event(status: object = "failure", label: str = GET, cases: object = None, checks: object = None) -> str:
    recorder = {"label": label, "cases": cases, "checks": checks}
    return json.dumps({"ScenarioFinished": {"status": status, "recorder": recorder}})


TITLE = {"status": "failure", "name": "n", "failure_info": {"failure": {"title": "t", "message": "m"}}}
MESSAGE = {"status": "failure", "name": "n", "failure_info": {"failure": {"message": "m"}}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (event(), ("failed", "", 1)),
        (event("success", cases={"a": 1, "b": 2}), ("passed", "", 2)),
        (event("success", cases={}), ("passed", "", 1)),
        (event("success", cases=[1, 2]), ("passed", "", 1)),
        (event(checks={"a": [{"status": "success"}, TITLE]}), ("failed", "t", 1)),
        (event(checks={"a": "x", "b": [MESSAGE, TITLE]}), ("failed", "m", 1)),
        (event(checks={"a": [{"status": "failure", "name": "n"}]}), ("failed", "n", 1)),
        (event(checks=[TITLE]), ("failed", "", 1)),
    ],
)
def test_finished_scenarios_are_cases(line: str, expected: tuple[object, ...]) -> None:
    (case,) = read(f'{{"Initialize": {{}}}}\n{line}\n{event("unheard of")}\n{{"x": "ScenarioFinished"}}\n').cases
    assert (case.outcome.value, case.detail, case.count) == expected


@pytest.mark.parametrize(
    ("members", "detail"),
    [
        ({"message": "m", "detail": "d"}, "m"),
        ({"detail": ["first", "second"]}, "first"),
        ({"error": {"message": "m"}}, "m"),
        ({"failureMessages": [], "err": {"message": "m"}}, "m"),
        ({"message": ""}, ""),
        ({}, ""),
    ],
)
def test_the_detail_of_a_case_of_another_tool_is_found(members: dict[str, Any], detail: str) -> None:
    (case,) = read(json.dumps({"tests": [{"name": GET, "status": "failed", **members}]})).cases
    assert case.detail == detail


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"name": GET, "status": "passed"}, [(GET, "passed")]),
        ({"title": GET, "success": False}, [(GET, "failed")]),
        ({"name": "x", "passed": True, "method": "get", "path": "/orders"}, [(GET, "passed")]),
        ({"name": "x", "result": "failed", "request": {"method": "GET", "url": "http://h/orders"}}, [(GET, "failed")]),
        ({"name": "x", "result": "failed", "request": "GET"}, []),
        ({"name": "x", "status": "passed"}, []),
        ({"name": "x", "steps": [{"name": GET, "status": "passed"}]}, [(GET, "passed")]),
        ({"name": GET, "status": "failed", "steps": [{"name": HEALTH, "status": "passed"}]}, [(GET, "failed")]),
    ],
)
def test_any_object_with_an_operation_and_an_outcome_is_a_case(
    members: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    assert summarize(json.dumps({"results": [members]})) == expected


@pytest.mark.parametrize(("maximum", "count"), [(6, 1), (5, 1), (4, 0)])
def test_only_so_many_values_are_examined(monkeypatch: pytest.MonkeyPatch, maximum: int, count: int) -> None:
    monkeypatch.setattr(json_reports, "MAX_VALUES", maximum)
    document = {"a": {"b": {"c": {"name": GET, "status": "passed"}}}}
    assert len(read(json.dumps([document])).cases) == count


FAILED_CHECK = "1. Test Case ID: abc - Server error\n"


@pytest.mark.parametrize(
    ("element", "outcome", "detail"),
    [
        ("<failure message='m'>t</failure>", "failed", "m"),
        ("<failure>\nMessage: t\n</failure>", "failed", "t"),
        ("<error message='m'/>", "failed", "m"),
        ("<failure/>", "failed", ""),
        (f"<failure message='{FAILED_CHECK}'>t</failure>", "failed", "Server error"),
        (f"<failure message='m'>{FAILED_CHECK}</failure>", "failed", "Server error"),
        ("<skipped/>", "skipped", ""),
        ("<system-out/>", "passed", ""),
    ],
)
def test_elements_of_a_case_decide_about_its_outcome(element: str, outcome: str, detail: str) -> None:
    (case,) = read(f"<testsuite><testcase name='GET /orders'>{element}</testcase></testsuite>").cases
    assert (case.outcome.value, case.detail) == (outcome, detail)


@pytest.mark.parametrize(
    ("status", "outcome"), [("run", "passed"), ("notrun", "skipped"), ("disabled", "skipped"), ("skipped", "skipped")]
)
def test_a_case_can_be_skipped_according_to_its_status(status: str, outcome: str) -> None:
    assert summarize(f"<a><testcase name='GET /orders' status='{status}'/></a>") == [(GET, outcome)]


def test_the_operation_of_a_case_may_be_in_the_name_of_its_innermost_suite() -> None:
    nested = "<testsuite name='GET /orders'><testcase name='a'/></testsuite><testcase name='b'/>"
    assert summarize(f"<testsuite name='GET /health'>{nested}</testsuite>") == [(GET, "passed"), (HEALTH, "passed")]


CASSETTE = """\
command: 'st run'
http_interactions:
- id: '1'
  status: 'FAILURE'
  checks:
    - name: 'a'
      status: 'SUCCESS'
      message: 'first'
      message: 'second'
  request:
    uri: 'http://h/orders'
    method: 'GET'
- id: '2'
  status: 'SUCCESS'
  message: 'none'
  request:
    uri: 'http://h/health'
    method: 'GET'
- id: '3'
  status: 'SUCCESS'
"""


def test_the_requests_of_a_cassette_are_cases() -> None:
    report = read(CASSETTE)
    assert report.format == "Cassette of Schemathesis"
    assert [(str(case.target), case.outcome.value, case.detail) for case in report.cases] == [
        (GET, "failed", "first"),
        (HEALTH, "passed", ""),
    ]


@pytest.mark.parametrize(
    ("hints", "expected", "has_scenario_names"),
    [
        ((), "JUnit XML", False),
        (("pytest",), "JUnit XML of pytest", False),
        (("x", "DREDD 14"), "JUnit XML of Dredd", False),
        (("Drift",), "JUnit XML of Drift", True),
        (("unknown",), "JUnit XML", False),
    ],
)
def test_hints_name_the_tool(hints: tuple[str, ...], expected: str, *, has_scenario_names: bool) -> None:
    report = read("<a><testcase name='GET /orders'/></a>", *hints)
    assert (report.format, report.has_scenario_names) == (expected, has_scenario_names)
    assert read(CASSETTE, "schemathesis").format == "Cassette of Schemathesis"


@pytest.mark.parametrize(
    ("module", "limit", "content"),
    [
        (cases, "MAX_CASES", "ok 1 - GET /a\nok 2 - GET /b"),
        (texts, "MAX_LINES", "ok 1 - GET /a\nok 2 - GET /b"),
        (xml_reports, "MAX_ELEMENTS", "<a><testcase name='GET /a'/></a>"),
    ],
)
def test_a_report_at_a_limit_is_read(monkeypatch: pytest.MonkeyPatch, module: Any, limit: str, content: str) -> None:
    monkeypatch.setattr(module, limit, 2)
    assert read(content).cases
    monkeypatch.setattr(module, limit, 1)
    assert not read(content).cases


@pytest.mark.parametrize(("surplus", "can_be_read"), [(0, True), (1, False)])
def test_a_report_of_the_largest_size_is_read(
    monkeypatch: pytest.MonkeyPatch, surplus: int, *, can_be_read: bool
) -> None:
    content = "ok 1 - GET /orders"
    monkeypatch.setattr(report_reading, "MAX_BYTES", len(content) - surplus)
    assert bool(read(content).cases) is can_be_read


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        (" \n  a \n b", "a"),
        ("x" * (MAX_DETAIL_LENGTH - 1), "x" * (MAX_DETAIL_LENGTH - 1)),
        ("x" * MAX_DETAIL_LENGTH, "x" * MAX_DETAIL_LENGTH),
        ("x" * (MAX_DETAIL_LENGTH + 1), "x" * (MAX_DETAIL_LENGTH - 1) + "…"),
    ],
)
def test_details_are_shortened_to_a_line(text: str, expected: str) -> None:
    assert shorten(text) == expected


OPERATIONS = outline_document(
    "oas",
    {
        "openapi": "3.1.0",
        "paths": {
            "/orders": {"get": {"operationId": "listOrders"}, "post": {"operationId": "addOrder"}},
            "/health": {"get": {}},
            "/api/status": {"get": {}},
        },
    },
)


def show(*lines: str) -> ShownOperations:
    return read_shown("\n".join(lines).encode(), OPERATIONS)


@pytest.mark.parametrize(
    ("paths", "operations", "unmatched"),
    [
        (["/orders"], [GET], []),
        (["/shop/orders"], [GET], []),
        (["/shop/v1/orders", "/shop/v1/health"], [GET, HEALTH], []),
        (["/shop/v1/orders", "/shop/v2/health"], [], ["GET /shop/v1/orders", "GET /shop/v2/health"]),
        (["/shop/orders", "/shop/none"], [GET], ["GET /shop/none"]),
        # A prefix counts only if no path is in the document as it is.
        (["/orders", "/shop/health"], [GET], ["GET /shop/health"]),
        (["/api/status", "/api/orders"], ["GET /api/status"], ["GET /api/orders"]),
        (["/none"], [], ["GET /none"]),
    ],
)
def test_operations_may_be_below_a_prefix_of_all_paths(
    paths: list[str], operations: list[str], unmatched: list[str]
) -> None:
    shown = show(*(f"ok 1 - GET {path}" for path in paths))
    assert (list(shown.operations), list(shown.unmatched)) == (operations, unmatched)
    assert shown.unmatched_count == len(unmatched)
    assert shown.is_of_another_api is (bool(unmatched) and not operations)


@pytest.mark.parametrize("surplus", [0, 1])
def test_only_the_first_operations_of_another_api_are_listed(surplus: int) -> None:
    shown = show(*(f"ok 1 - GET /{number}" for number in range(MAX_UNMATCHED + surplus)))
    assert (len(shown.unmatched), shown.unmatched_count) == (MAX_UNMATCHED, MAX_UNMATCHED + surplus)


@pytest.mark.parametrize(
    ("marks", "outcome", "count"),
    [
        (["ok"], "passed", 1),
        (["ok", "skip:"], "passed", 2),
        (["skip:", "ok"], "passed", 2),
        (["skip:"], "skipped", 1),
        (["ok", "not ok"], "failed", 2),
        (["skip:", "not ok", "ok"], "failed", 3),
    ],
)
def test_the_worst_outcome_of_an_operation_counts(marks: list[str], outcome: str, count: int) -> None:
    shown = show(*(f"{mark}{'' if mark.endswith(':') else ' 1 -'} GET /orders" for mark in marks)).operations[GET]
    assert (shown.outcome.value, shown.cases) == (outcome, count)


def test_the_first_failure_is_described() -> None:
    shown = read_shown(
        b"<a><testcase name='GET /orders'/><testcase name='x of GET /health'><failure message='m'/></testcase>"
        b"<testcase name='no operation'><failure/></testcase></a>",
        OPERATIONS,
    )
    assert (shown.failures, shown.first_failure) == (2, "GET /health: m")
    unnamed = read_shown(b"<a><testcase name='none'><failure/></testcase></a>", OPERATIONS)
    assert (unnamed.failures, unnamed.first_failure) == (1, "none")
    assert unnamed.problem == "Its cases name no operation, such as GET /orders."


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("listOrders", GET),
        ("test_api[addOrder]", POST),
        ("test_api[addOrder] again", None),
        ("listOrders_Success", None),
    ],
)
def test_a_case_may_have_the_name_of_an_operation(name: str, operation: str | None) -> None:
    shown = read_shown(f"<a><testcase name='{name}'/></a>".encode(), OPERATIONS)
    assert list(shown.operations) == ([operation] if operation else [])


def test_a_stored_report_can_be_loaded() -> None:
    shown = show("ok 1 - GET /orders", "not ok 2 - GET /none")
    assert load_shown(shown.as_json()) == shown
    assert load_shown(shown.as_json().replace('"rules":', '"rule":')) is None
    assert load_shown(None) is None
