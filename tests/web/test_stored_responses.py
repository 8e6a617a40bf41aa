"""Responses that are kept: found by their owner alone, unchanged, before the client is told of their end."""

from __future__ import annotations

import msgspec
import pytest

from app.conversation import Message, TextBlock
from app.dialects.responses import objects
from app.dialects.responses.keeping import Keeping, KeptStream
from app.dialects.responses.schema import ResponseRequest
from app.dialects.responses.stream import ResponseStream
from app.errors import SessionStorageFailed
from app.events import TextDelta, TurnEnd, TurnStart, Usage
from app.sessions.sqlite import SqliteStore
from app.web.stored_responses import StoredResponses

ASKED = (Message("user", (TextBlock("Hi"),)),)
BEGUN = objects.begun("resp_1", ResponseRequest("sonnet", "Hi"), stored=True)
START, PIECE, END = TurnStart("claude-sonnet-5-5"), TextDelta(b'"Yes."'), TurnEnd("end_turn", Usage())


@pytest.fixture
def store(tmp_path):
    store = SqliteStore(tmp_path / "sessions.db", 60)
    yield store
    store.close()


class FullDisk:
    def save(self, *args):
        raise SessionStorageFailed("The disk is full.")


def kept_stream(responses):
    return KeptStream(ResponseStream(BEGUN, thinking=False), Keeping(responses, "Be kind.", ASKED))


def test_kept_with_its_end(store):
    """The response is there as soon as its last event is, with the conversation up to its end, and not before."""
    responses = StoredResponses(store, "laptop")
    stream = kept_stream(responses)
    stream.feed([START, PIECE])
    assert responses.find("resp_1") is None
    assert b"response.completed" in stream.feed([END])
    found = responses.find("resp_1")
    assert found.response["output"][0]["content"][0]["text"] == "Yes."
    assert (found.system, found.messages) == ("Be kind.", (*ASKED, Message("assistant", (TextBlock("Yes."),))))
    assert found.item("msg_1_0") == found.response["output"][0]
    assert found.item("msg_1_1") is None


def test_not_kept(store):
    """A response that cannot be kept is none that has ended: the client may want to go on from it."""
    stream = kept_stream(StoredResponses(FullDisk(), ""))
    stream.feed([START, PIECE])
    with pytest.raises(SessionStorageFailed) as raised:
        stream.feed([END])
    assert b"response.failed" in stream.error(raised.value)


def test_owners(store):
    """Nobody else finds a response, and it is in no list of sessions, whatever the names."""
    mine = StoredResponses(store, "laptop")
    mine.keep(msgspec.to_builtins(BEGUN), "", ASKED)
    for owner in ("", "phone", "laptop/responses"):
        assert StoredResponses(store, owner).find("resp_1") is None
        assert not StoredResponses(store, owner).delete("resp_1")
    assert all(store.summaries(owner) == [] for owner in ("", "phone", "laptop"))
    assert mine.delete("resp_1")
    assert not mine.delete("resp_1")


def test_no_id(store):
    """An id that is longer than any is not looked for."""
    responses = StoredResponses(store, "")
    assert responses.find("a" * 1000) is None
    assert not responses.delete("a" * 1000)
