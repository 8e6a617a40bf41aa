"""The configuration file: where it is, what is in it, and on which line; and its settings as an environment has them.

gunicorn's settings read this file by its path, before the package may be imported: it needs the standard library, and
platformdirs where nobody names the file.
"""

from __future__ import annotations

import dataclasses
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VARIABLE = "CLAUDE_PROXY_CONFIG"
PREFIX = "CLAUDE_PROXY_"
NAME = "config.toml"
# Keys and tables with credentials, and what is said of a file that has them.
SECRETS = {
    "api_keys": "holds API keys",
    "database": "names a database, perhaps with its password",
    "mcp": "says with which credentials MCP servers are called",
}
OTHERS_WRITE, OTHERS_READ = stat.S_IWGRP | stat.S_IWOTH, stat.S_IRGRP | stat.S_IROTH

# What may enclose or end a value, so that a scan knows where the next key begins: https://toml.io/en/v1.0.0
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]|\n', re.DOTALL
)
_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = rf"{_KEY}(?:[ \t]*\.[ \t]*{_KEY})*"
_HEADER = re.compile(rf"[ \t]*\[\[?[ \t]*({_DOTTED})[ \t]*\]")
_ASSIGNMENT = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_TOML_PLACE = re.compile(r"(.*) \(at (?:line ([0-9]+), column [0-9]+|end of document)\)")


@dataclasses.dataclass(frozen=True)
class ConfigFile:
    """What a file holds, and the line of each key by its path; where there is none, `path` is where it would be."""

    path: Path
    tables: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)
    lines: Mapping[tuple[str, ...], int] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def exists(self) -> bool:
        """Whether there is such a file."""
        return self.path.is_file()

    def place(self, *keys: str) -> str:
        """Return where a key stands, as `FILE:LINE`; of one within a value, where that begins."""
        for length in range(len(keys), 0, -1):
            within = [line for key, line in self.lines.items() if key[:length] == keys[:length]]
            if within:
                return f"{self.path}:{self.lines.get(keys[:length], within[0])}"
        return f"{self.path}:1"


def where(environ: Mapping[str, str]) -> Path:
    """Return the file that an environment means: the one it names, or that of the user's configuration folder."""
    if named := environ.get(VARIABLE, "").strip():
        return Path(named).expanduser().absolute()
    import platformdirs  # noqa: PLC0415 - see the module's docstring

    return platformdirs.user_config_path("claude-max-api-proxy") / NAME


def load(environ: Mapping[str, str]) -> ConfigFile:
    """Return the file that an environment means; nothing is in it where nobody names it and there is none.

    Raises ValueError with a sentence that names file, line and remedy.
    """
    path = where(environ)
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        if not environ.get(VARIABLE, "").strip():
            return ConfigFile(path)
        raise ValueError(
            f"{VARIABLE}={path}: there is no such file; `claude-max-api config init` writes one, or unset {VARIABLE}"
        ) from None
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; `chmod 600` it as its owner") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}:1: it is not written in UTF-8; save it so") from None
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.fullmatch(str(error))
        line = (found and found[2]) or text.count("\n") + 1
        raise ValueError(
            f"{path}:{line}: this is no TOML: {found[1] if found else error}; a text stands in quotation marks, "
            "a list in [ ], and each key once"
        ) from None
    return ConfigFile(path, tables, key_lines(text))


def text_of(value: Any) -> str:
    """Return a value as an environment variable has it. Raises ValueError for what none can have."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str | int | float):
        return str(value).strip()
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    raise ValueError("a text, a number, true or false, or a list of texts")


def name_of(variable: str) -> str:
    """Return what a setting is called in the file."""
    return variable.removeprefix(PREFIX).lower()


def completed(environ: Mapping[str, str], *variables: str) -> dict[str, str]:
    """Return these variables, those that the environment lacks from its file. Raises ValueError as `load` does.

    What is in neither is left out, and what cannot be a variable.
    """
    told = load(environ).tables
    found = {variable: told.get(name_of(variable)) for variable in variables}
    texts = {variable: text_of(value) for variable, value in found.items() if isinstance(value, str | int)}
    return texts | {variable: environ[variable] for variable in variables if environ.get(variable, "").strip()}


def danger(file: ConfigFile) -> str | None:
    """Return a sentence, with the remedy, where other users of this machine may change the file, or read keys in it."""
    try:
        status = file.path.stat()
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if status.st_mode & OTHERS_WRITE or status.st_uid not in {os.geteuid(), 0}:
        what = "may be changed by other users of this machine, who could run programs as you with it"
    elif (told := [words for key, words in SECRETS.items() if key in file.tables]) and status.st_mode & OTHERS_READ:
        what = f"{told[0]}, and other users of this machine may read it"
    else:
        return None
    return f"{file.path} {what}; run `chmod 600 {file.path}` as its owner"


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Return on which line each key and table of a TOML document stands, by its path; those in braces are left out."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    depth, number = 0, 1
    starts = [(0, 1)]
    for token in _TOKEN.finditer(text):
        if token[0] == "\n" and depth == 0:
            starts.append((token.end(), number + 1))
        number += token[0].count("\n")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
    for place, line in starts:
        if header := _HEADER.match(text, place):
            table = _parts(header[1])
            lines.setdefault(table, line)
        elif assignment := _ASSIGNMENT.match(text, place):
            lines[table + _parts(assignment[1])] = line
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, as TOML reads them."""
    node: Any = tomllib.loads(f"{dotted} = 0")
    parts = []
    while isinstance(node, dict):
        ((part, node),) = node.items()
        parts.append(part)
    return tuple(parts)
