#!/bin/sh
# The same without containers: Treaty with SQLite, at http://127.0.0.1:8000 (PORT), login pact_workshop / pact_workshop.
set -eu
export PACT_BROKER_BASIC_AUTH_USERNAME=pact_workshop
export PACT_BROKER_BASIC_AUTH_PASSWORD=pact_workshop
exec treaty serve --port "${PORT:-8000}" --database-url "${PACT_BROKER_DATABASE_URL:-sqlite:///treaty.sqlite}"
