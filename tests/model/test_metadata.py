"""Metadata in the URLs of pacts for verification: which selectors chose the pact."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model.decisions.metadata import Metadata, SelectedBy, decode_segment, encode, parse_query
from treaty.web.http.queries import parse_leniently

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
TEXTS = st.none() | NAMES
IDS = st.none() | st.integers(0, 999_999_999)
SELECTED_BY = st.builds(
    SelectedBy,
    branch=NAMES,
    tag=TEXTS,
    is_latest=st.booleans(),
    environment=TEXTS,
    version_id=IDS,
)
METADATA = st.builds(
    Metadata,
    version_number=TEXTS,
    version_id=IDS,
    tags=st.lists(NAMES, max_size=3).map(tuple),
    is_wip=st.booleans(),
    is_pending=st.none() | st.booleans(),
    selected_by=st.lists(SELECTED_BY, max_size=1).map(tuple),
)


def read(text: str) -> Metadata:
    return parse_query(parse_leniently(text))


def segment(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


@given(METADATA)
def test_metadata_encoded_in_a_url_is_read_unchanged(metadata):
    assert read(decode_segment(encode(metadata))) == metadata


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (Metadata(version_number="1 2", tags=("a", "b"), version_id=7), "cvn=1+2&cvt%5B%5D=a&cvt%5B%5D=b&cv=7"),
        (Metadata(is_wip=True, is_pending=True), "w=true&p=true"),
        (Metadata(is_pending=False), "p=false"),
        (
            Metadata(selected_by=(SelectedBy(branch="b", tag="t", is_latest=True, environment="e", version_id=3),)),
            "s%5B%5D%5Bb%5D=b&s%5B%5D%5Bt%5D=t&s%5B%5D%5Bl%5D=true&s%5B%5D%5Be%5D=e&s%5B%5D%5Bcv%5D=3",
        ),
        (Metadata(), ""),
    ],
)
def test_metadata_is_written_like_the_originals(metadata, text):
    assert decode_segment(encode(metadata)) == text


@pytest.mark.parametrize("text", ["", "a", "ab", "abc", "abcd", "~~~???", "ü"])
def test_both_alphabets_are_read_with_and_without_padding(text):
    for encoded in (base64.b64encode(text.encode()).decode(), segment(text)):
        assert decode_segment(encoded) == decode_segment(encoded.rstrip("=")) == text


@pytest.mark.parametrize("damaged", ["a", "_w", "é"])
def test_a_damaged_segment_is_decoded_as_empty(damaged):
    assert decode_segment(damaged) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cv=999999999", Metadata(version_id=999_999_999)),
        ("cv=1000000000", Metadata()),
        ("cv=10000000000", Metadata()),
        ("cv=-1", Metadata()),
        ("cv=%D9%A1", Metadata()),  # a digit, but not one of ASCII
        ("cv=x", Metadata()),
        ("cv[]=1", Metadata()),
        ("cvn=", Metadata()),
        ("cvn[]=1", Metadata()),
        ("cvt=a", Metadata()),
        ("cvt[][a]=1", Metadata()),
        ("s=a", Metadata()),
        ("s[]=a", Metadata()),
        ("w=yes", Metadata()),
        ("w=TRUE", Metadata()),
        ("p=yes", Metadata()),
        ("p[]=true", Metadata()),
        ("s[][l]=yes", Metadata(selected_by=(SelectedBy(),))),
        ("s[][b]=&s[][cv]=x", Metadata(selected_by=(SelectedBy(),))),
    ],
)
def test_values_of_another_kind_are_ignored(text, expected):
    assert read(text) == expected


def test_each_version_is_named_once():
    selected_by = tuple(SelectedBy(version_id=number) for number in (3, None, 1, 3, 2))
    assert Metadata(version_id=1, selected_by=selected_by).version_ids == (1, 3, 2)
    assert Metadata(selected_by=selected_by).version_ids == (3, 1, 2)


@pytest.mark.parametrize(
    ("text", "is_pending"), [("p=true", True), ("p=false", False), ("p=yes", None), ("p[]=true", None), ("", None)]
)
def test_whether_a_pact_was_pending_is_read(text: str, *, is_pending: bool | None) -> None:
    assert read(text).is_pending is is_pending
    assert read(decode_segment(encode(Metadata(is_pending=is_pending)))) == Metadata(is_pending=is_pending)
