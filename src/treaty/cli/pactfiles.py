"""Find, read and merge the pact files that are to be published."""

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
    from collections.abc import Iterable, Sequence

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
        """The content without needless space, its members in their own order."""
        return json.dumps(self.content, separators=(",", ":"), ensure_ascii=False)

    @property
    def base64_content(self) -> str:
        return base64.b64encode(self.compact_json.encode()).decode()


def read_pact_files(arguments: Sequence[str]) -> list[PactFile]:
    """Read files, directories and patterns; pacts between the same two are merged into one."""
    return [_united_files(group) for group in _grouped(map(_read, find_pact_files(arguments)))]


def find_pact_files(arguments: Sequence[str]) -> list[str]:
    """Find the files that are meant by files, directories and patterns."""
    paths = sorted({path for argument in arguments for path in _expand(argument)})
    if not paths:
        raise ClientError("No pact files found", hint=f"Looked in {', '.join(arguments)} for files named *.json.")
    return paths


def _expand(argument: str) -> list[str]:
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
    except (OSError, ValueError) as error:
        raise ClientError(f"Could not read the pact file {path}: {error}", hint="Pacts are files of JSON.") from error
    except (KeyError, TypeError) as error:
        text = f"{path} is no pact: it does not name a consumer and a provider"
        raise ClientError(text, hint="Give only pacts, or the directory that holds them.") from error
    return pact


def _grouped(files: Iterable[PactFile]) -> list[list[PactFile]]:
    groups: dict[tuple[str, str], list[PactFile]] = {}
    for file in files:
        groups.setdefault((file.consumer, file.provider), []).append(file)
    return list(groups.values())


def _united_files(files: list[PactFile]) -> PactFile:
    if len(files) > 1:
        output.print_error("Merging " + ", ".join(Path(file.path).name for file in files))
    return functools.reduce(merge_pacts, files)


def merge_pacts(ours: PactFile, theirs: PactFile) -> PactFile:
    """Unite two pacts between the same two; raises ClientError if they contradict each other."""
    return PactFile(ours.path, ours.content | _interactions(ours.content, theirs.content))


def _interactions(ours: Json, theirs: Json) -> Json:
    """Merge each kind of interaction that the other pact has; all else comes from ours."""
    kinds = [kind for kind in ("interactions", "messages") if kind in theirs]
    return {kind: _united(ours.get(kind) or [], theirs[kind] or []) for kind in kinds}


def _united(ours: list[Json], theirs: list[Json]) -> list[Json]:
    united = list(ours)
    for interaction in theirs:
        same = next((each for each in united if _is_same(each, interaction)), None)
        if same is None:
            united.append(interaction)
        elif same != interaction:
            raise _contradiction(same, interaction)
    return united


def _is_same(ours: Json, theirs: Json) -> bool:
    """Interactions without a provider state are never taken for each other, unless nothing differs."""
    if ours == theirs:
        return True
    return bool(_state(ours)) and _key(ours) == _key(theirs)


def _key(interaction: Json) -> tuple[Any, Any]:
    return interaction.get("description"), _state(interaction)


def _state(interaction: Json) -> Any:
    return interaction.get("providerState") or interaction.get("provider_state") or interaction.get("providerStates")


def _contradiction(ours: Json, theirs: Json) -> ClientError:
    state = _state(ours)
    text = _CONTRADICTION.format(ours.get("description"), state if isinstance(state, str) else json.dumps(state))
    written = [json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in (ours, theirs)]
    return ClientError("\n\n".join([text, *written]))
