"""The consumer as tutorials for pact-python 1 and 2 have it. Only this line was changed: `from pact import ...`."""

import atexit

from user_service_client import get_user

from treaty.pact import Consumer, Format, Like, Provider, Term

pact = Consumer("UserServiceClient").has_pact_with(
    Provider("UserService"), host_name="localhost", port=1234, pact_dir=".", log_dir="."
)
pact.start_service()
atexit.register(pact.stop_service)


def test_get_user() -> None:
    expected = {
        "name": "UserA",
        "id": Format().uuid,
        "created_on": Term(r"\d+-\d+-\d+T\d+:\d+:\d+", "2016-12-15T20:16:01"),
        "admin": Like(False),  # noqa: FBT003 - as the tutorial has it
    }
    (
        pact.given("UserA exists and is not an administrator")
        .upon_receiving("a request for UserA")
        .with_request("get", "/users/UserA")
        .will_respond_with(200, body=expected)
    )
    with pact:
        user = get_user(pact.uri, "UserA")
    assert user["name"] == "UserA"
