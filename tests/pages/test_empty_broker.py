"""Each page of an empty broker says what to do next: a command, a form, or the first steps."""

import pytest

pytestmark = pytest.mark.slow_on_postgresql

PATHS = (
    *("/", "/?tags=true", "/trends", "/network", "/environments", "/environments/new", "/webhooks", "/webhooks/new"),
    *("/secrets", "/overrides", "/overrides/new", "/decisions", "/decisions/trends", "/search", "/matrix"),
    *("/settings/tokens", "/settings/account"),
)
FIRST_STEPS = '<a href="/">First steps</a>'


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_page_leads_on(show, path):
    page = show(path)
    assert page.status == 200
    main = page.answer.text.partition("<main")[2].partition("</main>")[0]
    is_form = 'method="post"' in main or 'class="question-form"' in main
    assert FIRST_STEPS in main or 'class="command"' in main or is_form
    # The list and its pager do not both say that there is nothing.
    assert main.count(">No ") <= 1


def test_a_form_that_needs_an_environment_leads_to_its_creation(show):
    assert "/environments/new" in show("/overrides/new").links


def test_events_are_those_of_applications_on_pages(show):
    assert "Application creation" in show("/settings/audit").text
    assert "acticipant" not in show("/settings/audit").text


@pytest.mark.parametrize(
    "path",
    [
        "/matrix?q[][pacticipant]=nobody&q[][version]=1",
        "/overrides/new?pacticipantName=nobody",
        "/pacticipants/nobody",
        "/pacticipants/nobody/edit",
        "/dashboard/provider/nobody/consumer/none",
    ],
)
def test_messages_on_pages_call_pacticipants_applications(show, path):
    assert "acticipant" not in show(path).text.replace("--pacticipant", "")
