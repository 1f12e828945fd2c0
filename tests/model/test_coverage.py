"""Coverage: which operation of a document a consumer uses, and the sentence about all of them."""

import pytest

from treaty.model.provider_contracts.coverage import (
    MAX_NAMED,
    Coverage,
    OperationUse,
    OutlinedContract,
    compute_coverage,
)
from treaty.model.provider_contracts.outline import outline_document
from treaty.model.provider_contracts.shown_operations import read_shown

DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "/1.0"}, {"url": "https://example.org/shop/"}],
    "paths": {
        path: {"get": {"responses": {}}}
        for path in ("/orders", "/orders/latest", "/orders/{id}", "/orders/{id}/items/{item}", "/2024/report", "/a:run")
    },
}
OPERATIONS = outline_document("oas", DOCUMENT)


def cover(*uses: OperationUse, report: str = "", success: bool = True) -> Coverage:
    shown = read_shown(report.encode(), OPERATIONS) if report else None
    contract = OutlinedContract(
        name="", specification="oas", operations=OPERATIONS, success=success, verifier=None, shown=shown
    )
    return compute_coverage(provider="Orders", version="1", contracts=[contract], uses=uses, is_index_complete=True)


def use(name: str, consumer: str = "Shop", *, kind: str = "operation", is_verified: bool | None = None) -> OperationUse:
    return OperationUse(consumer=consumer, kind=kind, name=name, is_verified=is_verified)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("GET /orders", "GET /orders"),
        ("GET /orders/", "GET /orders"),
        ("GET //orders", "GET /orders"),
        ("GET /{id}/orders/{id}", "GET /orders/{id}"),
        ("GET /shop/orders/latest", "GET /orders/latest"),
        ("GET /orders/{any}", "GET /orders/{id}"),
        ("GET /orders/{any}/items/{id}", "GET /orders/{id}/items/{item}"),
        ("GET /{id}/report", "GET /2024/report"),
        ("GET /{any}/report", "GET /2024/report"),
        ("GET /a:run", "GET /a:run"),
        ("GET /a%20b", None),
        ("GET /a%", None),
        ("POST /orders", None),
        ("GET /orders/{id}/items", None),
        ("GET ", None),
    ],
)
def test_the_operation_that_a_consumer_uses_is_found(name: str, expected: str | None) -> None:
    coverage = cover(use(name))
    used = [covered.operation.key for covered in coverage.operations if covered.consumers]
    assert used == ([expected] if expected else [])
    assert [operation.name for operation in coverage.undocumented] == ([] if expected else [name])


def test_messages_do_not_use_operations_of_an_openapi_document() -> None:
    coverage = cover(use("GET /orders", kind="message"))
    assert not coverage.undocumented
    assert not any(covered.consumers for covered in coverage.operations)


@pytest.mark.parametrize(
    ("results", "expected"),
    [((True, True), True), ((True, None), None), ((None, True), None), ((True, False), False), ((False, None), False)],
)
def test_a_consumer_with_several_pacts_is_verified_if_all_are(
    results: tuple[bool | None, ...],
    expected: bool | None,  # noqa: FBT001 - a value, not a switch
) -> None:
    coverage = cover(*(use("GET /orders", is_verified=result) for result in results))
    (consumer,) = coverage.operations[0].consumers
    assert consumer.is_verified is expected


def report(*names: str) -> str:
    return f"<testsuite>{''.join(f'<testcase name={chr(34)}GET {name}{chr(34)}/>' for name in names)}</testsuite>"


PATHS = tuple(operation.target.path for operation in OPERATIONS if operation.target)


@pytest.mark.parametrize(
    ("uses", "tested", "expected"),
    [
        ((), ("/orders",), "1 of 6 operations exercised."),
        ((use("GET /orders"),), ("/orders",), "1 of 6 operations exercised, among them all that consumers use."),
        (
            (use("GET /orders"), use("GET /orders/{id}")),
            ("/a:run",),
            "1 of 6 operations exercised; 2 that consumers use were not: GET /orders, GET /orders/{id}.",
        ),
        (
            tuple(use(f"GET {path}") for path in PATHS),
            ("/elsewhere",),
            f"0 of 6 operations exercised; 6 that consumers use were not: GET {', GET '.join(PATHS[:5])} and 1 more.",
        ),
    ],
)
def test_the_summary_names_operations_that_are_claimed_but_not_exercised(
    uses: tuple[OperationUse, ...], tested: tuple[str, ...], expected: str
) -> None:
    assert cover(*uses, report=report(*tested)).summary == expected


def test_operations_without_evidence_are_not_counted_as_claimed_only() -> None:
    coverage = cover(use("GET /orders"), report="____ GET /orders/{id} ____\n")
    assert (coverage.is_known, coverage.claimed_only, coverage.exercised_count) == (False, [], 1)
    assert "It does not name the operations that passed." in coverage.summary


def test_messages_are_found_by_the_names_of_their_operations() -> None:
    document = {"asyncapi": "3.0.0", "operations": {"place": {"action": "receive"}, "GET /orders": {"action": "send"}}}
    contract = OutlinedContract(
        name="",
        specification="asyncapi",
        operations=outline_document("asyncapi", document),
        success=True,
        verifier=None,
        shown=None,
    )
    uses = [use("place", kind="message"), use("place"), use("GET /orders"), use("cancel", kind="message")]
    coverage = compute_coverage(provider="Orders", version="1", contracts=[contract], uses=uses, is_index_complete=True)
    assert [covered.operation.key for covered in coverage.operations if covered.consumers] == ["place"]


@pytest.mark.parametrize(("count", "end"), [(1, "GET /0."), (MAX_NAMED, "."), (MAX_NAMED + 1, " and 1 more.")])
def test_the_first_operations_that_were_not_exercised_are_named(count: int, end: str) -> None:
    document = {"openapi": "3.1.0", "paths": {f"/{number}": {"get": {}} for number in range(count + 1)}}
    operations = outline_document("oas", document)
    shown = read_shown(report(f"/{count}").encode(), operations)
    contract = OutlinedContract(
        name="", specification="oas", operations=operations, success=True, verifier=None, shown=shown
    )
    uses = [use(f"GET /{number}") for number in range(count)]
    coverage = compute_coverage(provider="Orders", version="1", contracts=[contract], uses=uses, is_index_complete=True)
    verb = "was" if count == 1 else "were"
    assert coverage.summary.startswith(
        f"1 of {count + 1} operations exercised; {count} that consumers use {verb} not: "
    )
    assert coverage.summary.endswith(end)
    assert coverage.summary.count("GET /") == min(count, MAX_NAMED)
