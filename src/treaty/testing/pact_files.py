"""The pact files of a test run. Each test adds its interactions to the file of its consumer and provider."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treaty import exact_json
from treaty.cli import pactfiles
from treaty.cli.pactfiles import PactFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pact import Pact

    from treaty.client import Json

_pacts: dict[Path, PactFile] = {}
"""The pacts that this process has written, by path. The module is the state of one run of the tests."""


def add(folder: Path, content: Json, *, keeps_existing: bool = False) -> Path:
    """Add the interactions of a pact to the file of its consumer and provider, and return its path.

    Interactions of earlier runs are removed from the file, unless `keeps_existing`.
    """
    path = (folder / file_name(content["consumer"]["name"], content["provider"]["name"])).absolute()
    new = PactFile(str(path), content)
    existing = _pacts.get(path) or (read_file(path) if keeps_existing and path.exists() else None)
    _pacts[path] = pactfiles.merge_pacts(existing, new) if existing else new
    _save(path, _pacts[path].content)
    return path


def read_file(path: Path) -> PactFile:
    """Read a pact file. Raises ClientError if it is missing or not a pact."""
    (file,) = pactfiles.read_pact_files([str(path)])
    return file


def written_contents() -> dict[str, str]:
    """Return the pacts that this process has written, by path.

    As JSON, since pytest-xdist sends plain values of Python to other processes only, which would change the numbers.
    """
    return {str(path): exact_json.serialize(file.content) for path, file in _pacts.items()}


def add_contents(contents: Mapping[str, str]) -> None:
    """Add the pacts that another process of this run has written."""
    for path, content in contents.items():
        add(Path(path).parent, exact_json.parse_json(content)[0])


def reset() -> None:
    """Forget the pacts of an earlier run in the same process."""
    _pacts.clear()


def read_content(pact: Pact) -> Any:
    """Return the content of a pact-python pact, which can only be obtained by writing it to a file."""
    with tempfile.TemporaryDirectory(prefix="treaty-") as folder:
        pact.write_file(folder, overwrite=True)
        (path,) = Path(folder).iterdir()
        return exact_json.parse_json(path.read_text(encoding="utf-8"))[0]


def file_name(consumer: str, provider: str) -> str:
    """Return the name of a pact's file, with lower-case names as other Pact libraries write them."""
    return f"{safe_name(consumer)}-{safe_name(provider)}.json"


def safe_name(name: str) -> str:
    """Return a name as it appears in the names of pact files."""
    return re.sub(r'[\s/\\:*?"<>|]', "_", name.lower())


def _save(path: Path, content: Json) -> None:
    """Replace the file atomically, so that other processes never read a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{id(content)}")
    draft.write_text(exact_json.serialize_indented(content) + "\n", encoding="utf-8")
    draft.replace(path)
