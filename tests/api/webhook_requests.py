"""Sending a webhook as workers do, and addresses to which none may be sent."""

from typing import Any

from tests.model.deliveries import build_delivery
from tests.waiting import PATIENCE
from treaty import outgoing
from treaty.actions.webhooks import deliveries
from treaty.model.webhooks.deliveries import NoResponse, OutgoingRequest, WebhookResponse
from treaty.settings import Settings
from treaty.web.parameter_urls import PARAMETER_URLS

PATIENT = dict.fromkeys(("webhook_connect_timeout", "webhook_read_timeout", "webhook_total_timeout"), 2 * PATIENCE)
"""Settings with which a sender waits for this machine. Tests of timeouts have shorter ones."""


def send_webhook(url: str, look_up: Any = outgoing.resolve_host, **settings: Any) -> WebhookResponse | NoResponse:
    chosen = Settings(**{**PATIENT, **settings})

    def send(request: OutgoingRequest, settings: Settings) -> WebhookResponse | NoResponse:
        return outgoing.send(request, settings, resolve=look_up)

    return deliveries.attempt_delivery(
        build_delivery(url, body={}), settings=chosen, parameter_urls=PARAMETER_URLS, send=send
    ).outcome


HOSTILE = [
    # Loopback, in each notation
    "http://127.0.0.1:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.1.2.3:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0x7f.1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0x0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:7f00:1::1]:{port}/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:{port}/",
    "http://[fe80::5efe:127.0.0.1]:{port}/",
    "http://user:pass@127.0.0.1:{port}/",
    "http://example.org@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}\\@example.org/",
    "http://example.org\\@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.org/",
    "http://127.0.0.1:{port}?@example.org/",
    "HTTP://127.0.0.1:{port}/",
    "http://１２７.0.0.1:{port}/",  # noqa: RUF001 - that is the point
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://ⓛocalhost:{port}/",
    "http://127.0.0.1%2f:{port}/",
    "http://127.0.0.1%00.example.org:{port}/",
    # Everywhere on this machine
    "http://0.0.0.0:{port}/",
    "http://0:{port}/",
    "http://0x0:{port}/",
    "http://[::]:{port}/",
    "http://[::ffff:0.0.0.0]:{port}/",
    # Private networks
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://3232235521/",
    "http://0xc0a80001/",
    "http://[fc00::1]/",
    "http://[fd12:3456:789a::1]/",
    "http://[::ffff:10.0.0.1]/",
    "http://[64:ff9b::a00:1]/",
    "http://[2002:a00:1::1]/",
    "http://100.64.0.1/",
    # Link-local and metadata
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.43518/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0xa9.0xfe.0xa9.0xfe/",
    "http://0251.0376.0251.0376/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:a9fe:a9fe::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/latest/",
    "http://100.100.100.200/latest/meta-data/",
    "http://192.0.0.192/opc/v2/",
    "http://168.63.129.16/machine/",
    # Addresses without a host, or with several
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[ff02::1]/",
    "http://[2001:db8::1]/",
    "http://[100::1]/",
    # No HTTP at all
    "file:///etc/passwd",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http:///nowhere",
    "http://[::1/",
    "http://127.0.0.1:99999/",
]
