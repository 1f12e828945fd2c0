"""Builds the documentation as a site: `./run site [folder]`.

Sphinx reads the pages of `docs` with MyST, which uses the same parser as `/docs/guide`. Its navigation comes from
`docs/README.md` and from the README of each folder. Dead links, dead anchors, missing pages and pages that no table of
contents lists make it fail.
"""

import argparse
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from sphinx.application import Sphinx

from tests.docs.generated import ROOT
from treaty.web.guide import contents

DOCS: Final = ROOT / "docs"
DEFAULT_FOLDER: Final = ROOT / "site"
_README_LINK: Final = re.compile(r"\]\(((?:[\w.-]+/)*)README\.md(#[^)]*)?\)")
_OPTIONS: Final[dict[str, Any]] = {
    "project": "Treaty",
    "html_title": "Treaty",
    "extensions": ["myst_parser"],
    "myst_heading_anchors": 4,
    "nitpicky": True,
    "html_theme": "furo",
    "html_copy_source": False,
    "html_extra_path": ["extra"],  # images in HTML, which Sphinx does not copy by itself
    "exclude_patterns": ["extra"],
    "html_use_index": False,
    "html_show_sourcelink": False,
    "html_show_copyright": False,
    # A sample of code may be a part of a file, or have placeholders.
    "suppress_warnings": ["misc.highlighting_failure"],
}


def build(target: Path, docs: Path = DOCS) -> int:
    """Build the site of a folder of pages, and print its problems. Return the exit code."""
    with tempfile.TemporaryDirectory() as scratch:
        source, warnings = Path(scratch) / "source", StringIO()
        prepare(docs, source)
        app = Sphinx(
            source,
            None,
            target,
            Path(scratch) / "doctrees",
            "html",
            confoverrides=_OPTIONS,
            status=None,
            warning=warnings,
            freshenv=True,
            warningiserror=True,
        )
        app.connect("doctree-read", _add_anchors)
        app.build()
        sys.stderr.write(_with_original_names(warnings.getvalue(), source))
    return app.statuscode


def _with_original_names(warnings: str, source: Path) -> str:
    """Name the pages in docs instead of their copies, without the colours of a terminal."""
    plain = re.sub(r"\x1b\[[\d;]*m", "", warnings)
    return plain.replace(f"{source}/", "docs/").replace("index.md", "README.md")


def prepare(docs: Path, source: Path) -> None:
    """Copy the pages, with tables of contents as Sphinx reads them, and their images."""
    for file in sorted(docs.rglob("*.md")):
        name = file.relative_to(docs).as_posix()
        text = contents.replace_outer_links(file.read_text("utf-8"), name)
        if file.name == "README.md":
            text += "".join(_tables_of_contents(text))
        copy = source / _copied_name(name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(_README_LINK.sub(r"](\1index.md\2)", text), encoding="utf-8")
    for image in docs.glob("*.svg"):
        shutil.copy(image, source / image.name)
    (source / "extra").mkdir()
    if (docs / "images").is_dir():
        shutil.copytree(docs / "images", source / "extra" / "images")


def _tables_of_contents(text: str) -> Iterator[str]:
    """Write the groups of a table of contents, or its only list of pages, as hidden tables of contents of Sphinx."""
    groups = contents.parse_groups(text) or contents.parse_groups(f"## Pages\n{text}")
    for group in groups:
        lines = [f"{entry.title} <{_copied_name(entry.file)}>" for entry in group.entries]
        yield "\n".join(["", "", "```{toctree}", ":hidden:", f":caption: {group.title}", "", *lines, "```", ""])


def _copied_name(file: str) -> str:
    return file.replace("README.md", "index.md")


def _add_anchors(_app: Sphinx, document: nodes.document) -> None:
    """Give each heading the anchor that it has on code hosts and in the guide, beside that of Sphinx."""
    for section in document.findall(nodes.section):
        slug = section.get("slug")
        if slug and slug not in section["ids"]:
            section["ids"].append(slug)


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="./run site", description="Build the documentation as a site.")
    parser.add_argument("folder", nargs="?", type=Path, default=DEFAULT_FOLDER, help="default: ./site")
    folder = parser.parse_args(arguments).folder
    code = build(folder.resolve())
    if code:
        sys.stderr.write("The site has the problems above. Correct them in docs, and run ./run site again.\n")
    else:
        sys.stdout.write(f"The site is in {folder}. Open {folder / 'index.html'} in a browser.\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
