"""What is printed for HAProxy and nginx is sound; that it works is shown in tests/postgres/test_hosts.py."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from app.balancers import BALANCERS, Front

WHERE = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_the_configuration_is_sound(program, tmp_path):
    """HAProxy and nginx find no mistake in what is printed for them, with a certificate."""
    found = shutil.which(program, path=WHERE)
    if found is None or shutil.which("openssl") is None:
        pytest.skip(f"{program}, or openssl, is not installed")
    certificate = tmp_path / "claude.pem"
    argv = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=claude.example.org -keyout - -out -".split()
    certificate.write_bytes(subprocess.run(argv, check=True, capture_output=True, timeout=30).stdout)
    hosts = ["10.0.0.5:3456", "10.0.0.6:3456", "[fd00::7]:3456"]
    file = tmp_path / "made.cfg"
    file.write_text(BALANCERS[program](Front("*:443", str(certificate), hosts)))
    check = [found, "-c", "-f", str(file)]
    if program == "nginx":
        whole = tmp_path / "nginx.conf"
        logs = f"error_log {tmp_path}/error.log; pid {tmp_path}/pid;"
        whole.write_text(f"{logs} events {{}} http {{ access_log off; include {file}; }}")
        check = [found, "-t", "-q", "-c", str(whole), "-p", str(tmp_path)]
    checked = subprocess.run(check, capture_output=True, text=True, timeout=30, check=False, env={})
    assert checked.returncode == 0, checked.stdout + checked.stderr
