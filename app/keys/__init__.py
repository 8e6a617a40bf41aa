"""Who may use the server: named API keys, from the environment and from a file, known by their digests only."""
