"""The file of keys in the state folder, which `claude-max-api key` writes and the server reads."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from app.errors import ConfigError
from app.keys.key import NAME, Key, digest, generate, named

OTHERS = 0o077


class _Entry(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    created: str


class _Content(msgspec.Struct):
    keys: list[_Entry]


class KeyFile:
    """`keys.json` in `folder`: names and digests, readable for its owner alone.

    A file without keys is not the same as none: it lets nobody in.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "keys.json"

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
        return tuple(Key(entry.name, bytes.fromhex(entry.sha256), entry.created) for entry in entries)

    def add(self, name: str) -> str:
        """Add a key and return its secret, which is kept nowhere. Raises ConfigError."""
        try:
            named(name)
        except ValueError as error:
            raise ConfigError(f"{name!r} cannot name a key: it takes {error}") from None
        secret = generate()
        created = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        with self._locked():
            keys = self.read() or ()
            if any(key.name == name for key in keys):
                raise ConfigError(f"there is a key named {name} already; `claude-max-api key revoke {name}` ends it")
            self._write([*keys, Key(name, digest(secret), created)])
        return secret

    def revoke(self, name: str) -> int:
        """Remove the key of this name; return how many are left. Raises ConfigError."""
        with self._locked():
            keys = self.read() or ()
            left = [key for key in keys if key.name != name]
            if len(left) == len(keys):
                raise ConfigError(f"there is no key named {name!r} in {self.path}; `claude-max-api key list` tells")
            self._write(left)
        return len(left)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep two commands from writing at the same time."""
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, keys: Iterable[Key]) -> None:
        content = _Content([_Entry(key.name, key.digest.hex(), key.created or "") for key in keys])
        fresh = self.path.with_suffix(".new")
        try:
            fresh.unlink(missing_ok=True)
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None
