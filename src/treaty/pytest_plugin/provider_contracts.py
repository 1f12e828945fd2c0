"""Publishes a provider's own contract after its tests: the hooks of a run with `--publish-provider-contract`."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import pytest

from treaty.cli import build_detection
from treaty.cli import provider_contracts as contracts
from treaty.errors import ClientError
from treaty.pytest_plugin import documents, options, self_verifications
from treaty.pytest_plugin.self_verifications import Selection, SelfVerification
from treaty.testing import publishing

if TYPE_CHECKING:
    from treaty.cli.builds import Build
    from treaty.client import BrokerClient, Json
    from treaty.pytest_plugin.documents import Document
    from treaty.pytest_plugin.self_verifications import Verdict

_OUTPUT_KEY: Final = "treaty_provider_contract"
"""Key in the output of a worker of pytest-xdist."""
_COLLECTED_ID: Final = pytest.StashKey[str]()
"""The id of a test when it was collected."""
_DOCUMENT_HINT: Final = (
    "Name the application, as in --provider-contract shop.app:app, or pass it to the fixture `provider_contract`."
)

_MISSING_NAME: Final = (
    "--publish-provider-contract needs the provider's name: give --provider-name (TREATY_PROVIDER_NAME), or set "
    "provider_name in pytest's configuration file."
)
_MISSING_BROKER: Final = (
    "--publish-provider-contract needs a broker: give --broker-url (PACT_BROKER_BASE_URL), or --run-broker."
)


class ProviderContract:
    """The contract that a run publishes. pytest calls its hooks, in the main process and in workers of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.self_verification = SelfVerification()
        self._collected: list[pytest.Item] = []
        self._selection: Selection | None = None
        self._document: Document | None = None
        self._fixture_document: Document | None = None
        """The document of the application of a fixture, which counts before the other one."""
        self._problem = ""
        """Why there is no other document."""
        self._has_collection_errors = False

    @property
    def provider(self) -> str:
        return options.get_text(self.config, "provider-name") or ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Raise UsageError before any test runs if options are missing."""
        if _is_worker(self.config):
            return
        if not self.provider:
            raise pytest.UsageError(_MISSING_NAME)
        if not options.get_flag(self.config, "run-broker") and not options.get_text(self.config, "broker-url"):
            raise pytest.UsageError(_MISSING_BROKER)
        version, other = (self._read_version(name) for name in ("publish-provider-contract", "provider-version"))
        if other and other != version:
            raise pytest.UsageError(
                f"--publish-provider-contract and --provider-version name different versions, {version} and {other}. "
                "Give both the same one."
            )

    def _read_version(self, option: str) -> str | None:
        version = options.get_text(self.config, option)
        try:
            return build_detection.commit() if version == "auto" else version
        except ClientError as error:
            raise pytest.UsageError(f"--{option} auto: {error} Give the version itself instead.") from error

    # Collecting

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        if self_verifications.is_self_verification(item):
            item.stash[_COLLECTED_ID] = item.nodeid
            self._collected.append(item)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._has_collection_errors |= report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note which tests will run, and read the document, so that a missing one is reported before they do."""
        selected = set(session.items)
        tests = [self_verifications.identify(item) for item in self._collected if item in selected]
        removed = len(self._collected) - len(tests)
        self._selection = Selection(tests, removed, is_partial=_selects_single_tests(self.config))
        try:
            self._document = self._find_document()
        except ClientError as error:
            self._problem = f"{error} {error.hint}".rstrip()
            if not _is_worker(self.config):
                raise pytest.UsageError(
                    f"The contract of {self.provider} cannot be published. {self._problem}"
                ) from error

    def _find_document(self) -> Document | None:
        folder = self.config.rootpath
        if source := options.get_text(self.config, "provider-contract"):
            return documents.load(source, folder)
        tested = self_verifications.list_documents(self._collected)
        if len(tested) > 1:
            self._problem = f"The tests of Schemathesis are about several documents. {_DOCUMENT_HINT}"
        return documents.read(tested[0], "The document that Schemathesis tests", folder) if len(tested) == 1 else None

    def use(self, document: Document) -> None:
        """Publish the document of the application of a fixture. Raises ClientError for a second, different one."""
        if self._fixture_document and self._fixture_document.content != document.content:
            raise ClientError(
                "The fixture `provider_contract` has received applications with different documents.",
                hint="A run publishes one contract: test the others in other runs.",
            )
        self._fixture_document = document

    # Outcomes

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Any:
        report = yield
        if collected_id := item.stash.get(_COLLECTED_ID, None):
            report.treaty_self_verification = self_verifications.to_report_data(item, collected_id, report)
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.self_verification.failed_reports += report.failed
        if about := getattr(report, "treaty_self_verification", None):
            self.self_verification.collect(report, about)

    @pytest.hookimpl(tryfirst=True)  # the summary needs it
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if _is_worker(session.config):
            session.config.workeroutput[_OUTPUT_KEY] = self._to_output()  # type: ignore[attr-defined]  # of pytest-xdist
        elif self._selection:
            self.self_verification.add_selection(self._selection)

    def _to_output(self) -> dict[str, Any]:
        """Describe what a worker of pytest-xdist has collected, as plain data."""
        pair = ("document", self._document), ("fixture_document", self._fixture_document)
        sources = {name: document and document.source for name, document in pair}
        return {**sources, "problem": self._problem, "selection": self._selection and asdict(self._selection)}

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add what a worker of pytest-xdist has collected. One that crashed has no output."""
        output = getattr(node, "workeroutput", {}).get(_OUTPUT_KEY) or {}
        if selection := output.get("selection"):
            self.self_verification.add_selection(Selection(**selection))
        self._problem = self._problem or output.get("problem", "")
        self._document = self._document or self._read_output(output.get("document"))
        self._fixture_document = self._fixture_document or self._read_output(output.get("fixture_document"))

    def _read_output(self, source: bytes | None) -> Document | None:
        return documents.read(source, "The document", self.config.rootpath) if source else None

    # Publishing

    def find_obstacle(self, session: pytest.Session) -> str:
        """Return why the run is incomplete, so that nothing is published; empty if it is complete."""
        if self._has_collection_errors:
            return "there are errors in the collection of tests"
        if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            return "no tests have run"
        is_complete = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
        if session.shouldfail or session.shouldstop or not is_complete:
            return "the run ended before all tests had run"
        return ""

    @property
    def document(self) -> Document:
        """The document to publish. Raises ClientError if there is none."""
        document = self._fixture_document or self._document
        if document is None:
            problem = self._problem or f"There is no OpenAPI document. {_DOCUMENT_HINT}"
            raise ClientError(f"The contract of {self.provider} was not published. {problem}")
        return document

    def judge(self, session: pytest.Session) -> Verdict:
        has_passed = session.exitstatus == pytest.ExitCode.OK
        return self.self_verification.judge(has_passed=has_passed, document=self.document.content)

    def publish(self, broker: BrokerClient, verdict: Verdict) -> tuple[Build, str]:
        """Publish the document and the result; return the build, and the broker's response as text.

        Raises ClientError with the reason if the broker does not accept them.
        """
        build = publishing.detect_build(
            str(options.get_text(self.config, "publish-provider-contract")),
            branch=options.get_text(self.config, "provider-branch"),
            tags=options.get_list(self.config, "provider-tag"),
            build_url=options.get_text(self.config, "pact-build-url"),
        )
        results = None if verdict.success is None else self._to_results(success=verdict.success)
        contract = contracts.to_contract(self.document.source, self.document.content_type, results=results)
        return build, publishing.publish_provider_contract(broker, self.provider, build, contract)

    def _to_results(self, *, success: bool) -> Json:
        tool = self.self_verification.tool
        return {
            "success": success,
            "content": base64.b64encode(self.self_verification.to_ctrf()).decode(),
            "contentType": "application/json",
            "format": "ctrf",
            "verifier": tool,
            "verifierVersion": self_verifications.version_of(tool),
        }


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _selects_single_tests(config: pytest.Config) -> bool:
    """Whether the run leaves out tests that pytest does not even collect: with ids of tests, or with `--lf`."""
    last_failed = config.pluginmanager.get_plugin("lfplugin")
    # There is no public way to learn that whole files without failures were left out.
    has_skipped_files = bool(getattr(last_failed, "active", False) and getattr(last_failed, "_skipped_files", 1))
    return has_skipped_files or any("::" in argument for argument in config.args)
