"""What the applications of the example shop expect of each other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Pair = tuple[str, str]
"""A consumer and a provider."""
Interaction = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Revision:
    """One state of a pact, and what a verifier reports about a provider that only knows the state before."""

    interactions: Sequence[Interaction]
    mismatches: Mapping[str, Sequence[Mapping[str, str]]]
    """By the descriptions of the interactions that fail."""


def build_document(pair: Pair, revision: int) -> dict[str, Any]:
    """Build the pact of a pair; the first revision is 1."""
    consumer, provider = pair
    return {
        "consumer": {"name": consumer},
        "provider": {"name": provider},
        "interactions": PACTS[pair][revision - 1].interactions,
        "metadata": {"pactSpecification": {"version": "4.0"}},
    }


def _http(  # noqa: PLR0913 - the parts of an interaction
    description: str,
    method: str,
    path: str,
    *,
    state: str | None = None,
    query: Mapping[str, str] | None = None,
    sends: object = None,
    status: int = 200,
    body: object = None,
    rules: Mapping[str, Mapping[str, object]] | None = None,
) -> Interaction:
    request: dict[str, Any] = {"method": method, "path": path}
    if query:
        request["query"] = {name: [value] for name, value in query.items()}
    if sends is not None:
        request |= {"headers": {"Content-Type": ["application/json"]}, "body": _json(sends)}
    response: dict[str, Any] = {"status": status}
    if body is not None:
        response |= {"headers": {"Content-Type": ["application/json"]}, "body": _json(body)}
    if rules:
        response["matchingRules"] = {"body": {place: {"matchers": [rule]} for place, rule in rules.items()}}
    states = {"providerStates": [{"name": state}]} if state else {}
    return {
        "type": "Synchronous/HTTP",
        "description": description,
        **states,
        "request": request,
        "response": response,
    }


def _message(
    description: str, contents: object, *, state: str, rules: Mapping[str, Mapping[str, object]]
) -> Interaction:
    return {
        "type": "Asynchronous/Messages",
        "description": description,
        "providerStates": [{"name": state}],
        "contents": _json(contents),
        "metadata": {"topic": "shop"},
        "matchingRules": {"body": {place: {"matchers": [rule]} for place, rule in rules.items()}},
    }


def _json(content: object) -> dict[str, object]:
    return {"content": content, "contentType": "application/json", "encoded": False}


_INTEGER: Final = {"match": "integer"}
_DECIMAL: Final = {"match": "decimal"}
_TEXT: Final = {"match": "type"}
_DATE: Final = {"match": "date", "format": "yyyy-MM-dd"}
_LIST: Final = {"match": "type", "min": 1}

_PRICE: Final = _http(
    "a request for the price of a product",
    "GET",
    "/products/7/price",
    state="product 7 is for sale",
    body={"product": 7, "amount": 12.5, "currency": "EUR"},
    rules={"$.product": _INTEGER, "$.amount": _DECIMAL, "$.currency": {"match": "regex", "regex": "[A-Z]{3}"}},
)
_NO_PRICE: Final = _http(
    "a request for the price of an unknown product",
    "GET",
    "/products/0/price",
    state="there is no product 0",
    status=404,
    body={"error": "unknown product"},
    rules={"$.error": _TEXT},
)
_DISCOUNT: Final = _http(
    "a request for the discount on a product",
    "GET",
    "/products/7/discount",
    state="product 7 is on sale",
    body={"product": 7, "percent": 10},
    rules={"$.product": _INTEGER, "$.percent": _INTEGER},
)


def _order(**more: object) -> Interaction:
    order = {"id": 7, "placedOn": "2026-01-02", "items": [{"sku": "A-1", "quantity": 2}], "total": 25.0, **more}
    rules: dict[str, Mapping[str, object]] = {
        "$.id": _INTEGER,
        "$.placedOn": _DATE,
        "$.items": _LIST,
        "$.items[*].quantity": _INTEGER,
        "$.total": _DECIMAL,
        **({"$.deliveryDate": _DATE} if "deliveryDate" in more else {}),
    }
    return _http("a request for an order", "GET", "/orders/7", state="order 7 exists", body=order, rules=rules)


_NEW_ORDER: Final = _http(
    "an order for two products",
    "POST",
    "/orders",
    state="product 7 is in stock",
    sends={"items": [{"sku": "A-1", "quantity": 2}]},
    status=201,
    body={"id": 8},
    rules={"$.id": _INTEGER},
)
_ORDERS_OF_CUSTOMER: Final = _http(
    "a request for the orders of a customer",
    "GET",
    "/orders",
    query={"customer": "3"},
    state="customer 3 has an order",
    body={"orders": [{"id": 7, "total": 25.0}]},
    rules={"$.orders": _LIST, "$.orders[*].id": _INTEGER, "$.orders[*].total": _DECIMAL},
)
_STOCK: Final = _http(
    "a request for the stock of a product",
    "GET",
    "/products/7/stock",
    state="product 7 is in stock",
    body={"product": 7, "available": 12},
    rules={"$.available": _INTEGER},
)
_RESERVATION: Final = _http(
    "a reservation of a product",
    "POST",
    "/reservations",
    state="product 7 is in stock",
    sends={"product": 7, "quantity": 2},
    status=201,
    body={"id": 51},
    rules={"$.id": _INTEGER},
)
_PAYMENT: Final = _http(
    "a payment for an order",
    "POST",
    "/payments",
    state="customer 3 has a valid card",
    sends={"order": 7, "amount": 25.0},
    status=201,
    body={"id": "p-19", "status": "accepted"},
    rules={"$.id": _TEXT, "$.status": _TEXT},
)
_PAYMENT_METHODS: Final = _http(
    "a request for the payment methods of a customer",
    "GET",
    "/customers/3/payment-methods",
    state="customer 3 has a valid card",
    body={"methods": [{"kind": "card", "ending": "4242"}]},
    rules={"$.methods": _LIST, "$.methods[*].ending": _TEXT},
)
_GIFT_CARD: Final = _http(
    "a payment with a gift card",
    "POST",
    "/payments",
    state="gift card G-7 is worth 50 euros",
    sends={"order": 7, "amount": 25.0, "giftCard": "G-7"},
    status=201,
    body={"id": "p-20", "status": "accepted", "remaining": 25.0},
    rules={"$.id": _TEXT, "$.remaining": _DECIMAL},
)
_DELIVERY: Final = _http(
    "a delivery of an order",
    "POST",
    "/deliveries",
    sends={"order": 7, "address": {"city": "Lisbon", "postcode": "1100-148"}},
    status=201,
    body={"id": 31},
    rules={"$.id": _INTEGER},
)
_DELIVERY_STATUS: Final = _http(
    "a request for the status of a delivery",
    "GET",
    "/deliveries/31",
    state="delivery 31 is under way",
    body={"id": 31, "status": "under way"},
    rules={"$.id": _INTEGER, "$.status": _TEXT},
)
_ORDER_PLACED: Final = _message(
    "an order was placed",
    {"order": 7, "customer": 3, "total": 25.0},
    state="order 7 was placed",
    rules={"$.order": _INTEGER, "$.customer": _INTEGER, "$.total": _DECIMAL},
)
_SHIPPED: Final = _message(
    "an order was shipped",
    {"order": 7, "carrier": "Post"},
    state="order 7 was shipped",
    rules={"$.order": _INTEGER, "$.carrier": _TEXT},
)
_DELAYED: Final = _message(
    "a delivery is delayed",
    {"order": 7, "days": 2},
    state="delivery 31 is delayed",
    rules={"$.order": _INTEGER, "$.days": _INTEGER},
)


def _missing(name: str) -> tuple[Mapping[str, str], ...]:
    text = f"Actual map is missing the following keys: {name}"
    return ({"attribute": "body", "identifier": "$", "description": text},)


def _wrong_status(expected: int, actual: int) -> tuple[Mapping[str, str], ...]:
    return ({"attribute": "status", "description": f"expected {expected} but was {actual}"},)


def _first(*interactions: Interaction, mismatches: Mapping[str, Sequence[Mapping[str, str]]]) -> Revision:
    return Revision(interactions=interactions, mismatches=mismatches)


PACTS: Final[Mapping[Pair, Sequence[Revision]]] = {
    ("Web Shop", "Prices"): (
        _first(_PRICE, _NO_PRICE, mismatches={_PRICE["description"]: _missing("currency")}),
        Revision(
            interactions=(_PRICE, _NO_PRICE, _DISCOUNT), mismatches={_DISCOUNT["description"]: _wrong_status(200, 404)}
        ),
    ),
    ("Web Shop", "Orders"): (
        _first(_order(), _NEW_ORDER, mismatches={"a request for an order": _missing("total")}),
        Revision(
            interactions=(_order(status="paid"), _NEW_ORDER),
            mismatches={"a request for an order": _missing("status")},
        ),
        Revision(
            interactions=(_order(status="paid", deliveryDate="2026-01-05"), _NEW_ORDER),
            mismatches={"a request for an order": _missing("deliveryDate")},
        ),
    ),
    ("Web Shop", "Stock"): (_first(_STOCK, mismatches={_STOCK["description"]: _missing("available")}),),
    ("Mobile App", "Prices"): (_first(_PRICE, mismatches={_PRICE["description"]: _missing("currency")}),),
    ("Mobile App", "Orders"): (
        _first(_ORDERS_OF_CUSTOMER, mismatches={_ORDERS_OF_CUSTOMER["description"]: _missing("orders")}),
    ),
    ("Mobile App", "Payments"): (
        _first(_PAYMENT_METHODS, mismatches={_PAYMENT_METHODS["description"]: _missing("methods")}),
        Revision(
            interactions=(_PAYMENT_METHODS, _GIFT_CARD),
            mismatches={_GIFT_CARD["description"]: (*_wrong_status(201, 422), *_missing("remaining"))},
        ),
    ),
    ("Orders", "Payments"): (_first(_PAYMENT, mismatches={_PAYMENT["description"]: _missing("status")}),),
    ("Orders", "Stock"): (_first(_RESERVATION, mismatches={_RESERVATION["description"]: _wrong_status(201, 409)}),),
    ("Orders", "Shipping"): (
        _first(_DELIVERY, mismatches={_DELIVERY["description"]: _missing("id")}),
        Revision(
            interactions=(_DELIVERY, _DELIVERY_STATUS),
            mismatches={_DELIVERY_STATUS["description"]: _wrong_status(200, 404)},
        ),
    ),
    ("Notifications", "Orders"): (
        _first(_ORDER_PLACED, mismatches={_ORDER_PLACED["description"]: _missing("customer")}),
    ),
    ("Notifications", "Shipping"): (
        _first(_SHIPPED, mismatches={_SHIPPED["description"]: _missing("carrier")}),
        Revision(interactions=(_SHIPPED, _DELAYED), mismatches={_DELAYED["description"]: _missing("days")}),
    ),
}
"""The revisions of each pact, the oldest first."""

PRICES_DOCUMENT: Final = """\
openapi: 3.1.0
info:
  title: Prices
  version: 1.0.0
paths:
  /products/{product}/price:
    get:
      summary: Find the price of a product
      parameters:
        - {name: product, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: The price
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Price'}
        '404':
          description: There is no such product.
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Error'}
  /products/{product}/discount:
    get:
      summary: Find the discount on a product
      parameters:
        - {name: product, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: The discount
          content:
            application/json:
              schema: {$ref: '#/components/schemas/Discount'}
  /products/{product}/history:
    get:
      summary: List the former prices of a product
      parameters:
        - {name: product, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: The prices
          content:
            application/json:
              schema: {type: array, items: {$ref: '#/components/schemas/Price'}}
components:
  schemas:
    Price:
      type: object
      required: [product, amount, currency]
      properties:
        product: {type: integer}
        amount: {type: number}
        currency: {type: string, pattern: '^[A-Z]{3}$'}
    Discount:
      type: object
      required: [product, percent]
      properties:
        product: {type: integer}
        percent: {type: integer}
    Error:
      type: object
      required: [error]
      properties:
        error: {type: string}
"""
"""The OpenAPI document of Prices, which has an operation that no consumer uses."""
