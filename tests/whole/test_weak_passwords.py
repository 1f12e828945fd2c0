"""The server logs a warning at its start if a password in its settings is easy to guess."""

import pytest

from tests.whole import servers
from treaty.model.accounts.passwords import find_setting_weakness


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ("pact_workshop", "is an example from documentation"),
        ("Pact_Workshop", "is an example from documentation"),
        ("something-long", "is an example from documentation"),
        ("short", "has fewer than 12 characters"),
        ("password1234", "is easy to guess"),
        ("pactbroker123", "is easy to guess"),
        ("build-server", "is easy to guess"),
        ("q3F9-xT7b-Lm2z", None),
        ("a stapled horse, correctly", None),
    ],
)
def test_weak_passwords_of_settings_have_a_reason_and_strong_ones_none(settings, reason):
    weakness = find_setting_weakness(settings, "build-server")
    assert weakness is None if reason is None else weakness is not None and weakness.startswith(reason)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_warns_of_weak_passwords_in_its_settings_without_logging_them(tmp_path, workers):
    environ = {
        "PACT_BROKER_BASIC_AUTH_USERNAME": "ci",
        "PACT_BROKER_BASIC_AUTH_PASSWORD": "pact_workshop",
        "PACT_BROKER_BASIC_AUTH_READ_ONLY_USERNAME": "reader",
        "PACT_BROKER_BASIC_AUTH_READ_ONLY_PASSWORD": "q3F9-xT7b-Lm2z",
    }
    url = f"sqlite:///{tmp_path / 'w.sqlite'}"
    with servers.running(url, "--workers", workers, cwd=tmp_path, environ=environ) as server:
        log = server.log
    assert log.count("The password of ci may be guessed: it is an example from documentation. Choose another one.") == 1
    assert "basic_auth_password" in log
    assert "reader" not in log
    assert "pact_workshop" not in log
