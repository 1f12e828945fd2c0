"""The matrix, and whether a version can be deployed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection

from treaty.errors import Invalid, InvalidQuery, NotFound, Problem
from treaty.model.matrix import Matrix, decide
from treaty.model.question import Destination, LatestBy, Question, deployment, limit_of, refusals
from treaty.model.selector import Selector
from treaty.store import matrix as facts_of_matrix
from treaty.store import selectors
from treaty.store.matrix import Found
from treaty.store.selectors import Named
from treaty.web import urls
from treaty.web.media import HAL, TEXT
from treaty.web.queries import BLANK, Query, is_blank
from treaty.web.represent import matrix as _matrix  # noqa: F401 - registers the representations
from treaty.web.routing import Call, Permission, Router

router: Final = Router()


MAX_QUICK_ROWS: Final = 500
"""Rows that take some milliseconds; more are fetched and rendered where nobody waits for them."""


def _has_many_rows(call: Call) -> bool:
    return not 0 <= limit_of(_text(call.query, "limit")) <= MAX_QUICK_ROWS


@router.get(
    urls.MATRIX, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True, has_long_query=_has_many_rows
)
def show_matrix(call: Call) -> Matrix:
    """Show the results between the versions selected, and what follows from them."""
    return answer(call.db, call.query, blank=_blank_texts(call.query))


def answer(db: Connection, query: Query, *, blank: Sequence[str] = (), counts_superseded: bool = True) -> Matrix:
    """Answer a query of the matrix. Raises InvalidQuery, also for the texts about `blank` parameters.

    The form of the page has a field for each way of selecting versions, so its blank parameters count as absent.
    """
    question = _question(query, _selectors(query.get("q") or []), counts_superseded=counts_superseded)
    named = _named(db, question)
    _check(question, named, blank=blank)
    return _matrix_of(db, question, named)


_SELECTING: Final = ("version", "branch", "tag", "environment", "latest", "mainBranch")
_DESTINATION: Final = ("tag", "environment", "latest", "mainBranch")
_FLAGS: Final = frozenset({"latest", "mainBranch"})


def _blank_texts(query: Query) -> list[str]:
    """List what is wrong with parameters that would widen the question if they counted as absent.

    A blank `latestby`, `limit` or `success` counts as absent, as in the original: it hides no result from the verdict.
    """
    selected = [
        (f"q[][{name}]", _fault(selector.get(name)))
        for selector in _listed(query.get("q"))
        for name in _SELECTING
        if isinstance(selector, dict)
    ]
    destination = [(name, _fault(query.get(name), is_flag=name in _FLAGS)) for name in _DESTINATION]
    faults = (*selected, *_faults_of_ignored(query, _SELECTING), *destination)
    return [f"{name} {fault}" for name, fault in faults if fault]


def _fault(value: object, *, is_flag: bool = False) -> str | None:
    """Say what is wrong with the value of a parameter, or None."""
    if value is None:
        return None
    if not isinstance(value, str):
        return "must be a single value"
    if is_blank(value):
        return BLANK
    return "must be true or false" if is_flag and value.lower() not in {"true", "false"} else None


def _faults_of_ignored(query: Query, names: Sequence[str]) -> Iterable[tuple[str, str | None]]:
    """List parameters of what is to be ignored, with what is wrong with them: else too much would be ignored."""
    for selector in _listed(query.get("ignore")):
        if isinstance(selector, dict):
            yield from ((f"ignore[][{name}]", _fault(selector.get(name), is_flag=name in _FLAGS)) for name in names)
            known = {"pacticipant", *_SELECTING}
            yield from ((f"ignore[][{name}]", "is not known") for name in selector if name not in known)


def _listed(given: object) -> list[object]:
    return given if isinstance(given, list) else []


@router.get(urls.PAIR_MATRIX, permission=Permission.READ, is_cached=True, has_long_query=_has_many_rows)
def show_matrix_of_pair(call: Call, provider: str, consumer: str) -> Matrix:
    """Show the results between any versions of a consumer and a provider."""
    return answer_for_pair(
        call.db, call.query, provider=provider, consumer=consumer, blank=_blank_texts({**call.query, "q": None})
    )


def answer_for_pair(
    db: Connection,
    query: Query,
    *,
    provider: str,
    consumer: str,
    blank: Sequence[str] = (),
    counts_superseded: bool = True,
) -> Matrix:
    """Answer a query of the matrix of a pair. Raises InvalidQuery, and NotFound for an unknown name."""
    pair = (Selector(pacticipant=consumer), Selector(pacticipant=provider))
    question = replace(_question(query, pair, counts_superseded=counts_superseded), is_one_way=True)
    named = _named(db, question)
    _check(question, named, of_selectors=False, blank=blank)
    for role, name in (("consumer", consumer), ("provider", provider)):
        if name not in named.pacticipants:
            raise NotFound.named(role, name)
    return _matrix_of(db, question, named)


def _named(db: Connection, question: Question) -> Named:
    return selectors.named(db, (*question.selectors, *question.ignore), question.destination.environment)


def _check(question: Question, named: Named, *, of_selectors: bool = True, blank: Sequence[str] = ()) -> None:
    texts = [*refusals(question, named.pacticipants, named.environments, of_selectors=of_selectors), *blank]
    if texts:
        raise InvalidQuery(texts)


def _matrix_of(db: Connection, question: Question, named: Named) -> Matrix:
    return _decided(db, question, facts_of_matrix.facts(db, question, named))


def _decided(db: Connection, question: Question, found: Found) -> Matrix:
    verdict = decide(question, found.facts)
    return Matrix(verdict=verdict, versions=facts_of_matrix.versions(db, found.version_ids, verdict.versions))


def _question(query: Query, chosen: tuple[Selector, ...], *, counts_superseded: bool) -> Question:
    ignored = query.get("ignore")
    return Question(
        selectors=chosen,
        ignore=_selectors(ignored) if isinstance(ignored, list) else (),
        destination=Destination(
            tag=_text(query, "tag"),
            environment=_text(query, "environment"),
            is_main_branch=_flag(query, "mainBranch"),
            is_latest=_flag(query, "latest") or False,
        ),
        latest_by=_latest_by(_text(query, "latestby")),
        success=_success(query.get("success")),
        limit=limit_of(_text(query, "limit")),
        counts_superseded=counts_superseded,
    )


def _selectors(given: object) -> tuple[Selector, ...]:
    if not isinstance(given, list):
        raise InvalidQuery(["q must be a list of selectors, such as q[][pacticipant]=NAME&q[][version]=NUMBER"])
    return tuple(_selector(one if isinstance(one, dict) else {}) for one in given)


def _selector(given: Mapping[str, Any]) -> Selector:
    return Selector(
        pacticipant=_text(given, "pacticipant") or "",
        version=_text(given, "version"),
        branch=_text(given, "branch"),
        tag=_text(given, "tag"),
        environment=_text(given, "environment"),
        is_main_branch=_flag(given, "mainBranch") or False,
        is_latest=_flag(given, "latest") or False,
    )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None


def _flag(given: Mapping[str, Any], name: str) -> bool | None:
    value = _text(given, name)
    return None if value is None else value.lower() == "true"


def _latest_by(text: str | None) -> LatestBy | None:
    try:
        return LatestBy(text) if text else None
    except ValueError as error:
        raise InvalidQuery([f"latestby must be one of: {', '.join(one.value for one in LatestBy)}"]) from error


def _success(given: object) -> frozenset[bool | None] | None:
    values = given if isinstance(given, list) else [given]
    wanted = frozenset(None if one == "" else one == "true" for one in values if isinstance(one, str))
    return None if given is None else wanted


@router.get(urls.CAN_I_DEPLOY, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True)
def can_i_deploy(call: Call) -> Matrix:
    """Say whether a version can be deployed to an environment, or to where versions have a tag."""
    selector = Selector(pacticipant=call.option("pacticipant") or "", version=call.option("version"))
    tag, environment = call.option("to"), call.option("environment")
    destination = (
        Destination(tag=tag, is_latest=tag is not None) if environment is None else Destination(environment=environment)
    )
    question = deployment(selector, destination, ignore=_ignored(call.query.get("ignore")))
    named = _named(call.db, question)
    _check_deployment(selector, named, tag=tag, environment=environment)
    _check_blank_options(call.query)
    return _matrix_of(call.db, question, named)


def _check_blank_options(query: Query) -> None:
    """Refuse parameters that would widen the question if they counted as absent. Raises Invalid."""
    given = [(name, _fault(query.get(name))) for name in ("version", "to", "environment")]
    faults = (*given, *_faults_of_ignored(query, ("pacticipant", *_SELECTING)))
    problems = [Problem((name,), fault) for name, fault in faults if fault]
    if problems:
        raise Invalid(*problems)


def _check_names(**names: str) -> None:
    """Refuse blank names in the path of a decision. Raises Invalid."""
    problems = [Problem((key,), BLANK) for key, name in names.items() if is_blank(name)]
    if problems:
        raise Invalid(*problems)


def _ignored(given: object) -> tuple[Selector, ...]:
    """Read names, or selectors; what is neither is passed over."""
    ignored = (
        [one if isinstance(one, dict) else {"pacticipant": one} for one in given] if isinstance(given, list) else []
    )
    return tuple(selector for one in ignored if (selector := _selector(one)).pacticipant)


def _check_deployment(selector: Selector, named: Named, *, tag: str | None, environment: str | None) -> None:
    problems = []
    if not selector.pacticipant:
        problems.append(Problem(("pacticipant",), "is missing"))
    elif selector.pacticipant not in named.pacticipants:
        problems.append(Problem(("pacticipant",), "does not match an existing pacticipant"))
    if not selector.version:
        problems.append(Problem(("version",), "is missing"))
    if environment and not named.environments:
        problems.append(Problem(("environment",), f"with name '{environment}' does not exist"))
    elif tag and environment:
        problems.append(Problem((), "Cannot specify both a 'to' tag and an environment."))
    elif not (tag or environment):
        problems.append(Problem((), "Must specify either an environment or a 'to' tag."))
    if problems:
        raise Invalid(*problems)


@router.get(urls.CAN_I_DEPLOY_TAG, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True)
def can_i_deploy_tag(call: Call, pacticipant: str, tag: str, to: str) -> Matrix:
    """Say whether the latest version with a tag can go to where versions have another."""
    _check_names(tag=tag, environmentTag=to)
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    return _matrix_of_existing(call.db, deployment(selector, Destination(tag=to, is_latest=True)))


@router.get(urls.CAN_I_DEPLOY_BRANCH, permission=Permission.READ, produces=(HAL, TEXT), is_cached=True)
def can_i_deploy_branch(call: Call, pacticipant: str, branch: str, environment: str) -> Matrix:
    """Say whether the latest version of a branch can be deployed to an environment."""
    _check_names(branch=branch, environment=environment)
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    return _matrix_of_existing(call.db, deployment(selector, Destination(environment=environment)))


def _matrix_of_existing(db: Connection, question: Question) -> Matrix:
    return _decided(db, question, facts_of_matrix.facts_of_existing(db, question))
