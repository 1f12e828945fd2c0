"""Removes the path of a base URL from the paths of requests.

With the base URL `https://tools.example.org/pacts`, a proxy may pass on `/pacts/pacticipants` unchanged, or remove the
prefix. Both are understood, without a setting: a path that is Treaty's own as it is, is not changed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote


class RequestPath(NamedTuple):
    """The raw path of a request."""

    path: str
    """The path within Treaty, still percent-encoded."""
    base_path: str
    """The path of a base URL that preceded it; "" if there was none."""


class BasePaths:
    """The paths of the configured base URLs. `has_route` finds out whether a raw path is one of Treaty's own."""

    def __init__(self, base_urls: Iterable[str], has_route: Callable[[str], bool]) -> None:
        # Longer ones first: of /tools and /tools/pacts, the request's is the more specific one.
        self._paths = sorted(find_base_paths(base_urls), key=len, reverse=True)
        self._has_route = has_route

    def split(self, raw_path: str) -> RequestPath:
        """Split a raw path into the path of a base URL, which a proxy may have removed, and the rest."""
        if not self._paths or self._has_route(raw_path):
            return RequestPath(raw_path, "")
        choices = [*self._list_choices(raw_path)]
        fallback = choices[0] if choices else RequestPath(raw_path, "")
        return next((choice for choice in choices if self._has_route(choice.path)), fallback)

    def _list_choices(self, raw_path: str) -> Iterator[RequestPath]:
        for base_path in self._paths:
            rest = _remove(base_path, raw_path)
            if rest is not None:
                yield RequestPath(rest, base_path)


def find_base_paths(base_urls: Iterable[str]) -> set[str]:
    """Return the paths of base URLs that have one."""
    return {split_base_url(url)[1] for url in base_urls} - {""}


def split_base_url(url: str) -> tuple[str, str]:
    """Split a base URL of the settings, which has no query, into its origin and its path."""
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + separator + host, slash + path


def _remove(base_path: str, raw_path: str) -> str | None:
    """Remove a path from the beginning of another one; None if it is not there.

    Segments are compared after decoding, since clients may encode more characters than they have to.
    """
    expected = [unquote(segment) for segment in base_path.split("/")]
    segments = raw_path.split("/", len(expected))
    if [unquote(segment) for segment in segments[: len(expected)]] != expected:
        return None
    return "/" + "".join(segments[len(expected) :])


def find_conflict(base_path: str, templates: Sequence[str]) -> str | None:
    """Find a URL of Treaty that a request below a base path may mean, too, such as `/network` for the path `/network`.

    With such a path, a proxy has to remove it: `split` takes the request for the URL.
    """
    own_paths = [_split_template(template) for template in templates]
    below = [_split_template(base_path) + path for path in own_paths]
    conflicts = (
        template
        for template, path in zip(templates, own_paths, strict=True)
        if any(_can_be_equal(path, other) for other in below)
    )
    return next(conflicts, None)


def _split_template(template: str) -> list[str]:
    return [segment for segment in template.split("/") if segment]


def _can_be_equal(path: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two templates match a common path."""
    pairs = zip(path, other, strict=False)
    return len(path) == len(other) and all(first == second or "{" in first + second for first, second in pairs)
