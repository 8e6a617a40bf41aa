"""How many bytes of bodies the requests of this moment hold: what is made of them takes several times as much."""

from __future__ import annotations

import functools
from collections.abc import Callable

import flask

from app.errors import BodiesFull

# As many of the largest bodies as may be held at a time.
MAX_LARGEST = 6
# A request that holds no more than this, in bytes, is never refused: a few large ones shut nobody out.
SMALL = 64 * 1024
RETRY_AFTER_SECONDS = 2


class InFlight:
    """Counts bytes, each request's until its response is closed."""

    def __init__(self, largest: int) -> None:
        self._limit = MAX_LARGEST * largest
        self.bytes = 0

    def hold(self) -> Callable[[int], None]:
        """Return what counts further bytes for the current request. It raises BodiesFull."""
        held = 0
        flask.after_this_request(functools.partial(self._until_closed, lambda: held))

        def more(number: int) -> None:
            nonlocal held
            held += number
            self.bytes += number
            if held > SMALL and self.bytes > self._limit:
                raise BodiesFull(
                    "The requests that are being answered hold as many bytes as this server takes at a time.",
                    retry_after=RETRY_AFTER_SECONDS,
                )

        return more

    def _until_closed(self, held: Callable[[], int], response: flask.Response) -> flask.Response:
        @response.call_on_close
        def release() -> None:
            self.bytes -= held()

        return response
