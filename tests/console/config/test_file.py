"""claude-max-api config init, check and show."""

from __future__ import annotations

import json
import tomllib


def test_init(console, home):
    """It writes a file that only its user can read, where it is looked for, and never over another."""
    result = console("config", "init", HOME=str(home))
    path = home / ".config" / "claude-max-api-proxy" / "config.toml"
    assert (result.exit_code, result.stdout) == (0, f"Wrote {path}\n")
    assert path.stat().st_mode & 0o777 == 0o600
    assert tomllib.loads(path.read_text()) == {}
    path.write_text("port = 4000\n")
    result = console("config", "init")
    assert result.exit_code == 1
    assert f"{path} is there already" in result.stderr
    assert path.read_text() == "port = 4000\n"
    assert console("config", "check").exit_code == 0


def test_check(console, home):
    """It names each mistake with its line, and misspelt variables; the exit status tells programs."""
    file = home / "mine.toml"
    file.write_text('keep = 2\nkeap = 3\ntimeout = "soon"\n')
    file.chmod(0o666)
    result = console("config", "check", str(file), CLAUDE_PROXY_TIMOUT="9", CLAUDE_PROXY_SPARES="many")
    told = result.stdout.splitlines()
    assert result.exit_code == 1
    assert [line.partition(" ")[0] for line in told] == ["CLAUDE_PROXY_SPARES=many", f"{file}:2:", f"{file}:3:", "no"]
    assert "did you mean keep?" in told[1]
    assert "did you mean CLAUDE_PROXY_TIMEOUT?" in told[3]
    assert "may be changed by other users" in result.stderr
    file.write_text("keep = 2\n")
    result = console("config", "check", CLAUDE_PROXY_CONFIG=str(file))
    assert (result.exit_code, result.stdout) == (0, "")
    result = console("config", "check")
    assert result.exit_code == 0
    assert "`claude-max-api config init` writes one" in result.stderr


def test_show(console, home, monkeypatch):
    """It prints what counts as a file would have it, says where it comes from, and no secret."""
    file = home / "mine.toml"
    file.write_text('timeout = 9\nreserve = "20%"\nkeap = 3\nlog_level = 4\n')
    monkeypatch.setenv("CLAUDE_PROXY_CONFIG", "")
    result = console("--config", str(file), "config", "show", PORT="4321", CLAUDE_PROXY_API_KEYS=f"a:{'s' * 16}")
    assert result.exit_code == 0
    shown = tomllib.loads(result.stdout)
    assert (shown["timeout"], shown["port"], shown["reserve"], shown["keep"]) == (9, 4321, "20%", 4)
    assert "ssss" not in result.output
    rows = {line.partition(" ")[0]: line.rpartition("# ")[2] for line in result.stdout.splitlines()}
    assert (rows["timeout"], rows["port"], rows["keep"]) == (f"{file}:1", "PORT", "default")
    assert rows["log_level"] == "default"
    assert "there is no setting keap; did you mean keep?" in result.stdout


def test_doctor(doctor, home):
    """The doctor names the file's mistakes, and looks on with what can be used."""
    file = home / "mine.toml"
    file.write_text('timeout = "soon"\nspares = 0\n')
    found = doctor(CLAUDE_PROXY_CONFIG=str(file))
    assert found["settings"][0] == "fail"
    assert found["settings"][1].startswith(f"{file}:1: timeout")
    assert found["version"][0] == "pass"
    file.write_text("spares = 0\n")
    verdict, text, _ = doctor(CLAUDE_PROXY_CONFIG=str(file))["settings"]
    assert (verdict, f"and {file} (1)" in text) == ("pass", True)
    file.chmod(0o666)
    verdict, _, remedy = doctor(CLAUDE_PROXY_CONFIG=str(file))["settings"]
    assert (verdict, "chmod 600" in remedy) == ("warn", True)


def test_service(service, linux, home):
    """A service reads the file itself: none of its settings is copied, and a port of its own stays there."""
    file = home / "mine.toml"
    file.write_text("port = 4000\ntimeout = 9\n")
    result = service(linux, "install", "--dry-run", CLAUDE_PROXY_CONFIG=str(file), PORT="")
    assert result.exit_code == 0, result.output
    assert f"CLAUDE_PROXY_CONFIG={file}" in result.stdout
    assert "TIMEOUT" not in result.stdout.replace("TimeoutStopSec", "")
    assert 'claude-max-api" serve\n' in result.stdout
    status = json.loads(service(linux, "status", "--json", CLAUDE_PROXY_CONFIG=str(file), PORT="").stdout)
    assert status["url"].endswith(":4000")


AGENTS = """
[agents.notes]
model = "haiku"
keys = ["desk"]
tools = ["Read", "mcp:home"]
[mcp.home]
command = "home"
args = ["--token=$TOKEN"]
env = { TOKEN = "$TOKEN" }
"""


def test_agents(console, doctor, home):
    """Agents are checked and shown with the rest, without what their servers are given; a missing key is named."""
    file = home / "mine.toml"
    file.write_text(AGENTS)
    given = {"CLAUDE_PROXY_CONFIG": str(file), "TOKEN": "hush"}
    result = console("config", "check", **given)
    assert (result.exit_code, result.stdout) == (
        1,
        f"{file}:4: no API key is called desk; `claude-max-api key add desk` makes one\n",
    )
    assert doctor(**given)["agents"][::2] == ("warn", "claude-max-api key add desk")
    assert console("key", "add", "desk", **given).exit_code == 0
    assert console("config", "check", **given).exit_code == 0
    assert doctor(**given)["agents"][0] == "pass"
    shown = console("config", "show", **given)
    assert "hush" not in shown.output
    table = tomllib.loads(shown.stdout)
    assert table["agents"]["notes"]["tools"] == ["Read", "mcp:home"]
    assert table["mcp"]["home"] == {"command": "home", "args": ["--token=$TOKEN"], "env": ["TOKEN"]}
    assert f"[agents.notes]  # {file}:2" in shown.stdout
    assert "notes" in [entry["id"] for entry in json.loads(console("models", "--json", **given).stdout)["data"]]
