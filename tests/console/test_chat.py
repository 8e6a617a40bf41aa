"""`chat` is a conversation on a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from app.console.chat import Chat


def test_chat(command, fake_server):
    """A chat keeps what was said, changes its model, begins anew, and outlives an answer that fails."""
    typed = "Hello\n/model haiku\n\nHello again\ncrash-before\n/new\nHello\n/quit\nHello\n"
    result = command("chat", typed=typed)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("Hello world.") == 3
    assert "ended before it finished" in result.stderr


def test_chat_remembers(monkeypatch):
    """Each question brings what was said before, but nothing of an answer that was stopped."""

    class Recorder:
        def __init__(self):
            self.bodies = []

        def stream(self, body):
            self.bodies.append(body)
            yield "Yes, "
            if body["messages"][-1]["content"] == "stop":
                raise KeyboardInterrupt
            yield "**indeed**."

    lines = iter(["one", "stop", "/model opus", "two"])

    def typed(_):
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    monkeypatch.setattr("builtins.input", typed)
    talk, screen = Recorder(), io.StringIO()
    Chat(talk, "sonnet", Console(file=screen, force_terminal=True, width=60)).run()
    assert [body["model"] for body in talk.bodies] == ["sonnet", "sonnet", "opus"]
    assert [message["content"] for message in talk.bodies[2]["messages"]] == ["one", "Yes, **indeed**.", "two"]
    # Markdown is shown, not printed.
    assert "indeed" in screen.getvalue()
    assert "**indeed**" not in screen.getvalue()
