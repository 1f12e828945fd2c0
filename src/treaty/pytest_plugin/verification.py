"""The `pact_verifier` fixture of providers: a test for each interaction that a provider has to honour."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from treaty.cli import names, pactfiles
from treaty.cli.names import NamedResource
from treaty.errors import ClientError, TreatyError
from treaty.pytest_plugin import fetching, options, results
from treaty.pytest_plugin.fetching import PactQuery
from treaty.pytest_plugin.markers import merge_markers
from treaty.testing import verifying
from treaty.testing.callbacks import Callbacks, MessageHandlers, StateHandlers
from treaty.testing.verifying import InteractionToVerify, PactToVerify, ProviderTarget, VerificationOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treaty.pytest_plugin.run import PluginRun

_REPORT_DATA: Final = pytest.StashKey[dict[str, Any]]()
"""A test's outcome, from `results.to_report_data`."""
_OTHER_PROVIDER: Final = pytest.StashKey[str]()
"""The provider of the pact of --pact-url if the test is of another provider, else blank; only set with this option."""
_MISSING_PROVIDER: Final = (
    'The fixture `pact_verifier` needs the name of the provider: mark the test with @pytest.mark.pact(provider="...").'
)
_ABSENCE_HINT: Final = (
    "Check the name of the provider and the marker's `selectors`, `consumer` or `pacts`. If no consumer has published "
    "a pact yet, skip the test with --allow-no-pacts (TREATY_ALLOW_NO_PACTS), or `allow_no_pacts=True` in the marker."
)


@dataclass(frozen=True, slots=True)
class NothingToVerify:
    """Stands in for the interactions if there are none. The test is then skipped, or fails, with the reason."""

    reason: str
    is_failure: bool
    other_provider: str = ""
    """The provider of the pact of --pact-url, if it is not the test's."""


class PactVerifier:
    """An interaction of a pact. Fixtures may set `states`, `messages` and `headers` for all calls of `verify`."""

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
        """Send the interaction's request to the provider's URL, or let a handler produce its message.

        Fails the test if the result does not match the pact; for a pending pact, the test is an expected failure.

        `states` and `messages` map names to functions, or are a single function. A function is called with those of the
        following arguments that its parameters name. For a state: the state's parameters, `state`, `action` and
        `parameters` (all of them as a mapping). For a message: `name` and `metadata`. `timeout` is in seconds.
        """
        __tracebackhide__ = True
        if url is None and messages is None and self.messages is None:
            pytest.fail("There is nothing to verify: pass the provider's URL or its messages.", pytrace=False)
        callbacks = Callbacks(
            states=self.states if states is None else states,
            messages=self.messages if messages is None else messages,
        )
        target = ProviderTarget(
            url=url, callbacks=callbacks, headers={**self.headers, **(headers or {})}, timeout=timeout
        )
        self._report(verifying.verify(self.interaction, target))

    def _report(self, outcome: VerificationOutcome) -> None:
        __tracebackhide__ = True
        self._item.stash[_REPORT_DATA] = results.to_report_data(self.interaction, outcome)
        if outcome.is_success:
            return
        text = _describe_failure(self.interaction, outcome)
        if self.interaction.pact.is_pending:
            self._item.add_report_section("call", "pending pact", text)
            pytest.xfail(text.partition("\n")[0])
        pytest.fail(text, pytrace=False)


def _describe_failure(interaction: InteractionToVerify, outcome: VerificationOutcome) -> str:
    pact = interaction.pact
    summary = f"{pact.provider} does not honour its pact with {pact.consumer} {pact.version}".rstrip()
    notices = [notice["text"] for notice in pact.notices if notice.get("when") == "before_verification"]
    return "\n".join([f"{summary}: {interaction.sentence}", "", outcome.text, "", *notices]).rstrip()


def parametrize(metafunc: pytest.Metafunc, run: PluginRun) -> None:
    """Run the test once for each interaction. If there are none, one test is skipped or fails with the reason."""
    try:
        cases = _load_cases(merge_markers(metafunc.definition), run)
    except ClientError as error:
        # An exception here would abort the collection of all tests.
        cases = [NothingToVerify(str(error), is_failure=True)]
    metafunc.parametrize("pact_verifier", cases, ids=[_case_id(case, cases) for case in cases], indirect=True)


def _load_cases(marker: Mapping[str, Any], run: PluginRun) -> Sequence[InteractionToVerify | NothingToVerify]:
    if not marker.get("provider"):
        return [NothingToVerify(_MISSING_PROVIDER, is_failure=True)]
    try:
        pacts = _load_pacts(marker, run)
    except TreatyError as error:
        hint = error.hint if isinstance(error, ClientError) else ""
        return [NothingToVerify(f"{error}\n{hint}".rstrip(), is_failure=True)]
    if options.get_text(run.config, "pact-url") and not pacts[0].is_with(marker["provider"]):
        reason = f"The pact of --pact-url (PACT_URL) is with {pacts[0].provider}, and not with {marker['provider']}."
        return [NothingToVerify(reason, is_failure=False, other_provider=pacts[0].provider)]
    pacts_of_consumer = [pact for pact in pacts if marker.get("consumer") in {None, pact.consumer}]
    interactions = [interaction for pact in pacts_of_consumer for interaction in pact.interactions]
    if interactions:
        return interactions
    if pacts_of_consumer:
        reason = f"The pacts with {marker['provider']} that were selected have no interactions."
        return [NothingToVerify(reason, is_failure=False)]
    return [_explain_absence(marker, run, pacts)]


def _explain_absence(marker: Mapping[str, Any], run: PluginRun, other_pacts: Sequence[PactToVerify]) -> NothingToVerify:
    """Explain that there is no pact to verify: a failure, since a misspelt name or selector must not look like success.

    `other_pacts` are with another consumer than the marker's.
    """
    of_consumer = f" of {marker['consumer']}" if marker.get("consumer") else ""
    reason = f"There are no pacts{of_consumer} with {marker['provider']} to verify"
    if other_pacts:
        reason += f", but of {', '.join(sorted({pact.consumer for pact in other_pacts}))}"
    # A build for the pact of a webhook has nothing to do in tests for other consumers.
    is_for_other_pact = bool(other_pacts and options.get_text(run.config, "pact-url"))
    if is_for_other_pact or marker.get("allow_no_pacts", options.get_flag(run.config, "allow-no-pacts")):
        return NothingToVerify(f"{reason}.", is_failure=False)
    missing_name = "" if other_pacts else _find_missing_provider(marker, run)
    return NothingToVerify("\n".join(filter(None, (f"{reason}.", missing_name, _ABSENCE_HINT))), is_failure=True)


def _find_missing_provider(marker: Mapping[str, Any], run: PluginRun) -> str:
    """Return a sentence with similar names if the broker has no application with the provider's name."""
    if run.broker is None or run.has_temporary_broker:
        return ""
    return names.find_missing_name(run.broker.client, [NamedResource("application", marker["provider"])])


def _load_pacts(marker: Mapping[str, Any], run: PluginRun) -> Sequence[PactToVerify]:
    """Fetch pacts from the broker. Without a broker, or with a temporary one, which is empty, read pact files."""
    url = options.get_text(run.config, "pact-url")
    if run.broker is None or run.has_temporary_broker:
        if url:
            raise ClientError("--pact-url (PACT_URL) needs the broker of the pact: give --broker-url.")
        return _read_pact_files(marker, run)
    if url:
        return [fetching.fetch_pact(run.broker.client, url)]
    query = PactQuery(
        provider=marker["provider"],
        branch=results.find_branch(run.config),
        tags=options.get_list(run.config, "provider-tag"),
        selectors=marker.get("selectors"),
        includes_pending=marker.get("include_pending", True),
        wip_since=marker.get("include_wip_since"),
    )
    return fetching.fetch_pacts(run.broker.client, query)


def _read_pact_files(marker: Mapping[str, Any], run: PluginRun) -> list[PactToVerify]:
    paths = marker.get("pacts") or str(run.folder / "*.json")
    paths = [paths] if isinstance(paths, str | Path) else paths
    patterns = [str(run.config.rootpath / path) for path in paths]
    if not any(glob.glob(pattern) for pattern in patterns):  # noqa: PTH207 - pathlib does not support absolute patterns
        raise ClientError(
            "There are no pacts to verify: no broker is configured (--broker-url), and there is no file "
            f"{' or '.join(patterns)}."
        )
    files = pactfiles.read_pact_files(patterns)
    pacts = [PactToVerify(content=file.content, source=file.path) for file in files]
    return [pact for pact in pacts if pact.provider == marker["provider"]]


def _case_id(
    case: InteractionToVerify | NothingToVerify, cases: Sequence[InteractionToVerify | NothingToVerify]
) -> str:
    """Name a test. The consumer's version is part of the name if pacts of several versions are verified."""
    if isinstance(case, NothingToVerify):
        return "nothing to verify"
    pacts = [other.pact for other in cases if isinstance(other, InteractionToVerify)]
    sources = {pact.source for pact in pacts if pact.consumer == case.pact.consumer}
    version = f" {case.pact.version}" if len(sources) > 1 else ""
    return f"{case.pact.consumer}{version}: {case.sentence}"


def create_verifier(request: pytest.FixtureRequest) -> PactVerifier:
    """Create the verifier for the interaction of a test, or skip or fail the test if there is none."""
    # A test without a marker is not parametrized, so it has no `param`.
    case = getattr(request, "param", None) or NothingToVerify(_MISSING_PROVIDER, is_failure=True)
    if options.get_text(request.config, "pact-url"):
        request.node.stash[_OTHER_PROVIDER] = case.other_provider if isinstance(case, NothingToVerify) else ""
    if isinstance(case, NothingToVerify):
        if case.is_failure:
            pytest.fail(case.reason, pytrace=False)
        pytest.skip(case.reason)
    return PactVerifier(case, request.node)


def fail_if_unused(item: pytest.Item) -> None:
    """Fail a test that passed without verifying anything."""
    if _REPORT_DATA not in item.stash:
        pytest.fail("The test did not use `pact_verifier`: call its method `verify`.", pytrace=False)


def attach_to_report(item: pytest.Item, report: pytest.TestReport) -> None:
    """Add the outcome to the test's report, which pytest-xdist sends to the main process."""
    # Reports keep and serialize any attribute.
    if report.when == "call" and (report_data := item.stash.get(_REPORT_DATA, None)):
        report.treaty_verified = report_data  # type: ignore[attr-defined]
    if (other_provider := item.stash.get(_OTHER_PROVIDER, None)) is not None:
        report.treaty_other_provider = other_provider  # type: ignore[attr-defined]
