"""Templates that divide a path in several ways, such as `/{a}-{b}`: each part takes as much as it can."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.model.compare.documents import Document
from treaty.model.compare.engine import compare
from treaty.model.compare.findings import Comparison
from treaty.model.compare.profiles import Profile

PARTS = st.sampled_from(["{}", "{}", "*", "-", "a", "/"])
TEMPLATES = st.lists(PARTS, min_size=1, max_size=7).map("".join)
PATHS = st.text(alphabet="ab-/", max_size=8).map("/{}".format)


def compare_path(template: str, path: str, values: dict[str, str]) -> Comparison:
    """Compare a request for a path with a document in which each parameter has one value only."""
    parameters: list[Any] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": [value]}}
        for name, value in values.items()
    ]
    operation = {"parameters": parameters, "responses": {"200": {"description": "fine"}}}
    document = {"openapi": "3.0.3", "info": {"title": "Paths", "version": "1"}, "paths": {template: {"get": operation}}}
    interaction = {"description": "a", "request": {"method": "GET", "path": path}, "response": {"status": 200}}
    pact = {"interactions": [interaction], "metadata": {"pactSpecification": {"version": "2.0.0"}}}
    return compare(pact, [Document("paths", "oas", document)], Profile.REFERENCE)


@given(TEMPLATES, PATHS)
def test_the_parts_of_a_path_are_those_of_a_greedy_regular_expression(form: str, path: str) -> None:
    names = [f"p{number}" for number in range(form.count("{}"))]
    template = "/" + form.format(*(f"{{{name}}}" for name in names))
    pattern = "/" + "".join({"{": "([^/]+)", "}": "", "*": ".*"}.get(character, character) for character in form)
    match = re.fullmatch(re.sub(r"(\.\*)+", ".*", pattern), path)
    values = dict(zip(names, match.groups() if match else names, strict=True))
    assert (compare_path(template, path, values).findings == ()) is (match is not None)


@pytest.mark.parametrize("separator", ["", "-", "a"])
@pytest.mark.parametrize("part", ["{{p{number}}}", "*"])
def test_a_long_path_that_fits_nearly_does_not_take_long(part: str, separator: str) -> None:
    template = "/" + separator.join(part.format(number=number) for number in range(40)) + "!"
    assert not compare_path(template, "/" + "a-" * 1000, {}).is_compatible
