"""The page that shows what a change of an environment would break and repair, without making it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from treaty.errors import Invalid, Problem
from treaty.model.decisions.reasons import NotVerified, Reason, ReasonSide, VerificationFailed
from treaty.model.decisions.what_if import NEEDS_VERSION, TAKES_INSTANCE, ChangeKind, WhatIfVerdict, assess
from treaty.model.deployments import Environment
from treaty.model.provider_contracts.assumptions import compare_pending
from treaty.store import deployments
from treaty.store.decisions.what_if import Assumptions
from treaty.store.overview import environment_grid
from treaty.web import urls
from treaty.web.api.decisions.what_if import ChangeBody, list_problems, load_what_if, read_change
from treaty.web.http import bodies
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import AfterCommit, HtmlPage
from treaty.web.http.router import Router
from treaty.web.pages.decisions.verdicts import ReasonView, describe_reasons
from treaty.web.security.permissions import Permission

router = Router()

MAX_SUGGESTIONS: Final = 500
"""Number of applications in the environment that the form suggests."""
_LABELS: Final = {
    ChangeKind.DEPLOY: "Deploy a version",
    ChangeKind.ROLL_BACK: "Roll back to the version before",
    ChangeKind.UNDEPLOY: "Undeploy",
    ChangeKind.RELEASE: "Release a version",
    ChangeKind.END_SUPPORT: "End the support of a version",
    ChangeKind.RETIRE: "Retire (remove all versions)",
}


@router.page(urls.ENVIRONMENT_WHAT_IF, permission=Permission.READ)
def show_what_if(request: Request, uuid: str) -> HtmlPage | AfterCommit:
    """Show the form for a change, and its effect once it is submitted."""
    environment = deployments.get(request.db, uuid)
    names = _list_names(request, environment)
    if not request.option("change"):
        return _page(environment, names)
    try:
        facts, pending = load_what_if(request, _read_question(request, environment))
    except Invalid as error:
        return _page(environment, names, problems=error.problems, status=error.status)
    if not pending:
        return _page(environment, names, verdict=assess(facts))
    return AfterCommit(
        lambda: _page(environment, names, verdict=assess(compare_pending(facts, pending))), is_heavy=True
    )


def _list_names(request: Request, environment: Environment) -> list[str]:
    """List applications in the environment, for suggestions."""
    cells = environment_grid.list_cells_in_environment(
        request.db, environment.uuid, read_rows_page(request, MAX_SUGGESTIONS)
    )
    return list(dict.fromkeys(cell.pacticipant for cell in cells.items))


def _read_question(request: Request, environment: Environment) -> Assumptions:
    """Read the submitted form; fields that do not belong to the kind of change are ignored. Raises Invalid."""
    kind = request.option("change")
    kinds = {kind.value: kind for kind in ChangeKind}
    fields = {"change": kind, "pacticipant": request.option("pacticipant")}
    if kinds.get(kind or "") in NEEDS_VERSION:
        fields["version"] = request.option("version")
    if kinds.get(kind or "") in TAKES_INSTANCE:
        fields["applicationInstance"] = request.option("applicationInstance")
    body = bodies.validate({name: value for name, value in fields.items() if value}, ChangeBody)
    problems = list(list_problems(0, body))
    if problems:
        raise Invalid(*problems)
    return Assumptions(environment=environment.name, changes=[read_change(body)])


def _page(
    environment: Environment,
    names: Sequence[str],
    *,
    verdict: WhatIfVerdict | None = None,
    problems: Sequence[Problem] = (),
    status: int = 200,
) -> HtmlPage:
    return HtmlPage(
        "environment_what_if.html",
        {
            "environment": environment,
            "names": names,
            "labels": {kind.value: label for kind, label in _LABELS.items()},
            "problems": problems,
            "verdict": verdict,
            "effects": [] if verdict is None else _list_effects(verdict, environment),
        },
        status,
    )


def _list_effects(verdict: WhatIfVerdict, environment: Environment) -> list[tuple[str, list[dict[str, object]]]]:
    """List the pairs under their headings; headings without pairs are left out."""
    groups = (
        ("This would break", verdict.breaks),
        ("This would be repaired", verdict.repairs),
        ("This is broken, and would stay so", verdict.still_broken),
    )
    return [
        (
            title,
            [
                {
                    "consumer": pair.consumer,
                    "provider": pair.provider,
                    "reasons": [_describe_reason(reason, environment) for reason in dict.fromkeys(pair.reasons)],
                }
                for pair in pairs
            ],
        )
        for title, pairs in groups
        if pairs
    ]


def _describe_reason(reason: Reason, environment: Environment) -> ReasonView:
    """Describe a reason in one short sentence: the heading of the pair and the page have the rest."""
    (view,) = describe_reasons([reason])
    match reason:
        case NotVerified(provider=ReasonSide(version=None)):
            text = f"{reason.provider.pacticipant} has no version in {environment.display_name}."
        case NotVerified():
            text = f"{_name(reason.provider)} has not verified the pact of {_name(reason.consumer)}."
        case VerificationFailed():
            text = f"{_name(reason.provider)} fails the pact of {_name(reason.consumer)}."
        case _:
            return view
    return replace(view, text=text)


def _name(side: ReasonSide) -> str:
    return f"{side.pacticipant} ({side.version})"
