"""Pages of overrides: the list, and the forms that create and revoke them."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from treaty.actions.decisions.overrides import revoke_override
from treaty.errors import Invalid
from treaty.model.decisions.overrides import MAX_REASON_LENGTH
from treaty.store import deployments
from treaty.store.decisions import overrides
from treaty.store.decisions.overrides import OverrideFilter
from treaty.web import urls
from treaty.web.api.decisions.overrides import OverrideBody, read_limits, save_override
from treaty.web.http import bodies
from treaty.web.http.page_queries import read_rows_page
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import get_display_names, problems_by_field, redirect
from treaty.web.security.permissions import Permission

router = Router()

PAGE_SIZE: Final = 50
_FIELDS: Final = ("pacticipantName", "pacticipantVersionNumber", "environmentName", "counterpart", "reason")
_STATES: Final = {"active": True, "ended": False}


@router.page(urls.OVERRIDES, permission=Permission.READ, is_original=False)
def show_overrides(request: Request) -> HtmlPage:
    """Show the overrides, the latest first; by default those that apply now."""
    page, state = read_rows_page(request, PAGE_SIZE), request.option("state") or "active"
    criteria = OverrideFilter(is_active=_STATES.get(state))
    return HtmlPage(
        "overrides.html",
        {
            "overrides": overrides.list_page(request.db, criteria, page, now=request.now),
            "page": page,
            "state": state,
            "display_names": get_display_names(deployments.list_in_pipeline(request.db)),
        },
    )


@router.page(urls.NEW_OVERRIDE, permission=Permission.OVERRIDE_DECISION)
def show_new_override(request: Request) -> HtmlPage:
    """Show the form for a new override, with what the link to it fills in."""
    return _form(request, {name: request.option(name) or "" for name in _FIELDS})


@router.form(urls.NEW_OVERRIDE, permission=Permission.OVERRIDE_DECISION)
def add_override(request: Request) -> HtmlPage | Redirect:
    """Create an override."""
    fields = {name: request.form.text(name) for name in (*_FIELDS, "hours")}
    try:
        body = bodies.validate({name: fields[name] for name in _FIELDS if fields[name]}, OverrideBody)
        expires_at = request.now + timedelta(hours=_read_hours(fields["hours"]))
        draft = body.model_copy(update={"expires_at": expires_at.isoformat()}).draft()
        save_override(request, draft)
    except Invalid as error:
        problems = problems_by_field(error)
        problems["hours"] = [*problems.pop("expiresAt", ()), *problems.get("hours", ())]
        problems = {name: texts for name, texts in problems.items() if texts}
        return _form(request, fields, problems, status=error.status)
    return redirect(request, urls.OVERRIDES.fill(), done="created")


def _read_hours(text: str) -> int:
    """Read the number of hours. Raises Invalid."""
    if not text.isdecimal() or len(text) > _MAX_DIGITS or int(text) < 1:
        raise Invalid.member("hours", "must be a whole number of hours")
    return int(text)


_MAX_DIGITS: Final = 6
"""More hours than these would exceed the largest date."""


@router.form(urls.REVOKE_OVERRIDE, permission=Permission.OVERRIDE_DECISION)
def revoke(request: Request, uuid: str) -> Redirect:
    """End an override at once."""
    revoke_override(request.db, uuid, by=request.caller.user, now=request.now)
    return redirect(request, urls.OVERRIDES.fill(), state="all", done="override-revoked")


def _form(
    request: Request, fields: Mapping[str, str], problems: Mapping[str, list[str]] | None = None, *, status: int = 200
) -> HtmlPage:
    limits, hour = read_limits(request.settings), timedelta(hours=1)
    default = str(min(limits.default, limits.maximum) // hour)
    context = {
        "fields": {**fields, "hours": fields.get("hours", default)},
        "problems": problems or {},
        "environments": deployments.list_in_pipeline(request.db),
        "max_hours": limits.maximum // hour,
        "max_length": MAX_REASON_LENGTH,
    }
    return HtmlPage("override_form.html", context, status)
