"""The site that `./run site` builds, and the pages in a wheel."""

import os
import re
import subprocess
import sys
import zipfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.docs.generated import ROOT
from treaty.web.guide import contents
from treaty.web.guide.rendering import render

DOCS = ROOT / "docs"
GOOD = {
    "README.md": "# All\n\n## Guides\n\n- [One](one.md)\n- [More](more/README.md)\n",
    "one.md": "# One\n\n## Some `words`\n\nSee [two](more/two.md#first-step), and [below](#some-words).\n",
    "more/README.md": "# More\n\n- [Two](two.md)\n",
    "more/two.md": "# Two\n\n## First step\n\nBack to [all](../README.md), or [outside](../../setup.py).\n",
}


CODE = (
    "import sys; from pathlib import Path; from tests.docs import site; sys.exit(site.build(*map(Path, sys.argv[1:])))"
)


def build(target, *, docs=DOCS):
    return subprocess.run(
        [sys.executable, "-c", CODE, target, docs], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


class Anchors(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids = set()
        self.loaded = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.ids.add(attributes.get("id"))
        if tag in {"script", "img", "link", "iframe", "source"}:
            self.loaded.add(attributes.get("src") or attributes.get("href") or attributes.get("srcset"))


@pytest.mark.slow  # tests/pages/test_guide.py checks the links and anchors of the same pages
def test_the_site_has_every_page_with_the_anchors_of_the_guide_and_loads_nothing_from_elsewhere(tmp_path):
    done = build(tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    for path, file in contents.list_files().items():
        page = tmp_path / "site" / re.sub(r"README\.md$", "index.md", file).replace(".md", ".html")
        anchors = Anchors(page.read_text("utf-8"))
        assert {section.anchor for section in render(path).sections if section.level <= 4} <= anchors.ids, page
        files = {source.partition("?")[0] for source in anchors.loaded if source and not source.startswith("data:")}
        assert [source for source in files if not (page.parent / source).exists()] == [], page
    index = (tmp_path / "site" / "index.html").read_text("utf-8")
    assert "Getting started" in index
    assert (tmp_path / "site" / "searchindex.js").stat().st_size > 10_000


BAD = {
    "dead.md": "# Dead\n\n[page](none.md)\n\n[anchor](more/two.md#none)\n\n[own anchor](#none)\n\n![image](none.svg)\n",
    "lost.md": "# Lost\n",
    "more/README.md": "# More\n\n- [Two](two.md)\n- [Dead](../dead.md)\n- [Three](three.md)\n",
}
PROBLEMS = [
    "docs/dead.md:3: WARNING: 'myst' cross-reference target not found: 'none.md'",
    "docs/dead.md:5: WARNING: local id not found in doc 'more/two'",
    "docs/dead.md:7: WARNING: 'myst' cross-reference target not found: 'none'",
    "docs/dead.md:9: WARNING: image file not readable: none.svg",
    "docs/lost.md: WARNING: document isn't included in any toctree",
    "nonexisting document 'more/three'",
]


@pytest.mark.slow  # starts Sphinx twice
def test_dead_links_missing_images_and_unlisted_pages_fail_the_build(tmp_path):
    good = build(tmp_path / "site", docs=write(tmp_path / "docs", GOOD))
    assert (good.returncode, good.stderr) == (0, "")
    bad = build(tmp_path / "site", docs=write(tmp_path / "docs", BAD))
    assert [problem for problem in PROBLEMS if problem not in bad.stderr] == [], bad.stderr
    assert bad.returncode == 1


@pytest.mark.slow  # builds a wheel
def test_a_wheel_has_the_pages_with_their_images_and_no_other_images(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
    code = "from treaty.web.guide.contents import *; print(find_folder(), *list_files().values(), *list_images())"
    environ = {**os.environ, "PYTHONPATH": str(tmp_path / "installed")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True, check=True
    )
    folder, *names = done.stdout.split()
    assert Path(folder) == tmp_path / "installed" / "treaty" / "guide"
    pages = {file.relative_to(DOCS).as_posix() for file in DOCS.rglob("*.md")}
    shown = {name for page in pages for name in re.findall(r"[\w-]+\.(?:png|svg)", (DOCS / page).read_text("utf-8"))}
    existing = {name for name in shown if (DOCS / name).exists() or (DOCS / "images" / name).exists()}
    assert set(names) == pages | existing
    assert not [
        path for path in (tmp_path / "installed").rglob("*") if path.parent.name == "installed" and path.name == "docs"
    ]


def test_a_link_out_of_the_folder_becomes_the_name_of_its_file():
    text = "See [the\npolicy](../SECURITY.md#x), [that](b.md) and [these](decisions/README.md)."
    replaced = "See the\npolicy (`SECURITY.md` in the repository), [that](b.md) and [these](decisions/README.md)."
    assert contents.replace_outer_links(text, "a.md") == replaced
    assert contents.replace_outer_links("[a](../b.md)", "decisions/a.md") == "[a](../b.md)"
