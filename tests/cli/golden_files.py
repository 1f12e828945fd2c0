"""Output of commands that is compared with files."""

import os
from pathlib import Path

from treaty.cli.causes import MAX_LINES

GOLDEN = Path(__file__).parent / "causes"


def check_golden(name: str, text: str) -> None:
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("TREATY_TEST_RENEW") == "1":
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text("utf-8")
    assert len(text.splitlines()) <= MAX_LINES
