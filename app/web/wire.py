"""Which of the two wire formats a request speaks: OpenAI's, or Anthropic's."""

from __future__ import annotations

import flask

PREFIX = "/v1"
# The SDKs of Anthropic send it with every request.
VERSION = "anthropic-version"


def is_anthropic() -> bool:
    """Tell whether the current request is for Anthropic's own routes, or for one that both have and by its header."""
    path = flask.request.path.removeprefix(PREFIX)
    if _under(path, "/messages"):
        return True
    return _under(path, "/models") and VERSION in flask.request.headers


def _under(path: str, root: str) -> bool:
    return path == root or path.startswith(f"{root}/")
