"""Verifies a provider against a single interaction of a pact, and describes the mismatches."""

from __future__ import annotations

import copy
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from treaty.exact_json import serialize
from treaty.testing import callbacks
from treaty.testing.callbacks import Callbacks

Json = dict[str, Any]
_KINDS: Final = ("interactions", "messages")
# The verifier's headings and counts. They say nothing new where each interaction is a test with a name.
_NOISE: Final = re.compile(r"^(Verifying a pact between|There (was|were) \d+ pact fail|Failures:|1\) )")


@dataclass(frozen=True, kw_only=True, slots=True)
class PactToVerify:
    """A pact that a provider has to honour. Only pacts of a broker have a `results_url`, to publish the results to."""

    content: Json
    source: str
    version: str = ""
    is_pending: bool = False
    notices: tuple[Mapping[str, str], ...] = ()
    results_url: str | None = None
    current_provider: str = ""
    """The provider's name in the broker: a renamed provider has another name than in the pact's content."""

    def is_with(self, provider: str) -> bool:
        return provider in {self.provider, self.current_provider}

    @property
    def consumer(self) -> str:
        return str(self.content["consumer"]["name"])

    @property
    def provider(self) -> str:
        return str(self.content["provider"]["name"])

    @property
    def interactions(self) -> list[InteractionToVerify]:
        contents = [(kind, content) for kind in _KINDS for content in self.content.get(kind) or []]
        return [InteractionToVerify(self, number, kind, content) for number, (kind, content) in enumerate(contents)]


@dataclass(frozen=True, slots=True)
class InteractionToVerify:
    """An interaction, with its index within the pact."""

    pact: PactToVerify
    number: int
    kind: str
    content: Json

    @property
    def description(self) -> str:
        return str(self.content.get("description", ""))

    @property
    def states(self) -> list[str]:
        """Names of the provider states: a list since version 3 of the specification, a single one before."""
        states = self.content.get("providerStates")
        if isinstance(states, list):
            return [str(state.get("name", "")) for state in states]
        names = (self.content.get("providerState"), self.content.get("provider_state"))
        return [str(state) for state in names if state is not None][:1]

    @property
    def sentence(self) -> str:
        states = " and ".join(state or '""' for state in self.states)
        return f"{self.description} given {states}" if states else self.description

    @property
    def single_interaction_pact(self) -> Json:
        """The pact with this interaction only, without the broker's links and ids."""
        content = copy.deepcopy({name: value for name, value in self.pact.content.items() if name not in _KINDS})
        content.pop("_links", None)
        content[self.kind] = [{name: value for name, value in self.content.items() if name != "_id"}]
        return content


@dataclass(frozen=True, kw_only=True, slots=True)
class ProviderTarget:
    """The provider to verify, and the callbacks that prepare its states and produce its messages."""

    url: str | None
    """None for a provider of messages only."""
    callbacks: Callbacks = field(default_factory=Callbacks)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10
    """Seconds for each request."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerificationOutcome:
    is_success: bool
    text: str = ""
    mismatches: tuple[Mapping[str, str], ...] = ()


def verify(interaction: InteractionToVerify, target: ProviderTarget) -> VerificationOutcome:
    """Run Pact's verifier for one interaction. A failed verification is an outcome, not an exception."""
    with (
        tempfile.TemporaryDirectory(prefix="treaty-") as folder,
        callbacks.serve_callbacks(replace(target.callbacks, has_empty_state="" in interaction.states)) as port,
    ):
        file = Path(folder) / "pact.json"
        file.write_text(serialize(interaction.single_interaction_pact), encoding="utf-8")
        return _run(_create_verifier(interaction.pact.provider, file, target, port), target)


def _create_verifier(provider: str, file: Path, target: ProviderTarget, port: int) -> Any:
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


def _run(verifier: Any, target: ProviderTarget) -> VerificationOutcome:
    try:
        verifier.verify()
    except RuntimeError:  # pact-python raises it for each failed verification
        text = _shorten(verifier.output(strip_ansi=True), target.callbacks.failures)
        return VerificationOutcome(is_success=False, text=text, mismatches=tuple(_mismatches(verifier.results)))
    return VerificationOutcome(is_success=True)


def _shorten(output: str, failures: list[str]) -> str:
    """Remove noise from the verifier's output, and append the exceptions of handlers."""
    lines = [line.rstrip() for line in output.splitlines()]
    relevant_lines = [line for line in lines if not _NOISE.match(line.strip())]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(relevant_lines)).strip("\n")
    return "\n".join([text, *failures])


def _mismatches(results: Json) -> list[dict[str, str]]:
    """Convert the verifier's errors to the form that the Pact Broker displays."""
    errors = [error.get("mismatch") or {} for error in results.get("errors") or []]
    return [mismatch for error in errors for mismatch in _convert_error(error)]


def _convert_error(error: Json) -> list[dict[str, str]]:
    if error.get("type") != "mismatches":
        return [{"attribute": "error", "description": str(error.get("message", "could not be verified"))}]
    return [_convert_mismatch(mismatch) for mismatch in error.get("mismatches") or []]


def _convert_mismatch(mismatch: Json) -> dict[str, str]:
    identifier = str(mismatch.get("path") or mismatch.get("key") or "")
    attribute = str(mismatch.get("type", "")).removesuffix("Mismatch").lower()
    difference = f"expected {mismatch.get('expected')} but was {mismatch.get('actual')}"
    description = str(mismatch.get("mismatch") or difference)
    return {"attribute": attribute, "description": description, "identifier": identifier}
