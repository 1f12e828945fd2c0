"""The generated tables of the README: the clients that the tests run, and Treaty's speed beside the original's."""

import re
from dataclasses import dataclass
from typing import Final

from tests.clients import registry
from tests.docs.generated import ROOT, table

DOCUMENT: Final = ROOT / "README.md"
SPEED: Final = ROOT / "docs" / "speed.md"
_PART: Final = re.compile(r"(<!-- (clients|speed), by `\./run renew` -->\n).*?(\n<!-- end -->)", re.DOTALL)
MAX_WORDS: Final = 800
"""Words before the heading "More": a newcomer reads no more."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """An operation, and how many times as fast it is as the original's on a small and on a large history.

    The ratios are those of the median response times, with one client, to the original 2.120 with Ruby 3.3, which ran
    in turn with Treaty on the same machine.
    """

    title: str
    operation: str
    """Its name in the figures of `./run bench`."""
    small: int
    large: int | None


COMPARISONS: Final = (
    Comparison("Can I deploy?", "can-i-deploy", 55, 47),
    Comparison("Pacts for verification", "pacts for verification", 88, 986),
    Comparison("Dashboard", "the dashboard", 63, 124),
    Comparison("Applications", "pacticipants, 100 a page", 45, 187),
    Comparison("Publishing a pact", "publish new content", 21, None),
    Comparison("Reading a pact", "GET a pact by version", 35, 21),
)


def renewed_readme() -> str:
    """Return the README with its generated parts replaced."""
    parts = {"clients": _render_clients(), "speed": _render_speed()}
    return _PART.sub(lambda match: f"{match[1]}\n{parts[match[2]]}\n{match[3]}", DOCUMENT.read_text("utf-8"))


def _render_clients() -> str:
    rows = (
        (client.name, ", ".join(f"{package.label or package.name} {package.version}" for package in client.packages))
        for client in registry.CLIENTS
    )
    return table(("Client", "Versions"), rows)


def _render_speed() -> str:
    headings = ("", "Small history", "Large history", "Treaty: small, large (ms)")
    rows = (
        (
            each.title,
            f"{each.small} times",
            "" if each.large is None else f"{each.large} times",
            f"{_find_median(each.operation, 'small')}, {_find_median(each.operation, 'large')}",
        )
        for each in COMPARISONS
    )
    return table(headings, rows)


def _find_median(operation: str, history: str) -> str:
    """Find the median response time of an operation with one client, as `./run bench` has measured it last."""
    pattern = rf"^\| {re.escape(operation)} \| {history} \| 1 \| \d+ \| \d+ \| ([\d.]+) \|"
    (median,) = re.findall(pattern, SPEED.read_text("utf-8"), re.MULTILINE)
    return str(median)


def count_words() -> int:
    """Count the words before the heading "More", with those of commands, outputs and tables."""
    head, heading, _ = DOCUMENT.read_text("utf-8").partition("\n## More\n")
    assert heading, "the README lacks the heading More"
    return len(head.split())
