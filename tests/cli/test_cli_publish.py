"""publish, against another broker."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run

PUBLISH = "POST /contracts/publish"
NOTICES = [
    {"type": "debug", "text": "Created Foo version 1 with branch main"},
    {"type": "success", "text": "Pact successfully published for Foo version 1 and provider Bar."},
    {"type": "debug", "text": "  View the published pact at http://broker/pacts/1"},
    {"type": "prompt", "text": "  Next steps:"},
    {"type": "prompt", "text": "    * Add Pact verification tests. See https://docs.pact.io/go/provider_verification"},
    {"type": "warning", "text": "Careful"},
    {"type": "danger", "text": "Stop"},
]


def pact(consumer: str = "Foo", provider: str = "Bar", interactions: object = ()) -> dict[str, object]:
    return {
        "provider": {"name": provider},
        "consumer": {"name": consumer},
        "interactions": list(interactions) if isinstance(interactions, (list, tuple)) else interactions,
        "metadata": {"pactSpecification": {"version": "2.0.0"}},
    }


def interaction(description: str = "a request", state: str | None = "s", status: int = 200) -> dict[str, object]:
    found = {"description": description, "request": {"path": "/"}, "response": {"status": status}}
    return found | ({"providerState": state} if state else {})


@pytest.fixture
def pacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacts").mkdir()
    write(tmp_path / "pacts" / "foo-bar.json", pact())
    return tmp_path / "pacts"


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2))


def test_a_pact_is_published_as_it_stands_in_its_file(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": []})
    run("publish", str(pacts), "-a", "1", "-h", "main", "--tag", "dev", "--build-url", "http://ci/1")
    assert broker.lines == ["GET /", PUBLISH]
    sent = broker.last.json
    content = base64.b64decode(sent["contracts"][0].pop("content")).decode()
    assert content == json.dumps(pact(), separators=(",", ":"))
    assert sent == {
        "pacticipantName": "Foo",
        "pacticipantVersionNumber": "1",
        "tags": ["dev"],
        "branch": "main",
        "buildUrl": "http://ci/1",
        "contracts": [
            {
                "consumerName": "Foo",
                "providerName": "Bar",
                "specification": "pact",
                "contentType": "application/json",
            }
        ],
    }


def test_what_is_unknown_is_left_out_but_tags_are_always_told(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": []})
    run("publish", str(pacts), "-a", " 1 ")
    sent = broker.last.json
    assert set(sent) == {"pacticipantName", "pacticipantVersionNumber", "tags", "contracts"}
    assert (sent["tags"], sent["pacticipantVersionNumber"]) == ([], "1")
    assert "onConflict" not in sent["contracts"][0]


def test_notices_are_printed_plainly_where_no_terminal_is(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": NOTICES})
    result = run("publish", str(pacts), "-a", "1")
    assert result.stdout == "\n".join(notice["text"] for notice in NOTICES) + "\n"
    assert result.exit_code == 0


def test_notices_have_their_colours_and_urls_theirs_within(run: Run, broker: OtherBroker, pacts: Path) -> None:
    broker.answer(PUBLISH, {"notices": NOTICES})
    lines = run("publish", str(pacts), "-a", "1", FORCE_COLOR="1").stdout.splitlines()
    assert lines == [
        "Created Foo version 1 with branch main",
        "\x1b[32mPact successfully published for Foo version 1 and provider Bar.\x1b[0m",
        "  View the published pact at \x1b[35mhttp://broker/pacts/1\x1b[0m",
        "\x1b[33m  Next steps:\x1b[0m",
        "\x1b[33m    * Add Pact verification tests. See "
        "\x1b[35mhttps://docs.pact.io/go/provider_verification\x1b[0m\x1b[0m",
        "\x1b[33mCareful\x1b[0m",
        "\x1b[31mStop\x1b[0m",
    ]
