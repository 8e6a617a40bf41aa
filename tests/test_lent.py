"""What one test makes of the shared stand-in is not what the next module's server meets."""

from __future__ import annotations

import contextlib

import lent

from app.standin import Failure, StandIn
from app.standin.stream import input_tokens


def test_replies_are_given_back() -> None:
    """After a test, be it a failed one, all is answered as before."""
    with StandIn(reply=lent.three_words) as api:
        with contextlib.suppress(KeyError), lent.lend(api) as mine:
            mine.reply = mine.count = lambda _: Failure.not_found()
            raise KeyError
        assert (api.reply, api.count) == (lent.three_words, input_tokens)
