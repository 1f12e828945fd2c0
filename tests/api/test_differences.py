"""Differences between pacts."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.api.client import Answer, Api, Clock, pact
from treaty.settings import Settings

PAIR = "/pacts/provider/Ledger/consumer/Till"


def interaction(description: str, status: int) -> dict[str, object]:
    request = {"method": "GET", "path": f"/{description}"}
    return {"description": description, "request": request, "response": {"status": status}}


def put(api: Api, version: str, interactions: list[dict[str, object]]) -> str:
    """Publish a pact, and return its sha."""
    stored = api.put(f"{PAIR}/version/{version}", {**pact("Till", "Ledger"), "interactions": interactions})
    assert stored.status == 201, stored.text
    return stored.link("pb:pact-version").rpartition("/")[2]


@pytest.fixture
def shas(api: Api, clock: Clock) -> list[str]:
    """The contents of three versions, of which the first two are alike."""
    contents = [put(api, str(number), [interaction("a", 200), interaction("b", 200)]) for number in (1, 2)]
    contents.append(put(api, "3", [interaction("b", 200), interaction("a", 404)]))
    clock.now += timedelta(days=3)
    return contents


def text(api: Api, path: str) -> Answer:
    return api.get(PAIR + path, accept="text/plain")


WHOLE = """\
# Diff between versions 2 and 3 of the pact between Till and Ledger

The following changes were made 3 days ago (Mon 6 May 2024, 7:08am +00:00)

   "interactions": [
     {
       "response": {
-        "status": 200
+        "status": 404
       }
     }
     ...\x20

## Links

pact-version:
  title: Pact
  name: Pact between Till (3) and Ledger
  href: http://localhost/pacts/provider/Ledger/consumer/Till/version/3
comparison-pact-version:
  title: Pact
  name: Pact between Till (2) and Ledger
  href: http://localhost/pacts/provider/Ledger/consumer/Till/version/2
"""


def changes(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.text
    return [line for line in answer.text.splitlines() if line.startswith(("-", "+"))]


@pytest.mark.usefixtures("shas")
def test_a_difference_shows_the_changes_and_their_times(api: Api) -> None:
    answer = text(api, "/version/3/diff/previous-distinct")
    assert answer.headers["content-type"] == "text/plain;charset=utf-8"
    assert answer.text == WHOLE


@pytest.mark.usefixtures("shas")
def test_a_pact_is_compared_with_the_requested_version(api: Api) -> None:
    answer = text(api, "/version/2/diff/version/3")
    assert answer.text.startswith("# Diff between versions 3 and 2 of the pact")
    assert changes(answer) == ['-        "status": 404', '+        "status": 200']
    assert changes(text(api, "/version/2/diff/version/1")) == []


def test_contents_are_compared_by_their_shas(api: Api, shas: list[str]) -> None:
    answer = text(api, f"/pact-version/{shas[0]}/diff/pact-version/{shas[2]}")
    assert answer.text.startswith("# Diff between versions 3 and 2 of the pact")
    assert changes(answer) == ['-        "status": 404', '+        "status": 200']


def test_without_another_version_to_compare_with_the_text_explains_it(api: Api, shas: list[str]) -> None:
    nothing = "No previous distinct version was found for Pact between Till ({}) and Ledger"
    assert text(api, "/version/2/diff/previous-distinct").text == nothing.format(2)
    assert text(api, "/version/3/diff/version/none").text == nothing.format(3)
    assert text(api, f"/pact-version/{shas[0]}/diff/pact-version/none").text == nothing.format(2)


@pytest.mark.parametrize(
    "path", ["/version/9/diff/previous-distinct", "/version/9/diff/version/1", "/pact-version/none/diff/pact-version/x"]
)
def test_the_difference_of_a_missing_pact_returns_404(api: Api, path: str) -> None:
    assert text(api, path).status == 404


@pytest.mark.usefixtures("shas")
def test_a_difference_is_text_only(api: Api) -> None:
    path = f"{PAIR}/version/3/diff/previous-distinct"
    assert api.get(path).status == 406
    assert api.get(path, accept="").status == 200


def test_a_name_that_yaml_would_read_otherwise_is_quoted(api: Api) -> None:
    for number in (1, 2):
        api.publish("Till: new", str(number), "Ledger", number)
    answer = api.get("/pacts/provider/Ledger/consumer/Till%3A%20new/version/2/diff/previous-distinct", accept="*/*")
    assert '  name: "Pact between Till: new (2) and Ledger"' in answer.text.splitlines()


def test_a_search_that_takes_too_long_is_given_up(make_api: Callable[..., Api]) -> None:
    api = make_api(pact_content_diff_timeout=0)
    put(api, "1", [interaction("a", 200)])
    put(api, "2", [interaction("a", 404)])
    late = text(api, "/version/2/diff/previous-distinct")
    assert (late.status, late.text) == (408, "The difference was not found within 0 seconds.")


def test_the_time_for_a_difference_is_that_of_the_original() -> None:
    assert Settings().pact_content_diff_timeout == timedelta(seconds=15)
