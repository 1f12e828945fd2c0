"""Deliveries without a network: requests, signatures, retries and logs."""

import hashlib
import hmac
import itertools
import json
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from tests.model.deliveries import build_delivery
from treaty.model.webhooks.deliveries import (
    Attempt,
    DeliveryStatus,
    LogFormatter,
    NextStep,
    NoResponse,
    OutgoingRequest,
    TriggeredWebhook,
    WebhookResponse,
    build_outgoing_request,
    decide_next_step,
    format_log,
    mask_log,
    redact_request,
    redact_secrets,
    remove_cut_secret,
    sign_request,
)
from treaty.model.webhooks.webhooks import MASK, WebhookRequest

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SCHEDULE = (10 * SECOND, 60 * SECOND)
FORMATTER = LogFormatter(webhook="hook", base_url="http://broker", can_show_response=True, is_redacted=True)


def outgoing(url: str = "http://localhost/hook", **more) -> OutgoingRequest:
    fields: dict[str, Any] = {
        "method": "post",
        "url": url,
        "headers": {},
        "body": None,
        "username": None,
        "password": None,
    } | more
    return build_outgoing_request(WebhookRequest(**fields), {}, user_agent="Treaty")


@pytest.mark.parametrize(
    ("success", "attempts", "expected"),
    [
        (True, 1, NextStep(DeliveryStatus.SUCCESS)),
        (True, 3, NextStep(DeliveryStatus.SUCCESS)),
        (False, 1, NextStep(DeliveryStatus.RETRYING, SCHEDULE[0])),
        (False, 2, NextStep(DeliveryStatus.RETRYING, SCHEDULE[1])),
        (False, 3, NextStep(DeliveryStatus.FAILURE)),
        (False, 4, NextStep(DeliveryStatus.FAILURE)),
    ],
)
def test_a_failed_attempt_is_repeated_after_each_delay_of_the_schedule(success, attempts, expected):
    assert decide_next_step(success=success, attempts=attempts, schedule=SCHEDULE) == expected


@pytest.mark.parametrize(
    ("status", "attempts", "remaining"),
    [
        (DeliveryStatus.NOT_RUN, 0, 3),
        (DeliveryStatus.RETRYING, 1, 2),
        (DeliveryStatus.RETRYING, 2, 1),
        (DeliveryStatus.RETRYING, 3, 0),
        (DeliveryStatus.RETRYING, 4, 0),
        (DeliveryStatus.SUCCESS, 1, 0),
        (DeliveryStatus.FAILURE, 1, 0),
    ],
)
def test_an_open_delivery_has_the_attempts_of_the_schedule_and_one_more(status, attempts, remaining):
    names: dict[str, Any] = {
        "webhook": "hook",
        "request_name": None,
        "consumer": "C",
        "consumer_version": "1",
        "provider": "P",
    }
    triggered = TriggeredWebhook(
        uuid="u", event="contract_published", status=status, attempts=attempts, triggered_at=NOW, **names
    )
    assert triggered.attempts_remaining(SCHEDULE) == remaining


@pytest.mark.parametrize(
    ("is_failing", "seconds", "is_overdue"),
    # All attempts take 70 seconds, a quarter more for delays, and a minute for the requests.
    [(True, 147.5, False), (True, 147.6, True), (False, 10_000, False)],
)
def test_a_delivery_that_waited_for_long_behind_failing_ones_is_overdue(is_failing, seconds, is_overdue):
    delivery = build_delivery(triggered_at=NOW, is_failing=is_failing)
    assert delivery.is_overdue(SCHEDULE, at=NOW + timedelta(seconds=seconds)) is is_overdue


@pytest.mark.parametrize(
    ("secret", "is_masked"),
    [("abc", False), ("abcd", True), ("abcde", True)],
)
def test_texts_of_four_characters_or_more_are_masked_as_secrets(secret, is_masked):
    for request in (
        outgoing(username="u", password=secret),
        outgoing(f"http://u:{secret}@localhost/"),
        outgoing(headers={"X-Token": secret}),
        outgoing(headers={"Authorization": f"Bearer {secret}"}),
    ):
        assert (secret in request.secrets) is is_masked
    assert outgoing(headers={"X-Other": secret}).secrets == frozenset()


def test_a_request_is_shown_without_its_secrets_in_any_form():
    body = {"plain": 'se"cret ü', "url": "se%22cret%20%C3%BC", "form": "se%22cret+%C3%BC"}
    credentials: dict[str, Any] = {"username": "u", "password": 'se"cret ü'}
    request = outgoing(**credentials, body=body, headers={"X-Token": "tokens", "a": "tokens"})
    shown = redact_request(request)
    assert "cret" not in shown.body.decode()
    assert shown.body.decode().count(MASK) == 3
    assert (shown.headers["a"], shown.headers["X-Token"], shown.headers["authorization"]) == (MASK, MASK, MASK)
    assert shown.headers["user-agent"] == "Treaty"
    assert shown.secrets == frozenset()


def test_of_two_secrets_the_longer_one_is_masked_first():
    request = outgoing(headers={"X-Token": "abcdef", "Authorization": "abcd"}, body="abcdef abcd")
    assert redact_request(request).body.decode().strip('"') == f"{MASK} {MASK}"


def test_a_signature_covers_the_time_and_the_body():
    signed = sign_request(outgoing(body="x"), "secret", delivery="d1", at=NOW + timedelta(milliseconds=900))
    timestamp = str(int(NOW.timestamp()))
    expected = hmac.new(b"secret", f"{timestamp}.".encode() + signed.body, hashlib.sha256).hexdigest()
    assert signed.headers["x-treaty-delivery"] == "d1"
    assert signed.headers["x-treaty-timestamp"] == timestamp
    assert signed.headers["x-treaty-signature-256"] == f"sha256={expected}"
    assert "secret" in signed.secrets


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://localhost/", "localhost"),
        ("http://u:p@localhost:81/", "localhost:81"),
        ("http://bücher.example/", "xn--bcher-kva.example"),
    ],
)
def test_the_header_host_names_the_host_alone(url, host):
    assert outgoing(url).headers["host"] == host


def attempt(outcome, request=None, milliseconds: float = 1500) -> Attempt:
    return Attempt(
        request=request, outcome=outcome, started_at=NOW, finished_at=NOW + timedelta(milliseconds=milliseconds)
    )


def response(body: bytes = b"", **more) -> WebhookResponse:
    fields: dict[str, Any] = {"status": 200, "reason": "OK", "headers": (("a", "b"),), "body": body}
    return WebhookResponse(**(fields | more))


def test_a_log_reads_like_the_originals():
    request = outgoing(body="x", headers={"X-Token": "tokens"})
    shown = format_log(attempt(response(b"tokens"), request), {"a": "ü"}, FORMATTER, "Done")
    before, after = "[2024-05-06T07:08:09Z]", "[2024-05-06T07:08:10Z]"
    assert shown.splitlines() == [
        f'{before} DEBUG: Webhook context {{"a":"ü"}}',
        f"{before} INFO: HTTP/1.1 POST http://localhost/hook",
        *(f"{before} INFO: {name}: {MASK if name == 'X-Token' else value}" for name, value in request.headers.items()),
        f"{before} INFO: {request.body.decode()}",
        f"{after} INFO: HTTP/1.1 200 OK",
        f"{after} INFO: a: b",
        f"{after} INFO: {MASK}",
        f"{after} DEBUG: Took 1500 ms",
        f"{after} INFO: Done",
    ]


@pytest.mark.parametrize(
    ("outcome", "has_request", "can_show", "text"),
    [
        (NoResponse("Timeout", "too slow"), True, True, "ERROR: Error executing webhook hook Timeout - too slow"),
        (NoResponse("Timeout", "too slow"), False, True, "ERROR: Error executing webhook hook Timeout - too slow"),
        (NoResponse("Timeout", "too slow"), False, False, "ERROR: Error executing webhook hook Timeout - too slow"),
        (NoResponse("Timeout", "too slow"), True, False, "ERROR: Error executing webhook hook. For security purposes"),
        (response(b"inner"), True, False, "INFO: For security purposes, the response details are not logged."),
        (response(b"inner"), True, True, "INFO: inner"),
        (response(b"in\xffner"), True, True, "DEBUG: Note that invalid UTF-8 byte sequences were removed"),
        (response(b"inner", is_truncated=True), True, True, "DEBUG: Only the first 5 bytes of the response body"),
    ],
)
def test_a_log_shows_a_response_only_where_it_may(outcome, has_request, can_show, text):
    formatter = LogFormatter(webhook="hook", base_url="http://broker", can_show_response=can_show, is_redacted=True)
    shown = format_log(attempt(outcome, outgoing() if has_request else None), {}, formatter, None)
    assert text in shown
    assert ("inner" in shown or "Timeout" in shown) is (can_show or not has_request)
    notes = ("invalid UTF-8" in shown, "Only the first" in shown)
    assert notes == ("invalid UTF-8" in text, "Only the first" in text)


def test_a_log_for_the_owner_has_everything_but_null_characters():
    formatter = LogFormatter(webhook="hook", base_url="http://broker", can_show_response=True, is_redacted=False)
    shown = format_log(attempt(response(b"to\0kens"), outgoing(headers={"X-Token": "tokens"})), {}, formatter, None)
    assert "X-Token: tokens" in shown
    assert MASK not in shown
    assert "INFO: tokens" in shown


@pytest.mark.parametrize(
    ("outcome", "status", "is_final", "is_success"),
    [
        (response(), 200, False, True),
        (response(status=500), 500, False, False),
        (NoResponse("Timeout", "too slow"), None, False, False),
        (NoResponse("Invalid", "no host", is_final=True), None, True, False),
    ],
)
def test_an_attempt_is_judged_by_its_status(outcome, status, is_final, is_success):
    judged = attempt(outcome, milliseconds=1.9)
    assert (judged.status, judged.is_final, judged.is_success([200, 201])) == (status, is_final, is_success)
    assert judged.milliseconds == 1


@pytest.mark.parametrize(
    ("body", "remaining"),
    [
        (b"text abcd", b"text "),
        (b"text abcdefg", b"text "),
        (b"text abc", b"text abc"),
        (b"abcd text", b"abcd text"),
        # The longest beginning, and one that is escaped.
        (b"a aa-aa-", b"a "),
        (b'"se\\"c', b'"'),
        (b"se%22c", b""),
    ],
)
def test_the_beginning_of_a_secret_is_removed_from_the_end_of_a_truncated_body(body, remaining):
    secrets = frozenset({"abcdefgh", "aa-aa-bb", 'se"cret'})
    assert remove_cut_secret(response(body, is_truncated=True), secrets).body == remaining
    assert remove_cut_secret(response(body), secrets) == response(body)


@pytest.mark.parametrize("secret", ['a"b\\cd', "a b&c<d>", "ünsicher", 'ü"ber\\"lang', "a'b\"c"])
def test_a_secret_is_masked_in_each_form_in_which_a_receiver_may_return_it(secret):
    secrets = frozenset({secret})
    masked = json.dumps({"key": MASK})
    for is_ascii, is_outer_ascii in itertools.product((True, False), repeat=2):
        document = json.dumps({"key": secret}, ensure_ascii=is_ascii)
        assert redact_secrets(document, secrets) == masked
        nested = json.dumps({"key": document}, ensure_ascii=is_outer_ascii)
        assert redact_secrets(nested, secrets) == json.dumps({"key": masked})
    encoded = (quote(secret, safe=""), quote_plus(secret), quote(secret, safe="").lower())
    for text in (secret, *encoded, escape(secret), escape(secret, quote=False)):
        assert redact_secrets(f"<{text}>", secrets) == f"<{MASK}>"


def log(*lines: str) -> str:
    return "\n".join(f"[2026-11-01T07:08:09Z] {line}" for line in lines)


REQUEST_LINE = "INFO: HTTP/1.1 POST https://ci.example/"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (log(REQUEST_LINE, "INFO: deploy: a"), log(REQUEST_LINE, f"INFO: deploy: {MASK}")),
        (log(REQUEST_LINE, "INFO: Deploy: a"), log(REQUEST_LINE, f"INFO: Deploy: {MASK}")),
        (
            log(REQUEST_LINE, "INFO: x-job: 7", "INFO: deploy: a"),
            log(REQUEST_LINE, "INFO: x-job: 7", f"INFO: deploy: {MASK}"),
        ),
        (log(REQUEST_LINE, "INFO: accept: a"), log(REQUEST_LINE, "INFO: accept: a")),
        (log(REQUEST_LINE, "INFO: deploy: "), log(REQUEST_LINE, "INFO: deploy: ")),
        (log(REQUEST_LINE, "INFO: deploy: ${user.A}"), log(REQUEST_LINE, "INFO: deploy: ${user.A}")),
        # Only directly after the request line.
        (log("INFO: deploy: a"), log("INFO: deploy: a")),
        (log(REQUEST_LINE, "INFO: {}", "INFO: deploy: a"), log(REQUEST_LINE, "INFO: {}", "INFO: deploy: a")),
        (
            log(REQUEST_LINE, "INFO: HTTP/1.1 200 OK", "INFO: deploy: a"),
            log(REQUEST_LINE, "INFO: HTTP/1.1 200 OK", "INFO: deploy: a"),
        ),
        (log(REQUEST_LINE, "DEBUG: deploy: a"), log(REQUEST_LINE, "DEBUG: deploy: a")),
        (log(REQUEST_LINE, "INFO: {}", "INFO: the secret"), log(REQUEST_LINE, "INFO: {}", f"INFO: the {MASK}")),
    ],
)
def test_credentials_in_an_old_log_are_masked(text, masked):
    assert mask_log(text, frozenset({"secret"})) == masked
