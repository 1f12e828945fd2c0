"""Pages as a browser gets them, taken apart."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page

from tests.absence import unavailable
from tests.api.client import Answer, Api
from tests.api.conftest import accounts, api, clock, database, make_api  # noqa: F401 - fixtures
from tests.api.history import History
from tests.pages import browser as browsers
from tests.pages import company_site
from tests.pages.browser import Site
from tests.pages.corpus import fill
from tests.pages.web_shop import HEAD, NEWEST, PRICES
from tests.whole import servers

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]


@dataclass
class Shown:
    """A page: its elements in order, and the text that is read."""

    answer: Answer
    elements: list[Element] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    typed: list[tuple[str | None, str]] = field(default_factory=list)
    """The text areas by their names, with their contents."""

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def text(self) -> str:
        """The visible text, with plain spaces and dashes."""
        return " ".join(" ".join(self.words).split()).replace("\N{EN DASH}", "-").replace("\N{MINUS SIGN}", "-")

    @property
    def links(self) -> list[str]:
        return [element.attributes.get("href") or "" for element in self.elements if element.tag == "a"]

    @property
    def moved_to(self) -> str:
        """Where a browser is sent on to."""
        assert self.status == 303, self.text
        return self.answer.headers["location"]

    def field(self, name: str) -> dict[str, str | None]:
        """The attributes of the only field with a name."""
        (field,) = (element for element in self.elements if element.attributes.get("name") == name)
        return field.attributes

    def values(self, name: str) -> list[str | None]:
        """The values of fields with a name; of checkboxes those that are checked."""
        named = [element for element in self.elements if element.attributes.get("name") == name]
        return [
            element.attributes.get("value")
            for element in named
            if element.attributes.get("type") != "checkbox" or "checked" in element.attributes
        ]

    def areas(self, name: str) -> list[str]:
        """The contents of the text areas with a name."""
        return [text for called, text in self.typed if called == name]

    @property
    def ids(self) -> list[str]:
        return [element.attributes["id"] or "" for element in self.elements if "id" in element.attributes]

    def all(self, tag: str) -> list[Element]:
        return [element for element in self.elements if element.tag == tag]


class _Reader(HTMLParser):
    def __init__(self, shown: Shown) -> None:
        super().__init__()
        self._shown = shown
        self._area: str | None = None
        self._is_within_word = False
        """Whether the text goes on after a place where a line may end."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "wbr":
            self._is_within_word = True
            return
        self._shown.elements.append(Element(tag, dict(attrs)))
        if tag == "textarea":
            self._area = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area is not None:
            name = next(element for element in reversed(self._shown.elements) if element.tag == "textarea").attributes[
                "name"
            ]
            self._shown.typed.append((name, self._area.removeprefix("\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._is_within_word:
            self._shown.words[-1] += data
        else:
            self._shown.words.append(data)
        self._is_within_word = False
        if self._area is not None:
            self._area += data


def read_page(answer: Answer) -> Shown:
    """Take the page in an answer apart."""
    shown = Shown(answer)
    _Reader(shown).feed(answer.text)
    return shown


def read_fields(shown: Shown) -> dict[str, object]:
    """Read the fields of a form, as a browser sends them without changes."""
    names = [element.attributes.get("name") for element in shown.elements if element.tag == "input"]
    fields: dict[str, object] = {name: shown.values(name) for name in names if name and name != "q"}
    fields |= {name or "": text for name, text in shown.typed}
    selects = [element for element in shown.elements if element.tag in {"select", "option"}]
    for at, element in enumerate(selects):
        if element.tag == "option" and "selected" in element.attributes:
            select = next(it for it in reversed(selects[:at]) if it.tag == "select")
            fields[select.attributes["name"] or ""] = element.attributes.get("value", "POST")
    return fields


@pytest.fixture(scope="session")
def company_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the database of a company with users, to be copied. It is built once for all workers."""
    folder = tmp_path_factory.getbasetemp()
    return company_site.build_once(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


Show = Callable[..., Shown]


@pytest.fixture
def show(api: Api) -> Show:  # noqa: F811 - the fixture
    """Ask for a page as a browser does."""

    def ask(path: str, **options: Any) -> Shown:
        return read_page(api.get(path, **{"accept": BROWSER, **options}))

    return ask


Submit = Callable[..., Shown]


@pytest.fixture
def submit(api: Api) -> Submit:  # noqa: F811 - the fixture
    """Send a form as a browser does; a list is a field for each of its values."""

    def send(path: str, fields: Mapping[str, object], **headers: str) -> Shown:
        body = urlencode(fields, doseq=True).encode()
        all_headers = {"origin": "http://localhost", **headers}
        return read_page(
            api.post(path, body, accept=BROWSER, type="application/x-www-form-urlencoded", headers=all_headers)
        )

    return send


@pytest.fixture
def history(api: Api) -> Api:  # noqa: F811 - the fixture
    """Till's pacts with Ledger: 1 is verified by 10 and runs with it in production, 2 failed, 3 is not verified."""
    for name in ("test", "production"):
        body = {"name": name, "displayName": name.title(), "production": name == "production"}
        assert api.post("/environments", body).status == 201
    for version, branch in (("1", "main"), ("2", "main"), ("3", "feat/x")):
        content = f"thing {version}"
        assert api.publish("Till", version, "Ledger", content, branch=branch, tags=[f"tag-{version}"]).status == 200
    verify(api, "1", "10", success=True)
    verify(api, "2", "11", success=False)
    deploy(api, "Till", "1", "production")
    deploy(api, "Ledger", "10", "production")
    return api


def verify(api: Api, version: str, provider_version: str, *, success: bool, **more: object) -> None:  # noqa: F811
    pact = api.get(f"/pacts/provider/Ledger/consumer/Till/version/{version}")
    body = {"success": success, "providerApplicationVersion": provider_version, **more}
    assert api.post(pact.link("pb:publish-verification-results"), body).status == 201


def deploy(api: Api, name: str, version: str, environment: str) -> None:  # noqa: F811
    uuid = uuid_of(api, environment)
    assert api.post(f"/pacticipants/{name}/versions/{version}/deployed-versions/environment/{uuid}", {}).status == 201


def uuid_of(api: Api, environment: str) -> str:  # noqa: F811
    environments = api.get("/environments").json()["_embedded"]["environments"]
    uuid: str = next(resource["uuid"] for resource in environments if resource["name"] == environment)
    return uuid


@pytest.fixture
def web_shop(api: Api) -> History:  # noqa: F811 - the fixture
    """The head of main works with test, but not with production. A feature branch has a newer version."""
    history = History(api)
    history.environment("test")
    environment = {"name": "production", "displayName": "Production", "production": True}
    history.environments["production"] = api.post("/environments", environment).json()["uuid"]
    history.publish("web-shop", HEAD, "prices", "new", branch="main")
    history.verify("web-shop", HEAD, "prices", "2")
    history.verify("web-shop", HEAD, "prices", PRICES, success=False)
    history.deploy("prices", "2", "test")
    history.deploy("prices", PRICES, "production")
    history.publish("web-shop", NEWEST, "prices", "newer", branch="feat/x")
    assert api.patch("/pacticipants/web-shop", {"mainBranch": "main"}).status == 200
    return history


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A browser, and a broker with something of everything."""
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'treaty.sqlite'}"
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    with servers.running(url) as server, browsers.started() as browser:
        yield Site(server.address, fill(server.address), browser)


@pytest.fixture
def page(site: Site) -> Iterator[Page]:
    """An empty page of the browser of the site."""
    context = browsers.context(site.browser, viewport={"width": 1280, "height": 800}, base_url=site.address)
    yield context.new_page()
    context.close()
