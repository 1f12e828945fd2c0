"""What the client asks of the user service, and what it expects back."""

import pytest
from pact import Pact, match
from user_service_client import User, UserServiceClient

TIME = r"\d+-\d+-\d+T\d+:\d+:\d+"

pytestmark = pytest.mark.pact(consumer="UserServiceClient", provider="UserService")


def test_a_user_who_exists(pact: Pact) -> None:
    (
        pact.upon_receiving("a request for UserA")
        .given("UserA exists and is not an administrator")
        .with_request("GET", "/users/UserA")
        .will_respond_with(200)
        .with_body({"name": "UserA", "created_on": match.regex("2016-12-15T20:16:01", regex=TIME)})
    )
    with pact.serve() as mock:
        user = UserServiceClient(mock.url).get_user("UserA")
    assert user == User(name="UserA", created_on="2016-12-15T20:16:01")


def test_a_user_who_does_not_exist(pact: Pact) -> None:
    (
        pact.upon_receiving("a request for UserB")
        .given("UserB does not exist")
        .with_request("GET", "/users/UserB")
        .will_respond_with(404)
    )
    with pact.serve() as mock:
        assert UserServiceClient(mock.url).get_user("UserB") is None
