"""The state of a pytest run: its broker, and the pacts that its tests have written.

Modules of the plugin that only some suites need are looked up in `sys.modules`: where they have not been imported, they
have nothing to contribute, and importing them would slow down every run of pytest.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from treaty.errors import ClientError
from treaty.pytest_plugin import options
from treaty.pytest_plugin.brokers import PactBroker, TemporaryBroker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from treaty.pytest_plugin.provider_contracts import ProviderContract

_COARSE_CLOCK: Final = 0.02
"""Seconds. Modification times of files may be this much older than `time.time()`."""


class PluginRun:
    """A run of pytest, in the main process or in a worker of pytest-xdist."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.summary: list[str] = []
        self.provider_contract = _register_provider_contract(config)
        self._began = time.time() - _COARSE_CLOCK
        self._temporary: TemporaryBroker | None = None
        self._broker: PactBroker | None = None
        _reset()

    @property
    def is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    @property
    def folder(self) -> Path:
        return options.get_pact_dir(self.config)

    @property
    def broker(self) -> PactBroker | None:
        """The configured broker, or the temporary one of this run; None if there is neither."""
        if self._broker is None and (url := self.start()):
            self._broker = PactBroker(url=url, **self._credentials())
        return self._broker

    @property
    def has_temporary_broker(self) -> bool:
        return options.get_flag(self.config, "run-broker")

    def _credentials(self) -> dict[str, str | None]:
        if self.has_temporary_broker:
            return {}
        return {name: options.get_text(self.config, f"broker-{name}") for name in ("username", "password", "token")}

    def start(self) -> str | None:
        """Start the temporary broker if it is requested, and return the URL of the run's broker."""
        if self.is_worker:
            address: str | None = _xdist_config(self.config).workerinput["treaty_broker"]
            return address
        if not self.has_temporary_broker:
            return options.get_text(self.config, "broker-url")
        if self._temporary is None:
            try:
                self._temporary = TemporaryBroker()
            except ClientError as error:
                raise pytest.UsageError(str(error)) from error
        return self._temporary.url

    def header(self) -> str | None:
        return f"treaty: a broker for this run is at {self.start()}" if self.has_temporary_broker else None

    def end(self) -> None:
        if self._broker:
            self._broker.close()
        if self._temporary:
            self._temporary.end()

    def add_worker_output(self, output: Mapping[str, Any]) -> None:
        """Add the pacts that a worker has written."""
        if contents := output.get("treaty_written"):
            from treaty.testing import pact_files  # noqa: PLC0415 - only runs that write pacts need it

            pact_files.add_contents(contents)

    def attach_verification(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Attach what a test has verified to its report, which also carries it from a worker to the main process."""
        if verification := sys.modules.get("treaty.pytest_plugin.verification"):
            verification.attach_to_report(item, report)

    def forget_unfinished_interactions(self) -> None:
        """Forget what a failed test has described with the classic API but not tried; the next test is not about it."""
        if classic := sys.modules.get("treaty.pact.pact"):
            classic.forget_interactions()

    def send_to_main_process(self) -> None:
        """Hand the pacts that a worker has written to the main process, which publishes them."""
        _xdist_config(self.config).workeroutput["treaty_written"] = _written_contents()

    @property
    def has_results(self) -> bool:
        """Whether there is anything to publish or to summarize."""
        is_requested = (
            self.has_temporary_broker or self.provider_contract or options.get_text(self.config, "publish-pact")
        )
        return bool(is_requested or self.list_written() or "treaty.pytest_plugin.results" in sys.modules)

    def list_written(self) -> list[Path]:
        """List the pact files of this run, including those that other libraries wrote into the folder."""
        own_files = [self.config.rootpath / path for path in _written_contents()]
        new_files = [path for path in sorted(self.folder.glob("*.json")) if path.stat().st_mtime >= self._began]
        return list(dict.fromkeys([*own_files, *(path.absolute() for path in new_files)]))


def _register_provider_contract(config: pytest.Config) -> ProviderContract | None:
    """Create the contract to publish, with its hooks; None if the run does not publish one."""
    if not options.get_text(config, "publish-provider-contract") or config.getoption("collectonly", default=False):
        return None
    from treaty.pytest_plugin.provider_contracts import ProviderContract  # noqa: PLC0415 - few runs publish one

    contract = ProviderContract(config)
    config.pluginmanager.register(contract, "treaty-provider-contract")
    return contract


def _xdist_config(config: pytest.Config) -> Any:
    """Return the configuration, with the attributes that pytest-xdist adds to it."""
    return config


def _written_contents() -> dict[str, str]:
    module = sys.modules.get("treaty.testing.pact_files")
    return module.written_contents() if module else {}


def _reset() -> None:
    """Forget an earlier run in the same process, as `pytester` starts them."""
    for name in ("treaty.testing.pact_files", "treaty.pytest_plugin.results"):
        if module := sys.modules.get(name):
            module.reset()
