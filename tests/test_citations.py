"""Which of the pages that were found an answer names, and where."""

from __future__ import annotations

import time

import pytest

from app.citations import MAX_SOURCES, Citations
from app.events import Source

A, B = Source("https://a.example/x", "A"), Source("https://b.example/film_(1999)", "B")


def cited(text, *sources, last=True):
    """Return the parts of the text that name pages, and the pages' titles."""
    citations = Citations()
    for source in sources:
        citations.found(source)
    return [(text[found.start : found.end], found.title) for found in citations.of(text, last=last)]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("See [the page](https://a.example/x).", "[the page](https://a.example/x)"),
        ("größe 🙂 [x](https://a.example/x/)", "[x](https://a.example/x/)"),
        ("See https://a.example/x, there.", "https://a.example/x"),
        ("(https://a.example/x)", "https://a.example/x"),
        ("**https://a.example/x**", "https://a.example/x"),
        ("<https://a.example/x>", "https://a.example/x"),
        ("[x](https://a.example/x#:~:text=y)", "[x](https://a.example/x#:~:text=y)"),
        ("[x](https://a.example/x#y),[c](https://c.example)", "[x](https://a.example/x#y)"),
        ("](https://a.example/x)", "https://a.example/x"),
    ],
)
def test_links(text, part):
    """A link is found with its words, an address without what stands around it."""
    assert cited(text, A, B) == [(part, "A")]


def test_several():
    """Links that touch are told apart, parentheses may be in an address, and each mention counts."""
    text = "[a](https://a.example/x),[b](https://b.example/film_(1999))[a](https://a.example/x)"
    assert cited(text, A, B) == [
        ("[a](https://a.example/x)", "A"),
        ("[b](https://b.example/film_(1999))", "B"),
        ("[a](https://a.example/x)", "A"),
    ]


def test_other_pages():
    """An address that no search found is no source."""
    assert cited("https://a.example/xy https://c.example", A, last=False) == []
    assert cited("https://a.example/x") == []


def test_nothing_linked():
    """An answer that links nothing rests on all that was found: an empty part at its end for each page, once."""
    assert cited("Kittens.", A, B, A) == [("", "A"), ("", "B")]
    assert cited("Let me look.", A, last=False) == []
    citations = Citations()
    citations.found(A)
    assert len(citations.of("https://a.example/x", last=False)) == 1
    assert citations.of("That is all.", last=True) == []


def test_bounds():
    """Neither many pages nor a text made to be slow cost much."""
    citations = Citations()
    for number in range(1000):
        citations.found(Source(f"https://a.example/{number}", "x"))
    assert len(citations.of("", last=True)) == MAX_SOURCES
    began = time.process_time()
    assert citations.of("https://a" + "." * 2000 + ("[" * 500 + "](https://a.example/x") * 200, last=False) == []
    assert time.process_time() - began < 5
