"""Counts the files and functions of `app` that one request goes through: `python -m tests.walk`."""
