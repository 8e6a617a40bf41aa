"""The CLI without a proxy: what it takes by itself, warm and cold."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from app.claude.cli import command
from app.claude.cli.outgoing import control_line, user_line
from app.claude.cli.process import Process
from app.claude.cli.setup import setup_lines
from app.conversation import Conversation, Message, TextBlock

# How the seed of this project, and every fork of it, asks: one process a request, Claude Code's own prompt and tools.
SEED = (
    "--print",
    "--output-format=stream-json",
    "--verbose",
    "--include-partial-messages",
    "--model=sonnet",
    "--no-session-persistence",
)
FIRST = b'"text_delta"'
PATIENCE = 60.0


class Timing(NamedTuple):
    """Milliseconds to the first piece of text and to the end, and CPU seconds of the CLI."""

    first: float
    total: float
    cpu: float


def question(text: str) -> Conversation:
    return Conversation("sonnet", "", (Message("user", (TextBlock(text),)),))


class Warm:
    """A CLI that has started and waits; `ask` as often as wanted, each a turn of one conversation."""

    def __init__(self, binary: Path, env: dict[str, str], folder: Path) -> None:
        self._process = Process(command.argv(binary, "sonnet"), command.environment(env), folder)
        self._process.write(control_line("models", "list_models"), PATIENCE)
        self._lines: list[bytes] = []
        self._until(b'"control_response"')
        self._opened = False

    def ask(self, text: str) -> Timing:
        began, cpu = time.perf_counter(), self._cpu()
        lines = b"" if self._opened else setup_lines(question(text))
        self._opened = True
        self._process.write(lines + user_line((TextBlock(text),), ask=True, composed=True), PATIENCE)
        self._until(FIRST)
        first = time.perf_counter()
        self._until(b'"type":"result"')
        return Timing((first - began) * 1000, (time.perf_counter() - began) * 1000, self._cpu() - cpu)

    def close(self) -> None:
        self._process.close(at_once=True)

    def _until(self, mark: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            while self._lines:
                if mark in self._lines.pop(0):
                    return
            self._lines = self._process.read(1.0)
        raise TimeoutError(mark)

    def _cpu(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system


def cold_lean(binary: Path, env: dict[str, str], folder: Path) -> Timing:
    """Start a CLI for one question, with this project's flags."""
    conversation = question("Hello!")
    data = setup_lines(conversation) + user_line(conversation.question.content, ask=True, composed=True)
    return _spawned(command.argv(binary, "sonnet"), command.environment(env), folder, data)


def cold_full(binary: Path, env: dict[str, str], folder: Path, prompt: str = "Hello!") -> Timing:
    """Start a CLI for one question, as the seed does."""
    return _spawned([str(binary), *SEED, prompt], env, folder, b"")


def _spawned(argv: list[str], env: dict[str, str], folder: Path, data: bytes) -> Timing:
    began = time.perf_counter()
    first = 0.0
    child = subprocess.Popen(argv, env=env, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(data)
    child.stdin.flush()
    if not data:
        child.stdin.close()
    for line in child.stdout:
        if not first and FIRST in line:
            first = time.perf_counter()
        if line.startswith(b'{"type":"result"') or b'"type":"result"' in line:
            break
    total = time.perf_counter()
    if data:
        child.stdin.close()
    child.stdout.close()
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return Timing((first - began) * 1000, (total - began) * 1000, usage.ru_utime + usage.ru_stime)
