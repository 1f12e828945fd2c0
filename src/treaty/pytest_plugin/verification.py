"""The provider's side: a test for each interaction of the pacts that a provider has to honour."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from treaty.cli import pactfiles
from treaty.errors import ClientError, TreatyError
from treaty.pytest_plugin import fetching, options, results
from treaty.pytest_plugin.fetching import PactQuery
from treaty.testing import verifying
from treaty.testing.callbacks import Callbacks, MessageHandlers, StateHandlers
from treaty.testing.verifying import InteractionToVerify, PactToVerify, ProviderTarget, VerificationOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treaty.pytest_plugin.run import PluginRun

_VERIFIED: Final = pytest.StashKey[dict[str, Any]]()
_UNMARKED: Final = (
    'The fixture `pact_verifier` has to know the provider: mark the test with @pytest.mark.pact(provider="...").'
)


@dataclass(frozen=True, slots=True)
class NothingToVerify:
    """Why there is nothing to verify."""

    reason: str
    is_failure: bool


class PactVerifier:
    """One interaction of a pact. `states` and `messages` may be given before, or when it is verified."""

    def __init__(self, interaction: InteractionToVerify, item: pytest.Item) -> None:
        self.interaction = interaction
        self.states: StateHandlers | None = None
        self.messages: MessageHandlers | None = None
        self.headers: dict[str, str] = {}
        self._item = item

    @property
    def consumer(self) -> str:
        return self.interaction.pact.consumer

    @property
    def provider(self) -> str:
        return self.interaction.pact.provider

    def verify(
        self,
        url: str | None = None,
        *,
        states: StateHandlers | None = None,
        messages: MessageHandlers | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 10,
    ) -> None:
        """Let the provider at this address answer, or its handlers make the message; fail the test if it is wrong.

        `states` and `messages` map names to functions, or are one function for all. A function gets, by name, what it
        takes: of a state its parameters, `state`, `action` and `parameters`; of a message `name` and `metadata`.
        """
        __tracebackhide__ = True
        if url is None and messages is None and self.messages is None:
            pytest.fail("There is nothing to verify: give the provider's address, or its messages.", pytrace=False)
        callbacks = Callbacks(
            states=self.states if states is None else states,
            messages=self.messages if messages is None else messages,
        )
        target = ProviderTarget(
            url=url, callbacks=callbacks, headers={**self.headers, **(headers or {})}, timeout=timeout
        )
        self._judge(verifying.verify(self.interaction, target))

    def _judge(self, outcome: VerificationOutcome) -> None:
        __tracebackhide__ = True
        self._item.stash[_VERIFIED] = results.to_report_data(self.interaction, outcome)
        if outcome.is_success:
            return
        text = _failure(self.interaction, outcome)
        if self.interaction.pact.is_pending:
            self._item.add_report_section("call", "pending pact", text)
            pytest.xfail(text.partition("\n")[0])
        pytest.fail(text, pytrace=False)


def _failure(interaction: InteractionToVerify, outcome: VerificationOutcome) -> str:
    pact = interaction.pact
    head = f"{pact.provider} does not honour its pact with {pact.consumer} {pact.version}".rstrip()
    notices = [notice["text"] for notice in pact.notices if notice.get("when") == "before_verification"]
    return "\n".join([f"{head}: {interaction.sentence}", "", outcome.text, "", *notices]).rstrip()


def parametrize(metafunc: pytest.Metafunc, run: PluginRun) -> None:
    """Make a test of each interaction; what prevents that becomes a test that fails, or is skipped."""
    found = _found(_marked(metafunc), run)
    metafunc.parametrize("pact_verifier", found, ids=_names(found), indirect=True)


def _marked(metafunc: pytest.Metafunc) -> dict[str, Any]:
    united: dict[str, Any] = {}
    for marker in metafunc.definition.iter_markers("pact"):
        united = {**dict(zip(("consumer", "provider"), marker.args, strict=False)), **marker.kwargs, **united}
    return united


def _found(marked: Mapping[str, Any], run: PluginRun) -> Sequence[InteractionToVerify | NothingToVerify]:
    if not marked.get("provider"):
        return [NothingToVerify(_UNMARKED, is_failure=True)]
    try:
        pacts = [pact for pact in _pacts(marked, run) if marked.get("consumer") in {None, pact.consumer}]
    except TreatyError as error:
        return [NothingToVerify(str(error), is_failure=True)]
    interactions = [interaction for pact in pacts for interaction in pact.interactions]
    return interactions or [
        NothingToVerify(f"There are no pacts with {marked['provider']} to verify.", is_failure=False)
    ]


def _pacts(marked: Mapping[str, Any], run: PluginRun) -> Sequence[PactToVerify]:
    """Fetch pacts from the broker; without one, or with one that has just begun, read the files."""
    if run.broker is None or run.has_temporary_broker:
        return _pacts_of_files(marked, run)
    if url := options.get_text(run.config, "pact-url"):
        return [fetching.fetch_pact(run.broker.client, url)]
    return fetching.fetch_pacts(run.broker.client, _wanted(marked, run))


def _wanted(marked: Mapping[str, Any], run: PluginRun) -> PactQuery:
    return PactQuery(
        provider=marked["provider"],
        branch=results.find_branch(run.config),
        tags=options.get_list(run.config, "provider-tag"),
        selectors=marked.get("selectors"),
        includes_pending=marked.get("include_pending", True),
        wip_since=marked.get("include_wip_since"),
    )


def _pacts_of_files(marked: Mapping[str, Any], run: PluginRun) -> list[PactToVerify]:
    given = marked.get("pacts") or str(run.folder / "*.json")
    several = [given] if isinstance(given, str | Path) else given
    patterns = [str(run.config.rootpath / each) for each in several]
    if not any(glob.glob(pattern) for pattern in patterns):  # noqa: PTH207 - pathlib takes no absolute patterns
        raise ClientError(f"There is no broker to ask for pacts (--broker-url), and no file {' or '.join(patterns)}.")
    files = pactfiles.read_pact_files(patterns)
    pacts = [PactToVerify(content=file.content, source=file.path) for file in files]
    return [pact for pact in pacts if pact.provider == marked["provider"]]


def _names(found: Sequence[InteractionToVerify | NothingToVerify]) -> list[str]:
    return [
        "nothing to verify"
        if isinstance(each, NothingToVerify)
        else _name(each, with_version=_are_several(found, each))
        for each in found
    ]


def _are_several(found: Sequence[InteractionToVerify | NothingToVerify], one: InteractionToVerify) -> bool:
    """Tell whether there are pacts of several versions of this consumer."""
    sources = {
        e.pact.source for e in found if isinstance(e, InteractionToVerify) and e.pact.consumer == one.pact.consumer
    }
    return len(sources) > 1


def _name(interaction: InteractionToVerify, *, with_version: bool) -> str:
    version = f" {interaction.pact.version}" if with_version else ""
    return f"{interaction.pact.consumer}{version}: {interaction.sentence}"


def create_verifier(request: pytest.FixtureRequest) -> PactVerifier:
    param = getattr(request, "param", None) or NothingToVerify(_UNMARKED, is_failure=True)
    if isinstance(param, NothingToVerify):
        if param.is_failure:
            pytest.fail(param.reason, pytrace=False)
        pytest.skip(param.reason)
    return PactVerifier(param, request.node)


def fail_if_unused(item: pytest.Item) -> None:
    """Fail a test that passed without verifying anything."""
    if _VERIFIED not in item.stash:
        pytest.fail("`pact_verifier` has verified nothing: call its `verify`.", pytrace=False)


def attach_to_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Put what was verified into the report, which reaches the process that tells it all."""
    if verified := item.stash.get(_VERIFIED, None):
        report.treaty_verified = verified  # type: ignore[attr-defined]  # reports take any attribute, and carry it
