"""The media type that fits a header best."""

import pytest

from treaty.model.compare.media_types import FORM, JSON, MULTIPART, best_match, can_be_validated

HAL, TEXT, PNG = "application/hal+json", "text/plain", "image/png"


@pytest.mark.parametrize(
    ("header", "available", "expected"),
    [
        (JSON, [TEXT, JSON], JSON),
        (JSON, [TEXT], None),
        (JSON, [], None),
        ("Application/JSON ; charset=utf-8", [TEXT, JSON], JSON),
        (JSON, [TEXT, "Application/JSON; charset=utf-8"], "Application/JSON; charset=utf-8"),
        # Parameters first, then types that differ by parameters, then those with the same suffix, then wildcards.
        (f"{JSON};v=2", [JSON, f"{JSON};v=1", f"{JSON};v=2"], f"{JSON};v=2"),
        (f"{JSON};v=2", ["application/*", HAL, f"{JSON};v=1"], f"{JSON};v=1"),
        (JSON, ["*/*", "application/*", HAL], HAL),
        (HAL, ["*/*", "application/*", JSON], JSON),
        (JSON, ["text/*", "*/*", "application/*"], "application/*"),
        (JSON, ["text/*", "*/*"], "*/*"),
        ("application/*", [TEXT, JSON, HAL], JSON),
        ("text/*", [JSON, PNG], None),
        ("*/*", [TEXT, JSON], TEXT),
        ("*/*, image/*", [TEXT, PNG], PNG),
        ("audio/*", ["video/mp4", "audio/ogg", "text/x"], "audio/ogg"),
        ("x/*", ["a/x", "z/x"], None),
        ("x/y", ["y/*"], None),
        # Quality, which is 1 by default; of equals, the first one.
        (f"{TEXT};q=0.5, {JSON}", [TEXT, JSON], JSON),
        (f"{TEXT};q=1, {JSON}", [JSON, TEXT], TEXT),
        (f"{TEXT}, {JSON};q=1.0", [JSON, TEXT], TEXT),
        (f"{TEXT};q=0.1, {JSON};q=0.9, {PNG};q=0.5", [TEXT, PNG, JSON], JSON),
        (f"{TEXT};q=1, {JSON};q=0.5", [JSON, TEXT], TEXT),
        # Without a slash, there is no subtype.
        ("json", ["text", JSON], None),
        ("json", ["json"], "json"),
        ("a/b/c", ["a/b"], "a/b"),
    ],
)
def test_the_best_available_type_is_chosen(header: str, available: list[str], expected: str | None) -> None:
    assert best_match(header, available) == expected


@pytest.mark.parametrize("media_type", [JSON, HAL, FORM, f"{MULTIPART}; boundary=x", "*/*"])
def test_json_and_forms_can_be_validated(media_type: str) -> None:
    assert can_be_validated(media_type)


@pytest.mark.parametrize("media_type", [TEXT, "text/json", "application/xml", ""])
def test_other_types_cannot(media_type: str) -> None:
    assert not can_be_validated(media_type)


def test_multipart_forms_can_be_left_out() -> None:
    assert not can_be_validated(MULTIPART, multipart=False)
    assert can_be_validated(FORM, multipart=False)
