"""Headers of trusted proxies decide the client's address and the base of links; other clients' headers are ignored."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.databases import on_sqlite
from treaty.settings import Settings, read_settings
from treaty.web.http.proxies import ClientConnection, TrustedProxies

ME = "127.0.0.1"
TRUSTED = (ME, "10.0.0.0/8", "2001:db8:1::/48")


def seen(headers, *, family="x-forwarded", trusted=TRUSTED, peer=ME):
    settings = Settings(trusted_proxies=trusted, trusted_proxy_headers=family)
    return TrustedProxies(settings).find_client(peer, headers)


@pytest.mark.parametrize(
    ("entries", "address"),
    [
        ("", ME),
        ("192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        ("6.6.6.6, 10.0.0.5, 192.0.2.7, 10.1.1.1, 10.2.2.2", "192.0.2.7"),
        ("192.0.2.7:4711", "192.0.2.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("192.0.2.7, 2001:db8:1::1", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("192.0.2.7, ::ffff:10.0.0.1", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("10.1.1.1", "10.1.1.1"),
        ("unknown", ME),
        ("6.6.6.6, unknown, 10.1.1.1", "10.1.1.1"),
        ("6.6.6.6,", ME),
        ("6.6.6.6, 1.2.3", ME),
        (",".join(["10.1.1.1"] * 40_000), "10.1.1.1"),
    ],
)
def test_the_client_is_the_first_address_from_the_right_that_is_not_trusted(entries, address):
    assert seen({"x-forwarded-for": entries}).address == address


@pytest.mark.parametrize(
    ("header", "client"),
    [
        ("", ClientConnection(ME)),
        ("for=192.0.2.7", ClientConnection("192.0.2.7")),
        ('for="[2001:db8::7]:4711";proto=https;host=a.example', ClientConnection("2001:db8::7", "https", "a.example")),
        ("For=192.0.2.7; Proto=HTTPS; By=10.1.1.1", ClientConnection("192.0.2.7", "https")),
        (
            "for=6.6.6.6;host=evil.example, for=192.0.2.7;host=a.example",
            ClientConnection("192.0.2.7", None, "a.example"),
        ),
        (
            "for=6.6.6.6, for=192.0.2.7;host=a.example, for=10.1.1.1;host=b.example",
            ClientConnection("192.0.2.7", None, "a.example"),
        ),
        ("for=6.6.6.6, for=192.0.2.7, for=10.1.1.1;proto=https;host=b", ClientConnection("192.0.2.7", "https", "b")),
        ("for=6.6.6.6;host=evil.example, for=unknown;host=a.example", ClientConnection(ME, None, "a.example")),
        ("for=6.6.6.6, for=_hidden, for=10.1.1.1", ClientConnection("10.1.1.1")),
        # A client opens a quotation, so that the values that the proxy appends seem to belong to it.
        ('for=6.6.6.6;host="evil.example, for=192.0.2.7', ClientConnection("192.0.2.7")),
        ('for=6.6.6.6;host="evil.example, for="[2001:db8::7]"', ClientConnection("2001:db8::7")),
        ('for=6.6.6.6;x="a\\, for=192.0.2.7', ClientConnection("192.0.2.7")),
        # A client has the proxy write a host that looks like a further parameter or element.
        ('for=192.0.2.7;host="a;for=6.6.6.6"', ClientConnection("192.0.2.7", None, "a;for=6.6.6.6")),
        ("for=192.0.2.7;host=a;for=6.6.6.6", ClientConnection(ME)),
        ('for=192.0.2.7;host="a, for=6.6.6.6"', ClientConnection(ME)),
        ("for=6.6.6.6, nonsense", ClientConnection(ME)),
        ("for=6.6.6.6, for=", ClientConnection(ME)),
    ],
)
def test_forwarded_is_read_from_the_right_too(header, client):
    assert seen({"forwarded": header}, family="forwarded") == client


@pytest.mark.parametrize(
    ("family", "header", "others"),
    [
        ("x-forwarded", {"x-forwarded-for": "192.0.2.7"}, {"forwarded": "for=6.6.6.6;host=evil.example;proto=https"}),
        (
            "forwarded",
            {"forwarded": "for=192.0.2.7"},
            {
                "x-forwarded-for": "6.6.6.6",
                "x-forwarded-host": "evil.example",
                "x-forwarded-proto": "https",
                "x-forwarded-port": "666",
                "x-forwarded-prefix": "/evil",
            },
        ),
    ],
)
def test_the_family_that_the_proxy_does_not_write_is_ignored(family, header, others):
    aside = {
        "x-real-ip": "6.6.6.6",
        "client-ip": "6.6.6.6",
        "x-forwarded-ssl": "on",
        "x-forwarded-scheme": "https",
        "x-forwarded-server": "evil.example",
    }
    assert seen({**header, **others, **aside}, family=family) == ClientConnection("192.0.2.7")
    assert seen({**others, **aside}, family=family) == ClientConnection(ME)


entries = st.text(alphabet=' ,;="\\[]:.%abforhst0123456789-_', max_size=60)


@given(client=entries, family=st.sampled_from(["x-forwarded", "forwarded"]))
def test_whatever_a_client_sends_the_proxy_has_the_last_word(client, family):
    """The proxy appends the values that it sees to the client's own headers, the host replaces it or is appended."""
    appended = {
        "x-forwarded-for": f"{client}, 192.0.2.7",
        "x-forwarded-proto": f"{client}, https",
        "x-forwarded-host": f"{client}, a.example",
        "x-forwarded-port": f"{client}, 8443",
        "forwarded": f"{client}, for=192.0.2.7;proto=https;host=a.example",
    }
    own = appended if family == "x-forwarded" else {"forwarded": appended["forwarded"], "x-forwarded-for": client}
    port = "8443" if family == "x-forwarded" else None
    assert seen(own, family=family) == ClientConnection("192.0.2.7", "https", "a.example", port)


X_HEADERS = [f"x-forwarded-{name}" for name in ("for", "proto", "host", "port", "prefix")]


@given(headers=st.dictionaries(st.sampled_from([*X_HEADERS, "forwarded"]), entries))
def test_without_a_trusted_peer_no_header_counts(headers):
    for family in ("x-forwarded", "forwarded"):
        assert seen(headers, family=family, peer="192.0.2.1") == ClientConnection("192.0.2.1")
        assert seen(headers, family=family, trusted=()) == ClientConnection(ME)


@pytest.mark.parametrize(
    ("family", "header", "other"),
    [("x-forwarded", "x-forwarded-for", "forwarded"), ("forwarded", "forwarded", "x-forwarded-for")],
)
def test_a_proxy_that_writes_the_other_family_is_logged_once(capsys, family, header, other):
    proxies = TrustedProxies(Settings(trusted_proxies=TRUSTED, trusted_proxy_headers=family))
    for headers in ({}, {header: "for=192.0.2.7", other: "x"}):
        proxies.find_client(ME, headers)
    proxies.find_client("192.0.2.7", {other: "x"})
    assert capsys.readouterr().out == ""
    for _ in range(2):
        assert proxies.find_client(ME, {other: "x"}).address == ME
    assert capsys.readouterr().out.count(f"{ME} have no {header} header") == 1


@on_sqlite
def test_links_have_the_scheme_and_host_that_a_trusted_proxy_reports(make_api):
    api = make_api(open_access=True, trusted_proxies=(ME,))
    for headers, base in (
        ({"x-forwarded-host": "a.example", "x-forwarded-proto": "https"}, "https://a.example"),
        ({"x-forwarded-host": "a.example:443", "x-forwarded-proto": "https"}, "https://a.example"),
        (
            {"x-forwarded-host": "evil.example, a.example:8443", "x-forwarded-proto": "http, HTTPS"},
            "https://a.example:8443",
        ),
        ({"x-forwarded-host": "[2001:db8::1]:8080"}, "http://[2001:db8::1]:8080"),
        ({"forwarded": "host=evil.example;proto=https"}, "http://localhost"),
    ):
        assert api.get("/", headers=headers).json()["_links"]["self"]["href"] == base


@on_sqlite
def test_of_several_base_urls_the_one_that_the_proxy_reports_is_used(make_api):
    urls = ("https://a.example", "https://b.example", "http://localhost")
    api = make_api(open_access=True, trusted_proxies=(ME,), base_urls=urls)
    for host, base in (("b.example", "https://b.example"), ("evil.example", "http://localhost")):
        answer = api.get("/", headers={"x-forwarded-host": host, "x-forwarded-proto": "https"})
        assert answer.json()["_links"]["self"]["href"] == base
    assert api.get("/", headers={"host": "evil.example"}).json()["_links"]["self"]["href"] == "https://a.example"


@pytest.mark.parametrize(
    ("forwarded_for", "proto", "host", "port", "client"),
    [
        # Each proxy appends.
        ("192.0.2.7, 10.1.1.1", "https, http", "a.example, inner", "8443, 80", ("https", "a.example", "8443")),
        ("192.0.2.7, 10.1.1.1, 10.2.2.2", "https, http, http", "a.example, b, c", "", ("https", "a.example", None)),
        # The outermost one is the last that is trusted: entries further to the left may be the client's own.
        (
            "6.6.6.6, 192.0.2.7, 10.1.1.1",
            "gopher, https, http",
            "evil, a.example, b",
            "6, 7, 8",
            ("https", "a.example", "7"),
        ),
        (
            "10.0.0.9, 192.0.2.7, 10.1.1.1",
            "gopher, https, http",
            "evil, a.example, b",
            "",
            ("https", "a.example", None),
        ),
        ("192.0.2.7", "http, https", "evil, a.example", "666, 8443", ("https", "a.example", "8443")),
        # The outermost proxy sets the header, and the others pass it on.
        ("192.0.2.7, 10.1.1.1", "https", "a.example", "8443", ("https", "a.example", "8443")),
        ("192.0.2.7, 10.1.1.1, 10.2.2.2", "https, http", "a.example", "", ("https", "a.example", None)),
        # Some report nothing.
        ("192.0.2.7, 10.1.1.1", "https, ", " , a.example", "", ("https", "a.example", None)),
        ("192.0.2.7, 10.1.1.1", ", http", "", ",", ("http", None, None)),
        # The walk ends where an address is missing.
        ("192.0.2.7, unknown, 10.1.1.1", "gopher, https, http", "evil, a.example, b", "", ("https", "a.example", None)),
        ("", "gopher, https", "evil, a.example", "", ("https", "a.example", None)),
    ],
)
def test_scheme_host_and_port_are_those_that_the_outermost_trusted_proxy_received(
    forwarded_for, proto, host, port, client
):
    headers = {
        "x-forwarded-for": forwarded_for,
        "x-forwarded-proto": proto,
        "x-forwarded-host": host,
        "x-forwarded-port": port,
    }
    assert seen(headers)[1:4] == client


TRUSTED_ADDRESSES = st.sampled_from(["10.1.1.1", "10.2.2.2", "2001:db8:1::1"])
UNTRUSTED_ADDRESSES = st.sampled_from(["192.0.2.7", "2001:db8::7", "unknown"])
VALUES = st.tuples(st.sampled_from(["http", "https"]), st.sampled_from(["a.example", "b.example:81"]))


@given(
    forged=st.lists(st.tuples(entries.map(lambda text: text.replace(",", "")), VALUES), max_size=3),
    client=st.tuples(UNTRUSTED_ADDRESSES, VALUES),
    inner=st.lists(st.tuples(TRUSTED_ADDRESSES, VALUES), max_size=4),
    family=st.sampled_from(["x-forwarded", "forwarded"]),
)
def test_all_of_a_client_is_read_from_the_entry_of_the_outermost_trusted_proxy(forged, client, inner, family):
    """The client connects to the outermost proxy, and each further proxy appends its peer to the received values."""
    hops = [*forged, client, *inner]
    headers = {
        "x-forwarded-for": ", ".join(address for address, _ in hops),
        "x-forwarded-proto": ", ".join(scheme for _, (scheme, _) in hops),
        "x-forwarded-host": ", ".join(host for _, (_, host) in hops),
        "forwarded": ", ".join(f'for="{address}";proto={scheme};host="{host}"' for address, (scheme, host) in hops),
    }
    address, (scheme, host) = client
    nearest_known = inner[0][0] if inner else ME
    connection = seen(headers, family=family)
    assert connection == ClientConnection(nearest_known if address == "unknown" else address, scheme, host)


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({"x-forwarded-host": "a.example", "x-forwarded-port": "8443"}, "http://a.example:8443"),
        (
            {"x-forwarded-host": "a.example", "x-forwarded-port": "443", "x-forwarded-proto": "https"},
            "https://a.example",
        ),
        ({"x-forwarded-host": "a.example:8443", "x-forwarded-port": "443"}, "http://a.example:8443"),
        ({"x-forwarded-host": "[2001:db8::1]", "x-forwarded-port": "0081"}, "http://[2001:db8::1]:81"),
        # The host is passed on, and TLS ends at the proxy.
        ({"host": "a.example", "x-forwarded-port": "443", "x-forwarded-proto": "https"}, "https://a.example"),
        ({"host": "a.example", "x-forwarded-port": "8443", "x-forwarded-proto": "https"}, "https://a.example:8443"),
        # An inner proxy reports its own port.
        ({"host": "a.example", "x-forwarded-port": "80", "x-forwarded-proto": "https"}, "https://a.example"),
        ({"host": "a.example", "x-forwarded-port": "443", "x-forwarded-proto": "http"}, "http://a.example"),
        ({"x-forwarded-host": "a.example", "x-forwarded-prefix": "/evil"}, "http://a.example"),
    ],
)
def test_a_port_apart_from_the_host_becomes_part_of_links(make_api, headers, base):
    api = make_api(open_access=True, trusted_proxies=(ME,))
    assert api.get("/", headers=headers).json()["_links"]["self"]["href"] == base


@on_sqlite
def test_nothing_that_an_untrusted_client_reports_becomes_part_of_links(make_api):
    api = make_api(open_access=True, trusted_proxies=("10.0.0.0/8",), base_urls=())
    reports = {"x-forwarded-port": "666", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"}
    for headers in (reports, {"forwarded": "host=evil.example;proto=https"}):
        assert api.get("/", headers=headers).json()["_links"]["self"]["href"] == "http://localhost"


UNSAFE = st.text(alphabet=' \r\n\t\x00"<>/?#@:;,.aé%0123456789', min_size=1, max_size=30)


@on_sqlite
def test_no_unsafe_value_of_a_proxy_becomes_part_of_links(make_api):
    api = make_api(open_access=True, trusted_proxies=(ME,))

    @given(name=st.sampled_from(["proto", "host", "port", "prefix"]), value=UNSAFE, others=st.booleans())
    def holds(name, value, others):
        latin = value.encode("latin-1", "replace").decode("latin-1")
        more = {"x-forwarded-host": "a.example", "x-forwarded-proto": "https"} if others else {}
        answer = api.get("/", headers={"x-forwarded-for": "192.0.2.7", **more, f"x-forwarded-{name}": latin})
        assert answer.status in {200, 400}
        if answer.status == 200:
            href = answer.json()["_links"]["self"]["href"]
            assert re.fullmatch(r"https?://[A-Za-z0-9.~_-]+(:[0-9]{1,5})?", href), (href, value)

    holds()


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"x-forwarded-port": "x"}, "The port that the proxy reports is not a port: send a number from 1 to 65535."),
        ({"x-forwarded-port": "65536"}, "The port that the proxy reports is not a port"),
        ({"x-forwarded-port": "0"}, "The port that the proxy reports is not a port"),
        ({"x-forwarded-port": "-1"}, "The port that the proxy reports is not a port"),
        ({"x-forwarded-port": "8 0"}, "The port that the proxy reports is not a port"),
        ({"x-forwarded-port": "9" * 5000}, "The port that the proxy reports is not a port"),
        ({"x-forwarded-host": "a.example:65536"}, "The host that the proxy reports is not a host"),
        ({"x-forwarded-proto": "javascript:alert(1)"}, "must be http or https"),
        ({"x-forwarded-proto": "https\r\nX-Evil: 1"}, "must be http or https"),
        ({"x-forwarded-host": "a.example/evil"}, "The host that the proxy reports is not a host"),
        ({"x-forwarded-host": 'a.example"><script>'}, "The host that the proxy reports is not a host"),
        ({"x-forwarded-proto": "javascript"}, "must be http or https"),
    ],
)
def test_invalid_headers_of_a_trusted_proxy_return_400(make_api, headers, reason):
    refused = make_api(open_access=True, trusted_proxies=(ME,)).get("/", headers=headers)
    assert refused.status == 400
    assert reason in refused.json()["error"]


def test_the_family_is_a_setting():
    for name, value in (("x-forwarded", "x-forwarded"), ("forwarded", "forwarded")):
        assert read_settings({}, {"PACT_BROKER_TRUSTED_PROXY_HEADERS": name}).trusted_proxy_headers == value
    with pytest.raises(Exception, match="trusted_proxy_headers: must be x-forwarded or forwarded, but is 'both'"):
        read_settings({}, {"PACT_BROKER_TRUSTED_PROXY_HEADERS": "both"})
