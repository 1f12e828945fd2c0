"""Places at which lines may end in names, URLs and code."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from markupsafe import Markup, escape

SHORT_NAME_LENGTH: Final = 20
"""Characters that fit into a line on every screen."""
_MAX_UNBROKEN_LENGTH: Final = 12
_BREAK: Final = re.compile(r"(?<=[-/_@=&?])(?![-/._@:=&?,\s]|$)|(?<=[.,:])(?=[^\W\d])")
"""Not within numbers such as 12.50."""


def breakable(text: str) -> Markup:
    """Mark where a line may end in a name or a URL: after hyphens, slashes and the like, and not within words.

    Browsers would end lines at few of these places, and elsewhere only within words, once `overflow-wrap` allows it.
    Words that are too long for a line get breaks, too.
    """
    if len(text) <= SHORT_NAME_LENGTH:
        return escape(text)
    return _mark_breaks_cached(text) if len(text) <= _MAX_CACHED_LENGTH else _mark_breaks(text)


def _mark_breaks(text: str) -> Markup:
    words = (word for part in _BREAK.split(text) for word in _split_long_word(part))
    return Markup("<wbr>").join(words)  # which escapes them


_MAX_CACHED_LENGTH: Final = 200
_mark_breaks_cached: Final = lru_cache(maxsize=4096)(_mark_breaks)


def _split_long_word(text: str) -> Iterable[str]:
    if len(max(text.split(), key=len, default="")) <= SHORT_NAME_LENGTH:
        return [text]
    return (text[at : at + _MAX_UNBROKEN_LENGTH] for at in range(0, len(text), _MAX_UNBROKEN_LENGTH))
