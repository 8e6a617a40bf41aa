"""Paths as other programs write them: with /v1 twice, and as Azure has OpenAI's API.

Azure names the model in the path, as a deployment, and asks for the version of its API, which says nothing here:
https://learn.microsoft.com/en-us/azure/ai-foundry/openai/reference
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import flask
import msgspec

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

AZURE = re.compile(r"/openai(?:/deployments/([^/]+))?(?:/v1)*(/.*)", re.DOTALL)
REPEATED = re.compile(r"^(?:/v1){2,}(?=/|$)")
# Where a request keeps the name of its deployment.
DEPLOYMENT = "claude_max.deployment"
OBJECT = re.compile(rb"\s*\{\s*(\})?")


class Paths:
    """An application around `app`, which sees every path as its own routes have it."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = environ.get("PATH_INFO", "")
        azure = AZURE.fullmatch(path)
        if azure is not None:
            path = f"/v1{azure[2]}"
            if azure[1] is not None:
                environ[DEPLOYMENT] = azure[1]
        environ["PATH_INFO"] = REPEATED.sub("/v1", path)
        return self._app(environ, start_response)


def deployment() -> str | None:
    """Return the model that the current request's path names, if it does."""
    found: Any = flask.request.environ.get(DEPLOYMENT)
    # As WSGI has it: each byte of UTF-8 is a character.
    return None if found is None else str(found).encode("latin-1").decode(errors="replace")


def with_model(body: bytes, model: str | None) -> bytes:
    """Return a body that names a model: Azure's need not, where the path does."""
    start = OBJECT.match(body)
    if model is None or start is None:
        return body
    # In front of all others: of two fields with one name the last counts, and the path's is the same to the reader.
    field = b'{"model":' + msgspec.json.encode(model)
    return field + (b"}" if start[1] else b"," + body[start.end() :])
