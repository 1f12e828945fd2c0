"""A picture of every page, at three widths, in light and dark: `./run screenshots FOLDER`.

Those whose names begin with `company-` show a company with real names (`bench/company.py`).

`./run screenshots --documents` takes those that the documents show instead, into `docs/images`.
"""

import sys
import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser

from tests.pages import browser as browsers
from tests.pages import company_site
from tests.pages.corpus import Filler, fill
from tests.whole import servers

WIDTHS = (390, 1024, 1440)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place, browsers.started() as browser:
        take_first_page(browser, f"sqlite:///{place}/empty.sqlite", folder)
        with servers.running(f"sqlite:///{place}/treaty.sqlite", "--example-data") as server:
            take(browser, server.address, fill(server.address), folder)
        with company_site.running(Path(place)) as server:
            handlers = company_site.list_paths(Path(place)).items()
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


# What documents show: a broker of a small shop

DOCUMENTS = "--documents"
IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
PAGES = {
    "overview": "/",
    "application": "/pacticipants/Web%20Shop?version=8e2f4a1&to=production",
    "pact": "/pacts/provider/Orders/consumer/Web%20Shop/version/8e2f4a1",
    "explorer": "/explorer#/pacticipants/Web%20Shop",
}


COMPARISON = (
    "/contracts/bi-directional/provider/Orders/version/52/consumer/Web%20Shop/version/8e2f4a1"
    "/cross-contract-verification-results"
)


def take_documents() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        browsers.started() as browser,
        servers.running(f"sqlite:///{place}/treaty.sqlite") as server,
    ):
        fill_shop(Filler(server.address))
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": 1180, "height": 720}, color_scheme=scheme, base_url=server.address
            )
            page = context.new_page()
            for name, path in PAGES.items():
                page.goto(path)
                page.wait_for_load_state("networkidle")
                page.screenshot(path=IMAGES / f"{name}-{scheme}.png")
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


def fill_shop(filler: Filler) -> None:
    for name in ("test", "production"):
        body = {"name": name, "displayName": name.title(), "production": name == "production"}
        filler.ask("POST", "/environments", body)
    for consumer, version, provider in (
        ("Web Shop", "7b1d9c3", "Orders"),
        ("Web Shop", "7b1d9c3", "Prices"),
        ("Mobile App", "2.4.0", "Orders"),
        ("Mobile App", "2.4.0", "Accounts"),
        ("Orders", "51", "Payments"),
        ("Orders", "51", "Stock"),
    ):
        filler.publish(consumer, version, "main", provider, of_shop(provider, 200))
    for consumer, version, provider, by in (
        ("Web Shop", "7b1d9c3", "Orders", "51"),
        ("Web Shop", "7b1d9c3", "Prices", "a1"),
        ("Mobile App", "2.4.0", "Orders", "51"),
        ("Orders", "51", "Payments", "3.0.2"),
    ):
        filler.verify(consumer, version, provider, by, success=True)
    filler.verify("Mobile App", "2.4.0", "Accounts", "12", success=False)
    for name, version in (("Web Shop", "7b1d9c3"), ("Orders", "51"), ("Prices", "a1"), ("Payments", "3.0.2")):
        for environment in ("test", "production"):
            filler.deploy(name, version, environment)
    filler.publish("Web Shop", "8e2f4a1", "main", "Orders", of_shop("Orders", 201))
    filler.publish("Web Shop", "8e2f4a1", "main", "Prices", of_shop("Prices", 200))
    filler.verify("Web Shop", "8e2f4a1", "Orders", "51", success=False)


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
    filler.publish_document("Orders", "52", document)


def of_shop(provider: str, status: int) -> dict[str, object]:
    interaction = {
        "description": "a request for an order",
        "providerStates": [{"name": "order 7 exists", "params": {"id": 7}}],
        "request": {
            "method": "GET",
            "path": "/orders/7",
            "matchingRules": {"path": {"matchers": [{"match": "regex", "regex": "/orders/[0-9]+"}]}},
        },
        "response": {
            "status": status,
            "body": {
                "content": {"id": 7, "placedAt": "2026-01-02", "items": [{"sku": "A-1", "price": 12.5}]},
                "contentType": "application/json",
                "encoded": False,
            },
            "matchingRules": {
                "body": {
                    "$.id": {"matchers": [{"match": "integer"}]},
                    "$.placedAt": {"matchers": [{"match": "date", "format": "yyyy-MM-dd"}]},
                    "$.items": {"matchers": [{"match": "type", "min": 1}]},
                    "$.items[*].price": {"matchers": [{"match": "decimal"}]},
                }
            },
        },
    }
    placed = {
        "type": "Asynchronous/Messages",
        "description": "an order was shipped",
        "contents": {"content": {"order": 7}, "contentType": "application/json", "encoded": False},
        "metadata": {"topic": provider.lower()},
    }
    asked = {"type": "Synchronous/HTTP", **interaction}
    return {"interactions": [asked, placed], "metadata": {"pactSpecification": {"version": "4.0"}}}


if __name__ == "__main__":
    if sys.argv[1] == DOCUMENTS:
        take_documents()
    else:
        main(Path(sys.argv[1]))
