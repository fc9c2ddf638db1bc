"""What every command shares: refusals as one line, outputs that replace nothing of the user's,
progress on a terminal, JSON for programs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from snndeploy.errors import DeployError, OptionError, one_line
from snndeploy.files.budget import memory_of
from snndeploy.files.ownership import forced
from snndeploy.files.writing import check_writable, json_text, write_json
from snndeploy.printable import printable

REFUSED = 1
BROKEN = 3
INTERRUPTED = 130
TERMINATED = 143
TRACEBACK = "SNNDEPLOY_TRACEBACK"
STANDARD_OUTPUT = Path("-")
FILE = click.Path(path_type=Path)  # to read


class OutputPath(click.Path):
    """A file or folder that a command writes; every other value may name one that it reads."""


OUTPUT = OutputPath(path_type=Path)


class Command(click.Command):
    """A command whose outputs are none of its inputs, nor each other.

    `--force`, which every command with outputs has, lets them replace files that are not ours;
    `--memory`, which every command with inputs has, is what one of them may take.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if any(_is_output(param) for param in self.params):
            said = "Replace files that snndeploy did not write."
            self.params.append(click.Option(["--force"], is_flag=True, help=said))
        if any(_is_input(param) for param in self.params):
            said = "What one file that is read may take of memory."
            kind = click.FloatRange(0, min_open=True)
            memory = click.Option(
                ["--memory"], type=kind, default=1.0, metavar="GIB", show_default=True, help=said
            )
            self.params.append(memory)

    def invoke(self, context: click.Context) -> Any:
        force = context.params.pop("force", False)
        _check_outputs(self.params, context.params)
        with forced(force), memory_of(context.params.pop("memory", 1.0)):
            return super().invoke(context)


def _is_input(param: click.Parameter) -> bool:
    return isinstance(param.type, click.Path) and not _is_output(param)


def _is_output(param: click.Parameter) -> bool:
    return isinstance(param.type, OutputPath)


def _check_outputs(params: list[click.Parameter], values: dict[str, Any]) -> None:
    """Raises:
    DeployError: an output is an input of the same command, or two outputs are one file.
    """
    given = [(param, values[param.name]) for param in params if param.name in values]
    outputs = [path for param, path in given if _is_output(param) and path is not None]
    outputs = [path for path in outputs if path != STANDARD_OUTPUT]
    inputs = [
        path for param, value in given if not _is_output(param) for path in _files_named(value)
    ]
    for index, output in enumerate(outputs):
        for path in inputs:
            if _same(output, path):
                raise DeployError(
                    f"{output} is an input of this command: name another file to write"
                )
        for other in outputs[:index]:
            if os.path.realpath(output) == os.path.realpath(other):
                raise DeployError(f"{output} is named for two outputs: name another for one")


def _files_named(value: Any) -> Iterator[Path]:
    """Existing files that a value of an option names: as it stands, or before a colon, as a SPEC's
    FILE.py:factory does."""
    if isinstance(value, tuple):
        for each in value:
            yield from _files_named(each)
    elif isinstance(value, (str, Path)):
        text = str(value)
        yield from (Path(name) for name in {text, text.partition(":")[0]} if os.path.exists(name))


def _same(output: Path, path: Path) -> bool:
    if os.path.realpath(output) == os.path.realpath(path):
        return os.path.isfile(output) or os.path.isdir(output)
    try:
        return os.path.isfile(output) and os.path.samefile(output, path)
    except OSError:
        return False


def json_option(what: str) -> Callable[..., Any]:
    """--json FILE, the same on every command."""
    return click.option(
        "--json",
        "json_file",
        type=OUTPUT,
        metavar="FILE",
        help=f"Write {what} as JSON (-: print it).",
    )


class Family(click.Group):
    """Commands of one subject: `targets list`, `targets show`."""

    command_class = Command


class Refusals(Family):
    """Turns what a command raises into one line and an exit code: never a traceback.

    1: refused, with the reason; 3: a bug of ours; 130: ctrl-C; 143: terminated.
    SNNDEPLOY_TRACEBACK=1 lets a bug show where it is.
    """

    def invoke(self, context: click.Context) -> Any:
        with suppress(ValueError):  # not in the main thread: whoever called us hears signals
            signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(context)
        except OptionError as error:
            raise click.UsageError(str(error), context) from None
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            _stop("interrupted; no file was left half written", INTERRUPTED)
        except _Terminated:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _stop("terminated; no file was left half written", TERMINATED)
        except BrokenPipeError:
            _close_output()
            sys.exit(0)
        except Exception as error:
            if os.environ.get(TRACEBACK) and not isinstance(error, DeployError):
                raise
            _stop(*_words(error))


class _Terminated(BaseException):
    """SIGTERM, as an exception: what cleans up behind ctrl-C cleans up behind it too."""


def _terminate(number: int, frame: Any) -> None:
    raise _Terminated


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


def show(text: str, value: Mapping[str, Any], json_file: Path | None) -> None:
    """Print the text for people; write the value for programs, to a file or ("-") in its place."""
    if json_file == STANDARD_OUTPUT:
        click.echo(json_text(value), nl=False)
        return
    if json_file is not None:
        write_json(json_file, value)
    say(text, end="")


def say(text: str, end: str = "\n", *, error: bool = False) -> None:
    """Print a text: what it holds of foreign names is made printable."""
    click.echo(printable(text) + end, nl=False, err=error)
