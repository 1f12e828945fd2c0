"""Webhooks: which events pass their filters, when they pause, and how they are called."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest

from treaty.model.webhooks.webhooks import (
    EventVersion,
    PacticipantMatcher,
    Webhook,
    WebhookFilters,
    WebhookRequest,
    is_mask,
    is_match,
)

NOW = datetime(2024, 5, 6, tzinfo=UTC)
REQUEST = WebhookRequest(
    method="post", url="https://ci.example/${user.X}", headers={}, body=None, username=None, password=None
)
WEBHOOK = Webhook(
    uuid="u",
    description=None,
    consumer=None,
    provider=None,
    is_enabled=True,
    request=REQUEST,
    events=(),
    secret=None,
    filters=WebhookFilters(),
    failing_since=None,
    pauses=False,
    created_at=NOW,
    updated_at=NOW,
)


def _version(
    branch: str = "", tag: str = "", environment: str = "", *, is_on_main_branch: bool = False
) -> EventVersion:
    branches, tags, environments = (frozenset({name} if name else ()) for name in (branch, tag, environment))
    return EventVersion(branches=branches, tags=tags, environments=environments, is_on_main_branch=is_on_main_branch)


NOTHING = _version()


@pytest.mark.parametrize(
    ("filters", "consumer", "provider", "passes"),
    [
        (WebhookFilters(), NOTHING, None, True),
        (WebhookFilters(), NOTHING, NOTHING, True),
        (WebhookFilters(consumer_branches=("a", "b")), _version("b"), None, True),
        (WebhookFilters(consumer_branches=("a",)), _version("b"), None, False),
        (WebhookFilters(consumer_branches=("a",)), NOTHING, _version("a"), False),
        (WebhookFilters(consumer_branches=()), _version("a"), None, False),
        (WebhookFilters(provider_branches=("a",)), NOTHING, _version("a"), True),
        (WebhookFilters(provider_branches=("a",)), NOTHING, _version("b"), False),
        (WebhookFilters(provider_branches=("a",)), _version("a"), NOTHING, False),
        # An event without a provider version passes a filter for its branches.
        (WebhookFilters(provider_branches=("a",)), NOTHING, None, True),
        (WebhookFilters(tags=("a",)), _version(tag="a"), None, True),
        (WebhookFilters(tags=("a",)), _version(tag="a"), NOTHING, True),
        (WebhookFilters(tags=("a",)), NOTHING, _version(tag="a"), True),
        (WebhookFilters(tags=("a",)), _version("a"), _version(tag="b"), False),
        (WebhookFilters(environments=("a",)), _version(environment="a"), NOTHING, True),
        (WebhookFilters(environments=("a",)), NOTHING, _version(environment="a"), True),
        (WebhookFilters(environments=("a",)), NOTHING, None, False),
        (WebhookFilters(environments=("a",)), _version(environment="b"), NOTHING, False),
    ],
)
def test_an_event_passes_filters_by_its_versions(
    filters: WebhookFilters, consumer: EventVersion, provider: EventVersion | None, *, passes: bool
) -> None:
    assert is_match(filters, consumer=consumer, provider=provider, published=consumer) is passes


@pytest.mark.parametrize(("only", "is_on_main_branch"), list(product((True, False), repeat=2)))
def test_for_the_main_branch_only_the_published_version_counts(*, only: bool, is_on_main_branch: bool) -> None:
    filters = WebhookFilters(main_branch_only=only)
    published, other = (_version(is_on_main_branch=value) for value in (is_on_main_branch, not is_on_main_branch))
    for consumer, provider in ((published, other), (other, published)):
        passes = is_match(filters, consumer=consumer, provider=provider, published=published)
        assert passes is (is_on_main_branch or not only)


def test_an_event_has_to_pass_all_filters() -> None:
    filters = WebhookFilters(
        consumer_branches=("a",), provider_branches=("b",), tags=("c",), environments=("d",), main_branch_only=True
    )
    consumer, provider = _version("a", "c", is_on_main_branch=True), _version("b", "", "d")
    assert is_match(filters, consumer=consumer, provider=provider, published=consumer)
    for other in (
        (replace(consumer, branches=frozenset()), provider),
        (consumer, replace(provider, branches=frozenset())),
        (replace(consumer, tags=frozenset()), provider),
        (consumer, replace(provider, environments=frozenset())),
        (replace(consumer, is_on_main_branch=False), provider),
    ):
        assert not is_match(filters, consumer=other[0], provider=other[1], published=other[0])


def test_filters_are_empty_unless_one_is_set() -> None:
    assert WebhookFilters().is_empty
    for filters in (
        WebhookFilters(consumer_branches=()),
        WebhookFilters(provider_branches=()),
        WebhookFilters(tags=()),
        WebhookFilters(environments=()),
        WebhookFilters(main_branch_only=True),
    ):
        assert not filters.is_empty


@pytest.mark.parametrize(
    ("pauses", "failing_since", "is_paused"),
    [(True, NOW, True), (True, None, False), (False, NOW, False), (False, None, False)],
)
def test_a_webhook_is_paused_while_it_fails_if_it_is_to_pause(pauses, failing_since, is_paused) -> None:
    assert replace(WEBHOOK, pauses=pauses, failing_since=failing_since).is_paused is is_paused


@pytest.mark.parametrize(
    ("description", "title"),
    [("Build", "Build"), (None, "POST ci.example"), ("", "POST ci.example"), (" ", "POST ci.example")],
)
def test_a_webhook_without_a_description_is_called_by_its_request(description: str | None, title: str) -> None:
    assert replace(WEBHOOK, description=description).title == title


@pytest.mark.parametrize(
    ("description", "events", "name"),
    [
        ("Build", ("contract_published",), "Build"),
        (" ", ("contract_published",), "Contract published to ci.example"),
        (None, ("contract_published", "contract_content_changed"), "Contract content changed and 1 more to ci.example"),
        (None, (), "No event to ci.example"),
    ],
)
def test_on_pages_it_is_called_by_its_events_and_the_host(
    description: str | None, events: tuple[str, ...], name: str
) -> None:
    assert replace(WEBHOOK, description=description, events=events).display_name == name


SHOP, TEAM = PacticipantMatcher(name="Shop"), PacticipantMatcher(label="team")


@pytest.mark.parametrize(
    ("consumer", "provider", "scope"),
    [
        (None, None, "A webhook for all pacts"),
        (SHOP, None, "A webhook for all pacts with consumer Shop"),
        (TEAM, None, "A webhook for all pacts with consumer labeled 'team'"),
        (None, SHOP, "A webhook for all pacts with provider Shop"),
        (None, TEAM, "A webhook for all pacts with provider labeled 'team'"),
        (SHOP, TEAM, "A webhook for the pact between Shop and providers labeled 'team'"),
        (TEAM, SHOP, "A webhook for the pact between consumers labeled 'team' and Shop"),
    ],
)
def test_a_webhook_describes_the_pacts_that_it_is_for(
    consumer: PacticipantMatcher | None, provider: PacticipantMatcher | None, scope: str
) -> None:
    assert replace(WEBHOOK, consumer=consumer, provider=provider).scope == scope


@pytest.mark.parametrize(
    ("value", "expected"), [("", True), ("*", True), ("**********", True), ("*a*", False), ("a", False)]
)
def test_a_value_of_asterisks_alone_is_a_mask(value: str, *, expected: bool) -> None:
    assert is_mask(value) is expected
