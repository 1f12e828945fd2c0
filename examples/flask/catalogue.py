"""The catalogue of a bookshop, in Flask. flask-smorest generates its OpenAPI document from the schemas."""

import os

from flask import Flask
from flask_smorest import Api, Blueprint, abort
from marshmallow import Schema, fields

IS_BROKEN = os.environ.get("CATALOGUE") == "broken"
"""The broken catalogue calls the price something else, and describes that correctly in its document."""
BOOKS = {"1": {"title": "Moby-Dick", "price": 1250}}


class Book(Schema):
    title = fields.String(required=True)
    price = fields.Integer(required=True, data_key="cents" if IS_BROKEN else "price")


books = Blueprint("books", "books")


@books.get("/books/<number>")
@books.response(200, Book)
@books.alt_response(404, description="There is no such book.")
def book(number: str) -> dict[str, object]:
    if number not in BOOKS:
        abort(404, message="There is no such book.")
    return BOOKS[number]


app = Flask("catalogue")
app.config.update(API_TITLE="Catalogue", API_VERSION="1", OPENAPI_VERSION="3.0.3", OPENAPI_URL_PREFIX="/")
api = Api(app)
api.register_blueprint(books)
