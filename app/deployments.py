"""How this server runs in a container: a Dockerfile, and a compose file with Open WebUI in front of it.

`app/docs/containers.md` is the guide to both.
"""

from __future__ import annotations

# The wheel lies beside the Dockerfile: `pip wheel --no-deps .` in a copy of the repository makes it.
DOCKERFILE = """\
FROM python:3.12-slim
# An ordinary user: nothing here needs more, and Claude Code's own tools would have it.
RUN useradd --create-home --uid 1000 claude && install -d -o claude -g claude -m 700 /data
USER claude
WORKDIR /home/claude
COPY --chown=claude claude_max_api_proxy-*.whl /tmp/
RUN python3 -m venv .venv && .venv/bin/pip install --no-cache-dir "$(echo /tmp/claude_max_api_proxy-*.whl)[claude]"
# The login, API keys and sessions outlive the container in /data.
ENV PATH=/home/claude/.venv/bin:/usr/local/bin:/usr/bin:/bin
ENV CLAUDE_CONFIG_DIR=/data/claude
ENV CLAUDE_PROXY_STATE_DIR=/data/state
# All of the container's addresses, and so only with API keys.
ENV HOST=0.0.0.0
ENV PORT=3456
VOLUME /data
EXPOSE 3456
HEALTHCHECK --start-period=20s CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:3456/health')"]
CMD ["claude-max-api", "serve"]
"""

COMPOSE = """\
services:
  claude:
    build: .
    # Ends what Claude Code's own tools leave behind.
    init: true
    restart: unless-stopped
    environment:
      CLAUDE_PROXY_API_KEYS: "open-webui:${CLAUDE_PROXY_API_KEY:?openssl rand -hex 24 makes one}"
      # The name by which Open WebUI calls it.
      CLAUDE_PROXY_ALLOWED_HOSTS: claude
    volumes:
      - claude:/data
    ports:
      - "127.0.0.1:3456:3456"
  open-webui:
    image: openwebui/open-webui:main
    restart: unless-stopped
    depends_on:
      claude:
        condition: service_healthy
    environment:
      OPENAI_API_BASE_URL: http://claude:3456/v1
      OPENAI_API_KEY: ${CLAUDE_PROXY_API_KEY}
      ENABLE_OLLAMA_API: "false"
      TASK_MODEL_EXTERNAL: claude-haiku-4
    volumes:
      - open-webui:/app/backend/data
    ports:
      - "127.0.0.1:3000:8080"
volumes:
  claude:
  open-webui:
"""

DEPLOYMENTS = {"container": ("Dockerfile", DOCKERFILE), "compose": ("compose.yaml", COMPOSE)}
