"""A path that always fails, to try out how failures are reported."""

from typing import NoReturn

from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


@router.get(urls.ERROR_TEST, permission=Permission.READ, needs_database=False, errors=("500",))
@router.post(
    urls.ERROR_TEST, permission=Permission.MANAGE_PACTICIPANT, needs_database=False, consumes=None, errors=("500",)
)
def fail(_call: Request) -> NoReturn:
    """Fail, on purpose."""
    raise RuntimeError("Don't panic. This error was asked for, to test how errors are reported.")
