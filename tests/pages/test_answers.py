"""The page of an application answers on load whether it can be deployed: the head of main, to each environment."""

import re
from urllib.parse import quote

import pytest

from tests.api.history import History
from tests.pages.web_shop import HEAD, NEWEST, PAGE, PRICES, title

pytestmark = pytest.mark.long_on_postgresql  # the API runs the same statements


@pytest.mark.usefixtures("web_shop")
def test_the_head_of_main_is_answered_for_each_environment(show):
    page = show(PAGE)
    assert title(page).startswith("web-shop: yes to Test, no to Production")
    assert "The head of the main branch, Branch: ⎇ main" in page.text
    assert "Version To Test To Production fad5fb01 Branch: ⎇ main ✓ Yes" in page.text
    assert page.text.index("✓ Yes") < page.text.index("✕ No"), "in the order of a pipeline"
    assert "web-shop fad5fb01 to Production: Production" in page.text, "the first no is explained"
    assert f"{PAGE}?version={HEAD}&to=production#why" in page.links


@pytest.mark.usefixtures("web_shop")
def test_an_obstacle_is_a_row_with_each_fact_once_and_without_whole_commits(show):
    page = show(PAGE)
    table = page.answer.text.partition('class="stacked causes"')[2].partition("</table>")[0]
    assert table.count("<tr ") == 1
    row = table.partition("<tr ")[2]
    for words in ("prices", "99cbebc0", "This version fails the pact", "just now", "pact-verifier"):
        assert words in row, words
    assert 'data-name="Who has to act"><a class="app" href="/pacticipants/prices">' in row
    assert page.answer.text.count("This version fails the pact") == 1
    sentences = re.sub(r"<pre.*?</pre>|<[^>]*>", " ", table, flags=re.DOTALL)
    assert PRICES not in sentences
    assert HEAD not in sentences
    assert f'title="{PRICES}"' in row


def test_a_provider_has_a_row_for_each_of_its_consumers(show, web_shop):
    web_shop.publish("cart", "7", "prices", "old", branch="main")
    web_shop.deploy("cart", "7", "production")
    web_shop.deploy("web-shop", HEAD, "production")
    web_shop.verify("cart", "7", "prices", PRICES, success=False)
    page = show(f"/pacticipants/prices?version={PRICES}&to=production")
    rows = page.answer.text.partition('class="stacked causes"')[2].partition("</table>")[0].split("<tr ")[1:]
    names = [name for row in rows for name in re.findall(r'class="app"[^>]*>(.*?)</a>', row)[:1]]
    assert names == ["cart", "web-shop"]
    assert "prices 99cbebc0 : This version fails the pact" in page.text


@pytest.mark.usefixtures("web_shop")
def test_a_cell_opens_the_reasons(show):
    page = show(f"{PAGE}?version={HEAD}&to=test")
    assert "✓ Yes web-shop fad5fb01 to Environment: Test" in page.text
    assert title(page).startswith("web-shop fad5fb01: yes to Test, no to Production")


@pytest.mark.usefixtures("web_shop")
@pytest.mark.parametrize("text", [NEWEST, NEWEST[:7]])
def test_another_version_is_answered_by_its_number_or_its_beginning(show, text):
    page = show(f"{PAGE}?version={text}")
    assert title(page).startswith("web-shop 0b1c2d3e: not yet to Test, not yet to Production")
    assert page.field("version")["value"] == text


@pytest.mark.usefixtures("web_shop")
def test_a_version_that_does_not_exist_is_never_answered(show):
    page = show(f"{PAGE}?version=fad5fb02&to=production")
    assert "No version fad5fb02 of web-shop. Did you mean fad5fb01 ?" in page.text
    assert "Nothing was verified" not in page.text
    assert 'class="verdict' not in page.answer.text
    assert 'class="stacked answers"' not in page.answer.text
    assert any(f"version={HEAD}" in link for link in page.links)


@pytest.mark.usefixtures("web_shop")
def test_heads_of_other_branches_come_on_request(show):
    assert "0b1c2d3e Branch: ⎇ feat/x" not in show(PAGE).text.partition("Consumes")[0]
    page = show(f"{PAGE}?heads=all")
    assert "0b1c2d3e Branch: ⎇ feat/x ? Not yet" in page.text
    assert title(page).startswith("web-shop: yes to Test, no to Production"), "the question stays that about main"


def test_without_a_main_branch_the_newest_version_is_answered_and_the_command_is_shown(api, show):
    history = History(api)
    history.environment("test")
    history.publish("cart", "1", "prices")
    page = show("/pacticipants/cart")
    assert "The newest version, since cart has no main branch." in page.text
    assert "pact-broker create-or-update-pacticipant --name cart --main-branch main" in page.text
    assert title(page).startswith("cart: not yet to Test")


def test_without_environments_the_page_has_the_command_that_creates_one(api, show):
    History(api).publish("cart", "1", "prices")
    page = show("/pacticipants/cart")
    assert "pact-broker create-environment --name production --production" in page.text
    assert "?" not in title(page)


def test_many_environments_leave_room_for_production(api, show):
    history = History(api)
    for number in range(12):
        history.environment(f"pr-{number:02}")
    api.post("/environments", {"name": "aaa", "displayName": "Aaa", "production": True})
    history.publish("cart", "1", "prices")
    page = show("/pacticipants/cart")
    assert "To Aaa" in page.text
    assert "5 further environments can be selected below." in page.text
    assert re.search(r"cart 1 to Environment: Pr.00", show("/pacticipants/cart?version=1&to=pr-00").text)


@pytest.mark.usefixtures("web_shop")
def test_an_unknown_environment_is_not_found(show):
    assert show(f"{PAGE}?version={HEAD}&to=nowhere").status == 404


# The search


@pytest.mark.usefixtures("web_shop")
def test_a_short_commit_leads_to_its_version(api, show):
    redirect = show(f"/search?q={HEAD[:8]}")
    assert redirect.moved_to == f"{PAGE}/versions/{HEAD}"
    several = show(f"/search?q={HEAD[:5]}")
    assert f"{PAGE}/versions/{HEAD}" in several.links
    assert "No application" not in several.text
    assert "Nothing matches" not in several.text
    assert f"{PAGE}/versions/{HEAD}" in show(f"/search?q={HEAD[:8]}&suggest=yes").links
    assert "Nothing matches “fad5fb99”" in show("/search?q=fad5fb99").text
    assert api.get(f"/pacticipants/{quote('web-shop')}").status == 200
