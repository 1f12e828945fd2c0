"""Versions of the rules of the usage index, apart from the rules, which most starts do not need."""

from typing import Final

CONTENT_FORMAT: Final = 1
"""Version of the rules in `expectations`. Contents that an older version has indexed are indexed again.

Names that both versions find keep their words. So a change of the module `words` needs a migration that empties the
index.
"""
DOCUMENT_FORMAT: Final = 1
"""Version of the rules in `documents`. Documents that an older version has indexed are indexed again."""
