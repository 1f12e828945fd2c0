"""Requests whose path names a pacticipant by a former name.

Reads are redirected to the same path with the present name. Writes are refused: one that arrives late could otherwise
change the wrong pacticipant, and many clients take a redirect of a write for success.
"""

from collections.abc import Mapping, Sequence

from treaty.errors import Renamed
from treaty.store.pacticipants import former_names
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.results import Redirect
from treaty.web.http.router import Route, replace_segments


def find_redirect(request: Request, route: Route, names: Sequence[str]) -> Redirect | None:
    """Redirect a read to the present names; None if its path has no former name. Raises Renamed for a write."""
    placeholders = zip(route.url.names, names, strict=True)
    in_path = {placeholder: name for placeholder, name in placeholders if placeholder in urls.PACTICIPANT_PLACEHOLDERS}
    current_names = former_names.find_current_names(request.db, set(in_path.values()))
    if not current_names:
        return None
    if not route.is_read_only:
        raise Renamed(*next(iter(sorted(current_names.items()))))
    return _redirect(request, route, in_path, current_names)


def _redirect(request: Request, route: Route, in_path: Mapping[str, str], current_names: Mapping[str, str]) -> Redirect:
    replacements = {
        placeholder: urls.quote(current_names[name]) for placeholder, name in in_path.items() if name in current_names
    }
    path = replace_segments(request.path, route.url.template, replacements)
    query = f"?{request.query_string}" if request.query_string else ""
    text = " ".join(
        f"The application '{former}' has been renamed to '{name}'." for former, name in current_names.items()
    )
    # Not to be cached: the name may be reused, or be given back to the same pacticipant.
    return Redirect(request.page_url(path + query), 308, {"cache-control": "no-store"}, text=text)
