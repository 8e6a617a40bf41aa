"""Each probe is seen failing: an executable that breaks its promise is caught by that promise's name."""

from __future__ import annotations

import broken_claude
import proven
import pytest

from app.claude.cli.registry import Registry
from app.proof.answers import answers
from app.proof.chat import chat
from app.proof.proving import PROMISES, SCENES, prove
from app.proof.tool_calls import tool_calls

# One executable for several faults, where none hides another: what it does, in which scenes, and what must be named.
CASES = {
    "starts": ({"does not start"}, (chat,), {"starts"}),
    "plain options": (
        {
            "has no bound", "does not stop", "thinks as it likes", "lists no models", "asks a model to count", "stays",
            "wants the list of tools", "cuts descriptions", "calls at once", "gives no form", "hides the limit",
            "hides an overload", "hides the login",
        },
        SCENES,
        {
            "max_tokens", "stop", "effort", "models", "counting", "ends", "manifests", "descriptions", "one_call",
            "structured", "plan_limit", "overload", "login",
        },
    ),
    "its own tools": ({"offers its tools"}, (chat,), {"no_tools"}),
    "the user's settings": ({"reads settings"}, (chat,), {"settings"}),
    "another model": ({"asks another model"}, (chat,), {"model"}),
    "a trace": ({"tells of the model"}, (chat,), {"traceless"}),
    "a system prompt": ({"has a system prompt of its own"}, (chat,), {"system_prompt"}),
    "a transcript": ({"keeps a transcript"}, (chat,), {"disk"}),
    "notes": ({"takes notes"}, (answers,), {"disk"}),
    "a second request": ({"asks twice"}, (chat,), {"alone"}),
    "dropped lines": ({"drops assistant lines"}, (chat,), {"turns"}),
    "swapped turns": ({"swaps turns"}, (chat,), {"turns"}),
    "files": ({"reads files"}, (chat,), {"verbatim"}),
    "commands": ({"runs commands"}, (chat,), {"composed"}),
    "earlier texts": ({"drops earlier texts"}, (chat,), {"quick_history"}),
    "another line": ({"goes back too far"}, (chat,), {"going_back"}),
    "an interrupt": ({"stays after an interrupt"}, (chat,), {"going_back_interrupted"}),
    "a second answer": ({"goes on when it is cut"}, (chat,), {"held"}),
    "nowhere": ({"goes back to nowhere"}, (chat,), {"going_back_refused"}),
    "results": ({"stays behind results"}, (tool_calls,), {"going_back_results"}),
    "open calls": ({"stays after an interrupt"}, (tool_calls,), {"going_back_calls"}),
    "a lost tool": ({"loses a tool"}, (tool_calls,), {"tools"}),
    "a round": ({"forgets failures"}, (tool_calls,), {"tool_rounds"}),
    "a result": ({"loses results"}, (tool_calls,), {"parked"}),
}  # fmt: skip


@pytest.fixture
def broken(tmp_path, claude):
    """Give a function that proves the real CLI with some faults, and returns what became of each promise, by name."""
    registry = Registry(tmp_path)

    def proof(faults, scenes=SCENES):
        executable = broken_claude.write(tmp_path / "claude", claude, *sorted(faults))
        given = prove(proven.found(executable, tmp_path), registry, "/usr/bin:/bin", scenes=scenes)
        return {outcome.promise: outcome for outcome in given.outcomes}, given

    yield proof
    registry.close()


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("faults", "scenes", "named"), CASES.values(), ids=CASES)
def test_caught(broken, faults, scenes, named):
    """What breaks a promise is caught by its name, with what was seen."""
    outcomes, proof = broken(faults, scenes)
    assert named <= {name for name, outcome in outcomes.items() if not outcome.kept}
    assert all(outcomes[name].detail for name in named)
    assert proof.holds == (not any(outcome.essential for outcome in proof.broken))
    assert proof.holds == (not any(outcomes[name].essential for name in named))


def test_every_promise_is_seen_failing():
    """No probe is left out above."""
    named = set().union(*(named for _, _, named in CASES.values()))
    assert named == {promise.name for promise in PROMISES}


@pytest.mark.timeout(240)
def test_whole(proof):
    """The real CLI keeps every promise, and may be relied on for all that is asked of versions."""
    assert proof.broken == ()
