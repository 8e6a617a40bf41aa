"""Where processes come from: chats and agents each have their own."""

from __future__ import annotations

from server import until

from app.agent_turns import ALL
from app.claude.shelf.lineage import lineage
from app.conversation import Conversation, TextBlock, Turn

CHAT = Conversation("sonnet", "", (Turn("user", (TextBlock("Hello"),)),))
AGENT = Conversation("sonnet", "", CHAT.turns, own_tools=ALL)


def ready(supply, conversation=CHAT, failed=None):
    taken = supply.take(conversation, lineage(conversation, conversation.turns), conversation.turns, failed)
    return taken.waiting.ready


def test_agents_have_their_own_spares(supply):
    """The first agent is started for its turn; from then on one waits, which no chat and no other tools get."""
    one = supply(CLAUDE_PROXY_TOOLS="all", CLAUDE_PROXY_TOOLS_FOR="anyone")
    until(lambda: one.keeper.spares()["ready"] == 1, what="a chat's spare")
    assert one.keeper.agents()["wanted"] == 0
    assert not ready(one, AGENT)
    one.refill()
    until(lambda: one.keeper.agents()["ready"] == 1, what="an agent's spare")
    assert ready(one)
    assert not ready(one, Conversation("sonnet", "", CHAT.turns, own_tools=("Read",)))
    assert one.keeper.agents()["ready"] == 1
    assert ready(one, AGENT)


def test_without_spares(supply):
    """Where no spares are wanted none are kept for agents, however many turns there are."""
    one = supply(CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_TOOLS="all", CLAUDE_PROXY_TOOLS_FOR="anyone")
    assert [ready(one, AGENT) for _ in range(3)] == [False] * 3
    assert one.keeper.agents() == {"wanted": 0, "ready": 0}


def test_after_a_failure(supply):
    """A turn that a spare has failed gets a process of its own."""
    one = supply()
    until(lambda: one.keeper.spares()["ready"] == 1, what="a spare")
    assert not ready(one, failed="spare")
    assert ready(one, failed="kept")
