"""One turn: its place among those that run, what a process is told for it, and its answer as events."""
