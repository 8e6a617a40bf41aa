"""gunicorn's settings and worker hooks; give it as a path: `gunicorn -c app/gunicorn_config.py wsgi:app`.

gunicorn runs this file in its master before gevent patches the standard library, so it imports nothing of `app` and
no library at its top but gunicorn itself. It runs it again at SIGHUP.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import resource
import sys
import threading
import time
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger


def _module(name: str) -> Any:
    # By its path: importing it as `app.…` would import the whole package.
    spec = importlib.util.spec_from_file_location(f"claude_max_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018 - it stands beside this file
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


_address, _config_file = _module("address"), _module("config_file")
try:
    _given = _config_file.completed(os.environ, "HOST", "PORT", _address.OLLAMA_PORT, "LOG_FORMAT")
    _host, _ports = _address.read(_given)
except ValueError as _error:
    # The application says it in the same words, but gunicorn looks at the address first.
    sys.exit(f"claude-max-api-proxy: {_error}")
bind = [_address.written(each, port) for port in _ports for each in _address.listened(_host)]
worker_class = "gevent"
# Spares, slots and counters belong to one process, and one event loop carries hundreds of streams.
workers = 1
# On macOS gevent's loop is libev over select(), which fails, and ends the worker, beyond 1,024 descriptors
# (https://github.com/gevent/gevent/issues/1320).
_SELECTS = sys.platform == "darwin"
# How long the event loop may stand still; the length of a turn has nothing to do with it.
timeout = 60
graceful_timeout = 30
# The worker counts the same seconds as its master, and the master's SIGKILL wins: the turns must be ended before.
# Where there is little time, the turns get half of it.
DRAIN_MARGIN_SECONDS = 6
# How long what was accepted last has to become a turn, in seconds.
SETTLE_SECONDS = 1.0
# How long a worker that is interrupted waits for what gunicorn does about it, in seconds: it takes 0.1.
QUIT_GRACE_SECONDS = 0.5
# A kept connection would hold up the drain.
keepalive = 0
max_requests = 0
preload_app = False
control_socket_disable = True
# gunicorn starts a worker that ends with another status anew.
FAILED_TO_BOOT = 3


class logger_class(Logger):  # noqa: N801 - gunicorn knows its settings by name
    """gunicorn's own lines, in the form of the application's."""

    def setup(self, cfg: Any) -> None:
        """Open the logs that gunicorn's settings name, and write to them as `LOG_FORMAT` says."""
        super().setup(cfg)
        logs = _module("logs")
        for handler in (*self.error_log.handlers, *self.access_log.handlers):
            if hasattr(handler, "stream"):
                handler.setFormatter(logs.formatter(_given.get("LOG_FORMAT", "").lower(), handler.stream))


# What each connection and each CLI process needs, within what the system allows.
_DESCRIPTORS = 1024 if _SELECTS else 16384
_soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
_wanted = _DESCRIPTORS if _hard == resource.RLIM_INFINITY else min(_DESCRIPTORS, _hard)
if (_SELECTS and _soft != _wanted) or (_soft != resource.RLIM_INFINITY and _soft < _wanted):
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_wanted, _hard))
_soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
# A connection counts from its beginning. Half of the descriptors are for the CLI's processes.
worker_connections = 4096 if _soft == resource.RLIM_INFINITY else min(4096, _soft // 2)


def _hide_secrets() -> None:
    """Keep programs of the same user, such as an agent's tools, from reading secrets out of `/proc/PID`.

    On Linux nobody but root can look into a process that must not be dumped (prctl(2)); the workers inherit that, and a
    CLI process does not. The variables that hold secrets are overwritten where the system shows them, for root and for
    other systems; Python has its own copy.
    """
    libc = ctypes.CDLL(None)
    if sys.platform == "linux":
        libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.getenv.restype = ctypes.c_void_p
    for name in _SECRET:
        if address := libc.getenv(name.encode()):
            ctypes.memset(address, 0, len(ctypes.string_at(address)))


_PR_SET_DUMPABLE = 4
_SECRET = ("CLAUDE_PROXY_API_KEYS", "CLAUDE_PROXY_DATABASE", "CLAUDE_CODE_OAUTH_TOKEN")
_hide_secrets()


def when_ready(server: Any) -> None:
    """Let SIGHUP change nothing where the configuration has a mistake: gunicorn would end, and with it the server."""
    reload = server.reload

    def reload_if_sound() -> None:
        if _is_sound():
            reload()
        else:
            server.log.error("not reloaded: the configuration has a mistake; all goes on as it was")

    server.reload = reload_if_sound


def _is_sound() -> bool:
    """Tell whether the settings can be used; standard error has a sentence where not."""
    # In a process of its own, which may import the application, and which nobody can look into either.
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    status = 1
    try:
        from app.config_reading import read_settings  # noqa: PLC0415
        from app.errors import ConfigError  # noqa: PLC0415

        try:
            read_settings()
            status = 0
        except ConfigError as error:
            sys.stderr.write(f"claude-max-api-proxy: {error}\n")
            sys.stderr.flush()
    finally:
        os._exit(status)


class _Listener:
    """What gunicorn asks a listening socket for with each connection, also when it is closed."""

    def __init__(self, listener: Any) -> None:
        self._name = listener.getsockname()

    def getsockname(self) -> Any:
        return self._name


def _answer_all_let_in(worker: Any) -> None:
    """Have gunicorn's gevent worker answer whoever has connected before it stops listening.

    It would reset those it has not let in yet, and fail with those who send their request later.
    """
    # Imported late: gevent must have patched the standard library before.
    from gunicorn.workers import ggevent  # noqa: PLC0415

    gevent_server: Any = ggevent.StreamServer  # type: ignore[attr-defined]

    class Server(gevent_server):  # type: ignore[misc]
        def close(self) -> None:
            with contextlib.suppress(OSError):
                while not self.closed and not self.full() and (accepted := self.do_read()):
                    self.do_handle(*accepted)
            super().close()

    ggevent.StreamServer = Server  # type: ignore[attr-defined]
    listeners, handle = {listener: _Listener(listener) for listener in worker.sockets}, worker.handle
    worker.handle = lambda listener, client, address: handle(listeners[listener], client, address)


def post_worker_init(worker: Any) -> None:
    """Start what serves, and watch for the worker's end.

    So turns get their time, no process outlives the worker, and nobody idle holds it up.
    """
    # Imported late: gevent must have patched the standard library before.
    from gunicorn.workers.base_async import AsyncWorker  # noqa: PLC0415

    from app.errors import ConfigError  # noqa: PLC0415
    from app.watchdog import Watchdog  # noqa: PLC0415

    try:
        _state(worker).start()
    except ConfigError as error:
        sys.stderr.write(f"claude-max-api-proxy: {error}\n")
        sys.exit(FAILED_TO_BOOT)
    Watchdog(_state(worker).metrics.stalls).start()
    connections = _state(worker).connections
    if isinstance(worker, AsyncWorker):  # others hold few connections, and close them by themselves
        _answer_all_let_in(worker)
        connections.guard(worker)

    def watch() -> None:
        while worker.alive:
            time.sleep(0.1)
            connections.expire()
        given = worker.cfg.graceful_timeout
        deadline = time.monotonic() + given
        ends = deadline - min(DRAIN_MARGIN_SECONDS, given / 2)
        # Whoever is let in is answered: a balancer goes to others only where it cannot connect.
        while any(listener.fileno() >= 0 for listener in worker.sockets) and time.monotonic() < ends:
            time.sleep(0.1)
        time.sleep(max(0.0, min(SETTLE_SECONDS, ends - time.monotonic())))
        _state(worker).backend.drain(max(0.0, ends - time.monotonic()))
        # Again and again: the worker accepts for up to a second after its end has begun.
        while time.monotonic() < deadline:
            if not _state(worker).history.busy:
                # What is left asks for nothing, such as a browser's connection in reserve; gunicorn would wait for it.
                connections.hang_up()
            time.sleep(0.1)

    threading.Thread(target=watch, name="drain", daemon=True).start()


def worker_int(worker: Any) -> None:
    """End everything at once on SIGINT and SIGQUIT."""
    worker.interrupted = True
    if getattr(worker, "wsgi", None) is not None:  # it may still be starting
        _state(worker).backend.close()


def worker_exit(server: Any, worker: Any) -> None:
    """End what is left, in whatever way the worker ends."""
    del server
    if getattr(worker, "wsgi", None) is not None:
        _state(worker).backend.close()
    # gunicorn's gevent worker quits in a greenlet for each signal (a terminal sends one, the master another), whose
    # `sys.exit` would be a traceback on the terminal if it came while the interpreter ends. Let them exit here.
    deadline = time.monotonic() + (QUIT_GRACE_SECONDS if getattr(worker, "interrupted", False) else 0)
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(SystemExit):
            time.sleep(left)


def _state(worker: Any) -> Any:
    # Imported late: see the module's docstring.
    from app.web.state import state  # noqa: PLC0415

    return state(worker.wsgi)
