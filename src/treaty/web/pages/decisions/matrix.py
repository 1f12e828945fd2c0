"""The page of the matrix: a form for the query, the verdict with its reasons, and the results behind it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from treaty.errors import Invalid, InvalidQuery, NotFound
from treaty.model.decisions.matrix import Matrix, MatrixRow, Verdict
from treaty.model.decisions.reasons import ComparisonGap
from treaty.model.paging import Page
from treaty.store import deployments
from treaty.store.overview import overview
from treaty.store.pacticipants import former_names
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
"""Number of selectors in the form, unless the query has more."""
MAX_SELECTORS: Final = 10
NAMES_PAGE: Final = Page(1, 2000)
"""The names of applications that the form suggests."""


@dataclass(frozen=True, slots=True)
class _FormSelector:
    """A selector in the form: a pacticipant, and the criterion that selects its versions.

    The form shows a single criterion, though the query in a link may have several.
    """

    pacticipant: str = ""
    by: str = ""
    value: str = ""
    is_latest: bool = False


@router.page(urls.MATRIX, permission=Permission.READ)
def show_matrix(request: Request) -> HtmlPage:
    """Show the form of a query, and its result if there is a query."""
    raw_selectors = request.query.get("q")
    query = {**request.query, "q": _drop_blank(raw_selectors)}

    def get_matrix() -> Matrix:
        return api.query_matrix(request.db, query, now=request.now, counts_superseded=False)

    # An empty form is no query, whereas one whose fields are all blank has the error message of a query.
    return _page(request, query, get_matrix if raw_selectors else lambda: None)


def _drop_blank(raw_selectors: object) -> object:
    """Leave out the selectors of the form that the user left blank."""
    if not isinstance(raw_selectors, list):
        return raw_selectors
    return [selector for selector in raw_selectors if not isinstance(selector, dict) or any(selector.values())]


@router.page(urls.PAIR_MATRIX, permission=Permission.READ)
def show_matrix_of_pair(request: Request, provider: str, consumer: str) -> HtmlPage:
    """Show the results between any versions of a consumer and a provider."""
    query = {**request.query, "q": [{"pacticipant": consumer}, {"pacticipant": provider}]}

    def query_pair() -> Matrix:
        return api.query_pair_matrix(request, provider=provider, consumer=consumer, counts_superseded=False)

    return _page(request, query, query_pair, in_path=(consumer, provider))


def _page(
    request: Request, query: Query, get_matrix: Callable[[], Matrix | None], *, in_path: tuple[str, ...] = ()
) -> HtmlPage:
    """Render the page; an invalid query is shown with its problems in the form, where the user can correct it."""
    environments = deployments.list_in_pipeline(request.db)
    display_names = {environment.name: environment.display_name for environment in environments}
    values: dict[str, object] = {
        "selected": _build_form_selectors(
            query.get("q"), read_number(request, "selectors", DEFAULT_SELECTORS, MAX_SELECTORS)
        ),
        "most_selectors": MAX_SELECTORS,
        "environments": environments,
        "names": overview.list_names_like(request.db, "", NAMES_PAGE).items,
        "options": {name: value for name, value in query.items() if isinstance(value, str)},
        "problems": [],
        "matrix": None,
        "address": request.base_url,
        "question": request.query_string,
        "subjects": [_name_subject(selector, display_names) for selector in _list_selectors(query.get("q"))],
        "destination": _find_destination(query, display_names),
        "asks_verdict": _asks_verdict(query),
    }
    try:
        matrix = get_matrix()
    except InvalidQuery as error:
        return HtmlPage("matrix.html", {**values, "problems": list(error.texts)})
    except (Invalid, NotFound) as error:
        former_names.check_not_former(request.db, *in_path)
        return HtmlPage("matrix.html", {**values, "problems": [str(error)]})
    reasons = describe_reasons(matrix.verdict.reasons, matrix.explanations, base_url=request.base_url) if matrix else []
    kinds = _list_kinds(matrix.verdict) if matrix else []
    return HtmlPage("matrix.html", {**values, "matrix": matrix, "reasons": reasons, "kinds": kinds})


_CRITERIA: Final = ("version", "branch", "tag", "environment", "mainBranch")


def _list_selectors(raw_selectors: object) -> list[Mapping[str, object]]:
    raw = raw_selectors if isinstance(raw_selectors, list) else []
    return [selector for selector in raw if isinstance(selector, dict)]


def _name_subject(selector: Mapping[str, object], display_names: Mapping[str, str]) -> str:
    """Name what a selector selects, in a heading: `Till 1`, `Till main`."""
    criteria = "the main branch" if selector.get("mainBranch") else next(filter(None, map(selector.get, _CRITERIA)), "")
    if criteria and criteria == selector.get("environment"):
        criteria = f"in {display_names.get(str(criteria), criteria)}"
    return f"{selector.get('pacticipant') or 'any application'} {criteria}".strip()


def _find_destination(query: Query, display_names: Mapping[str, str]) -> str | None:
    environment, tag = query.get("environment"), query.get("tag")
    if isinstance(environment, str) and environment:
        return display_names.get(environment, environment)
    return tag if isinstance(tag, str) else None


def _asks_verdict(query: Query) -> bool:
    """Whether the query selects versions or a destination.

    All versions of an application cannot be deployed, so there is no verdict on them, only their results.
    """
    selectors = _list_selectors(query.get("q"))
    is_specific = any(selector.get(name) for selector in selectors for name in (*_CRITERIA, "latest"))
    return is_specific or _find_destination(query, {}) is not None


_KINDS_OF_GAPS: Final = {
    ComparisonGap.NOT_COMPARED: "not-compared",
    ComparisonGap.NOT_SELF_VERIFIED: "not-self-verified",
    ComparisonGap.NOT_DESCRIBED: "not-described",
}


def _list_kinds(verdict: Verdict) -> list[str | None]:
    """List the kind of each row's result; empty if no provider version has a contract, as there is only one kind."""
    kinds = [_find_kind(verdict, row) for row in verdict.rows]
    return kinds if {*kinds} - {None, "verifier"} else []


def _find_kind(verdict: Verdict, row: MatrixRow) -> str | None:
    if row.success is None:
        gap = verdict.find_gap(row)
        return _KINDS_OF_GAPS[gap] if gap else None
    return "verifier" if row.comparison is None else "comparison"


def _build_form_selectors(raw_selectors: object, min_count: int) -> list[_FormSelector]:
    """Build the selectors in the form: those of the query, and blank ones up to `min_count`."""
    raw = raw_selectors[:MAX_SELECTORS] if isinstance(raw_selectors, list) else []
    form_selectors = [_build_form_selector(selector) for selector in raw if isinstance(selector, dict)]
    return [*form_selectors, *[_FormSelector()] * (min_count - len(form_selectors))]


def _build_form_selector(selector: Mapping[str, object]) -> _FormSelector:
    name = selector.get("pacticipant")
    criteria = [name for name in _CRITERIA if selector.get(name)]
    value = selector.get(criteria[0]) if criteria else None
    return _FormSelector(
        pacticipant=name if isinstance(name, str) else "",
        by=criteria[0] if criteria else "",
        value=value if isinstance(value, str) else "",
        is_latest=selector.get("latest") == "true",
    )
