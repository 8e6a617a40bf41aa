"""All keys of a running server, looked up without a tell."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Iterable

from app.errors import ConfigError, KeysUnusable
from app.keys.file import KeyFile
from app.keys.key import Key, digest

log = logging.getLogger(__name__)


class Keyring:
    """The keys of the environment and those of the file, which is read again when it has changed. Thread-safe.

    Once it has been closed by a key or by the mere file, it stays so until the server starts anew: neither the last
    key's end nor a lost file opens it. `revoked` is told the identity of each key that is gone.
    """

    def __init__(self, given: Iterable[Key], file: KeyFile, revoked: Callable[[str], object] = lambda _: None) -> None:
        """Read the file. Raises ConfigError when it is not to be trusted."""
        self._given = tuple(given)
        self._file = file
        self._revoked = revoked
        self._lock = threading.Lock()
        self._signature = file.signature()
        kept = file.read()
        self._kept = kept or ()
        self._closed = bool(self._given) or kept is not None
        self._problem: ConfigError | None = None

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._given) + len(self._kept)

    @property
    def closed(self) -> bool:
        """Whether a request needs a key."""
        self._refresh()
        return self._closed

    def find(self, *secrets: str) -> Key | None:
        """Return the key that one of these secrets is, or None.

        Every secret is compared with every key, each in constant time, and by digests, which nobody can choose: the
        time tells neither whether nor where one was nearly right. Raises KeysUnusable when none is right and the
        file cannot be used, since it might hold the right one.
        """
        self._refresh()
        keys = (*self._given, *self._kept)
        digests = [digest(secret) for secret in secrets]
        found = [key for sent in digests for key in keys if hmac.compare_digest(key.digest, sent)]
        if not found and self._problem is not None:
            raise KeysUnusable("The server's API keys cannot be used; its log says why.")
        return found[0] if found else None

    def _refresh(self) -> None:
        if self._file.signature() == self._signature:
            return
        with self._lock:
            # Before the reading: what is written meanwhile is a change again.
            signature = self._file.signature()
            try:
                kept, self._problem = self._file.read(), None
            except ConfigError as error:
                kept, self._problem = (), error
                log.error("%s; until then they let nobody in", error)  # noqa: TRY400 - the sentence says it all
            else:
                log.info(
                    "API keys read again n=%d%s", len(kept or ()), "" if kept is not None else ", their file is gone"
                )
            gone = {key.identity for key in self._kept} - {key.identity for key in kept or ()}
            self._kept = kept or ()
            self._closed = self._closed or kept is not None
            self._signature = signature
        for identity in gone:
            self._revoked(identity)
