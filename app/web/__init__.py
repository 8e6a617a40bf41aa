"""What every route shares: the gate, errors as JSON, request ids, streams and clients that leave."""

# The endpoint of GET /health. It needs no key and starts nothing: that the server runs is no secret.
PROBE = "health.alive"
# Nor are the files that the page is made of: the page that asks for a key is made of them, too.
OPEN = frozenset({PROBE, "page.file"})
