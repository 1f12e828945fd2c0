"""Requests whose path names a version by an alias.

A version of that number wins. So a read looks for an alias only if it finds nothing, and costs nothing otherwise. A
write looks first, since many writes add the version that they do not find.
"""

from collections.abc import Sequence
from typing import Final

from treaty.errors import Conflict
from treaty.model.versions import describe_alias
from treaty.store.versions import aliases
from treaty.web import urls
from treaty.web.http.request import Request
from treaty.web.http.router import Route

_PUBLICATIONS: Final = frozenset({urls.VERSION, urls.PACT, *urls.PACT_ALIASES, urls.PROVIDER_CONTRACT})
"""URLs to which a build writes contents of its own, so that it has a version of its own."""


def replace_before_write(request: Request, route: Route, names: Sequence[str]) -> Sequence[str]:
    """Replace aliases in the path of a write, unless it publishes a version. Raises Conflict, as `replace_aliases`."""
    is_publication = route.method != "DELETE" and route.url in _PUBLICATIONS
    return names if is_publication or not route.url.owners_of_versions else replace_aliases(request, route, names)


def replace_aliases(request: Request, route: Route, names: Sequence[str]) -> Sequence[str]:
    """Replace the aliases of versions among the names in a path, and note that in the response's warnings.

    Returns the same sequence if there are none. Raises Conflict for the removal of something by an
    alias, which may be meant for the alias only.
    """
    owners = route.url.owners_of_versions
    keys = {index: (names[owner], names[index]) for index, owner in owners.items()}
    versions = aliases.find_versions(request.db, list(keys.values()))
    if not versions:
        return names
    replaced = list(names)
    for index, key in keys.items():
        if key in versions:
            replaced[index] = versions[key][0]
            text = describe_alias(*key, replaced[index])
            if route.method == "DELETE":
                raise Conflict(f"{text} Nothing was removed. Name the version itself, or remove the alias.")
            request.warnings.append(text)
    return replaced
