"""Users that may only read see no forms, and no buttons that delete."""

import pytest

from tests.pages.conftest import BROWSER, Shown, read_page
from treaty.model.accounts.access import Role
from treaty.settings import Settings
from treaty.web.routers import list_routers


@pytest.fixture
def show_to_reader(make_api, accounts, history):  # noqa: ARG001 - the fixtures
    headers = {"authorization": f"Bearer {accounts(Role.READ_ONLY).text}"}
    # Another one than that of the history, which remembers for a while that there are no users.
    api = make_api()

    def show(path: str) -> Shown:
        return read_page(api.get(path, accept=BROWSER, headers=headers))

    return show


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/pacticipants/Till",
        "/dashboard/provider/Ledger/consumer/Till",
        "/pacts/provider/Ledger/consumer/Till/latest",
        "/environments",
        "/webhooks",
    ],
)
def test_a_reader_sees_no_form_that_writes_and_no_delete(show_to_reader, path):
    page = show_to_reader(path)
    assert page.status == 200
    assert [form.attributes for form in page.all("form") if form.attributes.get("method") == "post"] == []
    assert [form.attributes for form in page.all("form") if "data-api" in form.attributes] == []
    assert "Delete" not in page.text


@pytest.mark.parametrize("path", ["/pacticipants/Till/delete", "/pacticipants/Till/edit", "/environments/new"])
def test_a_reader_does_not_get_the_form_either(show_to_reader, path):
    assert show_to_reader(path).status == 403


def test_a_page_with_a_form_requires_the_permission_of_the_form():
    endpoints = [endpoint for router in list_routers(Settings()) for endpoint in router.endpoints.values()]
    pages = [(each.page, each.form) for each in endpoints if each.page and each.form]
    assert len(pages) > 10
    # Its page describes the engine to all users, and has the form for those that may accept it.
    differing = [page.url.template for page, form in pages if page.permission != form.permission]
    assert differing == ["/settings/comparisons"]
