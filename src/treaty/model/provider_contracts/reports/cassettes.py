"""Requests that Schemathesis has recorded as a VCR cassette.

It is YAML, which takes seconds to parse. Schemathesis writes each member on a line of its own, so the lines are enough.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from treaty.model.provider_contracts.reports.cases import Case, Outcome, Report, collect, read_outcome, read_target

_HEAD_LENGTH: Final = 20_000
_START: Final = re.compile(r"^http_interactions:\s*$", re.MULTILINE)
_ITEM: Final = "- id:"
_MEMBER: Final = re.compile(r"""  (?:  )?(status|uri|method): ['"]([^'"]{1,2000})['"]\s*$""")
_MESSAGE: Final = re.compile(r"""      message: ['"](.{1,500})['"]\s*$""")


def is_cassette(text: str) -> bool:
    """Whether a text is a cassette."""
    return _START.search(text[:_HEAD_LENGTH]) is not None


def read_cassette(text: str) -> Report:
    """Read a cassette. Raises TooManyCases."""
    cases = collect(_read_interactions(text.splitlines()))
    if not cases:
        return Report(format=None, problem="It is a cassette without requests.")
    return Report(format="Cassette of Schemathesis", cases=cases)


def _read_interactions(lines: Iterable[str]) -> Iterator[Case | None]:
    members: dict[str, str] = {}
    for line in lines:
        if line.startswith(_ITEM):
            yield _build_case(members)
            members = {}
        elif match := _MEMBER.match(line):
            members.setdefault(match[1], match[2])
        elif match := _MESSAGE.match(line):
            members.setdefault("message", match[1])
    yield _build_case(members)


def _build_case(members: dict[str, str]) -> Case | None:
    target = read_target(members.get("method"), members.get("uri"))
    outcome = read_outcome(members.get("status"))
    if target is None or outcome is None:
        return None
    detail = members.get("message", "") if outcome is Outcome.FAILED else ""
    return Case(name=str(target), outcome=outcome, target=target, detail=detail)
