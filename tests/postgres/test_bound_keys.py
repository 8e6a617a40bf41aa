"""Keys that are for one login: two servers of two logins behind a real HAProxy, with the printed configuration."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.client
import json
import os
import shutil
import socket
import subprocess

import hermetic
import pytest
from click.testing import CliRunner
from conftest import FAKE_CLAUDE
from server import free_port, until

from app.claude.cli.payer import details_of, login_digest
from app.console import main
from app.keys.postgres import PostgresKeys
from app.keys.terms import Terms
from app.postgres.database import Postgres

pytestmark = pytest.mark.timeout(180)
WHERE = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
PEOPLE = ("ann", "bob")
LOGINS = {name: login_digest(details_of({"email": f"{name}@example.org"})) for name in PEOPLE}
NOBODY = "f" * 16


@pytest.fixture(scope="module")
def url(engine):
    return engine.create()


@pytest.fixture(scope="module")
def keys(url):
    """A key for each login, one for a login that no host has, and one that sees everything."""
    database = Postgres(url)
    store = PostgresKeys(database)
    made = {name: store.add(name, Terms(login=LOGINS[name])) for name in PEOPLE}
    made |= {"carl": store.add("carl", Terms(login=NOBODY)), "tests": store.add("tests")}
    yield made
    database.close()


@pytest.fixture(scope="module")
def servers(session_serve, url, keys):
    """A server of each login."""
    env = {"CLAUDE_PROXY_DATABASE": url, "CLAUDE_BIN": str(FAKE_CLAUDE), "CLAUDE_PROXY_KEEP": "0"}
    env |= {"CLAUDE_PROXY_PASS_ENV": f"{hermetic.PASSED},FAKE_EMAIL", "CLAUDE_PROXY_ADMIN_KEYS": "tests"}
    with contextlib.ExitStack() as scope:
        started = {name: session_serve(wait=False, FAKE_EMAIL=f"{name}@example.org", **env) for name in PEOPLE}
        for server in started.values():
            scope.callback(server.kill)
        for server in started.values():
            server.wait(60)
        yield started


@pytest.fixture(scope="module")
def run(url, tmp_path_factory):
    """Give a function that runs a command on some machine that knows the database."""
    env = hermetic.environment(tmp_path_factory.mktemp("home"), CLAUDE_PROXY_DATABASE=url)
    return lambda *args: CliRunner().invoke(main, args, env=env)


def hosts(run):
    """Return what the database knows of each host, by its port."""
    result = run("status", "--all", "--json")
    return {host["port"]: host for host in json.loads(result.stdout)} if result.stdout else {}


@pytest.fixture(scope="module")
def start(keys, run, tmp_path_factory):
    """Give a function that starts HAProxy before the hosts of these names and returns its port."""
    program = shutil.which("haproxy", path=WHERE)
    if program is None:
        pytest.skip("HAProxy is not installed (apt-get install haproxy)")
    with contextlib.ExitStack() as scope:

        def begin(ports):
            port, folder = free_port(), tmp_path_factory.mktemp("haproxy")
            at = [f"127.0.0.1:{behind}={LOGINS[name]}" for name, behind in ports.items()]
            made = run("config", "haproxy", *at, "--listen", f"127.0.0.1:{port}", "--no-tls")
            assert made.exit_code == 0, made.output
            assert not any(secret in made.output for secret in keys.values())
            (folder / "haproxy.cfg").write_text(made.stdout)
            argv = [program, "-db", "-f", str(folder / "haproxy.cfg")]
            process = subprocess.Popen(argv, env={"CLAUDE_PROXY_API_KEY": keys["tests"]})
            scope.callback(process.wait, 10)
            scope.callback(process.kill)
            until(functools.partial(listens, port), 20, "HAProxy")
            return port

        yield begin


def listens(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


@pytest.fixture(scope="module")
def front(servers, keys, start):
    """The port of HAProxy before both hosts, which are there."""
    port = start({name: server.port for name, server in servers.items()})
    until(lambda: all(chat(port, x_api_key=keys[name])[0] == 200 for name in PEOPLE), 60, "both hosts")
    return port


def chat(port, **headers):
    """Return status and JSON of a chat."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = {"model": "sonnet", "messages": [{"role": "user", "content": "answer"}]}
        given = {"Host": "localhost", "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), given)
        response = connection.getresponse()
        data = response.read()
        with contextlib.suppress(ValueError):
            return response.status, json.loads(data)
        return response.status, data
    finally:
        connection.close()


def answered(server, key):
    """Return how many turns a server has answered."""
    _, _, told = server.request("GET", "/metrics", headers={"Authorization": f"Bearer {key}"})
    turns = [line for line in told.decode().splitlines() if line.startswith("claude_proxy_turns_total{")]
    return sum(float(line.split()[-1]) for line in turns)


def ways(secret):
    """Return the headers in which clients send a key."""
    password = base64.b64encode(f"me:{secret}".encode()).decode()
    return (
        {"Authorization": f"Bearer {secret}"},
        {"Authorization": f"bearer  {secret}"},
        {"Authorization": f"Basic {password}"},
        {"Authorization": "Bearer none", "x_api_key": secret},
        {"x_api_key": secret},
        {"api_key": secret},
    )


@pytest.mark.parametrize("name", PEOPLE)
def test_a_key_is_answered_by_its_login(front, servers, keys, name):
    """In whatever header the key comes, its requests go to its login's host."""
    before = {one: answered(server, keys["tests"]) for one, server in servers.items()}
    for number, headers in enumerate(ways(keys[name])):
        assert chat(front, X_Session_Id=f"{name}-{number}", **headers)[0] == 200, headers
    rises = {one: answered(server, keys["tests"]) - before[one] for one, server in servers.items()}
    assert rises == {one: len(ways("")) if one == name else 0 for one in PEOPLE}


def test_another_host_refuses(front, servers, keys):
    """Whoever asks a host of another login gets a 421 that names both; so does a key whose login no host has."""
    status, body = chat(servers["bob"].port, x_api_key=keys["ann"])
    assert (status, body["error"]["code"]) == (421, "login_elsewhere")
    assert LOGINS["ann"] in body["error"]["message"]
    assert LOGINS["bob"] in body["error"]["message"]
    assert chat(front, x_api_key=keys["carl"])[0] == 421


def test_all_hosts(servers, keys, run):
    """Every host is shown with its login, on a machine without a server, too; each server tells its own to admins."""
    until(lambda: [host["login"] for host in hosts(run).values()].count(None) == 0 and len(hosts(run)) == 2, 30, "both")
    assert {port: (host["login"], host["state"]) for port, host in hosts(run).items()} == {
        server.port: (LOGINS[name], "ready") for name, server in servers.items()
    }
    result = run("status", "--all")
    assert result.exit_code == 0
    assert all(f":{server.port}  ready" in result.output for server in servers.values())
    _, _, told = servers["ann"].request("GET", "/ready", headers={"x-api-key": keys["tests"]})
    assert json.loads(told)["login_digest"] == LOGINS["ann"]
    _, _, told = servers["ann"].request("GET", "/ready", headers={"x-api-key": keys["ann"]})
    assert "login_digest" not in json.loads(told)


def test_hosts_by_their_names(servers, run):
    """A host by its name in the database needs no digest; another is asked for. nginx cannot do it, and says so."""
    until(lambda: len(hosts(run)) == 2, 30, "both")
    name = f"{socket.gethostname()}:{servers['ann'].port}"
    made = run("config", "haproxy", name.upper(), "other:1")
    assert made.exit_code == 0
    assert f"use_backend login_{LOGINS['ann']} if" in made.stdout
    assert f"server host1 {name.upper()} track hosts/host1" in made.stdout
    assert f"login_{LOGINS['bob']}" not in made.stdout
    assert "write other:1=DIGEST" in made.stderr
    assert "None of these hosts is known to have the login of bob, carl" in made.stderr
    other = run("config", "nginx", name)
    assert other.exit_code == 0
    assert "ann, bob, carl get a 421" in other.stderr
    assert NOBODY not in other.stdout


def test_its_host_is_gone(start, servers, keys):
    """No other host answers in its place; others' keys notice nothing."""
    front = start({"ann": free_port(), "bob": servers["bob"].port})
    until(lambda: chat(front, x_api_key=keys["bob"])[0] == 200, 60, "the other host")
    assert chat(front, x_api_key=keys["ann"])[0] == 503
    assert chat(front, x_api_key=keys["bob"])[0] == 200
