"""A picture of every page, at two widths, in light and dark: `./run screenshots FOLDER`."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.pages import browser as browsers
from tests.pages.corpus import fill
from tests.whole import servers

WIDTHS = (375, 1280)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browsers.started() as browser:
        take_first_page(browser, f"sqlite:///{place}/empty.sqlite", folder)
        with servers.running(f"sqlite:///{place}/treaty.sqlite", "--example-data") as server:
            take(browser, server.address, fill(server.address), folder)
    sys.stdout.write(f"The pictures are in {folder.resolve()}\n")


def take_first_page(browser: Browser, database: str, folder: Path) -> None:
    with servers.running(database) as server:
        take(browser, server.address, {"welcome": "/"}, folder)


def take(browser: Browser, address: str, paths: dict[str, str], folder: Path) -> None:
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, base_url=address
            )
            page = context.new_page()
            for name, path in paths.items():
                page.goto(path)
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
            context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
