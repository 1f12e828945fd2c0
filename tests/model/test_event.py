"""Events of publications, their notices, and past events for the preview of a webhook."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from treaty.model.pacts.notices import (
    PublicationOutcome,
    PublishedContract,
    WebhookTrigger,
    build_contract_notices,
    build_version_notices,
    describe_similar_names,
)
from treaty.model.webhooks.events import (
    EVENT_NAMES,
    EVENT_TYPES,
    Event,
    EventSubject,
    PreviousContent,
    RequiredVerification,
    get_subject,
    group_by_version,
    list_first_publication_events,
    list_form_event_types,
    list_republication_events,
    list_verification_events,
)
from treaty.model.webhooks.previews import PreviewEvent, PreviewPact, PreviewResult, list_preview_events

PUBLISHED, CHANGED = "contract_published", "contract_content_changed"
REQUIRING = "contract_requiring_verification_published"
NOW = datetime(2024, 5, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("previous", "comments"),
    [
        ([(None, None)], ["first time untagged pact published"]),
        ([(None, "other")], ["pact content has changed since previous untagged version"]),
        ([("t", None)], ["first time any pact published for this consumer with consumer version tagged t"]),
        ([("t", "other")], ["pact content has changed since the last consumer version tagged with t"]),
        (
            [("t", "sha"), ("u", "other"), ("v", None)],
            [
                "pact content has changed since the last consumer version tagged with u",
                "first time any pact published for this consumer with consumer version tagged v",
            ],
        ),
    ],
)
def test_a_first_publication_has_changed_if_it_is_new_for_any_tag(
    previous: list[tuple[str | None, str | None]], comments: list[str]
) -> None:
    contents = [PreviousContent(tag=tag, sha=sha) for tag, sha in previous]
    changed = Event(CHANGED, ", ".join(comments))
    assert list_first_publication_events("sha", contents, requires_verification=False) == [Event(PUBLISHED), changed]
    assert list_first_publication_events("sha", contents, requires_verification=True) == [
        Event(PUBLISHED),
        Event(REQUIRING),
        changed,
    ]


@pytest.mark.parametrize(
    ("tags", "text"),
    [(["t"], "version with tag t"), (["t", "u"], "versions with tags t, u"), ([None], "versions with tags ")],
)
def test_the_same_content_has_not_changed(tags: list[str | None], text: str) -> None:
    contents = [PreviousContent(tag=tag, sha="sha") for tag in tags]
    published = Event(PUBLISHED, f"pact content is the same as previous {text} and no new tags were applied")
    assert list_first_publication_events("sha", contents, requires_verification=False) == [published]
    assert list_first_publication_events("sha", contents, requires_verification=True) == [published, Event(REQUIRING)]


@pytest.mark.parametrize("is_changed", [True, False])
@pytest.mark.parametrize("requires_verification", [True, False])
def test_a_repeated_publication_has_an_event_if_it_changed_the_pact(
    *, is_changed: bool, requires_verification: bool
) -> None:
    changed = Event(CHANGED, "pact content modified since previous publication for Till version 1")
    events = list_republication_events("Till", "1", is_changed=is_changed, requires_verification=requires_verification)
    assert events == [
        Event(PUBLISHED),
        *([Event(REQUIRING)] if requires_verification else []),
        *([changed] if is_changed else []),
    ]


def test_required_verifications_are_grouped_by_version() -> None:
    requirements = [
        ("2", "main", "trunk"),
        ("1", "deployed", "prod"),
        ("2", "released", "shops"),
        ("1", "deployed", "prod"),
        ("3", "released", "shops"),
    ]
    assert group_by_version(requirements) == [
        RequiredVerification(
            version="2", main_branch="trunk", descriptions=("latest from main branch", "released in shops")
        ),
        RequiredVerification(version="1", main_branch=None, descriptions=("deployed in prod",)),
        RequiredVerification(version="3", main_branch=None, descriptions=("released in shops",)),
    ]


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        (PUBLISHED, EventSubject.PACT),
        (REQUIRING, EventSubject.REQUIRED_VERIFICATION),
        ("", None),
        (None, None),
        ("x", None),
    ],
)
def test_an_event_has_a_subject(name: str | None, subject: EventSubject | None) -> None:
    assert get_subject(name) is subject


@pytest.mark.parametrize("selected", [[], [PUBLISHED], list(EVENT_NAMES)])
def test_a_form_offers_each_event_once_in_its_order(selected: list[str]) -> None:
    offered = list_form_event_types(selected)
    assert [event_type.form_position for event_type in offered] == list(range(1, len(EVENT_NAMES) + 1))


def test_a_form_offers_an_event_without_a_place_only_if_it_is_selected() -> None:
    first, second, *others = EVENT_TYPES
    hidden = (replace(first, form_position=None), replace(second, form_position=None))
    for selected, expected in (([], []), ([first.name, PUBLISHED], [first.name]), ([second.name], [second.name])):
        names = [event_type.name for event_type in list_form_event_types(selected, (*hidden, *others))]
        assert names[len(others) :] == [name for name in expected if name in {first.name, second.name}]


def _past_pact(version: str, hours: int, result: PreviewResult | None = None) -> PreviewPact:
    at = NOW + timedelta(hours=hours)
    return PreviewPact(consumer="Till", consumer_version=version, provider="Ledger", at=at, result=result)


def _result(hours: int, *, success: bool = True, number: int = 1) -> PreviewResult:
    return PreviewResult(number=number, success=success, provider_version="7", at=NOW + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("names", "events"),
    [
        ([PUBLISHED], [(PUBLISHED, "2"), (PUBLISHED, "1")]),
        # Of the events of a pact and of a result, the most specific one.
        ([PUBLISHED, CHANGED, REQUIRING], [(REQUIRING, "2"), (REQUIRING, "1")]),
        ([PUBLISHED, CHANGED], [(CHANGED, "2"), (CHANGED, "1")]),
        (["provider_verification_published"], [("provider_verification_published", "1")]),
        (
            ["provider_verification_published", "provider_verification_failed"],
            [("provider_verification_failed", "1")],
        ),
        (["provider_verification_succeeded"], []),
        (
            [PUBLISHED, "provider_verification_failed"],
            [("provider_verification_failed", "1"), (PUBLISHED, "2"), (PUBLISHED, "1")],
        ),
        ([], []),
    ],
)
def test_past_events_are_those_of_the_webhook_newest_first(names: list[str], events: list[tuple[str, str]]) -> None:
    pacts = [_past_pact("1", 1, _result(5, success=False)), _past_pact("2", 3)]
    assert [(event.name, event.pact.consumer_version) for event in list_preview_events(pacts, names)] == events


def test_a_past_event_is_identified_by_its_name_pact_and_result() -> None:
    pact = _past_pact("1", 1, _result(5))
    published, verified = (
        PreviewEvent(name=name, pact=pact) for name in (PUBLISHED, "provider_verification_published")
    )
    assert (published.result, published.at) == (None, pact.at)
    assert (verified.result, verified.at) == (pact.result, NOW + timedelta(hours=5))
    others = [
        PreviewEvent(name=PUBLISHED, pact=_past_pact("2", 1)),
        PreviewEvent(name=CHANGED, pact=pact),
        PreviewEvent(name=verified.name, pact=_past_pact("1", 1, _result(5, number=2))),
    ]
    assert len({event.key for event in (published, verified, *others)}) == 5
    assert len(published.key) == 24
    assert PreviewEvent(name=PUBLISHED, pact=_past_pact("1", 9)).key == published.key


@pytest.mark.parametrize("success", [True, False])
def test_a_result_fires_an_event_of_its_own_and_one_for_its_outcome(*, success: bool) -> None:
    outcome = "provider_verification_succeeded" if success else "provider_verification_failed"
    assert list_verification_events(success=success) == ["provider_verification_published", outcome]


# Notices


@pytest.mark.parametrize(
    ("is_new", "branch", "tags", "text"),
    [
        (True, None, (), "Created Till version 1"),
        (False, None, (), "Updated Till version 1"),
        (True, "main", (), "Created Till version 1 with branch main"),
        (True, None, ("a", "b"), "Created Till version 1 with tags a, b"),
        (False, "main", ("a",), "Updated Till version 1 with branch main and tags a"),
    ],
)
def test_a_version_is_described_with_its_branch_and_tags(
    *, is_new: bool, branch: str | None, tags: tuple[str, ...], text: str
) -> None:
    notices = build_version_notices("Till", "1", is_new=is_new, branch=branch, tags=tags)
    assert (notices[0].type, notices[0].text) == ("debug", text)
    assert [notice.type for notice in notices[1:]] == ([] if branch else ["prompt"])


@pytest.mark.parametrize("outcome", list(PublicationOutcome))
@pytest.mark.parametrize("is_verified", [True, False])
@pytest.mark.parametrize("has_webhooks", [True, False])
def test_the_notices_of_a_publication_have_its_outcome_and_the_next_steps(
    *, outcome: PublicationOutcome, is_verified: bool, has_webhooks: bool
) -> None:
    contract = PublishedContract(
        consumer="Till",
        version="1",
        provider="Ledger",
        outcome=outcome,
        events=(Event(PUBLISHED), Event(CHANGED, "why")),
        triggered=(),
        has_webhooks=has_webhooks,
        is_verified=is_verified,
    )
    notices = build_contract_notices(contract, pact_url="URL", logs_url="LOGS/{uuid}")
    assert notices[0].type == ("warning" if outcome is PublicationOutcome.CHANGED else "success")
    assert notices[2].text == f"  Events detected: {PUBLISHED}, {CHANGED} (why)"
    texts = "\n".join(notice.text for notice in notices)
    assert ("No enabled webhooks found" in texts) is has_webhooks
    assert ("Add Pact verification tests" in texts) is not is_verified
    assert ("Configure separate Ledger" in texts) is not has_webhooks
    assert ("Next steps:" in texts) is not (is_verified and has_webhooks)


@pytest.mark.parametrize(("description", "name"), [('a "b" é', '"a \\"b\\" é"'), (None, "hook"), ("", "hook")])
def test_triggered_webhooks_are_named_with_their_logs(description: str | None, name: str) -> None:
    trigger = WebhookTrigger(webhook="hook", description=description, event=PUBLISHED, uuid="u1")
    contract = PublishedContract(
        consumer="Till",
        version="1",
        provider="Ledger",
        outcome=PublicationOutcome.NEW,
        events=(),
        triggered=(trigger,),
        has_webhooks=True,
        is_verified=True,
    )
    notices = build_contract_notices(contract, pact_url="URL", logs_url="LOGS/{uuid}")
    assert [notice.text for notice in notices[3:]] == [
        f"  Webhook {name} triggered for event {PUBLISHED}.\n    View logs at LOGS/u1"
    ]


@pytest.mark.parametrize(("name", "quoted"), [("Shop 1", '"Shop 1"'), ("$HOME", "'$HOME'"), ('a"b', "'a\"b'")])
def test_a_command_for_a_similar_name_can_be_copied(name: str, quoted: str) -> None:
    text = describe_similar_names(name, ["Shop", "Stop"], "http://broker/?a b")
    assert f"--name {quoted} --broker-base-url 'http://broker/?a b'\n" in text
    assert "* Shop\n* Stop\n" in text
