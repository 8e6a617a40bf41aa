"""The command `claude-max-api`."""

from __future__ import annotations

import os

import click

from app.console.ask import ask
from app.console.chat import chat
from app.console.completion import completion
from app.console.config import config
from app.console.config_option import config_option
from app.console.database import database
from app.console.docs import docs
from app.console.doctor import doctor
from app.console.key import key
from app.console.login import login
from app.console.models import models
from app.console.open_page import open_page
from app.console.prove import prove
from app.console.report import report
from app.console.resume import resume
from app.console.serve import serve
from app.console.service import service
from app.console.status import status
from app.console.usage import usage
from app.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.version_option(__version__, "-v", "--version", prog_name="claude-max-api")
@click.pass_context
def main(context: click.Context) -> None:
    """Use a Claude subscription from any OpenAI client."""
    if os.environ.get("NO_COLOR"):  # https://no-color.org
        context.color = False


for command in (
    serve,
    service,
    login,
    doctor,
    prove,
    status,
    open_page,
    ask,
    chat,
    models,
    usage,
    key,
    report,
    database,
    resume,
    config,
    docs,
    completion,
):
    main.add_command(command)
