"""Templates of webhooks for common services: the requests have the format that the services read."""

import pytest

from tests.pages.conftest import read_fields
from treaty.model.webhooks import presets
from treaty.model.webhooks.presets import PRESETS

# The statements behind these pages run on PostgreSQL in the tests of the API.
pytestmark = pytest.mark.long_on_postgresql


def closed(value, gap):
    """Fill in a gap."""
    return [text.replace(gap, "mine") for text in value] if isinstance(value, list) else value.replace(gap, "mine")


@pytest.mark.parametrize("ready", PRESETS, ids=lambda preset: preset.key)
def test_every_ready_webhook_needs_its_gaps_filled_and_then_sends_json(api, show, submit, ready):
    api.publish("Till", "1", "Ledger")
    shown = show(f"/webhooks/new?template={ready.key}")
    for hint in ready.hints:
        assert hint in shown.text
    fields = {**read_fields(shown), "password": "p" if ready.has_password else ""}
    assert fields["events"] == list(ready.events)
    refused = submit(f"/webhooks/new?template={ready.key}", fields)
    assert refused.status == 400
    for gap in ready.blanks:
        assert gap in refused.text
        fields = {name: closed(value, gap) for name, value in fields.items()}
    preview = submit("/webhooks/new", {**fields, "preview": "yes"})
    assert preview.status == 200, preview.text
    assert "The body is not valid JSON" not in preview.text
    assert ready.key == "github-status" or "localhost" in preview.text
    assert submit("/webhooks/new", fields).status == 303


def test_placeholders_are_distinguished_from_other_texts():
    assert presets.list_blanks("<OWNER> <BUILD> <b> <${pactbroker.pactUrl}|x> <OWNER>") == ["<OWNER>"]
