"""From results and errors to answers: status, headers and bytes."""

import random
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlencode

import orjson

from treaty.errors import (
    Conflict,
    ConflictingContracts,
    DatabaseReplaced,
    Forbidden,
    Invalid,
    InvalidQuery,
    Malformed,
    NotFound,
    Overloaded,
    Problem,
    SimilarNames,
    Throttled,
    TooLarge,
    TooSlow,
    Unauthenticated,
    WrongSetting,
)
from treaty.model.pacts.notices import similar_name_text
from treaty.store.engine.database import Busy
from treaty.web import pages, urls
from treaty.web.hal import represent
from treaty.web.hal.documents import Long, Place, rendered, rendered_long
from treaty.web.http.bodies import NotJson
from treaty.web.http.media_types import CSV, GRAPH, HAL, HTML, JSON, MERMAID, PROBLEM, SVG, TEXT, wants_problems
from treaty.web.http.request import Call
from treaty.web.http.response import Answer
from treaty.web.http.results import Accepted, Created, Deleted, Failed, Headed, Page, Ready, Redirected, Updated
from treaty.web.http.router import PathRefused
from treaty.web.security.authentication import gate_of
from treaty.web.transactions import Refused, Unacceptable, Unsupported

NOT_FOUND: Final = "The requested document was not found on this server."


def answer(result: object, call: Call) -> Answer:  # noqa: PLR0911 - a table of results, a line each
    """Put together the answer to a request that succeeded."""
    match result:
        case Created(thing, location):
            return _answer(201, thing, call, _location(location, call))
        case Updated(thing, location):
            return _answer(200, thing, call, _location(location, call))
        case Accepted(thing):
            return _answer(202, thing, call, {})
        case Headed(thing, headers):
            return _answer(200, thing, call, dict(headers))
        case Failed(thing):
            return _answer(FAILED, thing, call, {})
        case Redirected(location, status, headers):
            return Answer(status, headers={"location": location, **headers})
        case Deleted():
            return Answer(204)
        case Page(template, facts, status, headers):
            return Answer(status, pages.drawn(template, facts, call), HTML, {**pages.HEADERS, **headers})
        case Ready(body, media, headers):
            return Answer(200, body, media, dict(headers), is_kept=True)
        case _:
            return _answer(200, result, call, {})


def _location(path: str | None, call: Call) -> dict[str, str]:
    return {} if path is None else {"location": call.place.href(path)}


def _answer(status: int, thing: object, call: Call, headers: dict[str, str]) -> Answer:
    charset = not call.path.startswith("/diagnostic/")
    body, essence, is_kept = _rendered(thing, call.media, call.place)
    return Answer(status, body, call.media, headers, charset, essence=essence, is_kept=is_kept)


def _rendered(thing: object, media: str, place: Place) -> tuple[bytes, bytes, bool]:
    """Render a thing as a media type; say what tells it from others, if it is less than all of it, and is kept."""
    write = _WRITERS.get(media)
    if write is not None:
        return write(thing, place), b"", False
    document = represent.extended(thing) if media.startswith("application/vnd.") else represent.hal(thing)
    match document:
        case Long():
            return *rendered_long(document, place), False
        case represent.Spliced():
            return *document.spliced(place), True
        case _:
            return rendered(document, place), b"", False


def _text(thing: object, place: Place) -> bytes:
    return represent.text(thing, place).encode()


_WRITERS: Final[Mapping[str, Callable[[object, Place], bytes]]] = dict.fromkeys((TEXT, CSV, GRAPH, MERMAID, SVG), _text)


def refusal(error: BaseException, call: Call) -> Answer:
    """Put together the answer to a request that was refused, or that failed; to browsers it is a page."""
    if isinstance(error, Unauthenticated):
        return _unauthenticated(error, call)
    if isinstance(error, Throttled):
        return _throttled(error, call)
    return _page_refusal(error, call) if call.is_for_page else _refusal(error, call)


_PAGE_STATUSES: Final[Mapping[type[BaseException], int]] = {
    Forbidden: 403,
    Malformed: 400,
    Conflict: 409,
    NotFound: 404,
    InvalidQuery: 400,
    TooSlow: 408,
    Busy: 503,
    Overloaded: 503,
    DatabaseReplaced: 503,
}


def _page_refusal(error: BaseException, call: Call) -> Answer:
    statuses = (status for kind, status in _PAGE_STATUSES.items() if isinstance(error, kind))
    status = error.status if isinstance(error, Invalid) else next(statuses, None)
    if status is None:
        plain = _refusal(error, call)
        return plain if plain.status == FAILED else error_page(plain.status, str(error), call)
    page = error_page(status, str(error) or NOT_FOUND, call)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["retry-after"] = "5" if isinstance(error, Overloaded) else "1"
    return page


def error_page(status: int, text: str, call: Call) -> Answer:
    """Tell people what went wrong, with a way back."""
    page = Page("error.html", {"status": f"{status} {HTTPStatus(status).phrase}", "text": text}, status)
    return answer(page, call)


FAILED: Final = 500


def _refusal(error: BaseException, call: Call) -> Answer:  # noqa: C901, PLR0911, PLR0912 - a table of errors, a line each
    """Put together the answer to a request that was refused, or that failed."""
    problems = wants_problems(call.accept)
    match error:
        case Invalid():
            return _invalid(error, call, problems=problems)
        case InvalidQuery():
            return _invalid_query(error, call, problems=problems)
        case NotJson() | Unsupported():
            return Answer(415, media=call.media)
        case Refused():
            return _unsupported(error, call)
        case Malformed():
            return _failed(400, str(error), call, problems=problems)
        case NotFound():
            return not_found(str(error), call)
        case Unacceptable():
            return Answer(406)
        case SimilarNames():
            text = "\n".join(similar_name_text(new, like, call.base_url) for new, like in error.names.items())
            return Answer(409, text.encode(), TEXT, charset=False)
        case ConflictingContracts():
            return _contracts(error, call)
        case Conflict():
            return _failed(409, str(error), call, problems=problems) if str(error) else Answer(409, media=HAL)
        case PathRefused():
            return _path_refused(error)
        case Forbidden():
            return _forbidden(error, call, problems=problems)
        case WrongSetting():
            return _failed(500, str(error), call, problems=problems)
        case TooLarge():
            return Answer(413, orjson.dumps({"error": str(error)}), HAL)
        case TooSlow():
            return Answer(408, str(error).encode(), TEXT)
        case Overloaded():
            return _told(503, str(error), call, {"retry-after": "5"})
        case Busy():
            text = "The database is busy; nothing was written. Send the request again."
            return Answer(503, orjson.dumps({"error": text}), HAL, {"retry-after": "1"})
        case DatabaseReplaced():
            return _told(503, str(error), call, {})
        case _:
            return failure(call, problems=problems)


def _unauthenticated(error: Unauthenticated, call: Call) -> Answer:
    """Ask who it is: browsers on a page of its own, unless the original's way was chosen by its settings."""
    if call.is_for_page and not gate_of(call).has_challenge:
        here = f"{call.path}?{call.query_string}" if call.query_string else call.path
        query = "?" + urlencode({"next": here}) if call.method in {"GET", "HEAD"} and here != "/" else ""
        return Answer(303, headers={"location": call.place.href(urls.SIGN_IN.fill()) + query})
    headers = {"www-authenticate": 'Bearer error="invalid_token"' if error.is_bearer else CHALLENGE}
    if call.is_for_page:
        asked = error_page(401, f"{error} You may also sign in.", call)
        asked.headers |= headers
        return asked
    return _told(401, str(error), call, headers)


CHALLENGE: Final = 'Basic realm="Restricted area"'


def _throttled(error: Throttled, call: Call) -> Answer:
    headers = {"retry-after": str(error.seconds)}
    if not call.is_for_page:
        return _told(429, str(error), call, headers)
    page = error_page(429, str(error), call)
    page.headers |= headers
    return page


def _forbidden(error: Forbidden, call: Call, *, problems: bool) -> Answer:
    if problems or error.missing is None:
        return _told(403, str(error), call, {})
    return Answer(403, orjson.dumps({"error": str(error), "missingPermission": error.missing}), HAL)


def _told(status: int, text: str, call: Call, headers: dict[str, str]) -> Answer:
    """Say no in the form that errors have."""
    if not wants_problems(call.accept):
        return Answer(status, orjson.dumps({"error": text}), HAL, headers)
    phrase = HTTPStatus(status).phrase
    kind = f"{call.base_url}/problems/{phrase.lower().replace(' ', '-')}"
    body = {"title": phrase, "type": kind, "detail": text, "status": status}
    return Answer(status, orjson.dumps(body), PROBLEM, headers)


def _unsupported(error: Refused, call: Call) -> Answer:
    headers = _location(error.result.location, call) if isinstance(error.result, Created) else {}
    return Answer(415, media=call.media, headers=headers)


def reference() -> str:
    """Make up what a failure is found by in the log."""
    return f"{random.getrandbits(64):016x}"


def failure(call: Call, *, problems: bool) -> Answer:
    """Say that something went wrong here, without saying what: the log has it under the reference."""
    number = call.request_id
    text = f"An error has occurred. The details have been logged with the reference {number}"
    if call.is_for_page:
        return error_page(FAILED, text, call)
    if problems:
        body = {
            "title": "Server error",
            "type": f"{call.base_url}/problems/server-error",
            "detail": text,
            "status": 500,
        }
        return Answer(500, orjson.dumps(body), PROBLEM)
    return Answer(500, orjson.dumps({"error": {"message": text, "reference": number}}), HAL)


def _failed(status: int, text: str, call: Call, *, problems: bool) -> Answer:
    if problems:
        body = {"title": "Server error", "type": f"{call.base_url}/problem/server-error", "detail": text, "status": 500}
        return Answer(status, orjson.dumps(body), PROBLEM)
    return Answer(status, orjson.dumps({"error": text}), HAL)


def not_found(text: str, call: Call) -> Answer:
    """Say that something does not exist: what, or in general."""
    if wants_problems(call.accept):
        title = "Not found" if text else "404 Not Found"
        body = {
            "title": title,
            "type": f"{call.base_url}/problem/not-found",
            "detail": text or NOT_FOUND,
            "status": 404,
        }
        return Answer(404, orjson.dumps(body), PROBLEM)
    if text:
        return Answer(404, orjson.dumps({"error": text}), HAL)
    if "text/html" in call.accept.lower():
        return error_page(404, NOT_FOUND, call)
    return Answer(404, orjson.dumps({"error": NOT_FOUND}), JSON)


def _path_refused(error: PathRefused) -> Answer:
    body = {"title": error.title, "type": f"/problem/{error.kind}", "detail": str(error), "status": error.status}
    return Answer(error.status, orjson.dumps(body), PROBLEM, charset=False, is_bare=True)


def _invalid(error: Invalid, call: Call, *, problems: bool) -> Answer:
    if problems:
        return _problem_document([_problem(one, call.base_url) for one in error.problems], call, error.status)
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        key, text = _flat(problem)
        found.setdefault(key, []).append(text)
    return Answer(error.status, orjson.dumps({"errors": found}), HAL)


def _flat(problem: Problem) -> tuple[str, str]:
    """Put what is wrong inside a list under the list's name, with its index behind."""
    at = next((place for place, step in enumerate(problem.path) if isinstance(step, int)), None)
    if at is None:
        return ".".join(map(str, problem.path)), problem.text
    inner = ".".join(map(str, problem.path[at + 1 :]))
    text = f"{inner} {problem.text}" if inner else problem.text
    return ".".join(map(str, problem.path[:at])), f"{text} (at index {problem.path[at]})"


def _problem(problem: Problem, base_url: str) -> dict[str, object]:
    kind = "missing-body-property" if "missing" in problem.text else "invalid-body-property-value"
    kind = "invalid-body-property-format" if "format" in problem.text and kind != "missing-body-property" else kind
    return {
        "type": f"{base_url}/problems/{kind}",
        "title": "Invalid body parameter",
        "detail": problem.text,
        "pointer": "/" + "/".join(map(str, problem.path)),
    }


def _invalid_query(error: InvalidQuery, call: Call, *, problems: bool) -> Answer:
    if not problems:
        return Answer(400, orjson.dumps({"errors": error.texts}), HAL)
    kind = f"{call.base_url}/problems/invalid-body-property-value"
    found: list[dict[str, object]] = [
        {"type": kind, "title": "Invalid body parameter", "detail": text} for text in error.texts
    ]
    return _problem_document(found, call, 400)


def _problem_document(problems: list[dict[str, object]], call: Call, status: int) -> Answer:
    body = {
        "title": "Validation errors",
        "type": f"{call.base_url}/problems/validation-error",
        "status": 400,
        "instance": "/",
        "errors": problems,
    }
    return Answer(status, orjson.dumps(body), PROBLEM)


def _contracts(error: ConflictingContracts, call: Call) -> Answer:
    similar = [("error", similar_name_text(new, like, call.base_url)) for new, like in error.similar.items()]
    notices = [*error.notices, *similar]
    body = {
        "notices": [{"type": kind, "text": text} for kind, text in notices],
        "errors": {"contracts": [text for kind, text in notices if kind == "error"]},
    }
    return Answer(409, orjson.dumps(body), JSON)
