"""A suggestion is the existing name that a user most probably means."""

import pytest

from treaty.spelling import find_similar_names, suggest_names

NAMES = ["production", "staging-eu", "staging-us", "Test", "web-storefront", "1.4.0", "feature/login"]


@pytest.mark.parametrize(
    ("name", "similar"),
    [
        ("prod", ["production"]),
        ("Production", ["production"]),
        ("staging_eu", ["staging-eu"]),
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
    assert find_similar_names(name, NAMES) == similar


def test_several_similar_names_are_a_choice():
    assert suggest_names("staging", NAMES) == "Did you mean staging-us or staging-eu?"
    assert suggest_names("zzz", NAMES) == ""
    assert suggest_names("x", []) == ""
