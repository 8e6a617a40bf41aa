"""GET /v1/openapi.json: what this server speaks."""

from __future__ import annotations

import flask

from app.openapi import document
from app.web.envelopes import KEY as DIALECTS

openapi = flask.Blueprint("openapi", __name__)


@openapi.get("/openapi.json")
def describe() -> flask.Response:
    """Return the OpenAPI document."""
    return flask.Response(document.encoded(flask.current_app.extensions[DIALECTS]), mimetype="application/json")
