"""The file of keys in the state folder, which `claude-max-api key` writes and the server reads."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from app import private_file
from app.errors import ConfigError
from app.keys.key import NAME, Key
from app.keys.store import new, taken, unknown
from app.keys.terms import NO_TERMS, Terms

OTHERS = 0o077


class _Entry(msgspec.Struct, omit_defaults=True):
    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created: str
    terms: Terms = NO_TERMS


class _Content(msgspec.Struct):
    keys: list[_Entry]


class KeyFile:
    """`keys.json` in `folder`: names and digests, readable for its owner alone.

    A file without keys is not the same as none: it lets nobody in.
    """

    file = True

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.json"

    @property
    def where(self) -> str:
        """Where the keys are, for people."""
        return str(self.path)

    def signature(self) -> tuple[int, ...] | None:
        """Return what changes when the file does, or None if there is none."""
        try:
            status = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):  # a folder that cannot be is found out by who makes it
            return None
        except OSError as error:
            return (error.errno or 0,)
        return status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size

    def read(self) -> tuple[Key, ...] | None:
        """Return the keys, or None if there is no file. Raises ConfigError for a file that is not to be trusted."""
        try:
            with self.path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read()
        except (FileNotFoundError, NotADirectoryError):  # a folder that cannot be is found out by who makes it
            return None
        except OSError as error:
            raise ConfigError(f"the API keys in {self.path} cannot be read: {error.strerror}") from None
        if status.st_mode & OTHERS or status.st_uid not in {os.geteuid(), 0}:
            raise ConfigError(
                f"the API keys in {self.path} are open to other users of this machine, who may have added their own; "
                f"look at them, then run `chmod 600 {self.path}` as their owner"
            )
        try:
            entries = msgspec.json.decode(data, type=_Content).keys
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"the API keys in {self.path} are damaged ({error}); remove the file and run "
                "`claude-max-api key add NAME` for new ones"
            ) from None
        return tuple(Key(entry.name, bytes.fromhex(entry.sha256), entry.created, entry.terms) for entry in entries)

    def add(self, name: str, terms: Terms = NO_TERMS) -> str:
        """Add a key with these terms and return its secret, which is kept nowhere. Raises ConfigError."""
        key, secret = new(name, terms)
        with self._locked():
            keys = self.read() or ()
            if any(key.name == name for key in keys):
                raise taken(name)
            self._write([*keys, key])
        return secret

    def change(self, name: str, changed: Mapping[str, Any]) -> Terms:
        """Change some of a key's terms and return them all. Raises ConfigError."""
        with self._locked():
            keys = self.read() or ()
            found = [key for key in keys if key.name == name]
            if not found:
                raise unknown(name, self.where)
            terms = msgspec.structs.replace(found[0].terms, **changed)
            self._write([dataclasses.replace(key, terms=terms) if key.name == name else key for key in keys])
        return terms

    def revoke(self, name: str) -> int:
        """Remove the key of this name; return how many are left. Raises ConfigError."""
        with self._locked():
            keys = self.read() or ()
            left = [key for key in keys if key.name != name]
            if len(left) == len(keys):
                raise unknown(name, self.where)
            self._write(left)
        return len(left)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two commands from writing at the same time. Raises ConfigError where another one does not end."""
        with private_file.locked(self.path) as alone:
            if not alone:  # what it writes could bring a key back that was revoked
                raise ConfigError(f"somebody else is writing in {self.path.parent}; try again when that has ended")
            yield

    def _write(self, keys: Iterable[Key]) -> None:
        content = _Content([_Entry(key.name, key.digest.hex(), key.created or "", key.terms) for key in keys])
        try:
            private_file.replace(self.path, msgspec.json.format(msgspec.json.encode(content)) + b"\n", lasting=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None
