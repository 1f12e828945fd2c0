"""A route that always fails, to test that errors reach the logs and error reporting, as in the original broker."""

from typing import NoReturn

from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.router import Router
from treaty.web.security.permissions import Permission

router = Router()


# For administrators only, because each request adds a traceback to the log, and may alert those who watch it.
@router.get(urls.ERROR_TEST, permission=Permission.TEST_ERRORS, needs_database=False, errors=("500",))
@router.post(urls.ERROR_TEST, permission=Permission.TEST_ERRORS, needs_database=False, consumes=None, errors=("500",))
def fail(_request: Request) -> NoReturn:
    """Raise an error on purpose."""
    raise RuntimeError("Don't panic. This is a test error, raised on purpose to check that errors are reported.")
