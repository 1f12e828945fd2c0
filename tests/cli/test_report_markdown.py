"""The comment of a report: untrusted texts stay texts, and its length is bounded."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Final

import pytest
from markdown_it import MarkdownIt

from treaty.cli.reporting import markdown
from treaty.cli.reporting.facts import (
    Decision,
    Destination,
    DocumentFinding,
    InteractionChange,
    Level,
    Obstacle,
    PactChange,
    Report,
    Verdict,
)
from treaty.cli.reporting.markdown import BITBUCKET, GITHUB, GITLAB, Dialect

URL: Final = "https://broker.example.org/matrix?q%5B%5D"
DIALECTS: Final = {"github": GITHUB, "gitlab": GITLAB, "bitbucket": BITBUCKET}
HOSTILE: Final = [
    "@octocat please look",
    "@octo/team",
    "[click](https://evil.example)",
    "![image](https://evil.example/x.png)",
    "https://evil.example and www.evil.example",
    "<script>alert(1)</script><img src=x>",
    "</details><h1>All is good</h1>",
    "-->\n# All is good\n<!--",
    "<!-- treaty-report: Other -->",
    "[//]: # (treaty-report: Other)",
    "a | b | c",
    "**bold** _text_ ~~gone~~ $x$",
    "`code` ``more`` ```\nfence",
    "````\n```\n# heading",
    "#1 and !2 and %3 and octo/shop#4 and GH-5",
    "\n/close\n/merge",
    "\n\n---\n\n> quote\n\n1. one\n\n- two",
    "\\[x](y) C:\\path\\@x",
    "&lt;b&gt; &#64;octocat",
    "\u202eright to left\u202c\u200b\x00\x1b[31m",
    "someone@example.org",
    "1. one",
    "23) two",
    "# heading",
    "- item",
    "+ item",
    "> quote",
    "===",
]


def build(text: str, *, count: int = 1) -> Report:
    """Build a report that has a text wherever one from outside may be."""
    obstacle = Obstacle(
        subject=text,
        problem=text,
        details=(text,),
        step=text,
        command=f"pact-verifier '{text}'",
        url=f"javascript:{text}",
    )
    decision = Decision(
        destination=Destination(environment=text),
        verdict=Verdict.NO,
        obstacles=(obstacle,) * count,
        remarks=(text,),
        failure=text,
        url=URL,
    )
    change = PactChange(
        provider=text, changes=(InteractionChange(kind="added", name=(text, (text,))),), counts={"added": 1}, url=URL
    )
    finding = DocumentFinding(
        consumer=text, code="x", message=text, level=Level.FAILURE, path=text, lines=(1, 1), key="x"
    )
    return Report(
        pacticipant=text,
        version=text,
        decisions=(decision,) * count,
        pact_changes=(change,),
        findings=(finding,),
        notes=(text,),
    )


class Page(HTMLParser):
    """The tags, the links and the texts outside of code, of a rendered comment."""

    def __init__(self, comment: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str | None] = set()
        self.texts: list[str] = []
        self.comments: list[str] = []
        self._is_code = 0
        self.feed(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(comment))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name in {"href", "src"}}
        self._is_code += tag == "code"

    def handle_endtag(self, tag: str) -> None:
        self._is_code -= tag == "code"

    def handle_data(self, data: str) -> None:
        self.texts.append(data if not self._is_code else "…")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


KNOWN_TAGS: Final = {
    *("h3", "h4", "p", "ul", "li", "strong", "code", "pre", "a", "table", "thead", "tbody", "tr", "th", "td"),
    *("details", "summary"),
}
REFERENCE: Final = re.compile(r"[@#!%]\w|://\w|www\.\w", re.ASCII)


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_texts_from_pacts_stay_texts(text: str, dialect: Dialect) -> None:
    comment = markdown.render_comment(build(text), dialect)
    page = Page(comment)
    assert page.tags <= KNOWN_TAGS
    assert page.links == {URL}
    assert page.comments == (
        [comment.splitlines()[0].removeprefix("<!--").removesuffix("-->")] if dialect.has_html else []
    )
    assert not REFERENCE.search("".join(page.texts))
    assert not re.search("[\u202e\u202c\x00\x1b]", comment)
    outside_of_code = re.sub(r"^( *)(`{3,})shell\n.*?\n\1\2$", "", comment, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"^\s*/", outside_of_code, re.MULTILINE)  # a command of GitLab


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
def test_escaped_texts_can_be_read(dialect: Dialect) -> None:
    text = "GET /orders/{id} returns *all* of [A] & <B>, 100 %"
    page = Page(markdown.render_comment(build(text), dialect))
    assert text in "".join(page.texts).replace("\N{ZERO WIDTH SPACE}", "")


@pytest.mark.parametrize("dialect", [GITHUB, BITBUCKET], ids=["github", "bitbucket"])
def test_a_long_report_is_cut_at_a_section_and_links_to_the_rest(dialect: Dialect) -> None:
    comment = markdown.render_comment(build("ü" * 900, count=12), dialect)
    assert len(comment.encode()) <= dialect.max_bytes
    assert re.search(r"\*\*\d+ sections are left out", comment)
    assert f"[See all results](<{URL}>)" in comment
    assert Page(comment).tags <= KNOWN_TAGS


def test_markers_of_different_names_never_contain_each_other() -> None:
    names = ["Shop", "Shop -->", "Shop --> x", "Sh%6Fp", "shop", "Shop)", "Sh-op", "Sh op"]
    for dialect in DIALECTS.values():
        markers = [dialect.marker(name) for name in names]
        assert len(set(markers)) == len(names)
        assert not any(a != b and b.startswith(a) for a in markers for b in markers)
