"""A committed dump of a database and its key, with all that a test needs to know about it."""

import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psycopg

KINDS: Final = ("sqlite", "postgresql")
FOLDERS: Final = sorted(path.parent for path in Path(__file__).parent.glob("*/key"))
"""One for each state of the code that databases were dumped from."""


@dataclass(frozen=True)
class Fixture:
    """The dump of one database."""

    folder: Path
    kind: str

    @property
    def facts(self) -> dict[str, Any]:
        """UUIDs and credentials in the database, and the time at which its answers were recorded."""
        facts: dict[str, Any] = json.loads((self.folder / f"facts-{self.kind}.json").read_text())
        return facts

    def describe(self, **facts: Any) -> None:
        write_json(self.folder / f"facts-{self.kind}.json", facts)

    @property
    def clock(self) -> datetime:
        return datetime.fromisoformat(self.facts["clock"])

    @property
    def answers(self) -> Path:
        return self.folder / f"answers-{self.kind}.jsonl"

    def restore(self, url: str, scratch: Path) -> None:
        """Restore the dump into an empty database, and put the key where a server that works in `scratch` looks."""
        shutil.copyfile(self.folder / "key", scratch / "treaty.key")
        if self.kind == "sqlite":
            shutil.copyfile(self.folder / "broker.sqlite3", url.removeprefix("sqlite:///"))
            return
        with psycopg.connect(url) as db:
            db.execute((self.folder / "broker.sql").read_bytes())


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def write_json_lines(path: Path, values: Iterable[object]) -> None:
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))
