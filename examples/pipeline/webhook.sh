#!/bin/sh
# Let the broker start the provider's workflow at GitHub for each pact that is still to be verified.
set -eu
: "${PACT_BROKER_BASE_URL:?the address of the broker}" "${REPOSITORY:?owner/name of the provider}" "${GITHUB_TOKEN:?}"

pact-broker create-or-update-pacticipant --name UserService

pact-broker create-webhook "https://api.github.com/repos/$REPOSITORY/dispatches" \
    --request POST \
    --header "Content-Type: application/json" \
    --header "Authorization: Bearer $GITHUB_TOKEN" \
    --data '{
      "event_type": "contract_requiring_verification_published",
      "client_payload": {
        "pact_url": "${pactbroker.pactUrl}",
        "version": "${pactbroker.providerVersionNumber}",
        "branch": "${pactbroker.providerVersionBranch}"
      }
    }' \
    --provider UserService \
    --contract-requiring-verification-published
