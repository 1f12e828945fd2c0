"""Whether versions can be deployed to an environment together (`POST /decisions`), and the record of the answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, NotRequired

from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid, Problem
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.explanations import Explanation
from treaty.model.decisions.matrix import Matrix, MatrixRow, VersionKey
from treaty.model.decisions.queries import Destination, LatestBy, MatrixQuery
from treaty.model.decisions.records import Decided
from treaty.model.decisions.selectors import Selector
from treaty.model.decisions.version_sets import (
    MAX_MEMBERS,
    DeployInOrder,
    DeployTogether,
    LeaveOut,
    SetFacts,
    SetReason,
    SetVerdict,
    decide_set,
    describe_advice,
    get_advice_code,
)
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.spelling import find_similar
from treaty.store.decisions import selectors, version_sets
from treaty.store.decisions.selectors import NamedIds
from treaty.store.pacticipants import former_names
from treaty.web import urls
from treaty.web.api.decisions.causes import explain_reasons
from treaty.web.api.decisions.matrix import (
    MatrixRowDocument,
    MatrixSummary,
    ReasonDocument,
    RowCounts,
    decide_query,
    describe_unknown,
    load_checked_names,
    render_reason,
)
from treaty.web.api.decisions.recording import Answered, conclude, list_versions, plan_recording
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.hal.shapes import NoticeDocument
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, NotBlankName, RequiredNonBlankName, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import DEPLOYMENT_READS, Permission

router: Final = Router()

MAX_ROWS: Final = 1000
"""Rows of the matrix that a response and its record show. The answer depends on all of them."""


class MemberBody(Body):
    """A version of the set."""

    pacticipant: RequiredNonBlankName
    version: RequiredNonBlankName


class SelectorBody(Body):
    """Versions of a pacticipant, as a selector of the matrix has them."""

    pacticipant: RequiredNonBlankName
    version: NotBlankName = None
    branch: NotBlankName = None
    tag: NotBlankName = None
    latest: bool | None = None
    main_branch: bool | None = None


class IgnoredBody(Body):
    """A version whose results are ignored or, without a number, all versions of the pacticipant."""

    pacticipant: RequiredNonBlankName
    version: NotBlankName = None


class SetDecisionBody(Body):
    """The versions that are to be deployed together or, in `selectors`, a question as the matrix answers it.

    Without `record`, a decision is recorded if the environment records decisions.
    """

    model_config = with_example(
        {
            "environment": "production",
            "versions": [
                {"pacticipant": "web-shop", "version": "5556b8149bf8bac76bc30f50a8a2dd4c22c85f30"},
                {"pacticipant": "prices", "version": "2.1.0"},
            ],
        }
    )

    environment: RequiredNonBlankName
    versions: Annotated[list[MemberBody], Field(min_length=1)] | None = None
    selectors: Annotated[list[SelectorBody], Field(min_length=1)] | None = None
    ignore: list[IgnoredBody] | None = None
    record: bool | None = None


class MemberDocument(TypedDict):
    pacticipant: str
    version: str


SetDecisionLinks = TypedDict(
    "SetDecisionLinks", {"self": NotRequired[Link], "pb:pacticipant-version": NotRequired[list[Link]]}
)


class IgnoredRowSideDocument(TypedDict):
    name: str
    version: str | None


class IgnoredRowDocument(TypedDict):
    consumer: IgnoredRowSideDocument
    provider: IgnoredRowSideDocument
    success: bool | None


class SetDecisionDocument(TypedDict):
    """The answer about a set, or the matrix that answers a question in `selectors`."""

    deployable: bool | None
    recorded: bool
    reasons: list[ReasonDocument]
    leaveOut: NotRequired[list[MemberDocument]]
    leaveOutIsSmallest: NotRequired[bool]
    order: NotRequired[list[MemberDocument] | None]
    ignored: NotRequired[list[IgnoredRowDocument]]
    summary: NotRequired[MatrixSummary]
    notices: NotRequired[list[NoticeDocument]]
    matrix: NotRequired[list[MatrixRowDocument]]
    rows: NotRequired[RowCounts]
    _links: SetDecisionLinks


@router.post(
    urls.DECISIONS,
    permission=Permission.READ,
    scopes=DEPLOYMENT_READS,
    is_read_only=True,
    may_write=True,
    max_quick_items=40,
    body=SetDecisionBody,
    response=SetDecisionDocument,
)
def decide_about_set(request: Request) -> Decided:
    """Decide whether versions can be deployed to an environment together; record the decision on request."""
    body = _read_body(request.body(dict))
    if body.selectors is not None:
        return _decide_by_selectors(request, body, body.selectors)
    question = _read_question(request.db, body)
    plan = plan_recording(request, question.named, question.members, is_requested=body.record)
    facts, verdict = _decide(request.db, question, now=request.now)
    return conclude(request, plan, Answered(body.environment, _describe(body), list_versions(facts.members), verdict))


def decide_raw_set(db: Connection, raw_body: dict[str, Any], *, now: datetime) -> SetVerdict:
    """Decide about the set in a body, with the causes of obstacles, without recording it. Raises Invalid."""
    return _decide(db, _read_question(db, _read_body(raw_body)), now=now)[1]


def _read_body(raw_body: dict[str, Any]) -> SetDecisionBody:
    """Read the body. Raises Invalid."""
    bodies.check_sizes(raw_body, {"versions": MAX_MEMBERS, "selectors": MAX_MEMBERS, "ignore": MAX_MEMBERS})
    body = bodies.validate(raw_body, SetDecisionBody)
    problems = list(_list_problems(raw_body, body))
    if problems:
        raise Invalid(*problems)
    return body


def _list_problems(raw_body: Mapping[str, Any], body: SetDecisionBody) -> Iterable[Problem]:
    if body.selectors is None and body.versions is None:
        yield Problem(("versions",), "is missing")
    if body.selectors is not None and body.versions is not None:
        yield Problem(("selectors",), "cannot be combined with versions")
    # Without an unknown member, which is probably misspelt, a selector would select or ignore too much.
    for name, model in (("selectors", SelectorBody), ("ignore", IgnoredBody)):
        members = [field.alias or key for key, field in model.model_fields.items()]
        raw_members: Sequence[Mapping[str, Any]] = raw_body.get(name) or []
        for index, raw in enumerate(raw_members):
            for member in raw:
                if member not in members:
                    yield Problem((name, index, member), describe_unknown(find_similar(member, members)))
    for index, selector in enumerate(body.selectors or ()):
        if not (selector.version or selector.branch or selector.tag or selector.latest or selector.main_branch):
            yield Problem(("selectors", index), "needs version, branch, tag, latest or mainBranch")


class _SetQuestion(NamedTuple):
    """A set in question, with the ids of its names."""

    environment: str
    members: Sequence[Selector]
    ignore: Sequence[Selector]
    named: NamedIds


def _read_question(db: Connection, body: SetDecisionBody) -> _SetQuestion:
    """Look up the names of a question about a set. Raises Invalid."""
    versions = body.versions or ()
    members = [
        Selector(pacticipant=member.pacticipant, version=member.version)
        for member in sorted(versions, key=lambda member: member.pacticipant)
    ]
    ignore = _list_ignored(body)
    named = selectors.load_named_ids(db, (*members, *ignore), body.environment)
    _check(db, body.environment, versions, named)
    return _SetQuestion(body.environment, members, ignore, named)


def _list_ignored(body: SetDecisionBody) -> tuple[Selector, ...]:
    return tuple(Selector(pacticipant=each.pacticipant, version=each.version) for each in body.ignore or ())


def _decide(db: Connection, question: _SetQuestion, *, now: datetime) -> tuple[SetFacts, SetVerdict]:
    facts = version_sets.load_facts(
        db, question.members, question.named, environment_name=question.environment, ignore=question.ignore
    )
    verdict = decide_set(version_sets.add_exemptions(db, facts, now=now))
    return facts, replace(verdict, explanations=explain_reasons(db, verdict.reasons))


def _decide_by_selectors(request: Request, body: SetDecisionBody, chosen: Sequence[SelectorBody]) -> Decided:
    query = MatrixQuery(
        selectors=tuple(
            Selector(
                pacticipant=selector.pacticipant,
                version=selector.version,
                branch=selector.branch,
                tag=selector.tag,
                is_latest=selector.latest or False,
                is_main_branch=selector.main_branch or False,
            )
            for selector in chosen
        ),
        ignore=_list_ignored(body),
        destination=Destination(environment=body.environment),
        latest_by=LatestBy.CONSUMER_VERSION_AND_PROVIDER_VERSION,
        limit=MAX_ROWS,
    )
    named = load_checked_names(request.db, query)
    plan = plan_recording(request, named, query.selectors, is_requested=body.record)
    decided = decide_query(request.db, query, named, now=request.now)
    versions = list_versions(decided.specified)
    return conclude(request, plan, Answered(body.environment, _describe(body), versions, decided.matrix))


def _describe(body: SetDecisionBody) -> Mapping[str, Any]:
    """Return the question as it was asked."""
    return body.model_dump(by_alias=True, exclude_none=True, exclude={"record"})


def _check(db: Connection, environment: str, versions: Sequence[MemberBody], named: NamedIds) -> None:
    """Reject unknown names with the texts of decisions for one version. Raises Invalid."""
    names = [member.pacticipant for member in versions]
    current_names = former_names.find_current_names(db, set(names) - named.pacticipants.keys())
    problems = []
    for index, name in enumerate(names):
        if name not in named.pacticipants:
            text = describe_missing(current_names.get(name))
            problems.append(Problem(("versions", index, "pacticipant"), f"'{name}' {text}"))
        elif name in names[:index]:
            text = f"'{name}' is in the set twice"
            problems.append(Problem(("versions", index, "pacticipant"), text))
    if not named.environments:
        problems.append(Problem(("environment",), f"with name '{environment}' does not exist"))
    if problems:
        raise Invalid(*problems)


NOT_RECORDED: Final = "not_recorded"
"""The kind of the warning about a decision that the environment asks to record."""


@represent.register
def decided(decided: Decided) -> Hal:
    """Represent an answer: with a link to its record, or a warning if it should have been recorded."""
    document = represent.hal(decided.answer)
    assert isinstance(document, Hal)  # noqa: S101 - for type checkers
    if isinstance(decided.answer, Matrix):
        document["deployable"] = decided.answer.verdict.summary.deployable
        document["_links"] = {}
    document["recorded"] = decided.record is not None
    links: Any = document["_links"]
    if decided.record is not None:
        links["self"] = Link(urls.DECISION.fill(uuid=decided.record.uuid), "Recorded decision")
    if decided.obstacle is not None:
        warning = {"type": "warning", "text": decided.obstacle}
        document["reasons"] = [*_list(document, "reasons"), {"kind": NOT_RECORDED, **warning}]
        if "notices" in document:
            document["notices"] = [*_list(document, "notices"), warning]
    return document


def _list(document: Mapping[str, object], name: str) -> Sequence[object]:
    value = document[name]
    assert isinstance(value, Sequence)  # noqa: S101 - for type checkers
    return value


@represent.register
def set_verdict(verdict: SetVerdict) -> Hal:
    members = sorted({*verdict.leave_out, *(verdict.order or ())})
    document = Hal(links={"pb:pacticipant-version": [_link_to(member) for member in members]})
    # Unlike members of other documents, these are present if they are null.
    document |= {
        "deployable": verdict.deployable,
        "leaveOut": render_members(verdict.leave_out),
        "leaveOutIsSmallest": verdict.is_smallest,
        "order": None if verdict.order is None else render_members(verdict.order),
        "reasons": [
            render_set_reason(reason, explanation)
            for reason, explanation in zip(
                verdict.reasons, verdict.explanations or [None] * len(verdict.reasons), strict=True
            )
        ],
    }
    if verdict.ignored is not None:
        document["ignored"] = [_render_ignored_row(row) for row in verdict.ignored]
    return document


def render_members(members: Sequence[VersionKey]) -> list[MemberDocument]:
    return [{"pacticipant": name, "version": number} for name, number in members]


def _render_ignored_row(row: MatrixRow) -> IgnoredRowDocument:
    return {
        "consumer": {"name": row.consumer, "version": row.consumer_version},
        "provider": {"name": row.provider, "version": row.provider_version},
        "success": row.success,
    }


def _link_to(member: VersionKey) -> Link:
    name, number = member
    return Link(urls.VERSION.fill(pacticipant=name, version=number), name=f"{name} ({number})")


def render_set_reason(reason: SetReason, explanation: Explanation | None = None) -> ReasonDocument | Mapping[str, str]:
    """Render a reason as those of other decisions are."""
    match reason:
        case DeployInOrder() | DeployTogether() | LeaveOut():
            return {"kind": get_advice_code(reason), "type": "warning", "text": describe_advice(reason)}
        case _:
            return render_reason(reason, reason_texts.describe_reason(reason), explanation)
