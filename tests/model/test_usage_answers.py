"""Answers about the consumers of a part of a provider, in sentences, and the terms that queries match."""

from typing import Any

import pytest

from treaty.errors import Invalid
from treaty.model.paging import Paged
from treaty.model.usage.expectations import Place
from treaty.model.usage.strictness import Strictness
from treaty.model.usage.usage import (
    ExpectedOperation,
    FormerConsumer,
    PactInUse,
    Term,
    Usage,
    UsageBasis,
    UsageQuery,
    UsedExpectation,
    UsingConsumer,
    describe_expectation,
    describe_query,
    is_name_of,
    list_pointers,
)

QUERY = UsageQuery(provider="Stock", field="price")


def pacts(*consumers: str) -> tuple[PactInUse, ...]:
    return tuple(
        PactInUse(
            consumer=name, consumer_id=1, version="1", content_id=1, environments=(), is_on_main=False, is_latest=True
        )
        for name in consumers
    )


def basis(**members: Any) -> UsageBasis:
    defaults: dict[str, Any] = {
        "pacts_in_use": 2,
        "contents": 3,
        "indexed_contents": 3,
        "waiting_pacts": (),
        "truncated_pacts": (),
        "consumers_without_pacts": (),
        "is_search_truncated": False,
    }
    return UsageBasis(**{**defaults, **members})


def usage(
    *consumers: str, former: tuple[FormerConsumer, ...] = (), suggestions: tuple[str, ...] = (), **members: Any
) -> Usage:
    users = [UsingConsumer(name=name, pacts=pacts(name), interaction_count=1) for name in consumers]
    paged = Paged(users, None, len(users))
    return Usage(query=QUERY, consumers=paged, former_consumers=former, suggestions=suggestions, basis=basis(**members))


FIELD = "the field price of Stock"
USED = f"1 consumer uses {FIELD}, according to 2 pacts in use."
UNUSED = f"No consumer uses {FIELD}, according to 2 pacts in use."
UNKNOWN = f"It is not known whether a consumer uses {FIELD}."


@pytest.mark.parametrize(
    ("answer", "verdict", "summary"),
    [
        (usage("Web"), "used", USED),
        (usage("Web", "Till"), "used", f"2 consumers use {FIELD}, according to 2 pacts in use."),
        (usage(pacts_in_use=1), "unused", f"No consumer uses {FIELD}, according to 1 pact in use."),
        (
            usage(waiting_pacts=pacts("Web")),
            "unknown",
            f"{UNKNOWN} The pact of Web 1 is not indexed yet; ask again in a moment.",
        ),
        (
            usage(truncated_pacts=pacts("Web", "Till")),
            "unknown",
            f"{UNKNOWN} The pacts of Web 1, Till 1 are too large to be indexed completely; read the pact itself.",
        ),
        (
            usage(is_search_truncated=True),
            "unknown",
            f"{UNKNOWN} The query matches too many names; make it more specific.",
        ),
        (
            usage("Web", waiting_pacts=pacts(*"abcdef")),
            "used",
            f"{USED} The pacts of a 1, b 1, c 1, d 1, e 1 and 1 more are not indexed yet; ask again in a moment.",
        ),
        (
            usage("Web", waiting_pacts=pacts(*"abcde")),
            "used",
            f"{USED} The pacts of a 1, b 1, c 1, d 1, e 1 are not indexed yet; ask again in a moment.",
        ),
        (
            usage(former=(FormerConsumer("Old", "3"), FormerConsumer("Older", "1"))),
            "unused",
            f"{UNUSED} Versions that are not in use any more did: Old 3, Older 1.",
        ),
        (
            usage(suggestions=("prices", "prize"), consumers_without_pacts=("A", "B")),
            "unused",
            f"{UNUSED} Without a pact, and therefore not covered: A, B. Did you mean prices or prize?",
        ),
        (usage("Web", suggestions=("x",)), "used", USED),
    ],
)
def test_an_answer_has_a_verdict_and_the_pacts_it_is_based_on(answer: Usage, verdict: str, summary: str) -> None:
    assert (answer.verdict.value, answer.summary) == (verdict, summary)


@pytest.mark.parametrize(
    ("members", "covers_use", "is_complete"),
    [
        ({}, True, True),
        ({"indexed_contents": 4}, True, True),
        ({"indexed_contents": 2}, True, False),
        ({"waiting_pacts": pacts("Web")}, False, False),
        ({"truncated_pacts": pacts("Web")}, False, False),
        ({"is_search_truncated": True}, False, False),
        ({"consumers_without_pacts": ("Web",)}, True, True),
    ],
)
def test_an_answer_is_complete_if_all_pacts_are_indexed(
    members: dict[str, Any], *, covers_use: bool, is_complete: bool
) -> None:
    assert (basis(**members).covers_use, basis(**members).is_complete) == (covers_use, is_complete)


@pytest.mark.parametrize(
    ("criteria", "text"),
    [
        ({"operation": "GET /a"}, "GET /a of Stock"),
        ({"pointer": "/a"}, "the body field /a of Stock"),
        ({"pointer": ""}, "the body field (the whole body) of Stock"),
        ({"state": "s", "text": "t"}, "the provider state “s” with anything that matches “t” of Stock"),
        ({"operation": "/a", "field": "f", "part": "request"}, "/a with the field f in the request of Stock"),
    ],
)
def test_a_query_is_described(criteria: dict[str, str], text: str) -> None:
    assert describe_query(UsageQuery(provider="Stock", **criteria)) == text


@pytest.mark.parametrize(
    ("criteria", "members"),
    [
        ({}, [()]),
        ({"part": "response"}, [()]),
        ({"operation": "GET /a"}, []),
        ({"operation": "/a"}, []),
        ({"operation": "a"}, [("operation",)]),
        ({"pointer": ""}, []),
        ({"pointer": "/a"}, []),
        ({"pointer": "a"}, [("pointer",)]),
        ({"text": "a"}, []),
        ({"text": "…"}, [("text",)]),
        ({"field": "a", "part": "message"}, []),
        ({"field": "a", "part": "body"}, [("part",)]),
        (
            {"operation": "a", "pointer": "a", "text": "", "part": "x"},
            [("operation",), ("pointer",), ("text",), ("part",)],
        ),
    ],
)
def test_invalid_criteria_are_named(criteria: dict[str, str], members: list[tuple[str, ...]]) -> None:
    query = UsageQuery(provider="Stock", **criteria)
    if not members:
        query.check()
        return
    with pytest.raises(Invalid) as refusal:
        query.check()
    assert [problem.path for problem in refusal.value.problems] == members


@pytest.mark.parametrize(
    ("part", "place", "is_covered"),
    [
        (None, Place.STATE, True),
        ("request", Place.REQUEST_BODY, True),
        ("request", Place.RESPONSE_BODY, False),
        ("message", Place.MESSAGE_METADATA, True),
        ("message", Place.MESSAGE, False),
    ],
)
def test_a_query_covers_its_part(part: str | None, place: Place, *, is_covered: bool) -> None:
    assert UsageQuery(provider="Stock", field="a", part=part).covers(place) is is_covered


@pytest.mark.parametrize(
    ("pointer", "names"),
    [
        ("", [""]),
        ("/a", ["/a", "/{key}"]),
        ("/*", ["/*", "/{key}"]),
        ("/-", ["/*", "/{key}"]),
        ("/0", ["/0", "/*", "/{key}"]),
        ("/²", ["/²", "/{key}"]),
        ("/a/*", ["/a/*", "/a/{key}", "/{key}/*", "/{key}/{key}"]),
    ],
)
def test_a_pointer_matches_several_names(pointer: str, names: list[str]) -> None:
    assert list_pointers(pointer) == names


def test_only_the_first_steps_of_a_pointer_are_varied() -> None:
    assert [len(list_pointers("/a" * steps)) for steps in (5, 6, 7, 9)] == [2**5, 2**6, 2**6, 2**6]


@pytest.mark.parametrize(
    ("field", "place", "name", "expected"),
    [
        ("a", Place.REQUEST_QUERY, "a", True),
        ("A", Place.REQUEST_QUERY, "a", False),
        ("b", Place.REQUEST_QUERY, "a", False),
        ("B", Place.REQUEST_HEADER, "a", False),
        ("X-Id", Place.REQUEST_HEADER, "x-id", True),
        ("x-id", Place.RESPONSE_HEADER, "x-id", True),
        ("x-i", Place.RESPONSE_HEADER, "x-id", False),
    ],
)
def test_the_names_of_headers_ignore_case(field: str, place: Place, name: str, *, expected: bool) -> None:
    assert is_name_of(field, place, name) is expected


@pytest.mark.parametrize(
    ("place", "name", "text"),
    [
        (Place.RESPONSE_BODY, "/a", "response body /a: any value of this type"),
        (Place.RESPONSE_BODY, "", "response body (the whole body): any value of this type"),
        (Place.REQUEST_QUERY, "", "request query : any value of this type"),
        (Place.DESCRIPTION, "a request", "description a request"),
    ],
)
def test_an_expectation_is_described_on_a_line(place: Place, name: str, text: str) -> None:
    assert describe_expectation(UsedExpectation(place, name, Strictness.TYPE)) == text


@pytest.mark.parametrize(
    ("place", "name", "method", "path"),
    [
        (Place.OPERATION, "GET /orders/{id} or so", "GET", "/orders/{id} or so"),
        (Place.MESSAGE, "order placed", None, "order placed"),
    ],
)
def test_the_name_of_an_operation_has_its_method_and_path(
    place: Place, name: str, method: str | None, path: str
) -> None:
    for named in (Term(1, place, name), ExpectedOperation(place, name, ())):
        assert (named.method, named.path) == (method, path)
