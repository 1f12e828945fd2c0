"""Environments: adding, changing, listing and removing them."""

import pytest

from tests.api.client import Api, Clock

NOWHERE = "/environments/00000000-0000-4000-8000-000000000000"


def test_the_location_of_a_new_environment_returns_it(api: Api) -> None:
    created = api.post("/environments", {"name": "test", "displayName": "Testing", "production": False})
    assert created.status == 201
    assert created.headers["location"] == "http://localhost" + created.link("self")
    assert api.get(created.link("self")).json() == created.json()


def test_an_environment_has_the_fields_it_was_created_with(api: Api) -> None:
    contacts = [{"name": "Team", "details": {"email": "a@b.example"}}, {"name": "Ann"}]
    body = {"name": "live", "displayName": "Live", "production": True, "contacts": contacts}
    shown = api.post("/environments", body).json()
    assert {name: shown[name] for name in body} == body


def test_a_display_name_is_made_of_the_name(api: Api) -> None:
    created = api.post("/environments", {"name": "fooProd_1-x", "displayName": " ", "production": True})
    assert created.json()["displayName"] == "Foo Prod 1-x"


def test_contacts_are_left_out_only_when_none_were_given(api: Api) -> None:
    assert "contacts" not in api.post("/environments", {"name": "a", "production": True}).json()
    assert api.post("/environments", {"name": "b", "production": True, "contacts": []}).json()["contacts"] == []


def test_the_server_chooses_the_uuid(api: Api) -> None:
    created = api.post("/environments", {"name": "a", "production": True, "uuid": "mine"})
    assert created.json()["uuid"] != "mine"


def test_a_name_is_given_once(api: Api) -> None:
    body = {"name": "test", "production": False}
    api.post("/environments", body)
    again = api.post("/environments", body)
    assert (again.status, again.json()) == (
        400,
        {"errors": {"name": ["name 'test' is already used by an existing environment."]}},
    )


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, {"name": ["is missing"], "production": ["is missing"]}),
        ({"name": "", "production": None}, {"name": ["must be filled"], "production": ["must be filled"]}),
        (
            {"name": "a b", "production": "yes"},
            {"name": ["cannot contain spaces"], "production": ["must be one of: true, false"]},
        ),
        ({"name": "a\nb", "production": True}, {"name": ["cannot contain multiple lines"]}),
        ({"name": "a", "production": True, "displayName": 3}, {"displayName": ["must be a string"]}),
        ({"name": "a", "production": True, "contacts": None}, {"contacts": ["must be an array"]}),
        (
            {"name": "a", "production": True, "contacts": [{"details": "d"}, {"name": ""}, 5]},
            {
                "contacts": [
                    "name is missing (at index 0)",
                    "details must be a hash (at index 0)",
                    "name must be filled (at index 1)",
                    "must be a hash (at index 2)",
                ]
            },
        ),
    ],
)
def test_an_invalid_environment_returns_400_and_its_errors(api: Api, body: object, errors: object) -> None:
    answer = api.post("/environments", body)
    assert (answer.status, answer.json()) == (400, {"errors": errors})


def test_environments_are_listed_by_their_display_names_whatever_the_case(api: Api) -> None:
    for name, display_name in (("c", "zebra"), ("b", "Yak"), ("a", "ant")):
        api.post("/environments", {"name": name, "displayName": display_name, "production": False})
    listed = api.get("/environments?x=y").json()
    assert [environment["displayName"] for environment in listed["_embedded"]["environments"]] == [
        "ant",
        "Yak",
        "zebra",
    ]
    assert [link["name"] for link in listed["_links"]["pb:environments"]] == ["a", "b", "c"]
    assert listed["_links"]["self"]["href"] == "http://localhost/environments"


@pytest.mark.parametrize(("query", "names"), [("name=test", ["test"]), ("name=tes", [])])
def test_an_environment_is_found_by_its_exact_name(api: Api, query: str, names: list[str]) -> None:
    for name in ("test", "live"):
        api.post("/environments", {"name": name, "production": False})
    environments = api.get(f"/environments?{query}").json()["_embedded"]["environments"]
    assert [environment["name"] for environment in environments] == names


def test_an_environment_is_replaced_whole(api: Api, clock: Clock) -> None:
    body = {"name": "test", "displayName": "Kitchen", "production": False, "contacts": []}
    path = api.post("/environments", body).link("self")
    clock.now = clock.now.replace(year=2025)
    replaced = api.put(path, {"name": "renamed", "production": True})
    assert replaced.status == 200
    assert replaced.json()["displayName"] == "Renamed"
    assert replaced.json()["updatedAt"] == "2025-05-06T07:08:09+00:00"
    assert "contacts" not in replaced.json()
    assert api.get(path).json() == replaced.json()


def test_an_environment_may_keep_its_name_but_not_take_anothers(api: Api) -> None:
    path = api.post("/environments", {"name": "test", "production": False}).link("self")
    api.post("/environments", {"name": "other", "production": False})
    assert api.put(path, {"name": "test", "production": True}).status == 200
    assert api.put(path, {"name": "other", "production": True}).status == 400


def test_a_removed_environment_returns_404(api: Api) -> None:
    path = api.post("/environments", {"name": "test", "production": False}).link("self")
    assert api.delete(path).status == 204
    assert api.delete(path).status == 404
    assert api.get(path).status == 404


def test_a_missing_environment_returns_404_before_its_body_is_checked(api: Api) -> None:
    assert api.put(NOWHERE, {}).status == 404


def test_an_environment_is_not_patched(api: Api) -> None:
    answer = api.patch(NOWHERE, {"production": False})
    assert (answer.status, answer.headers["allow"]) == (405, "GET, PUT, DELETE, OPTIONS")


def test_details_that_are_nested_too_deeply_are_refused(api: Api) -> None:
    details = b'{"a":' * 300 + b"1" + b"}" * 300
    body = b'{"name": "test", "production": true, "contacts": [{"name": "Ann", "details": ' + details + b"}]}"
    answer = api.post("/environments", body)
    assert (answer.status, answer.json()["error"][:19]) == (400, "JSON::NestingError ")
