"""The texts of badges."""

import pytest

from treaty.model.decisions.badges import (
    Badge,
    BadgeNames,
    BadgePact,
    BadgeResult,
    abbreviate,
    build_deployment_badge,
    build_merge_badge,
    build_pact_badge,
)

NAMES = BadgeNames(consumer="Foo-App", provider="Bar_Thing Api")
PACT = BadgePact(version="1", revision=2, sha="a")


def result(sha: str = "a", *, success: bool = True, pending: bool | None = None) -> BadgeResult:
    return BadgeResult(sha=sha, provider_version="10", number=101, success=success, was_pending=pending)


@pytest.mark.parametrize(
    ("pact", "found", "right", "colour"),
    [
        (PACT, result(), "verified", "brightgreen"),
        (PACT, result("b"), "changed", "orange"),
        (PACT, result("A"), "changed", "orange"),
        (PACT, result(success=False), "failed", "red"),
        (PACT, result("b", success=False, pending=True), "failed (pending)", "red"),
        (PACT, result(pending=True), "verified", "brightgreen"),
        (PACT, None, "unknown", "lightgrey"),
        (None, None, "unknown", "lightgrey"),
    ],
)
def test_a_badge_has_the_text_and_colour_of_the_latest_result(
    pact: BadgePact | None, found: BadgeResult | None, right: str, colour: str
) -> None:
    badge = build_pact_badge(NAMES, pact, found)
    assert (badge.right, badge.colour) == (right, colour)


@pytest.mark.parametrize(
    ("names", "left"),
    [
        (NAMES, "foo-app/bar_thing api pact"),
        (BadgeNames(consumer="Foo-App", provider="Bar", label="Consumer"), "foo-app pact"),
        (BadgeNames(consumer="Foo-App", provider="Bar", label="provider"), "bar pact"),
        (BadgeNames(consumer="Foo-App", provider="Bar", label="both"), "foo-app/bar pact"),
        (BadgeNames(consumer="Foo-App", provider="Bar_Thing Api", has_initials=True), "fa/bta pact"),
        (
            BadgeNames(consumer="Foo", provider="Bar", consumer_tag="dev", provider_tag="Prod"),
            "foo (dev)/bar (prod) pact",
        ),
    ],
)
def test_a_badge_has_the_requested_form_of_the_names(names: BadgeNames, left: str) -> None:
    assert build_pact_badge(names, PACT, None).left == left


def test_a_missing_pact_is_not_named() -> None:
    assert build_pact_badge(NAMES, None, None).left == "pact not found"


@pytest.mark.parametrize(
    ("name", "short"),
    [("Foo-App", "FA"), ("Bar_Thing Api", "BTA"), ("FooBarService", "FBS"), ("Foo", "Foo"), ("foo", "foo")],
)
def test_initials_are_of_several_words_only(name: str, short: str) -> None:
    assert abbreviate(name) == short


def test_the_comment_of_an_image_names_the_versions_and_the_result() -> None:
    assert (
        build_pact_badge(NAMES, PACT, result()).comment
        == "Foo-App version 1 revision 2 Bar_Thing Api version 10 number 101"
    )
    assert (
        build_pact_badge(NAMES, None, None).comment == "Foo-App version ? revision ? Bar_Thing Api version ? number ?"
    )


@pytest.mark.parametrize(("deployable", "colour"), [(True, "brightgreen"), (False, "red"), (None, "red")])
def test_only_a_yes_is_green(deployable: bool | None, colour: str) -> None:  # noqa: FBT001 - a column of the table
    assert build_deployment_badge("dev to prod", deployable=deployable, label=None) == Badge(
        left="can-i-deploy", right="dev to prod", colour=colour
    )


@pytest.mark.parametrize(("deployable", "right"), [(True, "success"), (False, "failed"), (None, "unknown")])
def test_merging_may_be_unknown(deployable: bool | None, right: str) -> None:  # noqa: FBT001 - as above
    assert build_merge_badge(deployable=deployable).right == right
