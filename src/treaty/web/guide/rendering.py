"""Renders a page of the guide as HTML, with anchors as code hosts have them."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from markupsafe import Markup

from treaty.web.guide import contents
from treaty.web.line_breaks import breakable

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

ROOT: Final = "guide-root:"
"""Stands for the URL of the guide in rendered pages, which all clients share. It can differ between requests."""
IMAGES: Final = "/images/"
_IMAGE_IN_HTML: Final = re.compile(r'\b(?P<name>src|srcset)="(?P<path>[\w./-]+)"')
_SHELLS: Final = frozenset({"sh", "shell", "bash"})
_MAX_UNBROKEN_LENGTH: Final = 24
"""Characters of code that stay on one line on the narrowest screens."""
_MAX_ANCHOR_LEVEL: Final = 4
_OUTLINE_LEVEL: Final = 2


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, and the text up to the next one."""

    title: str
    level: int
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered page. Its links begin with ROOT."""

    path: str
    title: str
    html: Markup
    sections: tuple[Section, ...]

    @property
    def outline(self) -> Sequence[Section]:
        """The sections below the title, without their subsections."""
        return [section for section in self.sections if section.level == _OUTLINE_LEVEL]


@cache
def render(path: str) -> Document:
    """Render a page. The longest takes some 40 milliseconds, once in each process. Raises KeyError if it is unknown."""
    parser = _build_parser()
    tokens = parser.parse(contents.read_source(path))
    for token in _walk(tokens):
        _point_to_guide(token, path)
    # An empty cell is no heading of its column.
    rendered = parser.renderer.render(tokens, parser.options, {}).replace("<th></th>", "<td></td>")
    html = Markup(rendered)  # noqa: S704 - the text is ours
    sections = tuple(_list_sections(tokens))
    return Document(path, sections[0].title if sections else path, html, sections)


@cache
def _build_parser() -> "MarkdownIt":
    # Imported with the first page that a process shows, since this takes as long as rendering several pages.
    from markdown_it import MarkdownIt  # noqa: PLC0415
    from mdit_py_plugins.anchors import anchors_plugin  # noqa: PLC0415

    parser = MarkdownIt("commonmark").enable("table").use(anchors_plugin, max_level=_MAX_ANCHOR_LEVEL)
    # Wide tables and long lines scroll within the page, also by the keyboard.
    parser.add_render_rule("table_open", lambda *_: '<div class="scroll" tabindex="0">\n<table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table>\n</div>\n")
    parser.add_render_rule("code_inline", lambda _renderer, tokens, index, *_: _code(tokens[index]))
    parser.add_render_rule("fence", lambda _renderer, tokens, index, *_: _code_block(tokens[index]))
    parser.add_render_rule("code_block", lambda _renderer, tokens, index, *_: _code_block(tokens[index]))
    return parser


def _code(token: "Token") -> str:
    # Browsers would break an option after its dashes.
    if len(token.content) <= _MAX_UNBROKEN_LENGTH:
        return str(Markup('<code class="whole">{}</code>').format(token.content))
    return str(Markup("<code>{}</code>").format(breakable(token.content)))


def _code_block(token: "Token") -> str:
    # The pages' script adds a button to commands. With a line break at its end, a pasted command would run at once.
    kind = Markup(' class="command"') if token.info.strip() in _SHELLS else ""
    return str(Markup('<pre{} tabindex="0"><code>{}</code></pre>\n').format(kind, token.content.rstrip("\n")))


def _walk(tokens: Sequence["Token"]) -> Iterator["Token"]:
    for token in tokens:
        yield token
        yield from token.children or ()


def _point_to_guide(token: "Token", path: str) -> None:
    """Let the relative links and images of a page lead to the URLs that the guide has for them."""
    match token.type:
        case "link_open":
            token.attrs["href"] = _guide_link(str(token.attrs["href"]), path)
        case "image":
            token.attrs |= _image_attributes(str(token.attrs["src"]))
        case "html_block" | "html_inline":
            token.content = _IMAGE_IN_HTML.sub(_write_image_attributes, token.content)


def _guide_link(link: str, path: str) -> str:
    parts = urlsplit(link)
    target = contents.resolve(parts.path, path) if parts.path and not parts.scheme else None
    if target is None:
        return link
    return ROOT + (f"/{target}" if target else "") + (f"#{parts.fragment}" if parts.fragment else "")


def _image_attributes(source: str) -> dict[str, str | int | float]:
    """Return the URL of an image and its size, which keeps the text below in place until the image is loaded."""
    name = posixpath.basename(source)
    image = contents.list_images().get(name)
    size: dict[str, str | int | float] = {"width": image.width, "height": image.height} if image else {}
    return {"src": ROOT + IMAGES + name, **size}


def _write_image_attributes(match: re.Match[str]) -> str:
    attributes = _image_attributes(match["path"])
    if match["name"] == "srcset":
        return f'srcset="{attributes["src"]}"'
    return " ".join(f'{name}="{value}"' for name, value in attributes.items())


def _list_sections(tokens: Sequence["Token"]) -> Iterator[Section]:
    """Split a page at its headings."""
    heading: Section | None = None
    texts: list[str] = []
    for opening, token in pairwise(tokens):
        if opening.type == "heading_open":
            if heading:
                yield _with_text(heading, texts)
            heading, texts = _begin_section(opening, token), []
        elif token.type in {"fence", "code_block"}:
            texts.append(token.content)
        elif token.type == "inline":
            texts.append(_plain_text(token))
    if heading:
        yield _with_text(heading, texts)


def _begin_section(opening: "Token", title: "Token") -> Section:
    return Section(_plain_text(title), int(opening.tag[1:]), str(opening.attrs.get("id", "")), "")


def _with_text(heading: Section, texts: Sequence[str]) -> Section:
    return Section(heading.title, heading.level, heading.anchor, " ".join(" ".join(texts).split()))


def _plain_text(token: "Token") -> str:
    breaks = {"softbreak", "hardbreak", "html_inline"}
    return "".join(" " if child.type in breaks else child.content for child in token.children or ())
