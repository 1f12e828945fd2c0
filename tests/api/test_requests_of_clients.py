"""Requests of clients in other languages, as their tests recorded them, in the order of their calls.

Each recording is a table: method, path, headers and body of each request, and the status and media type that the client
understood. The same requests have the same kind of response in this process, and each response is described by OpenAPI.
"""

from datetime import timedelta

import pytest

from tests.clients import recordings

FILES = recordings.recorded_files()


@pytest.mark.long_on_postgresql
@pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}: {file.stem}" for file in FILES])
def test_a_client_gets_the_responses_that_it_understands(api, clock, file):
    uuids, faults = recordings.Uuids(), []
    for number, request in enumerate(recordings.read(file), 1):
        clock.now += timedelta(seconds=1)
        path, body = uuids.reveal(request.path), uuids.reveal(request.body).encode()
        answer = api.send(request.method, path, body, request.headers)
        uuids.note(answer.body.decode(errors="replace"))
        kind = (answer.status, recordings.media_type(answer.headers))
        if kind != (request.status, request.media_type):
            faults.append(f"line {number}, {request.method} {request.path}: {kind} {answer.body[:200]!r}")
    assert faults == []


def test_every_client_whose_tests_run_here_has_recordings():
    assert {file.parent.name for file in FILES} >= {"go", "javascript", "jvm", "python", "ruby", "rust"}
