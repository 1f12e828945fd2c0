"""A picture of every page, at four widths, in light and dark: `./run screenshots FOLDER`.

Those whose names begin with `company-` show a company with real names (`bench/company.py`).

`./run screenshots --documents` takes those that the documents show instead, into `docs/images`.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser

from tests.pages import browser as browsers
from tests.pages import company_site
from tests.pages.corpus import Filler, fill
from tests.whole import servers

WIDTHS = (320, 390, 1024, 1440)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        # Before the browser: its client runs an event loop in this thread, and building the company needs another.
        company_database = company_site.build_once(Path(place))
        browser = stack.enter_context(browsers.started())
        take_first_page(browser, f"sqlite:///{place}/empty.sqlite", folder)
        with servers.running(f"sqlite:///{place}/treaty.sqlite") as server:
            take(browser, server.address, fill(server.address), folder)
        own = Path(place) / "shown"
        with company_site.running(own, company_database) as server:
            handlers = company_site.list_paths(own).items()
            paths = {f"company-{name}-{at}": path for name, those in handlers for at, path in enumerate(those, 1)}
            take(browser, server.address, paths, folder, signs_in=True)
    sys.stdout.write(f"The pictures are in {folder.resolve()}\n")


def take_first_page(browser: Browser, database: str, folder: Path) -> None:
    with servers.running(database) as server:
        take(browser, server.address, {"welcome": "/"}, folder)


def take(browser: Browser, address: str, paths: dict[str, str], folder: Path, *, signs_in: bool = False) -> None:
    for width in WIDTHS:
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": 800}, color_scheme=scheme, base_url=address
            )
            page = context.new_page()
            if signs_in:
                company_site.sign_in(page)
            for name, path in paths.items():
                page.goto(path)
                page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
            context.close()


# Screenshots for documents: the example shop

DOCUMENTS = "--documents"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = {
    "overview": "/",
    "pact": "/pacts/provider/Orders/consumer/Web%20Shop/version/8e2f4a1",
    "explorer": "/explorer#/pacticipants/Web%20Shop",
}


NO = "/pacticipants/Web%20Shop?to=production"
PUBLIC = "pacts.example.org"
RENAME = """([host, name]) => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replaceAll(host, name)
}"""
"""Replaces the host of the server of these pictures in the commands of a page. Lines may end after its scheme."""
COMPARISON = (
    "/contracts/bi-directional/provider/Orders/version/52c9f1e/consumer/Web%20Shop/version/8e2f4a1"
    "/cross-contract-verification-results"
)


def take_documents() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        browsers.started() as browser,
        servers.running(f"sqlite:///{place}/treaty.sqlite", "--example-data") as server,
    ):
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": 1180, "height": 720}, color_scheme=scheme, base_url=server.address
            )
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(path)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=IMAGES / f"{name}-{scheme}.png")
            page.set_viewport_size({"width": 1240, "height": 900})
            page.goto(NO)
            page.evaluate(RENAME, [server.address.removeprefix("http://"), PUBLIC])
            page.locator("section:has(> #may)").screenshot(path=IMAGES / f"no-{scheme}.png")
            context.close()
        # Its results would be on the other pages, once they have been computed.
        fill_contract(Filler(server.address))
        take_comparison(browser, server.address)
    sys.stdout.write(f"The pictures are in {IMAGES}\n")


def take_comparison(browser: Browser, address: str) -> None:
    for scheme in SCHEMES:
        context = browser.new_context(viewport={"width": 1180, "height": 900}, color_scheme=scheme, base_url=address)
        page = context.new_page()
        page.goto(COMPARISON)
        page.screenshot(path=IMAGES / f"comparison-{scheme}.png")
        context.close()


def fill_contract(filler: Filler) -> None:
    document = """\
openapi: 3.1.0
info: {title: Orders, version: 1.0.0}
paths:
  /orders/{id}:
    get:
      summary: Find an order
      responses:
        201:
          description: The order
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Order'}
components:
  schemas:
    Order:
      type: object
      properties:
        id: {type: string, format: uuid}
        placedAt: {type: string, format: date}
        items:
          type: array
          items: {type: object, properties: {sku: {type: string}, price: {type: number}}}
"""
    filler.publish_document("Orders", "52c9f1e", document)


if __name__ == "__main__":
    if sys.argv[1] == DOCUMENTS:
        take_documents()
    elif sys.argv[1].startswith("-"):
        sys.exit(f"Usage: ./run screenshots [{DOCUMENTS} | FOLDER]")
    else:
        main(Path(sys.argv[1]))
