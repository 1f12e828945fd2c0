"""The operation of a path: which templates match it, with which values, and which of them is the most specific."""

from typing import Any

import pytest

from treaty.model.compare.profiles import Switches
from treaty.model.compare.routes import Route, Router


def router(*templates: str, **switches: Any) -> Router:
    return Router([Route(template, "get", template) for template in templates], Switches(**switches))


def match(template: str, path: str, **switches: Any) -> dict[str, str] | None:
    route_match = router(template, **switches).find("GET", path)
    return None if route_match is None else dict(route_match.parameters)


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/a", "/a", {}),
        ("/a", "/A", None),
        ("/a", "/a/", None),
        ("/a", "/ab", None),
        ("/", "/", {}),
        ("/{id}", "/7", {"id": "7"}),
        ("/{id}", "/", None),
        ("/{id}", "/a/b", None),
        ("/{id}", "/a%2Fb", {"id": "a/b"}),
        ("/{id}", "/%zz", None),
        ("/{id}/x", "/7/x", {"id": "7"}),
        ("/{order-id}", "/7", {"orderid": "7"}),
        ("/a b", "/a%20b", {}),
        ("/{.id}", "/.7", {"id": "7"}),
        ("/{.id}", "/7", None),
        ("/{;id}", "/;7", {"id": "7"}),
        ("/{id}.json", "/7.json", {"id": "7"}),
        ("/{id}.json", "/7.JSON", None),
        ("/{id}.json", "/7xjson", None),
        ("/files/*", "/files/a/b", {}),
        ("/files/*", "/files/", {}),
        ("/files/*/x", "/files/a/b/x", {}),
        ("/files/*/x", "/files/a/b/y", None),
        # Several parts in one segment: each takes as much as it can.
        ("/{a}-{b}", "/1-2", {"a": "1", "b": "2"}),
        ("/{a}-{b}", "/1-2-3", {"a": "1-2", "b": "3"}),
        ("/{a}-{b}", "/1-", None),
        ("/{a}-{b}", "/1/2-3", None),
        ("/{a}{b}", "/123", {"a": "12", "b": "3"}),
        ("/{a}-{b}/{c}", "/1-2/3", {"a": "1", "b": "2", "c": "3"}),
        ("/{a}x{b}", "/1X2", None),
        ("/*/{a}", "/x/y/z", {"a": "z"}),
        ("/{a}-*", "/1-2/3-4", {"a": "1"}),
        ("/{a}-{b}$", "/1-2$", {"a": "1", "b": "2"}),
        ("/{a}-{b}$", "/1-23", None),
    ],
)
def test_a_template_matches_paths_with_values(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert match(template, path) == expected


@pytest.mark.parametrize(
    ("template", "path", "expected"),
    [
        ("/a/{id}", "/A/X", {"id": "X"}),
        ("/{id}.json", "/7.JSON", {"id": "7"}),
        ("/{a}x{b}", "/1X2", {"a": "1", "b": "2"}),
        ("/{a}x{b}", "/1Y2", None),
        ("/{a}x{b}", "/1A2", None),
    ],
)
def test_case_can_be_ignored(template: str, path: str, expected: dict[str, str] | None) -> None:
    assert match(template, path, case_insensitive=True) == expected


@pytest.mark.parametrize(
    ("switch", "template", "path", "is_match"),
    [
        ("ignore_trailing_slash", "/a", "/a/", True),
        ("ignore_trailing_slash", "/a/", "/a", True),
        ("ignore_trailing_slash", "/", "/", True),
        ("ignore_trailing_slash", "/a/b", "/a//b", False),
        ("ignore_duplicate_slashes", "/a/b", "//a///b", True),
        ("ignore_duplicate_slashes", "/a", "/a/", False),
        ("no_percent_encoding", "/100%", "/100%", True),
    ],
)
def test_slashes_and_escapes_can_be_ignored(switch: str, template: str, path: str, *, is_match: bool) -> None:
    assert (match(template, path, **{switch: True}) is not None) is is_match
    if path != template:
        assert match(template, path) is None


@pytest.mark.parametrize("is_reversed", [False, True])
@pytest.mark.parametrize(
    ("path", "templates"),
    [
        ("/a", ["/a", "/{id}", "/*"]),
        ("/a/b", ["/a/b", "/a/{id}", "/{id}/b", "/{x}/{y}", "/*"]),
        ("/a/b", ["/a/{id}", "/a/*", "/{id}/*"]),
        ("/ab", ["/a{id}", "/{id}"]),
        ("/a.json", ["/{id}.json", "/{id}*"]),
    ],
)
def test_the_most_specific_template_counts(path: str, templates: list[str], *, is_reversed: bool) -> None:
    while templates:
        route_match = router(*(reversed(templates) if is_reversed else templates)).find("GET", path)
        assert route_match
        assert route_match.operation == templates[0]
        templates = templates[1:]


def test_operations_are_found_by_their_method() -> None:
    routes = [Route("/a", method, method) for method in ("get", "PUT")]
    matches = [Router(routes, Switches()).find(method, "/a") for method in ("GET", "put", "POST")]
    assert [match and match.operation for match in matches] == ["get", "PUT", None]
