"""The network: the whole system or the neighbours of an application, drawn, listed, and as SVG, DOT or Mermaid."""

import re
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import bindparam, update

from tests.pages.conftest import deploy, verify
from treaty.store.tables import pacticipant

SVG = "{http://www.w3.org/2000/svg}"
RENAME = update(pacticipant).where(pacticipant.c.name == bindparam("old")).values(name=bindparam("new"))
HOSTILE = (
    '"; n1 -> n9 [color="red"]; //',
    "ends with a backslash \\",
    '\\" -> \\\\',
    "a\nb\r\nc",
    "]] --> n9 %% | `",
    '"]\n  n9["free',
    "#quot;#35;&quot;&lt;",
    "</text></svg><script>alert(1)</script>",
    "<![CDATA[ & ]]>",
    "\x01\x1b\ufffe",
    "日本語 ünïcode \u202egnp",
)


@pytest.fixture
def system(history):
    """Shop consumes Till, which consumes Ledger; Kiosk consumes Till; Bot consumes Store, apart from all these."""
    for consumer, provider in (("Shop", "Till"), ("Kiosk", "Till"), ("Bot", "Store")):
        history.publish(consumer, "1", provider)
    return history


def names(shown):
    """The names of the applications that are drawn."""
    links = [element.attributes["href"] for element in shown.all("a") if element.attributes.get("data-n") is not None]
    # An application leads to its surroundings, and the one in the focus to its own page.
    return {link.rpartition("/")[2].removeprefix("network?focus=").removesuffix("&depth=1") for link in links}


def lines(shown):
    """The state of each line that is drawn, by consumer and provider."""
    drawn = [element.attributes for element in shown.all("a") if element.attributes.get("data-e") is not None]
    return {
        (attributes["href"].split("/")[5], attributes["href"].split("/")[3]): attributes["class"]
        for attributes in drawn
    }


@pytest.mark.usefixtures("system")
def test_the_whole_system_is_drawn_and_listed(show):
    shown = show("/network")
    assert names(shown) == {"Shop", "Kiosk", "Till", "Ledger", "Bot", "Store"}
    assert lines(shown) == {
        ("Shop", "Till"): "unknown",
        ("Kiosk", "Till"): "unknown",
        ("Till", "Ledger"): "changed",
        ("Bot", "Store"): "unknown",
    }
    assert "6 applications, 4 integrations" in shown.text
    assert "Till consumes Ledger : changed since verified" in shown.text
    assert "/pacts/provider/Ledger/consumer/Till/latest" in shown.links


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(
    ("depth", "near"),
    [
        ("1", {"Shop", "Till"}),
        ("2", {"Shop", "Till", "Kiosk", "Ledger"}),
        ("", {"Shop", "Till", "Kiosk", "Ledger"}),
        ("nonsense", {"Shop", "Till", "Kiosk", "Ledger"}),
    ],
)
def test_a_focus_shows_its_neighbours_to_a_depth(show, depth, near):
    shown = show(f"/network?focus=Shop&depth={depth}")
    assert names(shown) == near
    marked = [element for element in shown.all("a") if "me" in (element.attributes.get("class") or "").split()]
    assert [element.attributes["href"] for element in marked] == ["/pacticipants/Shop"]
    assert names(show(f"/pacticipants/Shop/network?depth={depth}")) == near


def test_as_much_is_shown_around_an_application_as_fits(api, show):
    for number in range(160):
        api.publish(f"app-{number}", "1", "Hub", "x")
    api.publish("Hub", "1", "Core", "x")
    assert names(show("/pacticipants/Core/network")) == {"Core", "Hub"}
    assert "up to 1 step away" in show("/pacticipants/Core/network").text
    assert len(names(show("/pacticipants/Core/network?depth=all"))) == 162


@pytest.mark.usefixtures("system")
def test_filters_select_by_label_environment_branch_and_state(api, show):
    api.put("/pacticipants/Store/labels/team-a", {})
    assert names(show("/network?label=team-a")) == {"Bot", "Store"}
    assert lines(show("/network?environment=production")) == {("Till", "Ledger"): "verified"}
    assert lines(show("/network?branch=main")) == {("Till", "Ledger"): "failed"}
    assert lines(show("/network?state=changed")) == {("Till", "Ledger"): "changed"}
    assert names(show("/network?state=failed")) == set()
    assert names(show("/network?label=nobody")) == set()
    assert "No integrations match this filter." in show("/network?label=nobody").text
    assert {"?state=changed", "?state=unknown"} <= set(show("/network").links)


def test_a_broker_without_integrations_and_unknown_names_have_messages(api, show):
    assert "There are no integrations yet." in show("/network").text
    assert "Nobody has no integrations that match." in show("/network?focus=Nobody").text
    assert "Nobody has no integrations." in show("/pacticipants/Nobody/network").text
    assert api.get("/network/svg?focus=Nobody", accept="*/*").status == 200


def test_applications_that_consume_each_other_or_themselves_are_drawn(api, show):
    for consumer, provider in (("A", "B"), ("B", "C"), ("C", "A"), ("A", "A")):
        api.publish(consumer, "1", provider)
    shown = show("/network")
    assert set(lines(shown)) == {("A", "B"), ("B", "C"), ("C", "A"), ("A", "A")}
    assert names(shown) == {"A", "B", "C"}


# Other formats


@pytest.mark.usefixtures("system")
@pytest.mark.parametrize(
    ("form", "media", "file"),
    [
        ("svg", "image/svg+xml", "network.svg"),
        ("dot", "text/vnd.graphviz", "network.dot"),
        ("mermaid", "text/vnd.mermaid", "network.mmd"),
    ],
)
def test_the_part_that_is_shown_can_be_kept(api, show, form, media, file):
    link = next(
        address for address in show("/network?focus=Shop&depth=1").links if address.startswith(f"/network/{form}")
    )
    kept = api.get(link, accept="text/html,*/*;q=0.8")
    assert kept.status == 200
    assert kept.headers["content-type"] == f"{media};charset=utf-8"
    assert kept.headers["content-disposition"] == f'attachment; filename="{file}"'
    assert "Shop" in kept.text
    assert "Till" in kept.text
    assert "Ledger" not in kept.text


@pytest.fixture(params=HOSTILE)
def hostile(request, api, database):
    """A consumer and a provider with a name that is hard to quote."""
    provider = f"{request.param}2"
    assert api.publish("Shop", "1", "Till").status == 200
    # Names with line feeds are refused, but databases of earlier versions may contain them.
    database.write(
        lambda db: db.execute(RENAME, [{"new": request.param, "old": "Shop"}, {"new": provider, "old": "Till"}])
    )
    return request.param


def test_a_picture_is_xml_whatever_names_hold(api, hostile):
    root = ET.fromstring(api.get("/network/svg", accept="*/*").text)  # noqa: S314 - it is our own
    assert root.tag == f"{SVG}svg"
    boxes = root.findall(f"{SVG}a")
    assert len(boxes) == 2
    assert len(root.findall(f"{SVG}g/{SVG}path")) == 1
    assert {box.findtext(f"{SVG}title") or shown_in(box) for box in boxes} == {written(hostile), written(f"{hostile}2")}
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "title",
        "rect",
        "g",
        "path",
        "a",
        "text",
        "tspan",
    }


def shown_in(box):
    return "".join(box.find(f"{SVG}text").itertext())


def written(name):
    """A name in XML: control characters are replaced, and line ends are normalized."""
    return re.sub("[\x01-\x08\x0e-\x1f\ufffe]", "\N{REPLACEMENT CHARACTER}", name).replace("\r\n", "\n")


DOT_LINE = re.compile(
    r'  (?:n[12] \[label="(?P<label>(?:[^"\\]|\\.)*)", URL="(?:[^"\\]|\\.)*"\];'
    r'|n1 -> n2 \[color="#[0-9a-f]{6}", tooltip="Not verified", style=dashed\];'
    r'|rankdir=LR;|node \[shape=box, style=rounded, fontname="Helvetica"\];)'
)


def test_dots_stay_well_formed_whatever_names_hold(api, hostile):
    first, *inside, last, end = api.get("/network/dot", accept="*/*").text.split("\n")
    assert (first, last, end) == ("digraph network {", "}", "")
    matches = [match for line in inside if (match := DOT_LINE.fullmatch(line))]
    assert len(matches) == len(inside), inside
    labels = [
        re.sub(r"\\(.)", lambda it: {"n": "\n"}.get(it[1], it[1]), match["label"])
        for match in matches
        if match["label"]
    ]
    assert len(labels) == 2
    assert labels[0].replace("&amp;", "&") == written(hostile)


def test_a_flowchart_stays_well_formed_whatever_names_hold(api, hostile):
    first, *inside, end = api.get("/network/mermaid", accept="*/*").text.split("\n")
    assert (first, end) == ("flowchart LR", "")
    nodes, (arrow, style) = inside[:2], inside[2:]
    assert arrow == "  n1 -.-> n2"
    assert re.fullmatch(r"  linkStyle 0 stroke:#[0-9a-f]{6}", style)
    for at, (line, name) in enumerate(zip(nodes, (hostile, f"{hostile}2"), strict=True), start=1):
        match = re.fullmatch(rf'  n{at}\["((?:[\w .,:/-]|#[0-9]+;)*)"\]', line)
        assert match, line
        assert re.sub("#([0-9]+);", lambda it: chr(int(it[1])), match[1]) == name


def test_every_format_has_the_states(history, api):
    verify(history, "3", "12", success=False)
    deploy(history, "Till", "3", "test")
    assert "-->|failed|" in api.get("/network/mermaid", accept="*/*").text
    assert 'tooltip="Failed"' in api.get("/network/dot", accept="*/*").text
    assert "Till consumes Ledger: Failed" in api.get("/network/svg", accept="*/*").text
    assert "Till consumes Ledger: Verified" in api.get("/network/svg?environment=production", accept="*/*").text
