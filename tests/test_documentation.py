"""The documents of this version: what is made of their markup."""

from __future__ import annotations

from app import documentation


def test_tables_are_tables():
    """A table becomes one, and the marks around it are left out."""
    text = documentation.render("settings")
    assert "<table>" in text
    assert "settings --" not in text


def test_markup_stays_text(monkeypatch, tmp_path):
    """Markup in a document is shown, not obeyed."""
    (tmp_path / "x.md").write_text("# X\n\n<script>alert(1)</script> [a](javascript:alert(1))\n")
    monkeypatch.setattr(documentation, "FOLDER", tmp_path)
    text = documentation.render("x")
    assert "<script>" not in text
    assert "href" not in text
