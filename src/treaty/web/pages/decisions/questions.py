"""The question whether a version can be deployed, alone or together with others, on the page of its application."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from treaty.errors import Invalid, NotFound, Problem
from treaty.model.decisions.matrix import Verdict, VersionKey
from treaty.model.decisions.queries import Destination, build_deployment_query
from treaty.model.decisions.selectors import Selector
from treaty.model.decisions.version_sets import DeployInOrder
from treaty.model.deployments import Environment
from treaty.store.decisions import matrix, selectors
from treaty.web.api.decisions.causes import load_explanations
from treaty.web.api.decisions.exemptions import decide_with_exemptions
from treaty.web.api.decisions.version_sets import decide_raw_set
from treaty.web.http.request import Request
from treaty.web.pages.decisions.verdicts import ReasonView, describe_reasons

MAX_ROWS: Final = 100
"""Matrix rows that the decision loads; further rows are only counted, by the database."""


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


def answer_question(request: Request, name: str, environments: Sequence[Environment]) -> Answer | None:
    """Decide whether a version can be deployed to an environment; None if the request does not ask for it."""
    version, environment_name = request.option("version"), request.option("to")
    if not version or not environment_name:
        return None
    environment = next((environment for environment in environments if environment.name == environment_name), None)
    if environment is None:
        raise NotFound.named("environment", environment_name)
    answer = Answer(version=version, to=environment, members=[(name, version)])
    others = _list_lines(request.option("with"))
    if others:
        return _decide_set(request, answer, others)
    verdict = _load_verdict(request, Selector(pacticipant=name, version=version), environment_name)
    explanations = load_explanations(request.db, verdict)
    return replace(
        answer,
        deployable=verdict.summary.deployable,
        reasons=describe_reasons(verdict.reasons, explanations, base_url=request.base_url),
    )


def _load_verdict(request: Request, selector: Selector, environment_name: str) -> Verdict:
    db = request.db
    query = replace(build_deployment_query(selector, Destination(environment=environment_name)), limit=MAX_ROWS)
    facts = matrix.load_facts(db, query, selectors.load_named_ids(db, query.selectors)).facts
    return decide_with_exemptions(db, query, facts, now=request.now)


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
        reasons=describe_reasons(verdict.reasons, verdict.explanations, base_url=request.base_url),
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
