"""The option that names the configuration file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click

from app.config_file import VARIABLE


def _note(_: click.Context, __: click.Parameter, path: Path | None) -> None:
    if path is not None:
        # All that reads the settings, here and in what is started, reads them from the environment.
        os.environ[VARIABLE] = str(path.absolute())


def config_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--config`."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_note,
        help="The configuration file; also from CLAUDE_PROXY_CONFIG.",
    )(command)
