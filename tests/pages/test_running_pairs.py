"""Deployed versions: the environments of a pair on the overview, and the versions that run together on its page."""

import pytest

from tests.pages.conftest import deploy, verify
from tests.pages.deployments import KINDS, another_instance, deploy_or_release


def chips(shown):
    """The environments of the only pair by their names, each with its state."""
    marked = [(link.attributes.get("class") or "").split() for link in shown.all("a")]
    names = [link.attributes.get("title") or "" for link in shown.all("a")]
    return {
        title.partition(":")[0]: classes[3] if "running" in classes else None
        for classes, title in zip(marked, names, strict=True)
        if "running" in classes
    }


@pytest.mark.usefixtures("history")
def test_the_environments_of_a_pair_are_those_of_any_of_its_pacts_with_a_link_that_explains_them(show):
    shown = show("/")
    assert chips(shown) == {"Production": "verified"}, "version 1 runs there, and is not the latest"
    assert "Production: Production , verified" in shown.text
    assert "/dashboard/provider/Ledger/consumer/Till#in-production" in shown.links
    pair = show("/dashboard/provider/Ledger/consumer/Till")
    assert "in-production" in pair.ids
    assert "Production: Production ✓ Verified 1 10 Result of 10 for 1" in pair.text


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_of_an_environment_is_the_worst_result_of_its_versions(history, show, kind):
    deploy_or_release(history, kind, "Ledger", "12", "production", **another_instance(kind))
    assert chips(show("/")) == {"Production": "unknown"}
    text = show("/dashboard/provider/Ledger/consumer/Till").text
    assert "? Not verified 1 12 none between these versions" in text
    verify(history, "1", "12", success=False)
    assert chips(show("/")) == {"Production": "failed"}
    verify(history, "1", "12", success=True)
    assert chips(show("/")) == {"Production": "verified"}


def test_without_a_provider_there_the_newest_result_of_the_pact_is_the_state(history, show):
    deploy(history, "Till", "2", "test")
    assert chips(show("/")) == {"Test": "failed", "Production": "verified"}
    text = show("/dashboard/provider/Ledger/consumer/Till").text
    assert "✕ Failed 2 not deployed there Result of 11 for 2 by 11 , the newest" in text


@pytest.mark.parametrize("kind", KINDS)
def test_every_consumer_version_in_an_environment_has_its_row(history, show, kind):
    deploy_or_release(history, kind, "Till", "2", "production", **another_instance(kind))
    verify(history, "2", "10", success=False)
    assert chips(show("/")) == {"Production": "failed"}
    pair = show("/dashboard/provider/Ledger/consumer/Till")
    assert "✓ Verified 1 10 Result" in pair.text
    assert "✕ Failed 2 10 Result" in pair.text


@pytest.mark.parametrize("state", ["failed", "verified"])
def test_the_states_are_those_of_the_list_of_an_environment(history, show, state):
    deploy_or_release(history, "released-versions", "Ledger", "11", "production")
    verify(history, "1", "11", success=state == "verified")
    assert chips(show("/")) == {"Production": state}
    listed = show(f"/?environment=production&state={state}")
    assert chips(listed) == {"Production": state}
