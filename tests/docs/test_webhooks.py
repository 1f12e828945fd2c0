"""docs/webhooks.md describes every filter and existing settings, and its check of signatures works."""

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.docs.generated import MARK, ROOT
from treaty.model.webhooks.deliveries import OutgoingRequest, sign_request
from treaty.model.webhooks.events import EVENT_NAMES
from treaty.settings import SETTINGS
from treaty.web.api.webhooks.bodies import FILTERS

TEXT = (ROOT / "docs" / "webhooks.md").read_text("utf-8")


@pytest.fixture
def is_genuine() -> Any:
    example = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert example
    names: dict[str, Any] = {}
    exec(example[1], names)  # noqa: S102 - the documented code
    return names["is_genuine"]


@pytest.mark.parametrize(
    ("secret", "age", "body", "expected"),
    [
        ("ours", 0, b"{}", True),
        ("theirs", 0, b"{}", False),
        ("ours", 0, b"{ }", False),
        ("ours", 1000, b"{}", False),
    ],
)
def test_the_check_of_signatures_that_is_shown_works(is_genuine, secret, age, body, expected) -> None:
    at = datetime.fromtimestamp(time.time() - age, UTC)
    request = OutgoingRequest(method="POST", url="https://h/", headers={}, body=b"{}")
    sent = sign_request(request, "ours", delivery="d", at=at).headers
    assert is_genuine({name.title(): value for name, value in sent.items()}, body, secret) is expected


def test_every_filter_is_described() -> None:
    written = TEXT.partition(MARK)[0]
    assert set(re.findall(r"^\| `(\w+)` \|", written, re.MULTILINE)) == set(FILTERS)


def test_every_setting_that_is_named_exists() -> None:
    named = set(re.findall(r"`(webhook_\w+|secret_key|\w+_after)`", TEXT)) - set(EVENT_NAMES)
    assert named
    assert named <= SETTINGS.keys()
