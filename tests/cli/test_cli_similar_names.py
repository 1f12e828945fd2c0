"""A suggestion is the existing name that a user most probably means."""

import pytest

from treaty.cli.similar_names import find_similar, suggest

NAMES = ["production", "staging-eu", "staging-us", "Test", "web-storefront", "1.4.0", "feature/login"]


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("prod", ["production"]),
        ("Production", ["production"]),
        ("staging_eu", ["staging-eu", "staging-us"]),
        ("test", ["Test"]),
        ("web storefront", ["web-storefront"]),
        ("web-storefrnt", ["web-storefront"]),
        ("1.4.1", ["1.4.0"]),
        ("feature/logn", ["feature/login"]),
        ("qa", []),
        ("", []),
    ],
)
def test_similar_names_are_found_by_spelling_case_and_beginning(name, similar):
    assert find_similar(name, NAMES) == similar


def test_several_similar_names_are_a_choice():
    assert suggest("staging", NAMES) == "Did you mean staging-us or staging-eu?"
    assert suggest("zzz", NAMES) == ""
    assert suggest("x", []) == ""
