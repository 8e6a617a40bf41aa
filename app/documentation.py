"""The documents of this version, in `app/docs`: by topic, as Markdown for a terminal and as HTML for the server."""

from __future__ import annotations

import functools
import re
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = Path(__file__).parent / "docs"
# Raw HTML stays text, but for the comments that mark tables; those are left out.
COMMENT = re.compile(r"^<!--.*?-->\n?", re.MULTILINE)


def topics() -> dict[str, str]:
    """Return the title of each topic, in alphabetical order of the topics."""
    return {path.stem: path.read_text("utf-8").partition("\n")[0].lstrip("# ") for path in sorted(FOLDER.glob("*.md"))}


def read(topic: str) -> str:
    """Return a topic as Markdown. Raises KeyError when there is none of this name."""
    if topic not in topics():
        raise KeyError(topic)
    return COMMENT.sub("", (FOLDER / f"{topic}.md").read_text("utf-8"))


@functools.cache
def render(topic: str) -> str:
    """Return a topic as HTML; its links lead to the other topics' pages. Raises KeyError when it does not exist."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(read(topic))
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "heading_open" and following is not None:
            token.attrSet("id", anchor(following.content))
        for part in token.children or ():
            _lead(part)
    return str(markdown.renderer.render(tokens, markdown.options, {}))


def anchor(heading: str) -> str:
    """Return what a link to a heading ends in, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _lead(part: Token) -> None:
    page, mark, place = str(part.attrGet("href") or "").partition("#")
    if part.type == "link_open" and page.endswith(".md"):
        part.attrSet("href", f"/docs/{page.removesuffix('.md')}{mark}{place}")
