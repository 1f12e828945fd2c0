"""The two ways on which every client is exercised: the plain one of a first try, and the guarded one of a company."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.clients import relay as relays
from tests.clients.relay import Relay
from tests.whole import proxies, servers

PLAIN: Final = "plain"
GUARDED: Final = "guarded"
WAYS: Final = (PLAIN, GUARDED)
ESPECIALLY_GUARDED: Final = pytest.mark.parametrize(
    "broker", [pytest.param(PLAIN, marks=pytest.mark.long), GUARDED], indirect=True
)
"""For the slow tests of a client: on the plain way they run with `./run test --long` only."""
USER: Final = "ci"
PASSWORD: Final = "a stapled horse, correctly"  # noqa: S105 - of databases that end with their tests
BASE_PATH: Final = "/pact/broker"
_OWN: Final = {"User-Agent": relays.OWN_AGENT}
_INHERITED: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "GOFLAGS", "GOPROXY", "GOSUMDB", "JAVA_HOME"})


@dataclass(frozen=True, kw_only=True)
class Access:
    """How a client reaches the broker: the variables that it is given, and a client of the test's own that looks."""

    url: str
    environ: Mapping[str, str]
    authority: Path | None = None
    """The certificate of the authority that vouches for the broker, as PEM; none without TLS."""
    http: httpx.Client = field(repr=False)
    relay: Relay = field(repr=False)
    """Records all requests."""

    def call(self, *command: str, cwd: Path, code: int = 0, **environ: str) -> str:
        """Run a client's program with the broker's address and credentials, and return all that it wrote."""
        inherited = {name: value for name, value in os.environ.items() if name in _INHERITED}
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**inherited, "PACT_DO_NOT_TRACK": "true", **self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == code, f"{' '.join(command)} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout

    def requests(self) -> list[str]:
        """List the requests of the client: method and path below the broker's URL, and the body on a line below."""
        prefix = urlsplit(self.url).path
        return [
            f"{exchange.method} {exchange.target.removeprefix(prefix)}\n{exchange.body.decode(errors='replace')}"
            for exchange in self.relay.exchanges
            if exchange.is_of_client
        ]

    def environment(self, name: str) -> None:
        """Create an environment."""
        self.http.post("environments", json={"name": name, "production": False}).raise_for_status()

    def main_branch(self, application: str) -> None:
        """Set the main branch of an application to main."""
        self.http.patch(f"pacticipants/{application}", json={"mainBranch": "main"}).raise_for_status()

    def versions(self, application: str) -> list[str]:
        """List the versions of an application, the newest first."""
        versions = self.http.get(f"pacticipants/{application}/versions").raise_for_status().json()
        return [version["number"] for version in versions["_embedded"]["versions"]]

    def deploy(self, application: str, version: str, environment: str) -> None:
        """Record the deployment of a version to an environment."""
        version_of_it = self.http.get(f"pacticipants/{application}/versions/{version}").raise_for_status().json()
        links = version_of_it["_links"]["pb:record-deployment"]
        (href,) = (link["href"] for link in links if link["name"] == environment)
        self.http.post(href, json={}).raise_for_status()

    def deployed(self, application: str, version: str) -> list[str]:
        """List the environments in which a version is deployed."""
        resource = self.http.get(f"pacticipants/{application}/versions/{version}").raise_for_status().json()
        return [link["name"] for link in resource["_links"]["pb:deployed-environments"] if link["currently_deployed"]]

    def is_verified(self, consumer: str, version: str, provider: str, provider_version: str) -> bool:
        """Return whether a result says that this version of a provider honours this version's pact."""
        pairs = [
            *(("q[][pacticipant]", consumer), ("q[][version]", version)),
            *(("q[][pacticipant]", provider), ("q[][version]", provider_version)),
        ]
        matrix = self.http.get(f"matrix?{urlencode(pairs)}").raise_for_status().json()
        return bool(matrix["summary"]["deployable"])


@contextmanager
def plain(database_url: str, folder: Path) -> Iterator[Access]:
    """Run a broker that is reached directly, with a token."""
    token = _create_user(database_url, folder)
    with relays.relay() as relay, _broker(database_url, relay, f"http://{relay.address}", folder) as url:
        environ = {"PACT_BROKER_BASE_URL": url, "PACT_BROKER_TOKEN": token}
        headers = {**_OWN, "Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            yield Access(url=url, environ=environ, http=client, relay=relay)


@contextmanager
def guarded(database_url: str, folder: Path) -> Iterator[Access]:
    """Run a broker behind nginx, with TLS, a base path, a user and a password."""
    _create_user(database_url, folder)
    authority, certificate = _certificates(folder)
    with (
        relays.relay() as relay,
        proxies.nginx(relay.address, folder, _site(certificate)) as address,
        _broker(database_url, relay, address + BASE_PATH, folder) as url,
        httpx.Client(
            base_url=url, headers=_OWN, auth=(USER, PASSWORD), verify=_trusting(authority), timeout=60
        ) as client,
    ):
        environ = {
            "PACT_BROKER_BASE_URL": url,
            "PACT_BROKER_USERNAME": USER,
            "PACT_BROKER_PASSWORD": PASSWORD,
            # OpenSSL and Rust read this one, Node the other one.
            "SSL_CERT_FILE": str(authority),
            "NODE_EXTRA_CA_CERTS": str(authority),
        }
        yield Access(url=url, environ=environ, authority=authority, http=client, relay=relay)


@contextmanager
def _broker(database_url: str, relay: Relay, url: str, folder: Path) -> Iterator[str]:
    """Run a broker behind a relay, and give its base URL."""
    relay.broker = proxies.free_address()
    options = ("--port", relay.broker.rpartition(":")[2], "--base-url", url, "--trusted-proxies", "127.0.0.1")
    with servers.running(database_url, *options, cwd=folder):
        yield url


def _site(certificate: Path) -> str:
    return f"""
        server {{
            listen ADDRESS ssl;
            ssl_certificate {certificate};
            ssl_certificate_key {certificate};
            location ~ ^{BASE_PATH}(/|$) {{
                proxy_pass http://{proxies.BROKER};
                proxy_set_header Host $http_host;
                proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                proxy_set_header X-Forwarded-Proto $scheme;
            }}
        }}
    """


def _trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def _create_user(database_url: str, folder: Path) -> str:
    """Create a user with a password and a token, and return the token."""
    _run(database_url, folder, "user", "add", USER, "--password-stdin")
    return _run(database_url, folder, "token", "create", "--user", USER, "--name", "build")


def _run(database_url: str, folder: Path, *words: str) -> str:
    done = servers.run("treaty", *words, "--database-url", database_url, cwd=folder, stdin=PASSWORD + "\n")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Write the certificate of an authority, and one that it vouches for, with its key, for 127.0.0.1.

    Rust accepts no certificate of a server that is an authority's at the same time.
    """
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    names = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    authority = _unsigned(issuer, issuer, keys[0]).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = _unsigned(subject, issuer, keys[1]).add_extension(names, critical=False)
    paths = folder / "authority.pem", folder / "server.pem"
    written = [certificate.sign(keys[0], hashes.SHA256()) for certificate in (authority, server)]
    pem = [certificate.public_bytes(serialization.Encoding.PEM) for certificate in written]
    private = keys[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    paths[0].write_bytes(pem[0])
    paths[1].write_bytes(pem[1] + private)
    return paths


def _unsigned(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def trust_store(authority: Path) -> Path:
    """Write trusted certificates to a store of keytool: the authority, and Java's own, because Maven may download."""
    store = authority.with_suffix(".p12")
    if store.exists():
        return store
    keytool = shutil.which("keytool") or "keytool"
    usual = Path(keytool).resolve().parents[1] / "lib" / "security" / "cacerts"
    written = ("-deststoretype", "PKCS12", "-deststorepass", "changeit")
    copied = ("-importkeystore", "-noprompt", "-srckeystore", str(usual), "-srcstorepass", "changeit")
    added = ("-importcert", "-noprompt", "-alias", "tests", "-file", str(authority), "-storepass", "changeit")
    for words in ((*copied, "-destkeystore", str(store), *written), (*added, "-keystore", str(store))):
        subprocess.run([keytool, *words], capture_output=True, check=True)
    return store
