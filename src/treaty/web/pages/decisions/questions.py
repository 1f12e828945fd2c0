"""The question whether a version can be deployed, alone or together with others, on the page of its application."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from treaty.errors import Invalid, NotFound, Problem
from treaty.model.decisions.matrix import VersionKey
from treaty.model.decisions.version_sets import DeployInOrder
from treaty.model.deployments import Environment
from treaty.model.pacticipants.pacticipants import PacticipantDetails
from treaty.model.versions import VersionLookup
from treaty.store.decisions import matrix
from treaty.store.versions import branches, prefixes
from treaty.web.api.decisions.causes import load_explanations
from treaty.web.api.decisions.version_sets import decide_raw_set
from treaty.web.http.request import Request
from treaty.web.pages.decisions.answers import AnswerTable, build_table, decide_deployment, load_named
from treaty.web.pages.decisions.verdicts import ReasonView, describe_reasons

MAX_HEADS: Final = 10
"""Branches besides the main branch whose heads are in the table on request; the most recently changed ones."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The answer for versions that are to be deployed to an environment, or the problems of the question."""

    version: str
    to: Environment
    members: Sequence[VersionKey]
    deployable: bool | None = None
    order: Sequence[VersionKey] = ()
    """The order in which every step is safe, unless any order is."""
    reasons: Sequence[ReasonView] = ()
    problems: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """The version in question with its answers."""

    number: str | None
    """The number of the version; None if the requested version does not exist."""
    is_requested: bool
    """Whether the request names the version, rather than leaving the choice to the page."""
    main_branch: str | None
    """The main branch, if the page chose its head."""
    table: AnswerTable
    answer: Answer | None = None
    unknown: VersionLookup | None = None
    """The requested version, if it does not exist or is ambiguous."""

    @property
    def to(self) -> Environment | None:
        return self.answer.to if self.answer else None


def answer_question(
    request: Request, details: PacticipantDetails, environments: Sequence[Environment]
) -> Question | None:
    """Decide for each environment whether a version can be deployed, by default the head of the main branch.

    None if there are no environments or no versions. Raises NotFound for an unknown environment.
    """
    requested = request.option("version")
    if not environments or (details.latest_version is None and not requested):
        return None
    name = details.pacticipant.name
    environment = _read_environment(request, environments)
    if requested:
        lookup = prefixes.look_up(request.db, name, requested)
        if lookup.number is None:
            none = AnswerTable(environments=(), rows=())
            return Question(number=None, is_requested=True, main_branch=None, table=none, unknown=lookup)
        number, main_branch = lookup.number, None
    else:
        number, main_branch = _choose_version(request, details)
    table = build_table(request, name, [(number, main_branch), *_list_heads(request, details, number)], environments)
    to = environment or table.find_decisive()
    question = Question(number=number, is_requested=bool(requested), main_branch=main_branch, table=table)
    return question if to is None else replace(question, answer=_answer(request, name, number, to))


def _read_environment(request: Request, environments: Sequence[Environment]) -> Environment | None:
    requested = request.option("to")
    environment = next((environment for environment in environments if environment.name == requested), None)
    if requested and environment is None:
        raise NotFound.named("environment", requested)
    return environment


def _choose_version(request: Request, details: PacticipantDetails) -> tuple[str, str | None]:
    """Choose the head of the main branch, or else the newest version."""
    head = matrix.find_main_branch_version(request.db, details.pacticipant)
    if head is not None:
        return head, details.pacticipant.main_branch
    return details.latest_version or "", None


def _list_heads(request: Request, details: PacticipantDetails, number: str) -> list[tuple[str, str | None]]:
    """List the heads of other branches, if they are requested."""
    if request.option("heads") is None:
        return []
    heads = branches.list_heads(request.db, details.pacticipant.name, limit=MAX_HEADS + 1)
    main = details.pacticipant.main_branch
    others: list[tuple[str, str | None]] = [
        (head, branch) for branch, head in heads if branch != main and head != number
    ]
    return others[:MAX_HEADS]


def _answer(request: Request, name: str, number: str, to: Environment) -> Answer:
    answer = Answer(version=number, to=to, members=[(name, number)])
    others = _list_lines(request.option("with"))
    if others:
        return _decide_set(request, answer, others)
    verdict = decide_deployment(request, name, number, to, load_named(request.db, name, [number]))
    explanations = load_explanations(request.db, verdict)
    return replace(
        answer,
        deployable=verdict.summary.deployable,
        reasons=describe_reasons(verdict.reasons, explanations, base_url=request.base_url, own={name}),
    )


# Sets


def _list_lines(text: str | None) -> list[str]:
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


def _decide_set(request: Request, answer: Answer, others: Sequence[str]) -> Answer:
    """Decide about a version and others, each a line of the form."""
    try:
        members = [*answer.members, *_read_members(others)]
        versions = [{"pacticipant": name, "version": number} for name, number in members]
        verdict = decide_raw_set(request.db, {"environment": answer.to.name, "versions": versions}, now=request.now)
    except Invalid as error:
        return replace(answer, problems=list(_describe_problems(error, [answer.members[0][0], *others])))
    has_order = any(isinstance(reason, DeployInOrder) for reason in verdict.reasons)
    return replace(
        answer,
        members=sorted(members),
        deployable=verdict.deployable,
        order=verdict.order or () if has_order and not verdict.leave_out else (),
        reasons=describe_reasons(
            verdict.reasons, verdict.explanations, base_url=request.base_url, own={name for name, _ in members}
        ),
    )


def _read_members(lines: Sequence[str]) -> Iterator[VersionKey]:
    """Split lines at their last `@`, since names such as `@acme/web` begin with one. Raises Invalid."""
    for line in lines:
        name, _, number = line.rpartition("@")
        if not name.strip() or not number.strip():
            raise Invalid(Problem((line,), "has no version: write the name and the version as NAME@VERSION"))
        yield name.strip(), number.strip()


def _describe_problems(error: Invalid, lines: Sequence[str]) -> Iterator[str]:
    """Describe problems by the lines that they are about, instead of by members of a request."""
    for problem in error.problems:
        index = next((part for part in problem.path if isinstance(part, int)), None)
        subject = str(problem.path[0]) if index is None else lines[index]
        yield f"{subject}: {problem.text}" if index is not None else f"{subject} {problem.text}"
