"""Pact files to publish: finding, reading and merging them.

Several test processes may each write a file for a pair, so pacts of a pair are merged, by the rules of the server.
Numbers are published as they are in the file.
"""

from __future__ import annotations

import base64
import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from treaty import exact_json
from treaty.cli import output
from treaty.cli.program import Failure
from treaty.errors import ClientError
from treaty.model.pacts import documents
from treaty.model.pacts.documents import Document
from treaty.model.pacts.merging import MergeConflict, describe_states, merge_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treaty.client import Json

_MISSING: Final = (
    "Specified pact file '{}' does not exist. This sometimes indicates one of the arguments has been specified with "
    "the wrong name and has been incorrectly identified as a file path. If you are using Docker, check that you have "
    "mounted the pact file or directory into the container correctly using `-v`, and have specified the location of "
    "the pact file or directory in the *Docker container*, not the *host*."
)
_CONTRADICTION: Final = (
    'Two interactions have been found with same description ("{}") and provider state ("{}") but a different request '
    "or response. Please use a different description or provider state, or hard-code any random data."
)

_ONE_VERSION: Final = "Write all pacts of a consumer and a provider with the same version of the Pact specification."


@dataclass(frozen=True, slots=True)
class PactFile:
    """A pact, and the path of the file (the first, if several were merged) that it was read from."""

    path: str
    content: Json
    is_plain: bool = False
    """Whether Python writes all numbers of the content as they are in the file."""

    @property
    def consumer(self) -> str:
        return str(self.content["consumer"]["name"])

    @property
    def provider(self) -> str:
        return str(self.content["provider"]["name"])

    @property
    def compact_json(self) -> str:
        """The content without whitespace. Members keep their order, because brokers compute a hash of the text."""
        return documents.serialize_document(self.document)

    @property
    def document(self) -> Document:
        return Document(self.content, self.is_plain)

    @property
    def base64_content(self) -> str:
        # A surrogate that is no pair has no bytes in UTF-8; as an escape sequence, it is valid JSON.
        return base64.b64encode(self.compact_json.encode(errors="backslashreplace")).decode()


def read_pact_files(arguments: Sequence[str]) -> list[PactFile]:
    """Read pacts from files, directories and patterns, and merge those of the same consumer and provider.

    Raises Failure for a path that does not exist, and ClientError for files that are no pacts or contradict each other.
    """
    files_by_pair: dict[tuple[str, str], list[PactFile]] = {}
    for file in map(_read, find_pact_files(arguments)):
        files_by_pair.setdefault((file.consumer, file.provider), []).append(file)
    return [_merge_files(files) for files in files_by_pair.values()]


def find_pact_files(arguments: Sequence[str]) -> list[str]:
    """Return the sorted paths of the files in arguments, which are files, directories or patterns."""
    paths = sorted({path for argument in arguments for path in _expand(argument)})
    if not paths:
        raise ClientError("No pact files found", hint=f"Looked in {', '.join(arguments)} for files named *.json.")
    return paths


def _expand(argument: str) -> list[str]:
    # Windows users write patterns with backslashes, which glob would read as escapes.
    name = argument if Path(argument).exists() else argument.replace("\\", "/")
    if Path(name).is_dir():
        return [str(path) for path in Path(name).glob("*.json")]
    if Path(name).exists():
        return [name]
    if glob.has_magic(name):
        return glob.glob(name, recursive=True)  # noqa: PTH207 - pathlib takes no absolute patterns
    raise Failure(_MISSING.format(argument))


def _read(path: str) -> PactFile:
    try:
        pact = PactFile(path, *exact_json.parse_json(Path(path).read_text(encoding="utf-8-sig")))
        _ = pact.consumer, pact.provider
    except (OSError, ValueError, RecursionError) as error:
        raise ClientError(
            f"Could not read the pact file {path}: {error}", hint="A pact must be a readable JSON file."
        ) from error
    except (KeyError, TypeError) as error:
        text = f"{path} is not a pact: it does not name a consumer and a provider"
        raise ClientError(text, hint="Give only pacts, or the directory that contains them.") from error
    return pact


def _merge_files(files: list[PactFile]) -> PactFile:
    if len(files) > 1:
        output.print_error("Merging " + ", ".join(Path(file.path).name for file in files))
    merged = files[0]
    for number, file in enumerate(files[1:], 1):
        try:
            merged = _merge(merged, file)
        except MergeConflict as conflict:
            raise _contradiction(_find_other(files[:number], file), file, conflict) from conflict
    return merged


def merge_pacts(ours: PactFile, theirs: PactFile) -> PactFile:
    """Merge two pacts. Raises ClientError if that would lose anything."""
    try:
        return _merge(ours, theirs)
    except MergeConflict as conflict:
        raise _contradiction(ours, theirs, conflict) from conflict


def _merge(ours: PactFile, theirs: PactFile) -> PactFile:
    merged = merge_documents(ours.document, theirs.document, is_newer=False)
    return PactFile(ours.path, dict(merged.tree), merged.is_plain)


def _find_other(files: list[PactFile], file: PactFile) -> PactFile:
    """Find the file that cannot be merged with another one: the contradiction was found once several were merged."""
    for other in files:
        try:
            _merge(other, file)
        except MergeConflict:
            return other
    return files[0]


def _contradiction(ours: PactFile, theirs: PactFile, conflict: MergeConflict) -> ClientError:
    paths = " and ".join(dict.fromkeys((ours.path, theirs.path)))
    if conflict.interactions is None:
        return ClientError(f"Cannot merge {paths}: {conflict}.", hint=_ONE_VERSION)
    interaction = conflict.interactions[0]
    text = _CONTRADICTION.format(interaction.get("description"), describe_states(interaction))
    interactions = [exact_json.serialize(item) for item in conflict.interactions]
    return ClientError("\n\n".join([text, *interactions, f"The difference between {paths}:\n{conflict.difference}"]))
