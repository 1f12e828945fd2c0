"""Requests for pacts to verify: validates them, with the original broker's messages, and parses their selectors.

The order of the checks is the original's, because clients print all messages of a response.
"""

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
from treaty.model.names import find_forbidden_character
from treaty.spelling import describe_misspelt

Members = Mapping[str, Any]
Check = Callable[[object], str | None]
"""Returns the problem of a member's value, or None if it is valid."""


MAX_CACHED_BODY: Final = 4096
"""Maximum size in bytes of a body whose parsed query is cached. A provider's builds send the same body each time."""


def parse_body(raw: bytes, body: Members, environments: Collection[str]) -> VerifiablePactsQuery:
    """Parse a request, given the existing ones among the environments that it names. Raises Invalid."""
    if len(raw) > MAX_CACHED_BODY:
        return _parse_members(body, environments)
    return _parse_cached(raw, frozenset(environments))


@lru_cache(maxsize=1024)
def _parse_cached(raw: bytes, environments: Collection[str]) -> VerifiablePactsQuery:
    return _parse_members(orjson.loads(raw or b"{}"), environments)


def _parse_members(body: Members, environments: Collection[str]) -> VerifiablePactsQuery:
    _reject(
        *_check_members((), body, _BODY),
        *_branch_problems(body),
        *_tag_problems("providerVersionTags", body),
        *_selector_problems(body, environments),
    )
    since = body.get("includeWipPactsSince")
    return VerifiablePactsQuery(
        selectors=tuple(_parse_selectors(body.get("consumerVersionSelectors", ()), body.get("providerVersionBranch"))),
        branch=body.get("providerVersionBranch"),
        tags=tuple(dict.fromkeys(body.get("providerVersionTags") or ())),
        includes_pending=body.get("includePendingStatus", True),
        wip_since=None if since is None else _parse_time(since),
    )


def list_environments(body: Members) -> list[str]:
    """List the names of the environments in the selectors, whether the body is valid or not."""
    selectors = body.get("consumerVersionSelectors")
    members = [selector for selector in selectors if isinstance(selector, dict)] if isinstance(selectors, list) else []
    return [selector["environment"] for selector in members if isinstance(selector.get("environment"), str)]


def list_misspelt(body: Members) -> tuple[str, ...]:
    """Describe the members of a body and of its selectors that are misspelt, and therefore have no effect."""
    texts = describe_misspelt(body, _BODY)
    selectors = body.get("consumerVersionSelectors")
    for index, selector in enumerate(selectors if isinstance(selectors, list) else ()):
        texts += describe_misspelt(selector, _SELECTOR, f"consumerVersionSelectors[{index}].")
    return tuple(texts)


def parse_query(query: Members) -> VerifiablePactsQuery:
    """Parse a request of the beta version of the API, which is a query string. Raises Invalid."""
    _reject(
        *_check_members((), query, _QUERY),
        *_tag_problems("provider_version_tags", query),
        *_query_selector_problems(query),
    )
    since = query.get("include_wip_pacts_since")
    return VerifiablePactsQuery(
        selectors=tuple(_parse_query_selector(selector) for selector in query.get("consumer_version_selectors", ())),
        branch=query.get("provider_version_branch"),
        tags=tuple(dict.fromkeys(query.get("provider_version_tags", ()))),
        includes_pending=query.get("include_pending_status") != "false",
        wip_since=None if since is None else _parse_time(since),
    )


def _reject(*problems: Problem) -> None:
    if problems:
        raise Invalid(*problems)


# Checks of single members


def _one_of(*allowed: object) -> Check:
    """Return a check that accepts these values only. It compares types too, since True equals 1 in Python."""
    text = "must be one of: " + ", ".join(str(allowed_value).lower() for allowed_value in allowed)

    def check(value: object) -> str | None:
        if _is_empty(value):
            return "must be filled"
        is_allowed = any(value == allowed_value and type(value) is type(allowed_value) for allowed_value in allowed)
        return None if is_allowed else text

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
    return None if isinstance(value, str) and _parse_time(value) is not None else "must be a date"


def _parse_time(text: str) -> datetime | None:
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


def _check_members(path: tuple[str | int, ...], members: Members, checks: Mapping[str, Check]) -> Iterator[Problem]:
    for name, check in checks.items():
        text = check(members[name]) if name in members else None
        if text is not None:
            yield Problem((*path, name), text)


# Rules for the provider version


def _branch_problems(body: Members) -> Iterator[Problem]:
    branch = body.get("providerVersionBranch")
    if not isinstance(branch, str):
        return
    if branch and (problem := _find_name_problem(branch)):
        yield Problem(("providerVersionBranch",), problem)
    needs_version = body.get("includePendingStatus") is True or "includeWipPactsSince" in body
    if not branch and not body.get("providerVersionTags") and needs_version:
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
        elif problem := _find_name_problem(tag):
            yield Problem((name, index), problem)


def _find_name_problem(name: str) -> str | None:
    # A name that does not exist selects nothing, and a build that verifies nothing succeeds.
    return find_forbidden_character(name) if name.strip() else "cannot be blank"


# Rules for selectors


@dataclass(frozen=True, kw_only=True, slots=True)
class _RawSelector:
    """A selector in a request, with the parts of the request that its rules depend on."""

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
        problems = list(_check_members(path, members, _SELECTOR))
        selector = _RawSelector(
            members={name: members[name] for name in _SELECTOR if name in members},
            has_provider_branch=bool(body.get("providerVersionBranch")),
            environments=environments,
        )
        problems += _broken_rules(path, selector, {str(problem.path[-1]) for problem in problems})
        yield from problems
        if problems:
            yield from (Problem(path, text) for text in describe_misspelt(members, _SELECTOR))


_NAMES: Final = ("consumer", "tag", "branch", "fallbackTag", "fallbackBranch", "environment")


def _broken_rules(path: tuple[str | int, ...], selector: _RawSelector, invalid: Collection[str]) -> Iterator[Problem]:
    """Yield the problems of rules between members. A rule is skipped if one of its members is invalid by itself."""
    for name in _NAMES:
        value = selector.members.get(name)
        if name not in invalid and isinstance(value, str) and (problem := _find_name_problem(value)):
            yield Problem((*path, name), problem)
    for names, rule in _RULES:
        text = None if any(name in invalid for name in names) else rule(selector)
        if text is not None:
            yield Problem(path, text)


Rule = Callable[[_RawSelector], str | None]


def _check_criterion(selector: _RawSelector) -> str | None:
    if any(selector.has(name) for name in _CRITERIA):
        return None
    return (
        "must specify a value for environment or tag or branch, or specify mainBranch=true, matchingBranch=true, "
        "latest=true, deployed=true, released=true or deployedOrReleased=true"
    )


def _check_main_branch(selector: _RawSelector) -> str | None:
    if not selector.has("mainBranch") or selector.members.keys() <= {"mainBranch", "consumer", "latest"}:
        return None
    return "cannot specify mainBranch=true with any other criteria apart from consumer"


def _check_matching_branch(selector: _RawSelector) -> str | None:
    if not selector.has("matchingBranch") or selector.members.keys() <= {"matchingBranch", "consumer"}:
        return None
    return "cannot specify matchingBranch=true with any other criteria apart from consumer"


def _check_provider_branch(selector: _RawSelector) -> str | None:
    if not selector.has("matchingBranch") or selector.has_provider_branch:
        return None
    return "the providerVersionBranch must be specified when the selector matchingBranch=true is used"


def _check_kinds_of_criteria(selector: _RawSelector) -> str | None:
    names, environment_names = (sorted(selector.members.keys() & kind) for kind in (_BRANCH_OR_TAG, _ENVIRONMENT))
    if not names or not environment_names:
        return None
    return f"cannot specify the {_describe_fields(names)} with the {_describe_fields(environment_names)}"


def _describe_fields(names: Sequence[str]) -> str:
    return f"field{'' if len(names) == 1 else 's'} {'/'.join(names)}"


def _check_environment(selector: _RawSelector) -> str | None:
    name = selector.members.get("environment")
    return None if name is None or name in selector.environments else f"environment with name '{name}' does not exist"


def _not_both(name: str, other: str, text: str) -> tuple[Collection[str], Rule]:
    return (name, other), lambda selector: text if selector.has(name, other) else None


def _not_without(name: str, other: str, text: str) -> tuple[Collection[str], Rule]:
    return (name, other), lambda selector: text if selector.has(name) and not selector.has(other) else None


def _not_unless_latest(name: str, text: str) -> tuple[Collection[str], Rule]:
    return (name, "latest"), lambda selector: text if selector.has(name) and selector.is_not_latest() else None


_BRANCH_OR_TAG: Final = {"latest", "tag", "fallbackTag", "branch", "fallbackBranch", "matchingBranch", "mainBranch"}
_ENVIRONMENT: Final = {"environment", "deployed", "released", "deployedOrReleased"}
_CRITERIA: Final = (_BRANCH_OR_TAG | _ENVIRONMENT) - {"fallbackTag", "fallbackBranch"}
_ALL: Final = tuple(_SELECTOR)

# The members that a rule depends on, and the rule, in the original's order of messages.
_RULES: Final[Sequence[tuple[Collection[str], Rule]]] = (
    (_ALL, _check_criterion),
    (_ALL, _check_main_branch),
    _not_unless_latest("mainBranch", "cannot specify mainBranch=true with latest=false"),
    (_ALL, _check_matching_branch),
    (_ALL, _check_provider_branch),
    _not_both("tag", "branch", "cannot specify both a tag and a branch"),
    (_ALL, _check_kinds_of_criteria),
    _not_without("fallbackTag", "latest", "fallbackTag can only be set if latest is true"),
    _not_without("fallbackTag", "tag", "a tag must be specified when a fallbackTag is specified"),
    _not_without("fallbackBranch", "branch", "a branch must be specified when a fallbackBranch is specified"),
    _not_unless_latest("fallbackBranch", "fallbackBranch can only be set if latest is true"),
    _not_unless_latest("branch", "cannot specify a branch with latest=false"),
    (("environment",), _check_environment),
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
        yield from _check_members(path, members, _QUERY_SELECTOR)


# Parsing of valid selectors


def _parse_selectors(
    raw_selectors: Iterable[Members], provider_branch: str | None
) -> Iterator[ConsumerVersionSelector]:
    for members in raw_selectors:
        yield from _parse_selector(members, members.get("consumer"), provider_branch)


def _parse_selector(  # noqa: PLR0911 - a return for each kind of selector
    members: Members, consumer: str | None, provider_branch: str | None
) -> Iterable[ConsumerVersionSelector]:
    # Validation has rejected combinations of these criteria, except for `latest` and the fallbacks.
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
    return _parse_environment_selector(members, members.get("environment"), consumer)


def _parse_environment_selector(
    members: Members, environment: str | None, consumer: str | None
) -> Iterable[ConsumerVersionSelector]:
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


def _parse_query_selector(members: Members) -> ConsumerVersionSelector:
    tag, consumer = members["tag"], members.get("consumer")
    if members.get("latest") == "true":
        return LatestWithTag(tag=tag, fallback_tag=members.get("fallback_tag"), consumer=consumer)
    return AllWithTag(tag=tag, consumer=consumer)
