"""The documentation that each broker serves at /docs/guide."""

import posixpath
import re
from collections import Counter
from urllib.parse import urljoin, urlsplit

import pytest

from tests.docs.generated import ROOT
from tests.pages.conftest import BROWSER
from treaty.web.guide import contents

DOCS = ROOT / "docs"
GUIDE = "/docs/guide"
pytestmark = pytest.mark.slow_on_postgresql  # the pages need no database


def url_of(file):
    name = file.relative_to(DOCS).as_posix()
    page = posixpath.dirname(name) if file.name == "README.md" else name.removesuffix(".md")
    return f"{GUIDE}/{page}".rstrip("/")


FILES = sorted(DOCS.rglob("*.md"))


@pytest.fixture
def pages(show):
    """All pages by their URLs."""
    return {url: show(url) for url in map(url_of, FILES)}


def anchors_on_code_hosts(text):
    """List the anchors of the headings down to the fourth level."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#{1,4} (.*)$", prose, re.MULTILINE)
    slugs = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
    counts: Counter[str] = Counter()
    for slug in slugs:
        yield f"{slug}-{counts[slug]}" if counts[slug] else slug
        counts[slug] += 1


def test_every_file_of_the_documentation_is_a_page_with_the_anchors_of_code_hosts(pages):
    wrong = [
        file.name
        for file in FILES
        if pages[url_of(file)].status != 200
        or not set(anchors_on_code_hosts(file.read_text("utf-8"))) <= set(pages[url_of(file)].ids)
        or len(pages[url_of(file)].all("h1")) != 1
    ]
    assert wrong == []


def test_every_link_leads_to_a_page_and_a_heading(pages, api):
    targets = {urljoin(url, link) for url, shown in pages.items() for link in shown.links}
    within = {target.partition("#")[::2] for target in targets if target.startswith(GUIDE)}
    assert len(within) > 100
    dead = [pair for pair in within if pair[0] not in pages or (pair[1] and pair[1] not in pages[pair[0]].ids)]
    assert dead == []
    others = {target for target in targets if target.startswith("/") and not target.startswith(GUIDE)}
    assert [path for path in others if api.get(path, accept=BROWSER).status != 200] == []
    assert {urlsplit(target).scheme for target in targets} <= {"", "https"}


def test_images_are_shown_in_their_size(pages, api):
    images = [image.attributes for shown in pages.values() for image in shown.all("img")]
    sources = [image.attributes["srcset"] for shown in pages.values() for image in shown.all("source")]
    assert {posixpath.splitext(image["src"])[1] for image in images} == {".svg", ".png"}
    assert all(image["alt"] and int(image["width"]) > int(image["height"]) > 0 for image in images)
    kinds = {".svg": "image/svg+xml", ".png": "image/png"}
    for url in [*sources, *(image["src"] for image in images)]:
        answer = api.get(url, accept="image/avif,image/webp,*/*;q=0.8")
        kind = answer.headers["content-type"].partition(";")[0]
        assert (answer.status, kind) == (200, kinds[posixpath.splitext(url)[1]]), url


def test_commands_can_be_copied_and_other_code_is_left_alone(api):
    text = api.get(f"{GUIDE}/concepts", accept=BROWSER).text
    command = "pact-broker can-i-deploy --pacticipant &#34;Web Shop&#34; --version 8e2f4a1 --to-environment production"
    assert f'<pre class="command" tabindex="0"><code>{command}</code></pre>' in text
    assert '<pre tabindex="0"><code>import httpx' in api.get(f"{GUIDE}/getting-started-consumer", accept=BROWSER).text


def test_options_stay_on_one_line_and_long_code_does_not(api):
    text = api.get(f"{GUIDE}/command-line", accept=BROWSER).text
    assert '<code class="whole">--to-environment</code>' in text
    text = api.get(f"{GUIDE}/provider-contracts", accept=BROWSER).text
    assert "<wbr>contracts/<wbr>bi-<wbr>directional/<wbr>provider/" in text
    assert "<code>/contracts/bi-directional/provider/PROVIDER/version/VERSION</code>" in text.replace("<wbr>", "")


def test_every_page_is_in_the_contents_or_in_those_of_its_folder(show):
    listed = {GUIDE, *show(GUIDE).links, *show(f"{GUIDE}/decisions").links}
    assert [url for url in map(url_of, FILES) if url not in listed] == []


def test_the_contents_show_the_place_of_a_page_with_its_headings_and_neighbours(show):
    shown = show(f"{GUIDE}/webhooks")
    current = [link.attributes["href"] for link in shown.all("a") if link.attributes.get("aria-current") == "page"]
    assert current == [f"{GUIDE}/webhooks"]
    assert "#event-log" not in shown.links
    assert "#creating-a-webhook-in-the-browser" in shown.links
    neighbours = {
        link.attributes["rel"]: link.attributes["href"] for link in shown.all("a") if "rel" in link.attributes
    }
    assert neighbours == {"prev": f"{GUIDE}/pull-requests", "next": f"{GUIDE}/events"}


def test_a_link_to_a_file_that_the_guide_does_not_have_names_the_file(show):
    assert "security policy ( SECURITY.md in the repository)" in show(f"{GUIDE}/security").text


@pytest.mark.parametrize(
    ("path", "page"),
    [("webhooks.md", "/webhooks"), ("README.md", ""), ("decisions/README.md", "/decisions")],
)
def test_the_name_of_a_file_leads_to_its_page(show, path, page):
    assert show(f"{GUIDE}/{path}").moved_to == GUIDE + page


@pytest.mark.parametrize(
    ("path", "text", "link"),
    [
        ("webhoks", "no page webhoks. Did you mean one of these? Webhooks", f"{GUIDE}/webhooks"),
        ("decisions/0001", "Did you mean one of these?", None),
        ("zzzzzz", "Search the documentation, or choose a page", f"{GUIDE}/concepts"),
        ("../../README", "Search the documentation, or choose a page", None),
        ("%3Cscript%3E", "no page <script>.", None),
    ],
)
def test_an_unknown_page_is_not_found_and_similar_ones_are_suggested(show, path, text, link):
    shown = show(f"{GUIDE}/{path}")
    assert shown.status == 404
    if not path.startswith(".."):
        assert text in shown.text.replace(" .", ".")
    assert link is None or link in shown.links


def test_an_unknown_image_is_not_found(api):
    for name in ("none.svg", "..%2FREADME.md", "README.md"):
        assert api.get(f"{GUIDE}/images/{name}", accept="*/*").status == 404


def test_a_search_lists_the_sections_that_contain_all_words(show):
    shown = show(f"{GUIDE}?q=Pending+PACTS")
    assert f"{GUIDE}/concepts#pending-pacts" in shown.links
    assert [element.tag for element in shown.elements].count("mark") > 1
    hits = [link for link in shown.links if "#" in link and link.startswith(GUIDE)]
    assert hits[0] == f"{GUIDE}/concepts#pending-pacts"


def test_a_search_without_a_match_suggests_other_searches(show):
    shown = show(f"{GUIDE}?q=%3Cscript%3E+zebra")
    assert "No section contains all words of <script> zebra . Try fewer words" in shown.text
    assert "/docs?q=%3Cscript%3E%20zebra" in shown.links
    assert not [element for element in shown.elements if element.tag == "script" and "src" not in element.attributes]


def test_every_hit_of_a_search_is_a_heading_of_its_page(pages, show):
    hits = [
        link for word in ("the", "branch") for link in show(f"{GUIDE}?q={word}").links if link.startswith(f"{GUIDE}/")
    ]
    pairs = [link.split("#") for link in hits if "#" in link]
    assert len(pairs) == 80
    assert [pair for pair in pairs if pair[1] not in pages[pair[0]].ids] == []


def test_browsers_keep_a_page_and_ask_whether_it_has_changed(api):
    answer = api.get(f"{GUIDE}/webhooks", accept=BROWSER)
    assert answer.headers["cache-control"] == "private, no-cache"
    again = api.get(f"{GUIDE}/webhooks", accept=BROWSER, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")


def test_links_and_images_work_below_the_path_of_a_base_url(make_api):
    base = "https://tools.example.org/pacts"
    text = (
        make_api(open_access=True, base_urls=(base,))
        .get(f"/pacts{GUIDE}", accept=BROWSER, headers={"host": "tools.example.org"})
        .text
    )
    assert f'href="{base}{GUIDE}/webhooks"' in text
    assert f'src="{base}{GUIDE}/images/loop.svg"' in text
    assert "guide-root:" not in text


def test_every_page_leads_to_the_documentation(show):
    for path in ("/", "/docs", "/webhooks"):
        assert GUIDE in show(path).links


def test_an_installation_without_the_pages_returns_404_with_the_reason(show, monkeypatch, tmp_path):
    monkeypatch.setattr(contents, "FOLDERS", (tmp_path,))
    functions = (contents.find_folder, contents.list_files, contents.list_groups)
    for function in functions:
        function.cache_clear()
    try:
        shown = show(GUIDE)
        assert shown.status == 404
        assert "This installation of Treaty does not include its documentation." in shown.text
    finally:
        monkeypatch.undo()
        for function in functions:
            function.cache_clear()
