"""The classic API's messages: tutorials' own text, with its import changed."""

import json

import httpx
import pytest

from tests.whole import servers
from treaty.testing import pact_files

CONSUMER = """
import pytest
from pact import MessageConsumer, Provider
from pact import Like


class CustomError(Exception):
    pass


class MessageHandler:
    def __init__(self, event):
        if event["documentType"] != "microsoft-word":
            raise CustomError("Not correct document type")


pact = MessageConsumer("DetectContentLambda", version="1", tags=["dev"]).has_pact_with(
    Provider("ContentProvider"), pact_dir=PACT_DIR, **BROKER
)


def test_generate_new_pact_file():
    expected_event = {
        "event": "ObjectCreated:Put",
        "documentName": Like("document.doc"),
        "creator": "TP",
        "documentType": "microsoft-word",
    }
    (
        pact.given("A document created successfully")
        .expects_to_receive("Provider state attribute")
        .with_content(expected_event)
        .with_metadata({"Content-Type": "application/json", "topic": "documents"})
    )
    with pact:
        MessageHandler(expected_event)


def test_throw_exception_handler():
    wrong_event = {"event": "ObjectCreated:Put", "documentName": "spreadsheet.xls", "documentType": "microsoft-excel"}
    (
        pact.given("Another document in Document Service")
        .expects_to_receive("Description")
        .with_content(wrong_event)
        .with_metadata({"Content-Type": "application/json"})
    )
    with pytest.raises(CustomError):
        with pact:
            MessageHandler(wrong_event)
"""
PROVIDER = """
import pytest
from pact import MessageProvider


def document_created_handler():
    return {"event": "ObjectCreated:Put", "documentName": "x.doc", "creator": "TP", "documentType": "microsoft-word"}


def document_of_another_kind():
    return {"event": "ObjectCreated:Put", "documentName": "x.doc", "creator": "TP", "documentType": "excel"}


def provider(handler):
    return MessageProvider(
        message_providers={"A document created successfully": handler},
        provider="ContentProvider",
        consumer="DetectContentLambda",
        pact_dir=PACT_DIR,
    )


def test_verify_success():
    provider = globals()["provider"](document_created_handler)
    with provider:
        provider.verify()


def test_verify_failure_of_another_kind():
    with pytest.raises(AssertionError, match="microsoft-word"), provider(document_of_another_kind) as failing:
        failing.verify()


def test_verify_from_broker(broker_opts):
    with provider(document_created_handler) as verified:
        verified.verify_with_broker(**broker_opts)
"""


@pytest.fixture(autouse=True)
def _reset_pact_files(monkeypatch):
    monkeypatch.setenv("PACT_DO_NOT_TRACK", "true")
    pact_files.reset()
    yield
    pact_files.reset()


def load(text, **names):
    """Run a tutorial's module with its import changed, and return its definitions."""
    source = text.replace("from pact import", "from treaty.pact import")
    exec(compile(source, "tutorial.py", "exec"), names)  # noqa: S102 - the tutorial
    return names


def test_a_tutorials_consumer_writes_its_expected_message(tmp_path):
    tutorial = load(CONSUMER, PACT_DIR=str(tmp_path), BROKER={})
    tutorial["test_generate_new_pact_file"]()
    tutorial["test_throw_exception_handler"]()
    document = json.loads((tmp_path / "detectcontentlambda-contentprovider.json").read_text("utf-8"))
    (message,) = document["messages"]
    assert document["metadata"]["pactSpecification"]["version"] == "3.0.0"
    assert message["description"] == "Provider state attribute"
    assert message["providerStates"] == [{"name": "A document created successfully"}]
    assert message["contents"]["documentName"] == "document.doc"
    assert message["metadata"]["topic"] == "documents"
    assert "$.documentName" in message["matchingRules"]["body"]


@pytest.fixture
def broker(tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        yield server.address


@pytest.mark.slow
def test_a_tutorials_provider_is_verified_from_a_file_and_from_a_broker(tmp_path, broker):
    publishing = {"publish_to_broker": True, "broker_base_url": broker}
    load(CONSUMER, PACT_DIR=str(tmp_path), BROKER=publishing)["test_generate_new_pact_file"]()
    provider = load(PROVIDER, PACT_DIR=str(tmp_path))
    provider["test_verify_success"]()
    provider["test_verify_failure_of_another_kind"]()
    options = {"broker_url": broker, "publish_version": "3", "publish_verification_results": True}
    provider["test_verify_from_broker"](options)
    latest = httpx.get(f"{broker}/pacts/provider/ContentProvider/consumer/DetectContentLambda/latest/dev").json()
    result = httpx.get(latest["_links"]["pb:latest-verification-results"]["href"]).json()
    assert (result["success"], result["providerApplicationVersion"]) == (True, "3")


def test_a_message_without_a_provider_function_is_named(tmp_path):
    load(CONSUMER, PACT_DIR=str(tmp_path), BROKER={})["test_generate_new_pact_file"]()
    provider = load(PROVIDER, PACT_DIR=str(tmp_path))["MessageProvider"](
        {"Another": dict}, provider="ContentProvider", consumer="DetectContentLambda", pact_dir=tmp_path
    )
    with pytest.raises(AssertionError, match="There is no message provider for 'A document created successfully'"):
        provider.verify()


def test_a_missing_pact_file_is_named(tmp_path):
    provider = load(PROVIDER, PACT_DIR=str(tmp_path))["provider"](dict)
    with pytest.raises(FileNotFoundError, match=r"detectcontentlambda-contentprovider\.json"):
        provider.verify()


@pytest.mark.parametrize(("call", "name"), [("with_content", "contents"), ("with_metadata", "metadata")])
def test_contents_and_metadata_need_a_message(tmp_path, call, name):
    pact = load(CONSUMER, PACT_DIR=str(tmp_path), BROKER={})["pact"]
    with pytest.raises(ValueError, match="expects_to_receive"):
        getattr(pact.given("a state"), call)({name: "x"})


def test_messages_may_be_text_and_several(tmp_path):
    pact = load(CONSUMER, PACT_DIR=str(tmp_path), BROKER={})["pact"]
    pact.given("a", {"n": 1}).given("b").expects_to_receive("text").with_content("hello")
    pact.expects_to_receive("nothing")
    with pact:
        pass
    document = json.loads((tmp_path / "detectcontentlambda-contentprovider.json").read_text("utf-8"))
    nothing, text = sorted(document["messages"], key=lambda message: message["description"])
    assert nothing["description"] == "nothing"
    assert text["contents"] == "hello"
    assert text["providerStates"] == [{"name": "a", "params": {"n": 1}}, {"name": "b"}]
