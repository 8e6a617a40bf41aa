"""The same questions through this server."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any, NamedTuple

import psutil
from server import Server

from .bare import Timing

WEATHER = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


class Client:
    """One conversation with a server; the `cpu` of its timings is not known."""

    def __init__(self, server: Server, **fields: Any) -> None:
        self.served = ""
        self.messages: list[dict[str, Any]] = []
        self._server = server
        self._fields = {"model": "sonnet", **fields}
        self._headers = {"Content-Type": "application/json", **server.sent_with_all}

    def ask(self, *messages: dict[str, Any] | str, stream: bool = True) -> Timing:
        """Ask, take the answer into the history, and tell how long it took."""
        self.messages += [{"role": "user", "content": one} if isinstance(one, str) else one for one in messages]
        body = json.dumps({**self._fields, "messages": self.messages, "stream": stream}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=120)
        began = time.perf_counter()
        connection.request("POST", "/v1/chat/completions", body, self._headers)
        response = connection.getresponse()
        assert response.status == 200, response.read()
        self.served = response.getheader("x-proxy-served") or ""
        first, message = _streamed(response) if stream else _whole(response)
        connection.close()
        total = (time.perf_counter() - began) * 1000
        self.messages.append(message)
        return Timing(((first or time.perf_counter()) - began) * 1000, total, 0.0)

    def results(self) -> list[dict[str, Any]]:
        """Return a result for each call of the last answer."""
        calls = self.messages[-1]["tool_calls"]
        return [{"role": "tool", "tool_call_id": call["id"], "content": "seen"} for call in calls]


def _whole(response: http.client.HTTPResponse) -> tuple[float, dict[str, Any]]:
    return 0.0, json.loads(response.read())["choices"][0]["message"]


def _streamed(response: http.client.HTTPResponse) -> tuple[float, dict[str, Any]]:
    first, text, calls = 0.0, "", []
    while line := response.readline():
        if not line.startswith(b"data: {"):
            continue
        delta = (json.loads(line[6:])["choices"] or [{"delta": {}}])[0]["delta"]
        if not first and (delta.get("content") or delta.get("tool_calls")):
            first = time.perf_counter()
        text += delta.get("content") or ""
        for call in delta.get("tool_calls", ()):
            if "id" in call:
                calls.append(call)
            else:
                calls[call["index"]]["function"]["arguments"] += call["function"]["arguments"]
    message: dict[str, Any] = {"role": "assistant", "content": text or None}
    return first, {**message, "tool_calls": calls} if calls else message


def memory(process: psutil.Process) -> float:
    """Return what a process takes for itself, in MB: its own pages and its part of the shared ones."""
    return process.memory_full_info().pss / 1e6 if psutil.LINUX else process.memory_full_info().uss / 1e6


def proxy_memory(server: Server) -> float:
    """Return the memory of a server without its CLI processes, in MB: gunicorn's master and its worker."""
    return memory(psutil.Process(server.process.pid)) + memory(server.worker())


class Costs(NamedTuple):
    """CPU seconds of a server's worker and of all the CLI processes it has had, and how many it has started."""

    proxy: float
    cli: float
    starts: int

    @classmethod
    def of(cls, server: Server) -> Costs:
        worker = server.worker()
        own = worker.cpu_times()
        living = 0.0
        for child in worker.children():
            times = child.cpu_times()
            living += times.user + times.system
        starts = server.get("/ready")[1]["processes"]["started"]
        return cls(own.user + own.system, own.children_user + own.children_system + living, sum(starts.values()))

    def __sub__(self, before: Costs) -> Costs:
        return Costs(*(now - then for now, then in zip(self, before, strict=True)))
