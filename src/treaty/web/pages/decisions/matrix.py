"""The matrix as a page: a form for what to ask, the verdict with its reasons, and the results it rests on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from treaty.errors import Invalid, InvalidQuery, NotFound
from treaty.model.decisions.matrix import Matrix
from treaty.model.paging import Page as Part
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.web import urls
from treaty.web.api.decisions import matrix as api
from treaty.web.http.page_queries import read_number
from treaty.web.http.queries import Query
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.decisions.verdicts import describe_reasons
from treaty.web.security.permissions import Permission

router = Router()

DEFAULT_SELECTORS: Final = 2
"""How many selectors the form offers, unless more were given."""
MAX_SELECTORS: Final = 10
NAMES_PAGE: Final = Part(1, 2000)


@dataclass(frozen=True, slots=True)
class _Selected:
    """A selector as the form shows it: a pacticipant, and one way of choosing its versions."""

    pacticipant: str = ""
    by: str = ""
    value: str = ""
    is_latest: bool = False


@router.page(urls.MATRIX, permission=Permission.READ)
def show_matrix(call: Request) -> HtmlPage:
    """Show what is asked of the matrix, and its answer."""
    given = call.query.get("q")
    query = {**call.query, "q": [one for one in given if _names_one(one)] if isinstance(given, list) else given}
    return _page(call, query, lambda: api.query_matrix(call.db, query, counts_superseded=False) if given else None)


def _names_one(selector: object) -> bool:
    """Tell a selector from the form's that was left blank."""
    return not isinstance(selector, dict) or any(selector.values())


@router.page(urls.PAIR_MATRIX, permission=Permission.READ)
def show_matrix_of_pair(call: Request, provider: str, consumer: str) -> HtmlPage:
    """Show the results between any versions of a consumer and a provider."""
    query = {**call.query, "q": [{"pacticipant": consumer}, {"pacticipant": provider}]}
    return _page(call, query, lambda: _answer_for_pair(call, provider=provider, consumer=consumer))


def _answer_for_pair(call: Request, *, provider: str, consumer: str) -> Matrix:
    return api.query_pair_matrix(call.db, call.query, provider=provider, consumer=consumer, counts_superseded=False)


def _page(call: Request, query: Query, ask: Callable[[], Matrix | None]) -> HtmlPage:
    facts: dict[str, object] = {
        "selected": _selected(query.get("q"), read_number(call, "selectors", DEFAULT_SELECTORS, MAX_SELECTORS)),
        "most_selectors": MAX_SELECTORS,
        "environments": deployments.list_all(call.db),
        "names": overview.list_names_like(call.db, "", NAMES_PAGE).items,
        "options": {name: value for name, value in query.items() if isinstance(value, str)},
        "problems": [],
        "matrix": None,
        "address": call.base_url,
        "question": call.query_string,
    }
    try:
        matrix = ask()
    except InvalidQuery as error:
        return HtmlPage("matrix.html", {**facts, "problems": list(error.texts)})
    except (Invalid, NotFound) as error:
        return HtmlPage("matrix.html", {**facts, "problems": [str(error)]})
    reasons = describe_reasons(matrix.verdict.reasons) if matrix else []
    return HtmlPage("matrix.html", {**facts, "matrix": matrix, "reasons": reasons})


def _selected(given: object, least: int) -> list[_Selected]:
    """Read what was selected, with blank selectors up to what the form offers."""
    listed = given[:MAX_SELECTORS] if isinstance(given, list) else []
    found = [_of_selector(one) for one in listed if isinstance(one, dict)]
    return [*found, *[_Selected()] * (least - len(found))]


def _of_selector(given: Mapping[str, object]) -> _Selected:
    name = given.get("pacticipant")
    kinds = [kind for kind in ("version", "branch", "tag", "environment", "mainBranch") if given.get(kind)]
    value = given.get(kinds[0]) if kinds else None
    return _Selected(
        pacticipant=name if isinstance(name, str) else "",
        by=kinds[0] if kinds else "",
        value=value if isinstance(value, str) else "",
        is_latest=given.get("latest") == "true",
    )
