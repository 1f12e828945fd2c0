"""The hosts and addresses to which webhooks may be sent."""

from ipaddress import ip_address

import pytest

from treaty.model.webhooks.hosts import format_entry, is_local, is_public, is_whitelisted


@pytest.mark.parametrize(
    ("host", "entries", "expected"),
    [
        ("example.org", ["example.org"], True),
        ("Example.org", ["example.org"], True),
        ("example.org", ["Example.org"], True),
        ("example.org.evil.net", ["example.org"], False),
        ("a.example.org", ["*.example.org"], True),
        ("a.b.example.org", ["*.example.org"], False),
        ("example.org", ["*.example.org"], False),
        (".example.org", ["*.example.org"], False),
        ("jenkins.example.org", [r"/jenkins\..*/"], True),
        ("jenkins.example.org", [r"/jenkins\.example\.org/"], True),
        ("JENKINS.example.org", [r"/jenkins\.example\.org/"], True),
        ("jenkins.example.org.evil.net", [r"/jenkins\.example\.org/"], False),
        ("evil-jenkins.example.org", [r"/jenkins\.example\.org/"], False),
        ("jenkins.example.org", ["/jenkins/"], False),
        ("jenkins.example.org\n", [r"/jenkins\.example\.org/"], False),
        ("bücher.example", ["bücher.example"], True),
        ("xn--bcher-kva.example", ["bücher.example"], True),
        ("example.org", ["/jenkins/"], False),
        ("example.org", ["/JENKINS|Example/"], False),
        ("example.org", [r"/JENKINS|Example\.ORG/"], True),
        ("my-jenkins.example.org", ["/^jenkins/"], False),
        ("jenkins.example.org.evil.net", ["/org$/"], False),
        ("example.org", ["/"], False),
        ("example.org", ["//"], False),
        ("example.", ["*."], False),
        ("example", ["*"], False),
        ("A.example.org", ["*example.ORG"], True),
        ("example.org", ["other.org", "example.org"], True),
        ("example.org", ["other.org"], False),
        ("other.org", ["example.org"], False),
        ("example.org", [], False),
        ("10.1.2.3", ["10.0.0.0/8"], True),
        ("10.9.9.9", ["10.1.2.3/8"], True),
        ("[fd00::1]", ["fd00::/8"], True),
        ("fd00::1", ["[fd00::1]"], True),
        ("fd00::1%eth0", ["fd00::/8"], True),
        ("10.1.2.3", ["example.org", "10.1.2.3"], True),
        ("10.1.2.3", ["10.1.2.3"], True),
        ("10.1.2.3", ["/.*/"], False),
        ("10.1.2.3", ["*.1.2.3"], False),
        ("11.1.2.3", ["10.0.0.0/8"], False),
        ("fd00::1", ["fd00::/8"], True),
        ("::ffff:10.1.2.3", ["10.0.0.0/8"], True),
        ("10.1.2.3.example.org", ["10.0.0.0/8"], False),
    ],
)
def test_a_whitelist_names_hosts_and_networks(host, entries, expected) -> None:
    assert is_whitelisted(host, entries) is expected


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",  # noqa: S104 - the address is judged, not bound to
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "100.100.100.200",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "100::1",
        "2001::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2002:c0a8:101::1",
        "2a00:1450::5efe:7f00:1",
        "2a00:1450::200:5efe:a00:1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_an_address_that_is_somebodys_own_is_not_public(address) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        *("8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "::ffff:8.8.8.8"),
        *("2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"),
        # The neighbour of an address that is not public, and of the marks of ISATAP.
        *("168.63.129.17", "64:ff9b::a83f:8111", "2002:a83f:8111::1", "2a00:1450::5efe:a83f:8111"),
        *("2a00:1450::5eff:7f00:1", "2a00:1450::200:5eff:7f00:1"),
        *("2a00:1450::5efe:808:808", "2a00:1450::200:5efe:808:808", "2a00:1450::1:5efe:a00:1"),
    ],
)
def test_an_address_of_the_internet_is_public(address) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("169.254.169.254", True),
        ("0.0.0.0", True),  # noqa: S104 - the address is judged, not bound to
        ("224.0.0.1", True),
        ("240.0.0.1", True),
        ("100.100.100.200", True),
        ("168.63.129.16", True),
        ("fe80::1%eth0", True),
        ("::", True),
        ("ff02::1", True),
        ("fd00:ec2::254", True),
        ("::ffff:169.254.169.254", True),
        ("64:ff9b::a9fe:a9fe", True),
        ("64:ff9b::808:808", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.0.0.1", False),
        ("fd00::1", False),
        ("8.8.8.8", False),
        ("2606:4700::1111", False),
    ],
)
def test_a_name_opens_private_addresses_but_not_those_of_the_machine_or_the_cloud(address, expected) -> None:
    assert is_local(ip_address(address)) is expected


def test_a_message_quotes_names_and_shows_expressions_as_they_are() -> None:
    assert [format_entry(entry) for entry in ("example.org", "/a/", "//", "/", "a/", "/a")] == [
        '"example.org"',
        "/a/",
        "//",
        '"/"',
        '"a/"',
        '"/a"',
    ]
