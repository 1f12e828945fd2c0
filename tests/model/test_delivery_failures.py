"""Short reasons of failed deliveries."""

import pytest

from treaty.model.webhooks.failures import DeliveryFailure, describe_failure


def log(kind, reason):
    return (
        f"[2026-01-01T00:00:00Z] INFO: HTTP/1.1 POST https://x\n[…] ERROR: Error executing webhook u1 {kind} - {reason}"
    )


@pytest.mark.parametrize(
    ("status", "text", "summary", "detail"),
    [
        (403, "", "403 Forbidden", ""),
        (599, None, "599", ""),
        (None, log("ReadTimeout", "no response in time"), "Timed out", "no response in time"),
        (None, log("TimeoutError", "no response in time"), "Timed out", "no response in time"),
        (
            None,
            log("ConnectError", "[SSL: CERTIFICATE_VERIFY_FAILED] x"),
            "TLS error",
            "x",
        ),
        (
            None,
            log("ConnectError", "[Errno 111] Connection refused"),
            "Connection refused",
            "",
        ),
        (
            None,
            log("ConnectError", "[Errno -2] Name or service not known"),
            "Host not found",
            "Name or service not known",
        ),
        (None, log("Refused", "10.0.0.1 is private"), "Not sent", "10.0.0.1 is private"),
        (None, log("UnusableValue", "the URL"), "Not sent", "the URL"),
        (None, log("RemoteProtocolError", "Server disconnected"), "Connection lost", "Server disconnected"),
        (None, log("ConnectError", ""), "No response", "ConnectError"),
        (None, None, "No response", ""),
        (None, "ERROR: … the response details are not logged. …", "Response hidden", None),
    ],
)
def test_a_failure_is_described_by_its_status_or_by_its_error(status, text, summary, detail):
    failure = describe_failure(status, text)
    assert failure.summary == summary
    if detail is not None:
        assert failure == DeliveryFailure(summary, detail)


def test_long_errors_are_shortened():
    assert describe_failure(None, log("Refused", "x" * 500)).detail == "x" * 160 + "…"
