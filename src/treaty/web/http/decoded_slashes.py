"""Recognizes paths in which a proxy has probably decoded the slash of a name from `%2F` to `/`."""

from collections.abc import Iterable, Sequence
from typing import Final

_MAX_SEGMENTS: Final = 50
"""Paths with more segments are not examined, so that a request costs little."""


def may_have_decoded_slash(raw_path: str, templates: Iterable[str]) -> bool:
    """Whether a path that matches no URL would match one of these templates if names in it could contain slashes."""
    segments = [segment for segment in raw_path.split("/") if segment]
    if len(segments) > _MAX_SEGMENTS or "%2f" in raw_path.lower():
        return False
    return any(_matches(segments, template.strip("/").split("/")) for template in templates)


def _matches(segments: Sequence[str], template: Sequence[str]) -> bool:
    """Whether segments match a template in which each placeholder stands for one or more of them."""
    # The numbers of the template's segments that may match the current segment. Trying one assignment after the other
    # could take exponentially long.
    candidates = {0}
    for segment in segments:
        placeholders = {at for at in candidates if at < len(template) and template[at].startswith("{")}
        words = {at for at in candidates if at < len(template) and template[at] == segment}
        candidates = placeholders | {at + 1 for at in placeholders | words}
    return len(template) in candidates
