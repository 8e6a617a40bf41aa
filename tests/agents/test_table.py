"""The table of agents: what a row means, and each mistake that a person makes in it, with its line and its remedy."""

from __future__ import annotations

import pytest

from app.agents.agent import Agent, McpServer
from app.captures.redaction import of_server
from app.config_reading import Reading, read_settings
from app.errors import ConfigError
from app.keys.file import KeyFile


def credentials_of(table):
    return {secret for server in table.servers.values() for secret in of_server(server)}


WHOLE = """\
[agents.house]
model = "sonnet"
tools = ["mcp:home"]
keys = ["kitchen"]

[agents.notes]
model = "opus"
workspace = "notes"
tools = ["Read", "Grep", "Edit", "Bash(git log:*)"]
permission_mode = "acceptEdits"
keys = "anyone"
system = "Answer from my notes."
effort = "high"
folders = true
show = "steps"
openclaw = "map"
fallback = ["haiku", "claude-sonnet-4-5"]

[models.opus]
fallback = ["sonnet"]

[mcp.home]
command = "uvx"
args = ["mcp-home", "--house=$HOUSE"]
env = { HOME_TOKEN = "$HOME_TOKEN", PRICE = "$$5" }

[mcp.web]
url = "https://mcp.example/mcp"
headers = { Authorization = "Bearer ${HOME_TOKEN}" }
"""


@pytest.fixture
def reading(tmp_path):
    """Give a function that reads a file with this text; a key `kitchen` is there, and a folder `notes`."""
    (tmp_path / "notes").mkdir()
    KeyFile(tmp_path).add("kitchen")

    def read(text):
        (tmp_path / "config.toml").write_text(text)
        environ = {"CLAUDE_PROXY_CONFIG": str(tmp_path / "config.toml"), "CLAUDE_PROXY_STATE_DIR": str(tmp_path)}
        return Reading.of({**environ, "HOME_TOKEN": "hush", "HOUSE": "7", "CLAUDE_PROXY_OPENCLAW": "off"})

    return read


def test_rows(reading, tmp_path):
    """A row is what it says; its tools run unasked, those of files in the workspace alone."""
    found = reading(WHOLE)
    assert found.mistakes == found.unfit == []
    table = found.settings.agents
    env = (("HOME_TOKEN", "hush"), ("PRICE", "$5"))
    home = McpServer(name="home", command="uvx", args=("mcp-home", "--house=7"), env=env)
    headers = (("Authorization", "Bearer hush"),)
    web = McpServer(name="web", type="http", url="https://mcp.example/mcp", headers=headers)
    assert table.servers == {"home": home, "web": web}
    house = Agent(
        name="house", model="sonnet", servers=(home,), allowed=("mcp__home",), keys=("kitchen",), openclaw="off"
    )
    notes = Agent(
        name="notes",
        model="opus",
        tools=("Read", "Grep", "Edit", "Bash"),
        allowed=("Read(./**)", "Edit(./**)", "Bash(git log:*)"),
        keys=("anyone",),
        workspace=str(tmp_path / "notes"),
        permission_mode="acceptEdits",
        system="Answer from my notes.",
        effort="high",
        folders=True,
        show="steps",
        openclaw="map",
        fallback=("haiku", "claude-sonnet-4-5"),
    )
    assert table.fallbacks == {"opus": ("sonnet",)}
    assert table.agents == {"house": house, "notes": notes}
    assert table.doubts == ()
    assert table.of("kitchen") == [house, notes]
    assert table.of("desk") == table.of(None) == [notes]
    assert (table.find("house"), table.find("sonnet")) == (house, None)
    assert "hush" not in repr(found.settings)
    assert credentials_of(table) == {"hush", "$5", "Bearer hush", "https://mcp.example/mcp"}


def changed(line, row="house"):
    """Return a table whose row has another line, the second one of the file."""
    name = line.partition(" ")[0]
    rest = {"model": 'model = "sonnet"', "keys": 'keys = "anyone"'} if row == "house" else {"command": 'command = "x"'}
    rest.pop(name, None)
    return "\n".join([f"[{'agents' if row == 'house' else 'mcp'}.{row}]", line, *rest.values()])


MISTAKES = [
    (changed("model = 4"), "model cannot be used: it takes a text"),
    (changed('model = "sonet"'), "model = 'sonet' is no model; did you mean sonnet?"),
    (changed('modell = "sonnet"'), "[agents.house] has no key modell; did you mean model?"),
    (changed("tools = 3"), "tools cannot be used: it takes a list of texts"),
    (changed('tools = ["read"]'), "which is no tool of Claude Code's; did you mean Read?"),
    (changed('tools = ["mcp:hoem"]') + '\n[mcp.home]\ncommand = "x"', "is not in this file; did you mean home?"),
    (changed('tools = ["mcp:home"]'), "write a table [mcp.home]"),
    (changed('keys = "kitchen, desk"'), "keys names 'kitchen, desk', which no API key can be called"),
    (changed('keys = "Anyone"'), "keys names 'Anyone', which no API key can be called; did you mean \"anyone\"?"),
    (changed('keys = ["ANYONE"]'), "keys names 'ANYONE', which no API key can be called; did you mean \"anyone\"?"),
    (changed('workspace = "nowhere"'), "there is no folder"),
    (changed('permission_mode = "acceptEdit"'), "did you mean acceptEdits?"),
    (changed('effort = "huge"'), "it takes one of low, medium, high"),
    (changed("folders = true"), "folders = true needs a workspace"),
    (changed('folders = "yes"'), "folders cannot be used: it takes true or false"),
    (changed('show = "all"'), "it takes one of none, names, steps"),
    (changed('command = "x"\nurl = "http://x"', "home"), "either a command, which is started here, or a url"),
    (changed('env = { A = "$NOWHERE" }', "home"), "env names $NOWHERE, which the server's environment lacks"),
    (changed("env = { A = 1 }", "home"), "env cannot be used: it takes a table of texts"),
    (changed('headers = { A = "x" }', "home"), "headers has no effect beside command; leave it out"),
    (changed('type = "http"', "home"), "it takes one of stdio"),
    ('\n[mcp.client]\ncommand = "x"', "'client' can name no MCP server"),
    ('\n[mcp.home_]\ncommand = "x"', "'home_' can name no MCP server"),
    ('\n[mcp.my__home]\ncommand = "x"', "'my__home' can name no MCP server"),
    ('\n[mcp.home]\nurl = "mcp.example"', "is no address; it begins with http:// or https://"),
    ('\n[agents.sonnet]\nmodel = "opus"\nkeys = "anyone"', "sonnet is the name of a model; an agent needs another"),
    ('\n[agents.claude-opus-4]\nmodel = "opus"\nkeys = "anyone"', "claude-opus-4 is the name of a model"),
    ('\n[agents.House]\nmodel = "opus"\nkeys = "anyone"', "'House' can name no agent: it takes small letters"),
    ('\n[agents.house]\nkeys = "anyone"', 'model is missing: what answers, such as model = "sonnet"'),
    ('\n[agents.house]\nmodel = "opus"', "keys is missing: who may call it"),
    ("\nagents.house = 3", "this is a table: write [agents.house]"),
    ("\nagents = 3", "agents is no setting; write a table, [agents.NAME]"),
    (changed('fallback = "haiku"'), "fallback cannot be used: it takes a list of texts"),
    (changed('fallback = ["haikoo"]'), "fallback names 'haikoo', which is no model; did you mean haiku?"),
    (changed('fallback = ["house"]'), "fallback names the agent house; it takes models"),
    (changed('fallback = ["opus", "Sonnet"]'), "fallback names Sonnet, the model itself; leave it out"),
    ('[models.opus]\nfallback = ["opus"]', "fallback names opus, the model itself; leave it out"),
    ('[models.opus]\nfallback = ["gpt-5"]', "which is no model; it takes one of opus, sonnet, haiku"),
    ('[models.opus]\nfalback = ["haiku"]', "[models.opus] has no key falback; did you mean fallback?"),
    ('\n[models.opuss]\nfallback = ["haiku"]', "'opuss' is no model; did you mean opus?"),
    ("\n[models.opus]", 'fallback is missing: what answers in its place, such as fallback = ["haiku"]'),
    ("\n[agent.house]", "there is no setting agent; "),
]


@pytest.mark.parametrize(("text", "told"), MISTAKES)
def test_mistakes(reading, text, told):
    """Each is named with file, line and remedy, and the server does not start with it."""
    found = reading(text)
    sentences = found.mistakes + found.unfit
    matching = [sentence for sentence in sentences if told in sentence]
    assert matching, sentences
    line = 3 if "is no address" in told else 1 if "either" in told else 2
    assert all(sentence.startswith(f"{found.file.path}:{line}: ") for sentence in matching)
    with pytest.raises(ConfigError):
        read_settings({"CLAUDE_PROXY_CONFIG": str(found.file.path)})


def test_brackets_that_would_mean_nothing(reading):
    """A rule that a permission mode would not heed is a mistake; who plans has rules of commands still."""
    rule = '[agents.a]\nmodel = "opus"\nkeys = "anyone"\ntools = ["Edit", "Bash(ls:*)"]\npermission_mode = "{}"\n'
    (sentence,) = reading(rule.format("bypassPermissions")).mistakes
    assert ":5: bypassPermissions lets all of a tool run" in sentence
    assert reading(rule.format("plan")).settings.agents.agents["a"].allowed == ("Bash(ls:*)",)


def test_paths(reading):
    """A path holds for the tool that a row names, though Claude Code heeds only Read's and Edit's."""
    rules = '"Write(src/**)", "NotebookEdit(*.ipynb)", "Glob(~/notes/**)", "Grep", "Edit(src/**)"'
    agent = reading(f'[agents.a]\nmodel = "opus"\nkeys = "anyone"\ntools = [{rules}]\n').settings.agents.agents["a"]
    assert agent.allowed == ("Edit(src/**)", "Edit(*.ipynb)", "Read(~/notes/**)", "Read(./**)")
    assert agent.tools == ("Write", "NotebookEdit", "Glob", "Grep", "Edit")


@pytest.mark.parametrize("rule", ["Edit", "Edit(src/**)", "Write", "Write(src/**)", "NotebookEdit(*.ipynb)"])
def test_plan(reading, rule):
    """Who plans may use no tool that writes files, whatever rule there is."""
    row = f'[agents.plan]\nmodel = "opus"\nkeys = "anyone"\npermission_mode = "plan"\ntools = ["Read", "{rule}"]\n'
    assert reading(row).settings.agents.agents["plan"].allowed == ("Read(./**)",)


def test_two_of_a_name(reading):
    """Two agents of one name are no TOML, which is said with the line of the second."""
    (sentence,) = reading('[agents.a]\nmodel = "opus"\nkeys = "anyone"\n[agents.a]\n').mistakes
    assert ":4: this is no TOML" in sentence


def test_unknown_key(reading):
    """A key's name that there is not (yet) stops no start, but is told of."""
    found = reading('[agents.a]\nmodel = "opus"\nkeys = ["kitchen", "desk"]\n')
    assert found.mistakes == found.unfit == []
    place = f"{found.file.path}:3"
    assert found.settings.agents.doubts == (
        f"{place}: no API key is called desk; `claude-max-api key add desk` makes one",
    )


def test_sessions(reading):
    """Claude Code's own sessions are for an agent with a folder, where a terminal finds them; off unless asked for."""
    row = '[agents.a]\nmodel = "opus"\nkeys = "anyone"\n'
    assert reading(row).settings.agents.agents["a"].sessions == "server"
    (sentence,) = reading(f'{row}sessions = "claude"\n').mistakes
    assert ':4: sessions = "claude" needs a workspace' in sentence
    found = reading(f'{row}workspace = "notes"\nsessions = "claude"\n')
    assert found.mistakes == []
    assert found.settings.agents.agents["a"].sessions == "claude"
    (sentence,) = reading(f'{row}workspace = "notes"\nsessions = "cloud"\n').mistakes
    assert "did you mean claude?" in sentence


def test_credentials_within_others(reading):
    """A token is one without the word in front of it, and so is an address, which may hold one."""
    url = 'url = "https://ann:hidden@mcp.example/s/$HOME_TOKEN"'
    table = reading(f'[mcp.web]\n{url}\nheaders = {{ Authorization = "Bearer token" }}\n').settings.agents
    whole = "https://ann:hidden@mcp.example/s/hush"
    assert credentials_of(table) == {"Bearer token", "token", whole, "ann:hidden", "hidden"}
