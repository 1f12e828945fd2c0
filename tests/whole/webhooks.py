"""Settings of a server that may send webhooks to this machine, and the events that trigger them."""

OPEN = {
    "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST": "http https",
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
    "PACT_BROKER_WEBHOOK_RETRY_SCHEDULE": "1 1 1 1 1 1",
}
TILL, EVENTS = "Till", [{"name": "contract_published"}]
