"""Provider states that are set up by the provider's own URL, as with pact-python 1 and 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import httpx

if TYPE_CHECKING:
    from treaty.pact.verification_options import VerificationOptions

_DEFAULT_TIMEOUT: Final = 30
"""Seconds."""
_MAX_TEXT: Final = 2000


class StateSetupError(Exception):
    """The provider did not set up a state."""


class StateChanges:
    """Forwards the state changes of a consumer's pacts to the URL of the options, with the options' headers."""

    def __init__(self, options: VerificationOptions, consumer: str) -> None:
        self._url = str(options.provider_states_setup_url)
        self._headers = options.header_items
        self._timeout = options.request_timeout or _DEFAULT_TIMEOUT
        self._consumer = consumer

    def forward(self, state: str, action: str, parameters: Mapping[str, Any]) -> Any:
        """Request a state, and return the values in the response. Raises StateSetupError for any other response."""
        body = {
            "consumer": self._consumer,
            "state": state,
            "states": [state],
            "params": dict(parameters),
            "action": action,
        }
        try:
            response = httpx.post(self._url, json=body, headers=self._headers, timeout=self._timeout)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise StateSetupError(f"{self._url} could not set up the provider state {state!r}: {error}") from error
        if not response.is_success:
            raise StateSetupError(
                f"{self._url} answered {response.status_code} to the provider state {state!r} of {self._consumer}: "
                f"{response.text[:_MAX_TEXT]}".rstrip(": ")
            )
        return _values(response)


def _values(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None
