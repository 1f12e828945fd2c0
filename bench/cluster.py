"""A cluster with high availability: two nodes behind nginx, and a PostgreSQL with a synchronous standby.

The first node reaches the database through PgBouncer, in transaction mode; the second one has the addresses of both
databases.

Everything listens on 127.0.0.1, on free ports, and is stopped at the end. PostgreSQL's files are in a temporary folder.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx
import psycopg

from tests import postgres, small_disks
from tests.small_disks import SmallDisk
from tests.whole import proxies

TIMEOUT: Final = 180.0
_DISK_MEGABYTES: Final = 512
MAX_CONNECTIONS: Final = 40
_SETTINGS: Final = {
    "fsync": "off",  # processes are killed here, but the machine stays up
    "listen_addresses": "127.0.0.1",
    "max_connections": str(MAX_CONNECTIONS),
    "unix_socket_directories": "",
    "hot_standby": "on",
}
_BOUNCER_PROGRAM: Final = "pgbouncer"
FAKETIME: Final = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"

_NGINX: Final = """\
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream treaty {{
    server 127.0.0.1:{first} max_fails=1 fail_timeout=1s;
    server 127.0.0.1:{second} max_fails=1 fail_timeout=1s;
  }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://treaty;
      proxy_set_header Host $http_host;
      proxy_connect_timeout 2s;
      proxy_read_timeout 60s;
      error_page 502 504 =503 @unavailable;
    }}
    location @unavailable {{
      add_header Retry-After 1 always;
      return 503;
    }}
  }}
}}
"""
_BOUNCER: Final = """\
[databases]
* = host=127.0.0.1 port={database_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = md5
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = 8
max_client_conn = 200
server_login_retry = 1
"""


class MissingProgram(Exception):
    """A program that the cluster needs is not installed. The message names it."""


def find_program(name: str, package: str) -> str:
    """Return the path of a program, also from the folders for administrators. Raises MissingProgram."""
    program = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        raise MissingProgram(f"{name} is not installed (on Debian: apt-get install {package})")
    return program


@dataclass(slots=True)
class Process:
    """A process that can be killed and restarted with the same command."""

    start_process: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.process = self.start_process()

    def restart(self) -> None:
        self.process = self.start_process()

    def kill(self) -> None:
        """Kill the process, as a lack of memory would."""
        self.process.kill()
        self.process.wait(TIMEOUT)

    def end(self) -> None:
        """Terminate the process, and wait until it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(TIMEOUT)
            except subprocess.TimeoutExpired:
                self.kill()


@dataclass(slots=True)
class Cluster:
    """The running processes, with their ports and settings."""

    folder: Path
    owner: pwd.struct_passwd | None
    password: str
    database_ports: Sequence[int]
    """Ports of the primary and the standby."""
    databases: list[subprocess.Popen[bytes]]
    bouncer_port: int = 0
    bouncer: Process = field(init=False)
    nodes: list[Process] = field(default_factory=list)
    node_ports: list[int] = field(default_factory=list)
    node_sources: list[Path | None] = field(default_factory=lambda: [None, None])
    """Folders with another version of the package, if a node runs one."""
    earlier_source: Path | None = None
    """Folder of an earlier version, which nodes can run."""
    node_options: list[Sequence[str]] = field(default_factory=lambda: [(), ()])
    disk: SmallDisk | None = None
    """Disk with the tables of the primary, but not its write-ahead log; None if this user cannot mount disks."""
    node_variables: list[Mapping[str, str]] = field(default_factory=lambda: [{}, {}])
    port: int = 0
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16))
    webhook_settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """URL of nginx."""
        return f"http://127.0.0.1:{self.port}"

    def database_url(self, index: int) -> str:
        """Return the URL of a node's database."""
        account = f"postgresql://treaty:{self.password}"
        if self.earlier_source and self.node_sources[index] == self.earlier_source:
            # Earlier versions support neither poolers nor the other notation of several hosts.
            hosts = "&".join(f"host=127.0.0.1:{port}" for port in self.database_ports)
            return f"{account}@/postgres?{hosts}&target_session_attrs=read-write"
        if index == 0:
            return f"{account}@127.0.0.1:{self.bouncer_port}/postgres"
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.database_ports)
        return f"{account}@{hosts}/postgres?target_session_attrs=read-write"

    def direct_url(self, index: int) -> str:
        """Return the URL of the primary (0) or the standby (1)."""
        return f"postgresql://treaty:{self.password}@127.0.0.1:{self.database_ports[index]}/postgres"

    def promote_standby(self) -> None:
        """Make the standby the primary, and let PgBouncer use it, as a failover manager does."""
        with psycopg.connect(self.direct_url(1), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        self.configure_bouncer(self.database_ports[1])
        self.bouncer.process.send_signal(signal.SIGHUP)

    def configure_bouncer(self, database_port: int) -> None:
        """Write the configuration of PgBouncer."""
        text = _BOUNCER.format(database_port=database_port, port=self.bouncer_port, folder=self.bouncer_folder)
        (self.bouncer_folder / "pgbouncer.ini").write_text(text)

    @property
    def bouncer_folder(self) -> Path:
        return self.folder / "bouncer"

    def start_node(self, index: int) -> None:
        """Start a node, and wait until it responds."""
        if len(self.nodes) > index:
            self.nodes[index].restart()
        else:
            self.nodes.append(Process(lambda: self._start_node(index)))
        wait_until(lambda: self._is_responding(index), f"node {index + 1} does not respond")

    def read_log(self, index: int) -> str:
        """Return the log of a node."""
        path = self.folder / f"node-{index + 1}.log"
        return path.read_text("utf-8", errors="replace") if path.exists() else ""

    def _is_responding(self, index: int) -> bool:
        if self.nodes[index].process.poll() is not None:
            raise RuntimeError(f"node {index + 1} does not start: {self.read_log(index)}")
        try:
            response = httpx.get(f"http://127.0.0.1:{self.node_ports[index]}/diagnostic/status/heartbeat")
        except httpx.HTTPError:
            return False
        return response.is_success

    def _start_node(self, index: int) -> subprocess.Popen[bytes]:
        source = self.node_sources[index]
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith(("TREATY_", "PACT_BROKER_"))
        }
        environ |= {
            **self.webhook_settings,
            "TREATY_SECRET_KEY": self.secret_key,
            "TREATY_BASE_URL": self.url,
            "TREATY_OPEN_ACCESS": "true",
            "TREATY_DATABASE_URL": self.database_url(index),
            "TREATY_DATABASE_MAX_CONNECTIONS": "2",
            **({"PYTHONPATH": str(source)} if source else {}),
            **self.node_variables[index],
        }
        program = [sys.executable, "-c", "from treaty.cli import treaty; treaty()"]
        command = [*program, "serve", "--port", str(self.node_ports[index]), "--log-level", "warn"]
        command += self.node_options[index]
        with (self.folder / f"node-{index + 1}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, env=environ, stdout=log, stderr=log)


@contextmanager
def running(webhook_settings: Mapping[str, str], *, source: Path | None = None, workers: int = 1) -> Iterator[Cluster]:
    """Run a cluster until the block ends; `source` is a folder with an earlier version of the package for both nodes.

    The second node has a number of `workers`, unless it runs an earlier version.

    Raises MissingProgram, `postgres.Unavailable` and `proxies.Unavailable` if a program is not installed.
    """
    bouncer, nginx = find_program(_BOUNCER_PROGRAM, "pgbouncer"), proxies.find_program("nginx")
    with ExitStack() as stack:
        cluster = stack.enter_context(_running_databases())
        cluster.webhook_settings = webhook_settings
        cluster.bouncer = _start_bouncer(cluster, bouncer)
        stack.callback(cluster.bouncer.end)
        cluster.port = postgres.free_port()
        cluster.node_ports = [postgres.free_port() for _ in range(2)]
        cluster.node_sources = [source, source]
        cluster.earlier_source = source
        cluster.node_options[1] = ("--workers", str(workers)) if workers > 1 and source is None else ()
        for index in range(2):
            cluster.start_node(index)
            stack.callback(cluster.nodes[index].end)
        stack.callback(_start_nginx(cluster, nginx).end)
        wait_until(lambda: _is_proxy_responding(cluster.url), "nginx does not respond")
        yield cluster


def wait_until(condition: Callable[[], bool], problem: str) -> None:
    """Wait until a condition is true. Raises TimeoutError with the problem as its message."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(problem)
        time.sleep(0.05)


def _is_proxy_responding(url: str) -> bool:
    try:
        return httpx.get(f"{url}/diagnostic/status/heartbeat").is_success
    except httpx.HTTPError:
        return False


@contextmanager
def _running_databases() -> Iterator[Cluster]:
    """Run a primary and its synchronous standby until the block ends."""
    binaries, owner = postgres.find_binaries(), postgres.find_owner()
    root = Path(tempfile.mkdtemp(prefix="treaty-cluster-"))
    folders = [root / "primary", root / "standby"]
    stack = ExitStack()
    try:
        for folder in (root, *folders):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
            if owner:
                os.chown(folder, owner.pw_uid, owner.pw_gid)
        password = postgres.create_cluster(binaries, folders[0], owner)
        disk = stack.enter_context(_small_disk(folders[0] / "data" / "base", owner))
        primary, primary_port = postgres.start_cluster(binaries, folders[0], owner, _SETTINGS)
        cluster = Cluster(root, owner, password, [primary_port], [primary], disk=disk)
        try:
            _create_standby(cluster, binaries, folders[1])
            standby, standby_port = postgres.start_cluster(binaries, folders[1], owner, _SETTINGS)
            cluster.databases.append(standby)
            cluster.database_ports = [primary_port, standby_port]
            _enable_synchronous_replication(cluster)
            yield cluster
        finally:
            for process in cluster.databases:
                postgres.stop_cluster(process)
    finally:
        stack.close()
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def _small_disk(folder: Path, owner: pwd.struct_passwd | None) -> Iterator[SmallDisk | None]:
    """Move a folder to a small disk until the block ends. Yields None if this user is not root and cannot mount it."""
    copy = folder.with_name(f"{folder.name}-copy")
    folder.rename(copy)
    folder.mkdir(0o700)
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disks.mounted(folder, megabytes=_DISK_MEGABYTES))
        except small_disks.Unavailable:
            disk = None
        subprocess.run([find_program("cp", "coreutils"), "-a", f"{copy}/.", str(folder)], check=True)
        shutil.rmtree(copy)
        yield disk


def _create_standby(cluster: Cluster, binaries: Path, folder: Path) -> None:
    command: list[str | Path] = [
        binaries / "pg_basebackup",
        f"--pgdata={folder / 'data'}",
        f"--dbname={cluster.direct_url(0)}",
        "--write-recovery-conf",
        "--checkpoint=fast",
    ]
    if postgres.run_as_owner(command, folder, cluster.owner).wait(TIMEOUT) != 0:
        raise postgres.Unavailable(f"pg_basebackup failed: {(folder / 'log').read_text(errors='replace')}")


def _enable_synchronous_replication(cluster: Cluster) -> None:
    """Have the primary acknowledge commits only when the standby has them."""
    with psycopg.connect(cluster.direct_url(0), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
        query = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: connection.execute(query).fetchone() == (1,), "the standby does not follow the primary")


def _start_bouncer(cluster: Cluster, program: str) -> Process:
    cluster.bouncer_port = postgres.free_port()
    folder = cluster.bouncer_folder
    folder.mkdir()
    cluster.configure_bouncer(cluster.database_ports[0])
    (folder / "users.txt").write_text(f'"treaty" "{cluster.password}"\n')
    if cluster.owner:
        os.chown(folder, cluster.owner.pw_uid, cluster.owner.pw_gid)
    command: list[str | Path] = [program, "-q", folder / "pgbouncer.ini"]
    return Process(lambda: postgres.run_as_owner(command, folder, cluster.owner))


def _start_nginx(cluster: Cluster, program: str) -> Process:
    folder = cluster.folder / "nginx"
    folder.mkdir()
    folder.chmod(0o777)
    first, second = cluster.node_ports
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, port=cluster.port, first=first, second=second))
    command = [program, "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(folder / "nginx.conf")]
    return Process(lambda: subprocess.Popen(command))


def pause(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop a process for some time, as on a machine without free processor time."""
    process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    process.send_signal(signal.SIGCONT)
