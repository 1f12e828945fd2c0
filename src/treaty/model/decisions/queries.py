"""What the matrix is asked: selectors, where the versions are to go, and what may not be asked."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from treaty.model.decisions.selectors import Selector


class LatestBy(Enum):
    """Which rows show the newest result only: one for each of these."""

    CONSUMER_VERSION_AND_PROVIDER_VERSION = "cvpv"
    CONSUMER_VERSION = "cvp"
    PAIR = "cp"


@dataclass(frozen=True, kw_only=True, slots=True)
class Destination:
    """Where a version is to go: the versions there of whoever it depends on, or who depend on it, are looked at too."""

    tag: str | None = None
    environment: str | None = None
    is_main_branch: bool | None = None
    """False is as good as None, except that it may not stand beside a tag or an environment."""
    is_latest: bool = False

    @property
    def has_location(self) -> bool:
        return bool(self.tag or self.environment or self.is_main_branch)

    @property
    def is_set(self) -> bool:
        return self.has_location or self.is_latest

    @property
    def has_live_versions(self) -> bool:
        """Whether it stands for what runs somewhere: an environment, or a tag that marks what is where."""
        return bool(self.environment or self.tag)

    def selector(self, pacticipant: str) -> Selector:
        """Make the selector of a pacticipant's versions there."""
        return Selector(
            pacticipant=pacticipant,
            tag=self.tag,
            environment=self.environment,
            is_main_branch=bool(self.is_main_branch),
            is_latest=self.is_latest,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MatrixQuery:
    """A question to the matrix."""

    selectors: tuple[Selector, ...]
    ignore: tuple[Selector, ...] = ()
    destination: Destination = Destination()
    latest_by: LatestBy | None = None
    success: frozenset[bool | None] | None = None
    """Which results are shown; None is the result of what was not verified."""
    limit: int | None = None
    """How many rows are shown at most. The answer depends on all of them."""
    counts_superseded: bool = True
    """Whether the answer depends on overwritten revisions and superseded results, where these have rows."""
    is_one_way: bool = False
    """Whether only contracts count in which the first selector's pacticipant is the consumer of the second's."""

    @property
    def pacticipants(self) -> frozenset[str]:
        return frozenset(one.pacticipant for one in (*self.selectors, *self.ignore))


def build_deployment_query(
    selector: Selector, destination: Destination, *, ignore: tuple[Selector, ...] = ()
) -> MatrixQuery:
    """Ask whether versions can go to a destination."""
    every = destination.environment is not None
    return MatrixQuery(
        selectors=(selector,),
        ignore=ignore,
        destination=destination,
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION if every else LatestBy.CONSUMER_VERSION,
    )


MAX_LIMIT: Final = 2**31 - 1


def parse_limit(text: str | None) -> int:
    """Read a limit, of which only the digits that it begins with count; without any it is 0."""
    digits = re.match(r"\s*[+-]?\d+", text or "100", re.ASCII)
    return max(-1, min(int(digits[0][:12]), MAX_LIMIT)) if digits else 0


def list_problems(
    question: MatrixQuery, pacticipants: Collection[str], environments: Collection[str], *, of_selectors: bool = True
) -> list[str]:
    """Say what is wrong with a question, given the names that exist."""
    texts = [*_of_selectors(question.selectors, pacticipants)] if of_selectors else []
    return [*texts, *_of_ignored(question.ignore), *_of_options(question, environments)]


def _of_selectors(selectors: tuple[Selector, ...], pacticipants: Collection[str]) -> Iterable[str]:
    for one in selectors:
        if not one.pacticipant:
            yield "Please specify the pacticipant name"
        elif one.version and one.is_latest:
            yield f"A version number and latest flag cannot both be specified for {one.pacticipant}"
    for one in selectors:
        if one.pacticipant and one.pacticipant not in pacticipants:
            yield f"Pacticipant {one.pacticipant} not found"
    if not selectors:
        yield "Please provide 1 or more version selectors."


def _of_ignored(selectors: tuple[Selector, ...]) -> Iterable[str]:
    for one in selectors:
        if not one.pacticipant.strip():
            yield "Please specify the pacticipant name to ignore"
        elif one.version and one.is_latest:
            yield f"A version number and latest flag cannot both be specified for {one.pacticipant} to ignore"


def _of_options(question: MatrixQuery, environments: Collection[str]) -> Iterable[str]:
    to = question.destination
    if sum(one is not None for one in (to.tag, to.environment, to.is_main_branch)) > 1:
        yield "Cannot specify more than one of tag, environment and mainBranch."
    if to.is_latest and to.environment:
        yield "Cannot specify both latest=true and an environment."
    if to.environment and to.environment not in environments:
        yield f"Environment with name '{to.environment}' does not exist"
    if question.limit is not None and question.limit < 1:
        yield "The limit must be 1 or greater."
