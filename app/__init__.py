"""An OpenAI-compatible HTTP API in front of the Claude Code CLI."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import flask

from app import demo, logs
from app.backend import Backend
from app.blueprints.docs import docs
from app.blueprints.health import health
from app.blueprints.models import models
from app.blueprints.ollama import ollama
from app.blueprints.openapi import openapi
from app.blueprints.page import page
from app.blueprints.responses import responses
from app.blueprints.sessions import sessions
from app.blueprints.turns import blueprint as turns
from app.blueprints.usage import usage
from app.captures import captures as capture_files
from app.captures import redaction
from app.captures.captures import Captures
from app.claude.pool import Pool
from app.config import Settings
from app.config import given as given_settings
from app.config_reading import read_settings
from app.dialects import DIALECTS
from app.dialects.dialect import Dialect
from app.hosts import Presence
from app.keys.keyring import Keyring
from app.ledger.place import open_ledger
from app.ledger.recall import recall
from app.models import Catalogue
from app.proof.prover import Prover
from app.records.figures import Figures
from app.records.history import History
from app.records.log import log_stream_end
from app.records.metrics import Metrics
from app.records.tracing import Tracing
from app.storage import open_storage
from app.web import capturing, disconnects, error_responses, recording
from app.web.bodies import Bodies
from app.web.budgets import Budgets
from app.web.disconnects import Disconnects
from app.web.envelopes import KEY as DIALECTS_KEY
from app.web.gate import Gate
from app.web.key_limits import KeyLimits
from app.web.keys import Keys
from app.web.own_host import OwnHost
from app.web.page_feed import PAGE_FEED, PageFeed
from app.web.paths import Paths
from app.web.readiness import Verdicts
from app.web.state import KEY, Start, State, state


def create_app(
    settings: Settings | None = None, dialects: Sequence[Dialect] = DIALECTS, backend: Backend | None = None
) -> flask.Flask:
    """Return the WSGI application; by default with the settings of the environment, all dialects and the CLI behind it.

    It starts nothing: that is for `state(app).start`, which gunicorn's worker calls, and else the first request.
    Raises ConfigError.
    """
    settings = settings or read_settings()
    logs.init(settings.log_level, settings.log_format, settings.log_file)
    app = flask.Flask(__name__, static_folder=None)
    app.wsgi_app = Paths(app.wsgi_app)  # type: ignore[method-assign]
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.extensions[DIALECTS_KEY] = tuple(dialects)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # a redirect would be an answer in HTML
    keyring = _assemble(app, settings, backend)
    _follow_requests(app, keyring)
    _route(app, dialects)
    return app


def _assemble(app: flask.Flask, settings: Settings, backend: Backend | None) -> Keyring:
    """Make what serves, which `state(app)` has from now on; return the keys that open it. Raises ConfigError."""
    given, storage = settings.api_keys, open_storage(settings)
    users = storage
    steps: list[Callable[[], None]] = []
    catalogue = Catalogue()
    if settings.demo:
        settings, start_standin = demo.settings_for(settings, catalogue)
        storage = open_storage(settings)  # of the user's it has the API keys alone
        steps.append(start_standin)
    if backend is None:
        backend = pool = Pool(settings, catalogue)
        steps += [pool.open, Prover(pool, settings).open]
    else:
        steps.append(backend.open)
    keyring = Keyring(given, users.keys, revoked=backend.forget, closed=users.closed)
    metrics, figures = Metrics(backend, catalogue), Figures()
    ledger, windows = open_ledger(
        settings, backend, storage.database, failed=metrics.usage_failures.inc, lost=metrics.usage_lost.inc
    )
    tracing = Tracing(wanted=settings.traces)
    captures = _captures(settings)
    remember = functools.partial(recall, ledger, figures.add)
    presence = Presence(storage.database)
    opened = (ledger.open, windows.open, remember, tracing.open, captures.open, presence.open)
    closed = (
        users.close,
        storage.close,
        presence.close,
        windows.close,
        ledger.close,
        tracing.close,
        captures.close,
        backend.close,
    )
    start = Start(*steps, *opened, at_exit=closed)
    budgets = Budgets(
        ledger.spent,
        backend,
        catalogue.family,
        settings.reserve,
        settings.admin_keys,
        keys=lambda: keyring.keys,
        windows=windows,
    )
    metrics.watch_budgets(lambda: budgets.told(None))
    # A request counts among those that run until the ledger counts it.
    readers = (log_stream_end, metrics.observe, figures.note, ledger.observe, budgets.leave, tracing.observe)
    history = History(*readers, later=ledger.amend)
    bodies = Bodies(settings.max_body)
    app.extensions[KEY] = parts = State(
        settings, catalogue, backend, Disconnects(), storage.sessions, metrics, figures, history, ledger, budgets,
        bodies, captures, start,
    )  # fmt: skip
    verdicts = Verdicts(parts)
    presence.tell_of(OwnHost(parts, verdicts))
    app.extensions[PAGE_FEED] = PageFeed(parts, verdicts, presence, keyring.admits)
    return keyring


def _captures(settings: Settings) -> Captures:
    credentials = redaction.of_environ(settings.cli_environ)
    credentials = credentials.union(*map(redaction.of_server, settings.agents.servers.values()))
    folder = settings.state_dir / capture_files.FOLDER
    return Captures(folder, settings.captures, tuple(credentials), given_settings(settings))


def _follow_requests(app: flask.Flask, keyring: Keyring) -> None:
    """Have each request, unknown routes included, checked before it is answered, and recorded to its end."""
    parts = state(app)
    settings, gate = parts.settings, Gate(parts.settings)
    keys = Keys(keyring, KeyLimits(settings.key_concurrency, settings.key_rpm), settings.admin_keys)
    bound = functools.partial(disconnects.bound, settings.idle_timeout)
    # Both in the order in which they run.
    for before in (recording.begin, bound, gate.check, keys.check, parts.start.for_request):
        app.before_request(before)
    for after in reversed((gate.permit, parts.budgets.mark, capturing.follow, recording.respond)):
        # Flask runs the last first.
        app.after_request(after)
    app.teardown_request(recording.abandon)
    error_responses.init_app(app)


def _route(app: flask.Flask, dialects: Sequence[Dialect]) -> None:
    for blueprint in (health, page, docs, ollama):
        app.register_blueprint(blueprint)
    for prefix in ("/v1", ""):
        spoken = [dialect for dialect in dialects if not (prefix and dialect.root)]
        for blueprint in (turns(spoken), responses, models, sessions, usage, openapi):
            app.register_blueprint(blueprint, url_prefix=prefix or None, name=f"{blueprint.name}{prefix}")
