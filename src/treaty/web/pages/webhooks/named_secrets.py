"""Pages of named secrets: where they are used, and the forms that create, change and delete them."""

from collections.abc import Mapping

from treaty.actions.webhooks import named_secrets as secret_actions
from treaty.actions.webhooks.named_secrets import SecretDraft
from treaty.errors import Conflict, Invalid
from treaty.model.webhooks.named_secrets import NamedSecret
from treaty.store.engine.vault import get_vault
from treaty.store.webhooks import named_secrets
from treaty.web import urls
from treaty.web.http.forms import Form
from treaty.web.http.request import Request
from treaty.web.http.results import HtmlPage, Redirect
from treaty.web.http.router import Router
from treaty.web.pages import redirect
from treaty.web.security.permissions import Permission

router = Router()


@router.page(urls.SECRETS, permission=Permission.MANAGE_WEBHOOK, is_original=False)
def show_secrets(request: Request) -> HtmlPage:
    """List all secrets with the webhooks that use them."""
    context = {
        "secrets": named_secrets.list_all(request.db),
        "uses": secret_actions.list_uses(request.db, get_vault(request.settings)),
    }
    return HtmlPage("secrets.html", context)


@router.page(urls.NEW_SECRET, permission=Permission.MANAGE_SECRET)
def show_new_secret(_request: Request) -> HtmlPage:
    """Show the form for a new secret."""
    return _form(None, {}, {})


@router.form(urls.NEW_SECRET, permission=Permission.MANAGE_SECRET)
def add_secret(request: Request) -> HtmlPage | Redirect:
    """Add a secret."""
    draft = _read_draft(request.form)
    vault = get_vault(request.settings)
    try:
        secret_actions.add_secret(request.db, draft, vault=vault, now=request.now)
    except Invalid as error:
        return _restore_form(None, request.form, error)
    return redirect(request, urls.SECRETS.fill(), done="created")


@router.page(urls.EDIT_SECRET, permission=Permission.MANAGE_SECRET)
def show_changing_secret(request: Request, uuid: str) -> HtmlPage:
    """Show the form for an existing secret, without its value."""
    existing = named_secrets.get(request.db, uuid)
    fields = {
        "name": existing.name,
        "description": existing.description or "",
        "origins": "\n".join(existing.origins),
    }
    return _form(existing, fields, {})


@router.form(urls.EDIT_SECRET, permission=Permission.MANAGE_SECRET)
def change_secret(request: Request, uuid: str) -> HtmlPage | Redirect:
    """Change a secret. A blank value keeps the stored one."""
    existing, draft = named_secrets.lock(request.db, uuid), _read_draft(request.form, is_new=False)
    vault = get_vault(request.settings)
    try:
        secret_actions.change_secret(request.db, uuid, draft, vault=vault, now=request.now)
    except (Invalid, Conflict) as error:
        return _restore_form(existing, request.form, error)
    return redirect(request, urls.SECRETS.fill(), done="saved")


def _read_draft(form: Form, *, is_new: bool = True) -> SecretDraft:
    value = form.raw("value")
    return SecretDraft(
        name=form.text("name"),
        value=value if value or is_new else None,
        description=form.text("description") or None,
        origins=form.lines("origins"),
    )


def _restore_form(existing: NamedSecret | None, form: Form, error: Invalid | Conflict) -> HtmlPage:
    fields = {name: form.raw(name) for name in ("name", "description", "origins")}
    if isinstance(error, Conflict):
        return _form(existing, fields, {"name": [str(error)]}, status=409)
    problems: dict[str, list[str]] = {}
    for problem in error.problems:
        name = "origins" if problem.path[0] == "allowedOrigins" else str(problem.path[0])
        problems.setdefault(name, []).append(problem.text)
    return _form(existing, fields, problems, status=error.status)


def _form(
    existing: NamedSecret | None, fields: Mapping[str, str], problems: Mapping[str, list[str]], *, status: int = 200
) -> HtmlPage:
    return HtmlPage("secret_form.html", {"existing": existing, "fields": fields, "problems": problems}, status)


@router.page(urls.DELETE_SECRET, permission=Permission.MANAGE_SECRET)
def ask_before_removing_secret(request: Request, uuid: str) -> HtmlPage:
    """Ask for confirmation before deleting a secret, with the webhooks that use it."""
    secret = named_secrets.get(request.db, uuid)
    uses = secret_actions.list_uses(request.db, get_vault(request.settings)).get(secret.name, [])
    return HtmlPage("secret_delete.html", {"secret": secret, "uses": uses})


@router.form(urls.DELETE_SECRET, permission=Permission.MANAGE_SECRET)
def remove_secret(request: Request, uuid: str) -> Redirect:
    """Delete a secret, whose uses the page before has shown."""
    secret_actions.remove_secret(request.db, uuid, vault=get_vault(request.settings), is_forced=True)
    return redirect(request, urls.SECRETS.fill(), done="deleted")
