"""Wire formats: each dialect is a folder that knows its clients' JSON and the neutral form, and nothing of the CLI."""
