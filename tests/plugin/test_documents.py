"""The document of a provider is read from its application, whatever its framework, from a file, or from a URL."""

import json

import flask
import pytest
from fastapi import FastAPI

from tests.receiver import receiving
from treaty.errors import ClientError
from treaty.pytest_plugin import documents

DOCUMENT = {"openapi": "3.1.0", "info": {"title": "Prices", "version": "1"}, "paths": {}}


class Api:
    """An object of an extension, with the members that a test gives it."""

    def __init__(self, **members):
        self.__dict__ |= members


def make_fastapi():
    app = FastAPI(title="Prices", version="1")
    app.get("/prices/{number}")(lambda number: number)
    return app


def make_flask(path="/openapi.json"):
    """An application whose extension serves its document, beside routes that are not documents."""
    app = flask.Flask("prices")
    app.get(path)(lambda: flask.jsonify(DOCUMENT))
    app.add_url_rule("/openapi/<name>", "pages", lambda name: name)
    app.add_url_rule("/spec", "other", lambda: {"special": 12})
    return app


@pytest.mark.parametrize(
    "application",
    [
        DOCUMENT,
        json.dumps(DOCUMENT),
        json.dumps(DOCUMENT).encode(),
        lambda: DOCUMENT,
        lambda: make_flask,
        make_flask("/v1/swagger.json"),
        make_flask("/apidoc/prices.json"),
        Api(api_doc=DOCUMENT),
        Api(spec=DOCUMENT),
        Api(spec=Api(to_dict=lambda: DOCUMENT)),
        Api(openapi=lambda: DOCUMENT),
        Api(get_openapi_schema=lambda: DOCUMENT),
        Api(openapi_schema=Api(to_schema=lambda: DOCUMENT)),
    ],
    ids=[
        *("mapping", "text", "bytes", "function", "factory", "Flask-RESTX", "spectree", "flask-openapi3", "APIFlask"),
        *("flask-smorest", "FastAPI", "Django Ninja", "Litestar"),
    ],
)
def test_a_document_is_read_from(application, tmp_path):
    document = documents.read(application, "The application", tmp_path)
    assert document.content == json.loads(document.source) == DOCUMENT
    assert document.content_type == "application/json"


def test_a_document_of_fastapi_equals_the_one_that_the_application_serves(tmp_path):
    app = make_fastapi()
    assert json.loads(documents.read(app, "The application", tmp_path).source) == app.openapi()


def test_a_file_stays_as_it_is(tmp_path):
    text = b"# Comments and lines stay\nopenapi: 3.1.0\ninfo: {title: Prices}\n"
    (tmp_path / "prices.yaml").write_bytes(text)
    document = documents.load("prices.yaml", tmp_path)
    assert (document.source, document.content_type) == (text, "application/yaml")
    assert documents.read(tmp_path / "prices.yaml", "The file", tmp_path) == document


def test_a_document_is_fetched_from_a_url(tmp_path):
    with receiving() as receiver:
        receiver.replies[0].body = json.dumps(DOCUMENT).encode()
        assert documents.load(f"{receiver.url}/openapi.json", tmp_path).content == DOCUMENT


def test_credentials_of_a_url_are_not_repeated(tmp_path):
    with receiving() as receiver:
        receiver.replies[0].status = 404
        with pytest.raises(ClientError, match="could not be fetched: status 404") as failure:
            documents.load(receiver.url.replace("http://", "http://me:secret@"), tmp_path)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("name", ["prices_of_{}:app", "prices_of_{}:app()", "prices_of_{}:shop.app"])
def test_an_application_is_imported_from_the_folder_of_the_suite(tmp_path, name):
    module = f"prices_of_{tmp_path.name}"
    text = f"class shop:\n    app = {DOCUMENT}\ndef app():\n    return shop.app\n"
    (tmp_path / f"{module}.py").write_text(text, "utf-8")
    assert documents.load(name.format(tmp_path.name), tmp_path).content == DOCUMENT


def fail():
    raise KeyError("DATABASE_URL")


@pytest.mark.parametrize(
    ("application", "message"),
    [
        (flask.Flask("prices"), "The application has no OpenAPI document."),
        (None, "The application has no OpenAPI document."),
        ({"paths": {}}, "The application is not an OpenAPI or AsyncAPI document: it has no member 'openapi'."),
        ("{", "The application is neither JSON nor YAML: "),
        ({**DOCUMENT, "info": object()}, "could not be read: TypeError: values of the type object are not JSON"),
        ({**DOCUMENT, "info": float("nan")}, "could not be read: ValueError: "),
        (fail, "The OpenAPI document of The application could not be read: KeyError: 'DATABASE_URL'"),
        (lambda number: number, "could not be read: TypeError: "),
        ("missing.yaml", "There is no file 'missing.yaml' in "),
        ("json:app", "json has no app."),
        ("missing.app:app", "could not be read: ModuleNotFoundError: No module named 'missing'"),
        ("http://127.0.0.1:9/openapi.json", "The document at 127.0.0.1:9 could not be fetched: ConnectError: "),
    ],
)
def test_an_application_without_a_document_is_named_with_the_reason_and_the_next_step(application, message, tmp_path):
    with pytest.raises(ClientError) as failure:
        documents.read(application, "The application", tmp_path)
    assert message in str(failure.value)
    assert failure.value.hint
