"""All keys of a running server, compared in constant time."""

from __future__ import annotations

import hmac
import logging
import threading
from collections.abc import Callable, Iterable

from app.errors import ConfigError, KeysUnusable, ProxyError, StorageUnavailable
from app.keys.key import Key, digest
from app.keys.store import KeyStore

log = logging.getLogger(__name__)


class Keyring:
    """The keys of the environment and those of the store, which is read again when it has changed. Thread-safe.

    Once a key or the mere store has closed it, it stays closed until the server starts anew: neither revoking the last
    key nor losing the store opens it. It is closed, too, while the store cannot be known, and always where it is
    `beyond` loopback. `revoked` is told the identity of each key that is gone.
    """

    def __init__(
        self,
        given: Iterable[Key],
        store: KeyStore,
        revoked: Callable[[str], object] = lambda _: None,
        *,
        closed: bool = False,
    ) -> None:
        """Read the store. Raises ConfigError when it is not to be trusted."""
        self._given = tuple(given)
        self._store = store
        self._revoked = revoked
        self._lock = threading.Lock()
        self._signature = store.signature()
        self._problem: ProxyError | None = None
        self._closed = bool(self._given) or closed
        self._known = True
        kept: tuple[Key, ...] | None = None
        try:
            kept = store.read()
        except StorageUnavailable as error:
            self._problem, self._known = error, False
        self._kept = kept or ()
        self._closed = self._closed or kept is not None

    def __len__(self) -> int:
        """Return how many keys there are."""
        return len(self._given) + len(self._kept)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All keys there are."""
        self._refresh()
        return (*self._given, *self._kept)

    @property
    def closed(self) -> bool:
        """Whether a request needs a key."""
        self._refresh()
        return self._closed or not self._known

    def admits(self, identity: str) -> bool:
        """Tell whether who was let in by the key of this identity, empty for none, would be let in now."""
        if not identity:
            return not self.closed
        return any(key.identity == identity and not key.terms.expired for key in self.keys)

    def find(self, *secrets: str) -> Key | None:
        """Return the key that one of these secrets is, or None.

        Every secret is compared with every key, each in constant time, and by digests, which nobody can choose: the
        time tells neither whether nor where one was nearly right. Raises KeysUnusable, or StorageUnavailable, when none
        is right and the store cannot be used, since it might hold the right one.
        """
        self._refresh()
        keys = (*self._given, *self._kept)
        digests = [digest(secret) for secret in secrets]
        found = [key for sent in digests for key in keys if hmac.compare_digest(key.digest, sent)]
        if not found and self._problem is not None:
            raise self._problem
        return found[0] if found else None

    def _refresh(self) -> None:
        if self._store.signature() == self._signature:
            return
        with self._lock:
            # Taken before the store is read, so that what is written meanwhile counts as a change again.
            signature = self._store.signature()
            try:
                kept, self._problem = self._store.read(), None
            except StorageUnavailable as error:
                self._problem, self._signature = error, signature
                return
            except ConfigError as error:
                kept, self._problem = (), KeysUnusable("The server's API keys cannot be used; its log says why.")
                log.error("%s; until then they let nobody in", error)  # noqa: TRY400 - the sentence says it all
            else:
                log.info(
                    "API keys read again n=%d%s", len(kept or ()), "" if kept is not None else ", their store is gone"
                )
            gone = {key.identity for key in self._kept} - {key.identity for key in kept or ()}
            self._kept = kept or ()
            self._closed = self._closed or kept is not None
            self._known = True
            self._signature = signature
        for identity in gone:
            self._revoked(identity)
