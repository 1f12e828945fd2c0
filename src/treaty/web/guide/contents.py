"""The files of the guide, and their order.

`docs/README.md` is the only table of contents: code hosts show it, and the guide and the site get their navigation from
it. Each heading of its second level is a group, and each link below it a page.
"""

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

_PACKAGE: Final = Path(__file__).parents[2]
FOLDERS: Final = (_PACKAGE / "guide", _PACKAGE.parents[1] / "docs")
"""Where the pages are: beside the package's modules in a wheel, in `docs` in a clone."""

_INDEX: Final = "README.md"

_GROUP_OR_LINK: Final = re.compile(r"^## (?P<group>.+)$|\[(?P<title>[^\]]+)\]\((?P<file>[\w/.-]+\.md)\)", re.MULTILINE)
_VIEW_BOX: Final = re.compile(r'viewBox="0 0 (\d+) (\d+)"')
_LINK: Final = re.compile(r"\[([^\]]*)\]\(([^)\s#:]+)(#[^)\s]*)?\)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in a table of contents."""

    title: str
    file: str
    """The name of its file, relative to the table of contents."""

    @property
    def path(self) -> str:
        """The path of its URL below that of the guide."""
        return _path_of(self.file)


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a page, with its size in pixels."""

    file: Path
    width: int
    height: int


@cache
def find_folder() -> Path | None:
    """Find the folder of the pages; None if this installation has none."""
    return next((folder for folder in FOLDERS if (folder / _INDEX).is_file()), None)


@cache
def list_files() -> Mapping[str, str]:
    """Map the paths of the pages to the names of their files in the folder. The path of a README is its folder's."""
    folder = find_folder()
    files = sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.md")) if folder else []
    return MappingProxyType({_path_of(file): file for file in files})


@cache
def list_images() -> Mapping[str, Image]:
    """Map the names of images to the images."""
    folder = find_folder()
    files = [file for pattern in ("*.svg", "images/*.png") for file in folder.glob(pattern)] if folder else []
    return MappingProxyType({file.name: Image(file, *_read_size(file)) for file in files})


def _read_size(file: Path) -> tuple[int, int]:
    """Read the width and height from the view box of an SVG image, or from the first chunk of a PNG image."""
    content = file.read_bytes()
    if file.suffix == ".png":
        return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])
    view_box = _VIEW_BOX.search(content.decode())
    return (int(view_box[1]), int(view_box[2])) if view_box else (0, 0)


def read_source(path: str) -> str:
    """Read the Markdown of a page, without links to files that the guide does not have. Raises KeyError."""
    file = list_files()[path]
    return replace_outer_links(_read(file), file)


def _read(file: str) -> str:
    folder = find_folder()
    return (folder / file).read_text("utf-8") if folder else ""


@cache
def list_groups() -> Sequence[Group]:
    """List the groups of the table of contents."""
    return parse_groups(_read(_INDEX))


def list_paths_in_order() -> Sequence[str]:
    """List the paths of all pages, in the order of the table of contents; those that it does not list come last."""
    order = {entry.path: number for number, entry in enumerate(_list_entries())}
    return sorted(list_files(), key=lambda path: order.get(path, len(order)))


def _list_entries() -> Sequence[Entry]:
    return [entry for group in list_groups() for entry in group.entries]


def parse_groups(text: str) -> Sequence[Group]:
    """Parse the groups of a table of contents, with the pages that it links to below their headings."""
    entries_by_group: dict[str, list[Entry]] = {}
    for match in _GROUP_OR_LINK.finditer(text):
        if match["group"]:
            entries_by_group[match["group"]] = []
        elif entries_by_group:
            group = next(reversed(entries_by_group))
            entries_by_group[group].append(Entry(match["title"], match["file"]))
    return [Group(title, tuple(entries)) for title, entries in entries_by_group.items()]


def find_neighbors(path: str) -> tuple[Entry | None, Entry | None]:
    """Find the pages before and after a page in the table of contents."""
    entries = _list_entries()
    number = next((number for number, entry in enumerate(entries) if entry.path == path), None)
    if number is None:
        return None, None
    return entries[number - 1] if number else None, entries[number + 1] if number + 1 < len(entries) else None


def resolve(link: str, path: str) -> str | None:
    """Resolve a relative link on a page to the path of another page; None if it leads to no page."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(list_files()[path]), link))
    return _path_of(target) if list_files().get(_path_of(target)) == target else None


def replace_outer_links(text: str, file: str) -> str:
    """Replace links that lead out of the folder of the pages by their texts and the names of the files."""
    # The guide has neither the source nor the examples, and the repository's address is not part of the documents.

    def replace(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), match[2]))
        return (
            f"{match[1]} (`{target.removeprefix('../')}` in the repository)" if target.startswith("../") else match[0]
        )

    return _LINK.sub(replace, text)


def _path_of(file: str) -> str:
    return posixpath.dirname(file) if posixpath.basename(file) == _INDEX else file.removesuffix(".md")
