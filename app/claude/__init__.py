"""The Claude Code CLI as a backend: one process, one turn, and the pool of both."""
