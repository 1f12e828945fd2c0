"""`treaty compare` and `treaty diff`: documents beside pacts, from files and from a broker, without publishing."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.contracts import OPENAPI, USES_COUNT, Json, interaction, pact
from tests.waiting import PATIENCE
from treaty.cli.comparison_reports import build_sarif
from treaty.model.compare.profiles import Profile
from treaty.model.compare.reading import read_document
from treaty.model.compare.reports import SelectedPact, compare_pacts

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import OtherBroker, Run


RENAMED = OPENAPI.replace("count:", "amount:")
ASYNCAPI = """\
asyncapi: 3.0.0
info: {title: Stock, version: '1'}
channels:
  stock:
    messages:
      changed:
        payload: {type: object, properties: {name: {type: string}}}
operations:
  changed:
    action: send
    channel: {$ref: '#/channels/stock'}
    messages: [{$ref: '#/channels/stock/messages/changed'}]
"""


FITS = pact(interaction({"name": "Tea"}), consumer="Web")
BREAKS = pact(interaction({"name": "Tea"}), interaction({"count": "many", "colour": "red"}, state="an item exists"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with documents and an empty folder for pacts."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pacts").mkdir()
    for name, text in (("api.yaml", OPENAPI), ("new.yaml", RENAMED), ("events.yaml", ASYNCAPI)):
        (tmp_path / name).write_text(text)
    return tmp_path


def write(folder: Path, *pacts: Json) -> None:
    for content in pacts:
        (folder / "pacts" / f"{content['consumer']['name']}.json").write_text(json.dumps(content))


def test_documents_that_meet_the_expectations_of_consumers_are_compatible(
    run: Run, folder: Path, broker: OtherBroker
) -> None:
    write(folder, FITS)
    result = run("compare", "api.yaml")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "Web -> Stock (pacts/Web.json): compatible, 1 of 1 interactions compared" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        "All pacts fit (profile strict); errors: 0, warnings: 0, interactions compared: 1 of 1"
    )
    assert broker.requests == []


def test_a_no_shows_each_expectation_and_the_contradicting_position_in_the_document(run: Run, folder: Path) -> None:
    write(folder, FITS, BREAKS)
    result = run("compare", "api.yaml", "--pacts", "pacts")
    assert result.exit_code == 1
    assert "Till -> Stock (pacts/Till.json): incompatible, 2 of 2 interactions compared" in result.stdout
    assert "  an item (given an item exists)\n" in result.stdout
    assert '      pact      [root].interactions[1].response.body.count = "many"\n' in result.stdout
    assert "      document  api.yaml:21:11 [root].paths./items/{id}.get.responses.200.content." in result.stdout
    assert 'properties.count.type = "integer"\n' in result.stdout
    assert "colour" in result.stdout
    assert "Pacts that do not fit: 1 of 2 (profile strict); errors: 2, warnings: 0" in result.stdout


def test_json_has_the_findings_with_positions_and_counts(run: Run, folder: Path) -> None:
    write(folder, FITS, BREAKS)
    result = run("compare", "api.yaml", "-o", "json")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["success"], report["compared"], report["interactions"]) == (1, False, 3, 3)
    assert [(each["consumer"], each["success"]) for each in report["pacts"]] == [("Till", False), ("Web", True)]
    wrong_type = next(each for each in report["findings"] if each["mockDetails"].get("value") == "many")
    assert (wrong_type["code"], wrong_type["type"]) == ("response.body.incompatible", "error")
    assert wrong_type["mockDetails"]["location"] == "[root].interactions[1].response.body.count"
    assert wrong_type["mockDetails"]["interactionState"] == "an item exists"
    assert (wrong_type["specDetails"]["pathName"], wrong_type["specDetails"]["pathMethod"]) == ("/items/{id}", "get")
    assert wrong_type["specDetails"]["position"] == {"line": 21, "column": 11}
    assert wrong_type["specDetails"]["documentName"] == "api.yaml"


def test_several_documents_may_be_of_both_kinds(run: Run, folder: Path) -> None:
    message = {
        "type": "Asynchronous/Messages",
        "description": "a change",
        "comments": {"references": {"AsyncAPI": {"operationId": "changed"}}},
        "contents": {"content": {"name": 1}, "contentType": "application/json", "encoded": False},
    }
    write(folder, pact(message) | {"metadata": {"pactSpecification": {"version": "4.0"}}})
    assert run("compare", "api.yaml").exit_code == 0
    result = run("compare", "api.yaml", "events.yaml")
    assert result.exit_code == 1
    assert "events.yaml:7:53 [root].channels.stock.messages.changed.payload.properties.name.type" in result.stdout


def test_github_shows_findings_beside_lines_with_escaped_texts(run: Run, folder: Path) -> None:
    odd = interaction({"count": "50 %,\n: much"}) | {"description": "100 %: an item,\nor none"}
    write(folder, pact(odd, consumer="Till, new: 5 %"))
    lines = run("compare", "api.yaml", "-o", "github").stdout.splitlines()
    assert lines[0].startswith(
        "::error file=api.yaml,line=21,col=11,title=Till%2C new%3A 5 %25%3A response.body.incompatible"
        "::100 %25: an item,%0Aor none: "
    )
    assert lines[1].startswith("Pacts that do not fit: 1 of 1")
    assert len(lines) == 2


def test_sarif_has_a_result_at_the_position_for_each_finding(run: Run, folder: Path) -> None:
    write(folder, BREAKS)
    result = run("compare", "api.yaml", "-o", "sarif")
    log = json.loads(result.stdout)
    rules = [rule["id"] for rule in log["runs"][0]["tool"]["driver"]["rules"]]
    results = log["runs"][0]["results"]
    assert result.exit_code == 1
    assert [(each["ruleId"], rules[each["ruleIndex"]], each["level"]) for each in results] == [
        ("response.body.incompatible", "response.body.incompatible", "error")
    ] * 2
    place = next(each for each in results if "many" in each["message"]["text"])["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "api.yaml"}, "region": {"startLine": 21, "startColumn": 11}}
    fingerprints = [each["partialFingerprints"]["treaty/v1"] for each in results]
    (folder / "api.yaml").write_text("# another line\n" + OPENAPI)
    moved = json.loads(run("compare", "api.yaml", "-o", "sarif").stdout)["runs"][0]["results"]
    assert [each["partialFingerprints"]["treaty/v1"] for each in moved] == fingerprints


def test_sarif_of_a_document_without_findings_is_an_empty_run() -> None:
    document = read_document(OPENAPI.encode(), name="api.yaml")
    log = build_sarif(compare_pacts([SelectedPact(content=FITS)], [document], Profile.STRICT))
    assert log["runs"][0]["results"] == []


UNUSABLE = [
    ("openapi: [", "", "api.yaml: line 2, column 1: The document is not valid YAML"),
    ("openapi: 3.1.0\na: &b c", "", "api.yaml: line 2, column 4: The document uses the YAML anchor or alias &b"),
    ("title: x", "", "api.yaml: line 1, column 1: The document is neither OpenAPI nor AsyncAPI"),
    (json.dumps(FITS), "", "This is a pact. Write --pacts before each file or folder with pacts."),
    (
        OPENAPI,
        '{"consumer": ',
        "The pact file pacts/Till.json is not valid JSON: Expecting value, in line 1, column 14",
    ),
    (OPENAPI, "[]", "pacts/Till.json is not a pact: it does not name a consumer and a provider."),
    (
        OPENAPI,
        json.dumps(pact({"request": {}, "response": {}})),
        "pacts/Till.json: The pact cannot be compared, because [root].interactions[0]",
    ),
]


@pytest.mark.parametrize(("document", "pact_text", "reason"), UNUSABLE)
def test_unusable_files_exit_with_2_and_name_the_file_and_the_reason(
    run: Run, folder: Path, document: str, pact_text: str, reason: str
) -> None:
    (folder / "api.yaml").write_text(document)
    (folder / "pacts" / "Till.json").write_text(pact_text or json.dumps(FITS))
    for words in (("compare", "api.yaml"), ("diff", "api.yaml", "api.yaml")):
        result = run(*words)
        assert result.exit_code == 2
        assert reason in result.output


MISUSES = [
    (["compare"], "No value provided for required options 'documents'"),
    (["diff", "api.yaml"], "No value provided for required options 'new'"),
    (["compare", "api.yaml", "--profil", "strict"], "No such option"),
    (["compare", "api.yaml", "--profile", "lax"], "'lax' is not one of"),
    (["compare", "api.yaml", "-o", "xml"], "Invalid output option 'xml'"),
    (["compare", "missing.yaml", "--provider", "Stock"], "missing.yaml: No such file or directory"),
    (["compare", "api.yaml", "--pacts", "missing"], "'missing' does not exist"),
    (["compare", "api.yaml", "--main"], "Give the name of the provider in the broker as --provider."),
    (["compare", "api.yaml", "--main", "--environment", "x"], "Give either --environment or --main."),
    (["compare", "api.yaml", "--main", "--provider", "Stock", "--pacts", "pacts"], "Give either --pacts, or"),
    (["compare", "api.yaml"], "The pacts are of several providers: Shop, Stock. Choose one of them with --provider."),
    (["compare", "api.yaml", "--provider", "Stok"], "No pact is of the provider Stok. The pacts are of Shop, Stock."),
]


@pytest.mark.parametrize(("words", "reason"), MISUSES)
def test_misuse_exits_with_2_and_the_next_step(run: Run, folder: Path, words: list[str], reason: str) -> None:
    write(folder, FITS, pact(consumer="Till", provider="Shop"))
    result = run(*words)
    assert (result.exit_code, reason in result.output) == (2, True), result.output


def test_without_pacts_the_error_names_the_options_that_provide_them(run: Run, folder: Path) -> None:
    assert "No pact files found" in run("compare", "api.yaml").output
    (folder / "pacts").rmdir()
    result = run("compare", "api.yaml")
    assert result.exit_code == 2
    assert "Give files or a folder as --pacts, or take the pacts from a broker" in result.stderr


def test_main_without_a_broker_fails_with_the_missing_option(run: Run, folder: Path) -> None:  # noqa: ARG001 - the documents
    result = run("compare", "api.yaml", "--main", "--provider", "Stock", PACT_BROKER_BASE_URL="")
    assert (result.exit_code, "Give the broker's address as --broker-base-url" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "selector"),
    [(["--main"], {"mainBranch": True}), (["--environment", "production"], {"environment": "production"})],
)
def test_pacts_of_an_environment_or_of_main_branches_are_from_the_broker(
    run: Run, folder: Path, broker: OtherBroker, words: list[str], selector: Json
) -> None:
    write(folder, FITS)
    links = {"pb:provider-pacts-for-verification": {"href": f"{broker.url}/verifiable/{{provider}}"}}
    broker.answers.clear()
    broker.answer("GET /", {"_links": links})
    entry = {"_links": {"self": {"href": f"{broker.url}/pact"}}}
    broker.answer("POST /verifiable/Stock", {"_embedded": {"pacts": [entry]}})
    versions = {"pb:consumer-version": {"href": "x", "name": "1.4.0"}}
    broker.answer("GET /pact", {**BREAKS, "_links": versions})
    result = run("compare", "api.yaml", "--provider", "Stock", *words)
    assert result.exit_code == 1
    assert f"Till 1.4.0 -> Stock ({broker.url}/pact): incompatible" in result.stdout
    assert broker.requests[1].json == {"consumerVersionSelectors": [selector], "includePendingStatus": False}


def test_diff_lists_the_consumers_that_a_new_document_breaks(run: Run, folder: Path) -> None:
    write(folder, USES_COUNT, FITS, pact(interaction({"colour": "red"}), consumer="Map"))
    result = run("diff", "api.yaml", "new.yaml")
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line and not line.startswith(" ")] == [
        "Till -> Stock (pacts/Till.json): breaks",
        "Map -> Stock (pacts/Map.json): already broken by the old document",
        "Web -> Stock (pacts/Web.json): not affected",
        "Consumers: 1 breaks, 1 still broken, 1 not affected",
    ]
    assert "new.yaml:16:5" in result.stdout
    changes = json.loads(run("diff", "api.yaml", "new.yaml", "-o", "json").stdout)
    assert (changes["success"], changes["comparedPacts"]) == (False, 2)
    assert {each["consumer"]: (each["effect"], len(each["findings"])) for each in changes["consumers"]} == {
        "Till": ("breaks", 1),
        "Map": ("still broken", 0),
        "Web": ("not affected", 0),
    }


def test_diff_in_the_other_direction_fixes(run: Run, folder: Path) -> None:
    write(folder, USES_COUNT, FITS)
    result = run("diff", "new.yaml", "api.yaml")
    assert result.exit_code == 0
    assert "Till -> Stock (pacts/Till.json): fixed by the new document" in result.stdout


def test_diff_shows_new_warnings_but_is_a_yes(run: Run, folder: Path) -> None:
    write(folder, FITS)
    (folder / "new.yaml").write_text(OPENAPI.replace("        200:", "        default:"))
    result = run("diff", "api.yaml", "new.yaml")
    assert (result.exit_code, "Web -> Stock (pacts/Web.json): new warnings" in result.stdout) == (0, True)
    assert "warning response.status.default" in result.stdout


LOADED = """
import sys
sys.modules.update(dict.fromkeys(("pydantic", "sqlalchemy", "starlette", "orjson", "uvicorn", "jinja2", "structlog")))
from treaty.cli import TREATY
TREATY(["compare", "api.yaml"])
"""


def test_a_comparison_needs_the_packages_of_the_client_only(folder: Path) -> None:
    write(folder, FITS)
    command = [sys.executable, "-c", LOADED]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (result.returncode, "All pacts fit" in result.stdout) == (0, True), result.stderr


def test_a_broken_reference_is_noted_once(run: Run, folder: Path) -> None:
    write(folder, FITS)
    (folder / "api.yaml").write_text(OPENAPI.replace("name: {type: string}", "name: {$ref: '#/nowhere'}"))
    result = run("compare", "api.yaml")
    assert result.exit_code == 0
    notes = [line for line in result.stdout.splitlines() if line.startswith("Note: ")]
    location = "[root].components.schemas.Item.properties.name.$ref"
    assert notes == [f"Note: The document refers to #/nowhere, which it does not have. ({location})"]
