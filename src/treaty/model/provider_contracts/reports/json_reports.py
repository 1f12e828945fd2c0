"""Reports in JSON: CTRF, HAR, Newman, NDJSON of Schemathesis, and those of test frameworks such as Jest or Mocha."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from treaty.model.provider_contracts.reports.cases import (
    Case,
    Outcome,
    Report,
    Target,
    build_case,
    collect,
    read_outcome,
    read_target,
)

MAX_VALUES: Final = 2_000_000
"""Values of a document of an unknown tool that are examined."""
_UNKNOWN: Final = "It is JSON without test cases that have a name and an outcome."


def read_json(content: bytes) -> Report | None:
    """Read a JSON document; None if it is not JSON. Raises TooManyCases."""
    try:
        document = orjson.loads(content)
    except ValueError:
        return _read_lines(content)
    for name, is_one, read in _FORMATS:
        if is_one(document):
            return Report(format=name, cases=collect(read(document)))
    cases = collect(_walk(document))
    return Report(format="JSON", cases=cases) if cases else Report(format=None, problem=_UNKNOWN)


def _get(value: Any, *keys: str) -> Any:
    """Return the member at a path of objects, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _list(value: Any, *keys: str) -> Sequence[Any]:
    member = _get(value, *keys)
    return member if isinstance(member, list) else ()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


# CTRF (https://ctrf.io)


def _is_ctrf(document: Any) -> bool:
    return isinstance(_get(document, "results", "tests"), list)


def _read_ctrf(document: Any) -> Iterator[Case | None]:
    for test in _list(document, "results", "tests"):
        outcome = read_outcome(_get(test, "status"))
        suite = _get(test, "suite")
        suites = [_text(name) for name in reversed(suite)] if isinstance(suite, list) else [_text(suite)]
        if outcome:
            yield build_case([_text(_get(test, "name")), *suites], outcome, detail=_text(_get(test, "message")))


# HAR: recorded requests. It has no outcomes, but an answer that shows a fault of the server is a failure.

_SERVER_ERROR: Final = 500


def _is_har(document: Any) -> bool:
    return isinstance(_get(document, "log", "entries"), list)


def _read_har(document: Any) -> Iterator[Case | None]:
    for entry in _list(document, "log", "entries"):
        target = read_target(_get(entry, "request", "method"), _get(entry, "request", "url"))
        status = _get(entry, "response", "status")
        if target and isinstance(status, int):
            is_failure = status == 0 or status >= _SERVER_ERROR
            detail = f"The status is {status}." if is_failure else ""
            outcome = Outcome.FAILED if is_failure else Outcome.EXERCISED
            yield Case(name=str(target), outcome=outcome, target=target, detail=detail)


# Newman, which runs collections of Postman


def _is_newman(document: Any) -> bool:
    return isinstance(_get(document, "run", "executions"), list)


def _read_newman(document: Any) -> Iterator[Case | None]:
    for execution in _list(document, "run", "executions"):
        target = read_target(_get(execution, "request", "method"), _read_postman_url(_get(execution, "request", "url")))
        assertions = _list(execution, "assertions")
        errors = [error for item in assertions if (error := _get(item, "error"))]
        request_error = _get(execution, "requestError")
        outcome = Outcome.FAILED if errors or request_error else Outcome.PASSED if assertions else Outcome.EXERCISED
        detail = _text(_get(errors[0] if errors else request_error, "message"))
        case = build_case(
            [_text(_get(execution, "item", "name")) or str(target)],
            outcome,
            detail=detail,
            count=max(len(assertions), 1),
        )
        yield None if case is None else _with_target(case, target)


def _read_postman_url(url: Any) -> str:
    path = _get(url, "path")
    return "/" + "/".join(map(_text, path)) if isinstance(path, list) else _text(_get(url, "raw") or url)


def _with_target(case: Case, target: Target | None) -> Case:
    return Case(
        name=case.name, outcome=case.outcome, target=target or case.target, detail=case.detail, count=case.count
    )


_FORMATS: Final = (("CTRF", _is_ctrf, _read_ctrf), ("HAR", _is_har, _read_har), ("Newman", _is_newman, _read_newman))


# NDJSON of Schemathesis: an event on each line. An operation is tested in several scenarios.


def _read_lines(content: bytes) -> Report | None:
    first_line = content.lstrip().partition(b"\n")[0]
    if _load(first_line) is None:
        return None
    cases = collect(map(_read_event, content.splitlines()))
    if not cases:
        return Report(format=None, problem="It has JSON on its lines, but no finished scenario of Schemathesis.")
    return Report(format="NDJSON of Schemathesis", cases=cases)


def _load(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def _read_event(line: bytes) -> Case | None:
    event = _get(_load(line), "ScenarioFinished") if b'"ScenarioFinished"' in line else None
    outcome = read_outcome(_get(event, "status"))
    if outcome is None:
        return None
    cases = _get(event, "recorder", "cases")
    detail = next(_find_failures(_get(event, "recorder", "checks")), "")
    count = len(cases) if isinstance(cases, dict) else 1
    return build_case([_text(_get(event, "recorder", "label"))], outcome, detail=detail, count=max(count, 1))


def _find_failures(checks: Any) -> Iterator[str]:
    for nodes in checks.values() if isinstance(checks, dict) else ():
        for node in nodes if isinstance(nodes, list) else ():
            if read_outcome(_get(node, "status")) is Outcome.FAILED:
                failure = _get(node, "failure_info", "failure")
                yield _text(_get(failure, "title") or _get(failure, "message")) or _text(_get(node, "name"))


# Other tools: any object with an operation and an outcome is a case.

_NAMES: Final = ("name", "fullName", "fullTitle", "title", "nodeid", "label", "target", "operation", "description")
_OUTCOMES: Final = ("status", "outcome", "result", "state", "success", "passed")
_PATHS: Final = ("path", "url", "uri", "endpoint", "route")
_DETAILS: Final = ("message", "detail", "reason", "failureMessages", "error", "err")


def _walk(document: Any) -> Iterator[Case | None]:
    pending, remaining = [document], MAX_VALUES
    while pending and remaining:
        value = pending.pop()
        remaining -= 1
        if isinstance(value, dict):
            case = _read_object(value)
            if case is not None:
                yield case
                continue
        children: Iterable[Any] = value.values() if isinstance(value, dict) else value
        pending += [child for child in children if isinstance(child, dict | list)]


def _read_object(value: Mapping[str, Any]) -> Case | None:
    outcome = next(filter(None, (read_outcome(value.get(key)) for key in _OUTCOMES)), None)
    if outcome is None:
        return None
    names = [text for key in _NAMES if (text := _text(value.get(key)))]
    request = value.get("request")
    target = _read_request(value) or _read_request(request if isinstance(request, dict) else {})
    case = build_case([*names, str(target or "")], outcome, detail=_read_detail(value))
    if case is None or (case.target is None and target is None):
        return None
    return _with_target(case, target)


def _read_request(value: Mapping[str, Any]) -> Target | None:
    url = next((value[key] for key in _PATHS if isinstance(value.get(key), str)), None)
    return read_target(value.get("method"), url)


def _read_detail(value: Mapping[str, Any]) -> str:
    for key in _DETAILS:
        detail = value.get(key)
        detail = detail[0] if isinstance(detail, list) and detail else detail
        text = _text(detail) or _text(_get(detail, "message"))
        if text:
            return text
    return ""
