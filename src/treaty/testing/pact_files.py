"""The pacts that this run has written: each pair's interactions are gathered, and its file is kept up to date."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty.cli import pactfiles
from treaty.cli.pactfiles import PactFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pact import Pact

    from treaty.client import Json

_gathered: dict[Path, PactFile] = {}


def add(folder: Path, content: Json, *, keeps_existing: bool = False) -> Path:
    """Add interactions to those that this run has for the pair, and write them all.

    What earlier runs wrote goes, unless it is to be kept.
    """
    path = (folder / file_name(content["consumer"]["name"], content["provider"]["name"])).absolute()
    new = PactFile(str(path), content)
    known = _gathered.get(path) or (read_file(path) if keeps_existing and path.exists() else None)
    _gathered[path] = pactfiles.merge_pacts(known, new) if known else new
    _save(path, _gathered[path].content)
    return path


def read_file(path: Path) -> PactFile:
    """Read what is written; raises ClientError if there is nothing."""
    (file,) = pactfiles.read_pact_files([str(path)])
    return file


def written_contents() -> dict[str, Json]:
    """Give the content of each file that this process has written."""
    return {str(path): file.content for path, file in _gathered.items()}


def add_contents(contents: Mapping[str, Json]) -> None:
    """Add what another process of this run has written."""
    for path, content in contents.items():
        add(Path(path).parent, content)


def reset() -> None:
    """Begin a new run."""
    _gathered.clear()


def read_content(pact: Pact) -> Any:
    """Give what a pact of pact-python holds."""
    with tempfile.TemporaryDirectory(prefix="treaty-") as folder:
        pact.write_file(folder, overwrite=True)
        (path,) = Path(folder).iterdir()
        return json.loads(path.read_text(encoding="utf-8"))


def file_name(consumer: str, provider: str) -> str:
    return f"{_plain(consumer)}-{_plain(provider)}.json"


def _plain(name: str) -> str:
    return re.sub(r'[\s/\\:*?"<>|]', "_", name.lower())


def _save(path: Path, content: Json) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{id(content)}")
    unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)
