"""The catalogue of a bookshop, in APIFlask, which generates its OpenAPI document from the schemas."""

import os

from apiflask import APIFlask, Schema, abort
from apiflask.fields import Integer, String

IS_BROKEN = os.environ.get("CATALOGUE") == "broken"
"""The broken catalogue calls the price something else, and describes that correctly in its document."""
BOOKS = {"1": {"title": "Moby-Dick", "price": 1250}}
app = APIFlask("catalogue", title="Catalogue")


class Book(Schema):
    title = String(required=True)
    price = Integer(required=True, data_key="cents" if IS_BROKEN else "price")


@app.get("/books/<number>")
@app.output(Book)
@app.doc(responses=[404])
def book(number: str) -> dict[str, object]:
    if number not in BOOKS:
        abort(404, "There is no such book.")
    return BOOKS[number]
