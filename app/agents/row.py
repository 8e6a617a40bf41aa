"""A table of the configuration file, read key by key; what cannot be used becomes a sentence with file and line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from app.config_file import ConfigFile

VARIABLE = re.compile(r"\$(?:(\$)|\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))")


def meant(word: str, known: Collection[str]) -> str:
    """Return what to say of a word that is not among those that are known."""
    near = difflib.get_close_matches(word.lower(), {name.lower(): name for name in known}, 1)
    named = [name for name in known if near and name.lower() == near[0]]
    return f"did you mean {named[0]}?" if named else f"it takes one of {', '.join(known)}"


class Row:
    """One table of a file, at `keys`; each of its keys that is read is known, and the rest are mistakes.

    `mistakes` gets the sentences.
    """

    def __init__(self, file: ConfigFile, keys: tuple[str, ...], value: Any, mistakes: list[str]) -> None:
        self._file = file
        self._keys = keys
        self._mistakes = mistakes
        self._read: set[str] = set()
        self.name = keys[-1]
        self.values: Mapping[str, Any] = value if isinstance(value, dict) else {}
        if not isinstance(value, dict):
            self.wrong(f"this is a table: write [{'.'.join(keys)}], and its keys below")

    def wrong(self, sentence: str, *keys: str) -> None:
        """Note a mistake of the table, or of one of its keys."""
        self._mistakes.append(f"{self._file.place(*self._keys, *keys)}: {sentence}")

    def has(self, key: str) -> bool:
        """Tell whether a key is given."""
        return key in self.values

    def text(self, key: str, default: str = "") -> str:
        """Return a text."""
        return str(self._of(key, default, lambda value: isinstance(value, str), 'a text, in quotation marks: "…"'))

    def switch(self, key: str) -> bool:
        """Return a yes or no; no where it is not given."""
        return self._of(key, None, lambda value: isinstance(value, bool), "true or false") is True

    def word(self, key: str, words: Collection[str], default: str | None) -> Any:
        """Return one of some words."""
        value = self.text(key, "")
        if not value or value in words:
            return value or default
        self.wrong(f"{key} = {value!r} cannot be used: {meant(value, words)}", key)
        return default

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts."""

        def fits(value: Any) -> bool:
            return isinstance(value, list) and all(isinstance(part, str) and part.strip() for part in value)

        return tuple(self._of(key, [], fits, 'a list of texts: ["…", "…"]'))

    def pairs(self, key: str, environ: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """Return a table of texts, with the server's variables in the place of `$NAME`."""

        def fits(value: Any) -> bool:
            return isinstance(value, dict) and all(isinstance(part, str) for part in value.values())

        found = self._of(key, {}, fits, 'a table of texts: { NAME = "…" }')
        return tuple((name, self.expanded(key, value, environ)) for name, value in found.items())

    def expanded(self, key: str, text: str, environ: Mapping[str, str]) -> str:
        """Return a text with the server's variables in the place of `$NAME` and `${NAME}`; `$$` is a dollar sign."""

        def value(found: re.Match[str]) -> str:
            name = found[2] or found[3]
            if found[1]:
                return "$"
            if name not in environ:
                self.wrong(f"{key} names ${name}, which the server's environment lacks; set it there", key)
            return environ.get(name, "")

        return VARIABLE.sub(value, text)

    def folder(self, key: str) -> str | None:
        """Return a folder that is there, from the file's own on; None where none is named."""
        text = self.text(key)
        if not text:
            return None
        path = self._file.path.parent / Path(text).expanduser()
        if not path.is_dir():
            self.wrong(f"{key} = {text!r}: there is no folder {path}; make it, or correct the name", key)
        return str(path)

    def end(self) -> None:
        """Note each key that nobody has read."""
        for key in self.values:
            if key not in self._read:
                where = f"[{'.'.join(self._keys)}]"
                self.wrong(f"{where} has no key {key}; {meant(key, sorted(self._read))}", key)

    def _of(self, key: str, default: Any, fits: Callable[[Any], bool], takes: str) -> Any:
        self._read.add(key)
        if key not in self.values:
            return default
        if fits(self.values[key]):
            return self.values[key]
        self.wrong(f"{key} cannot be used: it takes {takes}", key)
        return default


def rows(file: ConfigFile, name: str, mistakes: list[str]) -> Iterable[Row]:
    """Yield the tables `[name.…]`."""
    tables = file.tables.get(name, {})
    if not isinstance(tables, dict):
        mistakes.append(f"{file.place(name)}: {name} is no setting; write a table, [{name}.NAME], and its keys below")
        return
    for key, value in tables.items():
        yield Row(file, (name, key), value, mistakes)
