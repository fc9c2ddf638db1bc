"""What every command shares: refusals as one line, progress on a terminal, JSON for programs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from snndeploy.errors import DeployError, OptionError, one_line
from snndeploy.files.writing import check_writable, json_text, write_json

REFUSED = 1
BROKEN = 3
INTERRUPTED = 130
TRACEBACK = "SNNDEPLOY_TRACEBACK"
STANDARD_OUTPUT = Path("-")
FILE = click.Path(path_type=Path)


def json_option(what: str) -> Callable[..., Any]:
    """--json FILE, the same on every command."""
    return click.option(
        "--json",
        "json_file",
        type=FILE,
        metavar="FILE",
        help=f"Write {what} as JSON (-: print it).",
    )


class Refusals(click.Group):
    """Turns what a command raises into one line and an exit code: never a traceback.

    1: refused, with the reason; 3: a bug of ours; 130: ctrl-C.  SNNDEPLOY_TRACEBACK=1 lets a bug
    show where it is.
    """

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except OptionError as error:
            raise click.UsageError(str(error), context) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _stop("interrupted; no file was left half written", INTERRUPTED)
        except BrokenPipeError:
            _close_output()
            sys.exit(0)
        except Exception as error:
            if os.environ.get(TRACEBACK) and not isinstance(error, DeployError):
                raise
            _stop(*_words(error))


def _words(error: Exception) -> tuple[str, int]:
    if isinstance(error, DeployError):
        return str(error), REFUSED
    if isinstance(error, MemoryError):
        reason = f" ({error})" if str(error) else ""
        return f"not enough memory{reason}; use fewer --samples or a smaller model", REFUSED
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or one_line(error)}", REFUSED
    return (
        f"a bug in snndeploy: {one_line(error)}; please report it, with the output of"
        f" {TRACEBACK}=1 and the same command",
        BROKEN,
    )


def _stop(message: str, code: int) -> None:
    clear_step()
    click.echo(f"snndeploy: {DeployError(message)}", err=True)
    sys.exit(code)


def _close_output() -> None:
    """Whoever read our output is gone: say nothing more, also not when Python closes it."""
    sink = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            os.dup2(sink, stream.fileno())
        except (OSError, ValueError):
            continue


def show_step(step: str) -> None:
    """The current step of a longer job, on a terminal only."""
    if sys.stderr.isatty():
        click.echo(f"\r\x1b[K{step} …", nl=False, err=True)


def clear_step() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


class Progress:
    """A progress bar over samples; silent when not a terminal."""

    def __init__(self, label: str, length: int) -> None:
        self.bar = click.progressbar(length=length, label=label, file=sys.stderr)
        self.seen = 0

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self.bar.__enter__()
            self.bar.render_progress()
        return self

    def __call__(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.bar.update(done - self.seen)
        self.seen = done

    def __exit__(self, *error: Any) -> None:
        if sys.stderr.isatty():
            self.bar.__exit__(*error)


def check_json(path: Path | None) -> None:
    """Refuse a --json file that could not be written."""
    if path is not None and path != STANDARD_OUTPUT:
        check_writable(path)


def show(text: str, value: Any, json_file: Path | None) -> None:
    """Print the text for people; write the value for programs, to a file or ("-") in its place."""
    if json_file == STANDARD_OUTPUT:
        click.echo(json_text(value), nl=False)
        return
    if json_file is not None:
        write_json(json_file, value)
    click.echo(text, nl=False)
