"""Extra usage: whether something beyond the plan pays for answers, and what becomes of further requests then.

Nobody can know before a turn who will pay for it: the API says so with the answer. So the first answer may have been
billed; what this guards is all that come after it.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from app import moments, private_file
from app.backend import Extra, Window
from app.claude.cli.incoming import RateLimitInfo
from app.claude.cli.plan import SAME_SECONDS, models_of
from app.errors import ExtraUsage, ProxyError

log = logging.getLogger(__name__)

Mode = Literal["refuse", "warn", "allow"]
FILE = "extra-usage.json"
# Where the API does not say when the plan pays again, requests are refused for so many seconds.
UNTOLD_SECONDS = 3600.0
# So many windows are remembered; their names come from outside.
MAX_EXTRAS = 16
FULL_PERCENT = 100.0


class _Content(msgspec.Struct):
    extras: list[Extra] = []


class ExtraUsageFile:
    """What is known of extra usage, in the state folder: all workers share it, and it outlives them."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def signature(self) -> tuple[int, int] | None:
        """Return what changes when the file does, or None if there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def read(self) -> dict[tuple[str, str], Extra]:
        """Return what is known, by window and models; nothing where the file is gone or damaged."""
        try:
            extras = msgspec.json.decode(self.path.read_bytes(), type=_Content).extras
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.DecodeError) as error:
            log.error("%s cannot be read: %s", self.path, error)  # noqa: TRY400 - the sentence says it all
            return {}
        return {(extra.window, extra.models): extra for extra in extras}

    def write(self, extras: Mapping[tuple[str, str], Extra]) -> None:
        """Replace what is known. Raises OSError."""
        private_file.replace(self.path, msgspec.json.encode(_Content(list(extras.values()))))

    def resume(self) -> list[Extra]:
        """Accept the extra usage that is known now until its end, and return it. Raises OSError."""
        now = time.time()
        with private_file.locked(self.path):
            known = {key: extra for key, extra in self.read().items() if extra.until > now}
            self.write({key: msgspec.structs.replace(extra, accepted=True) for key, extra in known.items()})
        return list(known.values())


class ExtraUsageGuard:
    """Knows for which models extra usage pays, and refuses further requests for them if `mode` says so. Thread-safe.

    `family` tells the family of a model. While it refuses, it looks every `probe` seconds whether the plan pays again:
    a request would be billed, so `look` has the CLI asked, which costs nothing, and `windows` tells the answer.
    """

    def __init__(
        self,
        mode: Mode,
        file: ExtraUsageFile,
        family: Callable[[str], str],
        *,
        windows: Callable[[], Mapping[str, Window]] = dict,
        look: Callable[[], None] = lambda: None,
        probe: float = math.inf,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mode = mode
        self._file = file
        self._family = family
        self._windows = windows
        self._look = look
        self._probe = probe
        self._clock = clock
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._known: dict[tuple[str, str], Extra] = {}
        self._signature: tuple[int, int] | None = None

    def note(self, info: RateLimitInfo, model: str) -> None:
        """Take over what the API said of an answer for `model`."""
        now = self._clock()
        if info.beyond:
            window = info.rate_limit_type or "unknown"
            until = info.resets_at if info.resets_at is not None and info.resets_at > now else now + UNTOLD_SECONDS
            extra = Extra(window, models_of(window, self._family(model)), now, until)
            self._add(extra, told=until == info.resets_at)
        elif info.status in {"allowed", "allowed_warning"}:
            self._drop(lambda extra: extra.covers(self._family(model)), "the plan pays again")

    def pays(self, model: str) -> bool:
        """Tell whether extra usage is known to pay for what `model` answers now."""
        return any(extra.covers(self._family(model)) for extra in self.known)

    def check(self, model: str) -> None:
        """Raise ExtraUsage if the answer is known to be billed beyond the plan and that is to be refused."""
        if self._mode != "refuse" or not self.known:
            return
        self._reconsider()
        family = self._family(model)
        refusing = [extra for extra in self.known if extra.covers(family) and not extra.accepted]
        if refusing:
            last = max(refusing, key=lambda extra: extra.until)
            wait = max(1, math.ceil(last.until - self._clock()))
            raise ExtraUsage(_sentence(last), retry_after=wait, falls_back=True)

    def resume(self) -> list[Extra]:
        """Let requests through until the end of what is known now; return it. Raises ProxyError."""
        with self._lock:
            try:
                return self._file.resume()
            except OSError as error:
                raise ProxyError(f"{self._file.path} cannot be written: {error.strerror}") from None

    @property
    def refuses(self) -> bool:
        """Whether some requests are refused now."""
        return self._mode == "refuse" and any(not extra.accepted for extra in self.known)

    @property
    def known(self) -> list[Extra]:
        """The extra usage that is known and has not ended."""
        self._refresh()
        now = self._clock()
        return [extra for extra in self._known.values() if extra.until > now]

    def _reconsider(self) -> None:
        """Have the CLI asked now and then, and forget what its answer has overtaken."""
        windows = self._windows()

        def is_over(extra: Extra) -> bool:
            seen = windows.get(extra.window)
            told = seen is not None and seen.seen_at > extra.since and seen.used_percent is not None
            return told and seen is not None and (seen.used_percent or 0) < FULL_PERCENT

        self._drop(is_over, "the plan has something left again")
        now = self._clock()
        if not 0 <= now - self._looked_at < self._probe:  # a clock that was set back, too
            self._looked_at = now
            self._look()

    def _add(self, extra: Extra, *, told: bool) -> None:
        """Remember extra usage; where its end was not `told`, what was accepted of it stays so until the end it had."""
        if not self._tells_more(extra, told=told):
            return
        with self._lock, private_file.locked(self._file.path):
            if not self._tells_more(extra, told=told):
                return
            self._keep({**self._known, (extra.window, extra.models): extra})
        if self._mode != "allow":
            log.warning(
                "an answer was billed beyond the plan window=%s models=%s until=%s; further ones are %s",
                extra.window,
                extra.models,
                _moment(extra.until),
                "refused" if self._mode == "refuse" else "marked",
            )

    def _tells_more(self, extra: Extra, *, told: bool) -> bool:
        """Tell whether extra usage is to be remembered beside what is known, or in its place."""
        known = self.known
        before = self._known.get((extra.window, extra.models))
        if before is None:
            return len(known) < MAX_EXTRAS
        stays = before.accepted and before.until > extra.since and not told
        return not stays and before.until + SAME_SECONDS < extra.until

    def _drop(self, which: Callable[[Extra], bool], why: str) -> None:
        if not any(map(which, self.known)):
            return
        with self._lock, private_file.locked(self._file.path):
            self._refresh()
            left = {key: extra for key, extra in self._known.items() if not which(extra)}
            if len(left) == len(self._known):
                return
            self._keep(left)
        log.info("extra usage is over: %s", why)

    def _keep(self, extras: dict[tuple[str, str], Extra]) -> None:
        now = self._clock()
        self._known = {key: extra for key, extra in extras.items() if extra.until > now}
        try:
            self._file.write(self._known)
        except OSError as error:
            log.error("%s cannot be written: %s", self._file.path, error.strerror)  # noqa: TRY400 - all that is to say
        self._signature = self._file.signature()

    def _refresh(self) -> None:
        signature = self._file.signature()
        if signature != self._signature:
            self._known, self._signature = self._file.read(), signature


def _sentence(extra: Extra) -> str:
    whose = "requests" if extra.models == "all" else f"requests for {extra.models} models"
    return (
        f"The plan is used up, and the last answer was billed as extra usage; further {whose} are refused until "
        f"{_moment(extra.until)}. Whoever runs the server can accept extra usage until then with `claude-max-api "
        "resume` or on the status page, or for good with CLAUDE_PROXY_EXTRA_USAGE=warn."
    )


def _moment(unix: float) -> str:
    return moments.written(unix) or "a time that no calendar has"
