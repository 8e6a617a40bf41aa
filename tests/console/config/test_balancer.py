"""claude-max-api config haproxy, and nginx: what may be put into a configuration."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from app.console import main


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_printed(program):
    """The configuration alone goes to standard output, with each host in it, and TLS unless that is not wanted."""
    hosts = ["10.0.0.5:3456", "other.example.org:80"]
    made = CliRunner().invoke(main, ["config", program, *hosts])
    assert made.exit_code == 0
    assert all(host in made.stdout for host in hosts)
    assert "docs hosts" in made.stderr
    assert "/claude.pem" in made.stdout
    plain = CliRunner().invoke(main, ["config", program, *hosts, "--no-tls", "--listen", "127.0.0.1:8080"]).stdout
    assert ".pem" not in plain
    assert "127.0.0.1:8080" in plain


@pytest.mark.parametrize("host", ["10.0.0.5", "a b:1", "a:1;", "a:1\n", "a:1=b"])
def test_hosts_that_are_none(host):
    """What is no host does not get into a configuration."""
    refused = CliRunner().invoke(main, ["config", "haproxy", host])
    assert refused.exit_code == 2
    assert "10.0.0.5:3456" in refused.output


def test_logins_without_a_database():
    """Which login a host has can be said where there is a database only, since there are no keys for it else."""
    refused = CliRunner().invoke(main, ["config", "haproxy", "10.0.0.5:3456=0123456789abcdef"])
    assert refused.exit_code == 2
    assert "CLAUDE_PROXY_DATABASE" in refused.output
