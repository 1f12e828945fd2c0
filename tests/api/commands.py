"""Commands that send their requests to the application in this process."""

from collections.abc import Callable
from threading import Lock

from click.testing import Result

from tests.api.client import Api
from tests.http_server import Answer, Request

Run = Callable[..., Result]
"""Runs a command with words."""


def answer_with(api: Api) -> Callable[[Request], Answer]:
    """Pass requests from a socket on to the application in this process, one at a time."""
    lock = Lock()

    def get_answer(request: Request) -> Answer:
        with lock:
            answer = api.request(
                request.method,
                request.path,
                request.body,
                accept=request.headers.get("accept", "*/*"),
                type=request.headers.get("content-type", "application/json"),
                headers=request.headers,
            )
        headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
        return Answer(answer.status, answer.body, headers)

    return get_answer
