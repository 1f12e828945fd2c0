"""The first minutes with an empty broker: the commands of its page work, and the page turns green."""

import json
import shlex
import subprocess
from pathlib import Path

from playwright.sync_api import Page

from tests.absence import unavailable
from tests.pages import browser as browsers
from tests.pages.corpus import Filler
from tests.whole import servers

PACT = {
    "consumer": {"name": "Web Shop"},
    "provider": {"name": "Prices"},
    "interactions": [
        {
            "description": "a request for a price",
            "request": {"method": "GET", "path": "/products/7/price"},
            "response": {"status": 200},
        }
    ],
    "metadata": {"pactSpecification": {"version": "2.0.0"}},
}


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    name, *rest = shlex.split(command.replace("NAME", "'Web Shop'"))
    assert name == "pact-broker"
    return servers.run(name, *rest, cwd=folder)


def test_three_commands_lead_from_nothing_to_a_green_page(tmp_path):
    (tmp_path / "pacts").mkdir()
    (tmp_path / "pacts" / "web-shop-prices.json").write_text(json.dumps(PACT))
    try:
        browsers.find_program()
    except browsers.Unavailable as absence:
        unavailable(str(absence))
    with servers.running(f"sqlite:///{tmp_path}/treaty.sqlite") as server, browsers.started() as browser:
        page = browsers.context(browser, base_url=server.address).new_page()
        install, publish, ask = commands(page)
        assert install == "pip install ."
        published = run(publish, tmp_path)
        assert published.returncode == 0, published.stderr
        assert run(ask, tmp_path).returncode == 1
        assert "Not verified" in read_rows(page)
        Filler(server.address).verify("Web Shop", "1.0.0", "Prices", "a1", success=True)
        assert run(ask, tmp_path).returncode == 0
        assert "Verified" in read_rows(page)
        assert "Not verified" not in read_rows(page)


def commands(page: Page) -> list[str]:
    """Copy the commands from the page of an empty broker."""
    page.goto("/")
    assert page.get_by_role("heading", level=1).inner_text() == "Welcome to Treaty"
    return [block.inner_text() for block in page.locator("pre.command code").all()]


def read_rows(page: Page) -> str:
    page.goto("/")
    return page.locator("tbody").inner_text()
