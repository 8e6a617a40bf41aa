"""What the server tells a dialect, for tests of how it reads a request."""

from __future__ import annotations

from app.dialects.dialect import Context


class Kept(dict):
    """Responses that are kept, by their ids."""

    def find(self, response_id):
        return self.get(response_id)

    def keep(self, response, system, messages):
        raise AssertionError("a request that is only read keeps nothing")


def context(resolve_model=str, kept=()):
    """Return a context in which every model has the name that the client gives it."""
    return Context(resolve_model, lambda: Kept(kept), "req_1")
