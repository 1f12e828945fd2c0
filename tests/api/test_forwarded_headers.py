"""What the headers of proxies decide: the client's address and where links lead, and for whom they decide nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treaty.settings import Settings, read_settings
from treaty.web.http.proxies import ClientConnection, TrustedProxies

ME = "127.0.0.1"
TRUSTED = (ME, "10.0.0.0/8", "2001:db8:1::/48")
only_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


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
        # A client opens a quotation, so that what the proxy appends seems to belong to it.
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
            {"x-forwarded-for": "6.6.6.6", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https"},
        ),
    ],
)
def test_the_family_that_the_proxy_does_not_write_is_ignored(family, header, others):
    aside = {
        "x-real-ip": "6.6.6.6",
        "client-ip": "6.6.6.6",
        "x-forwarded-port": "666",
        "x-forwarded-ssl": "on",
        "x-forwarded-scheme": "https",
        "x-forwarded-server": "evil.example",
    }
    assert seen({**header, **others, **aside}, family=family) == ClientConnection("192.0.2.7")
    assert seen({**others, **aside}, family=family) == ClientConnection(ME)


entries = st.text(alphabet=' ,;="\\[]:.%abforhst0123456789-_', max_size=60)


@given(client=entries, family=st.sampled_from(["x-forwarded", "forwarded"]))
def test_whatever_a_client_sends_the_proxy_has_the_last_word(client, family):
    """The proxy appends what it sees to the client's own headers, the host replaces it or is appended."""
    appended = {
        "x-forwarded-for": f"{client}, 192.0.2.7",
        "x-forwarded-proto": f"{client}, https",
        "x-forwarded-host": f"{client}, a.example",
        "forwarded": f"{client}, for=192.0.2.7;proto=https;host=a.example",
    }
    own = appended if family == "x-forwarded" else {"forwarded": appended["forwarded"], "x-forwarded-for": client}
    assert seen(own, family=family) == ClientConnection("192.0.2.7", "https", "a.example")


@given(headers=st.dictionaries(st.sampled_from(["x-forwarded-for", "x-forwarded-host", "forwarded"]), entries))
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


@only_sqlite
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


@only_sqlite
def test_of_several_base_urls_the_one_that_the_proxy_reports_is_used(make_api):
    urls = ("https://a.example", "https://b.example", "http://localhost")
    api = make_api(open_access=True, trusted_proxies=(ME,), base_urls=urls)
    for host, base in (("b.example", "https://b.example"), ("evil.example", "http://localhost")):
        answer = api.get("/", headers={"x-forwarded-host": host, "x-forwarded-proto": "https"})
        assert answer.json()["_links"]["self"]["href"] == base
    assert api.get("/", headers={"host": "evil.example"}).json()["_links"]["self"]["href"] == "https://a.example"


@only_sqlite
@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"x-forwarded-host": "a.example/evil"}, "The host that the proxy reports is not a host"),
        ({"x-forwarded-host": 'a.example"><script>'}, "The host that the proxy reports is not a host"),
        ({"x-forwarded-proto": "javascript"}, "must be http or https"),
    ],
)
def test_what_a_trusted_proxy_reports_is_checked(make_api, headers, reason):
    refused = make_api(open_access=True, trusted_proxies=(ME,)).get("/", headers=headers)
    assert refused.status == 400
    assert reason in refused.json()["error"]


def test_the_family_is_a_setting():
    for name, value in (("x-forwarded", "x-forwarded"), ("forwarded", "forwarded")):
        assert read_settings({}, {"PACT_BROKER_TRUSTED_PROXY_HEADERS": name}).trusted_proxy_headers == value
    with pytest.raises(Exception, match="trusted_proxy_headers: must be x-forwarded or forwarded, but is 'both'"):
        read_settings({}, {"PACT_BROKER_TRUSTED_PROXY_HEADERS": "both"})
