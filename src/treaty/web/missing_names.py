"""Pages whose path names a pacticipant that does not exist: suggestions of similar names."""

from collections.abc import Sequence

from treaty.spelling import find_similar_names
from treaty.store.pacticipants import pacticipants
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.router import Route, replace_segments


def note_missing_name(request: Request, route: Route, names: Sequence[str]) -> None:
    """Note the first name in a page's path that no pacticipant has, and the same page for similar names."""
    existing = dict.fromkeys(pacticipants.list_names(request.db))
    for placeholder, name in zip(route.url.names, names, strict=True):
        if placeholder in urls.PACTICIPANT_PLACEHOLDERS and name not in existing:
            request.missing_name = name
            request.similar_pages = [
                (similar, replace_segments(request.path, route.url.template, {placeholder: urls.quote(similar)}))
                for similar in find_similar_names(name, existing)
            ]
            return
