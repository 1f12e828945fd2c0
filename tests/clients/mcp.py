"""An assistant's side of the Model Context Protocol: starts a server, and uses its tools over its standard streams."""

import json
import os
import queue
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import IO, Any, Final

from tests.waiting import PATIENCE

PROTOCOL: Final = "2025-06-18"
PREFIX: Final = "contract-testing_"
"""With which SmartBear's server begins the names of the tools for a broker."""
_INHERITED: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR"})

Message = dict[str, Any]


class Assistant:
    """Uses the tools of a server."""

    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.used: set[str] = set()
        """The tools that were used so far."""
        self._stdin = process.stdin
        self._log = log
        self._messages: queue.Queue[Message | None] = queue.Queue()
        self._count = 0
        self.reader = Thread(target=_read, args=(process.stdout, self._messages), daemon=True)
        self.reader.start()

    def introduce(self) -> None:
        """Begin the session, as the protocol demands."""
        client = {"name": "tests", "version": "1"}
        self._request("initialize", {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": client})
        self._send({"method": "notifications/initialized"})

    def tools(self) -> set[str]:
        """List the tools for a broker, without their prefix."""
        tools: Sequence[Mapping[str, str]] = self._request("tools/list", {})["result"]["tools"]
        return {tool["name"].removeprefix(PREFIX) for tool in tools if tool["name"].startswith(PREFIX)}

    def use(self, tool: str, /, **arguments: object) -> Any:
        """Use a tool, and return the document that it found."""
        result = self._call(tool, arguments)
        assert "result" in result, result
        assert not result["result"].get("isError"), result
        return json.loads(result["result"]["content"][0]["text"])

    def failure(self, tool: str, /, **arguments: object) -> str:
        """Use a tool in vain, and return the reason."""
        result = self._call(tool, arguments)["result"]
        assert result.get("isError"), result
        return str(result["content"][0]["text"])

    def delete(self, tool: str, /, **arguments: object) -> None:
        """Use a tool that gets no document from the broker, which version 0.41 of the server cannot pass on.

        The broker has returned 204 then. Any other status is a failure of the tool.
        """
        result = self._call(tool, arguments)
        assert "result" not in result or not result["result"].get("isError"), result
        if "error" in result:
            assert "Invalid tools/call result" in result["error"]["message"], result

    def _call(self, tool: str, arguments: Mapping[str, object]) -> Message:
        self.used.add(tool)
        return self._request("tools/call", {"name": PREFIX + tool, "arguments": arguments})

    def _request(self, method: str, params: Mapping[str, object]) -> Message:
        self._count += 1
        self._send({"id": self._count, "method": method, "params": params})
        while True:
            message = self._messages.get(timeout=PATIENCE)
            assert message is not None, f"the server has ended:\n{self._log.read_text('utf-8')}"
            if message.get("id") == self._count and "method" not in message:
                return message

    def _send(self, message: Message) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._stdin.flush()


@contextmanager
def assistant(command: Sequence[str | Path], folder: Path, environ: Mapping[str, str]) -> Iterator[Assistant]:
    """Run a server until the block ends. It writes its log to a file in the folder."""
    inherited = {name: value for name, value in os.environ.items() if name in _INHERITED}
    log = folder / "mcp.log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command,
            cwd=folder,
            env={**inherited, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        user = Assistant(process, log)
        try:
            user.introduce()
            yield user
        finally:
            process.terminate()
            process.wait(PATIENCE)
            user.reader.join(PATIENCE)


def _read(stdout: IO[str], messages: "queue.Queue[Message | None]") -> None:
    for line in stdout:
        if line.startswith("{"):  # when it ends, the server writes a line that is not a message
            messages.put(json.loads(line))
    messages.put(None)
