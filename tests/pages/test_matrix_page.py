"""The page of the matrix: results first, and a verdict where the query asks for one."""

import pytest

PLAIN = {
    "pair": "/matrix/provider/Ledger/consumer/Till",
    "application": "/matrix?q[][pacticipant]=Till&limit=100",
    "two applications": "/matrix?q[][pacticipant]=Till&q[][pacticipant]=Ledger",
}
ASKED = {
    "/matrix?q[][pacticipant]=Till&q[][version]=1&environment=production": "Till 1 to Production: yes",
    "/matrix?q[][pacticipant]=Till&q[][version]=2&environment=production": "Till 2 to Production: not yet",
    "/matrix?q[][pacticipant]=Till&q[][version]=2&q[][pacticipant]=Ledger&q[][version]=11": "Till 2 and Ledger 11: no",
    "/matrix?q[][pacticipant]=Till&q[][branch]=main&q[][latest]=true": "Till main: no",
    "/matrix?q[][pacticipant]=Till&q[][latest]=true": "Till: not yet",
}


def _verdicts(page):
    return [paragraph for paragraph in page.all("p") if "verdict" in (paragraph.attributes.get("class") or "").split()]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("path", PLAIN.values(), ids=PLAIN)
def test_results_of_all_versions_have_no_verdict(show, path):
    page = show(path)
    assert not _verdicts(page)
    assert page.text.startswith(("Till: 1 verified, 1 failed, 1 unknown ·", "Till and Ledger: 1 verified, 1 failed,"))


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize(("path", "title"), ASKED.items(), ids=ASKED.values())
def test_the_title_has_the_question_and_the_verdict(show, path, title):
    page = show(path)
    assert page.text.startswith(f"{title} · Treaty")
    assert len(_verdicts(page)) == 1


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("path", [*PLAIN.values(), *ASKED])
def test_the_table_is_above_the_form(show, path):
    tags = [element.tag for element in show(path).elements]
    assert tags.index("table") < tags.index("fieldset")


@pytest.mark.usefixtures("history")
def test_a_page_without_a_query_is_the_form(show):
    page = show("/matrix")
    assert page.text.startswith("Matrix · Treaty")
    assert not page.all("table")
    assert page.all("fieldset")


def test_messages_name_applications_as_they_are_called(show):
    text = show("/matrix?q[][pacticipant]=pacticipant&q[][pacticipant]=My%20Pacticipant").text
    assert "Application pacticipant not found" in text
    assert "Application My Pacticipant not found" in text
