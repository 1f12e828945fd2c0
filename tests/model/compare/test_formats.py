"""Which texts and numbers fit the formats that documents name."""

from typing import Any

import pytest

from tests.model.compare.http_cases import NUMBER, TEXT, response_case, thing

FITTING: dict[str, list[Any]] = {
    "byte": ["", "YQ==", "YWI=", "YWJj", "YWJjZA=="],
    "iso-time": ["00:00:00", "23:59:59", "12:30:00Z", "12:30:00z", "23:59:60Z", "12:30:00.5", "12:30:00+23:59"],
    "iso-date-time": ["2026-02-28T12:30:00Z", "2026-02-28 12:30:00", "2024-02-29t23:59:59-01"],
    "url": ["http://x", "https://example.org/a?b#c", "HTTP://EXAMPLE.ORG", "ftp://files.example.org/a"],
    "json-pointer-uri-fragment": ["#", "#/", "#/a/0", "#/a~0b/c~1d", "#/%20"],
    "date": ["2026-02-28", "2024-02-29"],
    "int32": [0, -(2**31), 2**31 - 1, 12.0],
    "int64": [0, 2**31, -(2**31) - 1, 12.0],
}
OTHERS: dict[str, list[Any]] = {
    "byte": ["a", "ab", "YQ=", "YQ", "Y Q==", "Y-_=", "=", "YQ==="],
    "iso-time": [
        "24:00:00",
        "12:60:00",
        "12:30:61",
        "12:30",
        "1:30:00",
        "12:30:00+24:00",
        "12:30:00+01:60",
        "12:30:00 ",
    ],
    "iso-date-time": [
        "2026-02-28",
        "2026-02-30T12:30:00Z",
        "2026-2-28T12:30:00Z",
        "T12:30:00Z",
        "2026-02-28T12:30:00T",
        "",
    ],
    "url": ["", "x", "mailto:a@b", "file:///a", "http://", "http://a b", "http://[", "//x"],
    "json-pointer-uri-fragment": ["", "/a", "#a", "#/~2", "#/a b", "#/%2"],
    "date": ["2026-02-30", "2026-2-28", "20260228", "28.02.2026"],
    "int32": [2**31, -(2**31) - 1, 12.5],
    "int64": [12.5],
}


@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        (name, value, table is FITTING)
        for table in (FITTING, OTHERS)
        for name, values in table.items()
        for value in values
    ],
)
def test_a_value_fits_a_format(name: str, value: Any, *, fits: bool) -> None:
    schema = {**(TEXT if isinstance(value, str) else NUMBER), "format": name}
    case = response_case(name, thing(value=schema), {"value": value})
    assert [finding.code for finding in case.compare().findings] == ([] if fits else ["response.body.incompatible"])


@pytest.mark.parametrize("name", ["int32", "int64"])
@pytest.mark.parametrize("value", [True, "x", None, []])
def test_formats_of_numbers_do_not_apply_to_other_values(name: str, value: Any) -> None:
    case = response_case(name, thing(value={"format": name}), {"value": value}, version="3.1.0")
    assert case.compare().is_compatible
