"""The distribution that this package is installed from, and how users install more of it."""

import importlib.metadata
from typing import Final

NAME: Final = "treaty-pact"
"""The package index has a project called `treaty` that is not ours, so the distribution has another name."""


def version() -> str:
    """Return the version that is installed."""
    return importlib.metadata.version(NAME)


def install_hint(*extras: str) -> str:
    """Return the instruction for installing extras, as the end of a sentence.

    Treaty has not been released to a package index yet, so the instruction is for a copy of the repository.
    """
    return f"run `pip install '.[{','.join(extras)}]'` in a copy of Treaty's repository"
