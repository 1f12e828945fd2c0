"""Builds responses from the results of handlers, and from errors."""

import random
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import orjson

from treaty.errors import (
    Conflict,
    ConflictingContracts,
    CursorExpired,
    DatabaseReplaced,
    Forbidden,
    Invalid,
    InvalidQuery,
    InvalidSetting,
    Malformed,
    NotFound,
    NotReady,
    Overloaded,
    Problem,
    ReauthenticationRequired,
    SecondFactorRequired,
    SimilarNames,
    Throttled,
    TimeLimitExceeded,
    TooLarge,
    Unauthenticated,
    VersionNotFound,
)
from treaty.model.accounts.access import OPEN_ACCESS_CALLER
from treaty.model.audit import shorten
from treaty.model.pacts.notices import describe_similar_names
from treaty.store.engine.database import Busy, Unavailable
from treaty.web import pages, urls
from treaty.web.hal import represent
from treaty.web.hal.documents import DocumentWithLists, Hal, RenderContext, render, render_with_lists
from treaty.web.http import unknown_members
from treaty.web.http.json_bodies import NotJson
from treaty.web.http.media_types import CSV, GRAPHVIZ, HAL, HTML, JSON, MERMAID, PROBLEM, SVG, TEXT, is_problem_accepted
from treaty.web.http.request import MAX_AUDITED_TEXT_LENGTH, Request
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
from treaty.web.routers import list_routers
from treaty.web.security.authentication import get_authenticator
from treaty.web.security.reauthentication import read_form_to_resume
from treaty.web.transactions import NotAcceptable, UnsupportedMediaType

if TYPE_CHECKING:
    from treaty.model.decisions.matrix import VersionKey

NOT_FOUND_TEXT: Final = "The requested document was not found on this server."
_BUSY_TEXT: Final = "The database is busy; nothing was written. Send the request again."
_UNAVAILABLE_TEXT: Final = "The database cannot be used at the moment; the log of the server says why. Try again."


def build_response(result: object, request: Request) -> Response:  # noqa: PLR0911 - a table of results, a line each
    """Build the response for the result of a handler."""
    match result:
        case Created(content, location):
            return _respond(201, content, request, _location(location, request))
        case Updated(content, location):
            return _respond(200, content, request, _location(location, request))
        case Accepted(content):
            return _respond(202, content, request, {})
        case WithHeaders(content, headers):
            return _respond(200, content, request, dict(headers))
        case ErrorResult(content):
            return _respond(INTERNAL_ERROR, content, request, {})
        case Redirect(location, status, headers, text):
            return Response(status, text.encode(), TEXT if text else None, {"location": location, **headers})
        case Deleted():
            return Response(204)
        case HtmlPage(template, context, status, headers):
            return Response(status, pages.render_page(template, context, request), HTML, {**pages.HEADERS, **headers})
        case RawBody(body, media_type, headers):
            return Response(200, body, media_type, dict(headers), has_stable_body=True)
        case _:
            return _respond(200, result, request, {})


def _location(path: str | None, request: Request) -> dict[str, str]:
    return {} if path is None else {"location": request.render_context.href(path)}


def _respond(status: int, content: object, request: Request, headers: dict[str, str]) -> Response:
    charset = not request.path.startswith("/diagnostic/")
    body, etag_source, has_stable_body = _render(content, request)
    return Response(
        status, body, request.media_type, headers, charset, etag_source=etag_source, has_stable_body=has_stable_body
    )


def _render(content: object, request: Request) -> tuple[bytes, bytes, bool]:
    """Render an object as the request's media type. Also return the source of its ETag, and whether it is stable."""
    try:
        return _render_with_loaded(content, request)
    except represent.NotRegistered:
        # Usually the modules of a route load the representation of its result.
        list_routers(request.settings)
        return _render_with_loaded(content, request)


def _render_with_loaded(content: object, request: Request) -> tuple[bytes, bytes, bool]:
    media_type, render_context = request.media_type, request.render_context
    render_text = _WRITERS.get(media_type)
    if render_text is not None:
        return render_text(content, render_context), b"", False
    document = represent.extended(content) if media_type.startswith("application/vnd.") else represent.hal(content)
    match document:
        case DocumentWithLists():
            return *render_with_lists(document, render_context), False
        case represent.ExtendedDocument():
            return *document.render_extended(render_context), True
        case _:
            return render(_with_warnings(document, request), render_context), b"", False


def _with_warnings(document: Hal, request: Request) -> Mapping[str, object]:
    """Add the parts of the request that were ignored to a document."""
    if not request.unknown_members and not request.warnings:
        return document
    warnings = [*request.warnings, *unknown_members.describe(request.unknown_members, document)]
    if not warnings:
        return document
    parts = {name: document[name] for name in ("_embedded", "_links") if name in document}
    return {**{name: value for name, value in document.items() if name not in parts}, "warnings": warnings, **parts}


def _text(content: object, render_context: RenderContext) -> bytes:
    return represent.text(content, render_context).encode()


_WRITERS: Final[Mapping[str, Callable[[object, RenderContext], bytes]]] = dict.fromkeys(
    (TEXT, CSV, GRAPHVIZ, MERMAID, SVG), _text
)


def build_error_response(error: BaseException, request: Request) -> Response:
    """Build the response for an error: a page for browsers, JSON for other clients."""
    if isinstance(error, Unauthenticated):
        return _unauthenticated(error, request)
    if isinstance(error, Throttled):
        return _throttled(error, request)
    if isinstance(error, ReauthenticationRequired):
        return _reauthentication(error, request)
    if isinstance(error, SecondFactorRequired):
        return _second_factor(error, request)
    return _page_refusal(error, request) if request.is_for_page else _refusal(error, request)


def _describe_for_page(error: BaseException, request: Request) -> str:
    if isinstance(error, Busy):
        return _UNAVAILABLE_TEXT if isinstance(error, Unavailable) else _BUSY_TEXT
    if isinstance(error, NotFound) and request.missing_name is not None:
        return f"No application has the name {request.missing_name}."
    return str(error) or NOT_FOUND_TEXT


_PAGE_STATUSES: Final[Mapping[type[BaseException], int]] = {
    Forbidden: 403,
    Malformed: 400,
    Conflict: 409,
    NotFound: 404,
    InvalidQuery: 400,
    TimeLimitExceeded: 408,
    Busy: 503,
    NotReady: 503,
    Overloaded: 503,
    DatabaseReplaced: 503,
}


def _page_refusal(error: BaseException, request: Request) -> Response:
    statuses = (status for kind, status in _PAGE_STATUSES.items() if isinstance(error, kind))
    status = error.status if isinstance(error, Invalid) else next(statuses, None)
    if status is None:
        plain = _refusal(error, request)
        return plain if plain.status == INTERNAL_ERROR else build_error_page(plain.status, str(error), request)
    page = build_error_page(status, _describe_for_page(error, request), request, versions=_list_candidates(error))
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        page.headers["retry-after"] = "5" if isinstance(error, NotReady | Overloaded | Unavailable) else "1"
    return page


def _list_candidates(error: BaseException) -> "list[VersionKey]":
    if not isinstance(error, VersionNotFound):
        return []
    return [(error.pacticipant, number) for number in error.candidates]


def build_error_page(status: int, text: str, request: Request, versions: "Sequence[VersionKey]" = ()) -> Response:
    """Build a page that explains an error and links back, and to versions that may be meant."""
    context = {
        "status": f"{status} {HTTPStatus(status).phrase}",
        "text": text,
        "similar": request.similar_pages,
        "versions": versions,
    }
    page = HtmlPage("error.html", context, status)
    return build_response(page, request)


INTERNAL_ERROR: Final = 500


def _refusal(error: BaseException, request: Request) -> Response:  # noqa: C901, PLR0911, PLR0912 - a table of errors, a line each
    """Build the JSON or text response for an error."""
    problems = is_problem_accepted(request.accept)
    match error:
        case Invalid():
            return _invalid(error, request, problems=problems)
        case InvalidQuery():
            return _invalid_query(error, request, problems=problems)
        case NotJson():
            return Response(415, media_type=request.media_type)
        case UnsupportedMediaType():
            return _unsupported(error, request)
        case Malformed():
            return _failed(400, str(error), request, problems=problems)
        case NotFound():
            return build_not_found(str(error), request)
        case NotAcceptable():
            return Response(406)
        case SimilarNames():
            text = "\n".join(describe_similar_names(new, like, request.base_url) for new, like in error.names.items())
            return Response(409, text.encode(), TEXT, charset=False)
        case ConflictingContracts():
            return _contracts(error, request)
        case Conflict():
            return _failed(409, str(error), request, problems=problems)
        case CursorExpired():
            return _error(410, str(error), request, {})
        case InvalidPath():
            return _path_refused(error)
        case Forbidden():
            return _forbidden(error, request)
        case InvalidSetting():
            return _failed(500, str(error), request, problems=problems)
        case TooLarge():
            return Response(413, orjson.dumps({"error": str(error)}), HAL)
        case TimeLimitExceeded():
            return Response(408, str(error).encode(), TEXT)
        case NotReady() | Overloaded():
            return _error(503, str(error), request, {"retry-after": "5"})
        case Unavailable():
            return _error(503, _UNAVAILABLE_TEXT, request, {"retry-after": "5"})
        case Busy():
            return Response(503, orjson.dumps({"error": _BUSY_TEXT}), HAL, {"retry-after": "1"})
        case DatabaseReplaced():
            return _error(503, str(error), request, {})
        case _:
            return build_internal_error(request, problems=problems)


def _unauthenticated(error: Unauthenticated, request: Request) -> Response:
    """Request credentials: browsers are redirected to the sign-in page.

    With the original's basic auth settings browsers get its challenge instead, and ask for the password themselves.
    """
    if request.is_for_page and request.caller == OPEN_ACCESS_CALLER:
        return build_error_page(403, _NO_ADMINISTRATOR, request)
    if request.is_for_page and not get_authenticator(request).has_challenge:
        return _redirect_and_return(urls.SIGN_IN.fill(), request)
    headers = {"www-authenticate": 'Bearer error="invalid_token"' if error.is_bearer else BASIC_CHALLENGE}
    if request.is_for_page:
        challenge_page = build_error_page(401, f"{error} You may also sign in.", request)
        challenge_page.headers |= headers
        return challenge_page
    return _error(401, str(error), request, headers)


_NO_ADMINISTRATOR: Final = (
    "This page is for administrators, and this server has no users yet, so signing in is not possible. Add an "
    "administrator on the machine where the server runs, with `treaty user add NAME --role administrator`, and sign in."
)


def _redirect_and_return(path: str, request: Request) -> Response:
    """Redirect to a form that continues at the requested page, unless the request is a write."""
    here = _path_with_query(request)
    query = "?" + urlencode({"next": here}) if request.method in {"GET", "HEAD"} and here != "/" else ""
    return Response(303, headers={"location": request.render_context.href(path) + query})


def _path_with_query(request: Request) -> str:
    return f"{request.path}?{request.query_string}" if request.query_string else request.path


def _reauthentication(error: ReauthenticationRequired, request: Request) -> Response:
    """Ask the user of a session for the password, with the fields of the form that was submitted too late."""
    if not request.is_for_page:
        url = request.render_context.href(urls.REAUTHENTICATE.fill())
        text = f"Enter your password again at {url}, then repeat this: you entered it more than ten minutes ago."
        return _error(403, text, request, {})
    if request.method in {"GET", "HEAD"}:
        return _redirect_and_return(urls.REAUTHENTICATE.fill(), request)
    context = {
        "action": _path_with_query(request),
        "form": read_form_to_resume(request),
        "problem": str(error),
        "button": "Continue",
    }
    headers = {"retry-after": str(error.seconds)} if error.seconds else {}
    page = HtmlPage("reauthenticate.html", context, 429 if error.seconds else 403, headers)
    return build_response(page, request)


def _second_factor(error: SecondFactorRequired, request: Request) -> Response:
    url = request.render_context.href(urls.SECOND_FACTOR.fill())
    return (
        Response(303, headers={"location": url}) if request.is_for_page else _error(403, f"{error} {url}", request, {})
    )


BASIC_CHALLENGE: Final = 'Basic realm="Restricted area"'


def _throttled(error: Throttled, request: Request) -> Response:
    headers = {"retry-after": str(error.seconds)}
    if not request.is_for_page:
        return _error(429, str(error), request, headers)
    page = build_error_page(429, str(error), request)
    page.headers |= headers
    return page


def _forbidden(error: Forbidden, request: Request) -> Response:
    missing = {
        "missingPermission": error.missing_permission,
        "missingScopes": error.missing_scopes,
        "missingApplications": error.missing_applications,
    }
    return _error(403, str(error), request, {}, **{name: value for name, value in missing.items() if value})


def _error(status: int, text: str, request: Request, headers: dict[str, str], **members: object) -> Response:
    """Build an error response with more members, as a problem document if the client accepts that."""
    if not is_problem_accepted(request.accept):
        return Response(status, orjson.dumps({"error": text, **members}), HAL, headers)
    phrase = HTTPStatus(status).phrase
    kind = f"{request.base_url}/problems/{phrase.lower().replace(' ', '-')}"
    body = {"title": phrase, "type": kind, "detail": text, "status": status, **members}
    return Response(status, orjson.dumps(body), PROBLEM, headers)


def _unsupported(error: UnsupportedMediaType, request: Request) -> Response:
    headers = _location(error.result.location, request) if isinstance(error.result, Created) else {}
    return Response(415, media_type=request.media_type, headers=headers)


def create_request_id() -> str:
    """Create a random id by which a failed request is found in the log."""
    return f"{random.getrandbits(64):016x}"


def build_internal_error(request: Request, *, problems: bool) -> Response:
    """Build a 500 response. It names only the reference: details in the response could reveal secrets."""
    number = request.request_id
    text = f"An error has occurred. The details have been logged with the reference {number}"
    if request.is_for_page:
        return build_error_page(INTERNAL_ERROR, text, request)
    if problems:
        body = {
            "title": "Server error",
            "type": f"{request.base_url}/problems/server-error",
            "detail": text,
            "status": 500,
        }
        return Response(500, orjson.dumps(body), PROBLEM)
    return Response(500, orjson.dumps({"error": {"message": text, "reference": number}}), HAL)


def _failed(status: int, text: str, request: Request, *, problems: bool) -> Response:
    if problems:
        body = {
            "title": "Server error",
            "type": f"{request.base_url}/problem/server-error",
            "detail": text,
            "status": 500,
        }
        return Response(status, orjson.dumps(body), PROBLEM)
    return Response(status, orjson.dumps({"error": text}), HAL)


def explain_decoded_slash(request: Request, path: str, *, has_prefix: bool) -> str:
    """Explain that a proxy seems to have decoded a name in a path, and which configuration to change.

    `path` is the one that arrived, and `has_prefix` whether it begins with the path of the base URL.
    """
    base_path = urlsplit(request.base_url).path
    removed = f" while it removed {base_path}" if base_path and not has_prefix else ""
    return (
        f"The broker received the path {shorten(path, MAX_AUDITED_TEXT_LENGTH)}. If a name in it contains a "
        f"slash, a proxy in front of the broker has decoded it from %2F to /{removed}. Configure the proxy to pass on "
        "the path unchanged: in nginx, write proxy_pass without a path, that is, without a slash after the host and "
        f"port. See {request.render_context.href(urls.PROXIES.fill())} for other proxies."
    )


def build_not_found(text: str, request: Request, hint: str = "") -> Response:
    """Build a 404 response, with a text that names the missing resource if there is one, and a hint at the reason."""
    general_text = f"{NOT_FOUND_TEXT} {hint}".rstrip()
    if is_problem_accepted(request.accept):
        title = "Not found" if text else "404 Not Found"
        body = {
            "title": title,
            "type": f"{request.base_url}/problem/not-found",
            "detail": text or general_text,
            "status": 404,
        }
        return Response(404, orjson.dumps(body), PROBLEM)
    if text:
        return Response(404, orjson.dumps({"error": text}), HAL)
    if "text/html" in request.accept.lower():
        return build_error_page(404, general_text, request)
    return Response(404, orjson.dumps({"error": general_text}), JSON)


def _path_refused(error: InvalidPath) -> Response:
    body = {"title": error.title, "type": f"/problem/{error.kind}", "detail": str(error), "status": error.status}
    return Response(error.status, orjson.dumps(body), PROBLEM, charset=False, is_bare=True)


def _invalid(error: Invalid, request: Request, *, problems: bool) -> Response:
    if problems:
        return _problem_document(
            [_problem(problem, request.base_url) for problem in error.problems], request, error.status
        )
    texts_by_key: dict[str, list[str]] = {}
    for problem in error.problems:
        key, text = _flat(problem)
        texts_by_key.setdefault(key, []).append(text)
    return Response(error.status, orjson.dumps({"errors": texts_by_key}), HAL)


def _flat(problem: Problem) -> tuple[str, str]:
    """Return a problem's key and text as the original words them: inside a list, the key is the list's."""
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


def _invalid_query(error: InvalidQuery, request: Request, *, problems: bool) -> Response:
    if not problems:
        return Response(400, orjson.dumps({"errors": error.texts}), HAL)
    kind = f"{request.base_url}/problems/invalid-body-property-value"
    problem_documents: list[dict[str, object]] = [
        {"type": kind, "title": "Invalid body parameter", "detail": text} for text in error.texts
    ]
    return _problem_document(problem_documents, request, 400)


def _problem_document(problems: list[dict[str, object]], request: Request, status: int) -> Response:
    body = {
        "title": "Validation errors",
        "type": f"{request.base_url}/problems/validation-error",
        "status": 400,
        "instance": "/",
        "errors": problems,
    }
    return Response(status, orjson.dumps(body), PROBLEM)


def _contracts(error: ConflictingContracts, request: Request) -> Response:
    similar = [("error", describe_similar_names(new, like, request.base_url)) for new, like in error.similar.items()]
    notices = [*error.notices, *similar]
    body = {
        "notices": [{"type": kind, "text": text} for kind, text in notices],
        "errors": {"contracts": [text for kind, text in notices if kind == "error"]},
    }
    return Response(409, orjson.dumps(body), JSON)
