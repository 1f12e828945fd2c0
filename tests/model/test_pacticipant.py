"""Names of pacticipants: display names, similar names, and the branch that becomes the main branch."""

from datetime import UTC, datetime

import pytest

from treaty.model.pacticipants.pacticipants import Pacticipant, derive_display_name, is_main_branch, list_similar_names


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("foo-bar_baz", "Foo Bar Baz"),
        ("HTTPServer", "HTTP Server"),
        ("ABC", "ABC"),
        ("fooBARBaz", "Foo BAR Baz"),
        ("pact-broker.api", "Pact Broker Api"),
        ("foo--bar", "Foo -bar"),
        ("userService2", "User Service2"),
        ("  foo   bar ", "Foo Bar"),
    ],
)
def test_a_display_name_is_readable(name: str, shown: str) -> None:
    assert derive_display_name(name) == shown


@pytest.mark.parametrize(
    ("new", "existing"),
    [("Foo Service", "foo"), ("FooProvider", "foo-api"), ("foos", "foo"), ("stock-keeper", "Stock Keeper")],
)
def test_names_that_differ_in_spelling_are_similar(new: str, existing: str) -> None:
    assert list_similar_names(new, ["other", existing]) == [existing]


@pytest.mark.parametrize(("new", "existing"), [("a-b", "b-a"), ("foo.bar", "foo bar"), ("foo", "food")])
def test_names_that_differ_in_words_are_not_similar(new: str, existing: str) -> None:
    assert list_similar_names(new, [existing]) == []


@pytest.mark.parametrize(
    ("name", "main_branch", "becomes"), [("main", None, True), ("main", "trunk", False), ("feat/x", None, False)]
)
def test_a_usual_name_becomes_the_main_branch_of_a_pacticipant_without_one(
    name: str, main_branch: str | None, *, becomes: bool
) -> None:
    now = datetime.now(UTC)
    pacticipant = Pacticipant(name="Till", display_name="Till", main_branch=main_branch, created_at=now, updated_at=now)
    assert is_main_branch(name, pacticipant, ("main", "master")) is becomes
