"""Reports of tools that test a provider: which operations of its document they have exercised, and with what outcome.

The files in the folder `reports` were recorded: two servers, one of which fails `GET /orders/{id}`, were tested with
Schemathesis 3.39 and 4.32, Dredd 14.1, Newman 6 and pytest.
"""

import json
import random
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scale import choose
from treaty.model.provider_contracts.outline import outline_document
from treaty.model.provider_contracts.reports import cases, texts, xml_reports
from treaty.model.provider_contracts.reports import reading as report_reading
from treaty.model.provider_contracts.reports.cases import Target, find_target, read_target
from treaty.model.provider_contracts.shown_operations import ShownOperations, load_shown, read_shown

FOLDER: Final = Path(__file__).parent / "reports"
OPERATIONS: Final = outline_document("oas", json.loads((FOLDER / "openapi.json").read_text()))
LIST, ADD, GET, DELETE, HEALTH = "GET /orders", "POST /orders", "GET /orders/{id}", "DELETE /orders/{id}", "GET /health"
ALL: Final = (LIST, ADD, GET, DELETE, HEALTH)


def read(content: str | bytes, *hints: str) -> ShownOperations:
    return read_shown(content.encode() if isinstance(content, str) else content, OPERATIONS, hints=hints)


def outcomes(shown: ShownOperations) -> dict[str, str]:
    return {key: operation.outcome.value for key, operation in shown.operations.items()}


ALL_PASSED: Final = dict.fromkeys(ALL, "passed")
ONE_FAILED: Final = {**ALL_PASSED, GET: "failed"}
EXAMPLES: Final = {ADD: "passed", GET: "failed", DELETE: "passed"}
SKIPPED: Final = {**EXAMPLES, LIST: "skipped", HEALTH: "skipped"}

RECORDED: Final = [
    ("schemathesis-4-passed.txt", "text", ALL_PASSED, ""),
    ("schemathesis-4-failed.txt", "text", ONE_FAILED, ""),
    ("schemathesis-4-passed.xml", "JUnit XML", ALL_PASSED, ""),
    ("schemathesis-4-failed.xml", "JUnit XML", SKIPPED, "ST101 Server error"),
    ("schemathesis-4-failed.ndjson", "NDJSON of Schemathesis", SKIPPED, "Server error"),
    ("schemathesis-4-failed.yaml", "Cassette of Schemathesis", EXAMPLES, "Server error"),
    ("schemathesis-4-failed.har", "HAR", {**EXAMPLES, ADD: "exercised", DELETE: "exercised"}, "The status is 500."),
    ("schemathesis-3-passed.txt", "text", ALL_PASSED, ""),
    ("schemathesis-3-failed.txt", "text", ONE_FAILED, ""),
    ("schemathesis-3-failed.xml", "JUnit XML", ONE_FAILED, "Server error"),
    ("schemathesis-3-failed.yaml", "Cassette of Schemathesis", ONE_FAILED, "Server error"),
    ("dredd-failed.txt", "text", ONE_FAILED, ""),
    ("dredd-failed.md", "text", ONE_FAILED, ""),
    ("dredd-failed.xml", "JUnit XML", ONE_FAILED, "body: At '/id' Missing required property: id"),
    (
        "newman-failed.json",
        "Newman",
        {LIST: "passed", GET: "failed", HEALTH: "exercised"},
        "expected response to have status code 200 but got 500",
    ),
    # Its names are those of the requests, of which one is an operation.
    ("newman-failed.xml", "JUnit XML", {GET: "failed"}, "expected response to have status code 200 but got 500"),
    ("pytest.xml", "JUnit XML", {DELETE: "skipped"}, ""),
]


@pytest.mark.parametrize(("name", "format_name", "expected", "detail"), RECORDED, ids=[row[0] for row in RECORDED])
def test_recorded_reports_are_read(name: str, format_name: str, expected: dict[str, str], detail: str) -> None:
    shown = read((FOLDER / name).read_bytes())
    assert (shown.format, shown.problem, outcomes(shown)) == (format_name, None, expected)
    assert not shown.unmatched
    if GET in expected and expected[GET] == "failed":
        assert (shown.operations[GET].detail, shown.failures) == (detail, 1)


@pytest.mark.parametrize("name", ["schemathesis-4-partial.txt", "pytest.txt"])
def test_output_that_names_failures_only_has_the_problem_that_passes_are_unknown(name: str) -> None:
    shown = read((FOLDER / name).read_bytes())
    assert (outcomes(shown)[GET], shown.problem) == ("failed", "It does not name the operations that passed.")


def test_the_output_of_schemathesis_counts_only_if_it_is_about_as_many_operations() -> None:
    shown = read_shown((FOLDER / "schemathesis-4-passed.txt").read_bytes(), OPERATIONS[:4])
    assert (shown.operations, shown.problem) == ({}, "It does not name the operations that passed.")


DRIFT_TABLE: Final = """\
─[ Summary ]──────────────────────────────
Executed 4 operations (2 passed, 1 failed, 1 skipped)
┌──────────────┬────────────────────┬──────────────────────────────┬─────────┐
│ Testcase     ┆ Operation          ┆ Target                       ┆ Result  │
╞══════════════╪════════════════════╪══════════════════════════════╪═════════╡
│ Orders       ┆ listOrders_Success ┆ orders-oas:listOrders        ┆ OK      │
├╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┼╌╌╌╌╌╌╌╌╌┤
│              ┆ getOrder_NotFound  ┆ orders-oas:get:/orders/{id}  ┆ FAILED  │
│              ┆ createOrder        ┆ orders-oas:createOrder       ┆ SKIPPED │
└──────────────┴────────────────────┴──────────────────────────────┴─────────┘
"""


def ctrf(*tests: dict[str, Any]) -> str:
    return json.dumps({"reportFormat": "CTRF", "results": {"tool": {"name": "x"}, "tests": list(tests)}})


def junit(*names: str, **attributes: str) -> str:
    more = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<testsuites><testsuite {more}>{''.join(f'<testcase {name}/>' for name in names)}</testsuite></testsuites>"


WRITTEN: Final = {
    "Drift": (DRIFT_TABLE, "drift", {LIST: "passed", GET: "failed", ADD: "skipped"}),
    "JUnit XML of Drift": (
        junit('name="listOrders_Success"', 'name="getOrder_NotFound"', 'name="orders-oas:createOrder"'),
        "application/vnd.smartbear.drift.result",
        {LIST: "passed", GET: "passed", ADD: "passed"},
    ),
    "CTRF": (
        ctrf(
            {"name": "GET /orders", "status": "passed", "steps": [{"name": "GET /health", "status": "passed"}]},
            {"name": "answers 404", "suite": ["Orders", "GET /orders/{id}"], "status": "failed", "message": "500"},
            {"name": "createOrder", "status": "skipped"},
            {"name": "DELETE /orders/7", "status": "other"},
        ),
        "",
        {LIST: "passed", GET: "failed", ADD: "skipped", DELETE: "skipped"},
    ),
    "JUnit XML, names of many kinds": (
        junit(
            'name="GET_/orders"',
            'name="test_api[POST /orders]"',
            'name="returns 200" classname="GET /orders/{id}"',
            'name="DELETE (204) http://localhost:8080/v1/orders/7?force=1"',
            'name="Orders &gt; /health &gt; Is it up? &gt; GET &gt; 200"',
        ),
        "",
        ALL_PASSED,
    ),
    "JUnit XML, names of suites": (junit('name="Status is 200"', name="GET /orders/:id"), "", {GET: "passed"}),
    "JUnit XML, retries": (
        junit("name='GET /orders'><rerunFailure/></testcase><testcase name='GET /health'><error/></testcase><a"),
        "",
        {LIST: "passed", HEALTH: "failed"},
    ),
    "Jest": (
        json.dumps(
            {
                "testResults": [
                    {"assertionResults": [{"fullName": "orders GET /orders lists them", "status": "passed"}]},
                    {"assertionResults": [{"title": "GET /orders/{id}", "status": "failed", "failureMessages": ["x"]}]},
                ]
            }
        ),
        "",
        {LIST: "passed", GET: "failed"},
    ),
    "an unknown tool": (
        json.dumps([{"request": {"method": "get", "url": "http://h/v1/orders/1"}, "success": True, "items": [{}]}]),
        "",
        {GET: "passed"},
    ),
    "Mocha": ("  Orders\n    ✓ GET /orders (15ms)\n    1) GET /orders/{id}\n", "", {LIST: "passed", GET: "failed"}),
    "TAP": ("1..2\nok 1 - GET /orders\nnot ok 2 - GET /orders/7\n", "", {LIST: "passed", GET: "failed"}),
    "Go": (
        "--- PASS: TestOrders/GET_/orders (0.0s)\n--- FAIL: TestOrders/GET_/health (0.0s)\n",
        "",
        {LIST: "passed", HEALTH: "failed"},
    ),
    "Schemathesis 3, its progress": (
        "GET /orders .    [ 33%]\nGET /orders/{id} .F   [ 66%]\nGET /health S   [100%]\n",
        "",
        {LIST: "passed", GET: "failed", HEALTH: "skipped"},
    ),
    "pytest-xdist": (
        "[gw0] [ 50%] PASSED tests/a.py::t[GET /orders]\n[gw1] [100%] FAILED tests/a.py::t[GET /health]\n",
        "",
        {LIST: "passed", HEALTH: "failed"},
    ),
    "below the path of a gateway": (
        json.dumps(
            {
                "log": {
                    "entries": [
                        {"request": {"method": "GET", "url": f"https://h/api/shop{path}"}, "response": {"status": 200}}
                        for path in ("/orders/7", "/health")
                    ]
                }
            }
        ),
        "",
        {GET: "exercised", HEALTH: "exercised"},
    ),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_reports_of_other_tools_are_read(case: str) -> None:
    content, hint, expected = WRITTEN[case]
    shown = read(content, hint)
    assert (outcomes(shown), shown.problem) == (expected, None)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(0, "failed"), (1, "exercised"), (404, "exercised"), (499, "exercised"), (500, "failed"), (599, "failed")],
)
def test_a_recorded_exchange_fails_without_an_answer_or_by_a_fault_of_the_server(status: int, outcome: str) -> None:
    entry = {"request": {"method": "GET", "url": "http://h/health"}, "response": {"status": status}}
    assert outcomes(read(json.dumps({"log": {"entries": [entry]}}))) == {HEALTH: outcome}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_api[GET /orders/{id}]", Target("GET", "/orders/{id}")),
        ("test_api[GET /orders/{id}][positive]", Target("GET", "/orders/{id}")),
        ("should GET /orders, if asked", Target("GET", "/orders")),
        ("get:/orders/{id}", Target("GET", "/orders/{id}")),
        ("[PATCH] /orders/%7Bid%7D?x=1", Target("PATCH", "/orders/{id}")),
        ("GET /orders?x=1?y#z", Target("GET", "/orders")),
        ("OPTIONS /a(1)", Target("OPTIONS", "/a(1)")),
        ("(GET /a)", Target("GET", "/a")),
        ("budget /a", None),
        ("GETS /a", None),
        ("GET a", None),
        ("/orders > GET > 200", Target("GET", "/orders")),
    ],
)
def test_operations_are_found_in_names(name: str, expected: Target | None) -> None:
    assert find_target(name) == expected


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        ("get", "/orders?x=/a#b", Target("GET", "/orders")),
        ("GET", "HTTP://h:80/orders#a?b", Target("GET", "/orders")),
        ("GET", "https://h/go/http://other/a", Target("GET", "/go/http://other/a")),
        ("GET", "https://h?x=1", Target("GET", "/")),
        ("GET", "https://h", Target("GET", "/")),
        ("GET", "orders", None),
        ("FETCH", "/orders", None),
        (None, "/orders", None),
        ("GET", {"raw": "/orders"}, None),
    ],
)
def test_the_operation_of_a_request_follows_from_its_method_and_url(
    method: object, url: object, expected: Target | None
) -> None:
    assert read_target(method, url) == expected


BOMB: Final = (
    '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<testsuite><testcase name='GET /orders'>&b;</testcase></testsuite>"
)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "It is empty."),
        (" \n", "It is empty."),
        (BOMB, "It is XML with a document type declaration, which is refused since it can define entities."),
        ("<testsuite><testcase name='GET /orders'>", "It is not well-formed XML."),
        ("<?xml version='1.0' encoding='nonsense'?><a/>", "It is not well-formed XML."),
        ("<html><body/></html>", "It is XML, but not JUnit XML: it has no test cases."),
        ("[" * 100_000, "No line of it names an operation with an outcome."),
        ('{"a": [{"status": "passed"}]}', "It is JSON without test cases that have a name and an outcome."),
        ('{"Initialize": {}}\n{"b": 1}\n', "It has JSON on its lines, but no finished scenario of Schemathesis."),
        ("http_interactions:\n", "It is a cassette without requests."),
        (b"\x1f\x8b\x08\x00binary", "No line of it names an operation with an outcome."),
        ("curl -X GET http://localhost/orders", "No line of it names an operation with an outcome."),
    ],
)
def test_a_report_that_cannot_be_read_has_a_reason(content: str | bytes, problem: str) -> None:
    shown = read(content)
    assert (shown.format, shown.problem, shown.operations) == (None, problem, {})


def test_reports_have_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    report = junit('name="GET /orders"', 'name="GET /health"', 'name="POST /orders"')
    monkeypatch.setattr(cases, "MAX_CASES", 2)
    assert read(report).problem == "It has too many cases."
    monkeypatch.setattr(xml_reports, "MAX_ELEMENTS", 3)
    assert read("<a>" * 20).problem == "It has too many cases."
    monkeypatch.setattr(report_reading, "MAX_BYTES", 10)
    assert read(report).problem == "It is larger than 16 MB."
    monkeypatch.setattr(texts, "MAX_LINES", 1)
    assert read("a\nb").problem == "It has more than 1 lines."


def test_several_cases_of_an_operation_have_the_worst_outcome() -> None:
    report = junit('name="GET /orders"', 'name="GET /v1/orders"').replace(
        "</testsuite>",
        "<testcase name='GET /orders'><error message='boom'/></testcase>"
        "<testcase name='GET /health'><skipped/></testcase><testcase name='GET /health'/></testsuite>",
    )
    shown = read(report)
    assert outcomes(shown) == {LIST: "failed", HEALTH: "passed"}
    assert (shown.operations[LIST].cases, shown.operations[LIST].detail, shown.failures) == (3, "boom", 1)


def test_a_name_of_several_operations_is_ignored() -> None:
    document = {
        "openapi": "3.1.0",
        "paths": {f"/{name}": {"get": {"operationId": "same", "responses": {}}} for name in "ab"},
    }
    assert not read_shown(junit('name="same"').encode(), outline_document("oas", document)).operations


@pytest.mark.parametrize("document", [{}, {"openapi": "3.1.0", "paths": {"x": {"get": {"summary": 1}}, "/a": None}}])
def test_any_document_has_an_outline(document: dict[str, Any]) -> None:
    assert outline_document("asyncapi", document) == ()
    assert [operation.key for operation in outline_document("oas", document)] == (["GET x"] if document else [])


HOSTILE_LINES: Final = [
    "GET /" + "a" * 50_000,
    "_" * 50_000 + " GET /a " + "_" * 50_000,
    "GET /a " + ". " * 20_000 + "[ 50%]",
    "GET " * 20_000 + "/a PASSED",
    "/ > " * 20_000 + "GET PASSED",
    "pass" * 20_000 + "/",
    "│┆" * 20_000,
]


@pytest.mark.parametrize("index", range(len(HOSTILE_LINES)))
def test_long_lines_are_read_quickly_and_never_raise(index: int) -> None:
    lines = [HOSTILE_LINES[index], HOSTILE_LINES[index][:1900]]
    read("\n".join(lines * 20))
    read(junit(f'name="{HOSTILE_LINES[index]}"'))
    read(ctrf({"name": HOSTILE_LINES[index], "status": "failed", "message": HOSTILE_LINES[index]}))


SOURCES: Final = [(FOLDER / row[0]).read_bytes() for row in RECORDED] + [row[0].encode() for row in WRITTEN.values()]
PIECES: Final = (
    b"<",
    b'"',
    b"{}",
    b"[",
    b"null",
    b"\n",
    b"\xff",
    b"GET /orders",
    b"</testcase>",
    b"1e999",
    b"\0",
    b"}",
)


def mutate(content: bytes, seed: int) -> bytes:
    """Cut, repeat and replace parts of a report."""
    chance = random.Random(seed)  # noqa: S311 - the seed repeats a case
    for _ in range(chance.randint(1, 8)):
        start = chance.randrange(len(content) + 1)
        end = min(len(content), start + chance.randrange(60))
        piece = chance.choice((*PIECES, content[start:end] * 2, content[end : end + 40]))
        content = content[:start] + piece + content[end:]
    return content


@given(st.integers(0, len(SOURCES) - 1), st.integers(0, 2**32))
@settings(max_examples=choose(30, slow=120, long=20_000), deadline=None)
def test_mutated_reports_never_raise_and_survive_storage(index: int, seed: int) -> None:
    shown = read(mutate(SOURCES[index], seed), "drift" if seed % 3 == 0 else "dredd")
    assert load_shown(shown.as_json()) == shown
    assert (shown.format is None) <= (shown.problem is not None)
    assert set(shown.operations) <= set(ALL)
