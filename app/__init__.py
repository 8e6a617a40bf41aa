"""An OpenAI-compatible HTTP API in front of the Claude Code CLI."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import flask

from app import demo, logs
from app.backend import Backend
from app.blueprints.docs import docs
from app.blueprints.health import health
from app.blueprints.messages import messages
from app.blueprints.models import models
from app.blueprints.openapi import openapi
from app.blueprints.page import page
from app.blueprints.responses import responses
from app.blueprints.sessions import sessions
from app.blueprints.turns import blueprint as turns
from app.claude.pool import Pool
from app.config import Settings
from app.dialects import DIALECTS
from app.dialects.dialect import Dialect
from app.keys.file import KeyFile
from app.keys.keyring import Keyring
from app.models import Catalogue
from app.proof.prover import Prover
from app.records.history import History, HourlyFigures
from app.records.log import log_stream_end
from app.records.metrics import Metrics
from app.sessions.sqlite import SqliteStore
from app.web import disconnects, error_responses, recording
from app.web.disconnects import Disconnects
from app.web.envelopes import KEY as DIALECTS_KEY
from app.web.gate import Gate
from app.web.in_flight import InFlight
from app.web.key_limits import KeyLimits
from app.web.keys import Keys
from app.web.page_feed import PAGE_FEED, PageFeed
from app.web.state import KEY, Start, State


def create_app(
    settings: Settings | None = None, dialects: Sequence[Dialect] = DIALECTS, backend: Backend | None = None
) -> flask.Flask:
    """Return the WSGI application; by default with the settings of the environment, all dialects and the CLI behind it.

    It starts nothing: that is for `state(app).start`, which gunicorn's worker calls, and else the first request.
    Raises ConfigError.
    """
    settings = settings or Settings.from_environ()
    logs.init(settings.log_level, settings.log_format)
    given, key_file = settings.api_keys, KeyFile(settings.state_dir)
    steps: list[Callable[[], None]] = []
    if settings.demo:
        settings, start_standin = demo.settings_for(settings)
        steps.append(start_standin)
    catalogue = Catalogue()
    if backend is None:
        backend = pool = Pool(settings, catalogue)
        steps += [pool.open, Prover(pool, settings).open]
    else:
        steps.append(backend.open)
    keyring = Keyring(given, key_file, revoked=backend.forget)
    store = SqliteStore(settings.state_dir / "sessions.db", settings.session_seconds)
    start = Start(*steps, at_exit=(store.close, backend.close))

    app = flask.Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body
    app.extensions[DIALECTS_KEY] = tuple(dialects)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False  # a redirect would be an answer in HTML
    metrics, hourly = Metrics(backend, catalogue), HourlyFigures()
    history = History(log_stream_end, metrics.observe, hourly.note)
    in_flight = InFlight(settings.max_body)
    app.extensions[KEY] = parts = State(
        settings, catalogue, backend, Disconnects(), store, metrics, hourly, history, in_flight, start
    )
    app.extensions[PAGE_FEED] = PageFeed(parts)
    gate = Gate(settings)
    keys = Keys(keyring, KeyLimits(settings.key_concurrency, settings.key_rpm), settings.admin_keys)
    bound = functools.partial(disconnects.bound, settings.idle_timeout)
    # Both in the order in which they run, for every request, unknown routes included.
    for before in (recording.begin, bound, gate.check, keys.check, start.for_request):
        app.before_request(before)
    for after in reversed((gate.permit, recording.respond)):  # Flask runs the last first
        app.after_request(after)
    app.teardown_request(recording.abandon)
    error_responses.init_app(app)
    app.register_blueprint(health)
    app.register_blueprint(page)
    app.register_blueprint(docs)
    for prefix in ("/v1", ""):
        for blueprint in (turns(dialects), responses, messages, models, sessions, openapi):
            app.register_blueprint(blueprint, url_prefix=prefix or None, name=f"{blueprint.name}{prefix}")
    return app
