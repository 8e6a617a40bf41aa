"""The application with little room for sessions and responses: `gunicorn ... tests.small_store_wsgi:app`."""

from __future__ import annotations

from app import create_app
from app.sessions import sql

sql.MAX_OWNER_BYTES = 500 * 1024
sql.MAX_BYTES = 800 * 1024

app = create_app()
