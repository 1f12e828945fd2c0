"""Pages whose path names a version by the beginning of its number, such as an abbreviated commit.

Only pages accept prefixes: clients of the API rely on exact numbers, and have a resource that looks them up.
"""

from collections.abc import Sequence

from treaty.errors import VersionNotFound
from treaty.store.pacticipants import pacticipants
from treaty.store.versions import prefixes
from treaty.web.http.request import Request
from treaty.web.http.router import Route


def replace_prefixes(request: Request, route: Route, names: Sequence[str]) -> Sequence[str]:
    """Replace the prefixes of versions among the names in the path of a page that was not found.

    Returns the same sequence if there are none, or if the pacticipant does not exist. Raises VersionNotFound for a text
    that identifies no version.
    """
    replaced = list(names)
    for index, owner in route.url.owners_of_versions.items():
        if pacticipants.find(request.db, names[owner]) is None:
            continue
        lookup = prefixes.look_up(request.db, names[owner], names[index])
        if lookup.number is None:
            raise VersionNotFound(lookup.describe_problem(), lookup.pacticipant, lookup.candidates)
        if lookup.is_prefix:
            replaced[index] = lookup.number
    return replaced if replaced != list(names) else names
