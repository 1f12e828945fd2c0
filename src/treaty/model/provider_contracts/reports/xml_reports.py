"""Reports in JUnit XML, which nearly every tool can write (xunit in Dredd)."""

import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, iterparse

from treaty.model.provider_contracts.reports.cases import Case, Outcome, Report, TooManyCases, build_case, collect

MAX_ELEMENTS: Final = 500_000
"""Elements that are examined."""
_NOT_JUNIT: Final = "It is XML, but not JUnit XML: it has no test cases."
_BROKEN: Final = "It is not well-formed XML."
_DECLARATIONS: Final = "It is XML with a document type declaration, which is refused since it can define entities."
_FAILURES: Final = ("failure", "error")


def read_junit(content: bytes) -> Report:
    """Read JUnit XML. Raises TooManyCases."""
    try:
        cases = collect(_read_cases(content))
    except DefusedXmlException:
        return Report(format=None, problem=_DECLARATIONS)
    except (ParseError, ValueError, LookupError):
        # An unknown encoding is a LookupError or ValueError.
        return Report(format=None, problem=_BROKEN)
    if not cases:
        return Report(format=None, problem=_NOT_JUNIT)
    return Report(format="JUnit XML", cases=cases)


def _read_cases(content: bytes) -> Iterator[Case | None]:
    suites: list[str] = []
    events = iterparse(BytesIO(content), events=("start", "end"), forbid_dtd=True)
    for number, (event, element) in enumerate(events):
        if number > 2 * MAX_ELEMENTS:
            raise TooManyCases
        name = _local_name(element)
        if name == "testsuite":
            if event == "start":
                suites.append(element.get("name", ""))
            else:
                suites.pop()
                element.clear()
        elif name == "testcase" and event == "end":
            yield _read_case(element, suites)
            element.clear()


def _local_name(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _read_case(element: Any, suites: list[str]) -> Case | None:
    children = {_local_name(child): child for child in reversed(element)}
    failure = next((children[name] for name in _FAILURES if name in children), None)
    names = (element.get("name", ""), element.get("classname", ""), *reversed(suites))
    if failure is not None:
        return build_case(names, Outcome.FAILED, detail=_read_detail(failure))
    is_skipped = "skipped" in children or element.get("status") in {"skipped", "notrun", "disabled"}
    return build_case(names, Outcome.SKIPPED if is_skipped else Outcome.PASSED)


# Schemathesis begins with the identifier of a test case, followed by the checks that failed.
_FAILED_CHECK: Final = re.compile(r"Test Case ID: \S{1,50}\s{1,10}- ([^\n]{1,200}?)(?:\s{2}|\n|$)")


def _read_detail(failure: Any) -> str:
    message, text = failure.get("message", ""), failure.text or ""
    check = _FAILED_CHECK.search(message[:_MAX_EXAMINED]) or _FAILED_CHECK.search(text[:_MAX_EXAMINED])
    # Dredd has no attribute, and a heading.
    return check[1] if check else message or text.strip().removeprefix("Message:")


_MAX_EXAMINED: Final = 1000
