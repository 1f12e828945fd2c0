"""Comparison of a provider's documents (OpenAPI, AsyncAPI) with a consumer's pact.

`compare` is pure: no database, clock or network. `docs/comparison.md` describes the rules for users.
"""

from treaty.model.compare.documents import Document, UnusableDocument, UnusablePact
from treaty.model.compare.engine import ENGINE_VERSION, CompiledDocument, compare, compile_document
from treaty.model.compare.findings import Comparison, DeprecatedUse, Finding, Note, Severity
from treaty.model.compare.profiles import Profile

__all__ = [
    "ENGINE_VERSION",
    "Comparison",
    "CompiledDocument",
    "DeprecatedUse",
    "Document",
    "Finding",
    "Note",
    "Profile",
    "Severity",
    "UnusableDocument",
    "UnusablePact",
    "compare",
    "compile_document",
]
