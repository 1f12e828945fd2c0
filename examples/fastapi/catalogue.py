"""The catalogue of a bookshop, in FastAPI. FastAPI generates its OpenAPI document from the types."""

import os

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

IS_BROKEN = os.environ.get("CATALOGUE") == "broken"
"""The broken catalogue calls the price something else, and describes that correctly in its document."""


class Book(BaseModel):
    title: str
    price: int = Field(serialization_alias="cents" if IS_BROKEN else "price")


class Problem(BaseModel):
    detail: str


BOOKS = {"1": Book(title="Moby-Dick", price=1250)}
app = FastAPI(title="Catalogue")


@app.get("/books/{number}", responses={404: {"model": Problem}})
def book(number: str) -> Book:
    if number not in BOOKS:
        raise HTTPException(404, "There is no such book.")
    return BOOKS[number]
