"""The values of parameters of webhooks, and the requests that are built from templates."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus

import pytest

from tests.model.deliveries import build_delivery
from treaty.model.webhooks import deliveries
from treaty.model.webhooks.deliveries import DeliveryStatus, NextStep, decide_next_step
from treaty.model.webhooks.parameters import DeliveryFacts, EventResult, ParameterUrls, build_parameters, fill_in
from treaty.model.webhooks.presets import PRESETS, find_preset, list_blanks
from treaty.model.webhooks.webhooks import WebhookRequest

FACTS = DeliveryFacts(
    consumer="Till",
    consumer_version="1 + 1",
    consumer_tags=("dev", "prod"),
    consumer_branch="feat/x",
    consumer_labels=("red", "round"),
    provider="Ledger",
    provider_labels=("blue",),
    sha="abc",
    result=None,
)
RESULT = EventResult(number=7, success=False, provider_version="5", provider_tags=("live",), provider_branch="main")
ADDRESSES = ParameterUrls(
    pact=lambda facts, metadata: f"/pact/{facts.sha}/{metadata}",
    result=lambda _facts, number: f"/r/{number}",
    webhook=lambda uuid: f"/w/{uuid}",
)


@pytest.mark.parametrize(
    ("facts", "context", "name", "expected"),
    [
        (FACTS, {}, "consumerName", "Till"),
        (FACTS, {}, "providerName", "Ledger"),
        (FACTS, {}, "consumerVersionNumber", "1 + 1"),
        (FACTS, {"consumer_version_number": "2"}, "consumerVersionNumber", "2"),
        (FACTS, {}, "consumerVersionTags", "dev, prod"),
        (FACTS, {"consumer_version_tags": ["x"]}, "consumerVersionTags", "x"),
        (FACTS, {"consumer_version_tags": []}, "consumerVersionTags", ""),
        (FACTS, {}, "consumerVersionBranch", "feat/x"),
        (FACTS, {"consumer_version_branch": "main"}, "consumerVersionBranch", "main"),
        (replace(FACTS, consumer_branch=None), {}, "consumerVersionBranch", ""),
        (FACTS, {}, "consumerLabels", "red, round"),
        (FACTS, {}, "providerLabels", "blue"),
        (FACTS, {}, "providerVersionNumber", ""),
        (FACTS, {"provider_version_number": "9"}, "providerVersionNumber", "9"),
        (FACTS, {"provider_version_descriptions": ["a", "b"]}, "providerVersionDescriptions", "a, b"),
        (FACTS, {}, "verificationResultUrl", ""),
        (FACTS, {}, "githubVerificationStatus", "pending"),
        (FACTS, {}, "gitlabVerificationStatus", "pending"),
        (FACTS, {}, "bitbucketVerificationStatus", "INPROGRESS"),
        (FACTS, {}, "azureDevOpsVerificationStatus", "pending"),
        (FACTS, {"event_name": "contract_published"}, "eventName", "contract_published"),
        (FACTS, {"build_url": "http://ci"}, "buildUrl", "http://ci"),
        (FACTS, {}, "buildUrl", ""),
        (replace(FACTS, result=RESULT), {}, "providerVersionNumber", "5"),
        (replace(FACTS, result=RESULT), {}, "providerVersionTags", "live"),
        (replace(FACTS, result=RESULT), {"provider_version_tags": ["then"]}, "providerVersionTags", "then"),
        (replace(FACTS, result=RESULT), {}, "providerVersionBranch", "main"),
        (replace(FACTS, result=RESULT), {"base_url": "http://b"}, "verificationResultUrl", "http://b/r/7"),
        (replace(FACTS, result=RESULT), {}, "githubVerificationStatus", "failure"),
        (replace(FACTS, result=RESULT), {}, "gitlabVerificationStatus", "failed"),
        (replace(FACTS, result=RESULT), {}, "bitbucketVerificationStatus", "FAILED"),
        (replace(FACTS, result=replace(RESULT, success=True)), {}, "azureDevOpsVerificationStatus", "succeeded"),
    ],
)
def test_a_parameter_has_the_value_of_its_event_or_the_current_value(facts, context, name, expected) -> None:
    assert build_parameters(facts, context, ADDRESSES)[name] == expected


def test_unknown_placeholders_stay_unchanged() -> None:
    assert fill_in("${pactbroker.eventName} ${pactbroker.unknown} ${other}", {"eventName": "e"}) == (
        "e ${pactbroker.unknown} ${other}"
    )


def test_values_are_not_filled_in_again() -> None:
    values = {"consumerName": "${pactbroker.providerName}", "providerName": "Ledger"}
    assert fill_in("${pactbroker.consumerName}", values) == "${pactbroker.providerName}"


def test_values_in_urls_are_form_encoded() -> None:
    assert fill_in("http://h/${pactbroker.a}?b=${pactbroker.a}", {"a": "1 + 1/&"}, quote_plus) == (
        "http://h/1+%2B+1%2F%26?b=1+%2B+1%2F%26"
    )


WORD = "pass"
REQUEST = WebhookRequest(method="post", url="http://h:8080/x", headers={}, body=None, username=None, password=None)


def _composed(**changes):
    return deliveries.build_outgoing_request(
        replace(REQUEST, **changes), {"consumerName": 'a "Till"'}, user_agent="Test"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (None, b""),
        ("plain ${pactbroker.consumerName}", b'plain a "Till"'),
        ({"a": ["é", 1, None]}, '{"a":["é",1,null]}'.encode()),
        ("", b""),
        (False, b"false"),
    ],
)
def test_a_body_is_sent_as_json_or_as_it_is(body, expected) -> None:
    sent = _composed(body=body)
    assert sent.body == expected
    assert sent.headers["content-length"] == str(len(expected))


def test_configured_headers_win_over_the_usual_ones() -> None:
    sent = _composed(headers={"accept": "text/plain", "user-agent": "Mine", "content-type": "application/json"})
    assert [sent.headers[name] for name in ("accept", "user-agent", "content-type", "host")] == [
        "text/plain",
        "Mine",
        "application/json",
        "h:8080",
    ]
    assert sent.method == "POST"


def test_a_username_makes_basic_authentication() -> None:
    assert _composed(username="u", password=WORD).headers["authorization"] == "Basic dTpwYXNz"
    assert "authorization" not in _composed(username="", password=WORD).headers


def test_a_signature_covers_the_time_and_the_body() -> None:
    at = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    sent = deliveries.sign_request(_composed(body="hello"), "s3cret!", delivery="d", at=at)
    assert sent.headers["x-treaty-timestamp"] == "1704164645"
    assert sent.headers["x-treaty-delivery"] == "d"
    # printf '1704164645.hello' | openssl dgst -sha256 -hmac 's3cret!'
    assert sent.headers["x-treaty-signature-256"] == (
        "sha256=4de1dd54cf4d4a39407f47c0a93fe1678d298e33c1b844c8479e5b1c35f906a5"
    )


@pytest.mark.parametrize(
    ("success", "attempts", "expected"),
    [
        (True, 1, NextStep(DeliveryStatus.SUCCESS)),
        (True, 3, NextStep(DeliveryStatus.SUCCESS)),
        (False, 1, NextStep(DeliveryStatus.RETRYING, timedelta(seconds=10))),
        (False, 2, NextStep(DeliveryStatus.RETRYING, timedelta(seconds=60))),
        (False, 3, NextStep(DeliveryStatus.FAILURE)),
        (False, 9, NextStep(DeliveryStatus.FAILURE)),
    ],
)
def test_a_failure_is_retried_according_to_the_schedule(success, attempts, expected) -> None:
    schedule = (timedelta(seconds=10), timedelta(seconds=60))
    assert decide_next_step(success=success, attempts=attempts, schedule=schedule) == expected


def test_secrets_are_masked_in_every_form() -> None:
    secrets = frozenset({'my "secret"', "a b&c"})
    text = 'x my "secret" ' + json.dumps('my "secret"') + " a b&c a+b%26c"
    assert deliveries.redact_secrets(text, secrets) == 'x ********** "**********" ********** **********'


@pytest.mark.parametrize(
    ("minutes", "is_failing", "expected"),
    [(5, True, False), (60, True, True), (60, False, False)],
)
def test_a_failing_delivery_older_than_the_retry_schedule_is_overdue(minutes, is_failing, expected) -> None:
    at = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    delivery = build_delivery(triggered_at=at, is_failing=is_failing)
    schedule = [timedelta(seconds=count) for count in (10, 60, 120, 300, 600, 1200)]
    assert delivery.is_overdue(schedule, at=at + timedelta(minutes=minutes)) is expected


@pytest.mark.parametrize(
    ("text", "filled_in"),
    [
        ("${pactbroker.name}", "<v>"),
        ("${user.A.b-c} ${secret.A}", "<u> <s>"),
        ("a ${pactbroker.other} ${user.B} ${name}", "a ${pactbroker.other} ${user.B} ${name}"),
    ],
)
def test_placeholders_of_parameters_and_secrets_are_filled_in(text, filled_in):
    values = {"name": "v", "user.A.b-c": "u", "secret.A": "s"}
    assert fill_in(text, values, lambda value: f"<{value}>") == filled_in


def test_a_preset_is_found_by_its_key():
    for preset in PRESETS:
        assert find_preset(preset.key) is preset
        assert all(blank in list_blanks(f"<p>{blank} {blank}</p>") for blank in preset.blanks)
    for key in (None, "", "a", "zzz"):
        assert find_preset(key) is None
