"""The backends: deploy, export and verify go through this list, and the command line offers it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snndeploy.backends.backend import Backend, Written, refuse
from snndeploy.backends.core_map import BACKEND as MAP
from snndeploy.backends.lava.backend import BACKEND as LAVA
from snndeploy.backends.netx.backend import BACKEND as NETX
from snndeploy.backends.nir.backend import BACKEND as NIR
from snndeploy.backends.onnx.backend import BACKEND as ONNX
from snndeploy.backends.sanafe.backend import BACKEND as SANAFE
from snndeploy.errors import DeployError, OptionError, near_names
from snndeploy.files.writing import check_folder, check_writable

if TYPE_CHECKING:
    import numpy as np

    from snndeploy.program import Program

BACKENDS: tuple[Backend, ...] = (LAVA, MAP, NETX, NIR, ONNX, SANAFE)


def names(command: str) -> list[str]:
    """The backends that a command offers."""
    return [backend.name for backend in BACKENDS if backend.command == command]


def named(name: str) -> Backend:
    """The backend of that name.

    Raises:
        DeployError: there is none.
    """
    known = {backend.name: backend for backend in BACKENDS}
    if name not in known:
        near = near_names(name, known)
        raise DeployError(f"unknown backend {name!r} (known: {', '.join(known)}){near}")
    return known[name]


def emit(
    backend: Backend,
    program: Program,
    x: np.ndarray,
    output: Path,
    options: Mapping[str, Any] | None = None,
) -> Written:
    """Write a program for a backend.

    x: (samples, ...) inputs, for what carries any.

    Raises:
        OptionError: an option that the backend does not take.
        UnsupportedError: what it does not allow, all reasons at once; nothing is written.
        DeployError: the output cannot be written.
    """
    given = {name: value for name, value in (options or {}).items() if value}
    refuse_options(backend, given)
    check_output(backend, output)
    require(backend, program, given)
    return backend.emit(program, x, output, given)


def refuse_options(backend: Backend, options: Mapping[str, Any]) -> None:
    """Refuse options that are given and that a backend does not take.

    Raises:
        OptionError: their names.
    """
    unknown = sorted(name for name in options if options[name] and name not in backend.options)
    if unknown:
        listed = " and ".join(f"--{name.replace('_', '-')}" for name in unknown)
        raise OptionError(
            f"{backend.name} writes {backend.writes}: {listed} cannot be used with it"
        )


def check_output(backend: Backend, output: Path) -> None:
    """Refuse an output that could not be written, before the work rather than after it."""
    (check_folder if backend.form == "folder" else check_writable)(output)


def require(backend: Backend, program: Program, options: Mapping[str, Any] | None = None) -> None:
    """Refuse a program that a backend cannot say.

    Raises:
        UnsupportedError: one line with every reason.
    """
    numbers = backend.refusals(program, options or {})
    allowed = backend.allowed
    refuse(tuple(numbers) if allowed is None else allowed.refusals(program.network, numbers))
