"""Verify a provider against one interaction of a pact, and say in words what differs."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from treaty.testing import callbacks
from treaty.testing.callbacks import Callbacks

Json = dict[str, Any]
_KINDS: Final = ("interactions", "messages")
_NOISE: Final = re.compile(r"^(Verifying a pact between|There (was|were) \d+ pact fail|Failures:|1\) )")


@dataclass(frozen=True, kw_only=True, slots=True)
class PactToVerify:
    """A pact that a provider has to honour; `results_url` is where its result goes, if it is from a broker."""

    content: Json
    source: str
    version: str = ""
    is_pending: bool = False
    notices: tuple[Mapping[str, str], ...] = ()
    results_url: str | None = None

    @property
    def consumer(self) -> str:
        return str(self.content["consumer"]["name"])

    @property
    def provider(self) -> str:
        return str(self.content["provider"]["name"])

    @property
    def interactions(self) -> list[InteractionToVerify]:
        found = [(kind, each) for kind in _KINDS for each in self.content.get(kind) or []]
        return [InteractionToVerify(self, number, kind, content) for number, (kind, content) in enumerate(found)]


@dataclass(frozen=True, slots=True)
class InteractionToVerify:
    pact: PactToVerify
    number: int
    kind: str
    content: Json

    @property
    def description(self) -> str:
        return str(self.content.get("description", ""))

    @property
    def states(self) -> list[str]:
        several = self.content.get("providerStates")
        if isinstance(several, list):
            return [str(state.get("name", "")) for state in several]
        one = self.content.get("providerState") or self.content.get("provider_state")
        return [str(one)] if one else []

    @property
    def sentence(self) -> str:
        given = " and ".join(self.states)
        return f"{self.description} given {given}" if given else self.description

    @property
    def single_interaction_pact(self) -> Json:
        """The pact, as if this were all that it asks for."""
        content = copy.deepcopy({name: value for name, value in self.pact.content.items() if name not in _KINDS})
        content.pop("_links", None)
        content[self.kind] = [{name: value for name, value in self.content.items() if name != "_id"}]
        return content


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderTarget:
    """Where the provider is, and what prepares it."""

    url: str | None
    callbacks: Callbacks = field(default_factory=Callbacks)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationOutcome:
    is_success: bool
    text: str = ""
    mismatches: tuple[Mapping[str, str], ...] = ()


def verify(interaction: InteractionToVerify, target: ProviderTarget) -> VerificationOutcome:
    with (
        tempfile.TemporaryDirectory(prefix="treaty-") as folder,
        callbacks.serve_callbacks(target.callbacks) as port,
    ):
        file = Path(folder) / "pact.json"
        file.write_text(json.dumps(interaction.single_interaction_pact), encoding="utf-8")
        return _verified(_verifier(interaction.pact.provider, file, target, port), target)


def _verifier(provider: str, file: Path, target: ProviderTarget, port: int) -> Any:
    from pact import Verifier  # noqa: PLC0415 - its library takes long to load

    parts = urlsplit(target.url or f"http://127.0.0.1:{port}")
    verifier = Verifier(provider, host=parts.hostname)
    if target.url:
        verifier.add_transport(url=target.url)
    if target.callbacks.messages is not None:
        verifier.add_transport(protocol="message", port=port, path=callbacks.MESSAGES_PATH)
    if target.callbacks.states is not None:
        verifier.state_handler(f"http://127.0.0.1:{port}{callbacks.STATES_PATH}", teardown=True, body=True)
    verifier.add_custom_headers(dict(target.headers))
    verifier.set_request_timeout(int(target.timeout * 1000))
    verifier.set_coloured_output(enabled=False)
    return verifier.add_source(file)


def _verified(verifier: Any, target: ProviderTarget) -> VerificationOutcome:
    try:
        verifier.verify()
    except RuntimeError:
        text = _readable(verifier.output(strip_ansi=True), target.callbacks.failures)
        return VerificationOutcome(is_success=False, text=text, mismatches=tuple(_mismatches(verifier.results)))
    return VerificationOutcome(is_success=True)


def _readable(output: str, failures: list[str]) -> str:
    """Leave out of the verifier's words what the test's name says already."""
    lines = [line.rstrip() for line in output.splitlines()]
    shown = [line for line in lines if not _NOISE.match(line.strip())]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(shown)).strip("\n")
    return "\n".join([text, *failures])


def _mismatches(results: Json) -> list[dict[str, str]]:
    return [found for error in results.get("errors") or [] for found in _of_error(error.get("mismatch") or {})]


def _of_error(error: Json) -> list[dict[str, str]]:
    if error.get("type") != "mismatches":
        return [{"attribute": "error", "description": str(error.get("message", "could not be verified"))}]
    return [_mismatch(each) for each in error.get("mismatches") or []]


def _mismatch(found: Json) -> dict[str, str]:
    identifier = str(found.get("path") or found.get("key") or "")
    attribute = str(found.get("type", "")).removesuffix("Mismatch").lower()
    description = str(found.get("mismatch") or f"expected {found.get('expected')} but was {found.get('actual')}")
    return {"attribute": attribute, "description": description, "identifier": identifier}
