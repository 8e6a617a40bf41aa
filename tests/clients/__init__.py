"""The client libraries people use, each against a real gunicorn with the real CLI and the stand-in API."""
