"""Where processes come from: chats and agents each have their own."""

from __future__ import annotations

import msgspec
from server import until

from app.agents.agent import Agent, Workplace
from app.claude.shelf.memory import digests_of
from app.conversation import Conversation, Message, TextBlock
from app.setting_parsers import ALL_TOOLS as ALL

CHAT = Conversation("sonnet", "", (Message("user", (TextBlock("Hello"),)),))
ROW = Agent(name="", tools=ALL, keys=("anyone",))
AGENT = msgspec.structs.replace(CHAT, workplace=Workplace(ROW, ALL))
OTHER = Agent(name="other", tools=("Read",), keys=("anyone",))


def ready(processes, conversation=CHAT, failed=None):
    taken = processes.take(conversation, digests_of(conversation, conversation.messages), conversation.messages, failed)
    return taken.waiting.ready


def test_agents_have_their_own_spares(processes):
    """The first agent is started for its turn; from then on one waits, which no chat and no other tools get."""
    one = processes(CLAUDE_PROXY_TOOLS="all", CLAUDE_PROXY_TOOLS_FOR="anyone")
    until(lambda: one.keeper.spares()["ready"] == 1, what="a chat's spare")
    assert one.keeper.agents()["wanted"] == 0
    assert not ready(one, AGENT)
    one.keeper.wake()
    until(lambda: one.keeper.agents()["ready"] == 1, what="an agent's spare")
    assert ready(one)
    assert not ready(one, msgspec.structs.replace(CHAT, workplace=Workplace(ROW, ("Read",))))
    assert not ready(one, msgspec.structs.replace(CHAT, workplace=Workplace(OTHER, ("Read",))))
    assert one.keeper.agents()["ready"] == 1
    assert ready(one, AGENT)


def test_without_spares(processes):
    """Where no spares are wanted none are kept for agents, however many turns there are."""
    one = processes(CLAUDE_PROXY_SPARES="0", CLAUDE_PROXY_TOOLS="all", CLAUDE_PROXY_TOOLS_FOR="anyone")
    assert [ready(one, AGENT) for _ in range(3)] == [False] * 3
    assert one.keeper.agents() == {"wanted": 0, "ready": 0}


def test_after_a_failure(processes):
    """A turn that a spare has failed gets a process of its own."""
    one = processes()
    until(lambda: one.keeper.spares()["ready"] == 1, what="a spare")
    assert not ready(one, failed="spare")
    assert ready(one, failed="kept")
