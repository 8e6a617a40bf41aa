"""The README and the documents in `app/docs` say what the code does, and lead where they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app import config, errors
from app.claude.cli.proofs import CAPABILITIES
from app.proof import report
from app.proof.proving import PROMISES

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "app" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
LINK = re.compile(r"\[[^\]]+\]\(([^)#\s]*)(?:#([^)\s]+))?\)")


def test_settings_table() -> None:
    """The table of settings is the one the code makes."""
    assert f"<!-- settings -->\n{config.table()}<!-- /settings -->" in (DOCS / "settings.md").read_text()


def test_every_error_code_is_listed() -> None:
    """Each error class that a client can get has its code in the API's table, under its status."""
    rows = {(status, code) for status, codes in _rows() for code in codes}
    for error in _descendants(errors.ProxyError):
        # ClientGone is never sent; a plain 405 explains itself.
        if error.code is not None and error.status not in {499, 405} and error.code != "forbidden":
            assert (str(error.status), error.code) in rows


def test_the_readme_is_short() -> None:
    """A newcomer reads the README in one go, and finds every other page from there."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 200
    assert {page.name for page in PAGES[1:]} <= {Path(target).name for target, _ in LINK.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Each link to a page or a heading has its page and its heading."""
    for target, anchor in LINK.findall(_prose(page)):
        if "://" in target:
            continue
        found = page.parent / target if target else page
        assert found.is_file(), target
        assert not anchor or anchor in _anchors(found), f"{target}#{anchor}"


def test_the_guide_names_what_is_there() -> None:
    """Every file and folder that the contributor's guide names is there, by its path or by its name alone."""
    text = re.sub(r"```.*?```", "", (ROOT / ".github" / "CONTRIBUTING.md").read_text(), flags=re.DOTALL)
    named = re.findall(r"`((?:app|tests)/[\w./]+|\w+\.(?:py|md))`", text)
    assert len(named) > 100
    known = {path.name for folder in ("app", "tests") for path in (ROOT / folder).rglob("*.*")}
    known |= {"CHANGELOG.md"}
    assert [name for name in named if not ((ROOT / name).exists() if "/" in name else name in known)] == []


def _prose(page: Path) -> str:
    return re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)


def _anchors(page: Path) -> set[str]:
    # As GitHub makes them: https://docs.github.com/en/get-started/writing-on-github
    headings = re.findall(r"^#+ (.+)$", _prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _rows() -> list[tuple[str, list[str]]]:
    found = []
    for line in (DOCS / "api.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 3 and re.fullmatch(r"\d{3}(, \d{3})*", cells[1]):
            found += [(status, re.findall(r"`(\w+)`", cells[2])) for status in cells[1].split(", ")]
    return found


def _descendants(kind: type[errors.ProxyError]) -> list[type[errors.ProxyError]]:
    return [sub for direct in kind.__subclasses__() for sub in (direct, *_descendants(direct))]


def test_promises_table() -> None:
    """The table of promises is the one the probes make, and every switch says what it does."""
    assert f"<!-- promises -->\n{report.table(PROMISES)}<!-- /promises -->" in (DOCS / "proof.md").read_text()
    assert {promise.switches for promise in PROMISES} - {None} == set(report.EFFECTS) == set(CAPABILITIES)
