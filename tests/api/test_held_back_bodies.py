"""A client that holds back its request's body gains no time: its permissions are checked once the body has arrived."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.credentials import PASSWORD, basic, bearer
from treaty.actions.accounts import accounts as account_actions
from treaty.actions.accounts import credentials
from treaty.model.accounts.access import Role

pytestmark = pytest.mark.slow_on_postgresql  # about requests, and not about data

BODY = b'{"name": "Shop"}'
JSON = {"content-type": "application/json", "accept": "application/hal+json"}


def disable(db, now, _issued):
    account_actions.disable_account(db, account_actions.get_account(db, "eve"), now=now)


def demote(db, now, _issued):
    account_actions.set_role(db, account_actions.get_account(db, "eve"), Role.READ_ONLY, now=now)


def revoke(db, _now, issued):
    credentials.revoke_token(db, issued.token)


@pytest.mark.parametrize(
    ("kind", "loss", "status"),
    [
        ("token", disable, 401),
        ("token", demote, 403),
        ("token", revoke, 401),
        ("password", disable, 401),
        ("password", demote, 403),
    ],
)
def test_a_caller_that_loses_access_while_the_body_arrives_writes_nothing(
    make_api, accounts, database, kind, loss, status
):
    api, issued = make_api(), accounts(Role.READ_WRITE, "eve")
    headers = bearer(issued) if kind == "token" else basic("eve", PASSWORD)

    def meanwhile():
        database.write(lambda db: loss(db, datetime.now(UTC), issued))

    reader = bearer(accounts(Role.READ_ONLY, "reader"))
    assert api.held_back("POST", "/pacticipants", BODY, {**JSON, **headers}, meanwhile).status == status
    assert api.get("/pacticipants/Shop", headers=reader).status == 404


def test_an_open_broker_that_gets_its_first_user_while_the_body_arrives_is_closed(make_api, accounts):
    api = make_api()
    assert api.get("/pacticipants").status == 200
    assert api.held_back("POST", "/pacticipants", BODY, JSON, lambda: accounts(Role.READ_WRITE, "eve")).status == 401


def test_a_body_that_arrives_slowly_is_accepted_and_dated_by_its_arrival(make_api, accounts, clock):
    api, headers = make_api(), bearer(accounts(Role.READ_WRITE, "eve"))
    began = clock.now

    def meanwhile():
        clock.now = began + timedelta(minutes=5)

    created = api.held_back("POST", "/pacticipants", BODY, {**JSON, **headers}, meanwhile)
    assert created.status == 201
    assert created.json()["createdAt"].startswith((began + timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M"))
