"""Two pipelines and a broker: from the first pact to deploying both sides independently.

The consumer's tests and the provider's are those of the examples beside this one. Instead of a CI system a little
server takes the broker's webhook, and runs the provider's verification.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent
CONSUMER, PROVIDER = "UserServiceClient", "UserService"
WAS_CALLED = threading.Event()
MAY_GO_HERE = {
    "PACT_BROKER_WEBHOOK_SCHEME_WHITELIST": "http https",
    "PACT_BROKER_WEBHOOK_HOST_WHITELIST": "127.0.0.1",
}


def call(*words: str, folder: Path | None = None, **environ: str) -> bool:
    """Run a command as a pipeline's step does; tell whether it went well."""
    print(f"$ {' '.join(words)}", flush=True)
    programs = {"pact-broker": "treaty.cli:pact_broker", "treaty": "treaty.cli:treaty", "pytest": "pytest:main"}
    module, _, function = programs[words[0]].partition(":")
    code = f"import sys; from {module} import {function} as run; sys.argv[0] = {words[0]!r}; sys.exit(run())"
    done = subprocess.run(
        [sys.executable, "-c", code, *words[1:]],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    print("".join(f"    {line}\n" for line in (done.stdout + done.stderr).splitlines()), flush=True)
    return done.returncode == 0


def must(*words: str, folder: Path | None = None, **environ: str) -> None:
    if not call(*words, folder=folder, **environ):
        sys.exit(f"This should have gone well: {' '.join(words)}")


def must_not(*words: str, folder: Path | None = None, **environ: str) -> None:
    if call(*words, folder=folder, **environ):
        sys.exit(f"This should have failed: {' '.join(words)}")


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """Run Treaty; webhooks may go to this machine, which they may not otherwise."""
    code = "from treaty.cli import treaty; treaty()"
    words = ["serve", "--port", "0", "--database-url", f"sqlite:///{folder / 'treaty.sqlite'}"]
    log = folder / "log"
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [sys.executable, "-c", code, *words], cwd=folder, env={**os.environ, **MAY_GO_HERE}, stderr=stream
        ) as process,
    ):
        try:
            yield address(log, process)
        finally:
            process.terminate()


def address(log: Path, process: subprocess.Popen[bytes]) -> str:
    while process.poll() is None:
        if match := re.search(r"Treaty is at (\S+)", log.read_text()):
            return match[1]
        time.sleep(0.05)
    sys.exit(f"The broker did not start:\n{log.read_text()}")


@contextmanager
def ci_system() -> Iterator[str]:
    """Take webhooks, and do what the provider's workflow for them does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            print(f"The broker calls: {body['pact_url']} is to be verified.\n")
            verify(body["version"], "--pact-url", body["pact_url"])
            WAS_CALLED.set()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def verify(version: str, *more: str, **environ: str) -> bool:
    published = ("--provider-version", version, "--provider-branch", "main", "--publish-verification")
    return call("pytest", "-q", *published, *more, folder=EXAMPLES / "flask_provider", **environ)


def publish(version: str, branch: str) -> None:
    folder = EXAMPLES / "consumer"
    must("pytest", "-q", "--publish-pact", version, "--pact-branch", branch, folder=folder)


def question(pacticipant: str, version: str) -> tuple[str, ...]:
    return ("pact-broker", "can-i-deploy", "-a", pacticipant, "-e", version, "--to-environment", "production")


def deploy(pacticipant: str, version: str) -> None:
    must(*question(pacticipant, version), "--retry-while-unknown", "60", "--retry-interval", "1")
    must("pact-broker", "record-deployment", "-a", pacticipant, "-e", version, "--environment", "production")


def show(text: str) -> None:
    print(f"\n=== {text}\n", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, broker(Path(folder)) as url, ci_system() as ci:
        os.environ["PACT_BROKER_BASE_URL"] = url
        tell_story(ci)


def tell_story(ci: str) -> None:
    show("Once: an environment, and a webhook that has pacts verified which nobody has verified yet")
    must("pact-broker", "create-environment", "--name", "production", "--production")
    must("pact-broker", "create-or-update-pacticipant", "--name", PROVIDER, "--main-branch", "main")
    must("pact-broker", "create-or-update-version", "-a", PROVIDER, "-e", "p1", "--branch", "main")
    event = "--contract-requiring-verification-published"
    data = '{"pact_url": "${pactbroker.pactUrl}", "version": "${pactbroker.providerVersionNumber}"}'
    json_type = "Content-Type: application/json"
    must("pact-broker", "create-webhook", ci, "-X", "POST", "-H", json_type, "-d", data, "--provider", PROVIDER, event)

    show("The consumer's first pact: it waits for the provider, whom the webhook calls")
    publish("c1", "main")
    must_not(*question(CONSUMER, "c1"))

    show("The provider is verified by then, and goes first")
    if not WAS_CALLED.wait(60):
        sys.exit("The webhook never came.")
    deploy(PROVIDER, "p1")
    deploy(CONSUMER, "c1")

    show("The provider changes, and is deployed without asking anybody")
    verify("p2")
    deploy(PROVIDER, "p2")

    show("A provider that breaks the pact does not get so far")
    verify("p3", USER_SERVICE="broken")
    must_not(*question(PROVIDER, "p3"))

    show("Its pull request gets a comment with the cause and the next step")
    must("treaty", "report", "-a", PROVIDER, "-e", "p3", "--to-environment", "production", "--to", "stdout")

    show("The consumer changes on a branch, but asks for the same: it is deployed at once")
    publish("c2", "feat/colours")
    deploy(CONSUMER, "c2")
    show("Both sides were deployed independently.")


if __name__ == "__main__":
    main()
