"""A run of pytest: its broker, the pacts that it writes, and what there is to tell in the end."""

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

_COARSE_CLOCK: Final = 0.02
"""Seconds by which files may seem older than they are."""


class PluginRun:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.summary: list[str] = []
        self._began = time.time() - _COARSE_CLOCK
        self._own: TemporaryBroker | None = None
        self._broker: PactBroker | None = None
        _forget()

    @property
    def is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    @property
    def folder(self) -> Path:
        return options.get_pact_dir(self.config)

    @property
    def broker(self) -> PactBroker | None:
        """The broker of this run, if there is one."""
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
        """Start the run's own broker, if it is asked for and does not run yet; give the broker's address."""
        if self.is_worker:
            address: str | None = _of_worker(self.config).workerinput["treaty_broker"]
            return address
        if not self.has_temporary_broker:
            return options.get_text(self.config, "broker-url")
        if self._own is None:
            self._own = self._started()
        return self._own.url

    def _started(self) -> TemporaryBroker:
        try:
            return TemporaryBroker()
        except ClientError as error:
            raise pytest.UsageError(str(error)) from error

    def header(self) -> str | None:
        return f"treaty: a broker for this run is at {self.start()}" if self.has_temporary_broker else None

    def end(self) -> None:
        if self._broker:
            self._broker.close()
        if self._own:
            self._own.end()

    def add_worker_output(self, output: Mapping[str, Any]) -> None:
        """Add what a worker has written."""
        if contents := output.get("treaty_written"):
            from treaty.testing import pact_files  # noqa: PLC0415 - only runs that write pacts need it

            pact_files.add_contents(contents)

    def attach_verification(self, item: pytest.Item, report: pytest.TestReport) -> None:
        """Hand on what a test has verified, also to the process that tells it all."""
        if verification := sys.modules.get("treaty.pytest_plugin.verification"):
            verification.attach_to_report(item, report)

    def finish(self, *, passed: bool) -> bool:
        """Publish what is to be published, and make up the summary; False if that failed."""
        if self.is_worker:
            _of_worker(self.config).workeroutput["treaty_written"] = _gathered()
            return True
        if not self._has_something_to_tell():
            return True
        from treaty.pytest_plugin import closing  # noqa: PLC0415 - only runs that did something need it

        return closing.publish_and_summarize(self, written=self._written(), passed=passed)

    def _has_something_to_tell(self) -> bool:
        asked = self.has_temporary_broker or options.get_text(self.config, "publish-pact")
        return bool(asked or self._written() or "treaty.pytest_plugin.results" in sys.modules)

    def _written(self) -> list[Path]:
        """List the pacts of this run, also those that other libraries wrote into the folder."""
        known = [self.config.rootpath / path for path in _gathered()]
        fresh = [path for path in sorted(self.folder.glob("*.json")) if path.stat().st_mtime >= self._began]
        return list(dict.fromkeys([*known, *(path.absolute() for path in fresh)]))


def _of_worker(config: pytest.Config) -> Any:
    """Give the configuration with what pytest-xdist puts into it."""
    return config


def _gathered() -> dict[str, Any]:
    module = sys.modules.get("treaty.testing.pact_files")
    return module.written_contents() if module else {}


def _forget() -> None:
    """Forget an earlier run in this process."""
    for name in ("treaty.testing.pact_files", "treaty.pytest_plugin.results"):
        if module := sys.modules.get(name):
            module.reset()
