"""Installed reverse proxies, started with the configurations of docs/operations.md."""

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tests.absence import unavailable
from tests.certificates import issue_certificate
from tests.docs.generated import ROOT
from tests.waiting import PATIENCE, eventually

HOST: Final = "pacts.example.org"
BROKER: Final = "127.0.0.1:9292"
_PACKAGES: Final = {"nginx": "nginx-light", "caddy": "caddy"}


class Unavailable(Exception):
    """A proxy is not installed. The message describes how to install it."""


def find_program(name: str) -> str:
    """Return the path of a proxy's program, also from the folders for administrators. Raises Unavailable."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise Unavailable(f"{name} is not installed (on Debian: apt-get install {_PACKAGES[name]})")
    return program


def require(name: str) -> str:
    """Return the path of a proxy's program. If it is not installed, skip the test, or fail it in CI."""
    try:
        return find_program(name)
    except Unavailable as absence:
        unavailable(str(absence))


def documented(language: str, *, is_below_path: bool = False) -> str:
    """Return the configuration of a proxy from the documentation: for a host, or for a path of a host."""
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    of_host, of_path = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(of_path if is_below_path else of_host)


PATHS: Final = ("kept", "removed", "decoded")
"""Hosts of `nginx_with_paths` and `caddy_with_paths`, by how they treat the prefix /pacts."""


@contextmanager
def nginx_with_paths(broker: str, folder: Path) -> Iterator[str]:
    """Run nginx in front of a broker with a path: with the documented configuration, and with two wrong ones."""
    documented_server = re.sub(r"^ +ssl_.*\n", "", documented("nginx", is_below_path=True), flags=re.MULTILINE)
    kept = documented_server.replace("listen 443 ssl", "listen ADDRESS").replace("tools.example.org", "kept.example")
    removed = f"""
        map $request_uri $path_in_treaty {{ ~^/pacts(/.*)$ $1; }}
        server {{
            listen ADDRESS; server_name removed.example;
            location /pacts/ {{ proxy_pass http://{BROKER}$path_in_treaty; proxy_set_header Host $http_host; }}
        }}"""
    decoded = f"""
        server {{
            listen ADDRESS; server_name decoded.example;
            location /pacts/ {{ proxy_pass http://{BROKER}/; proxy_set_header Host $http_host; }}
        }}"""
    with nginx(broker, folder, kept + removed + decoded) as url:
        yield url


@contextmanager
def caddy_with_paths(broker: str, folder: Path) -> Iterator[str]:
    """Run Caddy in front of a broker with a path: with the documented configuration, and with two wrong ones."""
    kept = documented("caddyfile", is_below_path=True).replace("tools.example.org", "http://kept.example:PORT")
    removed = f"""http://removed.example:PORT {{
        handle_path /pacts/* {{
            reverse_proxy {BROKER}
        }}
    }}
    """
    decoded = f"""http://decoded.example:PORT {{
        handle_path /pacts/* {{
            uri path_regexp %2F /
            reverse_proxy {BROKER}
        }}
    }}
    """
    with caddy(broker, folder, kept + removed + decoded) as url:
        yield url


@contextmanager
def nginx(broker: str, folder: Path, configuration: str | None = None) -> Iterator[str]:
    """Run nginx in front of a broker, and yield its base URL: https with the documented configuration."""
    program, address = require("nginx"), free_address()
    if configuration is None:
        _, certificate = issue_certificate(folder, HOST)
        configuration = documented("nginx").replace("listen 443", f"listen {address}")
        configuration = configuration.replace(f"/etc/ssl/{HOST}.pem", str(certificate))
        configuration = configuration.replace(f"/etc/ssl/{HOST}.key", str(certificate))
    server = configuration.replace(BROKER, broker).replace("ADDRESS", address)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}\n}}\n"
    )
    scheme = "https" if " ssl;" in server else "http"
    with _running([program, "-p", str(folder), "-c", str(file)], address, folder):
        yield f"{scheme}://{address}"


@contextmanager
def caddy(broker: str, folder: Path, configuration: str | None = None) -> Iterator[str]:
    """Run Caddy in front of a broker, and yield its base URL: http, since it would request a certificate for https."""
    program, address = require("caddy"), free_address()
    file = folder / "Caddyfile"
    site = configuration or documented("caddyfile").replace(HOST, f"http://{address}")
    site = site.replace(BROKER, broker).replace("PORT", address.rpartition(":")[2])
    file.write_text(f"{{\n\tadmin off\n\tdefault_bind 127.0.0.1\n}}\n{site}")
    with _running([program, "run", "--config", str(file), "--adapter", "caddyfile"], address, folder):
        yield f"http://{address}"


@contextmanager
def _running(command: list[str], address: str, folder: Path) -> Iterator[None]:
    log = folder / "proxy.log"
    environ = {**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=output, env=environ) as process:
        try:
            _wait_until_listening(process, address, log)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_until_listening(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    host, _, port = address.partition(":")

    def is_listening() -> bool:
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=PATIENCE):
            return True
        return False

    eventually(lambda: process.poll() is not None or is_listening())
    assert process.poll() is None, "the proxy did not start:\n" + log.read_text("utf-8", "replace")


def free_address() -> str:
    """Return an address with a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"
