"""Requests for pacts to verify: reading them, and saying what is wrong with them in the original broker's words."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

import orjson

from treaty.errors import Invalid, Problem
from treaty.model.decisions.consumer_selectors import (
    AllWithTag,
    ConsumerVersionSelector,
    Deployed,
    EveryBranch,
    InEnvironment,
    LatestFromBranch,
    LatestWithTag,
    MainBranch,
    OverallLatest,
    Released,
)
from treaty.model.decisions.verifiable_pacts import VerifiablePactsQuery

Members = Mapping[str, Any]
Check = Callable[[object], str | None]
"""Says what is wrong with a member's value, if anything."""


MAX_TEXT_LENGTH: Final = 4096
"""Bytes of a body whose meaning is remembered: a provider's builds send the same one each time."""


def parse_body(raw: bytes, body: Members, environments: Collection[str]) -> VerifiablePactsQuery:
    """Read a request, given which of the environments that it names exist. Raises Invalid."""
    return _of_body(body, environments) if len(raw) > MAX_TEXT_LENGTH else _of_raw(raw, frozenset(environments))


@lru_cache(maxsize=1024)
def _of_raw(raw: bytes, environments: Collection[str]) -> VerifiablePactsQuery:
    return _of_body(orjson.loads(raw or b"{}"), environments)


def _of_body(body: Members, environments: Collection[str]) -> VerifiablePactsQuery:
    _refuse(
        *_checked((), body, _BODY),
        *_branch_problems(body),
        *_tag_problems("providerVersionTags", body),
        *_selector_problems(body, environments),
    )
    since = body.get("includeWipPactsSince")
    return VerifiablePactsQuery(
        selectors=tuple(_selectors(body.get("consumerVersionSelectors", ()), body.get("providerVersionBranch"))),
        branch=body.get("providerVersionBranch"),
        tags=tuple(dict.fromkeys(body.get("providerVersionTags") or ())),
        includes_pending=body.get("includePendingStatus", True),
        wip_since=None if since is None else _time(since),
    )


def list_environments(body: Members) -> list[str]:
    """List the names of environments that the selectors hold."""
    selectors = body.get("consumerVersionSelectors")
    members = [one for one in selectors if isinstance(one, dict)] if isinstance(selectors, list) else []
    return [one["environment"] for one in members if isinstance(one.get("environment"), str)]


def parse_query(query: Members) -> VerifiablePactsQuery:
    """Read a request that older clients send. Raises Invalid."""
    _refuse(
        *_checked((), query, _QUERY), *_tag_problems("provider_version_tags", query), *_query_selector_problems(query)
    )
    since = query.get("include_wip_pacts_since")
    return VerifiablePactsQuery(
        selectors=tuple(_of_query(one) for one in query.get("consumer_version_selectors", ())),
        branch=query.get("provider_version_branch"),
        tags=tuple(dict.fromkeys(query.get("provider_version_tags", ()))),
        includes_pending=query.get("include_pending_status") != "false",
        wip_since=None if since is None else _time(since),
    )


def _refuse(*problems: Problem) -> None:
    if problems:
        raise Invalid(*problems)


# The values of single members


def _one_of(*allowed: object) -> Check:
    """Take these values only. Spelt as JSON, since True is 1 in Python but not for a client."""
    text = "must be one of: " + ", ".join(str(one).lower() for one in allowed)

    def check(value: object) -> str | None:
        if _is_empty(value):
            return "must be filled"
        return None if any(value == one and type(value) is type(one) for one in allowed) else text

    return check


def _is_empty(value: object) -> bool:
    return value is None or value in ("", [], {})


def _filled_text(value: object) -> str | None:
    if _is_empty(value):
        return "must be filled"
    return None if isinstance(value, str) else "must be a string"


def _branch_or_true(value: object) -> str | None:
    if _is_empty(value):
        return "must be filled"
    return None if isinstance(value, str) or value is True else "must be a string or branch must be equal to true"


def _text_or_null(value: object) -> str | None:
    return None if value is None or isinstance(value, str) else "must be a string"


def _list(value: object) -> str | None:
    return None if isinstance(value, list) else "must be an array"


def _list_or_null(value: object) -> str | None:
    return None if value is None else _list(value)


def _date(value: object) -> str | None:
    return None if isinstance(value, str) and _time(value) is not None else "must be a date"


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip())
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


_TRUE: Final = (True,)
_TRUE_OR_FALSE: Final = (True, False)

_BODY: Final[Mapping[str, Check]] = {
    "providerVersionBranch": _text_or_null,
    "providerVersionTags": _list_or_null,
    "consumerVersionSelectors": _list,
    "includePendingStatus": _one_of(*_TRUE_OR_FALSE),
    "includeWipPactsSince": _date,
}
_QUERY: Final[Mapping[str, Check]] = {
    "provider_version_branch": _text_or_null,
    "provider_version_tags": _list,
    "consumer_version_selectors": _list,
    "include_pending_status": _one_of("true", "false"),
    "include_wip_pacts_since": _date,
}
_SELECTOR: Final[Mapping[str, Check]] = {
    "mainBranch": _one_of(*_TRUE),
    "matchingBranch": _one_of(*_TRUE),
    "tag": _filled_text,
    "branch": _branch_or_true,
    "latest": _one_of(*_TRUE_OR_FALSE),
    "fallbackTag": _filled_text,
    "fallbackBranch": _filled_text,
    "consumer": _filled_text,
    "deployed": _one_of(*_TRUE),
    "released": _one_of(*_TRUE),
    "deployedOrReleased": _one_of(*_TRUE),
    "environment": _filled_text,
}
_QUERY_SELECTOR: Final[Mapping[str, Check]] = {
    "tag": _filled_text,
    "latest": _one_of("true", "false"),
    "fallback_tag": _filled_text,
    "consumer": _filled_text,
}


def _checked(path: tuple[str | int, ...], members: Members, checks: Mapping[str, Check]) -> Iterator[Problem]:
    for name, check in checks.items():
        text = check(members[name]) if name in members else None
        if text is not None:
            yield Problem((*path, name), text)


# The provider's side


def _branch_problems(body: Members) -> Iterator[Problem]:
    branch = body.get("providerVersionBranch")
    if not isinstance(branch, str):
        return
    if branch and not branch.strip():
        yield Problem(("providerVersionBranch",), "cannot be blank")
    asks = body.get("includePendingStatus") is True or "includeWipPactsSince" in body
    if not branch and not body.get("providerVersionTags") and asks:
        yield Problem(("providerVersionBranch",), _EMPTY_BRANCH)


_EMPTY_BRANCH: Final = (
    "when pending or WIP pacts are enabled and there are no tags provided, the provider version branch must not be an "
    "empty string, as it is used in the calculations for WIP/pending. A value must be provided (recommended), or it "
    "must not be set at all."
)


def _tag_problems(name: str, members: Members) -> Iterator[Problem]:
    tags = members.get(name)
    for index, tag in enumerate(tags if isinstance(tags, list) else ()):
        if not isinstance(tag, str):
            yield Problem((name, index), "must be a string")
        elif not tag.strip():
            yield Problem((name, index), "cannot be blank")


# Selectors


@dataclass(frozen=True, kw_only=True, slots=True)
class _Given:
    """A selector as it was sent, and what its rules look at besides."""

    members: Members
    has_provider_branch: bool
    environments: Collection[str]

    def has(self, *names: str) -> bool:
        return all(self.members.get(name) for name in names)

    def is_not_latest(self) -> bool:
        return self.members.get("latest") is False


def _selector_problems(body: Members, environments: Collection[str]) -> Iterator[Problem]:
    selectors = body.get("consumerVersionSelectors")
    for index, members in enumerate(selectors if isinstance(selectors, list) else ()):
        path = ("consumerVersionSelectors", index)
        if not isinstance(members, dict):
            yield Problem(path, "must be a hash")
            continue
        wrong = list(_checked(path, members, _SELECTOR))
        given = _Given(
            members={name: members[name] for name in _SELECTOR if name in members},
            has_provider_branch=bool(body.get("providerVersionBranch")),
            environments=environments,
        )
        yield from (*wrong, *_broken_rules(path, given, {str(problem.path[-1]) for problem in wrong}))


_NAMES: Final = ("consumer", "tag", "branch", "fallbackTag", "fallbackBranch", "environment")


def _broken_rules(path: tuple[str | int, ...], given: _Given, wrong: Collection[str]) -> Iterator[Problem]:
    """Say which rules between members are broken, of those that look at no member that is wrong in itself."""
    for name in _NAMES:
        value = given.members.get(name)
        if name not in wrong and isinstance(value, str) and not value.strip():
            yield Problem((*path, name), "cannot be blank")
    for names, rule in _RULES:
        text = None if any(name in wrong for name in names) else rule(given)
        if text is not None:
            yield Problem(path, text)


Rule = Callable[[_Given], str | None]


def _says_something(given: _Given) -> str | None:
    if any(given.has(name) for name in _ENOUGH):
        return None
    return (
        "must specify a value for environment or tag or branch, or specify mainBranch=true, matchingBranch=true, "
        "latest=true, deployed=true, released=true or deployedOrReleased=true"
    )


def _main_branch_alone(given: _Given) -> str | None:
    if not given.has("mainBranch") or given.members.keys() <= {"mainBranch", "consumer", "latest"}:
        return None
    return "cannot specify mainBranch=true with any other criteria apart from consumer"


def _matching_branch_alone(given: _Given) -> str | None:
    if not given.has("matchingBranch") or given.members.keys() <= {"matchingBranch", "consumer"}:
        return None
    return "cannot specify matchingBranch=true with any other criteria apart from consumer"


def _something_to_match(given: _Given) -> str | None:
    if not given.has("matchingBranch") or given.has_provider_branch:
        return None
    return "the providerVersionBranch must be specified when the selector matchingBranch=true is used"


def _line_or_place(given: _Given) -> str | None:
    of_line, of_place = (sorted(given.members.keys() & names) for names in (_LINE, _PLACE))
    if not of_line or not of_place:
        return None
    return f"cannot specify the {_fields(of_line)} with the {_fields(of_place)}"


def _fields(names: Sequence[str]) -> str:
    return f"field{'' if len(names) == 1 else 's'} {'/'.join(names)}"


def _known_environment(given: _Given) -> str | None:
    name = given.members.get("environment")
    return None if name is None or name in given.environments else f"environment with name '{name}' does not exist"


def _not_both(one: str, other: str, text: str) -> tuple[Collection[str], Rule]:
    return (one, other), lambda given: text if given.has(one, other) else None


def _not_without(one: str, other: str, text: str) -> tuple[Collection[str], Rule]:
    return (one, other), lambda given: text if given.has(one) and not given.has(other) else None


def _not_unless_latest(one: str, text: str) -> tuple[Collection[str], Rule]:
    return (one, "latest"), lambda given: text if given.has(one) and given.is_not_latest() else None


_LINE: Final = {"latest", "tag", "fallbackTag", "branch", "fallbackBranch", "matchingBranch", "mainBranch"}
_PLACE: Final = {"environment", "deployed", "released", "deployedOrReleased"}
_ENOUGH: Final = (_LINE | _PLACE) - {"fallbackTag", "fallbackBranch"}
_ALL: Final = tuple(_SELECTOR)

# In the order in which the original lists what is wrong.
_RULES: Final[Sequence[tuple[Collection[str], Rule]]] = (
    (_ALL, _says_something),
    (_ALL, _main_branch_alone),
    _not_unless_latest("mainBranch", "cannot specify mainBranch=true with latest=false"),
    (_ALL, _matching_branch_alone),
    (_ALL, _something_to_match),
    _not_both("tag", "branch", "cannot specify both a tag and a branch"),
    (_ALL, _line_or_place),
    _not_without("fallbackTag", "latest", "fallbackTag can only be set if latest is true"),
    _not_without("fallbackTag", "tag", "a tag must be specified when a fallbackTag is specified"),
    _not_without("fallbackBranch", "branch", "a branch must be specified when a fallbackBranch is specified"),
    _not_unless_latest("fallbackBranch", "fallbackBranch can only be set if latest is true"),
    _not_unless_latest("branch", "cannot specify a branch with latest=false"),
    (("environment",), _known_environment),
    _not_both("deployed", "released", "cannot specify both deployed=true and released=true"),
    _not_both("deployed", "deployedOrReleased", "cannot specify both deployed=true and deployedOrReleased=true"),
    _not_both("released", "deployedOrReleased", "cannot specify both released=true and deployedOrReleased=true"),
)


def _query_selector_problems(query: Members) -> Iterator[Problem]:
    selectors = query.get("consumer_version_selectors")
    for index, members in enumerate(selectors if isinstance(selectors, list) else ()):
        path = ("consumer_version_selectors", index)
        if not isinstance(members, dict):
            yield Problem(path, "must be a hash")
            continue
        if "tag" not in members:
            yield Problem((*path, "tag"), "is missing")
        yield from _checked(path, members, _QUERY_SELECTOR)


# What they mean


def _selectors(given: Iterable[Members], provider_branch: str | None) -> Iterator[ConsumerVersionSelector]:
    for members in given:
        yield from _meant(members, members.get("consumer"), provider_branch)


def _meant(members: Members, consumer: str | None, provider_branch: str | None) -> Iterable[ConsumerVersionSelector]:  # noqa: PLR0911 - a return for each kind of selector
    match members:
        case {"mainBranch": True}:
            return (MainBranch(consumer=consumer),)
        case {"matchingBranch": True}:
            return (LatestFromBranch(branch=provider_branch or "", consumer=consumer),)
        case {"branch": True}:
            return (EveryBranch(consumer=consumer),)
        case {"branch": name}:
            fallback = members.get("fallbackBranch")
            return (LatestFromBranch(branch=name, consumer=consumer, fallback_branch=fallback),)
        case {"tag": name, "latest": True}:
            return (LatestWithTag(tag=name, fallback_tag=members.get("fallbackTag"), consumer=consumer),)
        case {"tag": name}:
            return (AllWithTag(tag=name, consumer=consumer),)
    return _in_place(members, members.get("environment"), consumer)


def _in_place(members: Members, environment: str | None, consumer: str | None) -> Iterable[ConsumerVersionSelector]:
    deployed = Deployed(environment=environment, consumer=consumer)
    released = Released(environment=environment, consumer=consumer)
    match members:
        case {"deployedOrReleased": True}:
            return (deployed, released)
        case {"deployed": True}:
            return (deployed,)
        case {"released": True}:
            return (released,)
    return (
        OverallLatest(consumer=consumer)
        if environment is None
        else InEnvironment(environment=environment, consumer=consumer),
    )


def _of_query(members: Members) -> ConsumerVersionSelector:
    tag, consumer = members["tag"], members.get("consumer")
    if members.get("latest") == "true":
        return LatestWithTag(tag=tag, fallback_tag=members.get("fallback_tag"), consumer=consumer)
    return AllWithTag(tag=tag, consumer=consumer)
