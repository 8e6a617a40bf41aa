"""The WSGI entry point: `gunicorn -c app/gunicorn_config.py wsgi:app`, or `flask --app wsgi run`."""

from __future__ import annotations

import sys

from app import create_app
from app.errors import ConfigError

try:
    app = create_app()
except ConfigError as error:
    sys.stderr.write(f"claude-max-api-proxy: {error}\n")
    # gunicorn starts workers anew for any other status than its own "failed to boot".
    sys.exit(3)
