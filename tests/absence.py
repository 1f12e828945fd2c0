"""Skips tests whose programs are not installed, or fails them in CI."""

import os
import shutil
from typing import NoReturn

import pytest


def require(*programs: str) -> None:
    """Skip the test, or fail it in CI, unless all programs are installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        unavailable(f"{' and '.join(missing)} not found on this machine")


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it in CI, where every test must run."""
    outcome = pytest.fail if os.environ.get("CI") in {"true", "1"} else pytest.skip
    raise outcome.Exception(reason, pytrace=False) from None
