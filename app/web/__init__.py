"""What every route shares: the gate, errors as JSON, request ids, streams and clients that leave."""

# The endpoint of GET /health. That the server runs is no secret: it needs no key, and nothing that has to be started.
PROBE = "health.alive"
