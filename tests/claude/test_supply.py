"""Where processes come from: chats and agents each have their own."""

from __future__ import annotations

from server import until

from app.agent_turns import ALL


def test_agents_have_their_own_spares(supply):
    """The first agent is started for its turn; from then on one waits, which no chat and no other tools get."""
    one = supply()
    until(lambda: one.spares.ready == 1, what="a chat's spare")
    assert one.agents.wanted == 0
    first = one.take(1, ALL)
    assert not first.ready
    until(lambda: one.agents.ready == 1, what="an agent's spare")
    assert one.take(1).ready
    assert not one.take(1, ("Read",)).ready
    assert one.agents.ready == 1
    assert one.take(1, ALL).ready


def test_without_spares(supply):
    """Where no spares are wanted none are kept for agents, however many turns there are."""
    one = supply(CLAUDE_PROXY_SPARES="0")
    assert [one.take(1, ALL).ready for _ in range(3)] == [False] * 3
    assert one.agents.ready == 0
