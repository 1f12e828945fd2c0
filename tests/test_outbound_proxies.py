"""The choice of a proxy for requests to other servers, by the usual environment variables."""

import pytest

from treaty.errors import InvalidSetting
from treaty.outbound_proxies import HttpProxy, OutboundProxies, is_exception, parse_proxy, read_environment
from treaty.settings import read_settings


@pytest.mark.parametrize(
    ("exceptions", "matching", "others"),
    [
        ("*", ["example.org:80", "10.0.0.1:80", "[::1]:443"], []),
        ("example.org", ["example.org:80", "EXAMPLE.org.:443", "a.b.example.org:80"], ["notexample.org:80", "org:80"]),
        (".example.org", ["example.org:80", "a.example.org:80"], ["notexample.org:80", "example.org.evil.test:80"]),
        ("*.example.org", ["a.example.org:80"], ["notexample.org:80"]),
        ("Example.ORG", ["example.org:80"], []),
        ("example.org:8443", ["example.org:8443", "a.example.org:8443"], ["example.org:443"]),
        ("bröker.example", ["xn--brker-kua.example:80", "bröker.example:80"], ["broker.example:80"]),
        ("localhost", ["localhost:80"], ["127.0.0.1:80"]),
        ("192.0.2.7", ["192.0.2.7:80", "[::ffff:192.0.2.7]:80"], ["192.0.2.70:80", "2.7:80", "x.192.0.2.7.test:80"]),
        ("192.0.2.7:8080", ["192.0.2.7:8080"], ["192.0.2.7:80"]),
        ("10.0.0.0/8", ["10.200.3.4:80"], ["11.0.0.1:80", "10.example.org:80", "[::a00:1]:80"]),
        ("10.1.2.3/8", ["10.200.3.4:80"], ["11.0.0.1:80"]),
        ("2001:db8::7", ["[2001:DB8:0::7]:80"], ["[2001:db8::70]:80"]),
        ("[2001:db8::7]", ["[2001:db8::7]:80"], []),
        ("[2001:db8::7]:8443", ["[2001:db8::7]:8443"], ["[2001:db8::7]:443"]),
        ("2001:db8::/32", ["[2001:db8:1::1]:80"], ["[2001:db9::1]:80", "192.0.2.7:80"]),
        ("a.test, b.test c.test", ["a.test:80", "b.test:80", "c.test:80"], ["d.test:80"]),
        (" , . *. : [ ]:1 example.org:port 1.2.3.4/99 ", [], ["example.org:80", "1.2.3.4:80", "a.test:80"]),
    ],
)
def test_exceptions_are_hosts_with_subdomains_addresses_networks_and_ports(exceptions, matching, others):
    entries = read_environment({"no_proxy": exceptions}).exceptions

    def is_direct(host):
        name, _, port = host.rpartition(":")
        return is_exception(name, int(port), entries)

    assert [host for host in matching if not is_direct(host)] == []
    assert [host for host in others if is_direct(host)] == []


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:1"}, "http://p:1", None),
        ({"https_proxy": "http://p:1"}, None, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, None, "http://p:1"),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:1"}, "http://p:1", None),
        ({"all_proxy": "http://p:1"}, "http://p:1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "https_proxy": "http://q:2"}, "http://p:1", "http://q:2"),
        ({"http_proxy": " ", "ALL_PROXY": "http://p:1"}, "http://p:1", "http://p:1"),
    ],
)
def test_each_scheme_has_a_proxy_of_its_own(environ, http, https):
    proxies = read_environment(environ)
    assert [str(proxies.choose(scheme, "broker.test", 1) or "") or None for scheme in ("http", "https")] == [
        http,
        https,
    ]
    settings = read_settings({}, environ)
    secrets = (settings.webhook_http_proxy, settings.webhook_https_proxy)
    assert [secret and secret.get_secret_value() for secret in secrets] == [http, https]


def test_a_setting_takes_precedence_over_the_environment():
    environ = {
        "http_proxy": "http://p:1",
        "no_proxy": "a.test",
        "TREATY_WEBHOOK_HTTP_PROXY": "http://q:2",
        "PACT_BROKER_WEBHOOK_NO_PROXY": "b.test, c.test",
    }
    settings = read_settings({}, environ)
    assert settings.webhook_http_proxy is not None
    assert settings.webhook_http_proxy.get_secret_value() == "http://q:2"
    assert settings.webhook_no_proxy == ("b.test", "c.test")


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("http://proxy.test:3128", HttpProxy("http", "proxy.test", 3128)),
        ("proxy.test:3128", HttpProxy("http", "proxy.test", 3128)),
        ("proxy.test", HttpProxy("http", "proxy.test", 80)),
        ("https://proxy.test/", HttpProxy("https", "proxy.test", 443)),
        ("http://[2001:db8::7]:3128", HttpProxy("http", "2001:db8::7", 3128)),
        ("http://us%40er:p%3Aw@proxy.test:1", HttpProxy("http", "proxy.test", 1, ("us@er", "p:w"))),
        ("user@proxy.test:1", HttpProxy("http", "proxy.test", 1, ("user", ""))),
    ],
)
def test_the_address_of_a_proxy_may_lack_the_scheme_and_have_credentials(text, proxy):
    assert parse_proxy(text) == proxy
    assert "p:w" not in f"{proxy} {proxy!r}"


@pytest.mark.parametrize(
    "text",
    ["socks5://user:hidden@proxy.test:1", "http://user:hidden@", "http://user:hidden@p:port", "http://[::1", "ftp://x"],
)
def test_an_unusable_proxy_is_an_error_that_hides_its_credentials(text):
    with pytest.raises(ValueError, match="is not an HTTP proxy; write its address like") as failure:
        OutboundProxies(http=text).choose("http", "broker.test", 80)
    assert "hidden" not in str(failure.value)
    assert OutboundProxies(http=text, exceptions=("broker.test",)).choose("http", "broker.test", 80) is None


def test_the_settings_hide_the_credentials_of_a_proxy():
    settings = read_settings({}, {"https_proxy": "http://user:hidden@proxy.test:1"})
    assert "hidden" not in repr(settings)
    with pytest.raises(InvalidSetting) as failure:
        read_settings({}, {"https_proxy": "http://user:hidden@proxy.test:1", "TREATY_WORKERS": "0"})
    assert "hidden" not in str(failure.value)
