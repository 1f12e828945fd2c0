"""The matrix, and whether a version can be deployed."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Final, Literal, NotRequired

import orjson
from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid, InvalidQuery, NotFound, Problem
from treaty.model.decisions import metadata
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.matrix import (
    EnvironmentSummary,
    Matrix,
    MatrixRow,
    Verdict,
    VerdictSummary,
    VersionKey,
    VersionSummary,
    decide,
)
from treaty.model.decisions.metadata import Metadata
from treaty.model.decisions.questions import (
    Destination,
    LatestBy,
    MatrixQuery,
    build_deployment_query,
    list_problems,
    parse_limit,
)
from treaty.model.decisions.reasons import NoSuchVersion, NotVerified, Reason, ReasonSide, VerificationFailed
from treaty.model.decisions.selectors import Selector, find_number
from treaty.store.decisions import matrix as facts_of_matrix
from treaty.store.decisions import selectors
from treaty.store.decisions.matrix import FactsWithIds
from treaty.store.decisions.selectors import NamedIds
from treaty.web import urls
from treaty.web.api.verifications import ResultSummary
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
"""Rows that take some milliseconds; more are fetched and rendered where nobody waits for them."""


def _has_many_rows(call: Request) -> bool:
    return not 0 <= parse_limit(_text(call.query, "limit")) <= MAX_QUICK_ROWS


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


class MatrixRowDocument(TypedDict):
    consumer: PacticipantInMatrix
    provider: PacticipantInMatrix
    pact: PactInMatrix
    verificationResult: ResultSummary | None
    ignored: NotRequired[bool]


class RowCounts(TypedDict):
    shown: int
    total: int


class ReasonSideDocument(TypedDict):
    name: str
    version: str | None


class ReasonDocument(TypedDict):
    kind: str
    type: str
    text: str
    consumer: NotRequired[ReasonSideDocument]
    provider: NotRequired[ReasonSideDocument]
    pacticipant: NotRequired[ReasonSideDocument]
    next: NotRequired[JsonObject]


class MatrixDocument(TypedDict):
    summary: MatrixSummary
    notices: list[NoticeDocument]
    matrix: list[MatrixRowDocument]
    rows: RowCounts
    reasons: list[ReasonDocument]


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
    QueryParameter("tag", "Only rows with versions that have this tag."),
    QueryParameter("environment", "Only rows with versions in this environment."),
    QueryParameter("mainBranch", "Only rows with versions of main branches.", FlagText),
    QueryParameter("latest", "Of the versions with the tag or on the branch, only the latest.", FlagText),
    QueryParameter("latestby", "Leave out results that later ones replace.", Literal["cvp", "cvpv"]),
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
def show_matrix(call: Request) -> Matrix:
    """Show the results between the versions selected, and what follows from them."""
    return query_matrix(call.db, call.query, blank=_blank_texts(call.query))


def query_matrix(db: Connection, query: Query, *, blank: Sequence[str] = (), counts_superseded: bool = True) -> Matrix:
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


@router.get(
    urls.PAIR_MATRIX,
    permission=Permission.READ,
    is_cacheable=True,
    has_long_query=_has_many_rows,
    query=_DESTINATION_PARAMETERS,
    response=MatrixDocument,
)
def show_matrix_of_pair(call: Request, provider: str, consumer: str) -> Matrix:
    """Show the results between any versions of a consumer and a provider."""
    return query_pair_matrix(
        call.db, call.query, provider=provider, consumer=consumer, blank=_blank_texts({**call.query, "q": None})
    )


def query_pair_matrix(
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


def _named(db: Connection, question: MatrixQuery) -> NamedIds:
    return selectors.load_named_ids(db, (*question.selectors, *question.ignore), question.destination.environment)


def _check(question: MatrixQuery, named: NamedIds, *, of_selectors: bool = True, blank: Sequence[str] = ()) -> None:
    texts = [*list_problems(question, named.pacticipants, named.environments, of_selectors=of_selectors), *blank]
    if texts:
        raise InvalidQuery(texts)


def _matrix_of(db: Connection, question: MatrixQuery, named: NamedIds) -> Matrix:
    return _decided(db, question, facts_of_matrix.load_facts(db, question, named))


def _decided(db: Connection, question: MatrixQuery, found: FactsWithIds) -> Matrix:
    verdict = decide(question, found.facts)
    return Matrix(verdict=verdict, versions=facts_of_matrix.load_versions(db, found.version_ids, verdict.versions))


def _question(query: Query, chosen: tuple[Selector, ...], *, counts_superseded: bool) -> MatrixQuery:
    ignored = query.get("ignore")
    return MatrixQuery(
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
        limit=parse_limit(_text(query, "limit")),
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


@router.get(urls.CAN_I_DEPLOY, permission=Permission.READ, query=_DEPLOYMENT_PARAMETERS, **_MATRIX)
def can_i_deploy(call: Request) -> Matrix:
    """Say whether a version can be deployed to an environment, or to where versions have a tag."""
    selector = Selector(pacticipant=call.option("pacticipant") or "", version=call.option("version"))
    tag, environment = call.option("to"), call.option("environment")
    destination = (
        Destination(tag=tag, is_latest=tag is not None) if environment is None else Destination(environment=environment)
    )
    question = build_deployment_query(selector, destination, ignore=_ignored(call.query.get("ignore")))
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


def _check_deployment(selector: Selector, named: NamedIds, *, tag: str | None, environment: str | None) -> None:
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


@router.get(urls.CAN_I_DEPLOY_TAG, permission=Permission.READ, **_MATRIX)
def can_i_deploy_tag(call: Request, pacticipant: str, tag: str, to: str) -> Matrix:
    """Say whether the latest version with a tag can go to where versions have another."""
    _check_names(tag=tag, environmentTag=to)
    selector = Selector(pacticipant=pacticipant, tag=tag, is_latest=True)
    return _matrix_of_existing(call.db, build_deployment_query(selector, Destination(tag=to, is_latest=True)))


@router.get(urls.CAN_I_DEPLOY_BRANCH, permission=Permission.READ, **_MATRIX)
def can_i_deploy_branch(call: Request, pacticipant: str, branch: str, environment: str) -> Matrix:
    """Say whether the latest version of a branch can be deployed to an environment."""
    _check_names(branch=branch, environment=environment)
    selector = Selector(pacticipant=pacticipant, branch=branch, is_latest=True)
    return _matrix_of_existing(call.db, build_deployment_query(selector, Destination(environment=environment)))


def _matrix_of_existing(db: Connection, question: MatrixQuery) -> Matrix:
    return _decided(db, question, facts_of_matrix.load_facts_of_existing(db, question))


@represent.register
def matrix(shown: Matrix) -> Hal:
    """Show the counts and the answer first, then why, then the rows."""
    verdict = shown.verdict
    texts = [reason_texts.describe_reason(one) for one in verdict.reasons]
    reasons = [_reason(one, text) for one, text in zip(verdict.reasons, texts, strict=True)]
    rows = [_shown(shown, row, is_ignored=False) for row in verdict.considered]
    rows += [_shown(shown, row, is_ignored=True) for row in verdict.ignored]
    return Hal(
        {
            "summary": _summary(verdict.summary, texts),
            "notices": [{"type": one["type"], "text": one["text"]} for one in reasons],
            "matrix": rows,
            "rows": {"shown": len(rows), "total": verdict.total},
            "reasons": reasons,
        },
    )


def _summary(summary: VerdictSummary, texts: Sequence[str]) -> MatrixSummary:
    shown: MatrixSummary = {
        "deployable": summary.deployable,
        "reason": "\n".join(texts),
        "success": summary.success,
        "failed": summary.failed,
        "unknown": summary.unknown,
    }
    return shown if summary.ignored is None else {**shown, "ignored": summary.ignored}


def _shown(shown: Matrix, row: MatrixRow, *, is_ignored: bool) -> orjson.Fragment:
    consumer = shown.versions[row.consumer, row.consumer_version]
    number = shown.verdict.shown_provider_version(row)
    provider = None if number is None else shown.versions[row.provider, number]
    return _row(row, consumer, provider, is_ignored=is_ignored)


@lru_cache(maxsize=2048)
def _row(
    row: MatrixRow, consumer: VersionSummary, provider: VersionSummary | None, *, is_ignored: bool
) -> orjson.Fragment:
    """Show a row. It is remembered, written out: whoever waits for a result asks for the same ones again and again."""
    path = urls.PACT.fill(provider=row.provider, consumer=row.consumer, version=row.consumer_version)
    shown = {
        "consumer": _side(row.consumer, row.consumer_version, consumer),
        "provider": _side(row.provider, None if provider is None else row.provider_version, provider),
        "pact": {"createdAt": row.published_at, "_links": _self(path)},
        "verificationResult": _verification(row),
    }
    return render_fragment({**shown, "ignored": True} if is_ignored else shown)


@lru_cache(maxsize=4096)
def _side(name: str, number: str | None, version: VersionSummary | None) -> orjson.Fragment:
    """Show a consumer or a provider. It is remembered as well: many rows are about the same ones."""
    shown = None if number is None or version is None else _version(name, number, version)
    return render_fragment({"name": name, "version": shown, "_links": _self(urls.PACTICIPANT.fill(pacticipant=name))})


def _self(path: str) -> SelfLink:
    # A plain dictionary is built several times as fast as a Link, and a matrix has thousands of these.
    link: Any = {"href": urls.BASE_URL_PLACEHOLDER + path}
    return {"self": link}


def _titled(path: str, title: str, name: str) -> SelfLink:
    return {"self": Link(path, title, name=name)}


def _verification(row: MatrixRow) -> ResultSummary | None:
    if row.verification is None or row.success is None or row.verified_at is None:
        return None
    path = urls.VERIFICATION_WITH_METADATA.fill(
        provider=row.provider,
        consumer=row.consumer,
        sha=row.sha,
        metadata=metadata.encode(Metadata(version_number=row.consumer_version)),
        number=str(row.verification),
    )
    return {"success": row.success, "verifiedAt": row.verified_at, "_links": _self(path)}


def _version(pacticipant: str, number: str, version: VersionSummary) -> VersionInMatrix:
    branches = [_branch((pacticipant, number), one.name, is_head=one.is_head) for one in version.branches]
    return {
        "number": number,
        "branch": version.branches[-1].name if version.branches else None,
        "branches": branches,
        "branchVersions": branches,
        "environments": [_environment(one) for one in version.environments],
        "_links": _self(urls.VERSION.fill(pacticipant=pacticipant, version=number)),
        "tags": [
            {
                "name": one.name,
                "latest": one.is_head,
                "_links": _self(urls.VERSION_TAG.fill(pacticipant=pacticipant, version=number, tag=one.name)),
            }
            for one in version.tags
        ],
    }


def _branch(key: VersionKey, name: str, *, is_head: bool) -> NamedHead:
    path = urls.BRANCH_VERSION.fill(pacticipant=key[0], branch=name, version=key[1])
    return {"name": name, "latest": is_head, "_links": _titled(path, "Branch version", name)}


def _environment(environment: EnvironmentSummary) -> EnvironmentInMatrix:
    times: EnvironmentTimes = {"createdAt": environment.created_at}
    if environment.updated_at != environment.created_at:
        times = {"updatedAt": environment.updated_at, **times}
    return {
        "uuid": environment.uuid,
        "name": environment.name,
        "displayName": environment.display_name,
        "production": environment.is_production,
        **times,
        "_links": _titled(urls.ENVIRONMENT.fill(uuid=environment.uuid), "Environment", environment.name),
    }


def _reason(one: Reason, text: str) -> ReasonDocument:
    """Say a reason once more, for programs: what kind it is of, whom it is about, and what can be done."""
    shown: ReasonDocument = {
        "kind": reason_texts.get_code(one),
        "type": reason_texts.severity(one),
        "text": text,
    }
    match one:
        case NotVerified() | VerificationFailed():
            consumer, provider = _party(one.consumer), _party(one.provider)
            return {**shown, "consumer": consumer, "provider": provider, "next": _next(one)}
        case NoSuchVersion(selected=selected):
            about: ReasonSideDocument = {"name": selected.selector.pacticipant, "version": find_number(selected)}
            return {**shown, "pacticipant": about, "next": {"text": reason_texts.suggest_next_step(one)}}
        case _:
            return shown


def _party(side: ReasonSide) -> ReasonSideDocument:
    return {"name": side.pacticipant, "version": side.version}


def _next(one: NotVerified | VerificationFailed) -> Link | dict[str, object]:
    """Point to the pact, or show the command with which a deployment is recorded."""
    text = reason_texts.suggest_next_step(one)
    for side in (one.provider, one.consumer):
        if side.environment:
            return {"text": text, "command": record_deployment_command(side, side.environment)}
    if one.consumer.version is None:
        return {"text": text}
    names = {"provider": one.provider.pacticipant, "consumer": one.consumer.pacticipant}
    return Link(urls.PACT.fill(**names, version=one.consumer.version), extra={"text": text})


def record_deployment_command(side: ReasonSide, environment: str) -> str:
    """Write the command by which a deployment is recorded."""
    words = ("--pacticipant", side.pacticipant, "--version", "VERSION", "--environment", environment)
    return shlex.join(("pact-broker", "record-deployment", *words))


COLUMN_TITLES: Final = ("CONSUMER", "C_VERSION", "REVISION", "PROVIDER", "P_VERSION", "NUMBER", "SUCCESS")
MAX_CELL_WIDTH: Final = 30
"""Characters of a cell; what is longer is cut."""


@represent.register_text
def matrix_as_text(shown: Matrix, _place: RenderContext) -> str:
    """Draw the rows as a table, with the answer and the reasons below it."""
    verdict = shown.verdict
    deployable = {True: "true", False: "false", None: "nil"}[verdict.summary.deployable]
    reasons = "\n".join(reason_texts.describe_reason(one) for one in verdict.reasons)
    table = _table([_cells(row, verdict.shown_provider_version(row)) for row in verdict.rows])
    return f"{table}\n{_left_out(verdict)}\nDeployable: {deployable}\nReason: {reasons}\n"


def _left_out(verdict: Verdict) -> str:
    shown = len(verdict.rows)
    return (
        ""
        if shown == verdict.total
        else f"\n{shown} of {verdict.total} rows are shown; the answer depends on all of them.\n"
    )


def _table(lines: Sequence[Sequence[str]]) -> str:
    if not lines:
        return "No data."
    widths = [max(map(len, column)) for column in zip(COLUMN_TITLES, *lines, strict=True)]
    ruler = "|".join("-" * (width + (2 if 0 < at < len(widths) - 1 else 1)) for at, width in enumerate(widths))
    return "\n".join((_line(COLUMN_TITLES, widths), ruler, *(_line(line, widths) for line in lines)))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))


def _cells(row: MatrixRow, provider_version: str | None) -> list[str]:
    success = "" if row.success is None else str(row.success).lower()
    number = "" if row.verification is None else str(row.verification)
    consumer = (row.consumer, row.consumer_version, str(row.revision))
    cells = (*consumer, row.provider, provider_version or "", number, success)
    return [cell if len(cell) <= MAX_CELL_WIDTH else cell[: MAX_CELL_WIDTH - 3] + "..." for cell in cells]
