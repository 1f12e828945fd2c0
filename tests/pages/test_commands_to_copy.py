"""Commands and Markdown that pages, notices and errors offer for copying have the intended meaning, for any name."""

import html
import re
import shlex
from urllib.parse import quote

import pytest

from tests.api.client import BASE
from treaty.cli.environments import environment_not_found

# The statements behind these pages run on PostgreSQL in the tests of the API.
pytestmark = pytest.mark.long_on_postgresql

NAMES = (
    "plain",
    "with space",
    "$(touch hacked)",
    "`id`",
    "a;rm -rf *",
    "it's",
    'say "hi"',
    "a|b&c>d<e",
    "back\\slash",
    "!history",
    "#comment",
    "~home",
)


def words_after(text, option):
    words = shlex.split(text, comments=True)
    return words[words.index(option) + 1]


@pytest.mark.parametrize("name", NAMES)
def test_a_page_quotes_the_name_of_an_environment_in_commands(api, show, name):
    name = name.replace(" ", "${IFS}")
    created = api.post("/environments", {"name": name, "production": False})
    assert created.status == 201, created.text
    for path in ("/environments", f"/environments/{created.json()['uuid']}"):
        text = show(path).answer.text
        command = re.search(r"<code>(pact-broker record-deployment .*?)</code>", text)
        assert command, text
        assert words_after(html.unescape(command[1]), "--environment") == name


@pytest.mark.parametrize("name", NAMES)
def test_the_notice_about_similar_names_quotes_the_new_name(api, name):
    api.publish("Shop", "1", f"{name} api", "a")
    answer = api.publish("Shop", "2", f"{name} service", "a")
    assert answer.status == 409, answer.text
    (text,) = answer.json()["errors"]["contracts"]
    (command,) = (line for line in text.splitlines() if line.startswith("pact-broker "))
    assert words_after(command, "--name") == f"{name} service"
    assert words_after(command, "--broker-base-url") == BASE


@pytest.mark.parametrize("name", NAMES)
def test_the_command_line_quotes_the_name_of_a_missing_environment(name):
    assert words_after(environment_not_found(name, [], page=BASE).hint, "--name") == name


@pytest.mark.parametrize("name", [*NAMES, "](https://evil.test)[x", "a)b(c", "a_b-c__d--e", "<img>"])
def test_the_badge_on_the_page_of_a_pact_stays_one_linked_picture(api, show, name):
    api.publish(name, "1", f"of {name}", "a")
    page = show(f"/pacts/provider/{quote(f'of {name}', safe='')}/consumer/{quote(name, safe='')}/latest")
    (code,) = (element.attributes["value"] for element in page.elements if element.attributes.get("id") == "badge")
    assert re.fullmatch(r"\[!\[Pact\]\(http://localhost/[\w/%.~-]+\.svg\)\]\(http://localhost/[\w/%.~-]+\)", code)
