"""Databases that are restored from the dumps, and the webhooks in them."""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import postgres
from tests.older_databases import sample_data
from tests.older_databases.fixture import Fixture
from tests.older_databases.sample_data import SECRETS, SETTINGS, Broker, q
from tests.receiver import Arrival, Receiver

FOREVER = "2000000000"
"""Seconds."""
# The sessions in the dumps must not have expired, and no audit event may be so old that it is removed.
SENDING = {
    **SETTINGS,
    "TREATY_SESSION_LIFETIME": FOREVER,
    "TREATY_SESSION_IDLE_TIMEOUT": FOREVER,
    "TREATY_AUDIT_MAX_AGE": "0",
}
# Deliveries stay in the queue until a test has changed where they are sent to.
HOLDING = {**SENDING, "TREATY_WEBHOOK_SETTLING_TIME": FOREVER}
ADMINISTRATOR, EXPIRING = "administrator's token", "developer's token that only reads"


@contextmanager
def restored(fixture: Fixture, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a database restored from the dump; its key is in the folder."""
    if fixture.kind == "sqlite":
        url = f"sqlite:///{folder / 'treaty.sqlite'}"
        fixture.restore(url, folder)
        yield url
        return
    with postgres.database(request.getfixturevalue("postgres_url")) as url:
        fixture.restore(url, folder)
        yield url


def send_all_webhooks(broker: Broker, fixture: Fixture, receiver: Receiver) -> None:
    """Send each webhook as a test, and look for its credentials and signature in the request."""
    webhooks = fixture.facts["webhooks"]
    for number, (name, uuid) in enumerate(webhooks.items()):
        sample_data.point_webhook_at(broker, uuid, f"{receiver.url}/{q(name)}")
        broker.send("POST", f"/webhooks/{uuid}/execute")
        receiver.wait(number + 1)
    arrivals = {arrival.path.removeprefix("/"): arrival for arrival in receiver.arrivals}
    for name, secret in SECRETS.items():
        assert arrivals[q(name)].headers["authorization"] == secret
        assert is_signed(arrivals[q(name)])
    assert arrivals[q("first format")].headers["x-plain"] == "v1:plain"
    for name, password in sample_data.PASSWORDS.items():
        assert arrivals[q(name)].headers["authorization"] == sample_data.basic("ci", password)
    assert arrivals["disabled"].headers["x-auth-token"] == sample_data.AUTH_TOKEN


def is_signed(arrival: Arrival) -> bool:
    signed = arrival.headers["x-treaty-timestamp"].encode() + b"." + arrival.body
    signature = hmac.new(sample_data.SIGNING_SECRET.encode(), signed, hashlib.sha256).hexdigest()
    return arrival.headers["x-treaty-signature-256"] == f"sha256={signature}"
