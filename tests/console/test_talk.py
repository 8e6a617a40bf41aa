"""The talk of `ask` and `chat` with a server."""

from __future__ import annotations

import pytest

from app.console.running_server import Server
from app.console.talk import Talk


def test_talk_to_another_program(answering):
    """What answers in another language is told apart from an answer."""
    talk = Talk(Server("127.0.0.1", answering(ours=False).port))
    with pytest.raises(Exception, match=r"JSON|not this server"):
        talk.ask({})
