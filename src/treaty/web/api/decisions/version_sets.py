"""Whether several versions can be deployed to an environment together (`POST /decisions`)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from pydantic import Field
from sqlalchemy import Connection
from typing_extensions import TypedDict

from treaty.errors import Invalid, Problem
from treaty.model.decisions import reasons as reason_texts
from treaty.model.decisions.matrix import VersionKey
from treaty.model.decisions.selectors import Selector
from treaty.model.decisions.version_sets import (
    MAX_MEMBERS,
    DeployInOrder,
    DeployTogether,
    LeaveOut,
    SetReason,
    SetVerdict,
    decide_set,
    describe_advice,
    get_advice_code,
)
from treaty.model.pacticipants.pacticipants import describe_missing
from treaty.store.decisions import selectors, version_sets
from treaty.store.decisions.selectors import NamedIds
from treaty.store.pacticipants import former_names
from treaty.web import urls
from treaty.web.api.decisions.matrix import ReasonDocument, render_reason
from treaty.web.hal import represent
from treaty.web.hal.documents import Hal, Link
from treaty.web.http import bodies
from treaty.web.http.bodies import Body, RequiredNonBlankName, with_example
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router: Final = Router()


class MemberBody(Body):
    """A version of the set."""

    pacticipant: RequiredNonBlankName
    version: RequiredNonBlankName


class SetDecisionBody(Body):
    """The versions that are to be deployed together."""

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
    versions: Annotated[list[MemberBody], Field(min_length=1)]


class MemberDocument(TypedDict):
    pacticipant: str
    version: str


SetDecisionLinks = TypedDict("SetDecisionLinks", {"pb:pacticipant-version": list[Link]})


class SetDecisionDocument(TypedDict):
    deployable: bool | None
    leaveOut: list[MemberDocument]
    leaveOutIsSmallest: bool
    order: list[MemberDocument] | None
    reasons: list[ReasonDocument]
    _links: SetDecisionLinks


@router.post(
    urls.DECISIONS,
    permission=Permission.READ,
    is_read_only=True,
    max_quick_items=40,
    body=SetDecisionBody,
    response=SetDecisionDocument,
)
def decide_about_set(request: Request) -> SetVerdict:
    """Decide whether several versions can be deployed to an environment together. Nothing is stored."""
    raw_body = request.body(dict)
    bodies.check_sizes(raw_body, {"versions": MAX_MEMBERS})
    body = bodies.validate(raw_body, SetDecisionBody)
    members = [
        Selector(pacticipant=member.pacticipant, version=member.version)
        for member in sorted(body.versions, key=lambda member: member.pacticipant)
    ]
    named = selectors.load_named_ids(request.db, members, body.environment)
    _check(request.db, body, named)
    facts = version_sets.load_facts(request.db, members, named, environment_name=body.environment)
    return decide_set(version_sets.add_exemptions(request.db, facts, now=request.now))


def _check(db: Connection, body: SetDecisionBody, named: NamedIds) -> None:
    """Reject unknown names with the texts of decisions for one version. Raises Invalid."""
    names = [member.pacticipant for member in body.versions]
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
        problems.append(Problem(("environment",), f"with name '{body.environment}' does not exist"))
    if problems:
        raise Invalid(*problems)


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
        "reasons": [render_set_reason(reason) for reason in verdict.reasons],
    }
    return document


def render_members(members: Sequence[VersionKey]) -> list[MemberDocument]:
    return [{"pacticipant": name, "version": number} for name, number in members]


def _link_to(member: VersionKey) -> Link:
    name, number = member
    return Link(urls.VERSION.fill(pacticipant=name, version=number), name=f"{name} ({number})")


def render_set_reason(reason: SetReason) -> ReasonDocument | Mapping[str, str]:
    """Render a reason as those of other decisions are."""
    match reason:
        case DeployInOrder() | DeployTogether() | LeaveOut():
            return {"kind": get_advice_code(reason), "type": "warning", "text": describe_advice(reason)}
        case _:
            return render_reason(reason, reason_texts.describe_reason(reason))
