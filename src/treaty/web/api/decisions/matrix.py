"""The matrix, and whether a version can be deployed.

A decision takes five steps: parse the request into a `MatrixQuery`, look up the names in it, reject it if it is
invalid, load the facts (`store.decisions.matrix`), and compute the verdict (`model.decisions.matrix.decide`). All of
them read one snapshot of the database.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NotRequired, cast

import orjson
from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid, InvalidQuery, NotFound, Problem
from treaty.model.decisions import metadata
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.explanations import Explanation, Step
from treaty.model.decisions.matrix import (
    BranchSummary,
    EnvironmentSummary,
    Matrix,
    MatrixRow,
    Verdict,
    VerdictSummary,
    VersionKey,
    VersionSummary,
)
from treaty.model.decisions.metadata import Metadata
from treaty.model.decisions.overrides import Override
from treaty.model.decisions.queries import (
    Destination,
    LatestBy,
    MatrixQuery,
    build_deployment_query,
    list_problems,
    parse_limit,
)
from treaty.model.decisions.reasons import (
    ComparisonFailed,
    FirstDeployment,
    NoSuchVersion,
    NotCompared,
    NotVerified,
    Obstacle,
    Overridden,
    OverriddenObstacle,
    Reason,
    ReasonSide,
    VerificationFailed,
    find_obstacle,
)
from treaty.model.decisions.selectors import ResolvedSelector, Selector, find_number
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.model.provider_contracts.comparisons import PairKey
from treaty.spelling import find_similar
from treaty.store.decisions import selectors
from treaty.store.decisions.matrix import FactsWithIds, load_facts, load_facts_of_existing, load_versions
from treaty.store.decisions.selectors import NamedIds
from treaty.store.pacticipants import former_names
from treaty.web import urls
from treaty.web.api.decisions.causes import (
    CauseDocument,
    find_comparison_path,
    find_page,
    format_command,
    load_explanations,
    render_explanation,
)
from treaty.web.api.decisions.exemptions import decide_with_exemptions
from treaty.web.api.provider_contracts.results import comparison_path
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link, RenderContext, render_fragment
from treaty.web.hal.shapes import JsonObject, NamedHead, NoticeDocument, SelfLink, SelfLinked
from treaty.web.http.media_types import HAL, TEXT
from treaty.web.http.queries import BLANK, FlagText, Query, QueryParameter, is_blank
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router: Final = Router()


MAX_QUICK_ROWS: Final = 500
"""Number of rows that take some milliseconds. More would block the event loop, so they are loaded in a thread."""


def _has_many_rows(request: Request) -> bool:
    return not 0 <= parse_limit(_text(request.query, "limit")) <= MAX_QUICK_ROWS


class MatrixSummary(TypedDict):
    deployable: bool | None
    reason: str
    success: int
    failed: int
    unknown: int
    ignored: NotRequired[int]


class EnvironmentTimes(TypedDict):
    updatedAt: NotRequired[datetime]
    createdAt: datetime


class EnvironmentInMatrix(EnvironmentTimes, SelfLinked):
    uuid: str
    name: str
    displayName: str
    production: bool


class VersionInMatrix(SelfLinked):
    number: str
    branch: str | None
    branches: list[NamedHead]
    branchVersions: list[NamedHead]
    environments: list[EnvironmentInMatrix]
    tags: list[NamedHead]


class PacticipantInMatrix(SelfLinked):
    name: str
    version: VersionInMatrix | None


class PactInMatrix(SelfLinked):
    createdAt: datetime


ResultInMatrixLinks = TypedDict("ResultInMatrixLinks", {"self": Link, "pfi:ui": NotRequired[Link]})


class ResultInMatrix(TypedDict):
    """The result of a row; that of a comparison has a link to its page."""

    success: bool
    verifiedAt: datetime
    _links: ResultInMatrixLinks


class MatrixRowDocument(TypedDict):
    consumer: PacticipantInMatrix
    provider: PacticipantInMatrix
    pact: PactInMatrix
    verificationResult: ResultInMatrix | None
    verificationType: NotRequired[str | None]
    ignored: NotRequired[bool]


class RowCounts(TypedDict):
    shown: int
    total: int


class ReasonSideDocument(TypedDict):
    name: str
    version: str | None


class ReasonSubjects(TypedDict):
    consumer: NotRequired[ReasonSideDocument]
    provider: NotRequired[ReasonSideDocument]
    pacticipant: NotRequired[ReasonSideDocument]


class OverrideInReason(SelfLinked):
    uuid: str
    reason: str
    createdBy: str | None
    expiresAt: datetime


class ReasonDocument(ReasonSubjects, CauseDocument):
    kind: str
    type: str
    text: str
    next: NotRequired[JsonObject]
    override: NotRequired[OverrideInReason]
    allowedBy: NotRequired[str]


MatrixLinks = TypedDict("MatrixLinks", {"pb:record-decision": Link})


class MatrixDocument(TypedDict):
    summary: MatrixSummary
    notices: list[NoticeDocument]
    matrix: list[MatrixRowDocument]
    rows: RowCounts
    reasons: list[ReasonDocument]
    _links: NotRequired[MatrixLinks]


_MATRIX: Final[Mapping[str, Any]] = {"produces": (HAL, TEXT), "is_cacheable": True, "response": MatrixDocument}
"""Options of the routes that return a matrix, as HAL or as a table."""
_IGNORED: Final = QueryParameter("ignore[]", "Names of pacticipants whose results are ignored.", list[str])
_SELECTOR_PARAMETERS: Final = (
    QueryParameter("q[][pacticipant]", "The name of a selector's pacticipant; each begins a selector.", list[str]),
    QueryParameter("q[][version]", "The number of the selector's version.", list[str]),
    QueryParameter("q[][branch]", "A branch of the selector's versions.", list[str]),
    QueryParameter("q[][tag]", "A tag of the selector's versions.", list[str]),
    QueryParameter("q[][environment]", "The environment in which the selector's versions are.", list[str]),
    QueryParameter("q[][mainBranch]", "Whether to select the versions of the main branch.", list[FlagText]),
    QueryParameter("q[][latest]", "Whether to select only the latest version.", list[FlagText]),
)
_DESTINATION_PARAMETERS: Final = (
    QueryParameter("tag", "The destination: compare with versions of other pacticipants that have this tag."),
    QueryParameter("branch", "The destination: compare with versions of other pacticipants on this branch."),
    QueryParameter("environment", "The destination: compare with versions of other pacticipants in this environment."),
    QueryParameter("mainBranch", "The destination: compare with main branches of other pacticipants.", FlagText),
    QueryParameter("latest", "Of the versions at the destination, only the latest of each pacticipant.", FlagText),
    QueryParameter(
        "latestby",
        "Only the latest row for each consumer version and provider version (`cvpv`), consumer version (`cvp`), or "
        "pair of applications (`cp`).",
        Literal["cvpv", "cvp", "cp"],
    ),
    QueryParameter(
        "success[]", "Only rows with these results; an empty one stands for none.", list[Literal["true", "false", ""]]
    ),
    QueryParameter("limit", "The maximum number of rows.", Annotated[int, Field(ge=1)]),
    _IGNORED,
)
_DEPLOYMENT_PARAMETERS: Final = (
    QueryParameter("pacticipant", "The name of a pacticipant."),
    QueryParameter("version", "The number of a version."),
    QueryParameter("to", "The tag of the versions at the destination."),
    QueryParameter("environment", "The name of an environment."),
    _IGNORED,
)


@router.get(
    urls.MATRIX,
    permission=Permission.READ,
    has_long_query=_has_many_rows,
    query=(*_SELECTOR_PARAMETERS, *_DESTINATION_PARAMETERS),
    **_MATRIX,
)
def show_matrix(request: Request) -> Matrix:
    """Show the results between the selected versions, and the verdict on them."""
    problems = _list_parameter_problems(request.query)
    return query_matrix(request.db, request.query, now=request.now, problems=problems)


def query_matrix(
    db: Connection, query: Query, *, now: datetime, problems: Sequence[str] = (), counts_superseded: bool = True
) -> Matrix:
    """Answer a query of the matrix. Raises InvalidQuery, also for the caller's `problems` with the parameters.

    Only the API has such problems. The form of the page sends a parameter for each way to select versions, so that
    blank ones count as absent there.
    """
    matrix_query = _parse_query(query, _parse_selectors(query.get("q") or []), counts_superseded=counts_superseded)
    named = _load_named_ids(db, matrix_query)
    _check(db, matrix_query, named, problems=problems)
    return _decide(db, matrix_query, load_facts(db, matrix_query, named), now=now)


_CRITERIA: Final = ("version", "branch", "tag", "environment", "latest", "mainBranch")
_DESTINATION_OPTIONS: Final = ("tag", "branch", "environment", "latest", "mainBranch")
_FLAGS: Final = frozenset({"latest", "mainBranch"})
_SELECTOR_MEMBERS: Final = ("pacticipant", *_CRITERIA)
_MATRIX_PARAMETERS: Final = ("q", "ignore", *_DESTINATION_OPTIONS, "latestby", "success", "limit", "days")
"""The parameters of the matrix; the original broker reads `days`, but does not use it."""
_DEPLOYMENT_PARAMETER_NAMES: Final = ("pacticipant", "version", "to", "environment", "ignore")


def _list_parameter_problems(query: Query) -> list[str]:
    """List the problems of parameters that would widen the query if they counted as absent, as in the original.

    `q[][version]=$VERSION` with an unset variable must not ask about all versions, and `ignore[][version]=` must not
    ignore all of them: a no would become a yes. A blank `latestby`, `limit` or `success` counts as absent, because it
    hides no result from the verdict.
    """
    of_selectors = [*_list_selector_problems(query, "q", _CRITERIA)]
    of_ignored = [*_list_selector_problems(query, "ignore", _CRITERIA, flags=_FLAGS)]
    of_destination = [
        (name, _describe_problem(query.get(name), is_flag=name in _FLAGS)) for name in _DESTINATION_OPTIONS
    ]
    problems = (*of_selectors, *of_ignored, *of_destination, *_list_misspelt(query, _MATRIX_PARAMETERS))
    return [f"{name} {problem}" for name, problem in problems if problem]


def _describe_problem(value: object, *, is_flag: bool = False) -> str | None:
    """Describe the problem of a parameter's value, or return None."""
    if value is None:
        return None
    if not isinstance(value, str):
        return "must be a single value"
    if is_blank(value):
        return BLANK
    return "must be true or false" if is_flag and value.lower() not in {"true", "false"} else None


def _list_selector_problems(
    query: Query, parameter: str, names: Sequence[str], *, flags: Collection[str] = ()
) -> Iterable[tuple[str, str | None]]:
    """Yield the members of the selectors in a parameter with their problems, if any.

    Without an unknown member, which is probably misspelt, a selector would select or ignore too much.
    """
    for selector in _list(query.get(parameter)):
        if isinstance(selector, dict):
            for name in names:
                yield f"{parameter}[][{name}]", _describe_problem(selector.get(name), is_flag=name in flags)
            for name in selector:
                if name not in _SELECTOR_MEMBERS:
                    similar = [f"{parameter}[][{member}]" for member in find_similar(name, _SELECTOR_MEMBERS)]
                    yield f"{parameter}[][{name}]", describe_unknown(similar)


def _list_misspelt(query: Query, known: Collection[str]) -> Iterable[tuple[str, str]]:
    """Yield parameters that resemble known ones. Others are ignored, as by the original."""
    for name in query:
        similar = [] if name in known else find_similar(name, known)
        if similar:
            yield name, describe_unknown(similar)


def describe_unknown(similar: Sequence[str]) -> str:
    """Describe the problem of an unknown name, with similar ones that are known."""
    return f"is not known. Did you mean {' or '.join(similar)}?" if similar else "is not known"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


@router.get(
    urls.PAIR_MATRIX,
    permission=Permission.READ,
    is_cacheable=True,
    has_long_query=_has_many_rows,
    query=_DESTINATION_PARAMETERS,
    response=MatrixDocument,
)
def show_matrix_of_pair(request: Request, provider: str, consumer: str) -> Matrix:
    """Show the results between any versions of a consumer and a provider."""
    # The path selects the versions, and `q` is ignored, as in the original.
    problems = _list_parameter_problems({**request.query, "q": None})
    return query_pair_matrix(request, provider=provider, consumer=consumer, problems=problems)


def query_pair_matrix(
    request: Request,
    *,
    provider: str,
    consumer: str,
    problems: Sequence[str] = (),
    counts_superseded: bool = True,
) -> Matrix:
    """Answer a query of the matrix of a pair. Raises InvalidQuery, and NotFound for an unknown name."""
    pair = (Selector(pacticipant=consumer), Selector(pacticipant=provider))
    db, parsed = request.db, _parse_query(request.query, pair, counts_superseded=counts_superseded)
    matrix_query = parsed._replace(is_one_way=True)
    named = _load_named_ids(db, matrix_query)
    # Invalid options are reported before a missing pacticipant, which is 404 here, as in the original.
    _check(db, matrix_query, named, of_selectors=False, problems=problems)
    for role, name in (("consumer", consumer), ("provider", provider)):
        if name not in named.pacticipants:
            raise NotFound.named(role, name)
    return _decide(db, matrix_query, load_facts(db, matrix_query, named), now=request.now)


@dataclass(frozen=True, slots=True)
class DecidedQuery:
    """The answer to a query, and the versions that its selectors resolve to."""

    matrix: Matrix
    specified: Sequence[ResolvedSelector]


def load_checked_names(db: Connection, matrix_query: MatrixQuery) -> NamedIds:
    """Look up the names in a query. Raises InvalidQuery."""
    named = _load_named_ids(db, matrix_query)
    _check(db, matrix_query, named)
    return named


def decide_query(db: Connection, matrix_query: MatrixQuery, named: NamedIds, *, now: datetime) -> DecidedQuery:
    """Answer a query whose names have been looked up."""
    facts_with_ids = load_facts(db, matrix_query, named)
    return DecidedQuery(_decide(db, matrix_query, facts_with_ids, now=now), facts_with_ids.facts.specified)


def _load_named_ids(db: Connection, matrix_query: MatrixQuery) -> NamedIds:
    named_selectors = (*matrix_query.selectors, *matrix_query.ignore)
    return selectors.load_named_ids(db, named_selectors, matrix_query.destination.environment)


def _check(
    db: Connection,
    matrix_query: MatrixQuery,
    named: NamedIds,
    *,
    of_selectors: bool = True,
    problems: Sequence[str] = (),
) -> None:
    missing = {selector.pacticipant for selector in matrix_query.selectors} - named.pacticipants.keys()
    own_problems = list_problems(
        matrix_query,
        named.pacticipants,
        named.environments,
        of_selectors=of_selectors,
        current_names=former_names.find_current_names(db, missing),
    )
    if own_problems or problems:
        raise InvalidQuery([*own_problems, *problems])


def _decide(db: Connection, matrix_query: MatrixQuery, facts_with_ids: FactsWithIds, *, now: datetime) -> Matrix:
    verdict = decide_with_exemptions(db, matrix_query, facts_with_ids.facts, now=now)
    return Matrix(
        verdict=verdict,
        versions=load_versions(db, facts_with_ids.version_keys, verdict.versions),
        explanations=load_explanations(db, verdict),
        records_decisions=facts_with_ids.records_decisions,
    )


def _parse_query(query: Query, specified: tuple[Selector, ...], *, counts_superseded: bool) -> MatrixQuery:
    ignored = query.get("ignore")
    return MatrixQuery(
        selectors=specified,
        ignore=_parse_selectors(ignored) if isinstance(ignored, list) else (),
        destination=Destination(
            tag=_text(query, "tag"),
            branch=_text(query, "branch"),
            environment=_text(query, "environment"),
            is_main_branch=_parse_flag(query, "mainBranch"),
            is_latest=_parse_flag(query, "latest") or False,
        ),
        latest_by=_parse_latest_by(_text(query, "latestby")),
        success=_parse_success(query.get("success")),
        limit=parse_limit(_text(query, "limit")),
        counts_superseded=counts_superseded,
    )


def _parse_selectors(raw_selectors: object) -> tuple[Selector, ...]:
    if not isinstance(raw_selectors, list):
        raise InvalidQuery(["q must be a list of selectors, such as q[][pacticipant]=NAME&q[][version]=NUMBER"])
    # A plain text becomes a selector without a name, for which validation has the original's message.
    return tuple(_parse_selector(raw if isinstance(raw, dict) else {}) for raw in raw_selectors)


def _parse_selector(parameters: Mapping[str, Any]) -> Selector:
    return Selector(
        pacticipant=_text(parameters, "pacticipant") or "",
        version=_text(parameters, "version"),
        branch=_text(parameters, "branch"),
        tag=_text(parameters, "tag"),
        environment=_text(parameters, "environment"),
        is_main_branch=_parse_flag(parameters, "mainBranch") or False,
        is_latest=_parse_flag(parameters, "latest") or False,
    )


def _text(parameters: Mapping[str, Any], name: str) -> str | None:
    value = parameters.get(name)
    return value if isinstance(value, str) and value else None


def _parse_flag(parameters: Mapping[str, Any], name: str) -> bool | None:
    value = _text(parameters, name)
    return None if value is None else value.lower() == "true"


def _parse_latest_by(text: str | None) -> LatestBy | None:
    try:
        return LatestBy(text) if text else None
    except ValueError as error:
        values = ", ".join(latest_by.value for latest_by in LatestBy)
        raise InvalidQuery([f"latestby must be one of: {values}"]) from error


def _parse_success(value: object) -> frozenset[bool | None] | None:
    """Parse `success`, a list or a single value; an empty one selects missing results."""
    if value is None:
        return None
    texts = value if isinstance(value, list) else [value]
    return frozenset(None if text == "" else text == "true" for text in texts if isinstance(text, str))


@router.get(urls.CAN_I_DEPLOY, permission=Permission.READ, query=_DEPLOYMENT_PARAMETERS, **_MATRIX)
def can_i_deploy(request: Request) -> Matrix:
    """Decide whether a version can be deployed to an environment, or be used with the latest versions with a tag."""
    selector = Selector(pacticipant=request.option("pacticipant") or "", version=request.option("version"))
    tag, environment = request.option("to"), request.option("environment")
    destination = (
        Destination(tag=tag, is_latest=tag is not None) if environment is None else Destination(environment=environment)
    )
    matrix_query = build_deployment_query(selector, destination, ignore=_parse_ignored(request.query.get("ignore")))
    named = _load_named_ids(request.db, matrix_query)
    _check_deployment(request.db, selector, named, tag=tag, environment=environment)
    _check_parameters(request.query)
    return _decide(request.db, matrix_query, load_facts(request.db, matrix_query, named), now=request.now)


def _check_parameters(query: Query) -> None:
    """Reject parameters that would widen the query if they counted as absent. Raises Invalid."""
    own = [(name, _describe_problem(query.get(name))) for name in ("version", "to", "environment")]
    of_ignored = _list_selector_problems(query, "ignore", _SELECTOR_MEMBERS, flags=_FLAGS)
    misspelt = _list_misspelt(query, _DEPLOYMENT_PARAMETER_NAMES)
    problems = [Problem((name,), problem) for name, problem in (*own, *of_ignored, *misspelt) if problem]
    if problems:
        raise Invalid(*problems)


def _check_names(**names: str) -> None:
    """Reject blank names in a path. Raises Invalid."""
    problems = [Problem((key,), BLANK) for key, name in names.items() if is_blank(name)]
    if problems:
        raise Invalid(*problems)


def _parse_ignored(raw_selectors: object) -> tuple[Selector, ...]:
    """Parse selectors, or names of pacticipants; other values are dropped, as in the original."""
    mappings = (raw if isinstance(raw, dict) else {"pacticipant": raw} for raw in _list(raw_selectors))
    return tuple(selector for mapping in mappings if (selector := _parse_selector(mapping)).pacticipant)


def _check_deployment(
    db: Connection, selector: Selector, named: NamedIds, *, tag: str | None, environment: str | None
) -> None:
    """Reject an incomplete or contradictory query, with the original's texts. Raises Invalid."""
    problems = []
    if not selector.pacticipant:
        problems.append(Problem(("pacticipant",), "is missing"))
    elif selector.pacticipant not in named.pacticipants:
        current_names = former_names.find_current_names(db, [selector.pacticipant])
        problems.append(Problem(("pacticipant",), describe_missing(current_names.get(selector.pacticipant))))
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


@router.get(urls.CAN_I_DEPLOY_TAG, permission=Permission.READ, **_MATRIX)
def can_i_deploy_tag(request: Request, pacticipant: str, tag: str, to: str) -> Matrix:
    """Decide whether the latest version with a tag can be used with the latest versions with another tag."""
    _check_names(tag=tag, environmentTag=to)
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    return _decide_existing(request, build_deployment_query(selector, Destination(tag=to, is_latest=True)))


@router.get(urls.CAN_I_DEPLOY_BRANCH, permission=Permission.READ, **_MATRIX)
def can_i_deploy_branch(request: Request, pacticipant: str, branch: str, environment: str) -> Matrix:
    """Decide whether the latest version of a branch can be deployed to an environment."""
    _check_names(branch=branch, environment=environment)
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    return _decide_existing(request, build_deployment_query(selector, Destination(environment=environment)))


def _decide_existing(request: Request, matrix_query: MatrixQuery) -> Matrix:
    return _decide(request.db, matrix_query, load_facts_of_existing(request.db, matrix_query), now=request.now)


@represent.register
def matrix(result: Matrix) -> Hal:
    verdict = result.verdict
    texts = [reason_texts.describe_reason(reason) for reason in verdict.reasons]
    explanations = result.explanations or [None] * len(texts)
    reasons = [render_reason(*each) for each in zip(verdict.reasons, texts, explanations, strict=True)]
    # Clients show a column for the kind of results if a row has it, so matrices without comparisons have none.
    shows_kind = any(row.comparison is not None for row in verdict.rows)
    rows = [_render_row_of(result, row, is_ignored=False, shows_kind=shows_kind) for row in verdict.considered]
    rows += [_render_row_of(result, row, is_ignored=True, shows_kind=shows_kind) for row in verdict.ignored]
    return Hal(
        {
            "summary": _render_summary(verdict.summary, texts),
            "notices": [{"type": reason["type"], "text": reason["text"]} for reason in reasons],
            "matrix": rows,
            # `rows` and `reasons` are additions of Treaty; clients of the original ignore them.
            "rows": {"shown": len(rows), "total": verdict.total},
            "reasons": reasons,
        },
        # Only a request that writes can record a decision, and this one only reads: caches and badges repeat it.
        links={"pb:record-decision": Link(urls.DECISIONS.fill(), "Record this decision")}
        if result.records_decisions
        else None,
    )


def _render_summary(summary: VerdictSummary, texts: Sequence[str]) -> MatrixSummary:
    rendered: MatrixSummary = {
        "deployable": summary.deployable,
        "reason": "\n".join(texts),
        "success": summary.success,
        "failed": summary.failed,
        "unknown": summary.unknown,
    }
    return rendered if summary.ignored is None else {**rendered, "ignored": summary.ignored}


def _render_row_of(result: Matrix, row: MatrixRow, *, is_ignored: bool, shows_kind: bool) -> orjson.Fragment:
    consumer = result.versions[row.consumer, row.consumer_version]
    number = result.verdict.shown_provider_version(row)
    provider = None if number is None else result.versions[row.provider, number]
    return _render_row(row, consumer, provider, is_ignored=is_ignored, shows_kind=shows_kind)


@lru_cache(maxsize=2048)
def _render_row(
    row: MatrixRow, consumer: VersionSummary, provider: VersionSummary | None, *, is_ignored: bool, shows_kind: bool
) -> orjson.Fragment:
    """Render a row as JSON, which is cached: a build that waits for a result requests the same rows repeatedly."""
    path = urls.PACT.fill(provider=row.provider, consumer=row.consumer, version=row.consumer_version)
    rendered: dict[str, Any] = {
        "consumer": _render_side(row.consumer, row.consumer_version, consumer),
        "provider": _render_side(row.provider, None if provider is None else row.provider_version, provider),
        "pact": {"createdAt": row.published_at, "_links": _self_link(path)},
        "verificationResult": _render_result(row),
    }
    if shows_kind:
        rendered["verificationType"] = _describe_kind(row)
    return render_fragment({**rendered, "ignored": True} if is_ignored else rendered)


def _describe_kind(row: MatrixRow) -> str | None:
    """Return the kind of a result, by the names that clients of PactFlow show."""
    if row.verification is None:
        return None
    return "CDCT" if row.comparison is None else "BDCT"


@lru_cache(maxsize=4096)
def _render_side(name: str, number: str | None, version: VersionSummary | None) -> orjson.Fragment:
    """Render a consumer or a provider. It has a cache of its own, since many rows have the same version."""
    rendered = None if number is None or version is None else _render_version(name, number, version)
    links = _self_link(urls.PACTICIPANT.fill(pacticipant=name))
    return render_fragment({"name": name, "version": rendered, "_links": links})


def _self_link(path: str) -> SelfLink:
    # A plain dictionary is built several times as fast as a Link, and a matrix has thousands of these.
    link: Any = {"href": urls.BASE_URL_PLACEHOLDER + path}
    return {"self": link}


def _titled_link(path: str, title: str, name: str) -> SelfLink:
    return {"self": Link(path, title, name=name)}


def _render_result(row: MatrixRow) -> ResultInMatrix | None:
    if row.verification is None or row.success is None or row.verified_at is None:
        return None
    if row.comparison is not None and row.provider_version is not None:
        key = PairKey(row.consumer, row.provider, row.sha, row.provider_version)
        page = urls.COMPARISON_OF_VERSIONS.fill(
            provider=row.provider,
            version=row.provider_version,
            consumer=row.consumer,
            consumerVersion=row.consumer_version,
        )
        links: ResultInMatrixLinks = {**_self_link(comparison_path(key)), "pfi:ui": Link(page)}
        return {"success": row.success, "verifiedAt": row.verified_at, "_links": links}
    path = urls.VERIFICATION_WITH_METADATA.fill(
        provider=row.provider,
        consumer=row.consumer,
        sha=row.sha,
        metadata=metadata.encode(Metadata(version_number=row.consumer_version)),
        number=str(row.verification),
    )
    return {
        "success": row.success,
        "verifiedAt": row.verified_at,
        "_links": cast("ResultInMatrixLinks", _self_link(path)),
    }


def _render_version(pacticipant: str, number: str, version: VersionSummary) -> VersionInMatrix:
    branches = [_render_branch((pacticipant, number), branch) for branch in version.branches]
    return {
        "number": number,
        "branch": version.branches[-1].name if version.branches else None,
        # The original has both names for the same list.
        "branches": branches,
        "branchVersions": branches,
        "environments": [_render_environment(environment) for environment in version.environments],
        "_links": _self_link(urls.VERSION.fill(pacticipant=pacticipant, version=number)),
        "tags": [
            {
                "name": tag.name,
                "latest": tag.is_head,
                "_links": _self_link(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number, tag=tag.name)),
            }
            for tag in version.tags
        ],
    }


def _render_branch(key: VersionKey, branch: BranchSummary) -> NamedHead:
    path = urls.BRANCH_VERSION.fill(pacticipant=key[0], branch=branch.name, version=key[1])
    links = _titled_link(path, "Branch version", branch.name)
    return {"name": branch.name, "latest": branch.is_head, "_links": links}


def _render_environment(environment: EnvironmentSummary) -> EnvironmentInMatrix:
    # The original shows `updatedAt` only once an environment has been changed.
    times: EnvironmentTimes = {"createdAt": environment.created_at}
    if environment.updated_at != environment.created_at:
        times = {"updatedAt": environment.updated_at, **times}
    return {
        "uuid": environment.uuid,
        "name": environment.name,
        "displayName": environment.display_name,
        "production": environment.is_production,
        **times,
        "_links": _titled_link(urls.ENVIRONMENT.fill(uuid=environment.uuid), "Environment", environment.name),
    }


def render_reason(reason: Reason, text: str, explanation: Explanation | None = None) -> ReasonDocument:
    """Render a reason for programs: its code, the versions that it is about, its cause if known, and the next step."""
    code, severity = reason_texts.get_code(reason), reason_texts.get_severity(reason)
    rendered: dict[str, Any] = {"kind": code, "type": severity, "text": text, **_render_subjects(reason)}
    if explanation is not None:
        rendered |= {**render_explanation(explanation), "next": _render_next_step(reason, explanation.step)}
    elif isinstance(reason, Obstacle):
        rendered["next"] = {"text": reason_texts.suggest_next_step(reason)}
    return cast("ReasonDocument", rendered | _render_exemption(reason))


def _render_exemption(reason: Reason) -> dict[str, Any]:
    """Render what covers an obstacle: the override, or where first deployments are allowed."""
    match reason:
        case Overridden(override=override) | OverriddenObstacle(override=override):
            return {"override": render_summary(override)}
        case FirstDeployment(policy=policy):
            return {"allowedBy": policy.value}
        case _:
            return {}


def render_summary(override: Override) -> OverrideInReason:
    return {
        "uuid": override.uuid,
        "reason": override.reason,
        "createdBy": override.created_by,
        "expiresAt": override.expires_at,
        "_links": _self_link(urls.OVERRIDE.fill(uuid=override.uuid)),
    }


def _render_subjects(reason: Reason) -> ReasonSubjects:
    match reason:
        case OverriddenObstacle(obstacle=obstacle) | FirstDeployment(obstacle=obstacle):
            return _render_subjects(obstacle)
        case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed():
            return {"consumer": _render_reason_side(reason.consumer), "provider": _render_reason_side(reason.provider)}
        case NoSuchVersion(selected=selected):
            return {"pacticipant": {"name": selected.selector.pacticipant, "version": find_number(selected)}}
        case _:
            return {}


def _render_reason_side(side: ReasonSide) -> ReasonSideDocument:
    return {"name": side.pacticipant, "version": side.version}


def _render_next_step(reason: Reason, step: Step) -> Link | dict[str, object]:
    """Render a step, with a link to the page on which it is done, or to the comparison or the pact in question."""
    command = format_command(step, urls.BASE_URL_PLACEHOLDER)
    rendered: dict[str, object] = {"text": step.text, **({} if command is None else {"command": command})}
    path = find_page(step) or find_comparison_path(reason) or find_pact_path(reason)
    return rendered if path is None else Link(path, extra=rendered)


def find_pact_path(reason: Reason) -> str | None:
    """Return the path of the pact that a reason is about; None without a counterpart that could verify it."""
    match find_obstacle(reason):
        case NotVerified() | VerificationFailed() | NotCompared() | ComparisonFailed() as pair:
            is_deployed = not (pair.provider.environment or pair.consumer.environment)
            if is_deployed and pair.consumer.version is not None:
                names = {"provider": pair.provider.pacticipant, "consumer": pair.consumer.pacticipant}
                return urls.PACT.fill(**names, version=pair.consumer.version)
        case _:
            pass
    return None


COLUMN_TITLES: Final = ("CONSUMER", "C_VERSION", "REVISION", "PROVIDER", "P_VERSION", "NUMBER", "SUCCESS")
MAX_CELL_WIDTH: Final = 30
"""Maximum number of characters in a cell of the table; longer texts are cut."""


@represent.register_text
def matrix_as_text(result: Matrix, _context: RenderContext) -> str:
    """Render the rows as a table, with the answer and the reasons below it. The layout is the original's."""
    verdict = result.verdict
    deployable = {True: "true", False: "false", None: "nil"}[verdict.summary.deployable]
    reasons = "\n".join(reason_texts.describe_reason(reason) for reason in verdict.reasons)
    table = _render_table([_cells(row, verdict.shown_provider_version(row)) for row in verdict.rows])
    return f"{table}\n{_describe_limit(verdict)}\nDeployable: {deployable}\nReason: {reasons}\n"


def _describe_limit(verdict: Verdict) -> str:
    shown = len(verdict.rows)
    if shown == verdict.total:
        return ""
    return f"\n{shown} of {verdict.total} rows are shown; the answer depends on all of them.\n"


def _render_table(lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return "No data."
    widths = [max(map(len, column)) for column in zip(COLUMN_TITLES, *lines, strict=True)]
    ruler = "|".join("-" * (width + (2 if 0 < index < len(widths) - 1 else 1)) for index, width in enumerate(widths))
    return "\n".join((_render_line(COLUMN_TITLES, widths), ruler, *(_render_line(line, widths) for line in lines)))


def _render_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _cells(row: MatrixRow, provider_version: str | None) -> list[str]:
    success = "" if row.success is None else str(row.success).lower()
    number = "" if row.verification is None else str(row.verification)
    consumer = (row.consumer, row.consumer_version, str(row.revision))
    cells = (*consumer, row.provider, provider_version or "", number, success)
    return [cell if len(cell) <= MAX_CELL_WIDTH else cell[: MAX_CELL_WIDTH - 3] + "..." for cell in cells]
