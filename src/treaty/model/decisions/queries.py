"""Queries of the matrix: selectors, the destination of the versions, and the rules that a query must meet."""

import re
from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from treaty.model.decisions.selectors import Selector


class LatestBy(Enum):
    """The groups of rows of which only the latest is shown. The values are those of the parameter `latestby`."""

    CONSUMER_VERSION_AND_PROVIDER_VERSION = "cvpv"
    CONSUMER_VERSION = "cvp"
    PAIR = "cp"


class Destination(NamedTuple):
    """Where versions are to be deployed.

    The store adds the versions there of all pacticipants that have a contract with those that the query specifies.
    """

    tag: str | None = None
    branch: str | None = None
    environment: str | None = None
    is_main_branch: bool | None = None
    """False means the same as None, but like True it cannot be combined with a tag or an environment."""
    is_latest: bool = False

    @property
    def has_location(self) -> bool:
        return bool(self.tag or self.branch or self.environment or self.is_main_branch)

    @property
    def is_set(self) -> bool:
        return self.has_location or self.is_latest

    @property
    def has_live_versions(self) -> bool:
        """Whether versions at the destination are running: in an environment, or with a tag that marks one."""
        return bool(self.environment or self.tag)

    def selector(self, pacticipant: str) -> Selector:
        """Build the selector of a pacticipant's versions at the destination."""
        return Selector(
            pacticipant=pacticipant,
            tag=self.tag,
            branch=self.branch,
            environment=self.environment,
            is_main_branch=bool(self.is_main_branch),
            is_latest=self.is_latest,
        )


class MatrixQuery(NamedTuple):
    """A query of the matrix."""

    selectors: tuple[Selector, ...]
    ignore: tuple[Selector, ...] = ()
    destination: Destination = Destination()
    latest_by: LatestBy | None = None
    success: frozenset[bool | None] | None = None
    """The results to show; None stands for a missing result."""
    limit: int | None = None
    """Maximum number of rows to show. The answer always depends on all rows."""
    counts_superseded: bool = True
    """Whether the answer depends on overwritten revisions and superseded results too, where these have rows.

    They do in the API, as in the original. The page answers by the latest results and shows the history beside them.
    """
    is_one_way: bool = False
    """Whether only contracts count in which the first selector's pacticipant is the consumer, and the second's the
    provider."""

    @property
    def pacticipants(self) -> frozenset[str]:
        return frozenset(selector.pacticipant for selector in (*self.selectors, *self.ignore))


def build_deployment_query(
    selector: Selector, destination: Destination, *, ignore: tuple[Selector, ...] = ()
) -> MatrixQuery:
    """Build the query whether versions can be deployed to a destination."""
    # An environment may run several versions of a provider, and each of them must have verified the pact. A tag or a
    # branch selects the latest version only. The original makes the same difference.
    needs_every_version = destination.environment is not None
    return MatrixQuery(
        selectors=(selector,),
        ignore=ignore,
        destination=destination,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION if needs_every_version else LatestBy.CONSUMER_VERSION,
    )


MAX_LIMIT: Final = 2**31 - 1
"""The largest 32-bit integer."""


def parse_limit(text: str | None) -> int:
    """Parse a limit as Ruby's `to_i` does: leading digits count, and a text without any is 0.

    The result is at least -1 and at most `MAX_LIMIT`; the default is 100.
    """
    digits = re.match(r"\s*([+-]?)0*(\d{1,12})", text or "100", re.ASCII)
    return max(-1, min(int(digits[1] + digits[2]), MAX_LIMIT)) if digits else 0


_NO_NAMES: Final[Mapping[str, str]] = {}


def list_problems(
    query: MatrixQuery,
    pacticipants: Collection[str],
    environments: Collection[str],
    *,
    of_selectors: bool = True,
    current_names: Mapping[str, str] = _NO_NAMES,
) -> list[str]:
    """List why a query is invalid, given the names that exist, in the original broker's words and order.

    `current_names` has the present names of renamed pacticipants, by their former ones.
    """
    selector_problems = [*_selector_problems(query.selectors, pacticipants, current_names)] if of_selectors else []
    return [*selector_problems, *_ignore_problems(query.ignore), *_option_problems(query, environments)]


def _selector_problems(
    selectors: tuple[Selector, ...], pacticipants: Collection[str], current_names: Mapping[str, str]
) -> Iterable[str]:
    for selector in selectors:
        if not selector.pacticipant:
            yield "Please specify the pacticipant name"
        elif selector.version and selector.is_latest:
            yield f"A version number and latest flag cannot both be specified for {selector.pacticipant}"
    # The original checks that the names exist in a second pass, after the form of all selectors.
    for selector in selectors:
        if selector.pacticipant and selector.pacticipant not in pacticipants:
            current_name = current_names.get(selector.pacticipant)
            reason = "" if current_name is None else f": it was renamed to {current_name}. Use the new name."
            yield f"Pacticipant {selector.pacticipant} not found{reason}"
    if not selectors:
        yield "Please provide 1 or more version selectors."


def _ignore_problems(selectors: tuple[Selector, ...]) -> Iterable[str]:
    # An unknown name is not rejected here: the verdict has a warning about it, as in the original.
    for selector in selectors:
        if not selector.pacticipant.strip():
            yield "Please specify the pacticipant name to ignore"
        elif selector.version and selector.is_latest:
            yield f"A version number and latest flag cannot both be specified for {selector.pacticipant} to ignore"


def _option_problems(query: MatrixQuery, environments: Collection[str]) -> Iterable[str]:
    destination = query.destination
    locations = (destination.tag, destination.branch, destination.environment, destination.is_main_branch)
    if sum(location is not None for location in locations) > 1:
        # The original has no destination `branch`, and its clients print the text without it.
        names = "tag, environment" if destination.branch is None else "tag, branch, environment"
        yield f"Cannot specify more than one of {names} and mainBranch."
    if destination.is_latest and destination.environment:
        yield "Cannot specify both latest=true and an environment."
    if destination.environment and destination.environment not in environments:
        yield f"Environment with name '{destination.environment}' does not exist"
    if query.limit is not None and query.limit < 1:
        yield "The limit must be 1 or greater."
