"""The classic API's consumers, as tutorials have them."""

import importlib
import json
import socket
import ssl
import subprocess
import warnings

import httpx
import pytest

from tests.whole import servers
from treaty.errors import ClientError
from treaty.pact import Broker, Consumer, EachLike, Format, Like, Provider, Term, get_generated_values
from treaty.testing import pact_files


@pytest.fixture(autouse=True)
def _reset_pact_files():
    pact_files.reset()
    yield
    pact_files.reset()


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@pytest.fixture
def make(tmp_path, port):
    def make(**options):
        consumer = Consumer("User ServiceClient", version="1", tags=["dev"])
        folder = str(tmp_path)
        return consumer.has_pact_with(Provider("UserService"), port=port, pact_dir=folder, log_dir=folder, **options)

    return make


@pytest.fixture
def pact(make):
    pact = make()
    pact.start_service()
    yield pact
    pact.stop_service()


def content(tmp_path):
    return json.loads((tmp_path / "user_serviceclient-userservice.json").read_text("utf-8"))


def user(pact, name="UserA", **response):
    pact.given(f"{name} exists").upon_receiving(f"a request for {name}").with_request(
        "get", f"/users/{name}"
    ).will_respond_with(200, **(response or {"body": {"name": name}}))


def test_a_conversation_is_written_as_a_pact_of_version_2_with_a_log_beside_it(pact, tmp_path):
    user(pact)
    with pact:
        assert httpx.get(f"{pact.uri}/users/UserA").json() == {"name": "UserA"}
    document = content(tmp_path)
    assert document["metadata"]["pactSpecification"]["version"] == "2.0.0"
    assert document["interactions"][0]["providerState"] == "UserA exists"
    assert "/users/UserA" in (tmp_path / "pact-mock-service.log").read_text("utf-8")


def test_conversations_follow_each_other_on_the_same_port(pact, tmp_path):
    for name in ("UserA", "UserB", "UserC"):
        user(pact, name)
        with pact:
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == 3


def test_a_conversation_may_hold_several_interactions(pact, tmp_path):
    user(pact, "UserA")
    user(pact, "UserB")
    with pact:
        for name in ("UserA", "UserB"):
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == 2


def test_setup_and_verify_do_the_same_as_a_block(pact, tmp_path):
    user(pact)
    pact.setup()
    httpx.get(f"{pact.uri}/users/UserA")
    pact.verify()
    assert len(content(tmp_path)["interactions"]) == 1


def test_an_interaction_without_a_request_fails_and_is_not_written(pact, tmp_path):
    user(pact)
    with pytest.raises(AssertionError, match="The pact was not kept"), pact:
        httpx.get(f"{pact.uri}/users/Somebody")
    assert list(tmp_path.glob("*.json")) == []


def test_an_exception_of_a_test_is_raised_and_ends_the_conversation(pact):
    user(pact)
    with pytest.raises(KeyError), pact:
        raise KeyError
    user(pact, "UserB")
    with pact:
        httpx.get(f"{pact.uri}/users/UserB")


def test_matchers_are_written_as_rules_and_examples(pact, tmp_path):
    body = {"id": Format().uuid, "groups": EachLike({"id": Like(7)}, minimum=2), "when": Term(r"\d{4}", "2024")}
    (
        pact.upon_receiving("an order")
        .with_request("post", Term(r"/orders/\d+", "/orders/7"), body={"n": 1}, headers={"X": "y"}, query={"q": "1"})
        .will_respond_with(201, headers={"Location": Term(r"/orders/\d+", "/orders/7")}, body=body)
    )
    with pact:
        answer = httpx.post(f"{pact.uri}/orders/9?q=1", json={"n": 1}, headers={"X": "y"})
        assert answer.json() == get_generated_values(body)
        assert answer.headers["Location"] == "/orders/7"
    rules = content(tmp_path)["interactions"][0]["response"]["matchingRules"]
    assert rules["$.body.groups"]["min"] == 2
    assert rules["$.body.when"]["regex"] == r"\d{4}"
    assert rules["$.headers.Location"]["regex"] == r"/orders/\d+"


def test_a_query_may_be_text(pact):
    pact.upon_receiving("a search").with_request("GET", "/", query="a=1&b=2").will_respond_with(200, body="fine")
    with pact:
        assert httpx.get(f"{pact.uri}/?a=1&b=2").text == "fine"


def test_an_interaction_without_a_response_raises_an_error(pact):
    pact.upon_receiving("nothing").with_request("GET", "/")
    with pytest.raises(ValueError, match="lacks its response"):
        pact.setup()
    pact.will_respond_with(200)


@pytest.mark.parametrize(("mode", "count"), [("overwrite", 1), ("merge", 2)])
def test_interactions_of_an_earlier_run_stay_only_in_merge_mode(make, tmp_path, mode, count):
    for name in ("UserA", "UserB"):
        pact_files.reset()
        pact = make(file_write_mode=mode)
        user(pact, name)
        with pact:
            httpx.get(f"{pact.uri}/users/{name}")
    assert len(content(tmp_path)["interactions"]) == count


def test_an_example_that_does_not_match_is_refused():
    with pytest.raises(ValueError, match="The example 'seven' does not match"):
        Term(r"^\d+$", "seven")


def test_pacts_are_published_by_hand_and_when_the_service_stops(make, tmp_path):
    with servers.running(f"sqlite:///{tmp_path / 'treaty.sqlite'}", cwd=tmp_path) as server:
        pact = make(broker_base_url=server.address)
        user(pact)
        with pact:
            httpx.get(f"{pact.uri}/users/UserA")
        pact.publish_to_broker(
            broker_base_url=server.address,
            consumer_version="2",
            broker_username="pact_workshop",
            broker_password="pact_workshop",  # noqa: S106 - the workshop's
            tags=["prod"],
        )
        pact.publish_to_broker = True
        pact.stop_service()
        for version, tag in (("1", "dev"), ("2", "prod")):
            body = httpx.get(f"{server.address}/pacticipants/User%20ServiceClient/versions/{version}").json()
            assert [each["name"] for each in body["_embedded"]["tags"]] == [tag]


def test_publishing_without_an_address_names_the_missing_argument(make):
    with pytest.raises(ClientError, match="broker_base_url"):
        make().publish_to_broker(consumer_version="1")


def test_publish_to_broker_is_an_attribute_that_can_be_read_and_written(make):
    assert make(publish_to_broker=True).publish_to_broker is True
    pact = make()
    assert not pact.publish_to_broker
    assert pact.publish_to_broker == False  # noqa: E712 - as users compare it
    pact.publish_to_broker = True
    assert pact.publish_to_broker is True
    pact.publish_to_broker = False
    assert pact.publish_to_broker is False


@pytest.fixture(scope="module")
def shared_broker(tmp_path_factory):
    folder = tmp_path_factory.mktemp("broker")
    credentials = {"PACT_BROKER_BASIC_AUTH_USERNAME": "pact", "PACT_BROKER_BASIC_AUTH_PASSWORD": "secret"}
    with servers.running(f"sqlite:///{folder / 'treaty.sqlite'}", cwd=folder, environ=credentials) as server:
        yield server.address


def read_version(broker, version):
    url = f"{broker}/pacticipants/User%20ServiceClient/versions/{version}"
    return httpx.get(url, auth=("pact", "secret")).json()


def with_credentials(broker):
    return broker.replace("://", "://pact:secret@")


def write_user(make, **options):
    pact = make(**options)
    user(pact)
    with pact:
        httpx.get(f"{pact.uri}/users/UserA")
    return pact


def test_a_pact_publishes_with_the_credentials_of_the_url_and_no_other_attribute(make, shared_broker):
    pact = write_user(make, broker_base_url=with_credentials(shared_broker))
    pact.publish()
    assert read_version(shared_broker, "1")["number"] == "1"
    pact.publish(version="1.1", branch="feature/x", consumer_tags=["prod"])
    published = read_version(shared_broker, "1.1")["_embedded"]
    assert [each["name"] for each in published["branchVersions"]] == ["feature/x"]
    assert [each["name"] for each in published["tags"]] == ["prod"]


def test_arguments_take_precedence_over_credentials_in_the_url(make, shared_broker):
    url = shared_broker.replace("://", "://somebody:else@")
    pact = write_user(make, broker_base_url=url, broker_username="pact", broker_password="secret")  # noqa: S106
    pact.publish(version="7")
    assert read_version(shared_broker, "7")["number"] == "7"


@pytest.mark.parametrize("variables", [{}, {"PACT_BROKER_TOKEN": "foreign"}])
def test_arguments_take_precedence_over_variables(make, shared_broker, monkeypatch, variables):
    monkeypatch.setenv("PACT_BROKER_BASE_URL", "http://127.0.0.1:9")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    pact = write_user(make, broker_base_url=shared_broker, broker_username="pact", broker_password="secret")  # noqa: S106
    pact.publish(version="7.1")
    monkeypatch.delenv("PACT_BROKER_TOKEN", raising=False)
    for name, value in {"BASE_URL": shared_broker, "USERNAME": "pact", "PASSWORD": "secret"}.items():
        monkeypatch.setenv(f"PACT_BROKER_{name}", value)
    write_user(make).publish(version="7.2")
    write_user(make, broker_username="pact").publish(version="7.3")  # with the password in the variable
    assert [read_version(shared_broker, version)["number"] for version in ("7.1", "7.2", "7.3")] == [
        "7.1",
        "7.2",
        "7.3",
    ]


def test_the_branch_becomes_a_tag_if_the_consumer_enables_it(make, shared_broker, monkeypatch):
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature/tagged")
    pact = write_user(make, broker_base_url=with_credentials(shared_broker))
    pact.consumer.tag_with_git_branch = True
    pact.publish(version="8")
    tags = read_version(shared_broker, "8")["_embedded"]["tags"]
    assert sorted(each["name"] for each in tags) == ["dev", "feature/tagged"]


@pytest.mark.parametrize(("is_detected", "branches"), [(None, ["main"]), (True, ["main"]), (False, [])])
def test_the_branch_is_detected_unless_that_is_turned_off(make, shared_broker, monkeypatch, is_detected, branches):
    monkeypatch.setenv("GITHUB_HEAD_REF", "main")
    pact = write_user(make, broker_base_url=with_credentials(shared_broker))
    pact.consumer.auto_detect_version_properties = is_detected
    pact.consumer.tags = None  # a broker takes the first tag for the branch
    pact.publish(version=f"9-{is_detected}")
    published = read_version(shared_broker, f"9-{is_detected}")["_embedded"]["branchVersions"]
    assert [each["name"] for each in published] == branches


def test_a_broker_publishes_the_pacts_of_one_consumer_in_a_folder(make, shared_broker, tmp_path):
    write_user(make)
    other = json.loads((tmp_path / "user_serviceclient-userservice.json").read_text("utf-8"))
    other["consumer"]["name"] = "User ServiceClient 2"
    (tmp_path / "user_serviceclient_2-userservice.json").write_text(json.dumps(other))
    Broker(shared_broker, "pact", "secret").publish("User ServiceClient", "10", pact_dir=str(tmp_path))
    assert read_version(shared_broker, "10")["number"] == "10"
    url = f"{shared_broker}/pacticipants/User%20ServiceClient%202"
    assert httpx.get(url, auth=("pact", "secret")).status_code == 404


@pytest.mark.parametrize(
    ("broker", "reason"),
    [
        (Broker(), "broker_base_url"),
        (Broker("http://127.0.0.1:9"), "no pacts of Nobody"),
    ],
)
def test_a_broker_that_cannot_publish_raises_runtime_error_with_the_reason(tmp_path, broker, reason):
    with pytest.raises(RuntimeError, match=reason):
        broker.publish("Nobody", "1", pact_dir=tmp_path)


def test_refused_credentials_raise_runtime_error(make, shared_broker):
    pact = write_user(make, broker_base_url=shared_broker)
    with pytest.raises(RuntimeError, match="There was an error while publishing to the pact broker"):
        pact.publish()


def test_the_port_may_be_text(make, port):
    pact = make()
    pact.port = str(port)
    user(pact)
    with pact:
        assert httpx.get(f"{pact.uri}/users/UserA").is_success


@pytest.mark.parametrize("version", ["1.0.0", "2.0.0", "3.0.0", "4.0"])
def test_only_headers_that_were_given_are_expected(make, tmp_path, version):
    pact = make(specification_version=version)
    pact.upon_receiving("JSON").with_request("post", "/json", body={"n": Like(1)}).will_respond_with(
        201, body={"error": "none"}
    )
    pact.upon_receiving("text").with_request("put", "/text", body="some text").will_respond_with(200, body="fine")
    pact.upon_receiving("a header").with_request("post", "/own", body={"n": 1}, headers={"X": "y"}).will_respond_with(
        200, headers={"content-type": "application/hal+json"}, body={"n": 1}
    )
    with pact, httpx.Client(base_url=pact.uri) as client:
        request = client.build_request("POST", "/json", content='{"n": 2}')  # has no Content-Type
        assert client.send(request).json() == {"error": "none"}
        assert client.put("/text", content="some text").text == "fine"
        headers = {"X": "y", "Content-Type": "application/vnd.api+json"}
        assert client.post("/own", content='{"n": 1}', headers=headers).status_code == 200
    parts = {each["description"]: (each["request"], each["response"]) for each in content(tmp_path)["interactions"]}
    assert [part.get("headers") for part in (*parts["JSON"], *parts["text"])] == [None] * 4
    assert list(parts["a header"][0]["headers"]) == ["X"]
    assert list(parts["a header"][1]["headers"]) == ["Content-Type"]
    assert "not specified" not in json.dumps(content(tmp_path))
    assert version == "1.0.0" or parts["JSON"][0]["matchingRules"]


def test_a_body_that_differs_fails_without_a_content_type_too(make):
    pact = make()
    pact.upon_receiving("JSON").with_request("post", "/json", body={"n": 1}).will_respond_with(200)
    with pytest.raises(AssertionError, match="Expected 2"), pact:
        httpx.post(f"{pact.uri}/json", content='{"n": 2}')


def test_a_content_type_that_was_given_is_expected(make):
    pact = make()
    headers = {"Content-Type": "application/json"}
    pact.upon_receiving("JSON").with_request("post", "/", body={"n": 1}, headers=headers).will_respond_with(200)
    with pytest.raises(AssertionError, match="Content-Type"), pact:
        httpx.post(f"{pact.uri}/", content='{"n": 1}', headers={"Content-Type": "text/plain"})


@pytest.mark.parametrize(
    ("query", "matching", "other"),
    [
        (Term(r"page=\d+", "page=3"), "page=7", "page=x"),
        (Term(r"^page=\d+&sort=(up|down)$", "page=3&sort=up"), "page=7&sort=down", "page=7&sort=left"),
        ({"page": Term(r"\d+", "3"), "sort": "up"}, "page=12&sort=up", "page=12&sort=down"),
        (Like("page=3"), "page=other", "size=3"),
        (Like({"page": "3"}), "page=other", "size=3"),
        ({"id": ["1", Like("2")]}, "id=1&id=9", "id=2&id=9"),
        ({"id": EachLike("1")}, "id=7&id=9", "x=7"),
        ({"is_open": True, "limit": 3}, "is_open=true&limit=3", "is_open=True&limit=3"),
        ("a=1&b=", "a=1&b=", "a=1"),
    ],
)
def test_a_query_may_contain_matchers(make, query, matching, other):
    pact = make()
    for text, is_expected in ((matching, True), (other, False)):
        pact.upon_receiving("a search").with_request("GET", "/", query=query).will_respond_with(200)
        pact.setup()
        assert httpx.get(f"{pact.uri}/?{text}").is_success is is_expected
        pact.forget_interactions()


def test_an_expression_for_a_whole_query_that_cannot_be_split_is_refused(make):
    with pytest.raises(ValueError, match="pass a mapping"):
        make().upon_receiving("a search").with_request("GET", "/", query=Term("(a=1|b=2)", "a=1"))


def test_headers_may_be_matched_by_type(make):
    pact = make()
    headers = Like({"X-A": "1", "X-B": Term(r"\d+", "2")})
    pact.upon_receiving("headers").with_request("GET", "/", headers=headers).will_respond_with(200, headers=headers)
    with pact:
        assert httpx.get(pact.uri, headers={"X-A": "else", "X-B": "77"}).headers["X-A"] == "1"
    pact.upon_receiving("headers").with_request("GET", "/", headers=headers).will_respond_with(200, headers=headers)
    with pytest.raises(AssertionError, match="X-B"), pact:
        httpx.get(pact.uri, headers={"X-A": "else", "X-B": "none"})


@pytest.mark.parametrize(
    ("expression", "example"),
    [(r"(?<year>\d{4})", "2020"), (r"^\h+$", "3f"), (r"\A\d+\z", "3"), (r"\A\d+\Z", "3"), ("(?i)ab", "AB")],
)
def test_a_term_has_the_syntax_of_the_mock_provider(make, expression, example):
    pact = make()
    pact.upon_receiving("a term").with_request("POST", "/", body={"a": Term(expression, example)}).will_respond_with(
        200
    )
    with pact:
        httpx.post(pact.uri, json={"a": example})


@pytest.mark.parametrize("expression", ["(", "(?P<year>2020)", "2021"])
def test_a_term_that_the_mock_provider_does_not_accept_is_refused(expression):
    with pytest.raises(ValueError, match="does not match"):
        Term(expression, "2020")


def test_a_term_may_match_a_part_of_a_text_as_in_ruby(make, tmp_path):
    pact = make()
    term = Term("users/[0-9]+", "http://example.com/users/7/x")
    pact.upon_receiving("a term").with_request("POST", "/", body={"a": term}).will_respond_with(200)
    with pact:
        httpx.post(pact.uri, json={"a": "http://example.org/users/8"})
    rules = content(tmp_path)["interactions"][0]["request"]["matchingRules"]
    assert rules["$.body.a"]["regex"] == ".*(?:users/[0-9]+).*"


FORMATS = {
    "identifier": 1,
    "integer": 1,
    "decimal": 1.0,
    "ip_address": "127.0.0.1",
    "hexadecimal": "3F",
    "ipv6_address": "::ffff:192.0.2.128",
    "uuid": "fc763eba-0905-41c5-a27f-3934ab26786c",
    "timestamp": "2000-02-01T12:30:00",
    "date": "2000-02-01",
    "time": "12:30:00",
    "iso_datetime": "1991-02-20T06:35:26+00:00",
    "iso_datetime_ms": "1991-02-20T06:35:26.079043+00:00",
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_have_the_examples_of_pact_python(name):
    matcher = getattr(Format(), name)
    example = get_generated_values(matcher)
    assert (example, type(example)) == (FORMATS[name], type(FORMATS[name]))
    assert type(matcher) is (Term if isinstance(example, str) else Like)


def test_formats_have_methods_and_expressions():
    assert Format().iso_8601_datetime() == Format().iso_datetime
    assert Format().iso_8601_datetime(with_ms=True) == Format().iso_datetime_ms
    assert Format().integer_or_identifier() == Like(1)
    Term(Format.Regexes.iso_8601_datetime_ms.value, "2010-05-01T01:14:31.876")
    with pytest.raises(ValueError, match="does not match"):
        Term(Format.Regexes.iso_8601_datetime_ms.value, "2010-05-01T01:14:31")


def test_matchers_generate_the_json_of_the_ruby_mock_service():
    term = {"json_class": "Regexp", "o": 0, "s": "a+"}
    assert EachLike({"a": Term("a+", "aa")}, minimum=2).generate() == {
        "json_class": "Pact::ArrayLike",
        "contents": {"a": {"json_class": "Pact::Term", "data": {"generate": "aa", "matcher": term}}},
        "min": 2,
    }
    assert Like(1).generate() == {"json_class": "Pact::SomethingLike", "contents": 1}


@pytest.mark.parametrize(
    "describe",
    [
        lambda pact: pact.given("a").and_given("b"),
        lambda pact: pact.given([{"name": "a"}, {"name": "b"}]),
        lambda pact: pact.given("a", {"n": 1}),
    ],
)
def test_states_that_version_2_cannot_express_raise_an_error_with_the_version_to_use(make, describe):
    with pytest.raises(ValueError, match=r"specification_version=\"3\.0\.0\""):
        describe(make())
    describe(make(specification_version="3.0.0"))


def test_unknown_options_are_refused_by_name(make):
    with pytest.raises(TypeError, match="is_verbose"):
        make(is_verbose=True)
    with pytest.raises(TypeError, match="colour"):
        Consumer("Web", colour="red")  # type: ignore[call-arg]  # the mistake
    with pytest.raises(ValueError, match="ssl=True"):
        make(sslcert="cert.pem")
    with pytest.raises(ValueError, match="file_write_mode"):
        make(file_write_mode="append")


def test_the_provider_has_to_be_a_provider():
    with pytest.raises(ValueError, match="instance of the Provider class"):
        Consumer("Web").has_pact_with("Prices")  # type: ignore[arg-type]  # the mistake


def test_the_service_speaks_https_with_its_own_certificate(make):
    pact = make(ssl=True)
    user(pact)
    with pact:
        assert httpx.get(f"{pact.uri}/users/UserA", verify=False).is_success  # noqa: S501 - self-signed
    assert pact.uri.startswith("https://")


def test_the_service_speaks_https_with_a_given_certificate(make, tmp_path):
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "2"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate]
    subprocess.run([*command, *names], check=True, capture_output=True)
    pact = make(ssl=True, sslcert=certificate, sslkey=key)
    user(pact)
    with pact:
        context = ssl.create_default_context(cafile=certificate)
        assert httpx.get(f"{pact.uri}/users/UserA", verify=context).is_success


@pytest.mark.parametrize("cors", [False, True])
def test_preflight_requests_are_answered_if_cors_is_on(make, cors):
    pact = make(cors=cors)
    user(pact)
    pact.setup()
    headers = {"Origin": "http://example.com", "Access-Control-Request-Method": "GET"}
    assert httpx.options(f"{pact.uri}/users/UserA", headers=headers).is_success is cors
    pact.forget_interactions()


def test_a_port_of_another_program_is_named(make, port, monkeypatch):
    for timeout in ("_PORT_TIMEOUT", "_SHARED_PORT_TIMEOUT"):
        monkeypatch.setattr(f"treaty.testing.mock_servers.{timeout}", 0)
    pact = make()
    user(pact)
    with socket.create_server(("127.0.0.1", port)), pytest.raises(RuntimeError, match="another program uses the port"):
        pact.setup()
    pact.setup()
    pact.forget_interactions()


def test_a_pact_whose_port_was_taken_over_does_not_pass(make):
    first, second = make(), make()
    for pact in (first, second):
        user(pact)
        pact.setup()
    with pytest.raises(RuntimeError, match="another one uses its port"):
        first.verify()
    httpx.get(f"{second.uri}/users/UserA")
    second.verify()


@pytest.mark.parametrize("order", ["request first", "response first"])
def test_an_interaction_may_be_described_in_any_order(make, tmp_path, order):
    pact = make()
    if order == "request first":
        pact.with_request("GET", "/").will_respond_with(200).upon_receiving("a request")
    else:
        pact.will_respond_with(200).with_request("GET", "/").given("a state").upon_receiving("a request")
    with pact:
        httpx.get(pact.uri)
    assert content(tmp_path)["interactions"][0]["description"] == "a request"


MODULES = ("broker", "consumer", "matchers", "message_consumer", "message_pact", "message_provider", "pact", "provider")


@pytest.mark.parametrize("name", [*MODULES, "verifier"])
def test_modules_have_the_names_of_pact_python(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        importlib.import_module(f"treaty.pact.{name}")
