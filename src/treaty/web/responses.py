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
    InvalidSetting,
    Malformed,
    NotFound,
    Overloaded,
    Problem,
    SimilarNames,
    Throttled,
    TimeLimitExceeded,
    TooLarge,
    Unauthenticated,
)
from treaty.model.pacts.notices import describe_similar_names
from treaty.store.engine.database import Busy
from treaty.web import pages, urls
from treaty.web.hal import represent
from treaty.web.hal.documents import DocumentWithLists, RenderContext, render, render_with_lists
from treaty.web.http.bodies import NotJson
from treaty.web.http.media_types import CSV, GRAPHVIZ, HAL, HTML, JSON, MERMAID, PROBLEM, SVG, TEXT, is_problem_accepted
from treaty.web.http.request import Request
from treaty.web.http.response import Response
from treaty.web.http.results import (
    Accepted,
    Created,
    Deleted,
    ErrorResult,
    HtmlPage,
    RawBody,
    Redirect,
    Updated,
    WithHeaders,
)
from treaty.web.http.router import InvalidPath
from treaty.web.security.authentication import gate_of
from treaty.web.transactions import NotAcceptable, Unsupported, UnsupportedMediaType

NOT_FOUND_TEXT: Final = "The requested document was not found on this server."


def build_response(result: object, call: Request) -> Response:  # noqa: PLR0911 - a table of results, a line each
    """Put together the answer to a request that succeeded."""
    match result:
        case Created(thing, location):
            return _answer(201, thing, call, _location(location, call))
        case Updated(thing, location):
            return _answer(200, thing, call, _location(location, call))
        case Accepted(thing):
            return _answer(202, thing, call, {})
        case WithHeaders(thing, headers):
            return _answer(200, thing, call, dict(headers))
        case ErrorResult(thing):
            return _answer(INTERNAL_ERROR, thing, call, {})
        case Redirect(location, status, headers):
            return Response(status, headers={"location": location, **headers})
        case Deleted():
            return Response(204)
        case HtmlPage(template, facts, status, headers):
            return Response(status, pages.render_page(template, facts, call), HTML, {**pages.HEADERS, **headers})
        case RawBody(body, media, headers):
            return Response(200, body, media, dict(headers), has_stable_body=True)
        case _:
            return _answer(200, result, call, {})


def _location(path: str | None, call: Request) -> dict[str, str]:
    return {} if path is None else {"location": call.render_context.href(path)}


def _answer(status: int, thing: object, call: Request, headers: dict[str, str]) -> Response:
    charset = not call.path.startswith("/diagnostic/")
    body, essence, is_kept = _rendered(thing, call.media_type, call.render_context)
    return Response(status, body, call.media_type, headers, charset, etag_source=essence, has_stable_body=is_kept)


def _rendered(thing: object, media_type: str, render_context: RenderContext) -> tuple[bytes, bytes, bool]:
    """Render a thing as a media type; say what tells it from others, if it is less than all of it, and is kept."""
    write = _WRITERS.get(media_type)
    if write is not None:
        return write(thing, render_context), b"", False
    document = represent.extended(thing) if media_type.startswith("application/vnd.") else represent.hal(thing)
    match document:
        case DocumentWithLists():
            return *render_with_lists(document, render_context), False
        case represent.ExtendedDocument():
            return *document.render_extended(render_context), True
        case _:
            return render(document, render_context), b"", False


def _text(thing: object, render_context: RenderContext) -> bytes:
    return represent.text(thing, render_context).encode()


_WRITERS: Final[Mapping[str, Callable[[object, RenderContext], bytes]]] = dict.fromkeys(
    (TEXT, CSV, GRAPHVIZ, MERMAID, SVG), _text
)


def build_error_response(error: BaseException, call: Request) -> Response:
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
    TimeLimitExceeded: 408,
    Busy: 503,
    Overloaded: 503,
    DatabaseReplaced: 503,
}


def _page_refusal(error: BaseException, call: Request) -> Response:
    statuses = (status for kind, status in _PAGE_STATUSES.items() if isinstance(error, kind))
    status = error.status if isinstance(error, Invalid) else next(statuses, None)
    if status is None:
        plain = _refusal(error, call)
        return plain if plain.status == INTERNAL_ERROR else build_error_page(plain.status, str(error), call)
    page = build_error_page(status, str(error) or NOT_FOUND_TEXT, call)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["retry-after"] = "5" if isinstance(error, Overloaded) else "1"
    return page


def build_error_page(status: int, text: str, call: Request) -> Response:
    """Tell people what went wrong, with a way back."""
    page = HtmlPage("error.html", {"status": f"{status} {HTTPStatus(status).phrase}", "text": text}, status)
    return build_response(page, call)


INTERNAL_ERROR: Final = 500


def _refusal(error: BaseException, call: Request) -> Response:  # noqa: C901, PLR0911, PLR0912 - a table of errors, a line each
    """Put together the answer to a request that was refused, or that failed."""
    problems = is_problem_accepted(call.accept)
    match error:
        case Invalid():
            return _invalid(error, call, problems=problems)
        case InvalidQuery():
            return _invalid_query(error, call, problems=problems)
        case NotJson() | Unsupported():
            return Response(415, media_type=call.media_type)
        case UnsupportedMediaType():
            return _unsupported(error, call)
        case Malformed():
            return _failed(400, str(error), call, problems=problems)
        case NotFound():
            return build_not_found(str(error), call)
        case NotAcceptable():
            return Response(406)
        case SimilarNames():
            text = "\n".join(describe_similar_names(new, like, call.base_url) for new, like in error.names.items())
            return Response(409, text.encode(), TEXT, charset=False)
        case ConflictingContracts():
            return _contracts(error, call)
        case Conflict():
            return _failed(409, str(error), call, problems=problems) if str(error) else Response(409, media_type=HAL)
        case InvalidPath():
            return _path_refused(error)
        case Forbidden():
            return _forbidden(error, call, problems=problems)
        case InvalidSetting():
            return _failed(500, str(error), call, problems=problems)
        case TooLarge():
            return Response(413, orjson.dumps({"error": str(error)}), HAL)
        case TimeLimitExceeded():
            return Response(408, str(error).encode(), TEXT)
        case Overloaded():
            return _told(503, str(error), call, {"retry-after": "5"})
        case Busy():
            text = "The database is busy; nothing was written. Send the request again."
            return Response(503, orjson.dumps({"error": text}), HAL, {"retry-after": "1"})
        case DatabaseReplaced():
            return _told(503, str(error), call, {})
        case _:
            return build_internal_error(call, problems=problems)


def _unauthenticated(error: Unauthenticated, call: Request) -> Response:
    """Ask who it is: browsers on a page of its own, unless the original's way was chosen by its settings."""
    if call.is_for_page and not gate_of(call).has_challenge:
        here = f"{call.path}?{call.query_string}" if call.query_string else call.path
        query = "?" + urlencode({"next": here}) if call.method in {"GET", "HEAD"} and here != "/" else ""
        return Response(303, headers={"location": call.render_context.href(urls.SIGN_IN.fill()) + query})
    headers = {"www-authenticate": 'Bearer error="invalid_token"' if error.is_bearer else BASIC_CHALLENGE}
    if call.is_for_page:
        asked = build_error_page(401, f"{error} You may also sign in.", call)
        asked.headers |= headers
        return asked
    return _told(401, str(error), call, headers)


BASIC_CHALLENGE: Final = 'Basic realm="Restricted area"'


def _throttled(error: Throttled, call: Request) -> Response:
    headers = {"retry-after": str(error.seconds)}
    if not call.is_for_page:
        return _told(429, str(error), call, headers)
    page = build_error_page(429, str(error), call)
    page.headers |= headers
    return page


def _forbidden(error: Forbidden, call: Request, *, problems: bool) -> Response:
    if problems or error.missing_permission is None:
        return _told(403, str(error), call, {})
    return Response(403, orjson.dumps({"error": str(error), "missingPermission": error.missing_permission}), HAL)


def _told(status: int, text: str, call: Request, headers: dict[str, str]) -> Response:
    """Say no in the form that errors have."""
    if not is_problem_accepted(call.accept):
        return Response(status, orjson.dumps({"error": text}), HAL, headers)
    phrase = HTTPStatus(status).phrase
    kind = f"{call.base_url}/problems/{phrase.lower().replace(' ', '-')}"
    body = {"title": phrase, "type": kind, "detail": text, "status": status}
    return Response(status, orjson.dumps(body), PROBLEM, headers)


def _unsupported(error: UnsupportedMediaType, call: Request) -> Response:
    headers = _location(error.result.location, call) if isinstance(error.result, Created) else {}
    return Response(415, media_type=call.media_type, headers=headers)


def create_request_id() -> str:
    """Make up what a failure is found by in the log."""
    return f"{random.getrandbits(64):016x}"


def build_internal_error(call: Request, *, problems: bool) -> Response:
    """Say that something went wrong here, without saying what: the log has it under the reference."""
    number = call.request_id
    text = f"An error has occurred. The details have been logged with the reference {number}"
    if call.is_for_page:
        return build_error_page(INTERNAL_ERROR, text, call)
    if problems:
        body = {
            "title": "Server error",
            "type": f"{call.base_url}/problems/server-error",
            "detail": text,
            "status": 500,
        }
        return Response(500, orjson.dumps(body), PROBLEM)
    return Response(500, orjson.dumps({"error": {"message": text, "reference": number}}), HAL)


def _failed(status: int, text: str, call: Request, *, problems: bool) -> Response:
    if problems:
        body = {"title": "Server error", "type": f"{call.base_url}/problem/server-error", "detail": text, "status": 500}
        return Response(status, orjson.dumps(body), PROBLEM)
    return Response(status, orjson.dumps({"error": text}), HAL)


def build_not_found(text: str, call: Request) -> Response:
    """Say that something does not exist: what, or in general."""
    if is_problem_accepted(call.accept):
        title = "Not found" if text else "404 Not Found"
        body = {
            "title": title,
            "type": f"{call.base_url}/problem/not-found",
            "detail": text or NOT_FOUND_TEXT,
            "status": 404,
        }
        return Response(404, orjson.dumps(body), PROBLEM)
    if text:
        return Response(404, orjson.dumps({"error": text}), HAL)
    if "text/html" in call.accept.lower():
        return build_error_page(404, NOT_FOUND_TEXT, call)
    return Response(404, orjson.dumps({"error": NOT_FOUND_TEXT}), JSON)


def _path_refused(error: InvalidPath) -> Response:
    body = {"title": error.title, "type": f"/problem/{error.kind}", "detail": str(error), "status": error.status}
    return Response(error.status, orjson.dumps(body), PROBLEM, charset=False, is_bare=True)


def _invalid(error: Invalid, call: Request, *, problems: bool) -> Response:
    if problems:
        return _problem_document([_problem(one, call.base_url) for one in error.problems], call, error.status)
    found: dict[str, list[str]] = {}
    for problem in error.problems:
        key, text = _flat(problem)
        found.setdefault(key, []).append(text)
    return Response(error.status, orjson.dumps({"errors": found}), HAL)


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


def _invalid_query(error: InvalidQuery, call: Request, *, problems: bool) -> Response:
    if not problems:
        return Response(400, orjson.dumps({"errors": error.texts}), HAL)
    kind = f"{call.base_url}/problems/invalid-body-property-value"
    found: list[dict[str, object]] = [
        {"type": kind, "title": "Invalid body parameter", "detail": text} for text in error.texts
    ]
    return _problem_document(found, call, 400)


def _problem_document(problems: list[dict[str, object]], call: Request, status: int) -> Response:
    body = {
        "title": "Validation errors",
        "type": f"{call.base_url}/problems/validation-error",
        "status": 400,
        "instance": "/",
        "errors": problems,
    }
    return Response(status, orjson.dumps(body), PROBLEM)


def _contracts(error: ConflictingContracts, call: Request) -> Response:
    similar = [("error", describe_similar_names(new, like, call.base_url)) for new, like in error.similar.items()]
    notices = [*error.notices, *similar]
    body = {
        "notices": [{"type": kind, "text": text} for kind, text in notices],
        "errors": {"contracts": [text for kind, text in notices if kind == "error"]},
    }
    return Response(409, orjson.dumps(body), JSON)
