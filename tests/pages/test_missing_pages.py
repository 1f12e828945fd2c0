"""Pages that do not exist: their 404 response suggests similar names."""

import pytest


@pytest.fixture
def broker(api):
    for name in ("order-management-service", "legacy/erp-adapter", "Größenberatung"):
        assert api.post("/pacticipants", {"name": name}).status == 201
    return api


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("path", "similar"),
    [
        ("/pacticipants/order-managment-service", "/pacticipants/order-management-service"),
        ("/pacticipants/order-managment-service/usage", "/pacticipants/order-management-service/usage"),
        ("/pacticipants/legacy%2Ferp-adaptor", "/pacticipants/legacy%2Ferp-adapter"),
        ("/pacticipants/Gr%C3%B6ssenberatung", "/pacticipants/Gr%C3%B6%C3%9Fenberatung"),
    ],
)
def test_the_page_of_a_misspelt_application_suggests_the_same_page_of_similar_names(show, path, similar):
    page = show(path)
    assert page.status == 404
    assert "No application has the name" in page.text
    assert "Did you mean" in page.text
    assert similar in page.links


@pytest.mark.usefixtures("broker")
def test_a_name_that_resembles_no_other_gets_no_suggestion(show):
    page = show("/pacticipants/zzzzzz")
    assert page.status == 404
    assert "No application has the name zzzzzz." in page.text
    assert "Did you mean" not in page.text


def test_clients_of_the_api_get_the_same_response_as_before(broker):
    assert broker.get("/pacticipants/order-managment-service").json() == {
        "error": "No pacticipant with name 'order-managment-service' found"
    }
