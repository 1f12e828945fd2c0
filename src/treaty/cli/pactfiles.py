"""Pact files to publish: finding, reading and merging them.

Several test processes may each write a file for a pair, so pacts of a pair are merged as in the original client.
"""

from __future__ import annotations

import base64
import functools
import glob
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from treaty.cli import output
from treaty.cli.program import Failure
from treaty.errors import ClientError

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


@dataclass(frozen=True, slots=True)
class PactFile:
    """A pact, and the path of the file (the first, if several were merged) that it was read from."""

    path: str
    content: Json

    @property
    def consumer(self) -> str:
        return str(self.content["consumer"]["name"])

    @property
    def provider(self) -> str:
        return str(self.content["provider"]["name"])

    @property
    def compact_json(self) -> str:
        """The content without whitespace. Members keep their order, because brokers compute a hash of the text."""
        return json.dumps(self.content, separators=(",", ":"), ensure_ascii=False)

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
        pact = PactFile(path, json.loads(Path(path).read_text(encoding="utf-8-sig")))
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
    return functools.reduce(merge_pacts, files)


def merge_pacts(ours: PactFile, theirs: PactFile) -> PactFile:
    """Merge the interactions of two pacts, and keep our other members. Raises ClientError if they contradict."""
    kinds = [kind for kind in ("interactions", "messages") if kind in theirs.content]
    merged = {kind: _merge_interactions(ours.content.get(kind) or [], theirs.content[kind] or []) for kind in kinds}
    return PactFile(ours.path, ours.content | merged)


def _merge_interactions(ours: list[Json], theirs: list[Json]) -> list[Json]:
    merged = list(ours)
    for interaction in theirs:
        existing = next((candidate for candidate in merged if _is_same(candidate, interaction)), None)
        if existing is None:
            merged.append(interaction)
        elif existing != interaction:
            raise _contradiction(existing, interaction)
    return merged


def _is_same(ours: Json, theirs: Json) -> bool:
    """Whether two interactions have the same description and provider state.

    Without a provider state, only equal interactions are the same: the original client merges these leniently.
    """
    if ours == theirs:
        return True
    state = _provider_state(ours)
    return bool(state) and state == _provider_state(theirs) and ours.get("description") == theirs.get("description")


def _provider_state(interaction: Json) -> Any:
    return interaction.get("providerState") or interaction.get("provider_state") or interaction.get("providerStates")


def _contradiction(ours: Json, theirs: Json) -> ClientError:
    state = _provider_state(ours)
    text = _CONTRADICTION.format(ours.get("description"), state if isinstance(state, str) else json.dumps(state))
    interactions = [json.dumps(value, separators=(",", ":"), ensure_ascii=False) for value in (ours, theirs)]
    return ClientError("\n\n".join([text, *interactions]))
