"""Cases of a report, and the operations that their names contain."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MAX_NAME_LENGTH: Final = 500
"""Characters of a case's name that are examined."""
MAX_DETAIL_LENGTH: Final = 200
"""Characters of the reason of a failure."""
MAX_CASES: Final = 50_000
"""Cases of a report that are examined."""


class Outcome(StrEnum):
    """Outcome of the cases of an operation, worst first: of several, the first in this order counts."""

    FAILED = "failed"
    PASSED = "passed"
    EXERCISED = "exercised"
    """A request was sent, and the report does not say whether the response was right."""
    SKIPPED = "skipped"


_WORDS: Final = {
    **dict.fromkeys(("failed", "fail", "failure", "error", "errored", "broken", "unexpected"), Outcome.FAILED),
    **dict.fromkeys(("passed", "pass", "success", "successful", "succeeded", "ok", "expected"), Outcome.PASSED),
    **dict.fromkeys(("skipped", "skip", "pending", "todo", "disabled", "ignored", "other"), Outcome.SKIPPED),
}


def read_outcome(value: object) -> Outcome | None:
    """Read an outcome as tools write it: a word, or whether the case succeeded."""
    if isinstance(value, bool):
        return Outcome.PASSED if value else Outcome.FAILED
    return _WORDS.get(value.strip().lower()) if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Target:
    """A method, and a path or a path template without a query."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A case of a report. `count` is the number of requests or assertions that it consists of."""

    name: str
    outcome: Outcome
    target: Target | None = None
    detail: str = ""
    count: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a report says. Without a format, nothing could be read, for the reason in `problem`."""

    format: str | None
    cases: Sequence[Case] = ()
    names_failures_only: bool = False
    tested_operations: int | None = None
    """The number of operations of the API, if the tool says that it has tested all of them."""
    has_scenario_names: bool = False
    """Whether names of cases are identifiers of operations with the name of a scenario: `getOrder_NotFound`."""
    problem: str | None = None


class TooManyCases(Exception):
    """The report has more cases than are examined. Reading a part would make operations look as if they had no test."""


_MAX_EXAMINED: Final = 10_000
"""Characters of a text in which the first line that is not blank is looked for."""


def collect(cases: Iterable[Case | None]) -> list[Case]:
    """Collect the cases of a report. Raises TooManyCases."""
    collected: list[Case] = []
    for case in cases:
        if case is not None:
            if len(collected) == MAX_CASES:
                raise TooManyCases
            collected.append(case)
    return collected


def build_case(names: Iterable[str], outcome: Outcome, *, detail: str = "", count: int = 1) -> Case | None:
    """Build a case from its name and those of its suites; the first that contains an operation counts."""
    texts = [name[:MAX_NAME_LENGTH] for name in names if name.strip()]
    if not texts:
        return None
    target = next(filter(None, map(find_target, texts)), None)
    return Case(name=texts[0].strip(), outcome=outcome, target=target, detail=shorten(detail), count=count)


def shorten(text: str) -> str:
    """Return the first line of a text that is not blank, cut to a length that fits in a table."""
    line = next((line.strip() for line in text[:_MAX_EXAMINED].splitlines() if line.strip()), "")
    return line if len(line) <= MAX_DETAIL_LENGTH else f"{line[: MAX_DETAIL_LENGTH - 1]}…"


METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "QUERY")
_METHOD: Final = rf"(?<![A-Za-z])({'|'.join(METHODS)})(?![A-Za-z])"
# `GET /orders`, `GET_/orders`, `get:/orders`, `[GET] /orders`, `GET (200) /orders`, `GET http://localhost/orders`
_METHOD_FIRST: Final = re.compile(
    rf"{_METHOD}[\s_:|\])→-]{{0,5}}(?:\(\d{{3}}\)\s?)?(?:https?://[^/\s]{{0,300}})?(/[^\s\"'`<>|]*)", re.IGNORECASE
)
# Names of transactions in Dredd: `Orders > /orders/{id} > Get an order > GET > 200`
_PATH_FIRST: Final = re.compile(rf"(?:^|>)\s?(/[^\s>]*)\s>(?:[^>]{{0,100}}>){{0,2}}\s?{_METHOD}", re.IGNORECASE)
_SCHEME: Final = re.compile(r"https?://[^/\s]*", re.IGNORECASE)


def find_target(text: str) -> Target | None:
    """Find an operation in the name of a test, such as `test_api[GET /orders/{id}]`."""
    text = text[:MAX_NAME_LENGTH].replace("%7B", "{").replace("%7D", "}")
    match = _METHOD_FIRST.search(text)
    if match:
        path = match[2]
        if "[" in text[: match.start()]:
            path = path.partition("]")[0]
        return Target(match[1].upper(), _clean_path(path))
    match = _PATH_FIRST.search(text)
    return Target(match[2].upper(), _clean_path(match[1])) if match else None


def _clean_path(path: str) -> str:
    path = re.split(r"[?#]", path)[0].rstrip(".,;:")
    for opening, closing in ("()", "[]"):
        while path.endswith(closing) and path.count(opening) < path.count(closing):
            path = path[:-1]
    return path or "/"


def read_target(method: object, url: object) -> Target | None:
    """Read the operation of a request, from its method and its path or URL."""
    if not isinstance(method, str) or not isinstance(url, str) or method.upper() not in METHODS:
        return None
    path = _SCHEME.sub("", url[:MAX_NAME_LENGTH].replace("%7B", "{").replace("%7D", "}"), count=1)
    if path and not path.startswith("/"):
        return None
    return Target(method.upper(), re.split(r"[?#]", path)[0] or "/")
